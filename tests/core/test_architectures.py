"""core.architectures and scripts/compare_architectures.py: who is tested on what, and a tiny contest."""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest

from core.architectures import ENROL_SEGMENTS, FEATURE_SETS, TEST_SEGMENTS, strangers
from core.dataset.build import build, plan
from core.dataset.manifest import write_rows
from core.dataset.recordings import Recording
from core.errors import DatasetError
from core.examples import Examples
from scripts.compare_architectures import BEGIN, END, main
from tests.conftest import SAMPLES

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training needs it")

# TensorFlow's variables do not know NumPy's newest way to be copied
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def held(*sessions: tuple[int, ...]) -> Examples:
    """`sessions[i]`: how many segments each session of speaker i has."""
    speakers = np.concatenate([np.full(sum(counts), who) for who, counts in enumerate(sessions)])
    numbers = np.repeat(np.arange(sum(map(len, sessions))), [count for counts in sessions for count in counts])
    return Examples(np.zeros((len(speakers), 2)), speakers, numbers, tuple(str(who) for who in range(len(sessions))))


def test_other_sessions_test_where_there_are_any():
    who = strangers(held((8, 3, 40), (5,), (1,), (20,)))
    assert [len(one) for one in who.enrol] == [ENROL_SEGMENTS, 2, ENROL_SEGMENTS] and who.several == 1
    assert np.bincount(who.owner).tolist() == [TEST_SEGMENTS, 3, 14]
    assert who.tests[who.owner == 0].min() == 8 and who.tests[who.owner == 0].max() == 50  # not of the first session
    assert who.tests[who.owner == 1].tolist() == [53, 54, 55]
    assert not {place for one in who.enrol for place in one} & set(who.tests)


def test_too_few_strangers_are_an_error():
    with pytest.raises(DatasetError, match="1 held-out speakers with two segments, 2 are needed"):
        strangers(held((1,), (4, 2)))


def test_feature_sets_are_the_first_columns():
    from core.spectral import COLUMNS

    assert FEATURE_SETS == {"ann_26": 26, "ann_560": 560, "ann": len(COLUMNS)}
    assert COLUMNS[25] == "mfcc20" and COLUMNS[560] == "class_1_share"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four voices, two of them held out."""
    made = tmp_path_factory.mktemp("contest")
    speakers = {
        name: tuple(Recording(SAMPLES / f"{name}_{kind}.opus", kind, end=16.0) for kind in ("enrol", "test"))
        for name in ("amina", "jo", "kofi", "mei")
    }
    build(plan(speakers, split="speaker", validation=0.5), made)
    return made


@pytest.mark.slow
def test_a_contest_is_run_once_told_and_kept(dataset, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    words = [str(dataset), "--networks", "tdnn", "ann_26", "--batches", "2", "--batch", "4", "--crop", "100"]
    words += ["--output", str(tmp_path / "runs"), "--markdown", str(page)]
    assert main(words) == 0
    told = capsys.readouterr().out
    facts = json.loads((tmp_path / "runs" / "architectures.json").read_text())
    assert [one["network"] for one in facts["networks"]] == ["tdnn", "ann_26"]
    assert [one["sees"] for one in facts["networks"]] == ["1 s of image", "26 columns"]
    assert facts["recipe"]["steps"] == 2 and facts["strangers"] == facts["strangers_tested_on_other_recordings"] == 2
    for one in facts["networks"]:
        assert one["parameters"] > 100_000 and one["mflop"] > 0.5 and one["seconds"] > 0
        assert 0 <= one["eer"] <= 1 and 0 <= one["ci95"][0] <= one["accuracy"] <= one["ci95"][1] <= 1
    lines = page.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    assert "\n".join(lines[2:-2]) in told and lines[4].startswith("| tdnn | 1 s of image | 998,752 | 790.9 |")

    trained = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/outcome.json")}
    assert main(words) == 0 and "batch/s" not in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in trained} == trained  # not trained again
    assert page.read_text().splitlines() == lines


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--networks", "resnet"),
            "--networks resnet: there are cnn, cnn_long_term, vgg, separable, tdnn, cnn_64, campplus, ann, ann_560",
        ),
        (("--batches", "0"), "--batches from 1"),
        (("--markdown", "nowhere.md"), "nowhere.md has no place for the table: write <!-- table"),
    ],
)
def test_bad_words_are_one_line_before_any_work(tmp_path, capsys, words, says):
    write_rows(tmp_path / "segments.csv", [])
    assert main([str(tmp_path), "--output", str(tmp_path / "runs"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("compare_architectures: ") and says in line
    assert not (tmp_path / "runs").exists()
