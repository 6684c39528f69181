"""The app's temporary folder: wiped however the app ends, or by the next one."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from demo import own_folder
from demo.exporting import private_folder

ROOT = Path(__file__).resolve().parents[2]
APP = """
import sys, threading
from demo.app import _ended_politely
from demo.own_folder import own_folder
with own_folder() as folder, _ended_politely():
    try:
        (folder / "voice.wav").write_bytes(b"a voice")
        print(folder, flush=True)
        while not threading.Event().wait(0.2):
            pass
    except KeyboardInterrupt:
        pass
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """The system's temporary folder, for this test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    return tmp_path


def running(*before: str) -> tuple[subprocess.Popen, Path]:
    """An app's process, and its folder with a voice in it."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", APP],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests themselves may be under nohup
    )
    with process.stdout as said:
        folder = Path(said.readline().strip())
    assert (folder / "voice.wav").exists()
    return process, folder


def test_what_a_killed_app_left_goes_with_the_next_one_and_what_runs_is_left_alone(place):
    alive, kept = running()
    killed, left = running()
    killed.kill()
    killed.wait()
    assert (left / "voice.wav").exists()  # nobody could wipe it
    assert own_folder.wipe_left_behind() == 0  # too young: it might be one that is just being made
    long_ago = time.time() - 3600
    for folder in (left, kept):
        os.utime(folder / own_folder.LOCK, (long_ago, long_ago))
    (place / "who-is-speaking-link").symlink_to(place.parent)
    with own_folder.own_folder() as mine:
        assert not left.exists() and (kept / "voice.wav").exists() and mine.exists()
    assert not mine.exists() and (place / "who-is-speaking-link").is_symlink() and "GRADIO_TEMP_DIR" not in os.environ
    alive.terminate()
    alive.wait(timeout=30)
    assert not kept.exists()


def test_an_app_that_runs_for_days_keeps_its_folder_or_gets_it_back(place):
    """The system's cleaner goes by the time of the last change."""
    with own_folder.own_folder() as folder:
        long_ago = time.time() - 86_400
        for path in (folder, folder / own_folder.LOCK):
            os.utime(path, (long_ago, long_ago))
        assert private_folder() == folder
        assert all(path.stat().st_mtime > long_ago + 3600 for path in (folder, folder / own_folder.LOCK))
        shutil.rmtree(folder)
        assert tempfile.mkdtemp(dir=private_folder())
        assert os.name == "nt" or folder.stat().st_mode & 0o777 == 0o700
        os.utime(folder, (long_ago, long_ago))
        assert own_folder.wipe_left_behind() == 0 and (folder / own_folder.LOCK).is_file()  # in use, as before
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP on Windows")
def test_a_terminal_that_is_closed_ends_the_app_politely_unless_it_was_to_stay(place):
    process, folder = running()
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=30) == 0 and not folder.exists()
    process, folder = running("nohup")
    process.send_signal(signal.SIGHUP)
    time.sleep(1.0)
    assert process.poll() is None and folder.exists()
    process.terminate()
    assert process.wait(timeout=30) == 0 and not folder.exists()
