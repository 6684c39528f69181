"""What a model listened to: parts that add up, and a map that finds what was put there."""

from pathlib import Path

import numpy as np
import pytest

from core.embedder import PRETRAINED, Embedder
from core.errors import ModelError
from core.explain import REGIONS, contributions, group_edges, occlusion
from core.feature_words import FAMILIES, OTHER, families, family_of, in_words
from core.heads import Calibration, Heads
from core.onnx_constants import standardisation
from core.segments import prepare
from core.spectral import COLUMNS, feature_row
from core.spectrogram import BANDS, FRAMES, spectrogram_image


@pytest.fixture(scope="module")
def embedder():
    return Embedder()


@pytest.fixture(scope="module")
def heads(embedder, voice):
    """Amina and Kofi, enrolled with four segments each."""
    people = [
        embedder.embed([prepare(voice(f"{name}_enrol").between(at, at + 5.0)) for at in (0.0, 5.0, 10.0, 15.0)])
        for name in ("amina", "kofi")
    ]
    return Heads(["Amina", "Kofi"], people, embedder.cohort, Calibration(**embedder.calibration))


@pytest.fixture(scope="module")
def heard(voice):
    """Five seconds of Amina that did not enrol."""
    return prepare(voice("amina_test").between(0.0, 5.0))


def test_the_map_has_the_asked_patches_and_knows_the_whole(embedder, heads, heard):
    image = spectrogram_image(heard)
    found = occlusion(embedder, heads, image, "Amina", grid=(4, 5))
    assert found.drops.shape == (4, 5) and np.isfinite(found.drops).all()
    whole = heads.log_odds(embedder.embed([heard]))["cnn"][0, 0]
    assert found.log_odds == pytest.approx(whole, abs=1e-3)
    assert sum(found.regions()) == pytest.approx(1.0) and len(found.regions()) == len(REGIONS)
    start, end, low, high = found.strongest()
    assert 0.0 <= start < end <= 5.0 and 20.0 <= low < high <= 7600.0


def test_a_hidden_patch_is_what_the_map_says(embedder, heads, heard):
    """The same patch hidden by hand costs the same."""
    image = spectrogram_image(heard)
    found = occlusion(embedder, heads, image, "Kofi", grid=(2, 2))
    by_hand = image.copy()
    by_hand[40:, :250] = image.mean(axis=1, keepdims=True).round().astype(np.uint8)[40:]
    embedded = embedder.embed_images(by_hand[None])
    from core.embedder import Embeddings

    odds = heads.log_odds(Embeddings(embedded, np.zeros_like(embedded)))["cnn"][0, 1]
    assert found.drops[1, 0] == pytest.approx(found.log_odds - odds, abs=1e-3)


def test_an_image_that_says_nothing_has_no_evidence(embedder, heads):
    """Every band stands still: hiding a part of it changes nothing."""
    still = np.repeat(np.arange(BANDS, dtype=np.uint8)[:, None] * 3, FRAMES, axis=1)
    found = occlusion(embedder, heads, still, "Amina", grid=(2, 3))
    assert np.abs(found.drops).max() < 1e-4


def test_without_a_grid_the_time_decides(embedder, heads, heard):
    image = spectrogram_image(heard)
    fine = occlusion(embedder, heads, image, "Amina", seconds=600.0)
    coarse = occlusion(embedder, heads, image, "Amina", seconds=0.0)
    assert fine.drops.shape == (10, 25) and coarse.drops.shape == (5, 10)


def test_groups_of_bands_cover_the_picture():
    edges = group_edges(8)
    assert edges[0] == pytest.approx(20.0) and edges[-1] == pytest.approx(7600.0) and (np.diff(edges) > 0).all()


def test_contributions_add_up(embedder, heads, heard):
    row = feature_row(heard)
    found = contributions(embedder, heads, row, "Amina")
    assert found.average + sum(part.log_odds for part in found.parts) == pytest.approx(found.log_odds, abs=1e-3)
    assert found.log_odds == pytest.approx(heads.log_odds(embedder.embed([heard]))["ann"][0, 0], abs=1e-3)
    assert [abs(part.log_odds) for part in found.parts] == sorted((abs(p.log_odds) for p in found.parts), reverse=True)
    assert found == contributions(embedder, heads, row, "Amina")  # the same every time
    best = found.parts[0]
    assert best.log_odds > 0 and best.measures and all(one.drop > 0 for one in best.measures)
    assert all(family_of(one.column) == best.family for one in best.measures)


def test_an_average_voice_is_explained_by_nothing(embedder, heads):
    centre = standardisation((PRETRAINED / "ann.onnx").read_bytes()).centre
    found = contributions(embedder, heads, centre, "Amina")
    assert all(part.log_odds == 0.0 for part in found.parts) and found.average == found.log_odds


def test_the_standardisation_is_that_of_voices():
    """Not a number of it is known here, but what voices are like is."""
    known = standardisation((PRETRAINED / "ann.onnx").read_bytes())
    assert known.centre.shape == known.spread.shape == (len(COLUMNS),)
    place = {column: index for index, column in enumerate(COLUMNS)}
    assert 500 < known.centre[place["spectral_centroid"]] < 4000
    assert -1.0 < known.centre[place["pitch_median"]] < 2.0 and 0 < known.centre[place["voiced_share"]] < 1
    assert (known.spread > 0).all()


def test_the_same_constants_as_the_onnx_package_reads():
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(PRETRAINED / "ann.onnx").graph
    first = next(node for node in graph.node if graph.input[0].name in node.input)
    cast = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}  # kept as float16
    used = {cast.get(name, name) for name in first.input}
    centre = next(one for one in graph.initializer if one.name in used)
    known = standardisation((PRETRAINED / "ann.onnx").read_bytes())
    assert np.array_equal(known.centre, onnx.numpy_helper.to_array(centre).ravel())


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, Path(PRETRAINED / "cnn.onnx").read_bytes(), b"\x3a\x03abc"])
def test_what_is_no_such_network_is_one_sentence(content):
    with pytest.raises(ModelError, match="does not begin with a standardisation"):
        standardisation(content)


def test_every_column_has_its_family():
    assert {family_of(column) for column in COLUMNS} - {OTHER} and OTHER not in {family_of(one) for one in COLUMNS}
    groups = families(COLUMNS)
    assert sorted(place for _, places in groups for place in places) == list(range(len(COLUMNS)))
    assert family_of("class_12_mfcc_3").key == "classes" and family_of("something_new") == OTHER
    assert len({family.key for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("class_12_mfcc_3", "timbre coefficient 3 in sounds of kind 12"),
        ("mfcc_cov_3_7", "how coefficients 3 and 7 move together"),
        ("pitch_median", "the usual pitch"),
        ("contrast_6_std", "how much contrast 6 varies"),
        ("never_seen", "never seen"),
    ],
)
def test_columns_in_words(column, words):
    assert in_words(column) == words


def test_no_column_of_the_row_is_without_words():
    assert not [column for column in COLUMNS if "_" in in_words(column) or in_words(column) == column]
