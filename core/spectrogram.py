"""The spectrogram image: 80 mel bands x 500 frames, 8-bit grey. One definition for dataset, training and app.

Power spectrogram (25 ms Hann window, 10 ms hop), 80 triangular mel filters from 20 to 7600 Hz (Slaney 1998,
"Auditory Toolbox", as in librosa), decibels, 8 bit. Row 0 of the array is the lowest band; the PNG is flipped so that
low frequencies lie at the bottom.
"""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES

N_FFT = 512  # samples in one FFT
WINDOW = 400  # samples (25 ms)
HOP = 160  # samples (10 ms)
BANDS = 80  # mel bands
FRAMES = 500  # frames in one segment
FMIN, FMAX = 20.0, 7_600.0  # Hz
DB_MIN, DB_MAX = -70.0, 30.0  # dB: range of the 8-bit values; speech at -20 dBFS peaks near +15
DB_STEP = (DB_MAX - DB_MIN) / 255.0  # dB per grey level
_EDGE = (FRAMES - 1) * HOP + N_FFT - SEGMENT_SAMPLES  # samples of padding for exactly FRAMES frames

assert _EDGE >= 0 and SEGMENT_SAMPLES == FRAMES * HOP


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    mel = np.asarray(mel, dtype=np.float64)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0)))


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Inverse of `mel_to_hz`."""
    hz = np.asarray(hz, dtype=np.float64)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + 27.0 / np.log(6.4) * np.log(np.maximum(hz, 1.0) / 1000.0))


def band_edges(bands: int = BANDS, fmin: float = FMIN, fmax: float = FMAX) -> np.ndarray:
    """Where triangular mel filters begin, have their middles and end, in Hz, (bands + 2,); the middle of band i is at
    i + 1."""
    return mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), bands + 2))


@cache
def mel_filters(n_fft: int = N_FFT, bands: int = BANDS, fmin: float = FMIN, fmax: float = FMAX) -> np.ndarray:
    """Area-normalised triangular filters, float32 (bands, n_fft // 2 + 1)."""
    edges = band_edges(bands, fmin, fmax)
    bins = np.fft.rfftfreq(n_fft, 1.0 / SAMPLE_RATE)
    ramps = edges[:, None] - bins[None]
    width = np.diff(edges)[:, None]
    triangles = np.maximum(0.0, np.minimum(-ramps[:-2] / width[:-1], ramps[2:] / width[1:]))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@cache
def window(length: int, n_fft: int) -> np.ndarray:
    """Periodic Hann window of `length`, centred in `n_fft` samples; float32 (n_fft,)."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    left = (n_fft - length) // 2
    return np.pad(hann, (left, n_fft - length - left)).astype(np.float32)


def power_frames(samples: np.ndarray, *, length: int, n_fft: int, hop: int) -> np.ndarray:
    """|STFT|^2 without centring: float32 (frames, n_fft // 2 + 1)."""
    from scipy import fft  # 4 to 8 times as fast as NumPy's on rows of float32

    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[::hop]
    spectrum = fft.rfft(frames * window(length, n_fft), axis=1)
    return spectrum.real**2 + spectrum.imag**2


def mel_power(samples: np.ndarray) -> np.ndarray:
    """Mel power spectrogram of one prepared segment: float32 (BANDS, FRAMES)."""
    if len(samples) != SEGMENT_SAMPLES:
        raise ValueError(f"expected {SEGMENT_SAMPLES} samples, got {len(samples)}; see core.segments.prepare")
    padded = np.pad(samples, (_EDGE // 2, _EDGE - _EDGE // 2), mode="reflect")
    return mel_filters() @ power_frames(padded, length=WINDOW, n_fft=N_FFT, hop=HOP).T


def to_grey(power: np.ndarray) -> np.ndarray:
    """Power -> 8-bit grey: uint8, `DB_STEP` dB a level."""
    decibels = 10.0 * np.log10(np.maximum(power, 1e-10))
    return np.clip(np.rint((decibels - DB_MIN) / DB_STEP), 0, 255).astype(np.uint8)


def to_decibels(grey: np.ndarray) -> np.ndarray:
    """8-bit grey -> dB, float32."""
    return grey.astype(np.float32) * np.float32(DB_STEP) + np.float32(DB_MIN)


def spectrogram_image(samples: np.ndarray) -> np.ndarray:
    """The image of one prepared segment: uint8 (BANDS, FRAMES), row 0 = lowest band.

    `samples`: float32 (SEGMENT_SAMPLES,) from `core.segments.prepare`.
    """
    return to_grey(mel_power(samples))


def write_png(image: np.ndarray, target: str | os.PathLike | io.BytesIO) -> None:
    """Write as 8-bit grey PNG, low frequencies at the bottom."""
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(image[::-1])).save(target, format="PNG", compress_level=3)


def read_png(source: str | os.PathLike | io.BytesIO) -> np.ndarray:
    """Read what `write_png` wrote: uint8 (BANDS, FRAMES)."""
    from PIL import Image

    with Image.open(source) as picture:
        image = np.asarray(picture.convert("L"))
    if image.shape != (BANDS, FRAMES):
        name = Path(source).name if isinstance(source, str | os.PathLike) else "the picture"
        raise ValueError(f"{name} is {image.shape[1]} x {image.shape[0]} pixels, expected {FRAMES} x {BANDS}")
    return np.ascontiguousarray(image[::-1])
