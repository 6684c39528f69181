"""Accuracy and error rates of the shipped networks on a folder of voices, by the honest protocol.

    python scripts/evaluate.py DIR --channel clean,mic --json OUT.json

DIR holds one folder per speaker, in it files or one folder per session, in name order. The first 30 s of speech of the
first session enrol, the other sessions are the tests (`core.protocol`), through every channel asked for
(`core.channels`). Who has one session only is somebody to be mistaken for and a stranger, but no test of being
recognised: within one recording everybody is. Measures are defined at `core.evaluation.Cell`; the 95 % interval is a
bootstrap over speakers.

Models: cnn, ann, both (the product's SVM heads with cohort), and cnn_cosine, ann_cosine (cosine to the mean enrolment
embedding: what the networks alone are worth). `--embedder resemblyzer,campplus` adds those networks, by cosine.
JSON: {"cnn": {"clean": {"accuracy": ..., "worst": ..., "ci95": [.., ..], "eer": ..., "open_set_eer": ...,
"speakers": ..., "tests": ..., ...}}}, fractions from 0 to 1, null where there was nothing to measure; what `detailed`
adds is from speakers drawn again (`core.resampling`). Tests of another length than 5 s are cells named like "clean@2s".
Where the genders are known (DIR.csv with the columns speaker and gender, or `--genders`) everything is measured within
each gender too (pitch helps less there): cells "clean/F", "clean/M".
Exit code 0 with a result, 2 for a folder that cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core import protocol
from core.audio import SEGMENT_SECONDS
from core.channels import CHANNELS
from core.contest import Contest
from core.dataset.build import audio_files
from core.errors import DatasetError, SpeakerError
from core.evaluation import Cell, draw, rivals_only
from core.learning_curves import genders_of
from core.protocol import Subject
from core.report import known
from core.resampling import interval
from core.rival import NETWORKS

NOISE = Path(__file__).resolve().parents[2] / "shared" / "speech" / "noise"
NOISE_HELP = "for noise10 (default ../shared/speech/noise, else pink noise); training may have heard it too"

Results = dict[str, dict[str, dict]]


def say(line: str, *, last: bool = True) -> None:
    """Progress on stderr; on a terminal a line that is not the last of its kind is written over."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif last:
        print(line, file=sys.stderr, flush=True)


def say_fitted(name: str, done: int, total: int) -> None:
    say(f"heads fitted{name}: {done} of {total}", last=done == total)


def evaluate(args: argparse.Namespace) -> Results:
    """The whole run: results by model and channel, as they go to the JSON."""
    trouble: list[str] = []
    subjects: list[Subject] = []
    people, noise = protocol.find_people(args.folder), noise_files(args.noise)
    genders = genders_of(args.folder, args.genders)
    contest = Contest(rivals=args.embedder)
    for subject, clips in protocol.enrolments(people, seconds=args.enrol_seconds, trouble=trouble):
        subjects.append(subject)
        contest.enrol(clips)
        say(f"enrolled {len(subjects)} of {len(people)}", last=False)
    if len(subjects) < 2:
        raise DatasetError(
            f"{len(subjects)} speakers with enough speech in {args.folder}, 2 are needed. " + "; ".join(trouble[:3])
        )
    say(f"enrolled {len(subjects)} of {len(people)} speakers")
    if args.speakers > len(subjects):
        say(f"only {len(subjects)} speakers: draws of {len(subjects)} instead of {args.speakers}")
    if args.speakers >= len(subjects):
        say("nobody is left over as a stranger: no open-set figures")
    single = sum(subject.same_recording for subject in subjects)
    if single == len(subjects):
        say("everybody has one recording only: tests are the rest of it, which FLATTERS; record them another day too")
    elif single:
        say(f"{single} of {len(subjects)} have one recording only: rivals and strangers, not tested themselves")
    if "noise10" in args.channel:
        say(f"noise10: {len(noise)} recordings of {args.noise}" if noise else "noise10: pink noise (give --noise DIR)")
    groups = {"": np.arange(len(subjects))}
    for gender in sorted(set(genders.values())):
        groups[f"/{gender}"] = np.array([i for i, one in enumerate(subjects) if genders.get(one.name) == gender], int)
    for name, members in groups.items():
        if not name or len(members) > args.speakers:
            draws = draw(len(members), people=args.speakers, count=args.draws, seed=args.seed)
            contest.fit(name, members, draws, progress=partial(say_fitted, name))
    results: Results = {}
    for channel in args.channel:
        began = time.monotonic()
        try:
            found = list(heard(contest, subjects, channel, noise, args, trouble))
        except SpeakerError as error:
            trouble.append(f"{channel} is left out: {error}")
            continue
        for key, model, cell in found:
            results.setdefault(model, {})[key] = cell
        say(f"{channel}: {results['both'][found[0][0]]['tests']} tests in {time.monotonic() - began:.0f} s")
    if not results:
        raise DatasetError(trouble[-1])
    for line in trouble:
        say(f"note: {line}")
    return results


def heard(
    contest: Contest,
    subjects: Sequence[Subject],
    channel: str,
    noise: Sequence[Path],
    args: argparse.Namespace,
    trouble: list[str],
) -> Iterator[tuple[str, str, dict]]:
    """One channel: (channel with length and gender, model, cell as JSON has it), the cells of everybody first."""
    rows: dict[float, list[dict[str, np.ndarray]]] = {seconds: [] for seconds in args.seconds}
    owner, silent = [], np.zeros(len(subjects), int)
    single = rivals_only([subject.same_recording for subject in subjects])
    for index, subject in enumerate(subjects):
        around = protocol.around(subject, subjects, noise)
        pieces, refused = protocol.pieces_through(
            subject, channel, seed=args.seed, around=around, limit=args.tests, trouble=trouble
        )
        for seconds in args.seconds:
            rows[seconds].append(contest.embed([protocol.prepared(piece, seconds) for piece in pieces]))
        owner += [index] * len(pieces)
        silent[index] = refused
        say(f"{channel}: heard {index + 1} of {len(subjects)}", last=False)
    noises = {"noise": f"{len(noise)} recordings" if noise else "pink"} if channel == "noise10" else {}
    owners = np.array(owner, dtype=np.int64)
    ours = {"model": contest.embedder.model_id, "calibration": contest.embedder.calibration_id}
    for seconds, parts in rows.items():
        key = channel if seconds == SEGMENT_SECONDS else f"{channel}@{seconds:g}s"
        joined = {network: np.concatenate([part[network] for part in parts]) for network in parts[0]}
        for name, group in contest.groups.items():
            draws, people = group.heads.draws.shape
            extra = {
                "people": people,
                "draws": draws,
                "not_enough_speech": int(silent[group.members].sum()),
                "seconds": seconds,
                **noises,
            }
            cells = contest.cells(group, joined, owners, single[owners], detailed=not name)
            names = [subjects[index].name for index in group.members]
            for model, cell in cells.items():
                identity = {"model": model} if model in NETWORKS else ours
                rivals = {} if model in NETWORKS else {name: cells[name] for name in contest.rivals}
                yield key + name, model, written(cell) | detailed(cell, names, rivals) | extra | identity


def written(cell: Cell) -> dict:
    """A cell as JSON has it: what was not measured is null, what does not apply is left out."""
    return {name: known(value) for name, value in asdict(replace(cell, detail=None)).items() if value is not None}


def detailed(cell: Cell, names: Sequence[str], rivals: dict[str, Cell]) -> dict:
    """What a cell's `detail` says, as JSON has it: intervals of the error rates; `by_speaker`, of those tested [tests,
    right, answered Unknown]; and `beside`, by rival the intervals of this model's figures less the rival's."""
    if cell.detail is None:
        return {}
    mine, measures = cell.detail, ("accuracy", "eer", "open_set_eer")
    counts = zip(names, mine.asked.tolist(), mine.right.tolist(), mine.refused.tolist(), strict=True)
    found = {f"{name}_ci95": known(interval(getattr(mine, name))) for name in measures[1:]}
    found["by_speaker"] = {name: [asked, right, refused] for name, asked, right, refused in counts if asked}
    found["beside"] = {
        rival: {name: known(interval(getattr(mine, name) - getattr(other.detail, name))) for name in measures}
        for rival, other in rivals.items()
    }
    return found


def noise_files(folder: Path | None) -> list[Path]:
    """Audio files under `folder` in name order; none without a folder."""
    if folder is None:
        return []
    files = audio_files(folder)
    if not files:
        raise DatasetError(f"no audio files under {folder}: give --noise a folder of noise recordings")
    return files


def table(results: Results) -> str:
    """The results as text, percent."""
    titles = ("model", "channel", "accuracy", "95 % interval", "worst", "EER", "open EER", "FA", "FR", "ECE", "tests")
    lines = [titles]
    for model, cells in results.items():
        for channel, cell in cells.items():
            lines.append(
                (
                    model,
                    channel,
                    percent(cell["accuracy"]),
                    "-".join(percent(value) for value in cell["ci95"]),
                    *(percent(cell[key]) for key in ("worst", "eer", "open_set_eer")),
                    *(percent(cell.get(key)) for key in ("unknown_false_accept", "unknown_false_reject", "ece")),
                    str(cell["tests"]),
                )
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    aligned = [
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (zip(line, widths, strict=True) for line in lines)
    ]
    return "\n".join(aligned)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def listed(text: str, kind: str, known: Collection[str]) -> list[str]:
    """'clean,mic' or 'all' -> names."""
    names = list(known) if text == "all" else list(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no {kind} {unknown[0]!r}; choose from all, {', '.join(known)}")
    return names


def lengths(text: str) -> list[float]:
    """'1,2,5' -> seconds."""
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0.5 <= value <= SEGMENT_SECONDS for value in values):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of lengths from 0.5 to {SEGMENT_SECONDS:g} s, like 1,2,5"
        )
    return values


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="one folder per speaker")
    parser.add_argument("--speakers", type=int, default=5, metavar="N", help="people enrolled in a draw (default 5)")
    parser.add_argument(
        "--enrol-seconds", type=float, default=protocol.ENROL_SECONDS, metavar="S", help="of speech (default 30)"
    )
    parser.add_argument("--draws", type=int, default=200, metavar="N", help="sets of people (default 200)")
    channels = partial(listed, kind="channel", known=CHANNELS)
    networks = partial(listed, kind="network", known=NETWORKS)
    parser.add_argument("--channel", type=channels, default=["clean", "mic"], help="list or all (default clean,mic)")
    parser.add_argument("--seconds", type=lengths, default=[SEGMENT_SECONDS], help="lengths of tests (default 5)")
    parser.add_argument(
        "--tests", type=int, default=protocol.TEST_LIMIT, help="of a speaker at most, 0 = all (default 30)"
    )
    parser.add_argument("--noise", type=Path, default=NOISE if NOISE.is_dir() else None, metavar="DIR", help=NOISE_HELP)
    parser.add_argument(
        "--genders", type=Path, metavar="CSV", help="columns speaker and gender (default: DIR.csv where it exists)"
    )
    parser.add_argument(
        "--embedder", type=networks, default=[], help=f"measure others in the same run: {', '.join(NETWORKS)}"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results")
    parser.add_argument(
        "--report", type=Path, metavar="REPORT", help="add channels, learning curves and speed to REPORT/report.html"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    parser = arguments()
    args = parser.parse_args(argv)
    if args.speakers < 1 or args.draws < 1 or args.tests < 0:
        parser.error("--speakers and --draws need at least 1, --tests at least 0")
    try:
        if args.json and not args.json.resolve().parent.is_dir():
            raise DatasetError(f"{args.json.resolve().parent} is not a folder: make it first, or write elsewhere")
        began = time.monotonic()
        results = evaluate(args)
        if args.json:
            partial = args.json.with_name(args.json.name + ".partial")
            partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            partial.replace(args.json)
        print(table(results))
        print(f"percent; {time.monotonic() - began:.0f} s", flush=True)
        if args.report:
            from core import report, report_sections

            command = " ".join(["python scripts/evaluate.py", *(sys.argv[1:] if argv is None else map(str, argv))])
            wished = {"seed": args.seed, "tests": args.tests, "people": args.speakers}
            wished |= {"enrol_seconds": args.enrol_seconds, "genders": genders_of(args.folder, args.genders)}
            for section in report_sections.sections(results, args.folder, command, **wished):
                report.save(args.report, section)
                say(f"report: {section.title}")
    except SpeakerError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
