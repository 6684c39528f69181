"""Train the ANN on the feature rows of a dataset folder (made with --copies, for a model that survives a microphone).

    python scripts/train_ann.py dataset --output runs/ann
    python scripts/train_ann.py dataset --variants --teacher 20 --output runs/ann    # made with --variants, and taught

Stop it any time and run it again: it goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.errors import SpeakerError
from core.examples import load_features, load_variant_rows
from core.packages import need
from core.training import Batch, Recipe, drawn, fit, save_run, targets, validation_eer
from scripts.training_options import add_common


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="dataset folder (segments.csv, features.csv, features_augmented/)")
    parser.add_argument("--output", type=Path, default=Path("runs/ann"), help="checkpoint, log and weights go here")
    parser.add_argument("--steps", type=int, default=6000, help="batches in all (default 6000)")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--hidden", type=int, nargs="+", default=[1024, 1024])
    parser.add_argument("--variants", action="store_true", help="train on the dataset's variants at other speeds")
    parser.add_argument("--more-speeds", action="store_true", help="and at those of teach.py --more-speeds --copies")
    add_common(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    recipe = Recipe(
        steps=args.steps,
        batch=args.batch,
        rate=args.rate,
        margin=args.margin,
        warm_up=min(200, args.steps // 10),
        seed=args.seed,
    )
    if args.teacher and not args.variants:
        raise SpeakerError("--teacher goes with --variants: a teacher hears those")
    if args.more_speeds and not args.variants:
        raise SpeakerError("--more-speeds goes with --variants: they are further ones")
    need("keras")
    if args.variants:
        examples = load_variant_rows(
            args.dataset,
            min_segments=args.min_segments,
            more_speeds=args.more_speeds,
            with_teacher=args.teacher > 0,
        )
    else:
        examples = load_features(args.dataset, "train", min_segments=args.min_segments, augmented=True)
    known_by = {"dataset": examples.fingerprint(), "taught_by": examples.taught_by, "lessons": examples.lessons()}
    examples = examples.centred()
    held = load_features(args.dataset, "validation")
    print(f"{len(examples.values)} feature rows of {len(examples.names)} speakers", flush=True)

    import keras

    from core.networks import ann, margin_compiled, with_margin_head

    keras.utils.set_random_seed(args.seed)
    body = ann(hidden=tuple(args.hidden), dropout=args.dropout)
    body.get_layer("standardise").adapt(examples.values)
    model = with_margin_head(body, len(examples.names), 0 if examples.teacher is None else examples.teacher.shape[1])
    optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.weight_decay, global_clipnorm=5.0)
    margin_compiled(model, optimizer, args.teacher, args.labels)

    def batches(step: int) -> Iterator[Batch]:
        for chosen, _ in drawn(examples.speakers, recipe.batch, seed=recipe.seed, step=step):
            yield examples.values[chosen], targets(examples, chosen)

    more = {name: getattr(args, name) for name in ("hidden", "dropout", "teacher", "labels")}
    finished = fit(
        model,
        batches,
        recipe,
        args.output,
        validate=lambda: validation_eer(body.predict_on_batch(held.values), held.speakers, held.sessions),
        every=args.every,
        minutes=args.minutes,
        known_by=known_by | more,
    )
    if finished:
        save_run(args.output, body, recipe, examples, architecture="ann", **more)
    print("finished" if finished else "stopped by --minutes; run again to go on")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"train_ann: {error}", file=sys.stderr)
        sys.exit(2)
