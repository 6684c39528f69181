"""The ear of one live session: slices of sound in, the current answer and the closed segments out.

Slices come at the device's rate, of any length, joined or with holes: a stateful resampler makes 16 kHz of them, a
ring keeps the last `RING_SECONDS`. The last 5 s are judged when `look` is called; each full 5 s closes a segment.

Sound that does not come leaves a hole in the session's time: what lies before and behind it is never judged as one
piece. A browser does not say what it dropped, so a hole is what a clock misses: a slice was complete a second later
than the sound until then accounts for. The clock is the page's own where it stamps its slices, for late is not lost.
But a page that stood still stamps late too, and then what it holds comes all at once: so a slice that seems to come
behind a hole waits for the next one, which tells whether the clock is still ahead (`Waiting`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio, level_dbfs, to_mono
from core.recognizer import Recognizer
from core.segments import MIN_REST_SECONDS, Segment
from core.timeline import Answer
from demo.kept_sound import KeptSound
from demo.leavings import discard

RING_SECONDS = 30.0  # s of sound kept; what comes in one slice beyond it is lost and counted
RING_SAMPLES = round(RING_SECONDS * SAMPLE_RATE)
SESSION_SECONDS = 6 * 3600.0  # s after which a session takes nothing more: all of it is kept to be saved
KEPT_GAPS = 1000
GAP_SECONDS = 1.0  # s of sound missing by the clock that count as lost; less is the way through browser and network
DRIFT = 0.002  # s a second by which the usual delay may grow: a sound card's clock is not the computer's
MIN_REST_SAMPLES = round(MIN_REST_SECONDS * SAMPLE_RATE)


@dataclass(frozen=True, eq=False)
class Moment:
    """What a live screen shows. `current`: the answer to the last 5 s. `closed`: the segments, oldest first. `open`:
    the span that is not closed yet. `gaps`: where sound was lost. `image`: what the CNN saw, uint8 (80, 500). `level`:
    dBFS of the last second. `at`: s since the session began, gaps included. `lost`: s of it that never came.
    `kept_until`: s at which the kept sound ends because the disk took no more. `full`: the session has lasted as long
    as it can. `opening`: the microphone was asked for and has not sent anything."""

    current: Answer | None = None
    closed: tuple[Answer, ...] = ()
    open: Segment = Segment(0.0, 0.0)
    gaps: tuple[Segment, ...] = ()
    image: np.ndarray | None = None
    level: float | None = None
    at: float = 0.0
    lost: float = 0.0
    overflows: int = 0
    kept_until: float | None = None
    full: bool = False
    listening: bool = False
    opening: bool = False


def clock() -> float:
    """Seconds that also pass while the computer sleeps, and that setting the clock does not change."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


@dataclass
class Waiting:
    """Slices behind what may be a hole of `gap` seconds, as (mono samples, rate)."""

    gap: float = 0.0
    slices: list[tuple[np.ndarray, int]] = field(default_factory=list)


class LiveEar:
    """One per session; a copy is always a fresh one, as `gr.State` copies its first value for each session."""

    def __init__(self, *, now: Callable[[], float] = clock):
        self._now = now
        self._lock = threading.RLock()
        self.kept: KeptSound | None = None
        self.written: list[str] = []  # the session, to be saved
        self.begin()
        self.used = 0.0  # s, monotonic: when there was last something new to show

    def __deepcopy__(self, _memo) -> LiveEar:
        return LiveEar(now=self._now)

    @property
    def full(self) -> bool:
        """Has the session lasted as long as it can? Then nothing is heard any more: it is time for `end`."""
        return self._total >= SESSION_SECONDS * SAMPLE_RATE

    def begin(self, *, keep_in: Path | None = None) -> None:
        """Forget everything; a new recording starts. `keep_in`: a folder where its sound is kept to be saved. Raises
        `OSError` or `RuntimeError` where that cannot be written to."""
        with self._lock:
            self.used = time.monotonic()
            if self.kept is not None:
                self.kept.discard()
            discard(self.written)
            self.written = []
            self.kept = None if keep_in is None else KeptSound(keep_in)
            self._ring = np.zeros(0, np.float32)
            self._total = 0  # samples since the session began, lost ones too
            self._next = 0  # sample at which the next segment begins
            self._broken: deque[tuple[int, np.ndarray]] = deque(maxlen=10)  # what was open before a hole, and its place
            self._gaps: deque[Segment] = deque(maxlen=KEPT_GAPS)
            self._lost = 0  # samples
            self._closed: list[Answer] = []
            self._resampler, self._rate = None, 0
            self._began: float | None = None
            self._counted, self._usual = 0.0, 0.0  # s of sound accounted for; s it is usually behind the clock
            self._waiting = Waiting()
            self._ended = False
            self.moment = Moment()

    def leave(self) -> None:
        """The page is gone: nothing of the voice stays."""
        self.begin()
        self._ended = True

    def hear(
        self, samples: np.ndarray, rate: int, *, missing: float | None = None, complete: float | None = None
    ) -> None:
        """Take a slice: (n,) or (n, channels), any type, at `rate` Hz; nothing after `end` or when the session is full.

        `missing`: s of sound known to be lost before it; None: found out by the clock. `complete`: s on the sender's
        clock when it was complete; None: now.
        """
        with self._lock:
            if self._ended or self.full:
                return
            mono = to_mono(samples)
            if missing is None:
                self._arrived(mono, rate, self._behind(len(mono) / rate, complete))
                return
            if missing > 0:
                self._lose(missing)
            self._counted += len(mono) / rate
            self._take(self._resampled(mono, rate))

    def look(self, recognizer: Recognizer, *, overflows: int = 0) -> Moment:
        """Close the segments that are full, judge the last 5 s, and say what to show."""
        with self._lock:
            self.used = time.monotonic()
            if self._ended:
                return self.moment
            self._close_full(recognizer)
            oldest = self._total - len(self._ring)
            first = max(self._total - SEGMENT_SAMPLES, oldest)
            recent = Audio(self._ring[first - oldest :])
            if not len(recent):
                return self.moment
            current, image = recognizer.latest(recent, at=first / SAMPLE_RATE)
            self.moment = Moment(
                current=current,
                closed=tuple(self._closed),
                open=Segment(max(self._next, oldest) / SAMPLE_RATE, self._total / SAMPLE_RATE),
                gaps=tuple(self._gaps),
                image=image,
                level=level_dbfs(recent.samples[-SAMPLE_RATE:]),
                at=self._total / SAMPLE_RATE,
                lost=self._lost / SAMPLE_RATE,
                overflows=overflows,
                kept_until=self._kept_until,
                full=self.full,
                listening=True,
            )
            return self.moment

    def recent(self) -> Audio | None:
        """The last 5 s that were heard, 16 kHz; None before the first and after the microphone was stopped."""
        with self._lock:
            return Audio(self._ring[-SEGMENT_SAMPLES:]) if self.moment.listening and len(self._ring) else None

    def end(self, recognizer: Recognizer) -> Moment:
        """No more sound: a rest of 2.5 s, or all there is of a first segment, is closed too. The answers stay."""
        with self._lock:
            self.used = time.monotonic()
            if self._ended:
                return self.moment
            self._ended = True
            self._let_in(self._waiting.gap)
            self._close_full(recognizer)
            rest = self._ring[len(self._ring) - (self._total - self._next) :]
            if len(rest) >= MIN_REST_SAMPLES or (len(rest) and not self._closed):
                self._close(recognizer, rest)
            if self.kept is not None:
                self.kept.close()
            at = self._total / SAMPLE_RATE
            times = {"at": at, "lost": self._lost / SAMPLE_RATE, "gaps": tuple(self._gaps), "open": Segment(at, at)}
            still = {"listening": False, "opening": False, "full": self.full, "kept_until": self._kept_until}
            self.moment = replace(self.moment, closed=tuple(self._closed), **still, **times)
            return self.moment

    @property
    def _kept_until(self) -> float | None:
        return self.kept.seconds if self.kept is not None and self.kept.broken else None

    def _arrived(self, mono: np.ndarray, rate: int, gap: float) -> None:
        """A slice, before which `gap` seconds seem to be missing: the clock's word alone, until the next slice."""
        seconds, before = len(mono) / rate, self._waiting.gap
        self._counted += seconds
        if gap <= GAP_SECONDS:  # all is there, it was only late
            self._let_in(0.0)
            self._take(self._resampled(mono, rate))
            return
        held = bool(self._waiting.slices)
        self._waiting.slices.append((mono, rate))
        self._waiting.gap = min(gap, before) if held else gap
        if held and gap > before - seconds / 2:  # the clock stays ahead
            self._let_in(self._waiting.gap)

    def _let_in(self, gap: float) -> None:
        """Take what waited, behind a hole of `gap` seconds."""
        if not self._waiting.slices:
            return
        if gap > 0:
            self._lose(gap)
        for mono, rate in self._waiting.slices:
            self._take(self._resampled(mono, rate))
        self._waiting = Waiting()

    def _behind(self, seconds: float, complete: float | None) -> float:
        """Seconds that seem to be missing before a slice of `seconds`."""
        now = self._now() if complete is None else complete
        if self._began is None:
            self._began = now - seconds
        delay = now - self._began - self._counted - seconds
        self._usual = min(delay, self._usual + DRIFT * seconds)
        return delay - self._usual

    def _lose(self, seconds: float) -> None:
        """A hole: the ring begins anew behind it, so that nothing judged reaches across."""
        count = round(seconds * SAMPLE_RATE)
        self._counted += seconds
        oldest = self._total - len(self._ring)
        first = max(self._next, oldest)
        self._broken.append((first, self._ring[first - oldest :]))
        self._note_gap(self._total, self._total + count)
        self._total += count
        self._next, self._ring = self._total, np.zeros(0, np.float32)
        self._resampler, self._rate = None, 0
        if self.kept is not None:
            self.kept.skip(count)

    def _note_gap(self, first: int, last: int) -> None:
        self._lost += last - first
        self._gaps.append(Segment(first / SAMPLE_RATE, last / SAMPLE_RATE))

    def _take(self, arrived: np.ndarray) -> None:
        if self.kept is not None:
            self.kept.write(arrived)
        self._total += len(arrived)
        self._ring = np.concatenate([self._ring, arrived])[-RING_SAMPLES:]

    def _resampled(self, mono: np.ndarray, rate: int) -> np.ndarray:
        if rate == SAMPLE_RATE:
            return mono
        import soxr

        if rate != self._rate:
            self._resampler, self._rate = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32"), rate
        return np.clip(self._resampler.resample_chunk(mono), -1.0, 1.0)

    def _close_full(self, recognizer: Recognizer) -> None:
        """Segments of 5 s, and of what lies before a hole where that is 2.5 s or more."""
        after = self._next
        while self._broken:
            self._next, piece = self._broken.popleft()
            for first in range(0, len(piece), SEGMENT_SAMPLES):
                part = piece[first : first + SEGMENT_SAMPLES]
                if len(part) >= MIN_REST_SAMPLES:
                    self._close(recognizer, part)
        self._next = after
        oldest = self._total - len(self._ring)
        if self._next < oldest:  # fell out of the ring before it was judged
            self._note_gap(self._next, oldest)
            self._next = oldest
        while self._next + SEGMENT_SAMPLES <= self._total:
            first = self._next - oldest
            self._close(recognizer, self._ring[first : first + SEGMENT_SAMPLES])

    def _close(self, recognizer: Recognizer, samples: np.ndarray) -> None:
        """Judge what begins at `_next`."""
        self._closed.append(recognizer.judge(Audio(samples), at=self._next / SAMPLE_RATE))
        self._next += len(samples)
