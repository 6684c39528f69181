"""Channels: what happens to a voice between a mouth and a test, applied to test recordings only.

    clean     nothing
    mic       another microphone: Butterworth band-pass of order 4, 150-5500 Hz, then white noise at 20 dB SNR
    phone     300-3400 Hz, 8 kHz, mu-law (ITU-T G.711) of 8 bits
    opus12    Opus at 12 kbit/s and back
    mp3_64    MP3 at 44.1 kHz, 64 kbit/s, as audiobook archives have it, and back
    noise10   real noise at 10 dB SNR (pink noise where there is no folder of noise)
    babble10  four other voices together, at 10 dB SNR
    far       a simulated room of T60 0.6 s, 2-3.5 m away
    quiet     25 dB less, kept in 16 bits
    clipped   so loud that a twentieth of the samples is cut off at full scale

Every channel takes 16 kHz mono `Audio` of any length and returns the same length, in [-1, 1]; the same generator state
gives the same result. SNR is between the mean power of the whole sound and that of what is added.
Evaluations go through all of them, the app's exam (Compare) through one that is chosen.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, Audio, decode
from core.errors import AudioError, DatasetError

MIC_BAND_HZ = (150.0, 5500.0)
MIC_SNR_DB = 20.0
PHONE_BAND_HZ = (300.0, 3400.0)
PHONE_RATE = 8_000  # Hz
MU = 255.0  # of mu-law
FILTER_ORDER = 4
OPUS_BIT_RATE = 12_000  # bit/s
MP3_BIT_RATE = 64_000  # bit/s
MP3_RATE = 44_100  # Hz
NOISE_SNR_DB = 10.0
BABBLE_VOICES = 4
ROOM_T60 = 0.6  # s for the energy to fall by 60 dB
ROOM_METRES = ((5.0, 4.0, 2.6), (8.0, 6.0, 3.2))  # smallest and largest room: length, width, height
ROOM_DISTANCE_METRES = (2.0, 3.5)  # between mouth and microphone
SOUND_METRES_PER_SECOND = 343.0
QUIET_DB = -25.0
CLIPPED_SHARE = 0.05  # of the samples
SILENT_POWER = 1e-10  # a sound of less mean power is silence: it is no measure for an SNR


@dataclass(frozen=True)
class Surroundings:
    """What the noisy channels take their noise from.

    `noise`: audio files. `voices`: recordings of other people than the one who speaks, 16 kHz.
    """

    noise: tuple[Path, ...] = ()
    voices: Sequence[Audio] = ()


NOWHERE = Surroundings()


def apply(channel: str, audio: Audio, *, chance: np.random.Generator, around: Surroundings = NOWHERE) -> Audio:
    """`audio` (16 kHz) as it arrives through `channel`, one of `CHANNELS`.

    Raises `ValueError` for another rate or channel, `DatasetError` for babble without other voices, and `AudioError`
    for noise without any sound in its files.
    """
    if channel not in CHANNELS:
        raise ValueError(f"there is no channel {channel!r}: choose from {', '.join(CHANNELS)}")
    if audio.rate != SAMPLE_RATE:
        raise ValueError(f"channels work at {SAMPLE_RATE} Hz, got {audio.rate} Hz: resample first")
    if len(audio) == 0:
        return audio
    out = CHANNELS[channel](audio.samples, chance, around)
    return Audio(np.clip(_as_long_as(out, len(audio)), -1.0, 1.0))


def add_at(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """`samples` with `noise` (same shape) so loud that their mean powers differ by `snr_db`; silence stays as it is."""
    signal, other = _power(samples), _power(noise)
    if signal < SILENT_POWER or other <= 0.0:
        return samples
    return samples + noise * np.float32(np.sqrt(signal / other) * 10.0 ** (-snr_db / 20.0))


def mu_law(samples: np.ndarray) -> np.ndarray:
    """Through 8 bits of mu-law and back: float32 in [-1, 1]."""
    squeezed = np.sign(samples) * np.log1p(MU * np.abs(samples)) / np.log1p(MU)
    stepped = np.rint(squeezed * 127.0) / 127.0
    return (np.sign(stepped) * np.expm1(np.abs(stepped) * np.log1p(MU)) / MU).astype(np.float32)


def room_response(chance: np.random.Generator, *, t60: float = ROOM_T60) -> np.ndarray:
    """Impulse response of a random shoebox room: float32 (round(t60 * 16000),), energy 1, direct sound first.

    Image sources (Allen and Berkley 1979, J. Acoust. Soc. Am. 65, 943), walls by Eyring's formula; the decay, which in
    a shoebox is slower than the formula, is then set to `t60`.
    """
    from scipy.signal import sosfilt

    low, high = (np.array(size) for size in ROOM_METRES)
    room = chance.uniform(low, high)
    mouth, microphone = _places(room, chance)
    volume, walls = room.prod(), 2.0 * (room[0] * room[1] + room[0] * room[2] + room[1] * room[2])
    reflection = np.sqrt(np.exp(-0.161 * volume / (walls * t60)))
    length = round(t60 * SAMPLE_RATE)
    reach = SOUND_METRES_PER_SECOND * t60
    squared, bounces = np.zeros((1, 1, 1)), np.zeros((1, 1, 1))
    for axis in range(3):
        index = np.arange(-int(reach / (2 * room[axis])) - 1, int(reach / (2 * room[axis])) + 2)
        even = 2 * index * room[axis] + mouth[axis] - microphone[axis]
        odd = 2 * index * room[axis] - mouth[axis] - microphone[axis]
        shape = [1, 1, 1]
        shape[axis] = -1
        squared = squared + (np.concatenate([even, odd]) ** 2).reshape(shape)
        bounces = bounces + np.concatenate([np.abs(2 * index), np.abs(2 * index - 1)]).reshape(shape)
    distance = np.sqrt(squared)
    place = np.rint((distance - distance.min()) / SOUND_METRES_PER_SECOND * SAMPLE_RATE).astype(np.int64)
    inside = place < length
    gains = reflection ** bounces[inside] / distance[inside]
    response = np.bincount(place[inside], weights=gains, minlength=length)
    # Images all have one sign and add up to a rumble that no room has.
    response = sosfilt(_band((60.0, None)), response)
    for _ in range(3):  # the measure depends a little on the correction
        response *= 10.0 ** (-3.0 * np.arange(length) / SAMPLE_RATE * (1.0 / t60 - 1.0 / decay_seconds(response)))
    return (response / np.sqrt(np.sum(response**2))).astype(np.float32)


def decay_seconds(response: np.ndarray) -> float:
    """T60 of an impulse response at 16 kHz: the line through -5 to -25 dB of its energy decay (Schroeder 1965)."""
    energy = np.cumsum(np.asarray(response, np.float64)[::-1] ** 2)[::-1]
    decibels = 10.0 * np.log10(np.maximum(energy / energy[0], 1e-12))
    first, last = (int(np.argmax(decibels <= level)) for level in (-5.0, -25.0))
    slope = np.polyfit(np.arange(first, last) / SAMPLE_RATE, decibels[first:last], 1)[0]
    return -60.0 / slope


def _places(room: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mouth and microphone in `room`, half a metre from its walls, within `ROOM_DISTANCE_METRES` of each other."""
    while True:
        mouth, microphone = chance.uniform(0.5, room - 0.5), chance.uniform(0.5, room - 0.5)
        if ROOM_DISTANCE_METRES[0] <= np.linalg.norm(mouth - microphone) <= ROOM_DISTANCE_METRES[1]:
            return mouth, microphone


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


def _as_long_as(samples: np.ndarray, length: int) -> np.ndarray:
    return np.pad(samples, (0, max(0, length - len(samples))))[:length]


def _band(band: tuple[float, float | None]) -> np.ndarray:
    """Second-order sections of a Butterworth filter that lets through from ... to ... Hz (None: all above)."""
    from scipy.signal import butter

    if band[1] is None:
        return butter(FILTER_ORDER, band[0], "highpass", fs=SAMPLE_RATE, output="sos")
    return butter(FILTER_ORDER, band, "bandpass", fs=SAMPLE_RATE, output="sos")


def _clean(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    return samples


def _mic(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    from scipy.signal import sosfilt

    heard = sosfilt(_band(MIC_BAND_HZ), samples).astype(np.float32)
    return add_at(heard, chance.standard_normal(len(heard), dtype=np.float32), MIC_SNR_DB)


def _phone(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    import soxr
    from scipy.signal import sosfilt

    narrow = sosfilt(_band(PHONE_BAND_HZ), samples).astype(np.float32)
    coded = mu_law(np.clip(soxr.resample(narrow, SAMPLE_RATE, PHONE_RATE), -1.0, 1.0))
    return soxr.resample(coded, PHONE_RATE, SAMPLE_RATE)


def _opus12(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    return _coded(samples, form="ogg", codec="libopus", rate=SAMPLE_RATE, bit_rate=OPUS_BIT_RATE)


def _mp3_64(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    return _coded(samples, form="mp3", codec="libmp3lame", rate=MP3_RATE, bit_rate=MP3_BIT_RATE)


def _coded(samples: np.ndarray, *, form: str, codec: str, rate: int, bit_rate: int) -> np.ndarray:
    """Through a codec of PyAV and back, by the same decoder that reads a user's file."""
    import av
    import soxr

    source = samples if rate == SAMPLE_RATE else soxr.resample(samples, SAMPLE_RATE, rate)
    content = io.BytesIO()
    with av.open(content, "w", format=form) as container:
        track = container.add_stream(codec, rate=rate, layout="mono")
        track.bit_rate = bit_rate
        for start in range(0, len(source), rate):
            frame = av.AudioFrame.from_ndarray(
                np.clip(source[None, start : start + rate], -1, 1).astype(np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = rate, start
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return decode(content.getvalue(), max_seconds=float("inf")).samples


def _noise10(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    noise = _real_noise(len(samples), around.noise, chance) if around.noise else pink_noise(len(samples), chance)
    return add_at(samples, noise, NOISE_SNR_DB)


def pink_noise(length: int, chance: np.random.Generator) -> np.ndarray:
    """Noise whose power falls by 3 dB an octave: float32 (length,), mean power about 1."""
    spectrum = np.fft.rfft(chance.standard_normal(length))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, length)
    return (noise / max(float(noise.std()), 1e-12)).astype(np.float32)


def _real_noise(length: int, files: Sequence[Path], chance: np.random.Generator) -> np.ndarray:
    """Random clips one after another, each of mean power 1; what cannot be read or is silent is passed over."""
    parts: list[np.ndarray] = []
    total = failures = 0
    while total < length:
        clip = _sounding(files[chance.integers(len(files))])
        if clip is None:
            failures += 1
            if failures > 100:
                raise AudioError(f"no sound in 100 of {len(files)} noise files: give a folder of noise recordings")
            continue
        parts.append(clip / np.float32(np.sqrt(_power(clip))))
        total += len(clip)
    return np.concatenate(parts)[:length]


def _sounding(path: Path) -> np.ndarray | None:
    """A noise clip without the digital silence that pads some of them."""
    try:
        samples = decode(path, max_seconds=3600.0).samples
    except AudioError:
        return None
    loud = np.flatnonzero(np.abs(samples) > 1e-4)
    samples = samples[loud[0] : loud[-1] + 1][: 10 * SAMPLE_RATE] if len(loud) else samples[:0]
    return samples if len(samples) >= SAMPLE_RATE // 2 and _power(samples) > SILENT_POWER else None


def _babble10(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    voices = [voice.samples for voice in around.voices if len(voice) and _power(voice.samples) > SILENT_POWER]
    if not voices:
        raise DatasetError("babble needs sound of other people, and nobody else has any left: record them for longer")
    babble = np.zeros(len(samples), np.float32)
    for index in chance.permutation(len(voices))[:BABBLE_VOICES]:
        voice = voices[index] / np.float32(np.sqrt(_power(voices[index])))
        babble += np.resize(np.roll(voice, chance.integers(len(voice))), len(samples))
    return add_at(samples, babble, NOISE_SNR_DB)


def _far(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    from scipy.signal import fftconvolve

    return fftconvolve(samples, room_response(chance))[: len(samples)].astype(np.float32)


def _quiet(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    return (np.rint(samples * 10.0 ** (QUIET_DB / 20.0) * 32767.0) / 32767.0).astype(np.float32)


def _clipped(samples: np.ndarray, chance: np.random.Generator, around: Surroundings) -> np.ndarray:
    limit = np.quantile(np.abs(samples), 1.0 - CLIPPED_SHARE)
    return np.clip(samples / np.float32(limit), -1.0, 1.0) if limit > 0.0 else samples


CHANNELS: dict[str, Callable[[np.ndarray, np.random.Generator, Surroundings], np.ndarray]] = {
    "clean": _clean,
    "mic": _mic,
    "phone": _phone,
    "opus12": _opus12,
    "mp3_64": _mp3_64,
    "noise10": _noise10,
    "babble10": _babble10,
    "far": _far,
    "quiet": _quiet,
    "clipped": _clipped,
}
