"""The app's temporary folder: wiped however the app ends, or by the next one."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from gradio_client import utils as client_utils

from demo import own_folder, window
from demo.exporting import private_folder

WINDOWS = os.name == "nt"
ROOT = Path(__file__).resolve().parents[2]
APP = """
import sys, threading
from demo.app import _ended_politely
from demo.own_folder import own_folder
from demo.window import closed_politely
with closed_politely(), own_folder() as folder, _ended_politely():
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
    for name in ("TMPDIR", "TEMP", "TMP"):  # the latter on Windows
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    return tmp_path


def to_be_closed() -> None:
    """The tests themselves may be under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def running(*before: str, app: str = APP) -> tuple[subprocess.Popen, Path]:
    """An app's process, and its folder with a voice in it."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", app],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=None if WINDOWS else to_be_closed,
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
    link = place / "who-is-speaking-link"
    if not WINDOWS:  # where it is a privilege
        link.symlink_to(place.parent)
    with own_folder.own_folder() as mine:
        assert not left.exists() and (kept / "voice.wav").exists() and mine.exists()
    assert not mine.exists() and (WINDOWS or link.is_symlink()) and "GRADIO_TEMP_DIR" not in os.environ
    alive.terminate()
    alive.wait(timeout=30)
    assert WINDOWS or not kept.exists()  # there that is a kill; polite is to close the window, see below


def test_an_app_that_runs_for_days_keeps_its_folder_or_gets_it_back(place):
    """The system's cleaner goes by the time of the last change."""
    with own_folder.own_folder() as folder:
        long_ago = time.time() - 86_400
        for path in (folder, folder / own_folder.LOCK):
            os.utime(path, (long_ago, long_ago))
        assert private_folder() == folder
        assert all(path.stat().st_mtime > long_ago + 3600 for path in (folder, folder / own_folder.LOCK))
        if not WINDOWS:  # where a lock that is held cannot be deleted
            shutil.rmtree(folder)
            assert tempfile.mkdtemp(dir=private_folder())
            assert folder.stat().st_mode & 0o777 == 0o700
        os.utime(folder, (long_ago, long_ago))
        assert own_folder.wipe_left_behind() == 0 and (folder / own_folder.LOCK).is_file()  # in use, as before
    assert not folder.exists()


def test_files_that_are_open_at_the_end_are_waited_for(place, monkeypatch):
    """Windows deletes none: a recording was being judged, an upload broke off."""
    tries, really = [], shutil.rmtree

    def refused_twice(path, **settings) -> None:
        tries.append(path)
        if len(tries) > 2:
            really(path, **settings)

    with own_folder.own_folder() as folder:
        (folder / "voice.wav").write_bytes(b"a voice")
        monkeypatch.setattr("shutil.rmtree", refused_twice)
    assert not folder.exists() and len(tries) >= 3


def test_long_names_are_cut_to_what_windows_opens(monkeypatch):
    """A lecture's title of 150 characters could not be sent: the page said "Error"."""
    cut = client_utils.strip_invalid_filename_characters
    monkeypatch.setattr(cut, "__defaults__", cut.__defaults__)
    name, folder = "n" * 156 + ".wav", Path("/", *["user"] * 12, "who-is-speaking-12345678")
    assert cut(name) == name  # as it is elsewhere
    own_folder.fit_names(folder, longest=None)
    assert cut(name) == name
    own_folder.fit_names(folder, longest=259)
    assert len(str(folder / ("0" * 64) / cut(name))) == 259 and cut(name).endswith("n.wav")
    assert cut("talk 1.wav") == "talk 1.wav"


def test_a_window_that_is_closed_on_windows_stays_until_all_is_wiped():
    closing, done, told, said = threading.Event(), threading.Event(), threading.Event(), []
    assert not window.ends(0, closing, done, told.set) and not told.is_set()  # Ctrl+C is not its business
    handler = threading.Thread(target=lambda: said.append(window.ends(2, closing, done, told.set)))
    handler.start()
    assert told.wait(10) and closing.is_set()
    handler.join(0.3)
    assert handler.is_alive() and not said
    done.set()
    handler.join(10)
    assert said == [True]
    with window.closed_politely() as closing:
        assert not closing.is_set()


@pytest.mark.skipif(not WINDOWS, reason="a console of Windows")
def test_closing_the_window_wipes_the_folder(place):
    """As the system calls a program's handlers, in a thread of that program."""
    closing = "import ctypes, threading; close = lambda: ctypes.WinDLL('kernelbase').CtrlRoutine(2)\n"
    app = APP.replace("print(folder, flush=True)", "print(folder, flush=True); threading.Thread(target=close).start()")
    process, folder = running(app=closing + app)
    process.wait(timeout=30)
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
