"""The feature row: named spectral numbers of one segment, all from one shared STFT. One definition for all.

What the ANN sees, and a row of `features.csv`. It begins with the classic 26 of the original experiment (chroma, RMS,
centroid, bandwidth, roll-off, zero-crossing rate, 20 MFCC; means over time; definitions as in librosa) and goes on
with what survives another microphone: deviations, deltas, contrast, flatness, flux, pitch, and the covariance of
the cepstrum over time. An equaliser adds a constant to a cepstrum, so deviations and covariances do not move
(second-order measures: Bimbot, Magrin-Chagnolleau & Mathan 1995, Speech Communication 17).

The last and largest family says how the voice makes each kind of sound: see `core.acoustic_classes`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from core.acoustic_classes import CLASSES, class_statistics
from core.activity import PITCH_RANGE_HZ
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES
from core.spectrogram import mel_filters, power_frames

N_FFT = 1024  # samples (64 ms): three periods of the deepest voice
HOP = 256  # samples (16 ms)
MFCC = 20  # cepstral coefficients, c0 among them
MEL_BANDS = 40
CHROMA = 12
ROLLOFF = 0.85  # of the summed magnitude, as librosa has it
PITCH_BINS = 97  # those below 1500 Hz, where the pitch's low-pass ends
ROLLOFF_BLOCK = 27  # bins: 19 blocks of 27 are the 513 bins
CONTRAST_EDGES_HZ = (0.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)  # octave bands; the last is 6400 Hz and above
CONTRAST_QUANTILE = 0.02
TOP_DB = 80.0  # dB: range of the cepstrum's input below its loudest value
ACTIVE_DB = 30.0  # dB below the loud frames (95th percentile) within which a frame counts for the statistics
FRAMES = 1 + (SEGMENT_SAMPLES - N_FFT) // HOP

_TRACKS = (
    "rms_db",
    "centroid",
    "bandwidth",
    "rolloff",
    "zero_crossing_rate",
    "flatness_db",
    "flux",
    *(f"contrast_{band}" for band in range(7)),
    *(f"mfcc_{index}" for index in range(1, MFCC + 1)),
    *(f"delta_mfcc_{index}" for index in range(1, MFCC + 1)),
)
_PAIRS = np.triu_indices(MFCC)
CLASSIC = (
    "chroma_stft",
    "rms",
    "spectral_centroid",
    "spectral_bandwidth",
    "rolloff",
    "zero_crossing_rate",
    *(f"mfcc{index}" for index in range(1, MFCC + 1)),
)
COLUMNS: tuple[str, ...] = (
    *CLASSIC,
    *(f"{track}_mean" for track in _TRACKS[: -2 * MFCC]),
    *(f"{track}_std" for track in _TRACKS),
    *(f"mfcc_{index}_skew" for index in range(1, MFCC + 1)),
    *(f"mfcc_{index}_voiced_minus_unvoiced" for index in range(1, MFCC + 1)),
    *(f"mfcc_cov_{i + 1}_{j + 1}" for i, j in zip(*_PAIRS, strict=True)),
    *(f"delta_cov_{i + 1}_{j + 1}" for i, j in zip(*_PAIRS, strict=True)),
    "pitch_median",
    "pitch_p10",
    "pitch_p90",
    "pitch_step",
    "voiced_share",
    "voicing_mean",
    *(f"class_{index + 1}_share" for index in range(CLASSES)),
    *(f"class_{index + 1}_mfcc_{number + 2}" for index in range(CLASSES) for number in range(MFCC - 1)),
)


def feature_row(samples: np.ndarray) -> np.ndarray:
    """The features of one prepared segment: float32 (len(COLUMNS),), all finite.

    `samples`: float32 (SEGMENT_SAMPLES,) from `core.segments.prepare`.
    """
    if len(samples) != SEGMENT_SAMPLES:
        raise ValueError(f"expected {SEGMENT_SAMPLES} samples, got {len(samples)}; see core.segments.prepare")
    power = power_frames(samples, length=N_FFT, n_fft=N_FFT, hop=HOP)  # (T, F)
    tracks = _tracks(samples, power)
    active = _active(tracks)
    pitch, voicing = pitch_track(power)
    cepstrum = tracks["mfcc"]  # (T, MFCC)
    delta = np.gradient(cepstrum, axis=0) if len(cepstrum) > 1 else np.zeros_like(cepstrum)
    stack = np.column_stack([*(tracks[name] for name in _TRACKS[: -2 * MFCC]), cepstrum, delta])[active]
    mean, std = stack.mean(axis=0), stack.std(axis=0)
    centred = cepstrum[active] - cepstrum[active].mean(axis=0)
    spread = np.maximum(centred.std(axis=0), 1e-3)
    voiced = active & (voicing > 0.5)
    unvoiced = active & ~voiced
    contrast = (
        cepstrum[voiced].mean(axis=0) - cepstrum[unvoiced].mean(axis=0)
        if voiced.sum() > 3 and unvoiced.sum() > 3
        else np.zeros(MFCC)
    )
    row = np.concatenate(
        [
            _classic(tracks),
            mean[: -2 * MFCC],
            std,
            _cubed(centred / spread).mean(axis=0),
            contrast,
            (centred.T @ centred / len(centred))[_PAIRS],
            np.cov(delta[active].T, bias=True)[_PAIRS],
            _pitch_statistics(pitch, voicing, voiced),
            class_statistics(centred[:, 1:]),
        ]
    )
    return np.nan_to_num(row).astype(np.float32)


def _cubed(values: np.ndarray) -> np.ndarray:
    return values * values * values  # `** 3` takes twenty times as long


def _active(tracks: dict[str, np.ndarray]) -> np.ndarray:
    """Which frames count: within `ACTIVE_DB` of the loud ones; bool (T,)."""
    return tracks["rms_db"] > np.percentile(tracks["rms_db"], 95) - ACTIVE_DB


def active_cepstra(samples: np.ndarray) -> np.ndarray:
    """The cepstra (T, MFCC) of the frames that count in a prepared segment."""
    tracks = _tracks(samples, power_frames(samples, length=N_FFT, n_fft=N_FFT, hop=HOP))
    return tracks["mfcc"][_active(tracks)]


def _classic(tracks: dict[str, np.ndarray]) -> np.ndarray:
    """The original 26: means over all frames."""
    names = ("chroma", "rms", "centroid", "bandwidth", "rolloff", "zero_crossing_rate")
    return np.array([*(tracks[name].mean() for name in names), *tracks["mfcc"].mean(axis=0)])


def _tracks(samples: np.ndarray, power: np.ndarray) -> dict[str, np.ndarray]:
    """Everything per frame, from the shared power spectrogram (T, F)."""
    hz = np.fft.rfftfreq(N_FFT, 1.0 / SAMPLE_RATE).astype(np.float32)
    magnitude = np.sqrt(power)
    share = magnitude / np.maximum(magnitude.sum(axis=1, keepdims=True), 1e-10)
    centroid = share @ hz
    # sum of share * (hz - centroid)^2 = E[hz^2] - centroid^2, in double precision
    bandwidth = np.sqrt(np.maximum(share.astype(np.float64) @ hz.astype(np.float64) ** 2 - centroid**2, 0.0))
    rolloff = hz[_first_reaching(share, ROLLOFF)]
    mel = 10.0 * np.log10(np.maximum(power @ mel_filters(N_FFT, MEL_BANDS).T, 1e-10))
    mel = np.maximum(mel, mel.max() - TOP_DB)
    level = np.maximum(power, 1e-10)
    flux = np.zeros(len(power), np.float32)
    flux[1:] = np.maximum(np.diff(share, axis=0), 0.0).sum(axis=1)
    starts = np.arange(len(power)) * HOP
    hops = samples[: starts[-1] + N_FFT].reshape(-1, HOP)
    energy = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", hops, hops).astype(np.float64))])  # before each hop
    rms = np.sqrt((energy[N_FFT // HOP :] - energy[: -N_FFT // HOP]) / N_FFT)
    signs = np.signbit(samples)
    crossings = np.concatenate([[0], np.cumsum(signs[1:] != signs[:-1])])  # crossings before each sample
    contrast = spectral_contrast(magnitude)
    return {
        "chroma": _chroma_mean(power),
        "rms": rms,
        "rms_db": 20.0 * np.log10(np.maximum(rms, 1e-6)),
        "centroid": centroid,
        "bandwidth": bandwidth,
        "rolloff": rolloff,
        "zero_crossing_rate": (crossings[starts + N_FFT - 1] - crossings[starts]) / N_FFT,
        "flatness_db": 10.0 * (np.log10(level).mean(axis=1) - np.log10(level.mean(axis=1))),
        "flux": flux,
        **{f"contrast_{band}": contrast[:, band] for band in range(contrast.shape[1])},
        "mfcc": mel @ _dct().T,
    }


def _first_reaching(share: np.ndarray, total: float) -> np.ndarray:
    """The first place in each row of (T, F) where its running sum reaches `total`: int (T,), 0 where it never does.

    Sums of blocks say in which block that is, running sums within it where: a third of the time of all running sums.
    """
    starts = np.arange(0, share.shape[1], ROLLOFF_BLOCK)
    reached = np.cumsum(np.add.reduceat(share, starts, axis=1), axis=1)
    block = np.argmax(reached >= total, axis=1)
    rows = np.arange(len(share))
    before = np.where(block > 0, reached[rows, block - 1], 0.0)
    places = np.minimum(starts[block][:, None] + np.arange(ROLLOFF_BLOCK), share.shape[1] - 1)
    within = np.cumsum(share[rows[:, None], places], axis=1) + before[:, None]
    # rounding may put the sum of a block above what its running sum reaches at its last place
    last = np.minimum(np.count_nonzero(within < total, axis=1), ROLLOFF_BLOCK - 1)
    return np.where(reached[:, -1] >= total, places[rows, last], 0)


@cache
def _dct() -> np.ndarray:
    """Orthonormal DCT-II, float32 (MFCC, MEL_BANDS)."""
    index = np.arange(MEL_BANDS)
    basis = np.cos(np.pi / MEL_BANDS * (index[None] + 0.5) * np.arange(MFCC)[:, None]) * np.sqrt(2.0 / MEL_BANDS)
    basis[0] /= np.sqrt(2.0)
    return basis.astype(np.float32)


@cache
def chroma_filters() -> np.ndarray:
    """Twelve pitch-class weights per FFT bin, float32 (CHROMA, F), tuned to A = 440 Hz (Ellis 2007, chroma features).

    The same as librosa.filters.chroma(sr=16000, n_fft=1024, tuning=0).
    """
    hz = np.linspace(0.0, SAMPLE_RATE, N_FFT, endpoint=False)[1:]
    octaves = CHROMA * np.log2(hz / (440.0 / 16.0))
    bins = np.concatenate([[octaves[0] - 1.5 * CHROMA], octaves])
    width = np.concatenate([np.maximum(np.diff(bins), 1.0), [1.0]])
    distance = np.subtract.outer(bins, np.arange(CHROMA, dtype=np.float64)).T
    distance = np.remainder(distance + CHROMA / 2 + 10 * CHROMA, CHROMA) - CHROMA / 2
    weights = np.exp(-0.5 * (2.0 * distance / width) ** 2)
    weights /= np.maximum(np.sqrt((weights**2).sum(axis=0, keepdims=True)), 1e-12)
    weights = weights * np.exp(-0.5 * ((bins / CHROMA - 5.0) / 2.0) ** 2)
    return np.roll(weights, -3, axis=0)[:, : N_FFT // 2 + 1].astype(np.float32)


def _chroma_mean(power: np.ndarray) -> np.ndarray:
    """Mean over the twelve classes of the chromagram, each frame scaled to a maximum of 1; (T,)."""
    raw = power @ chroma_filters().T
    peak = raw.max(axis=1, keepdims=True)
    return (raw / np.where(peak > np.finfo(np.float32).tiny, peak, 1.0)).mean(axis=1)


def spectral_contrast(magnitude: np.ndarray) -> np.ndarray:
    """Peaks minus valleys in octave bands, dB, (T, 7) (Jiang et al. 2002, "Music type classification").

    Bands as in librosa.feature.spectral_contrast with its defaults.
    """
    ends = np.empty((2, len(magnitude), len(CONTRAST_EDGES_HZ)), magnitude.dtype)
    for band, (first, last, count) in enumerate(_contrast_bands()):
        ordered = np.sort(magnitude[:, first:last], axis=1)  # faster than np.partition on two sides
        ends[0, :, band], ends[1, :, band] = ordered[:, :count].mean(axis=1), ordered[:, -count:].mean(axis=1)
    valley, peak = np.log10(np.maximum(ends, 1e-10))
    return 10.0 * (peak - valley)


@cache
def _contrast_bands() -> tuple[tuple[int, int, int], ...]:
    """Of each band the first bin, the one behind the last, and how many bins make a peak or a valley."""
    hz = np.fft.rfftfreq(N_FFT, 1.0 / SAMPLE_RATE)
    bands = []
    for band, low in enumerate(CONTRAST_EDGES_HZ):
        last = band == len(CONTRAST_EDGES_HZ) - 1
        high = np.inf if last else CONTRAST_EDGES_HZ[band + 1]
        places = np.flatnonzero((hz >= low) & (hz <= high))
        first, behind = int(places[0]) - (band > 0), int(places[-1]) + 1  # librosa takes one bin more below
        bands.append((first, behind - (not last), max(1, int(np.rint(CONTRAST_QUANTILE * (behind - first))))))
    return tuple(bands)


def pitch_track(power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch in Hz and voicing in [0, 1] per frame, from the power spectrogram (T, F).

    The inverse FFT of power is the autocorrelation; normalised by the window's, its highest peak in the pitch range
    is the period, its height the voicing (Boersma 1993). The peak is refined by a parabola.
    """
    first, last = int(SAMPLE_RATE / PITCH_RANGE_HZ[1]), int(SAMPLE_RATE / PITCH_RANGE_HZ[0])
    correlation = power[:, :PITCH_BINS] @ _pitch_lags(last + 2)
    correlation = correlation / np.maximum(correlation[:, :1], 1e-10) / _window_autocorrelation()[: last + 2]
    within = correlation[:, first : last + 1]
    lag = within.argmax(axis=1) + first
    rows = np.arange(len(power))
    before, here, after = correlation[rows, lag - 1], correlation[rows, lag], correlation[rows, lag + 1]
    curve = before - 2.0 * here + after
    shift = np.where(np.abs(curve) > 1e-9, 0.5 * (before - after) / np.where(curve == 0.0, 1.0, curve), 0.0)
    return SAMPLE_RATE / (lag + np.clip(shift, -0.5, 0.5)), np.clip(here, 0.0, 1.0)


@cache
def _pitch_band() -> np.ndarray:
    """Low-pass for the pitch: 1 below 900 Hz, falling to 0 at 1500 Hz. Circular wrap stays below half the FFT."""
    hz = np.fft.rfftfreq(N_FFT, 1.0 / SAMPLE_RATE)
    return np.interp(hz, [0.0, 40.0, 70.0, 900.0, 1500.0], [0.0, 0.0, 1.0, 1.0, 0.0]).astype(np.float32)


@cache
def _pitch_lags(count: int) -> np.ndarray:
    """The inverse FFT of what the low-pass leaves of a power spectrum, at the first `count` lags only: float32
    (PITCH_BINS, count)."""
    places = 2.0 * np.pi / N_FFT * np.outer(np.arange(PITCH_BINS), np.arange(count))
    return (2.0 / N_FFT * _pitch_band()[:PITCH_BINS, None] * np.cos(places)).astype(np.float32)


@cache
def _window_autocorrelation() -> np.ndarray:
    """Circular autocorrelation of the Hann window, 1 at lag 0."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(N_FFT) / N_FFT)
    spectrum = np.abs(np.fft.rfft(hann)) ** 2
    whole = np.fft.irfft(spectrum, N_FFT)
    return (whole / whole[0]).astype(np.float32)


def _pitch_statistics(pitch: np.ndarray, voicing: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Median, 10th and 90th percentile and mean step of log2(pitch / 100 Hz); share of voiced frames; mean voicing."""
    share, mean = voiced.mean(), voicing.mean()
    if voiced.sum() < 5:
        return np.array([0.0, 0.0, 0.0, 0.0, share, mean])
    octaves = np.log2(pitch / 100.0)
    heights = octaves[voiced]
    together = voiced[1:] & voiced[:-1]
    steps = np.abs(np.diff(octaves))[together]
    step = float(np.median(steps)) if len(steps) else 0.0
    return np.array([*np.percentile(heights, [50, 10, 90]), step, share, mean])
