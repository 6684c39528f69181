"""core.augment: what comes out keeps shape, range and level, by seed; troubles are as strong as said."""

import numpy as np
import pytest

from core import augment
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, level_dbfs
from core.augment import Chances, SpectrogramAugmenter, WaveformAugmenter, band_limit, equaliser, reverberate
from core.segments import TARGET_LEVEL_DBFS, prepare
from core.spectrogram import BANDS, FMAX, FMIN, FRAMES, hz_to_mel, mel_power, mel_to_hz, spectrogram_image, to_decibels

VOICES = ("amina_test", "jo_test", "kofi_test", "mei_test", "sven_test")
NONE = Chances(noise=0, reverberation=0, equaliser=0, band_limit=0, floor=0, masks=0)
ALL = Chances(noise=1, reverberation=1, equaliser=1, band_limit=1, floor=1, masks=1)


@pytest.fixture(scope="module")
def clips(voice) -> list[np.ndarray]:
    return [prepare(voice(name).between(1.0, 6.0)) for name in VOICES]


@pytest.fixture(scope="module")
def crops(clips) -> np.ndarray:
    return np.stack([spectrogram_image(clip) for clip in clips])[:, :, 100:250]


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(2).integers(120, 180, (3, BANDS, FRAMES), dtype=np.uint8)


def only(**chances) -> Chances:
    return Chances(**{**vars(NONE), **chances})


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- images ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chances", [NONE, Chances(), ALL])
def test_images_keep_shape_and_type(crops, noise, chances):
    before = crops.copy()
    made = SpectrogramAugmenter(noise, chances)(crops, generator())
    assert made.shape == crops.shape and made.dtype == np.uint8
    np.testing.assert_array_equal(crops, before)  # the dataset in memory is not touched


def test_images_without_noise_recordings(crops):
    made = SpectrogramAugmenter(np.zeros((0, BANDS, FRAMES), np.uint8), ALL)(crops, generator())
    assert made.shape == crops.shape and made.std() > 5


def test_one_image_alone_has_nobody_else_to_babble(crops, noise):
    """The last batch of 65 images; and `train_cnn.py --batch 1`."""
    augmenter = SpectrogramAugmenter(noise, only(noise=1.0))
    made = [augmenter(crops[:1], generator(seed)) for seed in range(20)]
    assert all(one.shape == crops[:1].shape and (one != crops[:1]).any() for one in made)


@pytest.mark.parametrize("kind", ["noise", "reverberation", "equaliser", "band_limit", "floor", "masks"])
def test_the_same_seed_the_same_images(crops, noise, kind):
    augmenter = SpectrogramAugmenter(noise, only(**{kind: 1.0}))
    one, two, other = (augmenter(crops, generator(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert (one != other).mean() > 0.1


def test_without_troubles_only_the_gain_changes(crops, noise):
    """Every image moves by one number of decibels, 10 at most, but for what leaves the range of grey."""
    made = SpectrogramAugmenter(noise, NONE)(crops, generator())
    moved = made.astype(int) - crops.astype(int)
    inside = (crops > 40) & (crops < 215)
    for image, mask in zip(moved, inside, strict=True):
        assert np.ptp(image[mask]) <= 1
        assert abs(image[mask].mean()) <= 10 / (100 / 255) + 1


def test_noise_is_mixed_between_0_and_20_decibels(crops, noise, monkeypatch):
    """The power added to a crop is what the drawn signal-to-noise ratio says (0 to 20 dB), within 0.3 dB."""
    drawn = []
    augmenter = SpectrogramAugmenter(noise, only(noise=1.0))
    power = 10.0 ** (to_decibels(crops) / 10.0)

    class Watched:
        """A generator whose SNR and gain draws are known."""

        def __init__(self, seed):
            self.real = generator(seed)

        def uniform(self, low, high, *size):
            if (low, high) == (-10.0, 10.0):
                return 0.0  # no gain
            value = self.real.uniform(low, high, *size)
            if (low, high) == (0.0, 20.0):
                drawn.append(value)
            return value

        def __getattr__(self, name):
            return getattr(self.real, name)

    made = 10.0 ** (to_decibels(augmenter(crops, Watched(3))) / 10.0)
    assert len(drawn) == len(crops) and np.ptp(drawn) > 3
    for before, after, snr in zip(power, made, drawn, strict=True):
        added = (after - before).mean()
        assert 10 * np.log10(before.mean() / added) == pytest.approx(snr, abs=0.3)


def test_masks_hide_a_band_and_a_stretch(crops, noise):
    made = SpectrogramAugmenter(noise, only(masks=1.0))(crops, generator(1))
    plain = SpectrogramAugmenter(noise, only(masks=0.0))(crops, generator(1))
    hidden = (made == np.rint(made.reshape(len(made), -1).mean(axis=1))[:, None, None]).mean()
    assert hidden > (plain == plain.mean().round()).mean()
    whole_rows = sum((image.std(axis=1) == 0).sum() for image in made)
    whole_columns = sum((image.std(axis=0) == 0).sum() for image in made)
    assert 0 < whole_columns < len(made) * made.shape[2] / 4 and whole_rows <= 10 * len(made)


# --- the troubles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t60", [0.1, 0.4, 0.8])
def test_reverberation_keeps_mean_power(clips, t60):
    """Within 0.5 dB: the tail begins inside and some of it ends outside."""
    power = mel_power(clips[0])
    wet = reverberate(power, t60=t60, wet=0.5)
    assert wet.shape == power.shape and (wet >= 0).all()
    assert 10 * np.log10(wet.mean() / power.mean()) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("t60", [0.2, 0.5])
def test_reverberation_decays_as_said(t60):
    """60 dB in t60 seconds after a click."""
    click = np.zeros((BANDS, FRAMES), np.float32)
    click[:, 10] = 1.0
    tail = reverberate(click, t60=t60, wet=1.0)[0]
    frames = round(t60 * 100 / 2)
    assert 10 * np.log10(tail[10] / tail[10 + frames]) == pytest.approx(30.0, abs=0.5)
    np.testing.assert_array_equal(reverberate(click, t60=t60, wet=0.0), click)


def test_band_limits_attenuate_outside_only():
    centres = mel_to_hz(np.linspace(hz_to_mel(FMIN), hz_to_mel(FMAX), BANDS))
    for seed in range(50):
        gains = band_limit(generator(seed))
        assert gains.shape == (BANDS,) and gains.dtype == np.float32
        np.testing.assert_array_equal(gains[(centres > 350) & (centres < 3200)], 1.0)  # speech stays
        assert gains.max() == 1.0 and gains.min() >= 10**-6.001  # 60 dB at most
        falling = np.diff(gains[centres > 3200])
        assert (falling <= 0).all()
    assert any(band_limit(generator(seed))[-1] < 10**-2.4 for seed in range(10))  # 24 dB and more


def test_an_equaliser_is_smooth_and_moderate():
    curves = 10 * np.log10([equaliser(generator(seed)) for seed in range(300)])
    assert curves.shape == (300, BANDS)
    assert 4.0 < curves.std() < 7.0 and abs(curves.mean()) < 0.6  # 6 dB at the nodes, less between them
    assert np.abs(np.diff(curves, axis=1)).max() < 3.0


# --- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chances", [NONE, Chances(), ALL])
def test_samples_keep_shape_type_and_level(clips, chances):
    augmenter, chance = WaveformAugmenter([clips[4]], chances), generator()
    for _ in range(4):
        for clip in clips[:4]:
            before = clip.copy()
            made = augmenter(clip, chance)
            assert made.shape == (SEGMENT_SAMPLES,) and made.dtype == np.float32 and np.isfinite(made).all()
            assert level_dbfs(made) == pytest.approx(TARGET_LEVEL_DBFS, abs=0.01)
            np.testing.assert_array_equal(clip, before)


def test_without_troubles_samples_stay(clips):
    np.testing.assert_allclose(WaveformAugmenter([], NONE)(clips[0], generator()), clips[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["noise", "reverberation", "equaliser", "band_limit", "floor"])
def test_the_same_seed_the_same_samples(clips, kind):
    def made(seed: int) -> np.ndarray:
        augmenter, chance = WaveformAugmenter([clips[4]], only(**{kind: 1.0})), generator(seed)
        return np.stack([augmenter(clip, chance) for clip in clips[:3]])

    np.testing.assert_array_equal(made(5), made(5))
    assert np.abs(made(5) - made(6)).max() > 1e-3


def test_noise_in_samples_is_between_3_and_25_decibels(clips):
    """The part of the result that is not the voice, by projection: the ratio lies in the range, both ends are used."""
    ratios = []
    for seed in range(60):
        made = WaveformAugmenter([], only(noise=1.0))(clips[0], generator(seed)).astype(np.float64)
        clean = clips[0].astype(np.float64)
        voice = clean * (made @ clean) / (clean @ clean)
        ratios.append(10 * np.log10(np.sum(voice**2) / np.sum((made - voice) ** 2)))
    assert 2.5 < min(ratios) < 8 and 20 < max(ratios) < 25.5


def test_a_filter_on_samples_is_the_filter_on_bands(clips):
    """White noise through the waveform's filter has the band's gains, within 2 dB where the curve is smooth."""
    chance = generator(11)
    white = chance.standard_normal(SEGMENT_SAMPLES).astype(np.float32) * 0.1
    seed = next(s for s in range(50) if band_limit(_after_coins(s, 2))[-1] < 1e-3)
    filtered = WaveformAugmenter([], only(band_limit=1.0))._filtered(white, generator(seed))
    gains = band_limit(_after_coins(seed, 2))
    made = mel_power(filtered.astype(np.float32)).mean(axis=1) / mel_power(white).mean(axis=1)
    kept = gains == 1.0
    np.testing.assert_allclose(10 * np.log10(made[kept][2:-2]), 0.0, atol=1.0)
    assert 10 * np.log10(made[-1]) < -20


def _after_coins(seed: int, count: int) -> np.random.Generator:
    """The generator as `_filtered` hands it to `band_limit`: after its two coins."""
    chance = generator(seed)
    for _ in range(count):
        chance.random()
    return chance


def test_a_room_keeps_the_direct_sound_first():
    click = np.zeros(SEGMENT_SAMPLES, np.float32)
    click[1000] = 1.0
    heard = augment.reverberant(click, generator(4))
    assert len(heard) == SEGMENT_SAMPLES and np.abs(heard[:990]).max() < 1e-4
    assert heard[1000] > 0.05 and np.sum(heard**2) == pytest.approx(1.0, abs=1e-2)  # nothing lost, nothing won
    tail = np.abs(heard[1001:])
    assert tail[: SAMPLE_RATE // 10].sum() > 5 * tail[int(0.8 * SAMPLE_RATE) :].sum()


def test_overdriven_the_loudest_samples_are_cut_and_the_rest_stays(clips):
    shares = []
    for seed in range(40):
        heard = augment.overdriven(clips[0], generator(seed))
        assert heard.dtype == np.float32 and heard.shape == clips[0].shape
        peak = np.abs(heard).max()
        assert peak < np.abs(clips[0]).max()
        if np.mean(np.abs(heard) == peak) > 0.001:  # cut hard: what is below stays as it was
            np.testing.assert_array_equal(heard, np.clip(clips[0], -peak, peak))
            shares.append(np.mean(np.abs(clips[0]) > peak))
    assert 10 <= len(shares) <= 30  # half of them; the others softly
    assert 0.004 < min(shares) < 0.02 and 0.08 < max(shares) < 0.16


def test_silence_cannot_be_overdriven():
    assert not augment.overdriven(np.zeros(SEGMENT_SAMPLES, np.float32), generator()).any()
