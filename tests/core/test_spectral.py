"""core.spectral: statistics by hand, pitch finds known tones, gain vanishes. Its tracks: tests/core/test_librosa.py."""

import numpy as np
import pytest

from core import spectral
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio
from core.segments import normalise, prepare
from core.spectral import COLUMNS, FRAMES, HOP, N_FFT, feature_row, pitch_track
from core.spectrogram import power_frames
from tests.core.conftest import VOICES

TIME = np.arange(SEGMENT_SAMPLES) / SAMPLE_RATE  # s
PITCH = slice(COLUMNS.index("pitch_median"), COLUMNS.index("pitch_median") + 6)


def power_of(samples: np.ndarray) -> np.ndarray:
    return power_frames(samples, length=N_FFT, n_fft=N_FFT, hop=HOP)


def test_where_a_running_sum_reaches_a_total(chance):
    share = chance.random((200, N_FFT // 2 + 1), dtype=np.float32)
    share[:, 100:] *= chance.random((200, 1), dtype=np.float32) ** 4
    share /= share.sum(axis=1, keepdims=True)
    share[0] = 0.0  # silence: never
    share[1], share[1, -1] = 0.0, 1.0  # the last bin
    share[2], share[2, 0] = 0.0, 1.0  # the first
    for total in (0.5, 0.85, 0.99):
        reached = np.cumsum(share.astype(np.float64), axis=1)
        found = spectral._first_reaching(share, total)
        np.testing.assert_array_equal(found, np.argmax(reached >= total, axis=1))
    assert found[:3].tolist() == [0, N_FFT // 2, 0]


def test_the_pitchs_lags_are_those_of_the_inverse_fft(prepared):
    power = power_of(prepared)
    lags = power[:, : spectral.PITCH_BINS] @ spectral._pitch_lags(268)
    expected = np.fft.irfft(power * spectral._pitch_band(), N_FFT, axis=1)[:, :268]
    assert not spectral._pitch_band()[spectral.PITCH_BINS :].any()
    np.testing.assert_allclose(lags, expected, atol=1e-5 * np.abs(expected).max())


def test_statistics_are_of_the_loud_frames(prepared):
    """Means, deviations and covariances of the tracks by the plain formula, over frames within 30 dB of the loud."""
    row = dict(zip(COLUMNS, feature_row(prepared), strict=True))
    tracks = spectral._tracks(prepared, power_of(prepared))
    levels = 20 * np.log10(np.maximum(tracks["rms"], 1e-6))
    active = levels > np.percentile(levels, 95) - spectral.ACTIVE_DB
    assert 0.5 < active.mean() < 1.0
    mfcc, delta = tracks["mfcc"][active], np.gradient(tracks["mfcc"], axis=0)[active]
    assert row["centroid_mean"] == pytest.approx(tracks["centroid"][active].mean(), rel=1e-5)
    assert row["flux_std"] == pytest.approx(tracks["flux"][active].std(), rel=1e-4)
    assert row["mfcc_3_std"] == pytest.approx(mfcc[:, 2].std(), rel=1e-4)
    assert row["delta_mfcc_2_std"] == pytest.approx(delta[:, 1].std(), rel=1e-4)
    assert row["mfcc_cov_2_5"] == pytest.approx(np.cov(mfcc.T, bias=True)[1, 4], rel=1e-3, abs=1e-2)
    assert row["delta_cov_1_1"] == pytest.approx(delta[:, 0].var(), rel=1e-3)


def test_columns():
    assert len(set(COLUMNS)) == len(COLUMNS) == 1840
    assert all(name.isidentifier() for name in COLUMNS)
    assert COLUMNS[PITCH] == ("pitch_median", "pitch_p10", "pitch_p90", "pitch_step", "voiced_share", "voicing_mean")


def test_a_row_is_float32_finite_and_the_same_again(prepared):
    row = feature_row(prepared)
    assert row.shape == (len(COLUMNS),) and row.dtype == np.float32 and np.isfinite(row).all()
    np.testing.assert_array_equal(row, feature_row(prepared.copy()))


@pytest.mark.parametrize("gain", [0.1, 0.5, 1.3])
@pytest.mark.parametrize("name", VOICES)
def test_gain_does_not_reach_the_row(voice, name, gain):
    """From -20 to +2 dB: every column within a thousandth of its spread over voices.

    -20 dB brings soft frames near the -60 dBFS where everything is silence; there a hundredth.
    """
    rows = [feature_row(prepare(voice(other).between(1.0, 6.0))) for other in VOICES]
    spread = np.std(rows, axis=0) + 1e-3
    sound = voice(name).between(1.0, 6.0)
    quiet = prepare(Audio(sound.samples * np.float32(gain)))
    difference = np.abs(feature_row(quiet) - feature_row(prepare(sound))) / spread
    if gain > 0.2:
        assert difference.max() < 0.01
    else:
        assert np.median(difference) < 0.05


def impulse() -> np.ndarray:
    samples = np.zeros(SEGMENT_SAMPLES, np.float32)
    samples[SEGMENT_SAMPLES // 2] = 1.0
    return samples


ODD = {
    "silence": np.zeros(SEGMENT_SAMPLES, np.float32),
    "near silence": np.full(SEGMENT_SAMPLES, 1e-9, np.float32),
    "impulse": impulse(),
    "tone": (0.5 * np.sin(2 * np.pi * 440 * TIME)).astype(np.float32),
    "constant": np.full(SEGMENT_SAMPLES, 0.7, np.float32),
    "full-scale square": np.sign(np.sin(2 * np.pi * 100 * TIME) + 1e-3).astype(np.float32),
    "Nyquist": np.resize(np.array([1.0, -1.0], np.float32), SEGMENT_SAMPLES),
    "one burst in silence": np.where(TIME < 0.02, np.sin(2 * np.pi * 200 * TIME), 0.0).astype(np.float32),
    "noise": np.random.default_rng(0).uniform(-1, 1, SEGMENT_SAMPLES).astype(np.float32),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sound_gives_finite_numbers(name):
    row = feature_row(ODD[name])
    assert np.isfinite(row).all() and np.abs(row).max() < 1e6


@pytest.mark.parametrize("count", [0, SEGMENT_SAMPLES - 1, SEGMENT_SAMPLES + 1])
def test_other_lengths_are_refused(count):
    with pytest.raises(ValueError, match=f"expected {SEGMENT_SAMPLES} samples, got {count}"):
        feature_row(np.zeros(count, np.float32))


# --- what the numbers mean ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [250.0, 1000.0, 3000.0])
def test_a_tone_is_its_own_centroid_and_crosses_zero_twice_a_period(hz):
    row = dict(zip(COLUMNS, feature_row((0.1 * np.sin(2 * np.pi * hz * TIME)).astype(np.float32)), strict=True))
    assert row["spectral_centroid"] == pytest.approx(hz, abs=10)
    assert row["zero_crossing_rate"] == pytest.approx(2 * hz / SAMPLE_RATE, rel=0.02)
    assert row["rms"] == pytest.approx(0.1 / np.sqrt(2), rel=0.01)
    assert abs(row["rolloff"] - hz) <= 2 * SAMPLE_RATE / N_FFT
    assert row["flatness_db_mean"] < -40


def test_noise_is_flat_and_wide():
    noise, tone = (dict(zip(COLUMNS, feature_row(ODD[name]), strict=True)) for name in ("noise", "tone"))
    assert noise["flatness_db_mean"] > -4 and noise["spectral_bandwidth"] > 10 * tone["spectral_bandwidth"]
    assert noise["spectral_centroid"] == pytest.approx(SAMPLE_RATE / 4, rel=0.02)
    assert noise["voiced_share"] < 0.05


def voiced_sound(hz: np.ndarray | float) -> np.ndarray:
    """Ten harmonics falling 6 dB an octave, on a pitch that may move."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, TIME.shape)) / SAMPLE_RATE
    return normalise(sum(np.sin(k * phase) / k for k in range(1, 11)).astype(np.float32))


@pytest.mark.parametrize("hz", [70.0, 82.4, 98.0, 110.0])
@pytest.mark.parametrize("kind", ["sine", "harmonics"])
def test_pitch_of_a_deep_tone(hz, kind):
    """Within 3 % on every frame (the band filter moves a lone sine at its edge; harmonics 0.5 %)."""
    samples = voiced_sound(hz) if kind == "harmonics" else (0.1 * np.sin(2 * np.pi * hz * TIME)).astype(np.float32)
    pitch, voicing = pitch_track(power_of(samples))
    assert pitch.shape == voicing.shape == (FRAMES,)
    assert voicing.min() > 0.9
    np.testing.assert_allclose(pitch, hz, rtol=0.005 if kind == "harmonics" else 0.03)


@pytest.mark.parametrize("hz", [147.3, 200.0, 261.6, 311.1, 390.0])
def test_pitch_of_a_higher_tone_is_it_or_octaves_below(hz):
    """Above 120 Hz two periods lie in the range too, and a perfectly steady tone makes them equals: the pitch is the
    tone divided by a whole number, within 0.5 %."""
    pitch, voicing = pitch_track(power_of(voiced_sound(hz)))
    periods = hz / pitch
    assert voicing.min() > 0.9 and periods.max() < 7
    np.testing.assert_allclose(periods, np.rint(periods), rtol=0.005)


def test_pitch_statistics_of_a_glide():
    """65 to 115 Hz in 5 s: median and percentiles in octaves above 100 Hz."""
    octaves = np.log2(0.65) + np.log2(115 / 65) * TIME / 5
    row = dict(zip(COLUMNS, feature_row(voiced_sound(100.0 * 2**octaves)), strict=True))
    for name, percent in (("pitch_median", 50), ("pitch_p10", 10), ("pitch_p90", 90)):
        assert row[name] == pytest.approx(np.percentile(octaves, percent), abs=0.02), name
    assert row["pitch_step"] == pytest.approx(np.log2(115 / 65) * HOP / SEGMENT_SAMPLES, rel=0.3)
    assert row["voiced_share"] == 1.0


def test_an_equaliser_moves_means_but_not_covariances(voice):
    """A constant dB curve adds a constant to a cepstrum: what the row is built to survive."""
    samples = prepare(voice("kofi_test").between(1.0, 6.0))
    curve = np.interp(np.fft.rfftfreq(SEGMENT_SAMPLES, 1 / SAMPLE_RATE), [0, 1000, 8000], [1.0, 0.5, 0.2])
    changed = normalise(np.fft.irfft(np.fft.rfft(samples) * curve, SEGMENT_SAMPLES).astype(np.float32))
    before, after = (dict(zip(COLUMNS, feature_row(one), strict=True)) for one in (samples, changed))
    assert abs(after["mfcc2"] - before["mfcc2"]) > 5.0
    for name in ("mfcc_2_std", "mfcc_3_std", "mfcc_cov_2_2", "mfcc_cov_3_4", "delta_cov_2_2"):
        assert after[name] == pytest.approx(before[name], rel=0.12, abs=5.0), name
