"""core.rooms: the simulated places that enrolment teaches."""

import numpy as np
import pytest

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES
from core.rooms import ROOMS, in_room
from core.segments import prepare


@pytest.fixture(scope="module")
def segment(voice) -> np.ndarray:
    return prepare(voice("amina_test").between(1.0, 6.0))


def band_power(samples: np.ndarray, low: float, high: float) -> float:
    """Share of the power between two frequencies (Hz)."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    return float(power[(hz >= low) & (hz < high)].sum() / power.sum())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_changes_the_sound_and_nothing_else(segment, room):
    made = in_room(segment, room)
    assert made.shape == (SEGMENT_SAMPLES,) and made.dtype == np.float32 and np.isfinite(made).all()
    assert np.sqrt(np.mean(made**2)) == pytest.approx(np.sqrt(np.mean(segment**2)), rel=0.15)  # the set level
    assert np.corrcoef(made, segment)[0, 1] < 0.97
    np.testing.assert_array_equal(made, in_room(segment, room))  # the same again


def test_a_telephone_keeps_its_band(segment):
    """The fundamental of this voice lies below it and is 10 dB weaker against the rest, at least."""
    made = in_room(segment, "telephone")

    def below(samples: np.ndarray) -> float:
        return 10.0 * np.log10(band_power(samples, 0, 200) / band_power(samples, 300, 3400))

    assert below(made) < below(segment) - 10.0
    assert band_power(made, 300, 3400) > 0.7 and band_power(made, 5000, 8000) < 0.02


def test_a_hall_sounds_on(segment):
    """After a click the tail falls by 60 dB in 0.6 s: by 30 dB in the first 0.3 s."""
    click = np.zeros(SEGMENT_SAMPLES, np.float32)
    click[SAMPLE_RATE] = 0.9
    made = in_room(click, "hall").astype(np.float64)

    def power(start: float) -> float:  # in 20 ms, from `start` s after the click
        at = SAMPLE_RATE + round(start * SAMPLE_RATE)
        return float(np.mean(made[at : at + SAMPLE_RATE // 50] ** 2))

    quiet = float(np.mean(made[: SAMPLE_RATE // 2] ** 2))  # the noise alone
    early, late = power(0.03) - quiet, power(0.13) - quiet
    assert 10.0 * np.log10(early / late) == pytest.approx(10.0, abs=3.0)


def test_a_street_is_ten_decibels_below_the_voice(segment):
    silence = segment.copy()
    silence[: SEGMENT_SAMPLES // 2] = 0.0
    made = in_room(silence, "street")
    noise, both = np.mean(made[: SEGMENT_SAMPLES // 2 - 2000] ** 2), np.mean(made[SEGMENT_SAMPLES // 2 + 2000 :] ** 2)
    # half of the segment carries all of the voice: 10 dB over the whole are 13 there
    assert 10.0 * np.log10(both / noise - 1.0) == pytest.approx(13.0, abs=1.5)
