"""Several pieces of work at a time, in order, with bounded memory: how a recording uses all cores.

NumPy, soxr, libsndfile and ONNX Runtime let go of Python's lock while they compute, so threads suffice.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

WORKERS = min(4, os.cpu_count() or 1)  # more would wait for each other

Item, Result = TypeVar("Item"), TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = WORKERS) -> Iterator[Result]:
    """`work` of each item, in their order; while one is waited for, the next are taken and worked on.

    At most `workers` + 1 items are taken ahead of the result that is wanted. Whatever `items` or `work` raises comes
    after the results before it; when the iterator is dropped, nothing goes on.
    """
    pending: deque[Future[Result]] = deque()
    failed: Exception | None = None
    items = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="side-by-side") as pool:
        try:
            while failed is None:
                try:
                    pending.append(pool.submit(work, next(items)))
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001 - of the caller's own items; raised below, in its turn
                    failed = error
                while pending and (len(pending) > workers or pending[0].done()):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
            if failed is not None:
                raise failed
        finally:
            for one in pending:
                one.cancel()
