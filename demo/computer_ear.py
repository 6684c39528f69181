"""This computer's microphone, listened to by a thread of the server while a page looks at it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from core.audio import Audio
from core.errors import Cancelled
from core.recognizer import Recognizer
from core.sources.microphone import Microphone
from demo.live_ear import LiveEar, Moment

UNWATCHED_SECONDS = 90.0  # s without a page looking after which the microphone is closed; a hidden page looks rarely
BLOCK_SECONDS = 1.0  # s of sound judged at a time
CLOSING_SECONDS = 5.0  # s that a microphone is waited for; one that is still being opened closes by itself


class ComputerEar:
    """One per session; a copy is always a fresh one (see `LiveEar`). Errors wait in `error` to be shown. `ear`: what
    was heard, also after the end, however it came."""

    def __init__(self):
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._looked = 0.0
        self._moment = Moment()
        self.ear = LiveEar()
        self.error: Exception | None = None

    def __deepcopy__(self, _memo) -> ComputerEar:
        return ComputerEar()

    @property
    def running(self) -> bool:
        """Is the microphone open, or about to be?"""
        return self._thread is not None and self._thread.is_alive()

    def start(self, recognizer: Recognizer, device: str | None, *, keep_in: Path | None = None) -> None:
        """Open `device` (None: the default) and listen until `stop`. `keep_in`: see `LiveEar.begin`."""
        self.stop()
        self._stop, self.error, self._moment = threading.Event(), None, Moment(opening=True)
        self.ear.leave()
        self.ear = LiveEar()  # a thread that still waits for its microphone has the old one, and ends only that
        self.ear.begin(keep_in=keep_in)
        self._looked = time.monotonic()
        self._thread = threading.Thread(
            target=self._listen, args=(recognizer, device, self._stop, self.ear), name="computer-ear", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the microphone; what was found stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSING_SECONDS)
            self._thread = None
        self._moment = replace(self._moment, listening=False, opening=False)

    def leave(self) -> None:
        """The page is gone: the microphone is closed, nothing of the voice stays."""
        self.stop()
        self.ear.leave()
        self._moment = Moment()

    def look(self) -> Moment:
        """What to show now."""
        self._looked = time.monotonic()
        return self._moment

    def recent(self) -> Audio | None:
        """The last 5 s that were heard, 16 kHz; None while the microphone is closed. Looking keeps it open."""
        self._looked = time.monotonic()
        return self.ear.recent() if self.running else None

    def _unwatched(self) -> bool:
        return time.monotonic() - self._looked > UNWATCHED_SECONDS

    def _listen(self, recognizer: Recognizer, device: str | None, stop: threading.Event, ear: LiveEar) -> None:
        try:
            with Microphone(device) as microphone:
                for block in microphone.blocks(BLOCK_SECONDS, cancelled=lambda: stop.is_set() or self._unwatched()):
                    ear.hear(block.samples, block.rate, missing=microphone.gap)
                    self._show(ear, ear.look(recognizer, overflows=microphone.overflows))
                    if ear.full:
                        break
        except Cancelled:
            pass  # asked to
        except Exception as error:  # noqa: BLE001 - shown by the page that looks
            self._show(ear, error=error)
        try:
            self._show(ear, ear.end(recognizer))
        except Exception as error:  # noqa: BLE001 - as above
            self._show(ear, replace(self._moment, listening=False, opening=False), self.error or error)

    def _show(self, ear: LiveEar, moment: Moment | None = None, error: Exception | None = None) -> None:
        """Unless another session has begun meanwhile."""
        if ear is self.ear:
            self._moment, self.error = moment or self._moment, error or self.error
