"""Other speeds as other voices, rooms, and how training reads them; on two example voices."""

from dataclasses import replace

import numpy as np
import pytest

from core.dataset import teacher, variants
from core.dataset.build import build, find_speakers, plan
from core.errors import DatasetError
from core.examples import load_images, load_variant_rows
from core.spectral import COLUMNS

PITCH = COLUMNS.index("pitch_median")  # octaves above 100 Hz


@pytest.fixture(scope="module")
def made(samples, tmp_path_factory):
    """Dataset folder, its tasks."""
    root = tmp_path_factory.mktemp("variants")
    for name in ("amina", "kofi"):
        (root / "in" / name).mkdir(parents=True)
        (root / "in" / name / "a.opus").write_bytes((samples / f"{name}_test.opus").read_bytes())
    tasks = plan(find_speakers([root / "in"]), validation=0.0)
    build(tasks, root / "out")
    for task in tasks:
        variants.make(task, root / "out", None)
        variants.make_rows(task, root / "out", None, 1)
    return root / "out", tasks


def test_another_speed_is_another_voice(made):
    folder, _ = made
    plain, more = load_images(folder, "train"), load_images(folder, "train", with_variants=True)
    assert plain.names == ("amina", "kofi")
    assert set(more.names) == {name + at for name in plain.names for at in ("", "@0.88", "@1.14")}
    assert len(more.speakers) == len(more.values) == len(more.sessions) > 3 * len(plain.values)
    np.testing.assert_array_equal(more.values[: len(plain.values)], plain.values)
    for index, name in enumerate(plain.names):
        assert (more.speakers == index).sum() > (plain.speakers == index).sum(), name  # rooms are the same voice


def test_faster_is_higher(made):
    """An octave is 1 in the row: the pitch moves by log2 of the speed."""
    rows = load_variant_rows(made[0])
    pitch = {name: np.median(rows.values[rows.speakers == i, PITCH]) for i, name in enumerate(rows.names)}
    for name in ("amina", "kofi"):
        assert pitch[f"{name}@1.14"] - pitch[f"{name}@0.88"] == pytest.approx(np.log2(1.14 / 0.88), abs=0.12)


def test_a_room_fills_the_pauses(made):
    folder, _ = made
    found = variants.read(folder / "variants" / "kofi.npz")
    assert found.room.any() and not found.room.all()
    dry, wet = (np.percentile(found.images[(found.speed != 1.0) & (found.room == room)], 10) for room in (False, True))
    assert wet > dry + 5  # grey levels


def test_what_is_there_is_not_made_again(made):
    folder, tasks = made
    path = folder / "variants" / "kofi.npz"
    before = path.stat().st_mtime_ns
    assert variants.make(tasks[1], folder, None) == len(variants.read(path).images)
    assert path.stat().st_mtime_ns == before


def test_missing_variants_are_named(made):
    folder, _ = made
    (folder / "variants" / "amina.rows.npz").rename(folder / "variants" / "hidden")
    with pytest.raises(DatasetError, match=r"amina\.rows\.npz is missing.*--variants"):
        load_variant_rows(folder)
    (folder / "variants" / "hidden").rename(folder / "variants" / "amina.rows.npz")


def test_what_validates_is_not_varied(made):
    """Also where a list says so, recording by recording."""
    _, (task, _) = made
    held = replace(task, recordings=tuple(replace(one, split="validation") for one in task.recordings))
    assert list(variants.clips(task, 1.0)) and list(variants.clips(held, 1.0)) == []


def test_what_was_made_of_other_recordings_or_otherwise_is_made_anew(samples, tmp_path):
    """A recording that is to validate since, or more of them: else training would hear what it is judged by."""
    for place, name in enumerate(("amina_test", "amina_enrol")):
        (tmp_path / "in" / "amina" / f"{place}").mkdir(parents=True)
        (tmp_path / "in" / "amina" / f"{place}" / "a.opus").write_bytes((samples / f"{name}.opus").read_bytes())
    (whole,) = plan(find_speakers([tmp_path / "in"]), validation=0.0, split="speaker")
    part = replace(whole, validation_sessions=frozenset({"1"}))
    images = [variants.make(task, tmp_path, None) for task in (whole, part, part)]
    assert images[0] > images[1] == images[2]
    rows = [variants.make_rows(task, tmp_path, None, copies) for task, copies in ((whole, 2), (part, 2), (part, 1))]
    assert rows[0] > rows[1] > rows[2]
    heard = [teacher.make(task, tmp_path, lambda clips: np.eye(64)[: len(clips)]) for task in (whole, part)]
    assert heard[0] > heard[1]
    old = tmp_path / "variants" / "old.npz"  # made before it said what it was made of
    np.savez(old, images=np.zeros(0))
    assert variants.is_of(old, "anything") and not variants.is_of(tmp_path / "variants" / "none.npz", "anything")


def test_rows_do_not_depend_on_who_came_before(made, tmp_path):
    _, (amina, kofi) = made
    alone, after = tmp_path / "alone", tmp_path / "after"
    variants.make_rows(kofi, alone, None, 2)
    variants.make_rows(amina, after, None, 2)
    variants.make_rows(kofi, after, None, 2)
    first, second = (variants.read_rows(place / "variants" / "kofi.rows.npz")[0] for place in (alone, after))
    np.testing.assert_array_equal(first, second)
