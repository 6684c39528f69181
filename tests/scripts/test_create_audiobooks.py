"""scripts/create_dataset.py from a catalogue to a dataset, against a server that answers like LibriVox and archive.org:
twice, killed, on a Dask cluster that loses a worker, with bad input and a full disk.

It is killed where most is at stake; KILL_STAGES=all kills it in every stage.
"""

import csv
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.dataset.manifest import read_rows
from scripts.create_dataset import main
from tests.conftest import ROOT
from tests.core.librivox_server import SMALL, LibriVoxServer, environment

PATIENCE = 280  # s for a process on a busy machine
STAGES = ("catalogue/*.json", "probes/*.json", "downloads/*/*.mp3", "wav/*/*.wav", "parts/*.json")
KILLED = STAGES if os.environ.get("KILL_STAGES") == "all" else STAGES[3:]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def server(shelf):
    made = LibriVoxServer(shelf)
    yield made
    made.close()


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "scripts/create_dataset.py", *SMALL, "--interval", "0.05", *map(str, words)]


def run(server, *words: str | Path, **options) -> subprocess.CompletedProcess:
    known = {"cwd": ROOT, "env": environment(server), "capture_output": True, "text": True, "timeout": PATIENCE}
    return subprocess.run(command(*words), **known, **options)


def here(server, *words: str | Path) -> int:
    """The same in this process, one worker: quicker."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(server).items():
            patch.setenv(name, value)
        return main([*SMALL, "--interval", "0.05", "--workers", "1", *map(str, words)])


def hashes(folder: Path) -> dict[str, str]:
    """Everything a dataset is made of; of the tables, what does not hold the server's changing address."""
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("spectrograms", "shards", "wav", "downloads", "probes")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file() and path.suffix != ".tar"
    }
    rows = [(row.id, row.path, row.sha256, row.split, row.start, row.book, row.section) for row in read_rows(folder)]
    text = json.dumps(rows) + (folder / "features.csv").read_text() + (folder / "readers.csv").read_text()
    return {**found, "tables": hashlib.sha256(text.encode()).hexdigest()}


@pytest.fixture(scope="module")
def once(shelf, tmp_path_factory):
    """Made in one go; (folder, what the run said, the requests it took)."""
    server = LibriVoxServer(shelf)
    server.faults["item2101_librivox/part_01_64kb.mp3"] = [503, "cut"]
    folder = tmp_path_factory.mktemp("once") / "dataset"
    try:
        done = run(server, "--output", folder, "--workers", "2")
        assert done.returncode == 0, done.stderr[-3000:]
        files = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        asked = list(server.asked)
        assert here(server, "--output", folder) == 0
        assert server.asked == asked, "the second run asked for something"
        changed = {path.name for path in files if path.stat().st_mtime_ns != files[path]}
        assert changed == {"segments.csv", "features.csv", "readers.csv", "ATTRIBUTION.md"}
        assert server.most_at_a_time <= 2 + 1  # the connections asked for; one may be ending still
    finally:
        server.close()
    return folder, done.stdout, asked


@pytest.mark.slow
def test_a_dataset_of_audiobooks_is_whole(once):
    folder, said, _ = once
    rows = read_rows(folder)
    assert said.splitlines()[-1] == f"{len(rows)} segments of 5 speakers in {folder}" and len(rows) >= 20
    assert "5 speakers of 5 wanted: 3 English, 2 German" in said
    assert "1 readers noisier than 25 dB (estimated), 1 readers narrower than 5000 Hz (estimated)" in said
    assert {row.speaker for row in rows} == {
        "101_Amina_X", "102_Kofi_X", "103_Mei_X", "104_Jo_X", "105_Sven_X"
    }  # fmt: skip
    for speaker in {row.speaker for row in rows}:
        theirs = [row for row in rows if row.speaker == speaker]
        books = {side: {row.book for row in theirs if row.split == side} for side in ("train", "validation")}
        assert books["train"] and books["validation"] and not books["train"] & books["validation"]
    assert all("/download/item" in row.source and row.licence == "Public domain (LibriVox)" for row in rows)
    assert {row.language for row in rows} == {"English", "German"} and all(row.section.isdigit() for row in rows)
    with (folder / "readers.csv").open(newline="") as file:
        readers = list(csv.DictReader(file))
    assert len(readers) == 5 and all(float(one["snr_estimate_db"]) >= 25 for one in readers)
    assert {one["voice_estimate"] for one in readers} == {"high", "low"}
    assert (folder / "ATTRIBUTION.md").read_text().count("(reader ") == 5
    assert not (folder / ".scratch").exists() and not list((folder / "probes").glob("*.mp3"))


def test_what_archive_org_does_not_give_is_replaced(server, once, tmp_path, capsys):
    """A page instead of a section: another one of the same reader is fetched, and the run says so."""
    (refused,) = {
        row.source
        for row in read_rows(once[0])
        if row.speaker == "102_Kofi_X" and row.section == "1" and row.split == "train"
    }
    place = refused.split("/download/")[1]
    server.faults[place] = ["page", "..."]
    for kept in ("catalogue", "probes"):
        os.symlink(once[0] / kept, tmp_path / kept)
    words = ("--minutes", "0.4", "--output", tmp_path)
    assert here(server, *words) == 0
    heard = capsys.readouterr()
    assert heard.out.count("segments of 5 speakers in") == 2 and f"{place} is a page, not sound" in heard.err
    assert "other sections of the same readers take their place" in heard.err
    rows = [row for row in read_rows(tmp_path) if row.speaker == "102_Kofi_X"]
    assert {row.split for row in rows} == {"train", "validation"} and not any(place in row.source for row in rows)
    asked = len(server.asked)
    assert here(server, *words) == 0 and len(server.asked) == asked
    assert capsys.readouterr().out.count("segments of 5 speakers in") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_it_goes_on_where_it_stopped(server, once, tmp_path):
    """One run after the other is killed: with KILL_STAGES=all in the catalogue and the probes too."""
    server.pause = 0.03
    words = command("--output", tmp_path, "--workers", "1", "--connections", "1")
    for stage in KILLED:
        process = subprocess.Popen(
            words, cwd=ROOT, env=environment(server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not list(tmp_path.glob(stage)):
                assert process.poll() is None and time.monotonic() < deadline, stage
                time.sleep(0.002)
        finally:
            process.kill()  # SIGKILL: nothing can be tidied up
            process.wait()
        assert not (tmp_path / "segments.csv").exists()
    kept = {path: path.stat().st_mtime_ns for stage in STAGES for path in tmp_path.glob(stage)}
    assert here(server, "--output", tmp_path) == 0
    assert hashes(tmp_path) == hashes(once[0])
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing finished was made again
    assert not (tmp_path / ".scratch").exists()


@contextmanager
def cluster(folder: Path, count: int):
    """A Dask scheduler and workers, as people start them; yields (address, worker processes)."""
    file = folder / "scheduler.json"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"cwd": folder, "env": env, "stdout": subprocess.DEVNULL, "stderr": (folder / "dask.log").open("ab")}
    begin = [sys.executable, "-m"]
    ends = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = [*begin, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *ends]
    worker = [*begin, "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *ends]
    started = [subprocess.Popen(scheduler, **quiet)]
    try:
        started += [subprocess.Popen(worker, **quiet) for _ in range(count)]
        deadline = time.monotonic() + PATIENCE
        while not file.is_file() or not file.read_text():
            assert started[0].poll() is None and time.monotonic() < deadline, (folder / "dask.log").read_text()[-2000:]
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        quiet["stderr"].close()


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="distributed is not installed: --scheduler")
@pytest.mark.slow
def test_two_dask_workers_one_of_which_is_killed(server, once, tmp_path):
    with cluster(tmp_path, 2) as (address, workers):
        process = subprocess.Popen(
            command("--output", tmp_path / "out", "--scheduler", address),
            cwd=ROOT,
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + PATIENCE
        while not list(tmp_path.glob("out/parts/*.json")):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0][-3000:]
            time.sleep(0.002)
        workers[0].kill()
        said = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0, said[-3000:]
    assert hashes(tmp_path / "out") == hashes(once[0])
    if log := os.environ.get("DASK_LOG"):
        Path(log).write_text((tmp_path / "dask.log").read_text() + said)


def test_a_file_too_large_for_the_disk_is_one_line_and_costs_nothing(server, once, tmp_path):
    """The system refuses in the middle of a WAV: no half of it is left."""
    resource = pytest.importorskip("resource")
    for kept in ("catalogue", "probes"):
        os.symlink(once[0] / kept, tmp_path / kept)

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = run(server, "--output", tmp_path, "--workers", "1", preexec_fn=little_room)
    assert done.returncode == 2
    assert "the limit on the size of a file is too low: raise it" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("wav/*/*")) and not (tmp_path / "segments.csv").exists()
    assert not (tmp_path / ".scratch").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--languages", "Klingon"), "the catalogue has no books in 'Klingon'; it has English, German, French"),
        (("--minutes", "600"), "no reader is left: 60 books unfinished, 1 books not by one reader alone"),
        (("--contact", ""), "--contact is missing"),
        (("--max-gb", "0.0001"), "--max-gb is 0.0001: raise it"),
        (("--output", "{tmp}/file/dataset"), "a file lies where a folder is needed: choose another --output"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(server, once, tmp_path, capsys, words, says):
    (tmp_path / "file").write_text("a file")
    for kept in ("catalogue", "probes"):
        os.symlink(once[0] / kept, tmp_path / kept)
    assert here(server, "--output", tmp_path, *(word.format(tmp=tmp_path) for word in words)) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("create_dataset: ") and says in line
    assert not (tmp_path / "segments.csv").exists() and not list(tmp_path.glob("downloads/*/*.mp3"))


def test_without_a_network_it_says_what_it_waits_for(shelf, tmp_path):
    server = LibriVoxServer(shelf)
    server.close()  # nobody answers there any more
    words = command("--output", tmp_path, "--dry-run")
    with subprocess.Popen(words, cwd=ROOT, env=environment(server), stderr=subprocess.PIPE, text=True) as running:
        try:
            first, second = (running.stderr.readline() for _ in range(2))
            assert running.poll() is None  # half a minute before it gives up
        finally:
            running.kill()
    assert first == f"asking {server.url} for its catalogue, from book 1 on ...\n"
    assert second.startswith(f"{server.url}/api/") and second.endswith("; tried again in 1 s (2 of 6)\n")


def test_a_dry_run_fetches_no_sound(server, tmp_path, capsys):
    assert here(server, "--output", tmp_path, "--dry-run") == 0
    assert server.count("/download/") == 0 and [path.name for path in tmp_path.iterdir()] == ["catalogue"]
    lines = capsys.readouterr().out.splitlines()
    assert sum("not probed yet, taken as good" in line for line in lines) == 5
    assert any(line.startswith("to fetch: ") and "MB of sound in" in line for line in lines)
