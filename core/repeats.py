"""Repeats: the same sound given twice, as a looped player or a file chosen two times gives it; it counts once."""

from __future__ import annotations

import numpy as np

from core.audio import SAMPLE_RATE, Audio

RATE = 4_000  # Hz: compared on a copy of the sound that keeps the voice's strong part
PIECE_SECONDS = 2.5  # s compared at once
NEAR_SECONDS = 0.5  # s: closer than this, speech resembles itself by its pitch
ALIKE = 0.6  # correlation from which two pieces are one sound; two utterances of one voice stay below 0.45


def without_repeats(speech: Audio) -> tuple[Audio, float]:
    """`speech` without the pieces that were heard before, and how many seconds of it those are.

    Loudness does not matter, nor does another encoding of the same recording.
    """
    size, whole = round(PIECE_SECONDS * SAMPLE_RATE), len(speech) - len(speech) % (SAMPLE_RATE // RATE)
    heard = repeated(Audio(speech.samples[:whole]))
    if not heard.any():
        return speech, 0.0
    kept = ~np.repeat(heard, size)[: len(speech)]
    kept = np.pad(kept, (0, len(speech) - len(kept)), constant_values=True)  # the rest, too short to be compared
    return Audio(speech.samples[kept]), float((~kept).sum()) / SAMPLE_RATE


def repeated(speech: Audio) -> np.ndarray:
    """Which whole pieces of 2.5 s were heard before: bool (n,)."""
    import soxr

    low = soxr.resample(speech.samples, SAMPLE_RATE, RATE).astype(np.float64)
    size, near = round(PIECE_SECONDS * RATE), round(NEAR_SECONDS * RATE)
    count = len(low) // size
    length = 1 << int(np.ceil(np.log2(max(len(low) + size, 2))))
    spectrum = np.fft.rfft(low, length)
    energy = np.concatenate([[0.0], np.cumsum(low * low)])
    local = np.sqrt(np.maximum(energy[size:] - energy[:-size], 1e-9))  # of the `size` samples from each on
    found = np.zeros(count, bool)
    for index in range(count):
        start = index * size
        before = start - near  # the last place where an earlier copy may begin
        if before <= 0:
            continue
        piece = np.fft.rfft(low[start : start + size], length)
        matches = np.fft.irfft(spectrum * piece.conj(), length)[:before]
        found[index] = np.max(matches / local[:before]) > ALIKE * local[start]
    return found
