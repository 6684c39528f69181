"""scripts/train_cnn.py and train_ann.py on a small dataset: a few steps, stopped and gone on with, bad input."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.dataset.build import build, find_speakers, plan
from core.dataset.noise import build_noise
from core.errors import DatasetError, SpeakerError
from core.examples import load_images
from scripts import exported_networks, train_cnn
from scripts.exported_networks import answers
from tests.conftest import ROOT

VOICES = ("amina", "jo", "kofi")
PATIENCE = 280  # s for a process on a busy machine

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed: training needs it"
    ),
]


def train(script: str, *words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, f"scripts/{script}.py", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture(scope="module")
def dataset(voice, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("small")
    for name in VOICES:
        (root / "in" / name).mkdir(parents=True)
        for kind in ("enrol", "test"):
            soundfile.write(root / "in" / name / f"{kind}.flac", voice(f"{name}_{kind}").samples, SAMPLE_RATE)
    (root / "noise").mkdir()
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 6 * SAMPLE_RATE)
    soundfile.write(root / "noise" / "hiss.flac", noise, SAMPLE_RATE)
    build(plan(find_speakers([root / "in"]), copies=1), root / "out")
    build_noise(root / "noise", root / "out")
    return root / "out"


@pytest.fixture(scope="module")
def apart(dataset) -> Path:
    """The same voices, one of whom is kept from training."""
    build(plan(find_speakers([dataset.parent / "in"]), split="speaker", validation=0.34), dataset.parent / "apart")
    return dataset.parent / "apart"


def step_of(run: Path) -> int:
    with np.load(run / "checkpoint.npz", allow_pickle=False) as file:
        return int(file["step"])


def log_of(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


RUNS = {
    "train_cnn": (
        ("--batch", "4", "--crop", "100", "--steps", "3", "--favour", "kofi=2", "--augment", "0.5"),
        "images of 3 speakers, 1 noise images",
    ),
    "train_ann": (("--batch", "16", "--hidden", "32", "--steps", "3"), "feature rows of 3 speakers"),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", RUNS)
def test_a_few_steps_stopped_and_gone_on_with(dataset, tmp_path, script):
    options, heard = RUNS[script]
    words = (dataset, "--output", tmp_path, *options)

    stopped = train(script, *words, "--minutes", "0")  # time is over after the first step
    assert stopped.returncode == 0, stopped.stderr[-2000:]
    assert heard in stopped.stdout and stopped.stdout.splitlines()[-1] == "stopped by --minutes; run again to go on"
    assert step_of(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.npz", "log.csv"]  # it is not finished

    finished = train(script, *words)
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert finished.stdout.splitlines()[-1] == "finished" and step_of(tmp_path) == 3

    log = log_of(tmp_path)
    assert [int(line["step"]) for line in log] == [1, 3]
    for line in log:
        assert np.isfinite(float(line["loss"])) and 0 <= float(line["accuracy"]) <= 1
        assert 0 <= float(line["validation_eer"]) <= 1
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert recipe["speakers"] == list(VOICES) and recipe["steps"] == 3 and recipe["seed"] == 0
    assert recipe["architecture"] == script[-3:] and recipe["backend"] == "tensorflow"
    assert recipe["parameters"] > 1000 and script in recipe["command"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "body.weights.h5",
        "checkpoint.npz",
        "log.csv",
        "recipe.json",
    ]


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_noise(dataset, tmp_path):
    words = ("--output", tmp_path / "run", "--batch", "4", "--crop", "100", "--steps", "2")
    assert train("train_cnn", dataset, *words, "--minutes", "0").returncode == 0
    shutil.copytree(dataset, tmp_path / "other", ignore=shutil.ignore_patterns("hiss*"))
    other = train("train_cnn", tmp_path / "other", *words)
    assert other.returncode == 2 and "was begun with noise" in other.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_head_alone_is_trained_and_the_network_that_ships_stays_as_it_is(dataset, tmp_path):
    words = (dataset, "--output", tmp_path, "--batch", "4", "--crop", "100", "--steps", "3", "--head-only")
    words += ("--architecture", "campplus")
    begun = train("train_cnn", *words, "--start", ROOT / "pretrained" / "cnn.onnx", "--minutes", "0")
    assert begun.returncode == 0, begun.stderr[-2000:]
    with np.load(tmp_path / "checkpoint.npz") as file:
        before = dict(file)
    assert train("train_cnn", *words).returncode == 0
    with np.load(tmp_path / "checkpoint.npz") as file:
        moved = [name for name in before if name[0] == "v" and not np.array_equal(file[name], before[name])]
        shapes = {file[name].shape for name in moved}
    assert shapes - {()} == {(192, 3)}  # directions and how they move; the optimizer counts its steps
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert recipe["head_only"] and recipe["start"] == str(ROOT / "pretrained" / "cnn.onnx")


def begun(folder: Path, **known_by) -> Path:
    """A run's folder with a checkpoint of one step."""
    np.savez(folder / "checkpoint.npz", step=1, recipe=json.dumps({"steps": 3, **known_by}))
    return folder


def start_of(output: Path, *words: str) -> str | None:
    return train_cnn.start_of(train_cnn.arguments().parse_args(["dataset", "--output", str(output), *words]))


def test_a_run_goes_on_with_what_it_began_with(tmp_path):
    """Weights that it had from others are to be named, whatever the command was that ended it."""
    assert start_of(tmp_path) is None and start_of(tmp_path, "--start", "campplus") == "campplus"
    begun(tmp_path, start="campplus")
    assert start_of(tmp_path) == start_of(tmp_path, "--start", "campplus") == "campplus"
    with pytest.raises(DatasetError, match="was begun with --start campplus: say the same or none"):
        start_of(tmp_path, "--start", "runs/other")
    begun(tmp_path, start=None)
    assert start_of(tmp_path) is None
    with pytest.raises(DatasetError, match="was begun without --start: say the same or none"):
        start_of(tmp_path, "--start", "campplus")


def test_a_run_whose_checkpoint_does_not_tell_its_start_has_it_in_its_recipe(tmp_path):
    begun(tmp_path)
    assert start_of(tmp_path) is None and start_of(tmp_path, "--start", "campplus") == "campplus"
    (tmp_path / "recipe.json").write_text(json.dumps({"start": "campplus"}), encoding="utf-8")
    assert start_of(tmp_path) == "campplus"
    with pytest.raises(DatasetError, match="was begun with --start campplus"):
        start_of(tmp_path, "--start", "runs/other")


@pytest.mark.parametrize("script", RUNS)
def test_no_dataset_is_one_line_and_exit_code_2(tmp_path, script):
    done = train(script, tmp_path, "--output", tmp_path / "run")
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{script}: ") and "has no segments.csv: make it with scripts/create_dataset.py" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_start_that_is_no_run_is_refused(dataset, tmp_path):
    done = train("train_cnn", dataset, "--output", tmp_path / "run", "--start", tmp_path / "nowhere", "--steps", "1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("train_cnn: ")
    assert "nowhere is no finished run, train it to its end" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("wish", ["nobody=2", "kofi=often", "=3", "kofi=0"])
def test_who_cannot_be_favoured_is_said(dataset, tmp_path, wish):
    done = train("train_cnn", dataset, "--output", tmp_path / "run", "--favour", wish)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"train_cnn: --favour {wish}: write how voices' names start")


@pytest.fixture(scope="module")
def export_model():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("export_model", ROOT / "scripts" / "export_model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_weights_of_another_network_are_no_start(dataset, tmp_path):
    done = train("train_cnn", dataset, "--output", tmp_path / "run", "--start", "campplus")
    assert done.returncode == 2 and "no weights for cnn: add --architecture campplus" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--architecture", "ann"], "--architecture ann is none of cnn, "),
        (["--architecture", "cnn_64"], "--architecture cnn_64 sees whole segments only: give --crop 500"),
        (["--crop", "501"], "--crop 501: an image has 500 frames"),
    ],
)
def test_a_network_that_cannot_be_shown_such_images_is_said(dataset, tmp_path, words, said):
    done = train("train_cnn", dataset, "--output", tmp_path / "run", *words)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"train_cnn: {said}")


def test_troubles_cannot_come_less_than_never(dataset, tmp_path):
    done = train("train_cnn", dataset, "--output", tmp_path / "run", "--augment", "-1")
    assert done.returncode == 2 and "--augment -1: 0 (nothing) and more" in done.stderr.splitlines()[-1]


def test_a_calibration_wants_voices_that_nobody_was_trained_on(export_model, dataset, apart, tmp_path):
    """Sessions kept apart are not enough: the voices are known."""
    shipped = ROOT / "pretrained"
    networks = ["--cnn", str(shipped / "cnn.onnx"), "--ann", str(shipped / "ann.onnx")]
    places = ["--dataset", str(dataset), "--recordings", str(dataset.parent / "in"), "--output", str(tmp_path / "made")]
    with pytest.raises(DatasetError, match="3 speakers of .* in training and validation.*--split speaker"):
        export_model.main([*networks, *places])
    assert not (tmp_path / "made").exists()
    (name,) = export_model.held_out_names(apart)
    assert name in VOICES


def test_an_export_that_fails_leaves_what_ships(export_model, apart, tmp_path, monkeypatch):
    """Both networks and the cohort were written when it failed; the folder that the app reads has none of it."""
    shipped, target, scratch = ROOT / "pretrained", tmp_path / "pretrained", tmp_path / "scratch"
    scratch.mkdir()
    target.mkdir()
    for path in shipped.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(export_model.tempfile, "tempdir", str(scratch))
    reached = []

    def failing(*words, **options):
        reached.append(sorted(path.name for path in (next(scratch.iterdir()) / "made").iterdir()))
        raise OSError("no space left on the device")

    monkeypatch.setattr(export_model, "held_out_voices", failing)
    networks = ["--cnn", str(shipped / "cnn.onnx"), "--ann", str(shipped / "ann.onnx")]
    places = ["--dataset", str(apart), "--recordings", str(apart.parent / "in"), "--output", str(target)]
    with pytest.raises(OSError, match="no space left"):
        export_model.main([*networks, *places])
    assert reached == [["ann.onnx", "cnn.onnx", "cohort.npz", "model.json"]]
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        path.name: path.read_bytes() for path in shipped.iterdir()
    }
    assert not list(scratch.iterdir())


def test_an_exported_network_is_kept_as_it_is_and_remembers_where_it_began(export_model, several, tmp_path):
    shipped, run = ROOT / "pretrained", tmp_path / "more"
    run.mkdir()
    before = json.loads((shipped / "model.json").read_text(encoding="utf-8"))["recipe"]

    def begun(architecture: str, start: Path | str) -> dict:
        recipe = {"speakers": ["a", "a@0.88"], "architecture": architecture, "start": str(start)}
        (run / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
        return export_model.read_recipe(run)

    for architecture in ("cnn", "cnn_long_term"):  # of a file of several the one that is taken up
        assert begun(architecture, several)["first"] == {"architecture": architecture}
    assert begun("campplus", shipped / "cnn.onnx")["first"] == before["cnn"]
    assert "first" not in begun("campplus", "campplus") and "first" not in begun("cnn", "")
    assert export_model.read_recipe(shipped / "ann.onnx") == before["ann"]
    with pytest.raises(DatasetError, match="unfinished is no finished run, train it to its end"):
        export_model.read_recipe(tmp_path / "unfinished")
    for apart in (tmp_path / "cnn.onnx", shipped / "ann-copy.onnx"):  # no model.json beside it; none that knows it
        with pytest.raises(
            DatasetError, match=f"how .*{apart.name} was trained should stand in .*model.json, and does"
        ):
            export_model.read_recipe(apart)

    needed = ["--dataset", "d", "--recordings", "r", "--output", str(tmp_path)]

    def asked(*more: str):
        return export_model.arguments().parse_args([*more, *needed])

    kept = asked("--cnn", str(shipped / "cnn.onnx"), "--ann", str(shipped / "ann.onnx"))
    export_model.export_networks(kept, before, np.zeros((1, 80, 500), np.uint8), np.zeros((1, 1840), np.float32))
    assert all((tmp_path / name).read_bytes() == (shipped / name).read_bytes() for name in ("cnn.onnx", "ann.onnx"))
    for wrong in (["--both-views", "ann"], ["--ann", str(shipped / "ann.onnx"), str(run)]):
        with pytest.raises(DatasetError, match="give it alone"):
            export_model.kept(asked("--cnn", str(run), "--ann", str(shipped / "ann.onnx"), *wrong))


def test_several_networks_stand_beside_the_cnn(export_model, several, dataset, tmp_path):
    """Each counts as its weight says, and none of their answers is lost in the join."""
    shipped = several
    needed = ["--ann", "a", "--dataset", str(dataset), "--recordings", "r", "--output", str(tmp_path)]

    def asked(*more: str):
        return export_model.arguments().parse_args(["--cnn", str(shipped), *more, *needed])

    first, *others = json.loads((shipped.parent / "model.json").read_text(encoding="utf-8"))["recipe"]["cnn"]["parts"]
    places, weights = list(range(1, len(others) + 1)) * 2, np.linspace(0.5, 2.0, 2 * len(others)).tolist()
    args = asked(*["--beside", str(shipped)] * 2, "--weight", *map(str, weights))
    whole = export_model.read_recipe(shipped)
    args.joined, args.parts = export_model.to_join(args, whole), tmp_path
    assert [part.recipe for part in args.joined] == [first, *others, *others]
    expected = [(0, 1.0), *zip(places, weights, strict=True)]
    assert [(part.place, part.weight) for part in args.joined] == expected

    recipe: dict = {}
    exported_networks.export_joined(args, recipe, np.zeros(0), tmp_path / "joined.onnx", None)
    assert recipe["weights"] == [1.0, *weights] and recipe["power_kept"] > 0.99
    images = load_images(dataset, "train").values / np.float32(255.0)
    counted = [weight * answers(tmp_path / f"{at}.onnx", images) for at, weight in enumerate([1.0, *weights])]
    apart = np.concatenate(counted, axis=1) / np.linalg.norm([1.0, *weights])
    joined = answers(tmp_path / "joined.onnx", images)
    np.testing.assert_allclose(joined @ joined.T, apart @ apart.T, atol=0.01)

    with pytest.raises(SpeakerError, match=f"--weight 1.0: {2 * len(others)} networks are beside the CNN"):
        export_model.to_join(asked(*["--beside", str(shipped)] * 2, "--weight", "1"), whole)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_network_beside_may_be_the_mean_of_runs(export_model, dataset, tmp_path):
    """The mean of a run with itself is that run; its recipe tells of both."""
    shipped, run = ROOT / "pretrained" / "cnn.onnx", tmp_path / "run"
    assert train("train_cnn", dataset, "--output", run, "--batch", "4", "--crop", "100", "--steps", "1").returncode == 0
    needed = ["--cnn", str(shipped), "--ann", "a", "--dataset", str(dataset), "--recordings", "r"]
    made = []
    for runs in ([run], [run, run]):
        args = export_model.arguments().parse_args([*needed, "--beside", *map(str, runs)])
        part = export_model.to_join(args, export_model.read_recipe(shipped))[1]
        assert part.runs == runs and len(part.recipe.get("mean_with", [])) == len(runs) - 1
        path = tmp_path / f"{len(runs)}.onnx"
        exported_networks.write_one(part.runs, part.place, part.recipe, np.zeros((1, 80, 500), np.float32), path)
        made.append(answers(path, load_images(dataset, "train").values / np.float32(255.0)))
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)
    with pytest.raises(DatasetError, match="which no mean can be made of"):
        args = export_model.arguments().parse_args([*needed, "--beside", str(shipped), str(run)])
        export_model.to_join(args, export_model.read_recipe(shipped))
