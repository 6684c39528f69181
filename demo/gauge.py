"""How much good speech there is so far, followed while somebody speaks: what is finished is judged once."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio
from core.enrolment import MAX_ENROL_SECONDS
from core.segments import CONDENSE_BLOCK_SECONDS, Quality, condense, quality

BLOCK = round(CONDENSE_BLOCK_SECONDS * SAMPLE_RATE)  # samples in which speech is found, as an enrolment does
MAX_SAMPLES = round(MAX_ENROL_SECONDS * SAMPLE_RATE)


class Gauge:
    """Counts as an enrolment counts: pauses cut, segments of 5 s, two minutes at most, segments that are too bad left
    out. Safe to share between threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = np.zeros(0, np.float32)  # sound that is no whole block yet
        self._speech = np.zeros(0, np.float32)
        self._judged: list[Quality] = []

    def hear(self, sound: Audio) -> None:
        """Take more sound, 16 kHz."""
        with self._lock:
            self._waiting = np.concatenate([self._waiting, sound.samples])
            while len(self._waiting) >= BLOCK:
                block, self._waiting = self._waiting[:BLOCK], self._waiting[BLOCK:]
                self._finish(block)

    def end_of_part(self) -> None:
        """What comes next is another recording."""
        with self._lock:
            block, self._waiting = self._waiting, np.zeros(0, np.float32)
            self._finish(block)

    @property
    def full(self) -> bool:
        """Are there two minutes of speech, so that more brings nothing?"""
        return len(self._speech) >= MAX_SAMPLES

    def so_far(self) -> tuple[float, list[Quality]]:
        """Seconds of good speech, and the quality of each whole segment; those with too little speech are left out."""
        with self._lock:
            speech, judged = self._speech, list(self._judged)
            if len(self._waiting) and not self.full:
                speech = _longer(speech, self._waiting)
            judged += _qualities(speech, len(judged))
        found = [one for one in judged if one.enough]
        good = sum(not one.poor for one in found)
        left = len(speech) - SEGMENT_SAMPLES * len(judged)
        return (left + SEGMENT_SAMPLES * good) / SAMPLE_RATE, found

    def _finish(self, block: np.ndarray) -> None:
        if len(block) and not self.full:
            self._speech = _longer(self._speech, block)
            self._judged += _qualities(self._speech, len(self._judged))


def _longer(speech: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """`speech` and the speech in `sound` behind it, two minutes at most."""
    return np.concatenate([speech, condense(Audio(sound))[0].samples])[:MAX_SAMPLES]


def _qualities(speech: np.ndarray, first: int) -> list[Quality]:
    """Of the whole segments from number `first` on."""
    count = len(speech) // SEGMENT_SAMPLES
    return [
        quality(Audio(speech[number * SEGMENT_SAMPLES : (number + 1) * SEGMENT_SAMPLES]))
        for number in range(first, count)
    ]


def speech_in(blocks: Iterable[Audio]) -> tuple[float, list[Quality]]:
    """All of `blocks` at once, each a recording of its own: see `Gauge.so_far`."""
    gauge = Gauge()
    for block in blocks:
        gauge.hear(block)
        gauge.end_of_part()
        if gauge.full:
            break
    return gauge.so_far()
