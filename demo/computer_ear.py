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
        self.ear.begin(keep_in=keep_in)
        self._looked = time.monotonic()
        self._thread = threading.Thread(
            target=self._listen, args=(recognizer, device, self._stop), name="computer-ear", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the microphone; what was found stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
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

    def _listen(self, recognizer: Recognizer, device: str | None, stop: threading.Event) -> None:
        try:
            with Microphone(device) as microphone:
                for block in microphone.blocks(BLOCK_SECONDS, cancelled=lambda: stop.is_set() or self._unwatched()):
                    self.ear.hear(block.samples, block.rate, missing=microphone.gap)
                    self._moment = self.ear.look(recognizer, overflows=microphone.overflows)
                    if self.ear.full:
                        break
        except Cancelled:
            pass  # asked to
        except Exception as error:  # noqa: BLE001 - shown by the page that looks
            self.error = error
        try:
            self._moment = self.ear.end(recognizer)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = self.error or error
            self._moment = replace(self._moment, listening=False, opening=False)
