"""Other places and microphones, simulated: what a person enrolled may sound like tomorrow.

Enrolment teaches the heads each overlapping window as it would sound in these (`core.enrolment.learn`), so that the
answer survives another microphone; what it brings is in the model card, "Which head".
"""

from __future__ import annotations

from functools import cache

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES
from core.segments import fit, normalise

TAIL = SAMPLE_RATE  # samples of reverberation at most
ROOMS = ("telephone", "hall", "street")
_LENGTH = SEGMENT_SAMPLES + TAIL


def in_room(samples: np.ndarray, room: str) -> np.ndarray:
    """A prepared segment, float32 (SEGMENT_SAMPLES,), as it sounds in one of `ROOMS`; the same again every time."""
    response, noise = _simulated(room)
    heard = np.fft.irfft(np.fft.rfft(samples, _LENGTH) * response, _LENGTH)[:SEGMENT_SAMPLES]
    heard += noise * np.sqrt(np.mean(heard**2))
    return normalise(fit(heard.astype(np.float32)))


@cache
def _simulated(room: str) -> tuple[np.ndarray, np.ndarray]:
    """Frequency response, complex (_LENGTH // 2 + 1,), and noise relative to the voice, (SEGMENT_SAMPLES,)."""
    chance = np.random.default_rng(ROOMS.index(room))
    hz = np.fft.rfftfreq(_LENGTH, 1.0 / SAMPLE_RATE)
    if room == "telephone":
        return _band(hz, 250.0, 3600.0), _noise(chance, slope=0.0, snr=25.0)
    if room == "hall":
        return np.fft.rfft(_reverberation(chance, t60=0.6, ratio=0.0), _LENGTH), _noise(chance, slope=0.5, snr=25.0)
    return _band(hz, 80.0, 6000.0), _noise(chance, slope=0.5, snr=10.0)


def _band(hz: np.ndarray, low: float, high: float) -> np.ndarray:
    """Gains of a band-pass, fourth order on both sides (24 dB an octave)."""
    return 1.0 / np.sqrt(1.0 + (low / np.maximum(hz, 1.0)) ** 8) / np.sqrt(1.0 + (hz / high) ** 8)


def _reverberation(chance: np.random.Generator, *, t60: float, ratio: float) -> np.ndarray:
    """Impulse response: direct sound, and a tail of noise that decays by 60 dB in `t60` s (Polack 1988), as strong as
    `ratio` dB below the direct sound; (TAIL,)."""
    tail = chance.standard_normal(TAIL) * 10.0 ** (-3.0 * np.arange(TAIL) / SAMPLE_RATE / t60)
    tail[: round(0.003 * SAMPLE_RATE)] = 0.0
    tail *= 10.0 ** (-ratio / 20.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _noise(chance: np.random.Generator, *, slope: float, snr: float) -> np.ndarray:
    """Gaussian noise `snr` dB below a voice of power 1, its amplitude falling with frequency ** -`slope`."""
    spectrum = np.fft.rfft(chance.standard_normal(SEGMENT_SAMPLES))
    spectrum *= np.maximum(np.fft.rfftfreq(SEGMENT_SAMPLES, 1.0 / SAMPLE_RATE), 50.0) ** -slope
    noise = np.fft.irfft(spectrum, SEGMENT_SAMPLES)
    return noise / np.sqrt(np.mean(noise**2)) * 10.0 ** (-snr / 20.0)
