"""Speech activity: which 10 ms of the sound are speech. Level finds what is loud enough, voicing what is a voice."""

from __future__ import annotations

from functools import cache

import numpy as np

from core.audio import SAMPLE_RATE, Audio

ACTIVITY_HOP = 160  # samples between speech-activity values (10 ms)
FLOOR_DBFS = -60.0  # dBFS: quieter than this is silence, whatever it is
ACTIVITY_RANGE_DB = 32.0  # dB: how far below the loud frames speech may fall
ACTIVITY_ABOVE_FLOOR_DB = 6.0  # dB: how far above the noise floor speech must rise
VOICING_RATE = 4_000  # Hz: voicing is judged on a decimated copy
LOW_PASS_REACH = 32  # samples at 16 kHz on each side of one at VOICING_RATE
LOW_PASS_BLOCK = 16  # samples at VOICING_RATE that are made at once
VOICING_FRAME = 200  # samples at VOICING_RATE (50 ms: three periods of 60 Hz)
VOICING_HOP = 40  # samples at VOICING_RATE (10 ms)
VOICING_MIN = 0.5  # normalised autocorrelation peak from which a frame counts as voiced
PITCH_RANGE_HZ = (60.0, 400.0)  # Hz: lag range of the autocorrelation
VOICED_REACH = 20  # frames (200 ms): consonants within this of a voiced frame are speech too
PAUSE_KEEP = 16  # frames (160 ms) kept on each side of speech when pauses are cut, as in the training corpora

assert ACTIVITY_HOP / SAMPLE_RATE == VOICING_HOP / VOICING_RATE


def frame_levels(samples: np.ndarray) -> np.ndarray:
    """Level of each 10 ms in dBFS, shape (len(samples) // ACTIVITY_HOP,)."""
    count = len(samples) // ACTIVITY_HOP
    frames = samples[: count * ACTIVITY_HOP].reshape(count, ACTIVITY_HOP)
    return 10.0 * np.log10(np.maximum(np.einsum("ij,ij->i", frames, frames) / ACTIVITY_HOP, 1e-12))


def voicing(samples: np.ndarray) -> np.ndarray:
    """How periodic each 10 ms is in the pitch range: peak of the normalised autocorrelation, in [0, 1].

    `samples`: float32 at 16 kHz. Shape (len(samples) // ACTIVITY_HOP,). Autocorrelation by FFT, normalised by the
    window's own (Boersma 1993, "Accurate short-term analysis of the fundamental frequency").
    """
    count = len(samples) // ACTIVITY_HOP
    if count == 0:
        return np.zeros(0, np.float32)
    low = _decimated(samples)
    half = VOICING_FRAME // 2
    padded = np.pad(low, (half, half + VOICING_FRAME))
    frames = np.lib.stride_tricks.sliding_window_view(padded, VOICING_FRAME)[::VOICING_HOP][:count]
    window = np.hanning(VOICING_FRAME).astype(np.float32)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    first, last = (round(VOICING_RATE / hz) for hz in reversed(PITCH_RANGE_HZ))
    correlation = _autocorrelation(frames, last) / _autocorrelation(window[None], last)
    energy = np.maximum(correlation[:, :1], 1e-10)
    return np.clip((correlation[:, first:] / energy).max(axis=1), 0.0, 1.0)


def _decimated(samples: np.ndarray) -> np.ndarray:
    """16 kHz -> 4 kHz through a short windowed-sinc low-pass at 1.2 kHz: overlapping blocks, one matrix product."""
    step = SAMPLE_RATE // VOICING_RATE
    low_pass = _low_pass()
    length, made = low_pass.shape
    count = -(-len(samples) // step)
    blocks = -(-count // made)
    around = np.pad(samples, (LOW_PASS_REACH, step * made * blocks + LOW_PASS_REACH - len(samples)))
    windows = np.lib.stride_tricks.sliding_window_view(around, length)[:: step * made]
    return (np.ascontiguousarray(windows) @ low_pass).ravel()[:count]


@cache
def _low_pass() -> np.ndarray:
    """Samples of a block -> `LOW_PASS_BLOCK` samples at `VOICING_RATE`: float32 (samples, LOW_PASS_BLOCK)."""
    step = SAMPLE_RATE // VOICING_RATE
    taps = np.arange(-LOW_PASS_REACH, LOW_PASS_REACH + 1)
    kernel = np.sinc(taps * 2 * 1200 / SAMPLE_RATE) * np.hamming(len(taps))
    matrix = np.zeros((step * LOW_PASS_BLOCK + 2 * LOW_PASS_REACH, LOW_PASS_BLOCK), np.float32)
    for column in range(LOW_PASS_BLOCK):
        matrix[step * column : step * column + len(taps), column] = kernel / kernel.sum()
    return matrix


def _autocorrelation(frames: np.ndarray, last: int) -> np.ndarray:
    """(n, VOICING_FRAME) -> (n, last + 1): lags 0 to `last`."""
    from scipy import fft  # 4 to 8 times as fast as NumPy's on rows of float32

    size = fft.next_fast_len(VOICING_FRAME + last, real=True)  # as far as those lags nothing wraps around
    spectrum = fft.rfft(frames, size, axis=1)
    return fft.irfft(spectrum.real**2 + spectrum.imag**2, size, axis=1)[:, : last + 1]


def speech_activity(audio: Audio) -> np.ndarray:
    """Which 10 ms frames are speech: bool, shape (len(audio) // ACTIVITY_HOP,).

    A frame is speech when its level is within `ACTIVITY_RANGE_DB` of the loud frames, rises above the noise floor
    and lies within 200 ms of a voiced frame. Gain does not matter above `FLOOR_DBFS`. Steady noise has no voiced
    frames and so no speech; music may pass here and is left to the heads (`Unknown`).
    """
    levels = _smooth(frame_levels(audio.samples))
    if len(levels) == 0:
        return np.zeros(0, bool)
    loud, floor = np.percentile(levels, 95), np.percentile(levels, 5)
    threshold = max(loud - ACTIVITY_RANGE_DB, FLOOR_DBFS)
    if loud - floor > 2 * ACTIVITY_ABOVE_FLOOR_DB:
        threshold = max(threshold, floor + ACTIVITY_ABOVE_FLOOR_DB)
    active = levels > threshold
    if not active.any():
        return active
    voiced = active & (voicing(audio.samples) > VOICING_MIN)
    voiced = _eroded(voiced, 3)  # a voiced sound lasts at least 30 ms
    return active & dilated(voiced, VOICED_REACH)


def _smooth(levels: np.ndarray) -> np.ndarray:
    return np.convolve(np.pad(levels, 2, mode="edge"), np.full(5, 0.2), mode="valid") if len(levels) else levels


def dilated(mask: np.ndarray, reach: int) -> np.ndarray:
    """True within `reach` values of a True one."""
    total = np.cumsum(np.pad(mask.astype(np.int32), (reach + 1, reach)))
    return total[2 * reach + 1 :] > total[: -2 * reach - 1] if len(mask) else mask


def _eroded(mask: np.ndarray, run: int) -> np.ndarray:
    """Only the runs of at least `run` True values."""
    edges = np.flatnonzero(np.diff(np.pad(mask.astype(np.int8), 1)))
    kept = np.zeros_like(mask)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= run:
            kept[start:end] = True
    return kept
