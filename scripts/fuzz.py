"""Throw broken input at everything that reads what users and strangers give, and see that it is refused or right.

    python scripts/fuzz.py [--cases 100000] [--seed 0] [--only decode links ...] [--json OUT.json]

Every case is made from the seed and its number alone, so `--seed S --only decode --from N --cases 1` makes one again.
Cases run in processes with limits of memory and time; one that dies, hangs, or raises anything but a `SpeakerError`
(or breaks a promise of its target) is written down with its number. Exit code 1 when there are any. The corpus is made
here: tones in every format that the decoder reads.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import os
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.dataset.workers import MOST_PROCESSES
from core.errors import SpeakerError
from scripts.fuzz_targets import TARGETS

MEMORY_BYTES = 3 * 1024**3  # bytes of address space that a process may take beyond what it has
CASE_SECONDS = 60  # s that one case may take
CHUNK = 50  # cases handed to a process at a time


def run_case(target: str, seed: int, number: int) -> str | None:
    """One case; None when it was refused or all promises were kept, else what went wrong."""
    try:
        TARGETS[target][0](random.Random(f"{target} {seed} {number}"))
    except SpeakerError:
        return None
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is written down
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None


def _limited() -> None:
    """In a process of the pool: no more memory than agreed, no case longer than agreed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders of other makers write there too
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError):
        pass  # not on this system


def _chunk(job: tuple[str, int, int, int]) -> tuple[tuple[str, int, int, int], list[tuple[int, str]], float, float]:
    target, seed, first, last = job
    wrong, slowest, began = [], 0.0, time.perf_counter()
    for number in range(first, last):
        faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)
        case = time.thread_time()
        if (trouble := run_case(target, seed, number)) is not None:
            wrong.append((number, trouble))
        slowest = max(slowest, time.thread_time() - case)
    faulthandler.cancel_dump_traceback_later()
    return job, wrong, slowest, time.perf_counter() - began


def campaign(jobs: list[tuple[str, int, int, int]], processes: int) -> Iterator[tuple]:
    """The results of `jobs` as they come. When a process dies, what was under way is done again, a case at a time."""
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    left = deque(jobs)
    while left:
        running: dict = {}
        try:
            with ProcessPoolExecutor(min(processes, MOST_PROCESSES), mp_context=context, initializer=_limited) as pool:
                while left or running:
                    while left and len(running) < (2 * processes if processes > 1 else 1):
                        future = pool.submit(_chunk, left[0])
                        running[future] = left.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        del running[future]
                        yield result
        except BrokenProcessPool:
            for job in running.values():
                target, seed, first, last = job
                if last - first == 1 and processes == 1:
                    yield job, [(first, "the process died or hung")], 0.0, 0.0
                else:
                    yield from campaign([(target, seed, number, number + 1) for number in range(first, last)], 1)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, metavar="N", help="over all targets (default 100000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N", help="number of the first case")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS), help="these targets")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results")
    args = parser.parse_args(argv)
    share = sum(TARGETS[target][1] for target in args.only)
    jobs, found = [], {}
    for target in args.only:
        count = max(1, round(args.cases * TARGETS[target][1] / share))
        found[target] = {"cases": 0, "seconds": 0.0, "slowest": 0.0, "wrong": []}
        last = args.first + count
        jobs += [(target, args.seed, n, min(n + CHUNK, last)) for n in range(args.first, last, CHUNK)]
    for (target, _, first, last), wrong, slowest, seconds in campaign(jobs, args.processes):
        result = found[target]
        result["cases"] += last - first
        result["seconds"] += seconds
        result["slowest"] = max(result["slowest"], slowest)
        result["wrong"] += wrong
        for number, trouble in wrong:
            print(f"{target} {number}: {trouble}", flush=True)
    for target, result in found.items():
        print(
            f"{target:9s} {result['cases']:8d} cases, {len(result['wrong'])} wrong, "
            f"slowest {result['slowest']:.2f} s of processor time"
        )
    if args.json:
        args.json.write_text(json.dumps({"seed": args.seed, "targets": found}, indent=1) + "\n", encoding="utf-8")
    return 1 if any(result["wrong"] for result in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
