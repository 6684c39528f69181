"""A first listen to a reader: how noisy, how wide, how high. Estimates, and called so wherever they appear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.activity import speech_activity
from core.audio import SAMPLE_RATE, Audio
from core.segments import quality
from core.spectral import HOP, N_FFT, pitch_track
from core.spectrogram import power_frames

BLOCK_SECONDS = 10.0  # s judged at a time
HIGH_VOICE_HZ = 165.0  # Hz: between the usual pitch of men's and of women's speech
BELOW_PEAK_DB = 55.0  # dB: how far below its loudest band a voice still counts as there
VOICED = 0.6  # voicing from which a frame's pitch counts


@dataclass(frozen=True)
class Probe:
    """`snr`: dB, speech over the quietest tenth, median over blocks (60 at most). `bandwidth`: Hz, highest frequency at
    which there is speech (8,000 at most). `pitch`: Hz, median. `speech`: share of the time."""

    snr: float
    bandwidth: float
    pitch: float
    speech: float

    @property
    def voice(self) -> str:
        """ "high" or "low" by pitch alone: an estimate that helps to balance, and says nothing about a person."""
        return "high" if self.pitch >= HIGH_VOICE_HZ else "low"


def listen(blocks: Iterable[Audio]) -> Probe:
    """Judge 16 kHz blocks of a reader."""
    noise, pitches, spectrum = [], [], np.zeros(N_FFT // 2 + 1)
    spoken = heard = 0
    size = round(BLOCK_SECONDS * SAMPLE_RATE)
    for block in blocks:
        for first in range(0, len(block), size):
            part = Audio(block.samples[first : first + size])
            activity = speech_activity(part)
            heard, spoken = heard + len(activity), spoken + int(activity.sum())
            if activity.sum() < 200 or len(part) < N_FFT:
                continue
            noise.append(quality(part, activity).snr)
            power = power_frames(part.samples, length=N_FFT, n_fft=N_FFT, hop=HOP)
            spectrum += power.mean(axis=0)
            pitch, voicing = pitch_track(power)
            pitches.append(pitch[voicing > VOICED])
    if not noise:
        return Probe(0.0, 0.0, 0.0, spoken / max(1, heard))
    return Probe(
        snr=round(float(np.median(noise)), 1),
        bandwidth=round(_bandwidth(spectrum)),
        pitch=round(float(np.median(np.concatenate(pitches))) if any(map(len, pitches)) else 0.0, 1),
        speech=round(spoken / heard, 3),
    )


def _bandwidth(spectrum: np.ndarray) -> float:
    """The highest frequency within `BELOW_PEAK_DB` of the loudest, on a spectrum smoothed over 9 bins (140 Hz)."""
    smooth = 10.0 * np.log10(np.maximum(np.convolve(spectrum, np.full(9, 1 / 9), mode="same"), 1e-12))
    return float(np.flatnonzero(smooth >= smooth.max() - BELOW_PEAK_DB)[-1]) * SAMPLE_RATE / N_FFT
