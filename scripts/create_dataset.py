"""Build the dataset folder: 5 s segments, spectrogram images, feature rows.

    python scripts/create_dataset.py --from-folder DIR --output dataset

DIR holds one folder per speaker, in it recordings, or one folder per session with recordings. Several DIRs may be
given; speakers are then called <DIR's name>-<speaker>. Interrupt and run again: finished speakers are not redone.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.dataset.build import build, build_noise, find_speakers, plan
from core.errors import SpeakerError


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-folder", nargs="+", type=Path, required=True, metavar="DIR", help="DIR/<speaker>/...")
    parser.add_argument("--output", type=Path, default=Path("dataset"), help="dataset folder (default: dataset)")
    parser.add_argument("--noise", type=Path, metavar="DIR", help="noise recordings, to be mixed in while training")
    parser.add_argument(
        "--split",
        choices=("session", "segment", "speaker"),
        default="session",
        help="what validation keeps apart: whole recordings, single segments (the original's), whole speakers",
    )
    parser.add_argument("--validation", type=float, default=0.3, metavar="SHARE", help="default 0.3")
    parser.add_argument("--copies", type=int, default=0, help="augmented copies of each feature row (for the ANN)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    if not 0.0 <= args.validation < 1.0:
        raise SpeakerError(f"--validation is a share from 0 to below 1, not {args.validation:g}")
    from tqdm import tqdm

    speakers = find_speakers(args.from_folder)
    tasks = plan(
        speakers,
        split=args.split,
        validation=args.validation,
        seed=args.seed,
        copies=args.copies,
        noise=args.noise.resolve() if args.noise else None,
    )
    with tqdm(total=len(tasks), unit="speaker") as bar:

        def report(_: str, skipped: str) -> None:
            bar.update()
            if skipped:
                bar.write(f"skipped {skipped}", file=sys.stderr)

        count = build(tasks, args.output, workers=args.workers, report=report)
    print(f"{count} segments of {len(tasks)} speakers in {args.output}")
    if args.noise:
        print(f"{build_noise(args.noise, args.output)} noise images in {args.output / 'noise'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"create_dataset: {error}", file=sys.stderr)
        sys.exit(2)
