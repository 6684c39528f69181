"""What librosa computes too: the image, the tracks behind the feature row and the pitch are its own, within a stated
tolerance.

In one file, for librosa compiles its functions anew in every process (tests/conftest.py), which takes 20 s.
"""

import numpy as np
import pytest

from core import spectral, spectrogram
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES
from core.segments import prepare
from core.spectral import CLASSIC, COLUMNS, MEL_BANDS, MFCC, feature_row, pitch_track
from core.spectrogram import BANDS, DB_MIN, DB_STEP, FMAX, FMIN, mel_power, power_frames, spectrogram_image
from tests.core.conftest import VOICES

RELATIVE = 1e-4  # power against librosa: float32 arithmetic in another order

# Largest difference from librosa allowed, in the track's own unit.
TOLERANCE = {
    "centroid": 0.1,  # Hz
    "bandwidth": 0.1,  # Hz
    "rolloff": 0.0,  # Hz: the same bin
    "zero_crossing_rate": 0.0,  # share of samples: the same count
    "rms": 1e-6,  # of full scale
    "flatness_db": 1e-3,  # dB
    "mfcc": 1e-2,  # dB
    "chroma": 1e-4,  # of the frame's maximum
    "contrast": 1e-2,  # dB
}


def power_of(samples: np.ndarray) -> np.ndarray:
    return power_frames(samples, length=spectral.N_FFT, n_fft=spectral.N_FFT, hop=spectral.HOP)


def by_librosa(samples: np.ndarray) -> np.ndarray:
    import librosa

    edge = (spectrogram.FRAMES - 1) * spectrogram.HOP + spectrogram.N_FFT - SEGMENT_SAMPLES
    return librosa.feature.melspectrogram(
        y=np.pad(samples, (edge // 2, edge - edge // 2), mode="reflect"),
        sr=SAMPLE_RATE,
        n_fft=spectrogram.N_FFT,
        win_length=spectrogram.WINDOW,
        hop_length=spectrogram.HOP,
        window="hann",
        center=False,
        power=2.0,
        n_mels=BANDS,
        fmin=FMIN,
        fmax=FMAX,
    )


def test_power_is_librosas(prepared):
    """Within 1e-4 of the value, or 1e-9 of the loudest where nothing sounds."""
    power, expected = mel_power(prepared), by_librosa(prepared)
    assert power.shape == expected.shape == (BANDS, spectrogram.FRAMES)
    np.testing.assert_allclose(power, expected, rtol=RELATIVE, atol=1e-9 * expected.max())


def test_image_is_librosas_decibels_in_grey(prepared):
    """The same picture from librosa's power differs by one grey level at most, in few places (rounding)."""
    expected = np.clip(np.rint((10 * np.log10(np.maximum(by_librosa(prepared), 1e-10)) - DB_MIN) / DB_STEP), 0, 255)
    difference = np.abs(spectrogram_image(prepared).astype(int) - expected.astype(int))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.001


def test_mel_filters_are_librosas():
    import librosa

    expected = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=spectrogram.N_FFT, n_mels=BANDS, fmin=FMIN, fmax=FMAX)
    np.testing.assert_allclose(spectrogram.mel_filters(), expected, rtol=1e-4, atol=1e-8)


@pytest.fixture(scope="module")
def theirs(prepared) -> dict[str, np.ndarray]:
    """librosa's tracks of the same samples, (T,) or (bands, T)."""
    import librosa

    power = power_of(prepared).T
    magnitude, of = np.sqrt(power), librosa.feature
    mel = of.melspectrogram(S=power, sr=SAMPLE_RATE, n_mels=MEL_BANDS, fmin=FMIN, fmax=FMAX)
    frames = {"frame_length": spectral.N_FFT, "hop_length": spectral.HOP, "center": False}
    return {
        "centroid": of.spectral_centroid(S=magnitude, sr=SAMPLE_RATE)[0],
        "bandwidth": of.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE)[0],
        "rolloff": of.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE, roll_percent=0.85)[0],
        "zero_crossing_rate": of.zero_crossing_rate(prepared, **frames)[0],
        "rms": of.rms(y=prepared, **frames)[0],
        "flatness_db": 10 * np.log10(of.spectral_flatness(S=magnitude)[0]),
        "mfcc": of.mfcc(S=librosa.power_to_db(mel), n_mfcc=MFCC),
        "chroma": of.chroma_stft(S=power, sr=SAMPLE_RATE, tuning=0.0).mean(axis=0),
        "contrast": of.spectral_contrast(S=magnitude, sr=SAMPLE_RATE),
    }


@pytest.fixture(scope="module")
def ours(prepared) -> dict[str, np.ndarray]:
    tracks = spectral._tracks(prepared, power_of(prepared))
    tracks["contrast"] = np.stack([tracks[f"contrast_{band}"] for band in range(7)])
    return {**tracks, "mfcc": tracks["mfcc"].T}


@pytest.mark.parametrize("track", TOLERANCE)
def test_tracks_are_librosas(ours, theirs, track):
    assert ours[track].shape == theirs[track].shape and ours[track].shape[-1] == spectral.FRAMES
    np.testing.assert_allclose(ours[track], theirs[track], rtol=1e-5, atol=TOLERANCE[track])


def test_the_classic_26_by_name(prepared, theirs):
    """Means over all frames, under the original experiment's names."""
    row = dict(zip(COLUMNS, feature_row(prepared), strict=True))
    expected = {
        "chroma_stft": theirs["chroma"].mean(),
        "rms": theirs["rms"].mean(),
        "spectral_centroid": theirs["centroid"].mean(),
        "spectral_bandwidth": theirs["bandwidth"].mean(),
        "rolloff": theirs["rolloff"].mean(),
        "zero_crossing_rate": theirs["zero_crossing_rate"].mean(),
        **{f"mfcc{index + 1}": value for index, value in enumerate(theirs["mfcc"].mean(axis=1))},
    }
    assert tuple(expected) == CLASSIC == COLUMNS[:26] and len(CLASSIC) == 26
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=1e-4, abs=1e-2 if name.startswith("mfcc") else 1e-5), name


@pytest.mark.parametrize("name", VOICES)
def test_pitch_of_a_voice_is_librosas(voice, name):
    """Where both hear a voice: median difference below 1 %, 85 frames in 100 within 3 %; and they agree who is voiced
    on 7 frames in 10 (pYIN decides by the whole track, this by each frame alone)."""
    import librosa

    samples = prepare(voice(name).between(1.0, 6.0))
    pitch, voicing = pitch_track(power_of(samples))
    theirs, heard, _ = librosa.pyin(
        samples, fmin=60, fmax=400, sr=SAMPLE_RATE, frame_length=spectral.N_FFT, hop_length=spectral.HOP, center=False
    )
    both = heard & (voicing > 0.5)
    octaves = np.abs(np.log2(pitch[both] / theirs[both]))
    assert both.mean() > 0.4 and (heard == (voicing > 0.5)).mean() > 0.7
    assert np.median(octaves) < np.log2(1.01) and (octaves < np.log2(1.03)).mean() > 0.85
