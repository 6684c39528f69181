"""scripts/across_recordings.py: voices told apart across recordings, by what ships and by made-up networks."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from core.dataset.build import build, find_speakers, plan
from core.errors import DatasetError, SpeakerError
from core.examples import Examples, load_several_recordings
from core.exchange import parts_in, take_part
from scripts import across_recordings
from scripts.exported_networks import answers
from tests.conftest import ROOT, SAMPLES

SHIPPED = ROOT / "pretrained" / "cnn.onnx"
VOICES = ("amina", "kofi", "mei")


def made(root, kinds, **how):
    for name in VOICES:
        (root / "in" / name).mkdir(parents=True)
        for kind in kinds:
            shutil.copy(SAMPLES / f"{name}_{kind}.opus", root / "in" / name / f"{kind}.opus")
    build(plan(find_speakers([root / "in"]), **how), root / "out")
    return root / "out"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return made(tmp_path_factory.mktemp("several"), ("enrol", "test"))


def told(capsys, *words) -> dict[str, float]:
    """What the script prints: EER by network."""
    assert across_recordings.main([str(word) for word in words]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("3 voices with several recordings, 6 recordings, ")
    found = {}
    for line in lines:
        told = re.fullmatch(r"(.*): EER (.*)% \((.*)% to (.*)%\), missed at 1%: (.*)%", line)
        name, eer, low, high, missed = told.groups()
        assert 0 <= float(low) <= float(high) <= 100 and 0 <= float(missed) <= 100
        found[name] = float(eer)
    return found


def test_what_ships_tells_the_example_voices_apart(dataset, capsys):
    ann = ROOT / "pretrained" / "ann.onnx"
    found = told(capsys, dataset, SHIPPED, ann)
    assert list(found) == [str(SHIPPED), str(ann)] and max(found.values()) < 10


def test_a_second_network_counts_as_much_as_its_weight(dataset, tmp_path, capsys):
    take_part(SHIPPED, 1, tmp_path / "second.onnx")
    other = tmp_path / "second.onnx"
    found = told(capsys, dataset, SHIPPED, "--beside", other, "--weights", "0", "1e6")
    one, other = f"{SHIPPED} (network 1)", f"{other} (network 1)"
    assert list(found) == [f"{other} alone", f"{one} alone", f"{one} + 0 x {other}", f"{one} + 1e+06 x {other}"]
    assert found[f"{one} + 0 x {other}"] == found[f"{one} alone"]
    assert found[f"{one} + 1e+06 x {other}"] == found[f"{other} alone"]


def test_of_a_file_that_holds_several_all_but_the_first_stand_beside(dataset, several, capsys):
    *others, one, together = told(capsys, dataset, several, "--beside", several)
    assert others == [f"{several} (network 2) alone"] and parts_in(several) == 2
    assert one == f"{several} (network 1) alone"
    names = [name.removesuffix(" alone") for name in (one, *others)]
    assert together == " + 1 x ".join(names)
    with pytest.raises(DatasetError, match="which no mean can be made of"):
        across_recordings.main([str(dataset), str(several), "--beside", str(several), str(several)])


def test_troubles_change_what_is_heard_the_same_way_every_time(dataset, capsys):
    images = load_several_recordings(dataset).values
    through, again = (across_recordings.augmented(images, images[:1]) for _ in range(2))
    assert through.shape == images.shape and through.dtype == np.uint8 and np.array_equal(through, again)
    plain, troubled = (answers(SHIPPED, values / np.float32(255.0)) for values in (images, through))
    assert 0.2 < float((plain * troubled).sum(axis=1).mean()) < 0.95
    assert told(capsys, dataset, SHIPPED, "--augment")[str(SHIPPED)] < 20


def test_feature_rows_are_not_augmented(dataset):
    with pytest.raises(SpeakerError, match="sees feature rows, and --augment is for images"):
        across_recordings.main([str(dataset), str(ROOT / "pretrained" / "ann.onnx"), "--augment"])


def test_a_network_that_knows_recordings_only_is_worth_nothing():
    speakers, sessions = np.repeat(np.arange(4), 6), np.repeat(np.arange(8), 3)
    examples = Examples(np.zeros((24, 1)), speakers, sessions, ("a", "b", "c", "d"))
    chance = np.random.default_rng(0)
    by_recording = across_recordings.unit(np.eye(8)[sessions] + chance.normal(0, 0.01, (24, 8)))
    by_voice = across_recordings.unit(np.eye(4)[speakers] + chance.normal(0, 0.01, (24, 4)))
    assert across_recordings.judged(by_voice, examples) == (0.0, 0.0, 0.0, 0.0)
    eer, low, high, missed = across_recordings.judged(by_recording, examples)
    assert eer > 0.3 and low <= eer <= high and missed > 0.9


def test_a_voice_that_is_drawn_twice_is_not_compared_with_itself():
    """Embeddings that know nothing, of voices of one recording: it would look as if they knew each copy."""
    speakers = np.repeat(np.arange(12), 3)
    examples = Examples(np.zeros((36, 1)), speakers, speakers, tuple("abcdefghijkl"))
    nothing = across_recordings.unit(np.random.default_rng(0).normal(size=(36, 64)))
    eer, low, high, _ = across_recordings.judged(nothing, examples)
    assert 0.4 < low <= eer <= high < 0.65


def test_voices_of_one_recording_are_no_test(tmp_path):
    with pytest.raises(DatasetError, match="0 voices of .* have several recordings, 2 are needed"):
        load_several_recordings(made(tmp_path, ("enrol",)))


def test_held_out_voices_are_those_of_the_validation_split(tmp_path, capsys):
    folder = made(tmp_path, ("enrol",), split="speaker", validation=0.67)
    assert across_recordings.main([str(folder), str(SHIPPED), str(ROOT / "pretrained" / "ann.onnx"), "--held-out"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert re.match("2 held-out voices, 2 recordings, [0-9]+ segments", first) and len(lines) == 2


def test_rows_are_told_from_images_whatever_the_file_is_called(dataset, tmp_path, capsys):
    shutil.copy(ROOT / "pretrained" / "ann.onnx", tmp_path / "other.onnx")
    assert max(told(capsys, dataset, tmp_path / "other.onnx").values()) < 10


@pytest.mark.parametrize("name", ["nowhere", "nowhere.onnx"])
def test_what_is_no_run_is_said(name, dataset, tmp_path):
    for more in ([], ["--beside", str(SHIPPED)]):
        with pytest.raises(DatasetError, match=f"{name} is neither a finished run nor an .onnx file"):
            across_recordings.main([str(dataset), str(tmp_path / name), *more])
    with pytest.raises(DatasetError, match=f"{name} is neither a finished run nor an .onnx file"):
        across_recordings.main([str(dataset), str(SHIPPED), "--beside", str(tmp_path / name)])
