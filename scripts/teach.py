"""Let a teacher network hear a dataset's training voices, so that ours can learn from it beside the labels.

    python scripts/teach.py dataset --recordings DIR... --teacher campplus [--variants --rooms DIR] [--workers 2]
    python scripts/train_cnn.py dataset --variants --teacher 20 ...
    python scripts/teach.py dataset --recordings DIR... --more-speeds --at-most 2 [--rooms DIR]
    python scripts/train_cnn.py dataset --variants --more-speeds --teacher 20 ...
    python scripts/teach.py dataset --recordings DIR... --more-speeds --copies 4 --at-most 2 [--noise DIR] [--rooms DIR]
    python scripts/train_ann.py dataset --variants --more-speeds --teacher 20 ...

`--variants` makes the dataset's variants in the same pass, which reads the recordings once (else create_dataset.py has
made them). `--more-speeds` makes and teaches four further speeds beside what is there: voices near one another, whose
likeness only a teacher can tell; with `--copies` as feature rows for the ANN, in the place of images. Teachers are
installed in an environment of their own: core/campplus.py and core/rival.py say how. Stop it any time and run it again.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.dataset import teacher, variants
from core.dataset.babble import Talkers
from core.dataset.build import Task, find_speakers, plan
from core.dataset.manifest import read_rows
from core.dataset.recordings import check_sound
from core.dataset.workers import processes
from core.errors import DatasetError, SpeakerError
from core.rival import NETWORKS


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="dataset folder, made with --variants")
    parser.add_argument("--recordings", type=Path, nargs="+", required=True, metavar="DIR", help="what it was made of")
    parser.add_argument("--teacher", choices=sorted(NETWORKS), default="campplus", help="default campplus")
    parser.add_argument(
        "--at-most", type=int, metavar="N", help="clips of a voice that the teacher hears (default: all)"
    )
    parser.add_argument("--variants", action="store_true", help="make the voices at other speeds and in rooms too")
    parser.add_argument(
        "--more-speeds",
        action="store_true",
        help="make and teach voices at four further speeds; alone, only these",
    )
    parser.add_argument(
        "--copies",
        type=int,
        default=0,
        metavar="N",
        help="feature rows of the further speeds, for the ANN, in the place of images: half as many augmented copies "
        "of a clip (as create_dataset.py --copies has it)",
    )
    parser.add_argument("--noise", type=Path, metavar="DIR", help="noise recordings for the copies")
    parser.add_argument("--rooms", type=Path, metavar="DIR", help="measured room impulse responses for the variants")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return parser


@cache
def installed(name: str):
    """One a process."""
    network = NETWORKS[name]()
    import torch

    torch.set_num_threads(1)
    return network


def hear(
    task: Task,
    folder: Path,
    name: str,
    at_most: int | None,
    with_variants: bool,
    more_speeds: bool,
    copies: int,
    rooms: Path | None,
    talkers: Talkers,
) -> int:
    """One speaker; how many clips."""
    heard = cache(lambda task, speed: list(variants.clips(task, speed)))  # read once for both
    clips = 0
    for speeds in [variants.SPEEDS] * (with_variants or not more_speeds) + [variants.MORE_SPEEDS] * more_speeds:
        if copies and speeds == variants.MORE_SPEEDS:
            variants.make_rows(task, folder, rooms, copies, heard, talkers=talkers, speeds=speeds)
        elif with_variants or more_speeds:
            variants.make(task, folder, rooms, heard, speeds=speeds)
        clips += teacher.make(task, folder, installed(name).hear, at_most, heard, speeds=speeds)
    return clips


def training_tasks(dataset: Path, recordings: list[Path]) -> list[Task]:
    """The speakers of the dataset's training split, their validation sessions apart as the dataset says."""
    apart: dict[str, set[str]] = {}
    training = set()
    for row in read_rows(dataset):
        if row.split == "train":
            training.add(row.speaker)
        else:
            apart.setdefault(row.speaker, set()).add(row.session)
    tasks = plan(find_speakers(recordings), split="speaker", validation=0.0)
    chosen = [task for task in tasks if task.speaker in training]
    if not chosen:
        raise DatasetError(f"no folder under {recordings} is a training speaker of {dataset}")
    if any(apart.get(task.speaker) for task in chosen):
        raise DatasetError(f"{dataset} was not split by speaker: make it with --split speaker")
    return chosen


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    if args.workers < 1:
        raise SpeakerError(f"--workers {args.workers}: 1 process or more")
    if args.at_most is not None and args.at_most < 1:
        raise SpeakerError(f"--at-most {args.at_most}: 1 or more clips of a voice")
    if args.copies and not args.more_speeds:
        raise SpeakerError("--copies goes with --more-speeds: create_dataset.py makes those of the first speeds")
    if args.noise and not args.copies:
        raise SpeakerError("--noise goes with --copies: nothing else is mixed with it")
    if args.rooms and not (args.variants or args.more_speeds):
        raise SpeakerError("--rooms goes with --variants or --more-speeds: nothing else is heard in rooms")
    check_sound("--noise", args.noise)
    check_sound("--rooms", args.rooms)
    tasks = training_tasks(args.dataset, args.recordings)
    if args.noise:
        tasks = [replace(task, noise=args.noise.resolve()) for task in tasks]
    installed(args.teacher)  # says at once what is missing
    teacher.begin(args.dataset, args.teacher)
    from tqdm import tqdm

    work = partial(
        hear,
        folder=args.dataset,
        name=args.teacher,
        at_most=args.at_most,
        with_variants=args.variants,
        more_speeds=args.more_speeds,
        copies=args.copies,
        rooms=args.rooms,
        talkers=variants.talkers_of(tasks),
    )
    with processes(args.workers) as pool:
        heard = pool.map(work, tasks, chunksize=4)
        clips = sum(tqdm(heard, "taught", len(tasks), unit="speaker"))
    print(f"{clips} clips of {len(tasks)} speakers in {args.dataset / 'teacher'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"teach: {error}", file=sys.stderr)
        sys.exit(2)
