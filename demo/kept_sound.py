"""The sound of a live session, kept on request only: a WAV file in the private folder, gone with the session."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE
from demo.leavings import discard

MAX_SAMPLES = 6 * 3600 * SAMPLE_RATE  # six hours: 690 MB
BLOCK = 60 * SAMPLE_RATE  # samples of silence written at a time


class KeptSound:
    """16 kHz, 16 bit, mono, written as it comes. `path`: where; `close` before reading it. `broken`: the disk took no
    more (it is full), and the file ends `seconds` after the session's begin."""

    def __init__(self, folder: Path):
        import soundfile

        self._folder = Path(tempfile.mkdtemp(prefix="kept-", dir=folder))
        self.path = self._folder / "sound.wav"
        self._file = soundfile.SoundFile(self.path, "w", SAMPLE_RATE, 1, subtype="PCM_16", format="WAV")
        self._count = 0
        self.broken = False

    @property
    def seconds(self) -> float:
        """s of sound in the file."""
        return self._count / SAMPLE_RATE

    def write(self, samples: np.ndarray) -> None:
        """Add 16 kHz mono samples; nothing beyond six hours, after `close`, or once the disk took no more."""
        if self._file.closed:
            return
        samples = samples[: MAX_SAMPLES - self._count]
        try:
            self._file.write(samples)
        except (OSError, RuntimeError, AssertionError):  # soundfile's own, for fewer samples than it was given
            self.broken = True
            self.close()
            return
        self._count += len(samples)

    def skip(self, count: int) -> None:
        """Silence in the place of `count` samples that were lost, so that times stay right."""
        for first in range(0, min(count, MAX_SAMPLES - self._count), BLOCK):
            self.write(np.zeros(min(BLOCK, count - first), np.float32))

    def close(self) -> None:
        """All is written. May be called twice."""
        with suppress(OSError, RuntimeError):  # a full disk: what is there can be read
            self._file.close()

    def named(self, name: str) -> Path:
        """Where it is now, under another name in the same folder."""
        self.close()
        self.path = self.path.replace(self._folder / name)
        return self.path

    def discard(self) -> None:
        """Delete it."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        discard([self.path])  # where a browser fetches it just now: later
