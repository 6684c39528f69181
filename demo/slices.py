"""Slices of the browser's microphone that Gradio wrote to the disk and nobody took: a busy server drops some."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path

from demo.leavings import held, lying_in, old

_STAMP = re.compile(r"audio-(\d{1,12})\.wav")  # as `live.js` calls a slice; Gradio's page calls everything audio.wav
WAITING_SECONDS = 10.0  # s a slice may wait to be taken
_swept = float("-inf")  # when, on the monotonic clock


def stamp(path: str | os.PathLike) -> float | None:
    """Seconds on the page's own clock at which a slice was complete, None where its name does not say."""
    found = _STAMP.fullmatch(Path(path).name)
    return int(found[1]) / 1000 if found else None


def sweep(*, older_than: float = WAITING_SECONDS) -> int:
    """Delete slices that are at least `older_than` seconds old and that no event has named, and folders that are empty
    as long: Gradio makes one for every slice. How many slices."""
    folder, gone = os.environ.get("GRADIO_TEMP_DIR"), 0
    if not folder:
        return 0
    for place, _, names in os.walk(folder):  # which a folder that goes meanwhile does not end, as it does Path.rglob
        for path in (Path(place, name) for name in names):
            with suppress(OSError):  # taken at this moment
                if stamp(path) is not None and old(path, older_than) and not held(path):
                    path.unlink()
                    gone += 1
    for place in lying_in(Path(folder)):
        with suppress(OSError):  # it is no folder, holds something, or is gone
            if time.time() - place.stat().st_mtime >= older_than:
                place.rmdir()
    return gone


def sweep_now_and_then() -> None:
    """`sweep`, unless that was within `WAITING_SECONDS`: it looks at everything that is there."""
    global _swept
    if abs(time.monotonic() - _swept) >= WAITING_SECONDS:
        _swept = time.monotonic()
        sweep()


def sweep_soon() -> None:
    """Once more when the last slices have arrived."""
    timer = threading.Timer(2 * WAITING_SECONDS, sweep)
    timer.daemon = True
    timer.start()
