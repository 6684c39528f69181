"""Bandwidth of real voices, and what is said when the microphone differs from the one of the enrolment."""

from dataclasses import replace

import numpy as np
import pytest
import soxr

from core.audio import SAMPLE_RATE, Audio
from core.microphone_match import differences
from core.segments import NARROW_HZ, Quality, quality

GOOD = Quality(speech=4.5, level=-22.0, clipped=0.0, snr=30.0, bandwidth=7500.0)


def telephone(sound: Audio) -> Audio:
    return Audio(soxr.resample(soxr.resample(sound.samples, SAMPLE_RATE, 8000), 8000, SAMPLE_RATE).astype(np.float32))


@pytest.mark.parametrize("name", ["amina_test", "kofi_test", "sven_test", "jo_test", "mei_test", "conversation"])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_telephone_is_told_from_a_microphone(voice, name, gain):
    sound = Audio(voice(name).between(0, 5).samples * np.float32(gain))
    assert quality(sound).bandwidth > NARROW_HZ and not any("telephone" in one for one in quality(sound).problems())
    narrow = quality(telephone(sound))
    assert 3000 <= narrow.bandwidth <= 4250 and any("telephone" in one for one in narrow.problems())


def test_silence_has_no_bandwidth():
    assert quality(Audio(np.zeros(80_000, np.float32))).bandwidth == 0.0
    assert quality(Audio(np.zeros(0, np.float32))).bandwidth == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"level": -40.0, "snr": 20.0, "bandwidth": 6000.0}, None),  # another good microphone
        ({"bandwidth": 3750.0}, "nothing above 3.8 kHz comes through, at enrolment it was 7.5 kHz"),
        ({"snr": 8.0}, "22 dB noisier than at enrolment"),
        ({"level": -50.0}, "28 dB quieter than at enrolment"),
    ],
)
def test_strong_differences_are_said_with_what_to_do(change, said):
    found = differences([GOOD] * 6, [replace(GOOD, **change)] * 3)
    assert len(found) == (said is not None) and all(said in one and ": " in one for one in found)


def test_an_enrolment_by_telephone_wants_another_session():
    assert "add a session" in differences([replace(GOOD, bandwidth=3750.0)] * 6, [GOOD] * 3)[0]


def test_nothing_is_said_from_too_little():
    assert differences([GOOD], [replace(GOOD, bandwidth=3000.0)]) == []
    assert differences([GOOD], [replace(GOOD, speech=0.2, bandwidth=3000.0)] * 9) == []
    assert differences([], [GOOD] * 9) == []
    assert differences([replace(GOOD, bandwidth=0.0)], [GOOD] * 9) == []  # enrolled before bandwidth was measured
