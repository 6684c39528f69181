"""scripts/create_dataset.py as people run it: results, a kill in the middle, bad input."""

import hashlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.dataset.manifest import read_rows
from scripts.create_dataset import main
from tests.conftest import ROOT

VOICES = ("amina", "jo", "kofi")
PATIENCE = 280  # s for a process on a busy machine

pytestmark = pytest.mark.timeout(600)


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "scripts/create_dataset.py", *map(str, words)]


def run(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def hashes(folder: Path) -> dict[str, str]:
    """What a dataset is made of; a killed process may leave a hidden partial file beside it."""
    files = [folder / "segments.csv", folder / "features.csv", *(folder / "spectrograms").rglob("[!.]*.png")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def recordings(voice, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    for name in VOICES:
        (root / name).mkdir()
        for kind in ("enrol", "test"):
            soundfile.write(root / name / f"{kind}.flac", voice(f"{name}_{kind}").samples, SAMPLE_RATE)
    return root


@pytest.fixture(scope="module")
def dataset(recordings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("once") / "dataset"
    assert main(["--from-folder", str(recordings), "--output", str(folder), "--workers", "1"]) == 0
    return folder


def test_two_processes_make_what_one_makes(recordings, dataset, tmp_path):
    done = run("--from-folder", recordings, "--output", tmp_path, "--workers", "2")
    assert done.returncode == 0, done.stderr
    count = len(read_rows(dataset))
    assert done.stdout == f"{count} segments of 3 speakers in {tmp_path}\n" and count >= 25
    assert hashes(tmp_path) == hashes(dataset)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_in_the_middle_it_goes_on_where_it_stopped(recordings, dataset, tmp_path):
    words = ("--from-folder", recordings, "--output", tmp_path, "--workers", "1")
    process = subprocess.Popen(command(*words), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not list(tmp_path.glob("parts/*.json")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.kill()  # SIGKILL: nothing can be tidied up
        process.wait()
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("parts/*.json")}
    assert 0 < len(finished) < 3 and not (tmp_path / "segments.csv").exists()

    assert main(list(map(str, words))) == 0
    assert hashes(tmp_path) == hashes(dataset)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished  # those were not made again


def test_an_unreadable_file_is_told_and_skipped(recordings, tmp_path, capsys):
    (tmp_path / "in" / "amina").mkdir(parents=True)
    (tmp_path / "in" / "amina" / "good.flac").write_bytes((recordings / "amina" / "test.flac").read_bytes())
    (tmp_path / "in" / "amina" / "bad.flac").write_bytes(b"fLaC" + bytes(100))
    words = ("--from-folder", tmp_path / "in", "--output", tmp_path / "out", "--workers", "1", "--split", "segment")
    assert main(list(map(str, words))) == 0
    assert re.search("^skipped .*bad.flac: ", capsys.readouterr().err.replace("\r", "\n"), re.MULTILINE)
    assert {row.recording for row in read_rows(tmp_path / "out")} == {"good.flac"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from-folder", "{tmp}/nowhere"), "nowhere is not a folder; expected"),
        (("--from-folder", "{tmp}"), "no audio files under"),
        (
            ("--from-folder", "{recordings}", "--validation", "1.5"),
            "--validation is a share from 0 to below 1, not 1.5",
        ),
        (("--from-folder", "{recordings}", "--noise", "{tmp}/nowhere"), "nowhere: no audio files are there"),
        (
            ("--from-folder", "{recordings}", "--split", "speaker", "--variants", "--rooms", "{tmp}/nowhere"),
            "nowhere: no audio files are there",
        ),
        (("--from-folder", "{recordings}", "--rooms", "{recordings}"), "--rooms goes with --variants"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(recordings, tmp_path, capsys, words, says):
    filled = [word.format(tmp=tmp_path, recordings=recordings) for word in words]
    assert main([*filled, "--output", str(tmp_path / "out")]) == 2
    heard = capsys.readouterr()
    (line,) = heard.err.splitlines()
    assert line.startswith("create_dataset: ") and says in line and heard.out == ""
    assert not (tmp_path / "out").exists()
