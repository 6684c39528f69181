"""What a microphone, a room and other voices do to a voice (training only).

`SpectrogramAugmenter` works on crops of images, in the power domain, for the CNN; `WaveformAugmenter` on samples, for
the ANN's feature rows. Both know the same troubles: noise and babble, reverberation, an equaliser, band limits,
gain; spectrograms alone SpecAugment masks (Park et al. 2019, arXiv:1904.08779), samples alone what is too loud.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES
from core.segments import fit, normalise
from core.spectrogram import BANDS, DB_MIN, DB_STEP, FMAX, FMIN, HOP, hz_to_mel, to_grey

_POWER_OF_GREY = (10.0 ** ((np.arange(256) * DB_STEP + DB_MIN) / 10.0)).astype(np.float32)


@dataclass(frozen=True)
class Chances:
    """How often each trouble comes, 0 to 1."""

    noise: float = 0.6
    reverberation: float = 0.3
    equaliser: float = 0.5
    band_limit: float = 0.3
    floor: float = 0.3
    masks: float = 0.5
    overdrive: float = 0.0


SAMPLES = Chances(reverberation=0.35, overdrive=0.12)  # of the waveforms that the ANN's feature rows are of
BABBLE = 4  # talkers at once


class SpectrogramAugmenter:
    """Augments a batch of crops: uint8 (B, BANDS, T) -> uint8 (B, BANDS, T).

    `noise`: images to mix in, uint8 (N, BANDS, FRAMES). Babble is made of the batch's own other voices.
    """

    def __init__(self, noise: np.ndarray, chances: Chances | None = None):
        self.noise = noise
        self.chances = chances or Chances()

    def __call__(self, crops: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        power = _POWER_OF_GREY[crops]
        clean = power.copy()
        for index in range(len(crops)):
            power[index] = self._one(power[index], clean, index, chance)
        grey = to_grey(power)
        for image in grey:
            if chance.random() < self.chances.masks:
                _mask(image, chance)
        return grey

    def _one(self, power: np.ndarray, batch: np.ndarray, index: int, chance: np.random.Generator) -> np.ndarray:
        chances = self.chances
        if chance.random() < chances.reverberation:
            power = reverberate(power, t60=chance.uniform(0.1, 1.0), wet=chance.uniform(0.1, 0.95))
        if chance.random() < chances.noise:
            other = self._trouble(batch, index, chance)
            snr = chance.uniform(0.0, 20.0)
            power = power + other * (power.mean() / max(float(other.mean()), 1e-10) * 10.0 ** (-snr / 10.0))
        if chance.random() < chances.equaliser:
            power = power * equaliser(chance)[:, None]
        if chance.random() < chances.band_limit:
            power = power * band_limit(chance)[:, None]
        if chance.random() < chances.floor:  # the microphone's own noise
            power = power + power.mean() * 10.0 ** (-chance.uniform(15.0, 45.0) / 10.0) * chance.exponential(
                1.0, power.shape
            )
        return power * 10.0 ** (chance.uniform(-10.0, 10.0) / 10.0)

    def _trouble(self, batch: np.ndarray, index: int, chance: np.random.Generator) -> np.ndarray:
        frames = batch.shape[2]
        kind = chance.random()
        if kind < 0.45 and len(self.noise):
            image = self.noise[chance.integers(len(self.noise))]
            start = chance.integers(image.shape[1] - frames + 1)
            return _POWER_OF_GREY[image[:, start : start + frames]]
        if kind < 0.8 and len(batch) > 1:
            others = (index + chance.integers(1, len(batch), chance.integers(2, 6))) % len(batch)
            return batch[others].mean(axis=0)
        slope = 10.0 ** (np.linspace(0.0, chance.uniform(-30.0, 6.0), BANDS, dtype=np.float32) / 10.0)
        return slope[:, None] * chance.exponential(1.0, (BANDS, frames)).astype(np.float32)


def reverberate(power: np.ndarray, *, t60: float, wet: float) -> np.ndarray:
    """Add an exponentially decaying tail of `t60` seconds (60 dB) to power frames (BANDS, T)."""
    from scipy.signal import lfilter

    decay = 10.0 ** (-6.0 * HOP / SAMPLE_RATE / t60)
    tail = lfilter([1.0 - decay], [1.0, -decay], power, axis=1).astype(np.float32)
    return (1.0 - wet) * power + wet * tail


def equaliser(chance: np.random.Generator) -> np.ndarray:
    """A random smooth gain curve, power factors (BANDS,): 6 dB standard deviation at 6 nodes."""
    nodes = chance.normal(0.0, 6.0, 6)
    curve = np.interp(np.linspace(0, 5, BANDS), np.arange(6), nodes)
    return (10.0 ** (curve / 10.0)).astype(np.float32)


def band_limit(chance: np.random.Generator) -> np.ndarray:
    """Telephone, small loudspeaker, low-rate codec: power factors (BANDS,), 24-60 dB down outside the band."""
    centres = np.linspace(hz_to_mel(FMIN), hz_to_mel(FMAX), BANDS)
    low = hz_to_mel(chance.choice([0.0, 100.0, 150.0, 200.0, 300.0]))
    high = hz_to_mel(chance.choice([3400.0, 4000.0, 5500.0, 6500.0, 8000.0]) * chance.uniform(0.95, 1.05))
    steep = chance.uniform(6.0, 30.0)  # dB per mel
    down = np.maximum(np.maximum(low - centres, centres - high), 0.0) * steep
    return (10.0 ** (-np.minimum(down, chance.uniform(24.0, 60.0)) / 10.0)).astype(np.float32)


def _mask(image: np.ndarray, chance: np.random.Generator) -> None:
    """SpecAugment in place: one band of frequencies and one stretch of time at the image's mean."""
    mean = image.mean()
    height, width = chance.integers(0, 11), chance.integers(0, image.shape[1] // 6 + 1)
    low, start = chance.integers(0, BANDS - height), chance.integers(0, image.shape[1] - width)
    image[low : low + height] = mean
    image[:, start : start + width] = mean


class WaveformAugmenter:
    """Augments samples of a prepared segment: float32 (SEGMENT_SAMPLES,) -> the same shape, at the set level.

    `noise`, `talkers`: float32 arrays of SEGMENT_SAMPLES; babble is `BABBLE` of the talkers at once, who are to be
    other voices than the one augmented (`core.dataset.babble`). `rooms`: folder of measured impulse responses, beside
    which there are simulated ones.
    """

    def __init__(
        self,
        noise: Sequence[np.ndarray],
        chances: Chances = SAMPLES,
        *,
        rooms: Path | None = None,
        talkers: Sequence[np.ndarray] = (),
    ):
        self.noise, self.chances, self.rooms, self.talkers = noise, chances, rooms, talkers

    def __call__(self, samples: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        out = samples
        if chance.random() < self.chances.reverberation:
            out = reverberant(out, chance, self.rooms)
        if chance.random() < self.chances.noise:
            other = self._trouble(chance)
            snr = chance.uniform(3.0, 25.0)
            scale = np.sqrt(np.mean(out**2) / max(float(np.mean(other**2)), 1e-10)) * 10.0 ** (-snr / 20.0)
            out = out + other * np.float32(scale)
        if chance.random() < self.chances.overdrive:
            out = overdriven(out, chance)
        out = self._filtered(out, chance)
        if chance.random() < self.chances.floor:
            level = np.sqrt(np.mean(out**2)) * 10.0 ** (-chance.uniform(15.0, 45.0) / 20.0)
            out = out + chance.standard_normal(len(out), dtype=np.float32) * np.float32(level)
        return normalise(fit(np.asarray(out, np.float32)))

    def _trouble(self, chance: np.random.Generator) -> np.ndarray:
        kind = chance.random()
        if kind < 0.5 and self.noise:
            return np.roll(self.noise[chance.integers(len(self.noise))], chance.integers(SEGMENT_SAMPLES))
        if kind < 0.75 and len(self.talkers):
            those = chance.integers(0, len(self.talkers), BABBLE)
            return sum(np.roll(self.talkers[one], chance.integers(SEGMENT_SAMPLES)) for one in those)
        shape = np.fft.rfftfreq(SEGMENT_SAMPLES, 1.0 / SAMPLE_RATE)[1:] ** -chance.uniform(0.0, 1.0)
        white = np.fft.rfft(chance.standard_normal(SEGMENT_SAMPLES, dtype=np.float32))
        return np.fft.irfft(white * np.concatenate([[0.0], shape / shape.max()]), SEGMENT_SAMPLES).astype(np.float32)

    def _filtered(self, samples: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        """Through an equaliser, a band limit, both or neither."""
        kinds = ((self.chances.equaliser, equaliser), (self.chances.band_limit, band_limit))
        gains = [kind(chance) for often, kind in kinds if chance.random() < often]
        if not gains:
            return samples
        hz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
        centres = np.linspace(hz_to_mel(FMIN), hz_to_mel(FMAX), BANDS)
        curve = np.interp(hz_to_mel(hz), centres, np.sqrt(np.prod(gains, axis=0))).astype(np.float32)
        return np.fft.irfft(np.fft.rfft(samples) * curve, len(samples))


@cache
def noise_in(folder: Path | None) -> tuple[np.ndarray, ...]:
    """The noise recordings of a folder in segments, float32 (SEGMENT_SAMPLES,) each; read once in a process."""
    from core.dataset.noise import noise_segments
    from core.dataset.recordings import audio_files

    return tuple(piece for path in audio_files(folder) for piece in noise_segments(path)) if folder else ()


def reverberant(samples: np.ndarray, chance: np.random.Generator, rooms: Path | None = None) -> np.ndarray:
    """`samples` as they sound in a room: one time in six a measured one of the folder `rooms`, else an invented one."""
    from scipy.signal import fftconvolve

    measured = measured_rooms(rooms) if rooms else ()
    if measured and chance.random() < 1 / 6:
        response = measured[chance.integers(len(measured))]
    else:
        response = room_response(chance)
    return fftconvolve(samples, response)[: len(samples)].astype(np.float32)


def overdriven(samples: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """`samples` through something they are too loud for: the loudest 0.5 to 15 % are cut off, half the time softly."""
    limit = np.float32(np.quantile(np.abs(samples), 1.0 - 10.0 ** chance.uniform(np.log10(0.005), np.log10(0.15))))
    soft = chance.random() < 0.5
    if limit <= 0.0:
        return samples
    return limit * np.tanh(samples / limit) if soft else np.clip(samples, -limit, limit)


def room_response(chance: np.random.Generator) -> np.ndarray:
    """Impulse response of an invented room at 16 kHz: direct sound, a few early echoes, an exponentially decaying tail
    of noise (Polack 1988) whose high frequencies decay faster. T60 0.15-1.0 s, direct to reverberant -12 to +6 dB.

    Another way of making rooms than the evaluation's channel `far` (image sources), so that this stays a test.
    """
    t60 = chance.uniform(0.15, 1.0)
    length = round(t60 * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    tail = np.zeros(length)
    noise = np.fft.rfft(chance.standard_normal(length))
    hz = np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE)
    shrink = chance.uniform(0.4, 1.0)  # T60 at 8 kHz over that at low frequencies
    for low, high, of in ((0, 500, 0.0), (500, 2000, 0.35), (2000, 8001, 1.0)):
        part = np.fft.irfft(np.where((hz >= low) & (hz < high), noise, 0.0), length)
        tail += part * 10.0 ** (-3.0 * time / (t60 * (1.0 - of * (1.0 - shrink))))
    tail[: round(chance.uniform(0.001, 0.012) * SAMPLE_RATE)] = 0.0
    echoes = chance.integers(3, 9)
    places = (chance.uniform(0.001, 0.05, echoes) * SAMPLE_RATE).astype(int)
    tail /= np.sqrt(np.sum(tail**2)) + 1e-9
    np.add.at(tail, places, chance.uniform(0.05, 0.3, echoes) * chance.choice([-1.0, 1.0], echoes))
    tail *= 10.0 ** (-chance.uniform(-12.0, 6.0) / 20.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)


@cache
def measured_rooms(folder: Path) -> tuple[np.ndarray, ...]:
    """The impulse responses of a folder: from their direct sound on, 1 s at most, energy 1; float32."""
    from core.audio import decode
    from core.dataset.recordings import audio_files

    found = []
    for path in audio_files(folder):
        response = decode(path).samples
        response = response[int(np.abs(response).argmax()) :][:SAMPLE_RATE]
        found.append(response / np.float32(np.sqrt(np.sum(response**2))))
    return tuple(found)
