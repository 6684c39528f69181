"""What a browser leaves behind: files it sent and the state of its session. Both go soon after its page is gone.

Gradio keeps uploads for everybody alike and the state of a page for an hour or more. Here a session is followed by its
requests: those that start an event name the files it sent, and one long request, the heartbeat, lasts as long as the
page is open. When it has ended and no other has begun within `GRACE_SECONDS`, the files are deleted and the state is
forgotten. Gradio's page never begins a heartbeat anew that broke, so that one that is used again is followed by its
events: after `IDLE_SECONDS` without any it is gone too. While it waits for answers (a live session, a recording that is
judged) it is there, heartbeat or not. What a page had sent that went away before an event named it, or while it sent
it, goes `STRAY_SECONDS` later.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs

from demo.exporting import private_folder
from demo.own_folder import wipe_left_behind

GRACE_SECONDS = 20.0  # s a page may be away (asleep, reloading its connection) before it counts as gone
STRAY_SECONDS = 600.0  # s after its last byte in which a file that was sent should have been named by an event
SLOWER = 6  # times as long for a part while something else is being sent, maybe with it
LOOK_SECONDS = 60.0  # s between looks at them
IDLE_SECONDS = 900.0  # s without an event after which a page that came back counts as gone: its heartbeat stays away
MAX_BODY = 1_000_000  # bytes of a request that are looked through for files
MAX_FILES = 200  # that one event may bring
JOIN, HEARTBEAT = "/gradio_api/queue/join", "/gradio_api/heartbeat/"
ANSWERS = "/gradio_api/queue/data"  # lasts until the last event of a session has ended


def discard(paths: Iterable[str | os.PathLike | None]) -> int:
    """Delete those files that lie in the private folder, and their folders when empty; how many."""
    if not os.environ.get("GRADIO_TEMP_DIR"):
        return 0  # not inside the app: these are somebody's own files
    root, gone = private_folder().resolve(), 0
    for path in paths:
        try:
            real = Path(path).resolve() if path else root
            if root not in real.parents:
                continue
            real.unlink()
            gone += 1
            if real.parent != root:
                real.parent.rmdir()
        except PermissionError:
            _open.update([real] if real.is_file() else [])
        except (OSError, ValueError):
            continue  # gone already, or its folder holds something else
    return gone


_open: set[Path] = set()  # Windows deletes no file that is open, like one that a player waits with: tried again
_holders: dict[Path, set[Hashable]] = {}  # the same sound sent twice is one file: who still needs it
_holding = threading.Lock()


def hold(path: str | os.PathLike, owner: Hashable) -> None:
    """`owner`, like the session of a page, needs this file until `let_go`."""
    with _holding:
        _holders.setdefault(Path(path).resolve(), set()).add(owner)


def let_go(path: str | os.PathLike, owner: Hashable) -> None:
    """`owner` does not need it any more; what nobody needs is deleted."""
    path = Path(path).resolve()
    with _holding:
        owners = _holders.get(path, set())
        owners.discard(owner)
        if not owners:
            _holders.pop(path, None)
            discard([path])


def held(path: str | os.PathLike) -> bool:
    """Does anybody need this file?"""
    return Path(path).resolve() in _holders


_SENT = re.compile(r"[0-9a-f]{64}")  # Gradio's folder of a file that was sent whole


def sweep_strays(*, older_than: float = STRAY_SECONDS) -> int:
    """Delete what was sent, in part or whole, but that nobody needs and to which nothing was added for `older_than`
    seconds: its page went away meanwhile; and what was open when it was to go. How many files."""
    if not os.environ.get("GRADIO_TEMP_DIR"):
        return 0
    inside, gone = lying_in(private_folder()), 0
    parts = [path for path in inside if path.name.startswith("tmp") and path.is_file()]
    sending = any(not old(part, older_than) for part in parts)  # several files are sent one after the other
    gone += sum(_discard_unheld(part) for part in parts if old(part, older_than * (SLOWER if sending else 1)))
    for folder in inside:
        if _SENT.fullmatch(folder.name) and old(folder, older_than):  # sent whole, maybe after others of its request
            gone += sum(_discard_unheld(path) for path in lying_in(folder) if old(path, older_than))
    if again := [_open.pop() for _ in range(len(_open))]:
        gc.collect()  # an upload that broke off is open until then
        gone += sum(map(_discard_unheld, again))
    return gone


def lying_in(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it has just gone."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def old(path: Path, seconds: float) -> bool:
    """Was nothing added for so long? What is gone is old."""
    try:
        return not 0 <= time.time() - path.stat().st_mtime < seconds  # below 0: the clock was put back
    except OSError:
        return True


def _discard_unheld(path: Path) -> int:
    with _holding:
        return 0 if path.resolve() in _holders else discard([path])


class Leavings:
    """ASGI middleware. `forget`: called with the session of a page that is gone, in a thread. `apart`: numbers of the
    events that look after their files themselves (`demo.api`, and slices of the live microphone, one a second).
    `queued`: does any event wait for its turn? It has named its files, and looks after them when it begins."""

    def __init__(
        self,
        app,
        *,
        forget: Callable[[str], None],
        apart: Collection[int] = (),
        queued: Callable[[], bool] = lambda: False,
        grace: float = GRACE_SECONDS,
        idle: float = IDLE_SECONDS,
        stray: float = STRAY_SECONDS,
    ):
        self._app, self._forget, self._apart, self._grace, self._idle = app, forget, apart, grace, idle
        self._stray, self._queued = stray, queued
        self._sweeper: asyncio.Task | None = None
        self._files: dict[str, set[str]] = defaultdict(set)
        self._beats: dict[str, int] = defaultdict(int)
        self._answers: dict[str, int] = defaultdict(int)
        self._waiting: set[asyncio.Task] = set()
        self._alarms: dict[str, asyncio.TimerHandle] = {}  # of sessions without a heartbeat

    async def __call__(self, scope, receive, send) -> None:
        path = scope.get("path", "")
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        if scope["type"] == "http" and path.startswith(HEARTBEAT):
            await self._followed(path.removeprefix(HEARTBEAT).strip("/"), scope, receive, send)
        elif scope["type"] == "http" and path.rstrip("/") == JOIN:
            await self._joined(scope, receive, send)
        elif scope["type"] == "http" and path.rstrip("/") == ANSWERS:
            await self._answered(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _followed(self, session: str, scope, receive, send) -> None:
        self._beats[session] += 1
        if alarm := self._alarms.pop(session, None):
            alarm.cancel()
        try:
            await self._app(scope, receive, send)
        finally:
            self._beats[session] -= 1
            self._leave_soon(session, self._grace)

    async def _answered(self, scope, receive, send) -> None:
        session = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash", [""])[0]
        self._answers[session] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._answers[session] -= 1
            if not self._answers[session]:
                del self._answers[session]
            if session in self._alarms:
                self._set_alarm(session)

    def _set_alarm(self, session: str) -> None:
        """It has no heartbeat, but was used at this moment."""
        if alarm := self._alarms.pop(session, None):
            alarm.cancel()
        self._alarms[session] = asyncio.get_running_loop().call_later(self._idle, self._leave_soon, session, 0.0)

    def _leave_soon(self, session: str, wait: float) -> None:
        task = asyncio.get_running_loop().create_task(self._gone(session, wait))
        self._waiting.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._waiting.discard)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self._stray, LOOK_SECONDS))
            try:
                if not self._queued():
                    await asyncio.to_thread(sweep_strays, older_than=self._stray)
                await asyncio.to_thread(wipe_left_behind)  # of an app killed within a minute of this
            except Exception:  # noqa: BLE001 - the next look may go better
                logging.getLogger("demo").warning("what was sent in vain was not deleted", exc_info=True)

    async def _gone(self, session: str, wait: float) -> None:
        await asyncio.sleep(wait)
        if self._beats.get(session, 0) > 0:
            return  # it came back
        if session in self._answers:
            self._set_alarm(session)
            return
        self._beats.pop(session, None)
        if alarm := self._alarms.pop(session, None):
            alarm.cancel()
        for path in self._files.pop(session, ()):
            await asyncio.to_thread(let_go, path, session)
        await asyncio.to_thread(self._forget, session)

    async def _joined(self, scope, receive, send) -> None:
        """Note the files an event brings along, where Gradio takes it: whoever is not logged in leaves nothing here."""
        body = bytearray()

        async def read():
            message = await receive()
            if message["type"] == "http.request" and len(body) <= MAX_BODY:
                body.extend(message.get("body", b""))
            return message

        async def answered(message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200 and len(body) <= MAX_BODY:
                self._note(bytes(body))
            await send(message)

        await self._app(scope, read, answered)

    def _note(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
            session, data, event = asked["session_hash"], asked["data"], asked.get("fn_index")
        except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
            return  # Gradio will refuse it
        if not isinstance(session, str):
            return
        if self._beats.get(session, 0) <= 0:
            self._set_alarm(session)
        if event in self._apart:
            return
        for path in set(islice(paths_in(data), MAX_FILES)):
            if was_sent(path):
                hold(path, session)
                self._files[session].add(path)


def was_sent(given: str) -> bool:
    """Does the path lead to a file of a folder in the private one?"""
    try:
        path = Path(given).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return False
    return private_folder().resolve() in path.parents[1:] and path.is_file()


def paths_in(data: object) -> Iterator[str]:
    """Every "path" in what an event brings."""
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("path"), str):
                yield one["path"]
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
