"""Build the dataset folder: 5 s segments, spectrogram images, feature rows. See docs/dataset.md.

    python scripts/create_dataset.py --contact you@example.org --output dataset         # LibriVox: 80 readers, 1 h each
    python scripts/create_dataset.py --contact you@example.org --output dataset --dry-run
    python scripts/create_dataset.py --from-folder DIR --output dataset
    python scripts/create_dataset.py --from-manifest LIST.csv --output dataset

DIR holds one folder per speaker, in it recordings, or one folder per session with recordings. Several DIRs may be
given; speakers are then called <DIR's name>-<speaker>. LIST.csv has the columns path and speaker; a path is a file or a
link (YouTube). Interrupt and run again: what is finished is not done again.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.dataset.account import SEGMENTS_A_MINUTE, readers_csv, readers_table, totals
from core.dataset.attribution import attribution
from core.dataset.audiobooks import (
    as_given,
    disk_needed,
    fetch_speaker,
    find_recordings,
    known_probes,
    make_probes,
    make_speaker,
    probe_of,
)
from core.dataset.build import SPLITS_BY, Recording, build, find_speakers, plan
from core.dataset.fetch import Guest
from core.dataset.librivox import ARCHIVE, LIBRIVOX, books
from core.dataset.links import Links, here, tidy_parts
from core.dataset.links import make_speaker as make_linked
from core.dataset.noise import build_noise, noise_images
from core.dataset.recordings import check_sound, listed_speakers
from core.dataset.selection import (
    Rules,
    Sieve,
    by_language,
    choose,
    find_readers,
    parse_languages,
    pieces_of,
)
from core.dataset.shards import SHARDS_FROM
from core.dataset.storage import Storage
from core.dataset.variants import make_all
from core.errors import Cancelled, SpeakerError

REPLACEMENTS = 3  # times that sections which archive.org does not give are replaced by others
LANGUAGES = "English:60,German:10,French:10,Spanish:10,Italian:5,Dutch:5"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from-folder", nargs="+", type=Path, metavar="DIR", help="recordings: DIR/<speaker>/...")
    source.add_argument(
        "--from-manifest", type=Path, metavar="CSV", help="recordings: a list with path (or link) and speaker"
    )
    parser.add_argument("--output", default="dataset", help="folder or fsspec URL, like s3://... (default: dataset)")
    parser.add_argument("--noise", type=Path, metavar="DIR", help="noise recordings, to be mixed in while training")
    parser.add_argument(
        "--split",
        choices=SPLITS_BY,
        help="what validation keeps apart: whole books (default for LibriVox and lists), whole sessions (default for "
        "folders), single segments (the original's), whole speakers",
    )
    parser.add_argument("--validation", type=float, default=0.3, metavar="SHARE", help="default 0.3")
    parser.add_argument(
        "--copies",
        type=int,
        default=0,
        help="augmented copies of each feature row, for the ANN; with --variants these are among the variants",
    )
    parser.add_argument(
        "--variants",
        action="store_true",
        help="the voices at other speeds and in rooms too, for train_*.py --variants",
    )
    parser.add_argument("--rooms", type=Path, metavar="DIR", help="measured room impulse responses for --variants")
    parser.add_argument(
        "--shards",
        action=argparse.BooleanOptionalAction,
        help="images in tar files, the WebDataset layout (default: for LibriVox, where about "
        f"{SHARDS_FROM:,} images or more are wanted; else not)",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster instead, like tcp://host:8786")
    parser.add_argument("--seed", type=int, default=0)

    which = parser.add_argument_group("which readers of LibriVox")
    which.add_argument("--speakers", type=int, default=80, help="default 80")
    which.add_argument("--candidates", type=int, default=200, help="readers probed to choose from (default 200)")
    which.add_argument("--minutes", type=float, default=60.0, help="of sound a speaker (default 60)")
    which.add_argument("--languages", default=LANGUAGES, metavar="MIX", help=f"names and shares (default {LANGUAGES})")
    which.add_argument("--min-snr", type=float, default=25.0, metavar="DB", help="estimated (default 25)")
    which.add_argument("--min-bandwidth", type=float, default=5_000.0, metavar="HZ", help="estimated (default 5000)")
    which.add_argument("--max-books", type=int, metavar="N", help="read only so much of the catalogue")
    which.add_argument("--dry-run", action="store_true", help="show readers and sizes; fetch the catalogue, no sound")

    how = parser.add_argument_group("how to fetch")
    how.add_argument(
        "--contact",
        default=os.environ.get("SPEAKERS_CONTACT"),
        metavar="ADDRESS",
        help="your e-mail or web address, sent along so that the servers' keepers can reach you (or SPEAKERS_CONTACT)",
    )
    how.add_argument("--connections", type=int, default=2, help="to archive.org at a time (default 2)")
    how.add_argument(
        "--interval", type=float, default=1.0, metavar="S", help="between catalogue pages, or links (default 1 s)"
    )
    how.add_argument("--max-gb", type=float, default=20.0, help="refuse a download larger than this (default 20)")
    how.add_argument("--hours", type=float, help="stop after so long, to be gone on with")
    how.add_argument("--refresh", action="store_true", help="read the catalogue anew instead of the kept one")
    how.add_argument("--discard-wav", action="store_true", help="keep no WAV: of finished speakers, of a list's parts")
    how.add_argument("--librivox", default=os.environ.get("SPEAKERS_LIBRIVOX", LIBRIVOX), metavar="URL")
    how.add_argument("--archive", default=os.environ.get("SPEAKERS_ARCHIVE", ARCHIVE), metavar="URL")
    return parser


def check(args: argparse.Namespace) -> None:
    """What makes no sense, before anything is done, in one line each."""
    if not 0.0 <= args.validation < 1.0:
        raise SpeakerError(f"--validation is a share from 0 to below 1, not {args.validation:g}")
    for name in ("speakers", "candidates", "minutes", "workers", "connections", "max_gb"):
        if not 0 < getattr(args, name) < float("inf"):
            raise SpeakerError(f"--{name.replace('_', '-')} must be above 0, not {getattr(args, name):g}")
    if args.interval < 1.0 and args.librivox == LIBRIVOX and not (args.from_folder or args.from_manifest):
        raise SpeakerError(f"--interval {args.interval:g}: LibriVox is asked at most once a second")
    if args.variants and (not (args.from_folder or args.from_manifest) or "://" in str(args.output)):
        raise SpeakerError("--variants are made of recordings in local folders, into a local folder")
    if args.variants and args.split == "segment":
        raise SpeakerError("--variants of what validates would be trained on: choose --split speaker, session or book")
    if args.rooms and not args.variants:
        raise SpeakerError("--rooms goes with --variants: nothing else is heard in measured rooms")
    check_sound("--noise", args.noise)
    check_sound("--rooms", args.rooms)
    if args.candidates < args.speakers:
        args.candidates = args.speakers


def from_recordings(args: argparse.Namespace) -> int:
    """Folders or a list: everything is here already, but what a list has as a link."""
    if args.from_folder:
        return make(args, find_speakers(args.from_folder), args.split or "session", pool={}, work=None)
    from tqdm import tqdm

    speakers, storage = listed_speakers(args.from_manifest), Storage.of(args.output)
    links = Links(storage, interval=args.interval, most=args.max_gb * 1e9)
    work = partial(make_linked, keep_wav=not args.discard_wav)
    missing = links.missing(chain.from_iterable(speakers.values()))
    if not missing:
        return make(args, speakers, args.split or "book", pool={}, work=work)
    with ended_by(args, links.stop), tqdm(total=len(missing), unit="link", desc="links", position=0) as bar:
        links.report = lambda _: bar.update()
        pool = {"before": links.fetch, "stop": links.stop}
        return make(args, speakers, args.split or "book", pool=pool, work=work)


@contextmanager
def ended_by(args: argparse.Namespace, stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` after --hours."""
    timer = threading.Timer(3600.0 * (args.hours or 0.0), stop)
    timer.daemon = True
    if args.hours is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def make(args: argparse.Namespace, speakers: dict[str, tuple[Recording, ...]], split: str, *, pool: dict, work) -> int:
    """Plan, build and tell."""
    from tqdm import tqdm

    tasks = plan(
        speakers,
        split=split,
        validation=args.validation,
        seed=args.seed,
        copies=0 if args.variants else args.copies,
        noise=args.noise.resolve() if args.noise else None,
        shards=bool(args.shards),
    )
    with tqdm(total=len(tasks), unit="speaker", desc="speakers", position=1 if pool else 0) as bar:

        def report(_: str, skipped: str) -> None:
            bar.update()
            for line in skipped.splitlines():
                bar.write(f"skipped {line}", file=sys.stderr)

        who = {"workers": args.workers, "scheduler": args.scheduler, **pool}
        count = build(tasks, args.output, report=report, **({"work": work} if work else {}), **who)
    print(f"{count} segments of {len(tasks)} speakers in {args.output}")
    if args.variants:
        heard = [here(task, Storage.of(args.output))[0] for task in tasks]
        for copies in (0, args.copies)[: 2 if args.copies else 1]:
            what = "feature rows" if copies else "images"
            made = make_all(heard, Path(args.output), rooms=args.rooms, copies=copies, workers=args.workers)
            total = sum(tqdm(made, f"{what} of variants", len(heard), unit="speaker"))
            print(f"{total} {what} at other speeds and in rooms in {Path(args.output) / 'variants'}")
    for line in tidy_parts(tasks, Storage.of(args.output)) if args.from_manifest else ():
        print(line, file=sys.stderr)
    if args.noise:
        print(f"{build_noise(args.noise, args.output)} noise images in {Storage.of(args.output).path('noise')}")
    elif kept := noise_images(args.output):
        print(f"{len(kept)} noise images made before stay: delete noise/ to train without them", file=sys.stderr)
    return 0


def from_librivox(args: argparse.Namespace) -> int:
    """Choose readers, fetch their minutes, build."""
    from tqdm import tqdm

    if not args.contact:
        raise SpeakerError("--contact is missing: give your e-mail or web address, which is sent to LibriVox")
    rules = Rules(
        speakers=args.speakers,
        candidates=args.candidates,
        minutes=args.minutes,
        languages=parse_languages(args.languages),
        min_snr=args.min_snr,
        min_bandwidth=args.min_bandwidth,
        validation=args.validation,
        seed=args.seed,
    )
    storage, sieve, keep_wav = Storage.of(args.output), Sieve(), not args.discard_wav
    storage.tidy()

    def told(line: str) -> None:
        tqdm.write(line, file=sys.stderr)  # above the bars, where there are any

    with Guest(args.contact, interval=args.interval, told=told) as guest, ended_by(args, guest.stop):
        rows = books(guest, storage, server=args.librivox, most=args.max_books, refresh=args.refresh, told=told)
        readers = find_readers(rows, rules, sieve)
        tried = by_language(readers, rules.candidates, rules)
        pool = {"workers": args.workers, "scheduler": args.scheduler, "connections": args.connections}
        if args.dry_run:
            probes = known_probes(tried, storage, args.archive)
            chosen = choose(tried, probes, rules, sieve)
            print(readers_table(chosen, rules, probes), totals(chosen, rules, tried, probes, sieve, keep_wav), sep="\n")
            storage.tidy(all_mine=True)
            return 0
        missing = [one for one in tried if one.id not in known_probes(tried, storage, args.archive)]
        total = sum(probe_of(reader, args.archive).bytes for reader in missing)
        with (
            bytes_bar(total, "probes") as bar,
            tqdm(total=len(missing), unit="reader", desc="probed", position=1) as done,
        ):
            guest.progress = bar.update
            probes = make_probes(tried, guest, storage, archive=args.archive, report=done.update, **pool)
        chosen = choose(tried, probes, rules, sieve)
        print(totals(chosen, rules, tried, probes, sieve, keep_wav), flush=True)
        storage.write("readers.csv", readers_csv(chosen, probes).encode())
        seconds = sum(piece.end - piece.start for reader in chosen for piece in pieces_of(reader, rules))
        room(args, storage, seconds)
        if args.shards is None:
            args.shards = seconds / 60.0 * SEGMENTS_A_MINUTE > SHARDS_FROM
        pool |= {"before": partial(fetch_speaker, guest=guest, storage=storage), "stop": guest.stop}
        work, given = partial(make_speaker, keep_wav=keep_wav), None
        for again in range(1 + REPLACEMENTS):
            before, given = given, as_given(chosen, storage)
            if given == before:
                break
            if again:
                told("archive.org did not give some files: other sections of the same readers take their place")
            storage.write("ATTRIBUTION.md", attribution(given, rules).encode())
            by_book = (args.split or "book") == "book"
            speakers = find_recordings(given, rules, storage, by_book=by_book, archive=args.archive)
            total = sum(piece.bytes for reader in given for piece in pieces_of(reader, rules))
            with bytes_bar(total, "fetched") as bar:
                guest.progress = bar.update
                make(args, speakers, args.split or "book", pool=pool, work=work)
        return 0


def bytes_bar(total: int, what: str):
    """A bar with bytes, rate and time left."""
    from tqdm import tqdm

    return tqdm(total=total, unit="B", unit_scale=True, desc=what, position=0)


def room(args: argparse.Namespace, storage: Storage, seconds: float) -> None:
    """Refuse what the disk cannot hold, or what is larger than was agreed to."""
    needed, free = disk_needed(seconds, keep_wav=not args.discard_wav), storage.free()
    have = sum(storage.size(name) for top in ("downloads", "wav") for name in storage.names(top))
    if free is not None and needed - have > free:
        raise SpeakerError(
            f"about {needed / 1e9:.1f} GB are needed in {storage}, {free / 1e9:.1f} GB are free: free some, or give "
            "--discard-wav, fewer --speakers or fewer --minutes"
        )
    download = seconds * 8_000.0 / 1e9
    if download > args.max_gb:
        raise SpeakerError(
            f"{download:.1f} GB are to be fetched, --max-gb is {args.max_gb:g}: raise it if that is meant"
        )


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    try:
        check(args)
        return from_recordings(args) if args.from_folder or args.from_manifest else from_librivox(args)
    except Cancelled:
        print("stopped by --hours; run again to go on")
        return 0
    except SpeakerError as error:
        print(f"create_dataset: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
