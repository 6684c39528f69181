"""core.dataset: lists of recordings, other places than a folder, shards; and what a killed worker costs."""

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.dataset import storage as storage_module
from core.dataset import workers
from core.dataset.build import build, plan
from core.dataset.manifest import read_rows
from core.dataset.recordings import listed_speakers
from core.dataset.shards import read_images
from core.dataset.storage import Storage
from core.dataset.workers import run
from core.errors import DatasetError, FetchError
from core.examples import load_images
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def listed(voice, tmp_path_factory) -> Path:
    """A list of two voices with two files each."""
    root = tmp_path_factory.mktemp("listed")
    lines = ["path,speaker,language,book,section,source,licence"]
    for name in ("amina", "kofi"):
        for kind in ("enrol", "test"):
            soundfile.write(root / f"{name}.{kind}.flac", voice(f"{name}_{kind}").samples, SAMPLE_RATE)
            lines.append(f"{name}.{kind}.flac,{name},English,book {kind},1,https://example.org/{name},CC0")
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    return root / "list.csv"


@pytest.fixture(scope="module")
def folder(listed, tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("folder")
    build(plan(listed_speakers(listed), split="book"), made)
    return made


def test_a_list_says_where_everything_comes_from(folder):
    rows = read_rows(folder)
    assert {row.speaker for row in rows} == {"amina", "kofi"} and {row.book for row in rows} == {
        "book enrol",
        "book test",
    }
    assert {(row.language, row.section, row.licence) for row in rows} == {("English", "1", "CC0")}
    for name in ("amina", "kofi"):
        sides = {
            side: {r.book for r in rows if (r.speaker, r.split) == (name, side)} for side in ("train", "validation")
        }
        assert all(map(len, sides.values())) and not sides["train"] & sides["validation"]


def test_a_list_may_decide_the_split_and_the_part(listed, tmp_path):
    text = "path,speaker,split,start,end\namina.enrol.flac,a,train,0,12\namina.enrol.flac,a,validation,20,32\n"
    (listed.parent / "parts.csv").write_text(text)
    build(plan(listed_speakers(listed.parent / "parts.csv"), split="book"), tmp_path)
    sides = [row.split for row in read_rows(tmp_path)]
    assert set(sides) == {"train", "validation"} and sides.count("train") <= 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speaker\nx\n", "lacks the columns path"),
        ("path,speaker\n,x\n", "line 2: no path"),
        ("path,speaker\na.wav,\n", "line 2: no speaker"),
        ("path,speaker,split\na.wav,x,test\n", "split is 'test': give train, validation"),
        ("path,speaker,start\na.wav,x,soon\n", "start is 'soon': give seconds"),
        ("path,speaker,start,end\na.wav,x,5,5\n", "there is nothing: give start < end"),
        ("path,speaker\n", "lists no recording"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_list_is_an_error_that_says_where(tmp_path, text, says):
    if text is not None:
        (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DatasetError, match=says):
        listed_speakers(tmp_path / "list.csv")


def test_shards_hold_the_same_images_and_training_reads_both(listed, folder, tmp_path):
    for _ in range(2):
        build(plan(listed_speakers(listed), split="book", shards=True), tmp_path)
    rows, plain = read_rows(tmp_path), read_rows(folder)
    assert [row.sha256 for row in rows] == [row.sha256 for row in plain]
    assert not (tmp_path / "spectrograms").exists() and len(list(tmp_path.glob("shards/*/*.tar"))) == 4
    np.testing.assert_array_equal(read_images(tmp_path, rows), read_images(folder, plain))
    one, other = load_images(tmp_path, "train"), load_images(folder, "train")
    np.testing.assert_array_equal(one.values, other.values)
    assert one.names == other.names and list(one.speakers) == list(other.speakers)


@pytest.mark.parametrize("shards", [False, True])
def test_a_licence_that_is_corrected_reaches_the_dataset(listed, tmp_path, shards):
    """Its images are cut again only where they lie in shards, which tell of it too."""
    build(plan(listed_speakers(listed), split="book", shards=shards), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    rows = read_rows(tmp_path)
    text = listed.read_text()
    other = listed.with_name(f"other {shards}.csv")
    other.write_text(text.replace("1,https://example.org/amina,CC0", "1,https://example.org/amina,CC BY-NC 4.0"))
    build(plan(listed_speakers(other), split="book", shards=shards), tmp_path)
    licences = {"amina": "CC BY-NC 4.0", "kofi": "CC0"}
    assert read_rows(tmp_path) == [replace(row, licence=licences[row.speaker]) for row in rows]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")} == before
    for path in tmp_path.glob("shards/*/amina.tar"):
        with tarfile.open(path) as tar:
            told = [json.load(tar.extractfile(name)) for name in tar.getnames() if name.endswith(".json")]
        assert {one["licence"] for one in told} == {"CC BY-NC 4.0"}


def test_a_shard_is_webdataset(listed, tmp_path):
    """Samples are neighbours with one name up to its first dot: NAME.png and NAME.json."""
    build(plan(listed_speakers(listed), shards=True), tmp_path)
    rows = {row.path.split("::")[1]: row for row in read_rows(tmp_path)}
    for path in tmp_path.glob("shards/*/*.tar"):
        with tarfile.open(path) as tar:
            names = tar.getnames()
            assert names[::2] == [name.replace(".json", ".png") for name in names[1::2]] and all(
                name.count(".") == 1 for name in names
            )
            for name in names[::2]:
                png = tar.extractfile(name).read()
                assert hashlib.sha256(png).hexdigest() == rows[name].sha256
                told = json.load(tar.extractfile(name.replace(".png", ".json")))
                assert told["speaker"] == rows[name].speaker and told["split"] == rows[name].split


@pytest.mark.parametrize("shards", [False, True])
def test_recordings_that_are_called_alike_keep_their_own_licences(voice, tmp_path, shards):
    lines = ["path,speaker,session,licence", "a/talk.flac,amina,one,CC BY-NC 4.0", "b/talk.flac,amina,one,CC0"]
    for folder, name in (("a", "amina_enrol"), ("b", "amina_test")):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "talk.flac", voice(name).between(0, 12).samples, SAMPLE_RATE)
    listed, out = tmp_path / "list.csv", tmp_path / "out"
    listed.write_text("\n".join(lines) + "\n")
    build(plan(listed_speakers(listed), shards=shards), out)
    rows, when = read_rows(out), (out / "parts" / "amina.npy").stat().st_mtime_ns
    assert {row.licence for row in rows} == {"CC BY-NC 4.0", "CC0"}
    build(plan(listed_speakers(listed), shards=shards), out)
    assert read_rows(out) == rows and (out / "parts" / "amina.npy").stat().st_mtime_ns == when
    listed.write_text("\n".join(lines).replace("CC0", "CC BY 4.0") + "\n")
    build(plan(listed_speakers(listed), shards=shards), out)
    assert {row.licence for row in read_rows(out)} == {"CC BY-NC 4.0", "CC BY 4.0"}


def test_another_place_than_a_folder(listed, folder):
    """Any fsspec URL; here memory."""
    pytest.importorskip("fsspec")
    count = build(plan(listed_speakers(listed), split="book", copies=0, shards=True), "memory://dataset")
    rows = read_rows("memory://dataset")
    assert len(rows) == count and [row.sha256 for row in rows] == [row.sha256 for row in read_rows(folder)]
    np.testing.assert_array_equal(read_images("memory://dataset", rows), read_images(folder, read_rows(folder)))
    storage = Storage.of("memory://dataset")
    assert storage.names("parts") == [f"parts/{name}.{end}" for name in ("amina", "kofi") for end in ("json", "npy")]
    storage.remove("parts")
    assert storage.names("parts") == [] and storage.size("parts/amina.json") == -1


def test_a_missing_image_is_named(folder):
    row = read_rows(folder)[0]
    with pytest.raises(DatasetError, match="nowhere.png cannot be read"):
        read_images(folder, [replace(row, path="spectrograms/nowhere.png")])


def test_what_a_dead_process_left_is_removed(tmp_path):
    storage = Storage.of(tmp_path)
    code = f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\nfrom core.dataset.storage import Storage\n"
    code += f"with Storage.of({str(tmp_path)!r}).scratch() as s:\n (s / 'half').write_bytes(b'x'); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with storage.scratch() as mine:
        (mine / "growing").write_bytes(b"y")
        assert len(storage.names(".scratch")) == 2
        storage.tidy()
        assert [Path(name).name for name in storage.names(".scratch")] == ["growing"]
    storage.tidy(all_mine=True)
    assert not (tmp_path / ".scratch").exists()


@pytest.mark.parametrize("hours", [1, 72])
def test_where_no_process_can_be_asked_scratch_is_removed_by_its_age(tmp_path, monkeypatch, hours):
    """This machine's own too; the process that it is called after is alive, as another of its number may be."""
    monkeypatch.setattr(storage_module, "WINDOWS", True)
    left = tmp_path / ".scratch" / f"{socket.gethostname()}-{os.getppid()}"
    left.mkdir(parents=True)
    os.utime(left, (time.time() - 3600 * hours,) * 2)
    Storage.of(tmp_path).tidy()
    assert left.exists() == (hours == 1)


def test_a_pool_has_no_more_processes_than_the_system_can(monkeypatch):
    monkeypatch.setattr(workers, "MOST_PROCESSES", 2)
    with workers.processes(100) as pool:
        assert pool._max_workers == 2


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    """A real, small file system where this system lets us mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: needs root")
    try:
        with pytest.raises(DatasetError, match="the disk is full: free some space and run again"):
            Storage.of(place).write("parts/a.json", os.urandom(200_000))
        Storage.of(place).tidy(all_mine=True)
        assert Storage.of(place).names("") == []
        with pytest.raises(DatasetError, match="less than 200 MB free"):
            build(plan({"a": ()}), place)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def doubled(number: int, folder: str) -> str:
    """A worker's task that dies the first time it is given 3."""
    once = Path(folder) / "died"
    if number == 3 and not once.exists():
        once.touch()
        os._exit(1)
    return str(2 * number)


def test_a_worker_that_dies_costs_its_task_only(tmp_path):
    found = dict(run(doubled, range(6), str(tmp_path), workers=2))
    assert found == {number: str(2 * number) for number in range(6)} and (tmp_path / "died").exists()


def test_what_cannot_be_fetched_does_not_stop_the_rest():
    def before(number: int) -> None:
        if number == 2:
            raise FetchError("two is away")

    got = []
    with pytest.raises(FetchError, match="1 speakers could not be fetched .two is away.: run again"):
        for number, _ in run(lambda number: "", range(5), before=before, connections=2):
            got.append(number)
    assert sorted(got) == [0, 1, 3, 4]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_file(voice, tmp_path):
    """6 minutes take no more than 1, but for their rows: their segments alone would be 19 MB more."""
    sound = voice("amina_enrol").samples
    peaks = {}
    for minutes in (1, 6):
        target = tmp_path / f"in{minutes}" / "amina" / "a.flac"
        target.parent.mkdir(parents=True)
        with soundfile.SoundFile(target, "w", SAMPLE_RATE, 1) as file:
            for _ in range(round(60 * minutes / (len(sound) / SAMPLE_RATE))):
                file.write(sound)
        code = (
            f"import resource, sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from pathlib import Path\nfrom core.dataset.build import *\n"
            f"build(plan(find_speakers([Path({str(target.parents[1])!r})])), {str(tmp_path / f'out{minutes}')!r})\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr[-2000:]
        peaks[minutes] = int(done.stdout) / 1024
    assert peaks[6] - peaks[1] < 12, f"{peaks} MB"


def test_a_stream_of_bytes_is_no_list():
    with pytest.raises(DatasetError, match="cannot be read"):
        listed_speakers(Path(io.__file__).parent)
