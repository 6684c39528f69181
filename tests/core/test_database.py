"""The file under the speaker store: modes, damage, folders that cannot be used, many threads and processes."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from core.errors import StoreError
from core.speakers import SpeakerStore, home_folder
from tests.core.voices import enrol, voice

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path) -> SpeakerStore:
    return SpeakerStore(tmp_path / "home")


def test_where_home_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEAKERS_HOME", str(tmp_path / "from-env"))
    assert home_folder(tmp_path / "given") == tmp_path / "given"
    assert home_folder() == tmp_path / "from-env"
    monkeypatch.delenv("SPEAKERS_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert home_folder().name == "who-is-speaking"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_can_read(store):
    enrol(store, "Amina")
    assert stat.S_IMODE(store.home.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="choose a folder of your own with --home"):
        SpeakerStore(tmp_path / "file" / "home")
    for name in ("file", "a" * 300, "a\0b"):
        with pytest.raises(StoreError, match="cannot be written"):
            SpeakerStore(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="Windows takes any ~name")
def test_the_folder_of_nobody(monkeypatch):
    monkeypatch.setenv("SPEAKERS_HOME", "~nosuchuser/x")
    with pytest.raises(StoreError, match="~nosuchuser/x cannot be found .*write the folder out in full"):
        SpeakerStore()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX users")
@pytest.mark.parametrize("mode", [0o555, 0o777], ids=["folder too", "file only"])
@pytest.mark.parametrize("begin", [SpeakerStore, lambda folder: (folder / "speakers.db").touch()], ids=["used", "new"])
def test_a_database_that_is_not_writable(begin, mode):
    with tempfile.TemporaryDirectory() as folder:
        begin(Path(folder))
        (Path(folder) / "speakers.db").chmod(0o444)
        Path(folder).chmod(mode)
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may write anywhere: try as nobody
        try:
            with pytest.raises(StoreError, match="speakers.db cannot be written .*folder of your own with --home"):
                SpeakerStore(folder)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            Path(folder).chmod(0o755)


@pytest.mark.parametrize("damage", ["text", "middle", "cut"])
def test_a_damaged_database_is_set_aside(store, damage):
    for seed in range(4):
        enrol(store, f"Person {seed}", seed, windows=20)
    good = store.path.read_bytes()
    page = 4096
    bad = {
        "text": b"this is no database, " * 400,
        "middle": good[:page] + b"\xa5" * (len(good) - 2 * page) + good[-page:],
        "cut": good[: 2 * page],
    }[damage]
    store.path.write_bytes(bad)
    fresh = SpeakerStore(store.home)
    (aside,) = store.home.glob("speakers.db.corrupt-*")
    assert aside.read_bytes() == bad
    assert aside.name in fresh.notice and "enrol everybody again" in fresh.notice
    assert fresh.profiles() == [] and enrol(fresh, "Amina").name == "Amina"
    assert SpeakerStore(store.home).notice is None


def test_damage_while_running_is_one_sentence(store):
    enrol(store, "Amina")
    store.path.write_bytes(b"x" * 8192)
    with pytest.raises(StoreError, match="damaged"):
        store.profiles()


def test_a_newer_layout_is_left_alone(store):
    enrol(store, "Amina")
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer version"):
        SpeakerStore(store.home)
    assert not list(store.home.glob("*.corrupt-*"))


def test_revision_changes_with_every_change(store):
    seen, people = [store.revision()], [store.people_mark()]
    for change in (
        lambda: enrol(store, "Amina"),
        lambda: store.add_session("Amina", segments=voice(2), model_id="m1", source="mic", consent=True),
        lambda: store.rename("Amina", "Mina"),
        lambda: store.delete("Mina"),
        store.delete_all,
    ):
        change()
        seen.append(SpeakerStore(store.home).revision())
        people.append(store.people_mark())
    assert len(set(seen)) == len(seen)
    assert len(set(people)) == 4 and people[0] == people[-2] == people[-1]  # nobody three times
    store.profiles()
    assert store.revision() == seen[-1]


def test_threads_share_a_store(store):
    errors = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                enrol(store, f"Thread {number} turn {turn}", number, count=2)
                store.embeddings("m1")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            errors.append(error)

    before = store.revision()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.profiles()) == 12 and store.revision() == before + 12


def test_processes_share_a_folder(tmp_path):
    script = (
        "import sys; sys.path.insert(0, 'tests/core'); from voices import SpeakerStore, enrol\n"
        "store = SpeakerStore(sys.argv[1])\n"
        "for turn in range(3): enrol(store, f'{sys.argv[2]} {turn}', turn, count=2)\n"
        "assert store.notice is None"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    home = tmp_path / "shared"  # does not exist yet: both begin it at the same moment
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(home), name], cwd=ROOT, env=environment)
        for name in ("left", "right")
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert len(SpeakerStore(home).profiles()) == 6


def test_a_second_store_in_a_process_leaves_the_first_its_locks(store):
    """Closing any descriptor of a file drops all locks that the process has on it (POSIX): another process would then
    take itself for the last one and delete the write-ahead log under those who read and write."""
    enrol(store, "Amina")
    last = "import sys; from core.speakers import SpeakerStore; SpeakerStore(sys.argv[1]).rename('Amina', 'Mina')"
    with store.database.connection() as db:
        assert db.execute("SELECT name FROM speakers").fetchall() == [("Amina",)]
        SpeakerStore(store.home)
        subprocess.run([sys.executable, "-c", last, store.home], cwd=ROOT, check=True, timeout=60)
        assert store.path.with_name("speakers.db-wal").exists(), "deleted although the database is open here"
        db.execute("UPDATE speakers SET name = 'Jo'")
    assert [profile.name for profile in store.profiles()] == ["Jo"]


@pytest.mark.skipif(os.name != "posix", reason="Windows lets few users make links")
def test_a_link_to_a_place_that_is_still_empty_is_followed(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "speakers.db").symlink_to(tmp_path / "elsewhere.db")
    enrol(SpeakerStore(tmp_path / "home"), "Amina")
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in SpeakerStore(tmp_path / "home").profiles()] == ["Amina"]
    (tmp_path / "home" / "speakers.db").unlink()
    (tmp_path / "home" / "speakers.db").symlink_to(tmp_path / "nowhere" / "speakers.db")
    with pytest.raises(StoreError, match="speakers.db cannot be written .No such file"):
        SpeakerStore(tmp_path / "home")


def test_a_link_that_leads_to_itself_is_one_sentence(tmp_path):
    (tmp_path / "speakers.db").symlink_to("speakers.db")
    with pytest.raises(StoreError, match="speakers.db cannot be written"):
        SpeakerStore(tmp_path)


def test_a_store_that_lost_its_number_gets_a_new_one_and_odd_wishes_count_as_none(store):
    enrol(store, "Amina")
    with store.database.connection() as db:
        db.execute("DELETE FROM changes")
        db.execute("INSERT INTO settings VALUES ('sureness', 'abc')")
    again = SpeakerStore(store.home)
    assert again.revision() > 0 and not again.sureness()
    assert [one.name for one in again.profiles()] == ["Amina"]
