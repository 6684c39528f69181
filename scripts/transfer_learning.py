"""The original's last notebook, repeated: five new speakers, 6 + 6 segments, the original's networks beside ours.

    python scripts/train_original.py ../shared/speech/train/* --output runs/original
    python scripts/transfer_learning.py ../shared/speech/dev --original runs/original --report report

DIR holds one folder per speaker, in it one folder (or file) per recording. All sets of five speakers, or 200 of them
drawn, are tested on the next six segments of the same recording, as the original was, and on six of other recordings.
Without --original only our networks are measured. --report adds the section to DIR/report.html (see core/report.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import original, protocol, report, transfer
from core.chart import METHOD_COLOURS, Axis, Chart, Series
from core.embedder import MODELS, Embedder
from core.errors import DatasetError, SpeakerError
from core.evaluation import draw
from core.packages import need

PUBLISHED = (
    ("the original, as published", "CNN, RBF SVM", 0.90, 0.92),
    ("the original, as published", "ANN, RBF SVM", 0.931, 0.96),
)
TEXT = (
    "{people} speakers whom no network has heard learn with {segments} segments of 5 s each and are tested with as "
    "many more, over {speakers} speakers in draws of {people}. The original's networks were trained on voices of the "
    "same corpus as ours and keep their head, a support-vector machine with RBF kernel; ours stand under the same head "
    "and under our own.\n"
    "The next segments of the same recording are the original's own test: room and microphone help. Other recordings "
    "of the same people ask for the voice."
)
TITLES = {
    "original_cnn": "original CNN (64 x 64 picture)",
    "original_ann": "original ANN (26 features)",
    "cnn": "CNN",
    "ann": "ANN",
    "both": "both, fused",
}
COLOURS = {"original_cnn": "#56b4e9", "original_ann": "#e69f00"} | METHOD_COLOURS


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="one folder per speaker")
    parser.add_argument("--original", type=Path, metavar="RUN", help="folder made by scripts/train_original.py")
    parser.add_argument("--speakers", type=int, default=5, help="in a draw (default 5)")
    parser.add_argument(
        "--segments", type=int, default=transfer.SEGMENTS, help="of a speaker to learn from, and to test on (default 6)"
    )
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, metavar="DIR", help="add the section to this report")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers")
    return parser


def measured(args: argparse.Namespace) -> tuple[list[transfer.Outcome], int]:
    """All outcomes, and how many speakers took part."""
    trouble: list[str] = []
    speakers = list(transfer.newcomers(protocol.find_people(args.folder), trouble, segments=args.segments))
    for line in trouble:
        print(f"note: {line}", file=sys.stderr)
    if len(speakers) < 2:
        raise DatasetError(f"{len(speakers)} speakers with enough segments in {args.folder}: 2 are needed")
    embedder = Embedder()
    networks: dict[str, transfer.Embed] = {}
    if args.original:
        networks = {name: embed for name, (embed, _) in original.load(args.original).items()}
    for model in MODELS:
        networks[model] = lambda samples, model=model: embedder.embed(list(samples)).of(model)
    draws = draw(len(speakers), people=args.speakers, count=args.draws, seed=args.seed)
    return list(transfer.outcomes(speakers, networks, embedder, draws)), len(speakers)


def numbers(found: Sequence[transfer.Outcome]) -> list[dict]:
    """What goes to the JSON; fractions from 0 to 1."""
    return [
        {
            "network": one.network,
            "head": one.head,
            "test": one.test,
            "accuracy": one.cell.accuracy,
            "ci95": list(one.cell.ci95),
            "worst": one.cell.worst,
            "average_precision": one.retrieval.average,
            "tests": one.cell.tests,
        }
        for one in found
    ]


def section(
    found: Sequence[transfer.Outcome], speakers: int, command: str, *, people: int, segments: int
) -> report.Section:
    """The section of the report: of draws of `people` out of `speakers`, who learn with `segments`."""
    people = min(people, speakers)
    columns = ("network", "head", "tested on", "accuracy (95 % interval)", "worst draw", "average precision")
    rows = [
        (
            TITLES[one.network],
            one.head,
            one.test,
            f"{one.cell.accuracy:.1%} ({one.cell.ci95[0]:.1%} to {one.cell.ci95[1]:.1%})",
            f"{one.cell.worst:.1%}",
            f"{one.retrieval.average:.3f}",
        )
        for one in found
    ]
    published = [
        (who, what, "same recording", f"{right:.1%}", "", f"{precision:.2f}")
        for who, what, right, precision in PUBLISHED
    ]
    figures = []
    for test in transfer.TESTS:
        series = tuple(
            Series(
                f"{TITLES[one.network]} ({one.retrieval.average:.2f})",
                one.retrieval.recall,
                one.retrieval.precision,
                COLOURS[one.network],
                "step",
                dashed=one.head == transfer.HEADS[0] and one.network in MODELS,
            )
            for one in found
            if one.test == test and (one.head == transfer.HEADS[1] or one.network.startswith("original"))
        )
        if series:
            rate = {"percent": True, "span": (0.0, 1.0)}
            figures.append(Chart(f"Tested on {test}", Axis("recall", **rate), Axis("precision", **rate), series))
    text = TEXT.format(speakers=speakers, people=people, segments=segments)
    return report.Section(
        "transfer",
        f"Transfer to {people} new speakers, as the original did it",
        text,
        command,
        (report.Table(f"Accuracy over draws of {people}", columns, (*rows, *published)),),
        tuple(figures),
        {"outcomes": numbers(found), "speakers": speakers, "people": people, "segments": segments},
    )


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    try:
        if args.speakers < 1 or args.segments < 1 or args.draws < 1:
            raise DatasetError("--speakers, --segments and --draws need at least 1")
        if args.json and not args.json.resolve().parent.is_dir():
            raise DatasetError(f"{args.json.resolve().parent} is not a folder: make it first, or write elsewhere")
        need("keras", "matplotlib")
        found, speakers = measured(args)
        if args.json:
            args.json.write_text(json.dumps(numbers(found), indent=1) + "\n", encoding="utf-8")
        command = " ".join(["python", "scripts/transfer_learning.py", *(argv or sys.argv[1:])])
        made = section(found, speakers, command, people=args.speakers, segments=args.segments)
        if args.report:
            report.save(args.report, made)
    except SpeakerError as error:
        print(f"transfer_learning: {error}", file=sys.stderr)
        return 2
    (table,) = made.tables
    widths = [max(len(row[i]) for row in (table.columns, *table.rows)) for i in range(len(table.columns))]
    for row in (table.columns, *table.rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
