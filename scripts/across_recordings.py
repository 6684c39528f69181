"""How well networks tell voices apart from one recording to another: what to choose between runs by.

    python scripts/across_recordings.py dataset runs/a runs/b pretrained/cnn.onnx
    python scripts/across_recordings.py dataset runs/a --beside runs/second --weights 0.5 1 2
    python scripts/across_recordings.py dataset runs/ann pretrained/ann.onnx

Most voices of a large corpus were recorded once, and a network that has learned recordings looks well on them. This
looks at voices of the dataset with several recordings only, at pairs of 5 s segments, and at none from one recording.
Where they are training voices the figures are too good to be quoted: they compare runs of one dataset. `--held-out`
looks at the voices of the validation split instead, all their pairs where they have one recording. Beside the equal
error rate stands what is missed at few false accepts, where an app works that would rather say Unknown: heed both. A
network comes as a finished run or an exported file; `--beside` joins others to each, at the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # as in export_model.py

import numpy as np

from core.augment import Chances, SpectrogramAugmenter
from core.errors import DatasetError, SpeakerError
from core.evaluation import equal_error_rate, miss_rate
from core.examples import Examples, load_features, load_images, load_noise, load_several_recordings
from core.packages import need
from core.resampling import drawn_again, interval, resampled_eer
from core.training import pairs_of
from scripts.exported_networks import answers, only_runs, write_one

RESAMPLES = 200  # of the voices, for the interval
ACCEPTED = 0.01  # share of false accepts at which misses are counted


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("networks", type=Path, nargs="+", metavar="RUN", help="runs, exported cnn.onnx or ann.onnx")
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        action="append",
        default=[],
        metavar="RUN",
        help="a further network, joined with each; several runs: the mean of their weights. Again for one more. Of a "
        "cnn.onnx that holds several RUN is the first and these are the others, as for export_model.py",
    )
    parser.add_argument(
        "--weights", type=float, nargs="+", default=[1.0], metavar="W", help="of those beside, all alike (default 1)"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="voices of the validation split, which no network has heard"
    )
    parser.add_argument(
        "--augment", action="store_true", help="networks of images see segments through noise, rooms and filters"
    )
    return parser


def examples_of(dataset: Path, *, held_out: bool, features: bool = False) -> Examples:
    """Images, or with `features` rows, of voices with several recordings, or of the validation split."""
    if held_out:
        return (load_features if features else load_images)(dataset, "validation")
    return load_several_recordings(dataset, features=features)


def augmented(images: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """As in training, nothing masked: the same every time."""
    augmenter, chance = SpectrogramAugmenter(noise, Chances(masks=0.0)), np.random.default_rng(0)
    return np.concatenate([augmenter(images[at : at + 64], chance) for at in range(0, len(images), 64)])


def recipe_of(run: Path) -> dict:
    """A run's recipe; of an exported file whether it sees images or rows."""
    if run.suffix == ".onnx" and run.is_file():
        from core.exchange import inputs_of

        return {"architecture": "cnn" if len(inputs_of(run)) == 3 else "ann"}
    try:
        return json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{run} is neither a finished run nor an .onnx file: {error}") from error


def places(runs: list[Path]) -> list[int]:
    """Of the networks that runs or an exported file hold, which are joined with others by `--beside`."""
    from core.exchange import parts_in

    run = runs[-1]
    recipe_of(run)  # says what is not there
    if len(runs) > 1:
        only_runs(runs)
    return list(range(1, parts_in(run))) or [0] if run.suffix == ".onnx" else [0]


def called(runs: list[Path], place: int) -> str:
    """Runs, or which network of an exported file it is."""
    name = ", ".join(map(str, runs))
    return f"{name} (network {place + 1})" if runs[-1].suffix == ".onnx" else name


def unit(rows: np.ndarray) -> np.ndarray:
    """Embeddings (n, D) less their mean, at length 1."""
    rows = rows - rows.mean(axis=0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def judged(embeddings: np.ndarray, examples: Examples) -> tuple[float, float, float, float]:
    """Of pairs across recordings the equal error rate, with the 95 % interval of voices drawn again with replacement
    (nan where none is left to be told apart), and the share missed at `ACCEPTED`."""
    scores, first, second = pairs_of(embeddings, examples.speakers, examples.sessions)
    same, times = first == second, drawn_again(len(examples.names))[:RESAMPLES]
    low, high = interval(resampled_eer(scores, same, [first, second], times))
    apart = scores[same], scores[~same]
    return equal_error_rate(*apart)[0], low, high, miss_rate(*apart, accepted=ACCEPTED)


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    runs = [*args.networks, *(run for runs in args.beside for run in runs)]
    need(*["keras"] * any(run.suffix != ".onnx" for run in runs), "onnx")
    seen = cache(partial(examples_of, args.dataset, held_out=args.held_out))
    examples = seen()
    kind = "held-out voices" if args.held_out else "voices with several recordings"
    recordings = len(set(examples.sessions))
    print(f"{len(examples.names)} {kind}, {recordings} recordings, {len(examples.values)} segments", flush=True)

    images = augmented(examples.values, load_noise(args.dataset)) if args.augment else examples.values
    images = images.astype(np.float32) / np.float32(255.0)

    def heard(runs: list[Path], place: int | None) -> np.ndarray:
        run = runs[-1]
        recipe = recipe_of(run)
        of_rows = recipe["architecture"] == "ann"
        if of_rows and args.augment:
            raise SpeakerError(f"{run} sees feature rows, and --augment is for images: leave one of them out")
        inputs = seen(features=True).values if of_rows else images
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            write_one(runs, place, recipe, inputs[:8], path)
            return unit(answers(path, inputs))

    def tell(name: str, embeddings: np.ndarray) -> None:
        eer, low, high, missed = judged(embeddings, examples)
        print(f"{name}: EER {eer:.1%} ({low:.1%} to {high:.1%}), missed at {ACCEPTED:.0%}: {missed:.1%}", flush=True)

    others = {called(runs, place): heard(runs, place) for runs in args.beside for place in places(runs)}
    for name, embeddings in others.items():
        tell(f"{name} alone", embeddings)
    for run in args.networks:
        own, first = called([run], 0) if others else str(run), heard([run], 0 if others else None)
        tell(f"{own} alone" if others else own, first)
        for weight in args.weights if others else ():
            name = " + ".join([own, *(f"{weight:g} x {other}" for other in others)])
            tell(name, unit(np.concatenate([first, *(weight * one for one in others.values())], axis=1)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"across_recordings: {error}", file=sys.stderr)
        sys.exit(2)
