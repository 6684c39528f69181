"""Who does the tasks: this process, a pool of processes, or a Dask cluster. The same functions whoever it is.

A worker that is killed loses nothing but its unfinished task, which another does again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

from core.errors import DatasetError, FetchError

T = TypeVar("T")
DEATHS = 3  # times a pool is begun anew, or Dask does a task again, before that is an error
MOST_PROCESSES = 61 if os.name == "nt" else 10_000  # that a pool may have: Windows waits for no more
CONNECT_SECONDS = 30  # s to find a Dask scheduler
SHOWN = 5  # failures named in a message


def run(
    work: Callable[..., str],
    tasks: Iterable[T],
    *more: object,
    workers: int = 1,
    scheduler: str | None = None,
    before: Callable[[T], None] | None = None,
    connections: int = 1,
    stop: Callable[[], None] = lambda: None,
) -> Iterator[tuple[T, str]]:
    """`work(task, *more)` for every task; yields (task, result) as they end.

    `before(task)` is done first, in `connections` threads of this process: what must not grow with the number of
    workers, such as fetching; `stop()` tells it to end soon. A task that raises `FetchError` does not stop the others:
    when all are done, one `FetchError` names those that failed. Any other error stops all.
    """
    failed: list[str] = []
    deaths = 0
    with ThreadPoolExecutor(connections) as threads, _Pool(workers, scheduler) as pool:
        fetching: dict[Future, T] = {threads.submit(before, task): task for task in tasks} if before else {}
        waiting: list[T] = [] if before else list(tasks)
        working: dict[Future, T] = {}
        try:
            while fetching or working or waiting:
                while waiting and len(working) < pool.room:
                    task = waiting.pop(0)
                    working[pool.submit(work, task, *more)] = task
                done, _ = wait([*fetching, *working], return_when=FIRST_COMPLETED)
                for future in done:
                    fetched = future in fetching
                    task = (fetching if fetched else working).pop(future)
                    try:
                        result = future.result()
                    except FetchError as error:
                        failed.append(str(error))
                    except BrokenProcessPool:
                        waiting.append(task)
                    else:
                        if fetched:
                            waiting.append(task)
                        else:
                            deaths = 0
                            yield task, result
                if pool.broken:
                    deaths += 1
                    if deaths > DEATHS:
                        raise DatasetError(
                            "worker processes are killed again and again, perhaps for want of memory: give fewer "
                            "--workers and run again; what is finished is kept"
                        )
                    waiting = [*working.values(), *waiting]
                    working = {}
                    pool.begin()
        except BaseException:
            stop()
            raise
        finally:
            for future in (*fetching, *working):
                future.cancel()
    if failed:
        shown = "; ".join(failed[:SHOWN]) + ("; ..." if len(failed) > SHOWN else "")
        raise FetchError(f"{len(failed)} speakers could not be fetched ({shown}): run again to go on with them")


class _Pool:
    """An executor that can be begun anew. `room`: tasks given to it at a time, so that a death costs few."""

    def __init__(self, workers: int, scheduler: str | None):
        self._workers, self._scheduler = workers, scheduler
        self._client = None
        self.room = 1_000_000 if scheduler else 1 if workers <= 1 else 2 * workers
        self.broken = False

    def __enter__(self) -> _Pool:
        self._executor: Executor | None = None
        self.begin()
        return self

    def begin(self) -> None:
        """Begin, or begin anew after a death."""
        self.broken = False
        if self._executor:
            self._executor.shutdown(wait=False, cancel_futures=True)
        if self._scheduler:
            self._client = _dask_client(self._scheduler)
            self._executor = self._client.get_executor(retries=DEATHS)
        elif self._workers > 1:
            self._executor = processes(self._workers, initializer=_begin_worker)

    def submit(self, work: Callable[..., str], *arguments: object) -> Future:
        """Like an executor's; a dead pool answers with a future that failed."""
        future: Future = Future()
        try:
            if self._executor:
                future = self._executor.submit(work, *arguments)
                future.add_done_callback(partial(self._noticed, self._executor))
            else:
                future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)
            self._noticed(self._executor, future)
        return future

    def _noticed(self, executor: Executor | None, future: Future) -> None:
        dead = not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
        self.broken = self.broken or (dead and executor is self._executor)

    def __exit__(self, kind, *_) -> None:
        if self._executor:
            if self._scheduler:
                self._executor.shutdown(wait=kind is None)
            else:
                self._executor.shutdown(cancel_futures=True)
        if self._client:
            self._client.close()


def processes(workers: int, **options) -> ProcessPoolExecutor:
    """A pool of new processes, as many as `workers` or as this system can have."""
    return ProcessPoolExecutor(min(workers, MOST_PROCESSES), mp_context=get_context("spawn"), **options)


def one_thread():
    """A context in which one worker is one core. Sums come out the same to the last bit wherever they are made: matrix
    products round differently with another number of threads."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _begin_worker() -> None:
    """In a new worker: Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _dask_client(scheduler: str):
    try:
        from distributed import Client
    except ImportError as error:
        raise DatasetError('--scheduler needs Dask: `pip install "distributed>=2025.1"`') from error
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"no Dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler`"
        ) from error
