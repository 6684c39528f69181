"""What `make demo` makes lacks the packages of training and measuring: scripts that need them say so, at once."""

import os
import subprocess
import sys

import pytest

from core.errors import SpeakerError
from core.packages import need
from tests.conftest import ROOT

WITHOUT = """
import sys

GONE = {"keras", "tensorflow", "tf2onnx", "onnx", "librosa", "matplotlib", "playwright"}


class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in GONE else self.finder.find_spec(name, path, target)


sys.meta_path[:] = map(Without, sys.meta_path)
"""


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        (("train_cnn.py", "{tmp}"), "keras"),
        (("train_ann.py", "{tmp}"), "keras"),
        (("train_original.py", "{tmp}"), "keras and matplotlib"),
        (("transfer_learning.py", "{tmp}"), "keras and matplotlib"),
        (("compare_architectures.py", "{tmp}"), "keras"),
        (("across_recordings.py", "{tmp}", "{tmp}"), "keras and onnx"),
        (
            ("export_model.py", "--cnn", "{tmp}", "--ann", "{tmp}", "--dataset", "{tmp}", "--recordings", "{tmp}"),
            "keras and onnx and tensorflow and tf2onnx",
        ),
        (("benchmark.py",), "onnx"),
        (("benchmark.py", "--only", "training"), "keras"),
        (("benchmark_latency.py",), "playwright"),
        (("run_tutorial.py", "--output", "{tmp}/pictures"), "keras and matplotlib"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_a_package_that_is_missing_is_one_sentence(tmp_path, words, packages):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    script, *rest = (word.format(tmp=tmp_path) for word in words)
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", *rest],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-2000:]
    said = f"this needs {packages}, which `make demo` does not install: `pip install -r requirements.txt`"
    assert done.stderr.splitlines()[-1].endswith(f": {said}") and "Traceback" not in done.stderr
    assert not (tmp_path / "pictures").exists()


def test_what_is_there_is_not_asked_for():
    need("numpy", "json")
    with pytest.raises(SpeakerError, match="this needs no_such_package, which"):
        need("numpy", "no_such_package")


CANNOT_TRAIN = "with which Keras cannot train: set KERAS_BACKEND=tensorflow or torch or jax"
NO_TORCH = "says 'torch', which is not installed: `pip install torch`, or set KERAS_BACKEND=tensorflow"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"KERAS_BACKEND": "nonsense"}, f"KERAS_BACKEND says 'nonsense', {CANNOT_TRAIN}"),
        ({"KERAS_BACKEND": "numpy"}, f"KERAS_BACKEND says 'numpy', {CANNOT_TRAIN}"),
        ({"KERAS_BACKEND": "torch"}, f"KERAS_BACKEND {NO_TORCH}"),
        ({"KERAS_BACKEND": "", "KERAS_HOME": "{tmp}"}, f"{{tmp}}/keras.json {NO_TORCH}"),
    ],
    ids=["unknown", "trains nothing", "not installed", "its settings"],
)
def test_a_backend_of_keras_that_cannot_be_is_one_sentence(tmp_path, environment, says):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.replace('"keras", "tensorflow",', '"torch", "jax",'))
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    done = subprocess.run(
        [sys.executable, "scripts/train_ann.py", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)}
        | {name: value.format(tmp=tmp_path) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-2000:]
    assert done.stderr.splitlines() == [f"train_ann: {says.format(tmp=tmp_path)}"]
