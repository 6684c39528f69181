"""What tests share: real voices from demo/samples, a seeded generator, a home of their own.

A test never touches the user's speaker store: `SPEAKERS_HOME` points into a temporary folder. Programs a test needs
(a browser, PulseAudio) are asked for with `need_program`: missing on a user's machine the test is skipped with a line
that says what to install, under CI=true it fails.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from core.audio import Audio, decode

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "demo" / "samples"

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# librosa's compiled functions, kept for other processes: read back by several at once they have crashed Python.
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="numba-")
atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

# Examples are the same every time: a failing test fails for everybody.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=60)
hypothesis.settings.load_profile("repeatable")


def free_port() -> int:
    """A port of this computer that nobody uses, chosen by the system: two that ask at the same time get two."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@cache
def _voice(name: str) -> Audio:
    audio = decode(SAMPLES / f"{name}.opus")
    audio.samples.flags.writeable = False  # shared between tests
    return audio


@pytest.fixture(scope="session")
def voice():
    """`voice("amina_test")`: that sample decoded, read-only."""
    return _voice


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of example voices."""
    return SAMPLES


@pytest.fixture(scope="session")
def shelf():
    """The audiobooks of the local LibriVox: made once, they are encoded from the example voices."""
    from tests.core.librivox_server import Shelf

    return Shelf()


@pytest.fixture
def media(monkeypatch):
    """A web server of sound from which links may be fetched: see `tests.core.media_server`."""
    from tests.core.media_server import MediaServer

    running = MediaServer()
    monkeypatch.setenv("SPEAKERS_ALLOW_HOSTS", running.host)
    yield running
    running.close()


@pytest.fixture(scope="module")
def sound_server(tmp_path_factory, need_program):
    """What plays sound into the microphone "pulse": see `tests.core.sound_server`."""
    from tests.core.sound_server import serving

    with serving(tmp_path_factory.mktemp("pulse"), need_program) as server:
        yield server


@pytest.fixture
def chance() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20_261_123)


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> Path:
    """An empty speaker store for each test, also for the processes it starts."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SPEAKERS_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def need_program():
    """`need_program("pulseaudio")`: its path; without it skip, or fail under CI. `package`: what to install."""

    def need(*names: str, package: str | None = None) -> str:
        found = next((path for name in names if (path := shutil.which(name))), None)
        if found is None:
            line = f"{names[0]} is not installed: sudo apt-get install {package or names[0]}"
            if os.environ.get("CI") == "true":
                pytest.fail(line)
            pytest.skip(line)
        return found

    return need
