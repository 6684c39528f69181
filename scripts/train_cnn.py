"""Train the CNN on a dataset folder made by scripts/create_dataset.py.

    python scripts/train_cnn.py dataset --output runs/cnn
    python scripts/train_cnn.py dataset --output runs/cnn-long --start runs/cnn --crop 300 --margin 0.3 --steps 800
    python scripts/train_cnn.py dataset --output runs/head --start pretrained/cnn.onnx --head-only --steps 400

An exported network has no directions of voices any more: trained at once it unlearns more than it learns, so let the
head find them first, then go on from that run.

Stop it any time and run it again: it goes on from its checkpoint. `KERAS_BACKEND=torch` with `--precision
mixed_bfloat16` is the fastest on a CPU that knows bfloat16.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from queue import Empty

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.augment import Chances, SpectrogramAugmenter
from core.campplus import CamPlusPlus
from core.errors import DatasetError, SpeakerError
from core.examples import Examples, hash_of, load_images, load_noise
from core.packages import need
from core.spectrogram import FRAMES
from core.training import (
    Batch,
    Recipe,
    begun_with,
    drawn,
    fit,
    random_crops,
    recipe_of,
    restore,
    save_run,
    targets,
    teacher_kernel,
    validation_eer,
)
from scripts.training_options import add_common


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="dataset folder (segments.csv, spectrograms/, noise/)")
    parser.add_argument("--output", type=Path, default=Path("runs/cnn"), help="checkpoint, log and weights go here")
    parser.add_argument(
        "--start",
        type=Path,
        metavar="RUN",
        help="begin with the weights of this finished run, of an exported cnn.onnx, or with those that 3D-Speaker "
        "trained: `--start campplus --architecture campplus` (core/campplus.py says how they are installed)",
    )
    parser.add_argument(
        "--head-only",
        action="store_true",
        help="leave the network as it is and train what stands on it alone: the first stage behind --start cnn.onnx",
    )
    parser.add_argument("--architecture", default="cnn", help="a name in core.networks.IMAGE_NETWORKS")
    parser.add_argument("--steps", type=int, default=8000, help="batches in all (default 8000)")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--crop", type=int, default=150, help="frames of 10 ms (default 150)")
    parser.add_argument("--constant-margin", action="store_true", help="the full margin from the first step")
    parser.add_argument("--variants", action="store_true", help="train on the dataset's speed and room variants too")
    parser.add_argument("--more-speeds", action="store_true", help="and on those at further speeds (scripts/teach.py)")
    parser.add_argument("--no-masks", action="store_true", help="no SpecAugment masks (for a last, long-crop stage)")
    parser.add_argument(
        "--favour",
        metavar="START=FACTOR",
        default="",
        help="draw voices whose name starts so that many times as often (librispeech=3)",
    )
    parser.add_argument(
        "--augment", type=float, default=1.0, metavar="FACTOR", help="how often noise, rooms, filters come (default 1)"
    )
    parser.add_argument("--precision", default="float32", choices=("float32", "mixed_bfloat16"))
    add_common(parser)
    return parser


def favoured(names: Sequence[str], wish: str) -> np.ndarray | None:
    """How many times as often each of `names` is drawn, for `--favour`: None where nothing is wished."""
    if not wish:
        return None
    start, _, factor = wish.partition("=")
    try:
        times = float(factor)
    except ValueError:
        times = 0.0
    found = np.array([name.startswith(start) for name in names])
    if not (start and found.any() and 0.0 < times < 1e6):
        raise SpeakerError(f"--favour {wish}: write how voices' names start and a factor, as in librispeech=3")
    return np.where(found, times, 1.0)


@dataclass(frozen=True, eq=False)
class Batches:
    """What batches are made of. `chances`: of each augmentation, None as usual. `favour` (speakers,): how many times as
    often each voice is drawn."""

    examples: Examples
    noise: np.ndarray
    recipe: Recipe
    chances: Chances | None = None
    favour: np.ndarray | None = None

    def made(self, step: int) -> Iterator[Batch]:
        """Augmented batches from `step` on, in order, images still uint8."""
        augmenter, recipe = SpectrogramAugmenter(self.noise, self.chances), self.recipe
        chosen_ones = drawn(self.examples.speakers, recipe.batch, seed=recipe.seed, step=step, favour=self.favour)
        for chosen, chance in chosen_ones:
            crops = random_crops(self.examples.values[chosen], recipe.crop, chance)
            yield augmenter(crops, chance), targets(self.examples, chosen)

    def produce(self, queue, step: int) -> None:
        """Runs in a process of its own."""
        if hasattr(os, "nice"):
            os.nice(1)
        for batch in self.made(step):
            queue.put(batch)


def batches(made_of: Batches, step: int) -> Iterator[Batch]:
    """Batches from `step` on, made by another process meanwhile."""
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    queue = context.Queue(8)
    worker = context.Process(target=made_of.produce, args=(queue, step), daemon=True)
    worker.start()
    try:
        while True:
            try:
                images, wanted = queue.get(timeout=5)
            except Empty:
                if not worker.is_alive():
                    raise DatasetError(
                        f"the process that makes batches ended with code {worker.exitcode}, perhaps for want of "
                        "memory: run again to go on from the last checkpoint"
                    ) from None
                continue
            yield images.astype(np.float32) / np.float32(255.0), wanted
    finally:
        worker.terminate()


def begin_with_exported(model, body, path: Path, made_of: Batches) -> None:
    """Weights of an exported network, normalised by what it will see in training, so that it behaves there as it did;
    each speaker's direction begins at the embedding of one of their images."""
    from core.exchange import restore_exported

    examples = made_of.examples
    first = np.sort(np.unique(examples.speakers, return_index=True)[1])

    def prepared(chosen: np.ndarray) -> np.ndarray:
        return examples.values[chosen].astype(np.float32) / np.float32(255.0)

    images, _ = next(made_of.made(0))
    restore_exported(body, path, images.astype(np.float32) / np.float32(255.0))
    parts = [body.predict_on_batch(prepared(first[start : start + 64])) for start in range(0, len(first), 64)]
    directions = np.zeros(model.get_layer("cosines").directions.shape, np.float32)
    directions[:, examples.speakers[first]] = np.concatenate(parts).T
    model.get_layer("cosines").directions.assign(directions)


def begin_with_campplus(model, body, weights: Mapping[str, np.ndarray], made_of: Batches) -> None:
    """3D-Speaker's weights, the mean of what they hear in a batch taken away, as it is from a teacher's lessons. What
    the teacher hears is told by the embedding itself."""
    import keras

    from core.network_campplus import transplant

    transplant(body, weights)
    images, _ = next(made_of.made(0))
    last = body.layers[-2]
    heard = keras.Model(body.input, last.output).predict_on_batch(images.astype(np.float32) / np.float32(255.0))
    last.beta.assign(keras.ops.convert_to_numpy(last.beta) - np.asarray(heard, np.float32).mean(axis=0))
    if len(model.outputs) > 1:
        kernel = model.get_layer("teacher").kernel
        kernel.assign(np.eye(*kernel.shape))


def begin_with_run(model, body, run: Path, voices: Sequence[str]) -> None:
    """A finished run's weights; those for its teacher only where it had one. The directions of its voices too, unless
    it was trained on others than `voices`, or at other speeds: then they begin anew."""
    told, checkpoint = recipe_of(run), run / "checkpoint.npz"
    directions = model.get_layer("cosines").variables
    if told["speakers"] != list(voices):
        restore(checkpoint, body.variables)
        if told.get("teacher") and len(model.outputs) > 1:
            model.get_layer("teacher").kernel.assign(teacher_kernel(checkpoint, body))
        return
    restore(checkpoint, model.variables if told.get("teacher") else [*body.variables, *directions])


def start_of(args: argparse.Namespace) -> str | None:
    """What the weights began with: asked for, or where a run goes on what it was begun with, which is nothing else."""
    begun = begun_with(args.output)
    if begun and "start" not in begun and (args.output / "recipe.json").is_file():  # its checkpoint does not tell yet
        begun |= {"start": recipe_of(args.output).get("start")}
    start = str(args.start) if args.start else begun.get("start")
    if begun.get("start", start) != start:
        raise DatasetError(
            f"{args.output} was begun {'with --start ' + begun['start'] if begun['start'] else 'without --start'}: say "
            "the same or none to go on, or give another --output"
        )
    return start


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    recipe = Recipe(
        steps=args.steps,
        batch=args.batch,
        crop=args.crop,
        rate=args.rate,
        margin=args.margin,
        margin_from=-1.0 if args.constant_margin else 0.25,
        margin_until=0.0 if args.constant_margin else 0.65,
        warm_up=min(200, args.steps // 10),
        masks=not args.no_masks,
        seed=args.seed,
    )
    start = start_of(args)
    need("keras")
    from tqdm import tqdm

    def shown(rows):
        return tqdm(rows, "images", mininterval=1)

    examples = load_images(
        args.dataset,
        "train",
        min_segments=args.min_segments,
        progress=shown,
        with_variants=args.variants,
        more_speeds=args.more_speeds,
        with_teacher=args.teacher > 0,
    )
    noise = load_noise(args.dataset)
    known_by = {"dataset": examples.fingerprint(), "noise": hash_of(noise)}
    known_by |= {"taught_by": examples.taught_by, "lessons": examples.lessons(), "start": start}
    examples = examples.centred()
    held = load_images(args.dataset, "validation")
    favour = favoured(examples.names, args.favour)
    if not 1 <= args.crop <= FRAMES:
        raise SpeakerError(f"--crop {args.crop}: an image has {FRAMES} frames")
    if not 0.0 <= args.augment < float("inf"):
        raise SpeakerError(f"--augment {args.augment:g}: 0 (nothing) and more, 1 being as usual")
    print(f"{len(examples.values)} images of {len(examples.names)} speakers, {len(noise)} noise images", flush=True)

    import keras

    from core.networks import IMAGE_NETWORKS, margin_compiled, with_margin_head

    if args.architecture not in IMAGE_NETWORKS:
        raise SpeakerError(f"--architecture {args.architecture} is none of {', '.join(IMAGE_NETWORKS)}")
    if start == "campplus" and args.architecture != "campplus":
        raise SpeakerError(f"--start campplus has no weights for {args.architecture}: add --architecture campplus")
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy(args.precision)
    body = IMAGE_NETWORKS[args.architecture]()
    if (width := body.input_shape[2]) not in (None, args.crop):
        raise SpeakerError(f"--architecture {args.architecture} sees whole segments only: give --crop {width}")
    body.trainable = not args.head_only
    model = with_margin_head(body, len(examples.names), 0 if examples.teacher is None else examples.teacher.shape[1])
    optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.weight_decay, global_clipnorm=5.0)
    margin_compiled(model, optimizer, args.teacher, args.labels)
    usual = asdict(Chances(masks=0.5 if recipe.masks else 0.0))
    chances = Chances(**{name: min(1.0, args.augment * often) for name, often in usual.items()})
    made_of = Batches(examples, noise, recipe, chances, favour)
    if args.start and not (args.output / "checkpoint.npz").is_file():
        if str(args.start) == "campplus":
            begin_with_campplus(model, body, CamPlusPlus().weights(), made_of)
        elif args.start.suffix == ".onnx":
            begin_with_exported(model, body, args.start, made_of)
        else:
            begin_with_run(model, body, args.start, examples.names)

    def validate() -> float:
        images = held.values.astype(np.float32) / np.float32(255.0)
        parts = [body.predict_on_batch(images[start : start + 64]) for start in range(0, len(images), 64)]
        return validation_eer(np.concatenate(parts), held.speakers, held.sessions)

    names = ("architecture", "precision", "teacher", "labels", "favour", "augment", "head_only")
    more = {name: getattr(args, name) for name in names}
    finished = fit(
        model,
        partial(batches, made_of),
        recipe,
        args.output,
        validate=validate,
        every=args.every,
        minutes=args.minutes,
        known_by=known_by | more,
    )
    if finished:
        save_run(args.output, body, recipe, examples, **more, **({"start": start} if start else {}))
    print("finished" if finished else "stopped by --minutes; run again to go on")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"train_cnn: {error}", file=sys.stderr)
        sys.exit(2)
