"""core.dataset: a folder of recordings becomes a dataset, in each way of splitting, whatever files are called."""

import csv
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from core.audio import SAMPLE_RATE, Audio
from core.dataset.build import Recording, build, find_speakers, plan
from core.dataset.manifest import COLUMNS, Row, read_rows, safe_name, write_rows
from core.dataset.noise import MADE_OF, build_noise, noise_images, noise_segments
from core.dataset.recordings import unique
from core.errors import DatasetError
from core.spectral import COLUMNS as FEATURES
from core.spectrogram import BANDS, FRAMES, read_png

VOICES = ("amina", "jo", "kofi", "mei")


def record(path: Path, sound: Audio) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound.samples, SAMPLE_RATE)


@pytest.fixture(scope="module")
def recordings(voice, tmp_path_factory) -> Path:
    """Four voices, three short sessions each: two files and a folder of two."""
    root = tmp_path_factory.mktemp("recordings")
    for name in VOICES:
        record(root / name / "one.wav", voice(f"{name}_enrol").between(0, 11))
        record(root / name / "two.flac", voice(f"{name}_test").between(0, 6))
        record(root / name / "three" / "a.wav", voice(f"{name}_enrol").between(12, 18))
        record(root / name / "three" / "b.wav", voice(f"{name}_enrol").between(18, 24))
    return root


def folder_hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sessions_by_split(rows: list[Row], speaker: str) -> dict[str, set[str]]:
    of = [row for row in rows if row.speaker == speaker]
    return {split: {row.session for row in of if row.split == split} for split in ("train", "validation")}


# --- what is found --------------------------------------------------------------------------------------------------


def test_speakers_sessions_and_files_are_found(recordings):
    found = find_speakers([recordings])
    assert list(found) == list(VOICES)
    assert [(one.path.name, one.session) for one in found["jo"]] == [
        ("one.wav", "one"),
        ("a.wav", "three"),
        ("b.wav", "three"),
        ("two.flac", "two"),
    ]


def test_a_folder_that_is_called_like_a_file_is_none(voice, tmp_path):
    record(tmp_path / "jo" / "talk.mp3" / "one.wav", voice("jo_test"))
    assert [one.name for one in find_speakers([tmp_path])["jo"]] == ["one.wav"]


def test_two_folders_keep_equal_names_apart(recordings, tmp_path):
    other = Path(shutil.copytree(recordings, tmp_path / "other"))
    assert len(find_speakers([recordings, other])) == 8
    assert f"{safe_name(recordings.name)}-jo" in find_speakers([recordings, other])


def test_people_whose_names_become_the_same_letters_stay_two(recordings, tmp_path):
    """李 and 王 hold no letter that is safe in a file name: still two speakers."""
    for name in ("李", "王", "jo li", "jo_li"):
        shutil.copytree(recordings / "jo", tmp_path / name)
    assert sorted(find_speakers([tmp_path])) == ["jo_li", "jo_li-2", "unnamed-3399a0e6", "unnamed-c16667ca"]


@pytest.mark.parametrize("made", [False, True])
def test_no_folder_or_nothing_in_it(tmp_path, made):
    folder = tmp_path / "in"
    if made:
        (folder / "amina").mkdir(parents=True)
        (folder / "amina" / "notes.txt").write_text("no sound")
    with pytest.raises(DatasetError, match="no audio files under" if made else "is not a folder; expected .*<speaker>"):
        find_speakers([folder])


# --- splits ---------------------------------------------------------------------------------------------------------


def test_sessions_are_kept_apart(recordings, tmp_path):
    tasks = plan(find_speakers([recordings]), split="session", validation=0.3)
    build(tasks, tmp_path)
    rows = read_rows(tmp_path)
    for name in VOICES:
        split = sessions_by_split(rows, name)
        assert len(split["validation"]) == 1 and len(split["train"]) == 2
        assert not split["train"] & split["validation"]


def test_speakers_are_kept_apart(recordings, tmp_path):
    build(plan(find_speakers([recordings]), split="speaker", validation=0.25), tmp_path)
    rows = read_rows(tmp_path)
    held = {row.speaker for row in rows if row.split == "validation"}
    assert len(held) == 1 and not held & {row.speaker for row in rows if row.split == "train"}


def test_the_split_of_the_shipped_weights_stands():
    """`--split speaker --validation 0.03 --seed 0`: who was held out when the weights were trained still is."""
    names = [f"s{index:03d}" for index in range(100)]
    tasks = plan({name: (Recording(Path("a.wav"), "a"),) for name in names}, split="speaker", validation=0.03, seed=0)
    assert [task.speaker for task in tasks if task.validation_sessions] == ["s049", "s053", "s097"]
    assert [task.seed for task in tasks[:2]] == [2341948235, 3018977299]


def test_segments_are_split_like_the_originals(recordings, tmp_path):
    """Single segments, whatever their recording: about the share that was asked for."""
    tasks = plan(find_speakers([recordings]), split="segment", validation=0.4, seed=2)
    build(tasks, tmp_path)
    rows = read_rows(tmp_path)
    share = np.mean([row.split == "validation" for row in rows])
    assert 0.15 < share < 0.65
    assert any(all(parts.values()) and set.intersection(*parts.values()) for parts in _by_recording(rows))


def _by_recording(rows: list[Row]):
    return [sessions_by_split(rows, name) for name in VOICES]


def test_a_speaker_with_one_recording_goes_to_training():
    (task,) = plan({"amina": (Recording(Path("a.wav"), "a"),)}, split="session", validation=0.5)
    assert task.validation_sessions == frozenset()


@given(st.integers(2, 12), st.floats(0.0, 0.99), st.integers(0, 5))
def test_no_share_takes_all_sessions_or_all_of_nobody(count, share, seed):
    sessions = tuple(Recording(Path(f"{index}.wav"), str(index)) for index in range(count))
    (task,) = plan({"a": sessions}, split="session", validation=share, seed=seed)
    assert 1 <= len(task.validation_sessions) < count


def test_another_speaker_does_not_change_the_split_of_the_rest(recordings):
    found = find_speakers([recordings])
    few = {task.speaker: task for task in plan({name: found[name] for name in VOICES[1:]})}
    assert all(few[task.speaker] == task for task in plan(found) if task.speaker in few)
    assert plan(found) == plan(found) and plan(found, seed=1) != plan(found, seed=2)


# --- what is built --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(recordings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    build(plan(find_speakers([recordings]), copies=1), folder)
    return folder


def test_every_row_has_its_image_and_its_features(dataset):
    rows = read_rows(dataset)
    with (dataset / "features.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["id", "speaker", "split", *FEATURES] and [line[0] for line in lines] == [row.id for row in rows]
    assert len({row.id for row in rows}) == len({row.path for row in rows}) == len(rows) >= 16
    for row, line in zip(rows, lines, strict=True):
        assert line[1:3] == [row.speaker, row.split] and np.isfinite(np.array(line[3:], float)).all()
        assert row.path.startswith(f"spectrograms/{row.split}/{row.speaker}/")
        assert hashlib.sha256((dataset / row.path).read_bytes()).hexdigest() == row.sha256
        assert read_png(dataset / row.path).shape == (BANDS, FRAMES)
    assert len(list((dataset / "spectrograms").rglob("*.png"))) == len(rows)
    assert not list(dataset.rglob("*.partial"))


def test_augmented_copies_are_of_training_segments_only(dataset):
    rows = read_rows(dataset)
    for name in VOICES:
        with np.load(dataset / "features_augmented" / f"{name}.npz", allow_pickle=False) as file:
            made = file["features"]
        assert made.dtype == np.float32 and np.isfinite(made).all()
        assert made.shape == (sum(row.speaker == name and row.split == "train" for row in rows), len(FEATURES))


def test_a_second_run_makes_nothing_again(recordings, dataset):
    files = [path for path in dataset.rglob("*") if path.is_file() and path.parent != dataset]
    before, content = {path: path.stat().st_mtime_ns for path in files}, folder_hashes(dataset)
    build(plan(find_speakers([recordings]), copies=1), dataset)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert folder_hashes(dataset) == content


def test_other_settings_are_not_mixed_with_old_results(recordings, tmp_path):
    """The same folder, another split: what was made of the first leaves no trace."""
    found = {name: some for name, some in find_speakers([recordings]).items() if name in VOICES[:2]}
    build(plan(found, split="segment", validation=0.5), tmp_path / "twice")
    for folder in ("twice", "once"):
        build(plan(found, split="speaker", validation=0.5), tmp_path / folder)
    assert folder_hashes(tmp_path / "twice") == folder_hashes(tmp_path / "once")


def test_a_new_recording_is_taken_up(recordings, voice, tmp_path):
    for name in ("jo", "kofi"):
        shutil.copytree(recordings / name, tmp_path / "in" / name)
    root = tmp_path / "in"
    build(plan(find_speakers([root])), tmp_path / "out")
    before = len(read_rows(tmp_path / "out"))
    unchanged = (tmp_path / "out" / "parts" / "jo.json").stat().st_mtime_ns
    record(root / "kofi" / "four.wav", voice("kofi_enrol").between(24, 30))
    assert build(plan(find_speakers([root])), tmp_path / "out") == len(read_rows(tmp_path / "out")) > before
    assert (tmp_path / "out" / "parts" / "jo.json").stat().st_mtime_ns == unchanged


def test_files_whose_names_become_the_same_letters_do_not_overwrite(voice, tmp_path):
    """a.wav and a.flac; 你.wav and 我.wav; a name that is no valid text."""
    parts = ["a.wav", "a.flac", "你.wav", "我.wav", os.fsdecode(b"\xff\xfe.wav")]
    for index, name in enumerate(parts):
        record(tmp_path / "in" / "amina" / "plain.wav", voice("amina_enrol").between(5 * index, 5 * index + 6))
        (tmp_path / "in" / "amina" / "plain.wav").rename(tmp_path / "in" / "amina" / name)
    build(plan(find_speakers([tmp_path / "in"])), tmp_path / "out")
    rows = read_rows(tmp_path / "out")
    assert len({row.path for row in rows}) == len(rows) and len({row.recording for row in rows}) == 5
    assert all(hashlib.sha256((tmp_path / "out" / row.path).read_bytes()).hexdigest() == row.sha256 for row in rows)


def test_another_recording_of_one_length_under_the_same_name_is_taken_up(voice, tmp_path):
    """Clips of a fixed length have one size too."""
    for name in ("jo", "amina"):
        sound = voice(f"{name}_test").between(0, 6)
        record(tmp_path / "in" / "amina" / "1.wav", sound)
        build(plan(find_speakers([tmp_path / "in"])), tmp_path / "out")
        found = [path.read_bytes() for path in sorted((tmp_path / "out" / "spectrograms").rglob("*.png"))]
        if name == "jo":
            before = found
    assert found and before and not set(found) & set(before)


def test_names_of_any_script_length_and_case_stay_apart(voice, tmp_path):
    """Another speaker renames nobody, and what some systems take for one file has two names."""
    sound, people = voice("jo_test").between(0, 4), ["Борис", "Вера", "Яна", "Anna B", "x" * 200]
    for name in people:
        record(tmp_path / "in" / name / f"{'recording ' * 20}.wav", sound)
    before = find_speakers([tmp_path / "in"])
    record(tmp_path / "in" / "Анна" / "1.wav", sound)
    after = find_speakers([tmp_path / "in"])
    assert set(before) < set(after) and len(after) == 6 and "Anna_B" in after
    assert build(plan(after), tmp_path / "out") == 6
    taken: set[str] = set()
    assert [unique(name, taken) for name in ("Anna", "anna", "ANNA")] == ["Anna", "anna-2", "ANNA-3"]


def test_unreadable_files_are_skipped_with_a_line(recordings, voice, tmp_path):
    root = Path(shutil.copytree(recordings, tmp_path / "in"))
    (root / "jo" / "empty.wav").write_bytes(b"")
    (root / "jo" / "text.mp3").write_text("this is no audio\n" * 50)
    (root / "jo" / "gone.wav").symlink_to(root / "nowhere.wav")
    (root / "mei" / "silence.wav").parent.mkdir(exist_ok=True)
    record(root / "mei" / "silence.wav", Audio(np.zeros(SAMPLE_RATE * 10, np.float32)))
    for _ in range(2):  # told again by a second run, which makes nothing again
        told: dict[str, str] = {}
        build(plan(find_speakers([root])), tmp_path / "out", report=told.__setitem__)
        assert set(told) == set(VOICES) and [told[name] for name in ("amina", "kofi", "mei")] == [""] * 3
        lines = told["jo"].splitlines()
        assert [Path(line.split(": ")[0]).name for line in lines] == ["empty.wav", "gone.wav", "text.mp3"]
        assert "empty (0 bytes)" in lines[0] and "cannot be read" in lines[1] and "is not audio" in lines[2]
    assert not [row for row in read_rows(tmp_path / "out") if row.recording in ("empty.wav", "silence.wav")]


def test_no_speech_at_all_is_no_dataset(tmp_path):
    record(tmp_path / "in" / "nobody" / "silence.wav", Audio(np.zeros(SAMPLE_RATE * 10, np.float32)))
    with pytest.raises(DatasetError, match="no speech was found in any recording: at least 2.5 s"):
        build(plan(find_speakers([tmp_path / "in"])), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.csv")) and not list((tmp_path / "out").glob("*.partial"))


# --- noise ----------------------------------------------------------------------------------------------------------


def test_noise_becomes_images(chance, tmp_path):
    """12 s make two pieces of 5 s; the rest of 2 s is too short. Equal names in two folders are two noises."""
    for folder in ("street", "room"):
        record(tmp_path / "in" / folder / "a.wav", Audio(chance.uniform(-0.1, 0.1, 12 * SAMPLE_RATE)))
    record(tmp_path / "in" / "silence.wav", Audio(np.zeros(6 * SAMPLE_RATE)))
    (tmp_path / "in" / "broken.wav").write_bytes(b"RIFF")
    assert len(noise_segments(tmp_path / "in" / "room" / "a.wav")) == 2
    for _ in range(2):
        assert build_noise(tmp_path / "in", tmp_path / "out") == 4
    images = sorted((tmp_path / "out" / "noise").glob("*.png"))
    assert [path.name for path in images] == ["a-2_000.png", "a-2_001.png", "a_000.png", "a_001.png"]
    assert len({path.read_bytes() for path in images}) == 4


def test_other_noise_takes_the_place_of_what_was_there(chance, tmp_path):
    """One file was replaced by another of its name and length, one was removed: nothing of them is mixed in."""
    for name in ("hum", "street"):
        record(tmp_path / "in" / f"{name}.wav", Audio(chance.uniform(-0.1, 0.1, 6 * SAMPLE_RATE)))
    assert build_noise(tmp_path / "in", tmp_path / "out") == 2
    hum = (tmp_path / "out" / "noise" / "hum_000.png").read_bytes()
    record(tmp_path / "in" / "hum.wav", Audio(chance.uniform(-0.1, 0.1, 6 * SAMPLE_RATE)))
    (tmp_path / "in" / "street.wav").unlink()
    assert build_noise(tmp_path / "in", tmp_path / "out") == 1 == len(noise_images(tmp_path / "out"))
    assert (tmp_path / "out" / "noise" / "hum_000.png").read_bytes() != hum
    when = (tmp_path / "out" / "noise" / "hum_000.png").stat().st_mtime_ns
    assert build_noise(tmp_path / "in", tmp_path / "out") == 1
    assert (tmp_path / "out" / "noise" / "hum_000.png").stat().st_mtime_ns == when  # the same is not made again
    (tmp_path / "out" / MADE_OF).unlink()  # cut off while it was put into place
    assert build_noise(tmp_path / "in", tmp_path / "out") == 1
    assert (tmp_path / "out" / "noise" / "hum_000.png").stat().st_mtime_ns != when
    with pytest.raises(DatasetError, match="no sound in"):
        build_noise(tmp_path / "nothing", tmp_path / "out")
    assert len(noise_images(tmp_path / "out")) == 1 and not (tmp_path / "out" / ".scratch").exists()


def test_a_long_noise_is_used_as_far_as_it_goes_and_none_at_all_is_said(chance, tmp_path):
    """A quarter of an hour in a café; a folder without a sound is no noise."""
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "cafe.wav", chance.uniform(-0.1, 0.1, 900 * 8_000), 8_000)
    assert len(noise_segments(tmp_path / "in" / "cafe.wav")) == 600 / 5
    record(tmp_path / "none" / "silence.wav", Audio(np.zeros(6 * SAMPLE_RATE)))
    with pytest.raises(DatasetError, match="no sound in .*none: give --noise a folder of noise recordings"):
        build_noise(tmp_path / "none", tmp_path / "out")


# --- the manifest ---------------------------------------------------------------------------------------------------


rows_of_anything = st.builds(
    Row,
    **{
        name: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
        for name in COLUMNS
        if name != "start"
    },
    start=st.floats(0, 1e5).map(lambda value: round(value, 3)),
)


@given(st.lists(rows_of_anything, max_size=5))
def test_a_manifest_is_read_as_it_was_written(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("manifest")
    write_rows(folder / "segments.csv", rows)
    assert read_rows(folder) == rows and [path.name for path in folder.iterdir()] == ["segments.csv"]


def test_a_folder_without_a_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match="has no segments.csv: make it with scripts/create_dataset.py"):
        read_rows(tmp_path)
    (tmp_path / "segments.csv").write_text("id,path\n1,2\n")
    with pytest.raises(DatasetError, match="lacks the columns language, licence"):
        read_rows(tmp_path)


@given(st.text())
def test_a_safe_name_is_safe(text):
    made = safe_name(text)
    assert made and made.isascii() and not set(made) & set("/\\:\0 \n") and not made.startswith(".")
    assert made not in (".", "..") and safe_name(made) == made
