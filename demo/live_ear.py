"""The ear of one live session: slices of sound in, the current answer and the closed segments out.

Slices come at the device's rate, of any length, joined or with holes: a stateful resampler makes 16 kHz of them, a
ring keeps the last `RING_SECONDS`. The last 5 s are judged when `look` is called; each full 5 s closes a segment.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio, level_dbfs, to_mono
from core.recognizer import Recognizer
from core.timeline import Answer

RING_SECONDS = 30.0  # s of sound kept; what comes in one slice beyond it is lost and counted
RING_SAMPLES = round(RING_SECONDS * SAMPLE_RATE)
KEPT_ANSWERS = 720  # closed segments kept (one hour)
LATE_SECONDS = 1.5  # s between clock and sound that are normal: slices come once a second


@dataclass(frozen=True, eq=False)
class Moment:
    """What a live screen shows. `current`: the answer to the last 5 s. `closed`: the segments, oldest first.
    `image`: what the CNN saw, uint8 (80, 500). `level`: dBFS of the last second. `heard`, `late`: s."""

    current: Answer | None = None
    closed: tuple[Answer, ...] = ()
    image: np.ndarray | None = None
    level: float | None = None
    heard: float = 0.0
    late: float = 0.0
    overflows: int = 0
    listening: bool = False


class LiveEar:
    """One per session; a copy is always a fresh one, as `gr.State` copies its first value for each session."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._lock = threading.Lock()
        self.begin()

    def __deepcopy__(self, _memo) -> LiveEar:
        return LiveEar(now=self._now)

    def begin(self) -> None:
        """Forget everything; a new recording starts."""
        self._ring = np.zeros(0, np.float32)
        self._total = 0  # samples heard
        self._next = 0  # sample at which the next segment begins
        self._closed: deque[Answer] = deque(maxlen=KEPT_ANSWERS)
        self._resampler, self._rate = None, 0
        self._began: float | None = None
        self.moment = Moment()

    def hear(self, samples: np.ndarray, rate: int) -> None:
        """Take a slice: (n,) or (n, channels), any type, at `rate` Hz."""
        with self._lock:
            mono = to_mono(samples)
            if self._began is None:
                self._began = self._now() - len(mono) / rate
            arrived = self._resampled(mono, rate)
            self._total += len(arrived)
            self._ring = np.concatenate([self._ring, arrived])[-RING_SAMPLES:]

    def look(self, recognizer: Recognizer, *, overflows: int = 0) -> Moment:
        """Close the segments that are full, judge the last 5 s, and say what to show."""
        with self._lock:
            self._close_full(recognizer)
            recent = Audio(self._ring[-SEGMENT_SAMPLES:])
            if not len(recent):
                return self.moment
            heard = self._total / SAMPLE_RATE
            late = self._now() - self._began - heard
            self.moment = Moment(
                current=recognizer.judge(recent, at=heard - recent.duration),
                closed=tuple(self._closed),
                image=recognizer.image(recent),
                level=level_dbfs(recent.samples[-SAMPLE_RATE:]),
                heard=heard,
                late=late if late > LATE_SECONDS else 0.0,
                overflows=overflows,
                listening=True,
            )
            return self.moment

    def recent(self) -> Audio | None:
        """The last 5 s that were heard, 16 kHz; None before the first and after the microphone was stopped."""
        with self._lock:
            return Audio(self._ring[-SEGMENT_SAMPLES:]) if self.moment.listening and len(self._ring) else None

    def _resampled(self, mono: np.ndarray, rate: int) -> np.ndarray:
        if rate == SAMPLE_RATE:
            return mono
        import soxr

        if rate != self._rate:
            self._resampler, self._rate = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32"), rate
        return np.clip(self._resampler.resample_chunk(mono), -1.0, 1.0)

    def _close_full(self, recognizer: Recognizer) -> None:
        oldest = self._total - len(self._ring)
        while self._next < oldest:  # fell out of the ring before it was judged
            self._next += SEGMENT_SAMPLES
        while self._next + SEGMENT_SAMPLES <= self._total:
            first = self._next - oldest
            whole = Audio(self._ring[first : first + SEGMENT_SAMPLES])
            self._closed.append(recognizer.judge(whole, at=self._next / SAMPLE_RATE))
            self._next += SEGMENT_SAMPLES
