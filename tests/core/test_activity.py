"""core.activity: speech is found at any level and in noise; silence and noise are no speech."""

import numpy as np
import pytest

from core import activity
from core.activity import ACTIVITY_HOP, speech_activity
from core.audio import SAMPLE_RATE, Audio, concatenate, level_dbfs

ENROLMENTS = ["amina_enrol", "jo_enrol", "kofi_enrol", "mei_enrol", "sven_enrol"]


@pytest.mark.parametrize("name", ENROLMENTS)
def test_speech_is_found(voice, name):
    sound = voice(name)
    activity = speech_activity(sound)
    assert activity.dtype == bool and activity.shape == (len(sound) // ACTIVITY_HOP,)
    assert 0.75 < activity.mean() < 0.98  # all but the pauses


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.01, 0.5, 5.0, 60.0])
def test_silence_is_no_speech(seconds):
    assert not speech_activity(Audio(np.zeros(round(seconds * SAMPLE_RATE)))).any()


@pytest.mark.parametrize("level", [-80, -50, -30, -10])
@pytest.mark.parametrize("seconds", [1, 5, 60])
def test_white_noise_is_no_speech(chance, level, seconds):
    noise = chance.standard_normal(seconds * SAMPLE_RATE) * 10 ** (level / 20)
    assert speech_activity(Audio(np.clip(noise, -1, 1))).mean() < 0.005


def test_a_voice_too_quiet_to_be_one_is_silence(voice):
    sound = voice("jo_test")
    assert not speech_activity(Audio(sound.samples * 10 ** (-60 / 20))).any()


@pytest.mark.parametrize("name", ENROLMENTS)
@pytest.mark.parametrize(("decibels", "agree"), [(-20, 0.9), (-15, 0.96), (-10, 0.999), (10, 0.999), (20, 0.999)])
def test_gain_does_not_move_speech(voice, name, decibels, agree):
    """From -20 dBFS: the same frames are speech, until at -40 dBFS soft sounds fall under the floor of -60."""
    sound = voice(name).between(0, 15)
    louder = Audio(sound.samples * np.float32(10 ** (decibels / 20)))
    assert (speech_activity(louder) == speech_activity(sound)).mean() > agree


@pytest.mark.parametrize("name", ENROLMENTS)
def test_clipping_hardly_moves_speech(voice, name):
    sound = voice(name).between(0, 15)
    clipped = Audio(np.clip(sound.samples * 10, -1, 1))
    assert (speech_activity(clipped) == speech_activity(sound)).mean() > 0.93


@pytest.mark.parametrize("name", ENROLMENTS)
def test_speech_in_noise_is_still_found(voice, chance, name):
    """White noise 20 dB under the voice: at least 75 % of the speech is found, and little is added."""
    sound = voice(name).between(0, 15)
    clean = speech_activity(sound)
    noise = chance.standard_normal(len(sound)) * 10 ** ((level_dbfs(sound.samples) - 20) / 20)
    noisy = speech_activity(Audio(np.clip(sound.samples + noise, -1, 1)))
    assert noisy[clean].mean() > 0.75
    assert noisy[~clean].mean() < 0.35


def test_a_pause_is_no_speech(voice, chance):
    """Two seconds of room tone between two sentences: nothing in its middle."""
    sentence = voice("amina_test").between(0.2, 3.2)
    room = Audio(chance.standard_normal(2 * SAMPLE_RATE) * 0.001)
    activity = speech_activity(concatenate([sentence, room, sentence]))
    assert not activity[330:470].any()
    assert activity[:300].mean() > 0.7 and activity[500:].mean() > 0.7


@pytest.mark.parametrize("length", [1, 3, 160, 163, 4097, 80_000])
def test_the_low_pass_keeps_every_fourth_sample(chance, length):
    """The same as filtering everything and throwing three of four away."""
    samples = chance.standard_normal(length, dtype=np.float32)
    taps = np.arange(-32, 33)
    kernel = np.sinc(taps * 2 * 1200 / SAMPLE_RATE) * np.hamming(65)
    expected = np.convolve(samples, kernel / kernel.sum())[32 : 32 + length][::4]
    np.testing.assert_allclose(activity._decimated(samples), expected, atol=1e-5)


def test_the_autocorrelation_wraps_nowhere(chance):
    frames = chance.standard_normal((3, activity.VOICING_FRAME))
    found = activity._autocorrelation(frames, 67)
    for frame, row in zip(frames, found, strict=True):
        expected = [frame[: len(frame) - lag] @ frame[lag:] for lag in range(68)]
        np.testing.assert_allclose(row, expected, atol=1e-9)
