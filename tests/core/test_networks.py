"""core.networks: shapes, unit length, what the layers and the loss compute, and the ONNX file against Keras."""

import importlib.util
import json
import os
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest

from core.embedder import PRETRAINED
from core.spectral import COLUMNS
from core.spectrogram import BANDS, DB_MAX, DB_MIN, spectrogram_image
from tests.conftest import ROOT
from tests.core.exported import kept_with_8_bits

pytest.importorskip("keras", reason="Keras is not installed: training needs it (pip install -e '.[train]')")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training needs it")

# Of the CNN: quick, all kinds of layers in it. Not narrower: TensorFlow 2.21's oneDNN kernels corrupt the heap when
# they train convolutions of fewer than 16 channels.
SMALL = {"channels": (16, 32), "blocks": (1, 1)}


@pytest.fixture(scope="module")
def networks():
    import keras

    from core import networks

    keras.utils.set_random_seed(0)
    return networks


@pytest.fixture(scope="module")
def images(voice) -> np.ndarray:
    """Grey / 255 of real segments: float32 (4, BANDS, FRAMES)."""
    from core.segments import prepare

    names = ("amina_test", "jo_test", "kofi_test", "sven_test")
    return np.stack([spectrogram_image(prepare(voice(name).between(1.0, 6.0))) for name in names]) / np.float32(255.0)


@pytest.fixture(scope="module")
def small(networks):
    return networks.cnn(**SMALL)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    chance = np.random.default_rng(7)
    return (chance.standard_normal((64, len(COLUMNS))) * 30.0 + 100.0).astype(np.float32)


def lengths(embeddings) -> np.ndarray:
    return np.linalg.norm(np.asarray(embeddings), axis=1)


# --- networks -------------------------------------------------------------------------------------------------------


def test_the_cnn_gives_unit_vectors_of_any_length_of_sound(networks, small, images):
    for frames in (100, 333, 500):
        embeddings = small(images[:, :, :frames])
        assert embeddings.shape == (4, networks.EMBEDDING)
        np.testing.assert_allclose(lengths(embeddings), 1.0, atol=1e-5)
    assert np.asarray(small(images)).std(axis=0).max() > 1e-3  # different voices, different answers


def test_the_shipped_architectures_have_the_stated_size(networks):
    cnn, ann = networks.cnn(), networks.ann()
    assert cnn.input_shape == (None, BANDS, None) and cnn.output_shape == (None, networks.EMBEDDING)
    assert ann.input_shape == (None, len(COLUMNS)) and ann.output_shape == (None, networks.EMBEDDING)
    assert cnn.count_params() < 2_500_000 and ann.count_params() < 2_000_000


def test_the_ann_gives_unit_vectors_from_raw_rows(networks, rows):
    body = networks.ann(hidden=(16,))
    body.get_layer("standardise").adapt(rows)
    np.testing.assert_allclose(lengths(body(rows)), 1.0, atol=1e-5)


def test_standardise_is_the_training_sets_and_clips(networks, rows):
    layer = networks.Standardise()
    layer.build((None, rows.shape[1]))
    layer.adapt(rows)
    out = np.asarray(layer(rows))
    np.testing.assert_allclose(out.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(out.std(axis=0), 1.0, atol=1e-3)
    assert np.asarray(layer(rows + 1e6)).max() == 6.0 and np.asarray(layer(rows - 1e6)).min() == -6.0
    same = np.zeros_like(rows)
    layer.adapt(same)  # a column that never changes
    assert not np.asarray(layer(same)).any()


def test_an_equaliser_vanishes_in_mean_subtraction(networks, images, chance):
    """A constant number of dB per band, where nothing saturates, leaves no trace; nor does gain."""
    grey_per_db = 1.0 / (DB_MAX - DB_MIN)
    curve = chance.uniform(-15, 15, (1, BANDS, 1)).astype(np.float32)
    layer = networks.MeanSubtraction()
    plain, coloured = np.asarray(layer(images)), np.asarray(layer(images + curve * grey_per_db))
    assert plain.shape == (*images.shape, 1)
    np.testing.assert_allclose(coloured, plain, atol=1e-4)
    np.testing.assert_allclose(plain.mean(axis=2), 0.0, atol=1e-4)
    assert 0.3 < plain.std() < 3.0  # in units of about one deviation of speech


def test_the_long_term_spectrum_is_seen_beside_what_changes(networks, images):
    """An equaliser is seen in the second channel alone, loudness in neither."""
    from core.network_layers import SPREAD_DB, LongTermSpectrum, MeanSubtraction

    curve = np.linspace(-6.0, 6.0, BANDS, dtype=np.float32)  # dB, no louder on the whole
    filtered = images + (curve / np.float32(DB_MAX - DB_MIN))[:, None]
    layer = LongTermSpectrum()
    plain, filtered, louder = (np.asarray(layer(some)) for some in (images, filtered, images + np.float32(0.05)))
    assert plain.shape == (*images.shape, 2)
    np.testing.assert_allclose(plain[..., :1], np.asarray(MeanSubtraction()(images)), atol=1e-5)
    assert np.ptp(plain[..., 1], axis=2).max() < 1e-5 < 0.5 < plain[..., 1].std()
    np.testing.assert_allclose(filtered[..., 0], plain[..., 0], atol=1e-4)
    np.testing.assert_allclose((filtered - plain)[0, :, 0, 1], curve / SPREAD_DB, atol=1e-4)
    np.testing.assert_allclose(louder, plain, atol=1e-4)


def test_attentive_statistics_of_a_steady_input_are_its_value_and_no_deviation(networks):
    layer = networks.AttentiveStatistics(hidden=4)
    steady = np.tile(np.array([[[1.0, -2.0, 3.0]]], np.float32), (2, 50, 1))
    out = np.asarray(layer(steady))
    np.testing.assert_allclose(out[:, :3], steady[:, 0], atol=1e-4)
    np.testing.assert_allclose(out[:, 3:], 0.01, atol=5e-3)  # the square root of the floor, 1e-4


def test_the_originals(networks):
    cnn, ann = networks.original_cnn(), networks.original_ann()
    assert cnn.input_shape == (None, 64, 64, 3) and cnn.output_shape == (None, 13 * 13 * 32)
    assert ann.input_shape == (None, 26) and ann.output_shape == (None, 128)
    assert [layer.units for layer in ann.layers if hasattr(layer, "units")] == [512, 256, 128]
    chances = np.asarray(networks.with_softmax_head(ann, 80)(np.zeros((2, 26), np.float32)))
    assert chances.shape == (2, 80)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)


def test_every_architecture_is_named(networks):
    assert set(networks.ARCHITECTURES) == {*networks.IMAGE_NETWORKS, "ann", "original_cnn", "original_ann"}
    assert all(name == build.__name__ for name, build in networks.ARCHITECTURES.items())


@pytest.mark.parametrize("name", ["vgg", "separable", "tdnn", "cnn_64"])
def test_the_other_networks_of_images_can_take_the_cnns_place(networks, images, name):
    body = networks.IMAGE_NETWORKS[name]()
    made = np.asarray(body(images, training=True))  # untrained: by the batch's own statistics
    assert made.shape == (4, networks.EMBEDDING) and made.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(lengths(made), 1.0, atol=1e-5)
    if body.input_shape[2] is None:
        assert np.asarray(body(images[:, :, :150])).shape == made.shape


def test_the_documented_network_is_one(networks, images):
    """The example of docs/architectures.md, as it stands there, put at the end of core/networks.py."""
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[1].split("IMAGE_NETWORKS = ")[0]
    there = dict(vars(networks))
    exec(example, there)
    made = np.asarray(there["wide"]()(images[:, :, :150], training=True))
    np.testing.assert_allclose(lengths(made), 1.0, atol=1e-5)
    assert f"cnn {there['wide']().name} " in page and f"--architecture {there['wide']().name} " in page


def test_operations_are_counted_as_by_hand(networks):
    from core.operations import operations

    shape = (BANDS, 500)
    # pictures of 62, 60 and, pooled, 28 and 26 pixels come out of the original's convolutions
    original = 9 * (3 * 16 * 62**2 + 16 * 16 * 60**2 + 16 * 32 * 28**2 + 32 * 32 * 26**2)
    assert operations(networks.original_cnn(), (64, 64, 3)) == 2 * original
    assert operations(networks.original_ann(), (26,)) == 2 * (26 * 512 + 512 * 256 + 256 * 128)
    ours = 500 * (5 * 80 * 256 + 2 * 3 * 256 * 256 + 256 * 256 + 256 * 512)
    attention, last = 500 * (512 * 96 + 96 * 512), 2 * 512 * 192
    assert operations(networks.tdnn(), shape) == 2 * (ours + attention + last)
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    for name, build in networks.IMAGE_NETWORKS.items():
        body = build()
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        assert row.endswith(f"| {body.count_params():,} | {operations(body, shape) / 1e6:,.1f} |")
    hidden = json.loads((PRETRAINED / "model.json").read_text(encoding="utf-8"))["recipe"]["ann"]["hidden"]
    ships = networks.ann(hidden=tuple(hidden))
    size, work = f"{ships.count_params():,} parameters", f"{operations(ships, (len(COLUMNS),)) / 1e6:.1f} MFLOP"
    assert f"what ships, two of {hidden[0]:,}: {size}, {work}" in page
    few = operations(networks.cnn(**SMALL), shape)
    assert few < operations(networks.cnn(**SMALL), (BANDS, 1000)) <= 2 * few


# --- the loss -------------------------------------------------------------------------------------------------------

COSINES = np.array([[0.3, 0.1, -0.4], [0.2, 0.5, 0.45], [-0.9, 0.0, 0.3]], np.float32)
TRUTH = np.array([0, 1, 2])


def loss_of(networks, margin: float, cosines=COSINES, truth=TRUTH) -> np.ndarray:
    return np.asarray(networks.AngularMarginLoss(margin).call(truth, cosines))


def cross_entropy(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(truth)), truth]


def test_without_margin_the_loss_is_scaled_softmax_cross_entropy(networks):
    from core.network_layers import SCALE

    np.testing.assert_allclose(loss_of(networks, 0.0), cross_entropy(SCALE * COSINES, TRUTH), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("margin", [0.1, 0.3, 0.5])
def test_the_margin_widens_the_true_angle_only(networks, margin):
    """By hand: cos(arccos(true) + margin) in the true place, the others as they are."""
    from core.network_layers import SCALE

    widened = COSINES.astype(np.float64)
    for row, column in enumerate(TRUTH):
        widened[row, column] = np.cos(np.arccos(widened[row, column]) + margin)
    np.testing.assert_allclose(loss_of(networks, margin), cross_entropy(SCALE * widened, TRUTH), rtol=1e-3, atol=1e-4)
    assert (loss_of(networks, margin) > loss_of(networks, 0.0)).all()


def test_the_loss_is_finite_at_the_ends(networks):
    ends = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)
    losses = loss_of(networks, 0.5, ends, np.array([0, 0]))
    assert np.isfinite(losses).all() and losses[0] < 1e-4 and losses[1] > 50
    column = loss_of(networks, 0.2, COSINES, TRUTH[:, None])  # labels (B, 1) are labels (B,)
    np.testing.assert_array_equal(column, loss_of(networks, 0.2))


def test_cosines_are_cosines(networks, chance):
    layer = networks.Cosines(5)
    unit = chance.standard_normal((7, 12)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    out = np.asarray(layer(unit))
    directions = np.asarray(layer.directions)
    np.testing.assert_allclose(out, unit @ directions / np.linalg.norm(directions, axis=0), atol=1e-5)
    assert np.abs(out).max() <= 1.0


def test_a_few_steps_learn(networks, images):
    """Four pictures of four voices: the loss falls and all are told apart."""
    import keras

    truth = np.arange(4, dtype="int32")
    model = networks.with_margin_head(networks.cnn(**SMALL), 4)
    model.compile(keras.optimizers.Adam(3e-3), networks.AngularMarginLoss(0.0), metrics=["sparse_categorical_accuracy"])
    crops = images[:, :, :200]
    losses = [float(model.train_on_batch(crops, truth)[0]) for _ in range(25)]
    assert losses[-1] < 0.2 * losses[0]
    assert np.asarray(model(crops, training=True)).argmax(axis=1).tolist() == [0, 1, 2, 3]


# --- the ONNX file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["cnn", "ann"])
def test_onnx_equals_keras(networks, small, images, rows, tmp_path, which):
    """Within what 16 bits allow, also for another number of segments than one."""
    import onnxruntime

    from core.exchange import export

    if which == "ann":
        body, inputs = networks.ann(hidden=(16,)), rows[:4]
        body.get_layer("standardise").adapt(rows)
    else:
        body, inputs = small, images
    wanted = np.asarray(body(inputs))
    path = tmp_path / f"{which}.onnx"
    export(body, path)
    assert list(tmp_path.iterdir()) == [path]  # whole, nothing beside it
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for count in (1, 4):
        made = session.run(None, {session.get_inputs()[0].name: inputs[:count]})[0]
        np.testing.assert_allclose(made, wanted[:count], atol=2e-3)


@pytest.mark.parametrize("which", ["cnn", "ann"])
def test_a_folded_matrix_multiplies_the_embedding(networks, images, rows, chance, which):
    from core.compensation import compensate
    from core.errors import DatasetError
    from core.exchange import fold

    body, inputs = (networks.cnn(**SMALL), images) if which == "cnn" else (networks.ann(hidden=(16,)), rows[:4])
    norm = body.layers[-2]
    for weight, low, high in zip(norm.weights, (0.5, -1.0, -1.0, 0.5), (2.0, 1.0, 1.0, 2.0), strict=True):
        weight.assign(chance.uniform(low, high, weight.shape))
    matrix = chance.standard_normal((networks.EMBEDDING,) * 2)
    matrix = matrix + matrix.T
    wanted = compensate(np.asarray(body(inputs)), matrix)
    fold(body, matrix)
    np.testing.assert_allclose(np.asarray(body(inputs)), wanted, atol=1e-4)
    with pytest.raises(DatasetError, match="nothing folded"):
        fold(networks.original_ann(), matrix)


def test_training_goes_on_from_an_exported_file(networks, small, images, tmp_path):
    """A fresh CNN with the weights of the file answers as the one that was exported, and in training mode too."""
    from core.errors import DatasetError
    from core.exchange import export, restore_exported

    path = tmp_path / "cnn.onnx"
    wanted = np.asarray(small(images))  # Keras exports what has been called
    export(small, path)
    again = networks.cnn(**SMALL)
    assert np.abs(np.asarray(again(images)) - wanted).max() > 0.01  # another random start
    restore_exported(again, path, images)
    np.testing.assert_allclose(np.asarray(again(images)), wanted, atol=2e-3)
    np.testing.assert_allclose(np.asarray(again(images, training=True)), wanted, atol=2e-2)
    with pytest.raises(DatasetError, match="another architecture"):
        restore_exported(networks.cnn(channels=(16, 24), blocks=(1, 1)), path, images)


@pytest.mark.parametrize("which", ["cnn", "ann"])
def test_a_large_network_is_kept_with_8_bits(networks, images, rows, tmp_path, monkeypatch, which):
    """Its file answers as the coarsened network does, and is a good deal shorter than with 16 bits."""
    body, inputs = (networks.cnn(**SMALL), images) if which == "cnn" else (networks.ann(hidden=(128, 64)), rows)
    if which == "ann":
        body.get_layer("standardise").adapt(rows)
    kept_with_8_bits(body, inputs, tmp_path, monkeypatch)


def test_two_networks_in_one_file(networks, small, images, chance, tmp_path):
    """The joined file answers with both embeddings times the matrix; each network is found in it again."""
    import onnxruntime

    from core.compensation import compensate
    from core.errors import DatasetError
    from core.exchange import export, inputs_of, join, parts_in, restore_exported, take_part

    second = networks.cnn_long_term(**SMALL)
    answers = []
    for body, name in ((small, "first.onnx"), (second, "second.onnx")):
        answers.append(np.asarray(body(images)))
        export(body, tmp_path / name)
    matrix = chance.standard_normal((2 * networks.EMBEDDING, networks.EMBEDDING))
    path = tmp_path / "both.onnx"
    join([tmp_path / "first.onnx", tmp_path / "second.onnx"], matrix, path)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    made = session.run(None, {session.get_inputs()[0].name: images})[0]
    np.testing.assert_allclose(made, compensate(np.concatenate(answers, axis=1), matrix), atol=2e-3)
    assert path.stat().st_size < 1.1 * sum((tmp_path / one).stat().st_size for one in ("first.onnx", "second.onnx"))

    of_one = tmp_path / "first.onnx"  # is what is taken of it
    assert (parts_in(path), parts_in(of_one)) == (2, 1) and len(inputs_of(path)) == 3
    for source, place, wanted in ((path, 0, answers[0]), (path, -1, answers[1]), (of_one, -1, answers[0])):
        take_part(source, place, tmp_path / "alone.onnx")
        session = onnxruntime.InferenceSession((tmp_path / "alone.onnx").read_bytes())
        alone = session.run(None, {session.get_inputs()[0].name: images})[0]
        np.testing.assert_allclose(alone, wanted, atol=2e-3)

    for make, wanted in zip((networks.cnn, networks.cnn_long_term), answers, strict=True):
        again = make(**SMALL)
        restore_exported(again, path, images)
        np.testing.assert_allclose(np.asarray(again(images)), wanted, atol=2e-3)
    with pytest.raises(DatasetError, match="another architecture"):
        restore_exported(networks.cnn(channels=(16, 24), blocks=(1, 1)), path, images)


ON_TORCH = """
import numpy as np, keras
from core.network_layers import BatchNorm
inputs = np.random.default_rng(0).normal(3.0, 2.0, (6, 5, 7, 4)).astype("float32")
for shape in (inputs, inputs[:, 0, 0]):
    ours = BatchNorm()
    theirs = keras.layers.BatchNormalization(momentum=ours.momentum, epsilon=ours.epsilon)
    for training in (True, True, False):
        a, b = (keras.ops.convert_to_numpy(layer(shape, training=training)) for layer in (ours, theirs))
        np.testing.assert_allclose(a, b, atol=1e-4)
    for mine, its in zip(ours.non_trainable_variables, theirs.non_trainable_variables):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(mine), keras.ops.convert_to_numpy(its), rtol=0.02, err_msg=mine.name
        )
print(keras.backend.backend())
"""


def test_batch_normalisation_on_torch_is_keras_own():
    """Outputs within 1e-4, moving statistics within 2 % (PyTorch's variance may be the unbiased one)."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: an optional training backend (pip install torch)")
    done = subprocess.run(
        [sys.executable, "-c", ON_TORCH],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == "torch"
