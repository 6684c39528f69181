"""Slices of the browser's microphone that Gradio wrote to the disk and nobody took: a busy server drops some."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

from demo.leavings import held

SLICE_NAMES = "audio-*.wav"  # as `live.js` calls a slice; Gradio's page calls everything audio.wav
_STAMP = re.compile(r"audio-(\d{1,12})\.wav")
WAITING_SECONDS = 10.0  # s a slice may wait to be taken


def stamp(path: str | os.PathLike) -> float | None:
    """Seconds on the page's own clock at which a slice was complete, None where its name does not say."""
    found = _STAMP.fullmatch(Path(path).name)
    return int(found[1]) / 1000 if found else None


def sweep(*, older_than: float = WAITING_SECONDS) -> int:
    """Delete slices that are at least `older_than` seconds old and that no event has named; how many."""
    folder, gone = os.environ.get("GRADIO_TEMP_DIR"), 0
    if not folder:
        return 0
    for path in Path(folder).rglob(SLICE_NAMES):
        try:
            age = time.time() - path.stat().st_mtime  # below 0: the clock was put back
            if not 0 <= age < older_than and stamp(path) is not None and not held(path):
                path.unlink()
                gone += 1
        except OSError:
            continue  # taken at this moment
    return gone


def sweep_soon() -> None:
    """Once more when the last slices have arrived."""
    timer = threading.Timer(2 * WAITING_SECONDS, sweep)
    timer.daemon = True
    timer.start()
