"""Train several networks on one dataset with the same budget, and put them side by side. See docs/architectures.md.

    python scripts/compare_architectures.py dataset --output runs/architectures --markdown docs/architectures.md

DATASET is a folder made by scripts/create_dataset.py with `--split speaker`. Every network sees as many batches of as
many segments, and is measured on people whom none has heard: the validation split, or that of --test. Interrupt and run
again: networks that are finished are not trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.architectures import FEATURE_SETS, Outcome, contest, strangers
from core.errors import DatasetError, SpeakerError
from core.examples import load_features, load_images, load_noise
from core.packages import need
from core.spectrogram import FRAMES
from core.training import Recipe

BEGIN, END = "<!-- table: scripts/compare_architectures.py -->", "<!-- end of table -->"
HEAD = ("network", "trained on", "parameters", "MFLOP for 5 s", "training, CPU s", "EER", "accuracy of 5 (95 %)")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("--test", type=Path, metavar="DATASET", help="another dataset, whose validation split tests")
    parser.add_argument(
        "--networks", nargs="+", metavar="NAME", help=f"image networks, and {', '.join(FEATURE_SETS)} (default: all)"
    )
    parser.add_argument("--batches", type=int, default=300, help="for every network (default 300)")
    parser.add_argument("--batch", type=int, default=64, help="segments in a batch (default 64)")
    parser.add_argument("--crop", type=int, default=150, help="frames of 10 ms that image networks see (default 150)")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default 0.002)")
    parser.add_argument("--min-segments", type=int, default=2, help="leave out speakers with fewer (default 2)")
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "mixed_bfloat16"), help="of image networks"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/architectures"), help="runs, and architectures.json")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="put the table between its marks in this file too"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


def chosen(args: argparse.Namespace) -> list[str]:
    """The names of the networks, images first."""
    from core.networks import IMAGE_NETWORKS

    known = [*IMAGE_NETWORKS, *reversed(FEATURE_SETS)]
    wanted = args.networks or known
    if unknown := set(wanted) - set(known):
        raise SpeakerError(f"--networks {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    return [name for name in known if name in wanted]


def outcomes(args: argparse.Namespace, recipe: Recipe) -> tuple[list[Outcome], dict]:
    """Every network trained and measured; and what they were measured on."""
    names = chosen(args)
    test = args.test or args.dataset
    found: list[Outcome] = []
    facts: dict = {}
    for load, mine in (
        (load_images, [name for name in names if name not in FEATURE_SETS]),
        (load_features, [name for name in names if name in FEATURE_SETS]),
    ):
        if not mine:
            continue
        examples, held = load(args.dataset, "train", min_segments=args.min_segments), load(test, "validation")
        who = strangers(held)
        facts = {
            "training_segments": len(examples.values),
            "training_speakers": len(examples.names),
            "strangers": len(who.enrol),
            "strangers_tested_on_other_recordings": who.several,
            "tests": int((~who.same_recording).sum()),
        }
        print(", ".join(f"{value} {name.replace('_', ' ')}" for name, value in facts.items()), flush=True)
        data = examples, held, load_noise(args.dataset)
        for name in mine:
            found.append(contest(name, *data, recipe, args.output / name, precision=args.precision))
            print(line(cells(found[-1])), flush=True)
    return found, facts


def cells(one: Outcome) -> tuple[str, ...]:
    low, high = one.ci95
    return (
        one.network,
        one.sees,
        f"{one.parameters:,}",
        f"{one.mflop:,.1f}",
        f"{one.seconds:,.0f}",
        f"{one.eer:.1%}",
        f"{one.accuracy:.1%} ({low:.1%} to {high:.1%})",
    )


def line(words: tuple[str, ...]) -> str:
    return f"| {' | '.join(words)} |"


def table(found: list[Outcome]) -> str:
    """As Markdown."""
    rule = ("---", "---", *["---:"] * (len(HEAD) - 2))
    return "\n".join([line(HEAD), line(rule), *(line(cells(one)) for one in found)])


def around_table(path: Path) -> tuple[str, str]:
    """What stands in a file before the table and after it."""
    try:
        before, rest = path.read_text(encoding="utf-8").split(BEGIN)
        _, after = rest.split(END)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} has no place for the table: write {BEGIN} and {END} in it") from error
    return before, after


def compare(args: argparse.Namespace, command: str) -> str:
    """Train, measure, write; returns the table."""
    if args.batches < 1 or args.batch < 2 or not 100 <= args.crop <= FRAMES:
        raise SpeakerError(f"--batches from 1, --batch from 2, and --crop from 100 to {FRAMES} make sense")
    if args.markdown:
        around_table(args.markdown)  # before the work, not after it
    recipe = Recipe(
        steps=args.batches,
        batch=args.batch,
        crop=args.crop,
        rate=args.rate,
        warm_up=args.batches // 10,
        seed=args.seed,
    )
    found, facts = outcomes(args, recipe)
    made = table(found)
    facts = {"command": command, "recipe": asdict(recipe), **facts, "networks": [asdict(one) for one in found]}
    (args.output / "architectures.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        before, after = around_table(args.markdown)
        args.markdown.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")
    return made


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    try:
        need("keras")
        print(compare(args, " ".join(["python", "scripts/compare_architectures.py", *(argv or sys.argv[1:])])))
    except SpeakerError as error:
        print(f"compare_architectures: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
