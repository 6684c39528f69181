"""core.spectrogram: the image survives PNG, gain does not change it. What librosa says: tests/core/test_librosa.py."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core import spectrogram
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio
from core.segments import prepare
from core.spectrogram import (
    BANDS,
    DB_MAX,
    DB_MIN,
    DB_STEP,
    FMAX,
    FMIN,
    FRAMES,
    HOP,
    WINDOW,
    mel_power,
    read_png,
    spectrogram_image,
    write_png,
)
from tests.core.conftest import VOICES


@given(st.floats(0, 8000))
def test_mel_scale_has_an_inverse(hz):
    assert spectrogram.mel_to_hz(spectrogram.hz_to_mel(hz)) == pytest.approx(hz, rel=1e-9, abs=1e-6)


def test_image_of_speech(prepared):
    image = spectrogram_image(prepared)
    assert image.shape == (BANDS, FRAMES) and image.dtype == np.uint8
    assert image.std() > 20  # speech has loud and soft places
    assert (image == 255).mean() < 0.001  # and DB_MAX leaves room above it


@pytest.mark.parametrize("gain", [0.25, 0.5, 0.8, 1.3])
@pytest.mark.parametrize("name", VOICES)
def test_gain_does_not_reach_the_image(voice, name, gain):
    """From -12 to +2 dB: one grey level (0.4 dB) at most."""
    sound = voice(name).between(1.0, 6.0)
    images = [spectrogram_image(prepare(Audio(sound.samples * np.float32(g)))).astype(int) for g in (1.0, gain)]
    assert np.abs(images[0] - images[1]).max() <= 1


@pytest.mark.parametrize("hz", [200, 1000, 3000, 7000])
def test_a_tone_lights_its_band(hz):
    tone = 0.1 * np.sin(2 * np.pi * hz * np.arange(SEGMENT_SAMPLES) / SAMPLE_RATE).astype(np.float32)
    centres = spectrogram.mel_to_hz(np.linspace(*spectrogram.hz_to_mel([FMIN, FMAX]), BANDS + 2))[1:-1]
    loudest = mel_power(tone).argmax(axis=0)
    assert np.abs(loudest - np.abs(centres - hz).argmin()).max() <= 1


def test_a_click_lights_its_frame():
    samples = np.zeros(SEGMENT_SAMPLES, np.float32)
    samples[200 * HOP] = 1.0
    columns = np.flatnonzero(mel_power(samples).sum(axis=0) > 1e-6)
    assert abs(columns.mean() - 200) <= 1 and len(columns) <= WINDOW // HOP + 1


def test_ten_times_the_power_is_25_grey_levels():
    grey = spectrogram.to_grey(np.array([1e-12, 1e-7, 1.0, 10.0, 1e3, 1e9]))
    assert grey.tolist() == [0, 0, 178, 204, 255, 255]
    assert DB_STEP * 255 == DB_MAX - DB_MIN


def test_grey_levels_and_decibels_are_one_to_one():
    grey = np.arange(256, dtype=np.uint8)
    decibels = spectrogram.to_decibels(grey)
    assert decibels.dtype == np.float32 and decibels[0] == DB_MIN and decibels[-1] == pytest.approx(DB_MAX)
    np.testing.assert_array_equal(spectrogram.to_grey(10.0 ** (decibels.astype(np.float64) / 10)), grey)


def test_silence_is_black():
    assert not spectrogram_image(np.zeros(SEGMENT_SAMPLES, np.float32)).any()


@pytest.mark.parametrize("count", [0, SEGMENT_SAMPLES - 1, SEGMENT_SAMPLES + 1])
def test_other_lengths_are_refused(count):
    with pytest.raises(ValueError, match=f"expected {SEGMENT_SAMPLES} samples, got {count}"):
        spectrogram_image(np.zeros(count, np.float32))


def test_png_keeps_every_bit(prepared, tmp_path):
    image = spectrogram_image(prepared)
    write_png(image, tmp_path / "a.png")
    back = read_png(tmp_path / "a.png")
    assert back.dtype == np.uint8 and back.flags.c_contiguous
    np.testing.assert_array_equal(back, image)


def test_png_of_noise_keeps_every_bit(chance):
    image = chance.integers(0, 256, (BANDS, FRAMES), dtype=np.uint8)
    buffer = io.BytesIO()
    write_png(image, buffer)
    buffer.seek(0)
    np.testing.assert_array_equal(read_png(buffer), image)


def test_png_is_grey_with_low_frequencies_at_the_bottom(tmp_path):
    image = np.zeros((BANDS, FRAMES), np.uint8)
    image[0] = 255
    write_png(image, tmp_path / "low.png")
    with Image.open(tmp_path / "low.png") as picture:
        assert picture.mode == "L" and picture.size == (FRAMES, BANDS)
        assert picture.getpixel((0, BANDS - 1)) == 255 and picture.getpixel((0, 0)) == 0


def test_a_picture_of_another_size_is_refused(tmp_path):
    Image.new("L", (64, 32)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match="small.png is 64 x 32 pixels, expected 500 x 80"):
        read_png(tmp_path / "small.png")


def test_images_are_the_same_every_time(prepared):
    np.testing.assert_array_equal(spectrogram_image(prepared), spectrogram_image(prepared.copy()))
