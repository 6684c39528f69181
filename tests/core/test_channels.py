"""Channels do what they say: levels, bands, decay and noise are measured on what comes out."""

import shutil

import numpy as np
import pytest

from core.audio import SAMPLE_RATE, Audio, concatenate
from core.channels import (
    CHANNELS,
    CLIPPED_SHARE,
    ROOM_T60,
    Surroundings,
    add_at,
    apply,
    decay_seconds,
    mu_law,
    pink_noise,
    room_response,
)
from core.errors import DatasetError


@pytest.fixture(scope="module")
def speech(voice):
    return concatenate([voice("jo_test"), voice("jo_enrol").between(0, 10)])


@pytest.fixture(scope="module")
def crowd(voice):
    return Surroundings(voices=[voice(f"{name}_test") for name in ("amina", "kofi", "mei", "sven")])


def through(channel, audio, around, seed=0):
    return apply(channel, audio, chance=np.random.default_rng(seed), around=around)


def power(samples):
    return float(np.mean(np.square(samples, dtype=np.float64)))


def decibels(ratio):
    return 10.0 * np.log10(ratio)


def band_power(samples, low, high):
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    return spectrum[(hz >= low) & (hz < high)].sum()


def response(channel, hz, around):
    """What the channel does to a tone, in dB."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    tone = Audio((0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32))
    out = through(channel, tone, around)
    return decibels(band_power(out.samples, hz - 5, hz + 5) / band_power(tone.samples, hz - 5, hz + 5))


def delay(before, after):
    """Seconds by which `after` lags `before`, by cross-correlation."""
    size = 2 * len(before)
    product = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)))
    place = int(np.argmax(np.abs(product)))
    return (place if place < len(before) else place - size) / SAMPLE_RATE


@pytest.mark.parametrize("channel", CHANNELS)
def test_length_range_and_place_are_kept_and_the_same_seed_gives_the_same(channel, speech, crowd):
    out = through(channel, speech, crowd)
    assert len(out) == len(speech) and out.rate == SAMPLE_RATE
    assert np.isfinite(out.samples).all() and np.abs(out.samples).max() <= 1.0
    assert out.samples.tobytes() == through(channel, speech, crowd).samples.tobytes()
    assert abs(delay(speech.samples, out.samples)) < 0.02


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("length", [1, 77, 4001])
def test_short_sound_and_silence_pass(channel, length, speech, crowd):
    assert len(through(channel, Audio(speech.samples[3000 : 3000 + length]), crowd)) == length
    silent = through(channel, Audio(np.zeros(length, np.float32)), crowd)
    assert len(silent) == length and np.abs(silent.samples).max() < 1e-3
    assert len(through(channel, Audio(np.zeros(0, np.float32)), crowd)) == 0


@pytest.mark.parametrize("channel", ["mic", "noise10", "babble10", "far"])
def test_another_seed_gives_another_sound(channel, speech, crowd):
    assert not np.array_equal(through(channel, speech, crowd, 0).samples, through(channel, speech, crowd, 1).samples)


def test_clean_changes_nothing(speech, crowd):
    assert np.array_equal(through("clean", speech, crowd).samples, speech.samples)


def test_mic_has_its_band_and_its_snr(speech, crowd):
    from scipy.signal import butter, sosfilt

    assert response("mic", 1000.0, crowd) == pytest.approx(0.0, abs=0.5)
    for edge in (150.0, 5500.0):
        assert response("mic", edge, crowd) == pytest.approx(-3.0, abs=0.7)
    assert response("mic", 50.0, crowd) < -25.0 and response("mic", 7500.0, crowd) < -20.0
    heard = sosfilt(butter(4, (150.0, 5500.0), "bandpass", fs=SAMPLE_RATE, output="sos"), speech.samples)
    noise = through("mic", speech, crowd).samples - heard
    assert decibels(power(heard) / power(noise)) == pytest.approx(20.0, abs=0.5)
    # white: as strong in one half of the spectrum as in the other
    assert decibels(band_power(noise, 0, 4000) / band_power(noise, 4000, 8000)) == pytest.approx(0.0, abs=0.5)


def test_phone_keeps_its_band_and_nothing_above(speech, crowd):
    assert response("phone", 1000.0, crowd) == pytest.approx(0.0, abs=0.7)
    assert response("phone", 300.0, crowd) == pytest.approx(-3.0, abs=1.0)
    assert response("phone", 3400.0, crowd) == pytest.approx(-3.0, abs=1.5)
    assert response("phone", 100.0, crowd) < -30.0
    out = through("phone", speech, crowd).samples
    assert band_power(out, 4200, 8000) < 1e-4 * band_power(out, 300, 3400)


def test_mu_law_has_255_steps_and_38_db():
    ramp = np.linspace(-1, 1, 100_001, dtype=np.float32)
    out = mu_law(ramp)
    assert len(np.unique(out)) == 255 and out[0] == pytest.approx(-1.0) and out[-1] == pytest.approx(1.0)
    assert 0.0 in out and np.all(np.diff(out) >= 0.0)
    loud = np.abs(ramp) > 0.1
    assert decibels(power(ramp[loud]) / power((out - ramp)[loud])) == pytest.approx(38.0, abs=2.0)


@pytest.mark.parametrize(("channel", "least", "most"), [("opus12", 3.0, 20.0), ("mp3_64", 10.0, 40.0)])
def test_codecs_lose_something_but_not_much(channel, least, most, speech, crowd):
    out = through(channel, speech, crowd)
    gain = np.dot(out.samples, speech.samples) / np.dot(out.samples, out.samples)
    left = speech.samples - gain * out.samples
    assert least < decibels(power(speech.samples) / power(left)) < most


def test_babble_and_noise_lie_10_db_below(speech, crowd):
    for channel in ("babble10", "noise10"):
        added = through(channel, speech, crowd).samples - speech.samples
        assert decibels(power(speech.samples) / power(added)) == pytest.approx(10.0, abs=0.5)


def test_babble_is_made_of_the_others(speech, crowd, voice):
    one = Surroundings(voices=[voice("mei_test")])
    added = through("babble10", speech, one).samples - speech.samples
    size = 2 * len(speech)
    spectrum = np.fft.rfft(np.resize(voice("mei_test").samples, len(speech)), size)
    likeness = np.fft.irfft(np.fft.rfft(added, size) * np.conj(spectrum))
    likeness /= np.linalg.norm(added) * np.linalg.norm(np.resize(voice("mei_test").samples, len(speech)))
    assert np.abs(likeness).max() > 0.5
    with pytest.raises(DatasetError, match="other people"):
        through("babble10", speech, Surroundings())


def test_real_noise_is_taken_from_the_files(tmp_path, speech, samples):
    import soundfile

    hum = 0.2 * np.sin(2 * np.pi * 1200 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE)
    soundfile.write(tmp_path / "hum.wav", hum, SAMPLE_RATE)
    soundfile.write(tmp_path / "nothing.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    around = Surroundings(noise=tuple(sorted(tmp_path.iterdir())))
    added = through("noise10", speech, around).samples - speech.samples
    assert decibels(power(speech.samples) / power(added)) == pytest.approx(10.0, abs=0.5)
    assert band_power(added, 1100, 1300) > 0.95 * band_power(added, 0, 8000)
    shutil.rmtree(tmp_path)


def test_noise_without_a_sound_is_an_error(tmp_path, speech):
    import soundfile

    from core.errors import AudioError

    soundfile.write(tmp_path / "nothing.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    with pytest.raises(AudioError, match="noise"):
        through("noise10", speech, Surroundings(noise=(tmp_path / "nothing.wav",)))


def test_pink_noise_falls_by_3_db_an_octave(chance):
    noise = pink_noise(10 * SAMPLE_RATE, chance)
    octaves = [band_power(noise, low, 2 * low) for low in (125, 250, 500, 1000, 2000)]
    assert np.allclose(decibels(np.array(octaves) / octaves[0]), 0.0, atol=0.7)  # as much in each octave


@pytest.mark.parametrize("seed", range(5))
def test_a_room_decays_as_it_should(seed):
    room = room_response(np.random.default_rng(seed))
    assert decay_seconds(room) == pytest.approx(ROOM_T60, rel=0.05)
    assert np.argmax(np.abs(room)) < 0.02 * SAMPLE_RATE
    assert power(room) * len(room) == pytest.approx(1.0, rel=1e-4)
    assert np.sum(room[:160] ** 2) < 0.6  # the room is louder than the mouth is, or almost


def test_decay_of_a_known_exponential():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    assert decay_seconds(10.0 ** (-3.0 * time / 0.35)) == pytest.approx(0.35, rel=0.01)


def test_quiet_is_25_db_less_in_16_bits(speech, crowd):
    out = through("quiet", speech, crowd).samples
    assert decibels(power(out) / power(speech.samples)) == pytest.approx(-25.0, abs=0.1)
    assert np.allclose(out * 32767.0, np.rint(out * 32767.0), atol=1e-3)


def test_clipped_cuts_a_twentieth_at_full_scale(speech, crowd):
    out = through("clipped", speech, crowd).samples
    assert np.mean(np.abs(out) >= 1.0) == pytest.approx(CLIPPED_SHARE, abs=0.005)
    kept = np.abs(out) < 0.999
    assert np.corrcoef(out[kept], speech.samples[kept])[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize("snr", [-5.0, 0.0, 30.0])
def test_add_at_any_snr(snr, chance):
    signal, noise = chance.normal(0, 0.1, 50_000), chance.normal(0, 3.0, 50_000)
    added = add_at(signal, noise, snr) - signal
    assert decibels(power(signal) / power(added)) == pytest.approx(snr, abs=1e-3)


def test_wrong_names_and_rates_are_refused(speech, crowd):
    with pytest.raises(ValueError, match="choose from clean, mic"):
        through("radio", speech, crowd)
    with pytest.raises(ValueError, match="resample first"):
        through("mic", Audio(speech.samples, 8000), crowd)
