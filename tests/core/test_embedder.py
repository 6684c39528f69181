"""core.embedder: the shipped weights answer, alone or in a batch or from many threads; damaged ones are refused."""

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from core.embedder import BATCH, CALIBRATION, MODELS, PRETRAINED, Embedder, Embeddings
from core.errors import ModelError
from core.heads import Calibration
from core.segments import prepare
from core.spectral import COLUMNS, feature_row
from core.spectrogram import spectrogram_image
from tests.conftest import ROOT

VOICES = ["amina_test", "jo_test", "kofi_test", "mei_test", "sven_test"]
ALIKE = 1e-5  # largest difference of an embedding's value between one batch and another


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture(scope="module")
def segments(voice) -> list[np.ndarray]:
    """Twenty prepared segments: more than one batch."""
    starts = np.arange(0.0, 8.0, 2.0)
    return [prepare(voice(name).between(start, start + 5.0)) for name in VOICES for start in starts]


@pytest.fixture(scope="module")
def together(embedder, segments) -> Embeddings:
    """All twenty at once."""
    return embedder.embed(segments)


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the weights that a test may damage."""
    return Path(shutil.copytree(PRETRAINED, tmp_path / "pretrained"))


def described(folder: Path, **change) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


# --- what it answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_embeddings_are_unit_vectors(embedder, together, model):
    assert len(together) > BATCH
    made = together.of(model)
    assert made.shape == (20, embedder.description["embedding"]) and made.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_a_voice_is_nearer_to_itself(together, model):
    """Mean cosine within a voice above that between voices, by far: embeddings tell voices apart."""
    made = together.of(model).reshape(5, 4, -1)
    centres = made.mean(axis=1)
    within = np.mean([own @ centre for own, centre in zip(made, centres, strict=True)])
    between = np.mean([made[i] @ centres[j] for i in range(5) for j in range(5) if i != j])
    assert within > between + 0.25


def test_alone_or_in_a_batch(embedder, segments, together):
    for place in (0, 7, 19):
        alone = embedder.embed(segments[place : place + 1])
        for model in MODELS:
            np.testing.assert_allclose(alone.of(model)[0], together.of(model)[place], atol=ALIKE)


def test_many_threads_hear_the_same(embedder, segments, together):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: embedder.embed([one]), segments))
    for place, alone in enumerate(answers):
        for model in MODELS:
            np.testing.assert_allclose(alone.of(model)[0], together.of(model)[place], atol=ALIKE)


def test_images_and_rows_are_the_two_definitions(embedder, segments):
    few = segments[:3]
    made = embedder.embed(few)
    images = np.stack([spectrogram_image(one) for one in few])
    np.testing.assert_array_equal(embedder.images(few), images)
    np.testing.assert_array_equal(embedder.embed_images(images), made.cnn)
    np.testing.assert_array_equal(embedder.embed_rows(np.stack([feature_row(one) for one in few])), made.ann)


def test_nothing_gives_nothing(embedder):
    made = embedder.embed([])
    assert len(made) == 0 and made.cnn.shape == made.ann.shape == (0, embedder.description["embedding"])
    assert embedder.images([]).shape[0] == 0


def test_the_cohort_and_the_description(embedder):
    for model in MODELS:
        cohort = embedder.cohort.of(model)
        assert cohort.dtype == np.float32 and len(cohort) >= 100
        np.testing.assert_allclose(np.linalg.norm(cohort, axis=1), 1.0, atol=2e-3)  # kept in 16 bits
    assert embedder.description["columns"] == len(COLUMNS) and len(embedder.model_id) >= 8
    assert tuple(field.name for field in fields(Calibration)) == CALIBRATION
    made = Calibration(**embedder.calibration)
    assert made.cnn_slope > 0 and made.ann_slope > 0 and made.cnn_weight >= 0 and made.ann_weight >= 0


def test_hashes_are_those_of_the_files(embedder):
    for entry in embedder.description["files"].values():
        assert hashlib.sha256((PRETRAINED / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]


# --- damaged weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["cnn.onnx", "ann.onnx", "cohort.npz"])
def test_one_changed_bit_is_found(copy, file):
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)
    with pytest.raises(ModelError, match=f"{file} is not the file it should be: SHA-256 .* get the weights again"):
        Embedder(copy)


@pytest.mark.parametrize("file", ["cnn.onnx", "cohort.npz"])
@pytest.mark.parametrize("size", [0, 1000])
def test_a_file_cut_off_is_found(copy, file, size):
    (copy / file).write_bytes((copy / file).read_bytes()[:size])
    with pytest.raises(ModelError, match=f"{file} is not the file it should be"):
        Embedder(copy)


@pytest.mark.parametrize("file", ["cnn.onnx", "ann.onnx", "cohort.npz", "model.json"])
def test_a_missing_file_is_named(copy, file):
    (copy / file).unlink()
    with pytest.raises(ModelError, match=f"{file} cannot be read .No such file.*git checkout"):
        Embedder(copy)


def test_no_weights_at_all(tmp_path):
    with pytest.raises(ModelError, match="no weights: .*model.json cannot be read"):
        Embedder(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "not JSON", "\ufffe"])
def test_a_description_that_is_no_json(copy, text):
    (copy / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="model.json is not valid JSON: get the weights again"):
        Embedder(copy)


@pytest.mark.parametrize("text", ["null", "[]", "3", "{}", '{"id": "x", "files": {}}'])
def test_a_description_of_another_kind(copy, text):
    (copy / "model.json").write_text(text)
    with pytest.raises(ModelError, match="model.json lacks .*of different versions"):
        Embedder(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"files": {"cnn": "cnn.onnx", "ann": {"name": "ann.onnx"}, "cohort": {}}},
        {"calibration": {"cnn_slope": 1.0}},
        {"calibration": None},
    ],
)
def test_a_description_with_parts_missing(copy, change):
    described(copy, **change)
    with pytest.raises(ModelError, match="model.json lacks"):
        Embedder(copy)


def test_another_number_of_columns(copy):
    described(copy, columns=26)
    with pytest.raises(ModelError, match=f"expects 26 feature columns, this program makes {len(COLUMNS)}"):
        Embedder(copy)


def test_a_file_with_the_right_hash_that_is_no_network(copy):
    (copy / "ann.onnx").write_bytes(b"no network")
    files = json.loads((copy / "model.json").read_text())["files"]
    files["ann"]["sha256"] = hashlib.sha256(b"no network").hexdigest()
    described(copy, files=files)
    with pytest.raises(ModelError, match="ONNX Runtime cannot load the weights"):
        Embedder(copy)


# --- what the app does not import -----------------------------------------------------------------------------------

NAME_SOMEBODY = """
import sys
from core.audio import stream
from core.recognizer import Recognizer
recognizer = Recognizer(sys.argv[1])
recognizer.enrol("Amina", stream("demo/samples/amina_enrol.opus"), consent=True)
print([answer.both.name for answer in recognizer.identify(stream("demo/samples/amina_test.opus"))])
heavy = "tensorflow keras torch librosa numba matplotlib gradio yt_dlp sounddevice tf2onnx"
print([name for name in heavy.split() if name in sys.modules])
ours = "networks augment training calibration dataset evaluation"
print([name for name in ours.split() if f"core.{name}" in sys.modules])
"""


def test_naming_somebody_needs_no_training_packages(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", NAME_SOMEBODY, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["['Amina', 'Amina', 'Amina']", "[]", "[]"] and done.stderr == ""
