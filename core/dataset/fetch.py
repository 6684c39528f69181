"""HTTP to librivox.org and archive.org as a good guest: one catalogue request a second, a name and an address, only
the bytes that are needed, and patience when a server says that it is busy.

What may pass (a lost connection, 429, 500 to 504, a slow line) is tried again with growing pauses and ends in a
`FetchError`; what will not (404, a page instead of sound, a file that always breaks off) is `FileRefused`.
"""

from __future__ import annotations

import email.utils
import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from core.errors import Cancelled, FetchError, FileRefused
from core.names import printable

HOSTS = ("librivox.org", "archive.org")  # and all below them: where a redirect may lead, beside the host asked
BUSY = (429, 500, 502, 503, 504)
MAX_JSON_BYTES = 100_000_000  # bytes of one page of the catalogue
REDIRECTS = 5
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Patience:
    """When to wait, how long, and when to give up; all in seconds but `tries` and `slowest`."""

    tries: int = 6
    first_wait: float = 1.0  # before the second try; doubled each time
    longest_wait: float = 900.0  # a server that asks for more is believed: the run ends and may be gone on with later
    connect: float = 15.0
    read: float = 30.0
    slowest: float = 2_000.0  # bytes/s
    slow_for: float = 60.0  # after so long below `slowest` the connection is begun anew


class _Passing(Exception):
    """What may be gone at the next try; `seconds`: what the server asks to wait."""

    def __init__(self, said: str, seconds: float | None = None):
        super().__init__(said)
        self.seconds = seconds


class Guest:
    """A client that may be used by several threads. `contact`: an address, sent with every request.

    `interval`: s between two requests for the catalogue. `progress(bytes)` hears of every byte of sound that came,
    `told(line)` of every try that failed.
    """

    def __init__(
        self,
        contact: str,
        *,
        interval: float = 1.0,
        patience: Patience | None = None,
        progress: Callable[[int], None] = lambda _: None,
        told: Callable[[str], None] = lambda _: None,
    ):
        try:
            import httpx
        except ImportError as error:
            raise FetchError("fetching audiobooks needs the package httpx: `pip install httpx`") from error
        self.progress, self._told = progress, told
        self.requests = 0
        self._patience, self._interval = patience or Patience(), interval
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._next_page = self._not_before = 0.0
        self._http = httpx.Client(
            headers={
                "User-Agent": f"who-is-speaking/0.1 (dataset of voices; {contact})",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(self._patience.read, connect=self._patience.connect),
        )
        self._lost = httpx.TransportError

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_) -> None:
        self._http.close()

    def stop(self) -> None:
        """Let every request, running or waiting, end in `Cancelled` soon."""
        self._stopped.set()

    def page(self, url: str) -> dict | None:
        """A page of JSON; None for a 404 that says so in JSON, as LibriVox ends its list."""

        def attempt() -> dict | None:
            self._wait(self._turn())
            with self._response(url, {}) as response:
                content = bytearray()
                for block in response.iter_bytes():
                    content += block
                    if len(content) > MAX_JSON_BYTES:
                        raise FileRefused(f"{url} is larger than {MAX_JSON_BYTES // 10**6} MB: ask for smaller pages")
                try:
                    found = json.loads(content)
                except ValueError:
                    if response.status_code == 404:
                        raise FileRefused(f"{url} is not there (404): see that the address is right") from None
                    raise _Passing("not JSON") from None
                if not isinstance(found, dict):
                    raise _Passing("not the JSON that was expected")
                if response.status_code == 404:
                    return None
                if "error" in found:
                    raise _Passing(f"the server says: {str(found['error'])[:80]}")
                return found

        return self._tried(url, attempt)

    def bytes_of(self, url: str, target: Path, first: int, count: int) -> None:
        """Append the bytes `first` to `first + count` of a file to `target`; fewer where it ends before.

        A connection that breaks is gone on with where it broke. `FileRefused` when the file is not there, is a page, or
        breaks off at the same place again and again.
        """
        got, stuck = 0, 0
        with target.open("ab") as file:

            def attempt() -> None:
                nonlocal got, stuck
                before, answered = got, False
                asked = {"Range": f"bytes={first + got}-{first + count - 1}"}
                try:
                    with self._response(url, asked) as response:
                        if response.status_code == 416 and got:
                            return  # it ended where it broke off
                        skip, end = _place(response, first + got, first + count, url)
                        answered = True
                        for block in self._not_too_slow(response.iter_bytes()):
                            wanted = block[skip : skip + end - first - got]
                            skip = max(0, skip - len(block))
                            file.write(wanted)
                            got += len(wanted)
                            self.progress(len(wanted))
                            if first + got >= end:
                                return
                        raise _Passing(f"it broke off after {first + got} of {end} bytes")
                finally:
                    stuck = 0 if got > before else stuck + answered

            try:
                self._tried(url, attempt)
            except _Exhausted as error:
                if stuck >= self._patience.tries - 1:
                    raise FileRefused(f"{url} breaks off again and again: {self._patience.tries} tries") from error
                raise

    def _not_too_slow(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        began, came = time.monotonic(), 0
        for block in blocks:
            if self._stopped.is_set():
                raise Cancelled("stopped; what is finished is kept")
            came += len(block)
            yield block
            if (took := time.monotonic() - began) > self._patience.slow_for:
                if came / took < self._patience.slowest:
                    raise _Passing(f"only {came / took:.0f} bytes a second came")
                began, came = time.monotonic(), 0

    def _tried(self, url: str, attempt: Callable):
        """Several tries with growing pauses; a server that is busy is left alone by all threads."""
        reason = ""
        for number in range(self._patience.tries):
            self._wait(self._not_before - time.monotonic())
            try:
                return attempt()
            except (_Passing, self._lost) as error:
                asked = getattr(error, "seconds", None)
                reason = str(error) or type(error).__name__
                pause = self._patience.first_wait * 2**number * random.uniform(1.0, 1.25)
                if asked is not None:
                    if asked > self._patience.longest_wait:
                        raise FetchError(
                            f"{urlsplit(url).hostname} asks to wait {asked / 60:.0f} minutes: run again after that"
                        ) from error
                    pause = asked
                    with self._lock:
                        self._not_before = max(self._not_before, time.monotonic() + pause)
                if number < self._patience.tries - 1:
                    again = f"tried again in {pause:.0f} s ({number + 2} of {self._patience.tries})"
                    self._told(printable(f"{url.partition('?')[0]}: {reason}; {again}"))
                    self._wait(pause)
        raise _Exhausted(
            f"{url}: {self._patience.tries} tries failed, the last: {reason}: check the network connection, or run "
            "again later; what is finished is kept"
        )

    def _turn(self) -> float:
        """Seconds until the next request for the catalogue may go."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next_page)
            self._next_page = at + self._interval
            return at - now

    def _wait(self, seconds: float) -> None:
        if self._stopped.wait(max(0.0, seconds)) if seconds > 0 else self._stopped.is_set():
            raise Cancelled("stopped; what is finished is kept")

    @contextmanager
    def _response(self, url: str, headers: dict[str, str]):
        """The answer after redirects to hosts that are known; busy and failing ones as exceptions."""
        asked, here = urlsplit(url).netloc, url
        for _ in range(REDIRECTS + 1):
            self.requests += 1
            with self._http.stream("GET", here, headers=headers) as response:
                if response.is_redirect:
                    here = urljoin(here, response.headers.get("location", ""))
                    if not _may_lead_to(here, asked):
                        raise FileRefused(f"{url} leads to {urlsplit(here).netloc}, which is not asked: it is left out")
                    continue
                status = response.status_code
                if status in BUSY:
                    raise _Passing(f"the server answers {status}", _retry_after(response.headers.get("retry-after")))
                if status >= 400 and not (status == 416 or (status == 404 and not headers)):
                    raise FileRefused(f"{url} is not to be had: the server answers {status}")
                yield response
                return
        raise FileRefused(f"{url} is redirected more than {REDIRECTS} times")


class _Exhausted(FetchError):
    """All tries failed."""


def _may_lead_to(url: str, asked: str) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    known = any(host == name or host.endswith(f".{name}") for name in HOSTS)
    return parts.scheme in ("http", "https") and (parts.netloc == asked or known)


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, which may be a number or a date; None without one."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _place(response, first: int, end: int, url: str) -> tuple[int, int]:
    """What to skip of an answer whose bytes should begin at `first`, and the place up to which there are bytes."""
    if response.headers.get("content-type", "").startswith("text/"):
        raise FileRefused(f"{url} is a page, not sound")
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if not found or int(found[1]) != first:
            raise _Passing("other bytes came than were asked for")
        return 0, min(end, int(found[3])) if found[3] != "*" else end
    if response.status_code == 416:
        raise FileRefused(f"{url} has no byte {first}: it is shorter than the catalogue says")
    length = response.headers.get("content-length")
    if length is not None and int(length) <= first:
        raise FileRefused(f"{url} has no byte {first}: it is shorter than the catalogue says")
    return first, min(end, int(length)) if length is not None else end
