"""A damaged database gives back what is whole in it, and nothing that is not."""

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import database, people_file
from core.embedder import shipped_sizes
from core.session_rows import checked_rows
from core.speakers import SpeakerStore
from tests.core.voices import DIMS, enrol, voice

PAGE = 4096  # bytes
TIME = "2026-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    """Thirty people on some hundred pages."""
    store = SpeakerStore(tmp_path_factory.mktemp("good"))
    for seed in range(30):
        enrol(store, f"Person {seed}", seed, windows=5)
    return store.path.read_bytes()


def opened(folder, content: bytes) -> SpeakerStore:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    (folder / "speakers.db").write_bytes(content)
    return SpeakerStore(folder)


def changed(good: bytes, folder, statement: str, *values: object) -> SpeakerStore:
    """A store of what SQL made of one row of the good one."""
    (folder / "made.db").write_bytes(good)
    with sqlite3.connect(folder / "made.db") as db:
        assert db.execute(statement, values).rowcount == 1
    db.close()
    return opened(folder / "home", (folder / "made.db").read_bytes())


def assert_sound(store: SpeakerStore) -> int:
    """Whoever is there is there with their own voice, as it was enrolled; how many."""
    people = store.embeddings("m1")
    for person in people:
        pieces = voice(int(person.profile.name.split()[1]), windows=5)[: len(person.cnn)]
        assert len(pieces) >= 4  # the end may be lost, nothing in between
        assert np.array_equal(person.cnn, np.stack([piece.cnn for piece in pieces])), person.profile
        assert np.array_equal(person.ann, np.stack([piece.ann for piece in pieces])), person.profile
    with sqlite3.connect(store.path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()
    assert len(store.profiles()) == len(people)
    return len(people)


def test_one_bad_page_costs_few_people(good, tmp_path):
    """A page whose cells are torn, in the middle of the embeddings."""
    place = len(good) // PAGE // 2 * PAGE
    store = opened(tmp_path / "home", good[:place] + b"\xff" * PAGE + good[place + PAGE :])
    assert assert_sound(store) >= 25
    assert "Person 0, Person 1" in store.notice and "more; enrol the others again" in store.notice
    assert (tmp_path / "home" / store.notice.split(" kept as ")[1].split(" in ")[0]).read_bytes().count(b"\xff" * PAGE)


def test_an_embedding_that_was_written_over_is_not_believed(good, tmp_path):
    """SQLite itself sees nothing wrong with other bytes inside a value; the row's own length does, when it is asked."""
    start = good.find(voice(7)[2].cnn.tobytes()[:64])
    spoilt = bytearray(good)
    spoilt[start : start + 200] = b"\xa5" * 200
    spoilt[PAGE * 3] = 0xEE  # something that SQLite does see, so that it is set aside
    store = opened(tmp_path / "home", bytes(spoilt))
    assert store.notice
    assert_sound(store)
    assert "Person 7" not in {profile.name for profile in store.profiles()}


def test_people_of_the_first_layout_keep_the_time_of_their_consent(tmp_path):
    """It is their sessions' too, as where a sound database is brought to the layout of now: else no export of them
    could be imported."""
    path = tmp_path / "speakers.db"
    with sqlite3.connect(path) as db:
        db.executescript(database._SCHEMA)
        for seed in range(3):
            person = (seed + 1, f"Person {seed}", f"person {seed}", TIME, TIME)
            db.execute("INSERT INTO speakers VALUES (?, ?, ?, ?, ?)", person)
            db.execute("INSERT INTO sessions VALUES (?, ?, 'mic', ?, 'm1')", (seed + 1, TIME, seed + 1))
            rows = [row[:-1] for row in checked_rows(voice(seed, windows=5))]  # without the bandwidth
            marks = ", ".join("?" * 12)
            db.executemany(
                f"INSERT INTO segments VALUES ({marks})", [(seed + 1, place, *row) for place, row in enumerate(rows)]
            )
        db.execute("INSERT INTO changes VALUES (1)")
        db.execute("PRAGMA user_version = 1")
    db.close()
    content = path.read_bytes()
    store = opened(tmp_path / "home", content[: -3 * PAGE] + b"\xff" * PAGE + content[-2 * PAGE :])
    assert "Person 0" in store.notice and assert_sound(store) >= 1
    assert {one.consent_at for profile in store.profiles() for one in store.sessions(profile.name)} == {TIME}
    assert len(people_file.read(people_file.write(store.records()))) == len(store.profiles())


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("segments", "cnn", np.full(DIMS[0], np.nan, "<f4").tobytes(), "an embedding of the CNN is not finite numbers"),
        ("segments", "ann", np.full(DIMS[1], np.inf, "<f4").tobytes(), "an embedding of the ANN is not finite numbers"),
        ("segments", "cnn", "x" * 4 * DIMS[0], "segments.cnn is text in the place of blob"),
        ("segments", "start", "soon", "segments.start is text in the place of real"),
        ("sessions", "source", b"\xff", "sessions.source is blob in the place of text"),
        ("speakers", "name", b"Person 2", "speakers.name is blob in the place of text"),
        ("speakers", "key", b"person 2", "speakers.key is blob in the place of text"),
    ],
)
def test_a_value_that_cannot_be_costs_its_person_only(good, tmp_path, table, column, value, says):
    """SQLite takes it, whoever wrote it; scikit-learn does not take such numbers, nor a page such a name."""
    number = 3 if table != "segments" else 2 * 11 + 5  # somewhere among the third person's rows
    store = changed(good, tmp_path, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", value, number)
    assert f'damaged ("Person 2": {says})' in store.notice and "Person 1, Person 3" in store.notice
    assert assert_sound(store) == 29 and "Person 2" not in {profile.name for profile in store.profiles()}
    assert SpeakerStore(store.home).notice is None


@pytest.mark.parametrize(
    ("column", "vector", "says"),
    [
        ("cnn", voice(0, dims=(100, 64))[0].cnn, "an embedding of the CNN has 100 numbers in the place of 192"),
        ("ann", voice(0, dims=(192, 65))[0].ann, "an embedding of the ANN has 65 numbers in the place of 64"),
        ("ann", np.zeros(0, "<f4"), "an embedding of the ANN has 0 numbers in the place of 64"),
        ("cnn", 0.5 * voice(0)[0].cnn, "an embedding of the CNN has the length 0.5 in the place of 1"),
        ("ann", np.zeros(64, "<f4"), "an embedding of the ANN has the length 0 in the place of 1"),
        ("ann", np.full(64, 3e38, "<f4"), "an embedding of the ANN has the length 2.4e+39 in the place of 1"),
    ],
)
def test_an_embedding_that_no_network_made_costs_its_person_only(good, tmp_path, column, vector, says):
    """Else NumPy complains when somebody is to be identified, whoever it is, of shapes that no user knows."""
    statement = f"UPDATE segments SET {column} = ?, {column}_dims = ? WHERE rowid = ?"
    store = changed(good, tmp_path, statement, vector.tobytes(), len(vector), 2 * 11 + 5)
    assert f'damaged ("Person 2": {says})' in store.notice and "Person 1, Person 3" in store.notice
    assert assert_sound(store) == 29 and "Person 2" not in {profile.name for profile in store.profiles()}
    assert SpeakerStore(store.home).notice is None


def test_the_weights_that_ship_say_themselves_how_long_an_embedding_is(tmp_path):
    """Also where most of what is there has another length."""
    ((shipped, size),) = shipped_sizes().items()
    store = SpeakerStore(tmp_path)
    for seed in range(3):
        enrol(store, f"Person {seed}", seed, model=shipped, dims=(100, 100))
    assert size != (100, 100)
    found = f'damaged ("Person 0": an embedding of the CNN has 100 numbers in the place of {size[0]})'
    store = SpeakerStore(tmp_path)
    assert found in store.notice and "enrol everybody again" in store.notice and store.profiles() == []


def test_each_of_several_weights_has_embeddings_of_its_own_length(tmp_path):
    store = SpeakerStore(tmp_path)
    for seed, dims in enumerate(((192, 64), (8, 4), (192, 192))):
        enrol(store, f"Person {seed}", seed, model=f"m{seed}", dims=dims)
    store = SpeakerStore(tmp_path)
    assert store.notice is None and len(store.profiles()) == 3


@pytest.mark.parametrize(
    ("table", "column", "raw", "read"),
    [
        ("speakers", "name", "Jörg 2".encode("cp1252"), "Jörg 2"),
        ("speakers", "key", b"person \xff", "Person 2"),
        ("speakers", "created_at", b"\xff\xff", "Person 2"),
        ("sessions", "source", b"caf\xe9.wav", "Person 2"),
        ("sessions", "remark", b"\xc3", "Person 2"),
    ],
)
def test_words_that_are_no_text_cost_nobody(good, tmp_path, table, column, raw, read):
    """SQLite keeps them as text, and Python's complaint of them sounded as if another program used the file."""
    store = changed(good, tmp_path, f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = 3", raw)
    assert f'damaged ("{read}": {table}.{column} is not UTF-8 text)' in store.notice
    assert f"everybody was saved from it: Person 0, Person 1, {read}, Person 3" in store.notice
    assert "24 more; nobody needs to enrol again. Delete" in store.notice and "the others" not in store.notice
    assert assert_sound(store) == 30 and store.get(read.upper()).segments == 6
    assert SpeakerStore(store.home).notice is None


def test_a_session_that_is_lost_is_not_said_to_be_saved(good, tmp_path):
    """Of a person who has another."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "speakers.db").write_bytes(good)
    store = SpeakerStore(tmp_path / "two")
    store.add_session("Person 2", segments=voice(2, windows=5), model_id="m1", source="mic", consent=True)
    statement = "UPDATE sessions SET source = x'00' WHERE speaker_id = 3 AND id > 3"
    store = changed(store.path.read_bytes(), tmp_path, statement)
    assert "everybody was saved from it, though not all that was kept of them: Person 0" in store.notice
    assert assert_sound(store) == 30


def test_where_nobody_knows_who_was_there_nobody_is_said_to_be_missing(good, tmp_path):
    """SQLite sees damage, but every row can be read."""
    spoilt = bytearray(good)
    spoilt[32:40] = b"\0\0\0\x05\0\0\0\x01"  # the list of free pages is one in use
    store = opened(tmp_path / "home", bytes(spoilt))
    assert "these people were saved from it: Person 0" in store.notice and "the others" not in store.notice
    assert "more; if anybody is missing, enrol them again" in store.notice and assert_sound(store) == 30


def remade(good: bytes, folder, change) -> SpeakerStore:
    """A store of a database that somebody made by hand: `change` makes other tables of the good ones."""
    (folder / "made.db").write_bytes(good)
    with sqlite3.connect(folder / "made.db") as db:
        db.execute("PRAGMA legacy_alter_table = ON")
        change(db)
    db.close()
    return opened(folder / "home", (folder / "made.db").read_bytes())


def loose(db: sqlite3.Connection, *, without: str = "") -> None:
    """Every table without its constraints, and without one column."""
    for table in ("speakers", "sessions", "segments", "recordings", "corrections", "settings"):
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if f"{table}.{row[1]}" != without]
        db.execute(f"CREATE TABLE made AS SELECT {', '.join(columns)} FROM {table}")
        db.execute(f"DROP TABLE {table}")
        db.execute(f"ALTER TABLE made RENAME TO {table}")


def unmarked(db: sqlite3.Connection) -> None:
    """As a dump that is read in again."""
    db.execute("PRAGMA user_version = 0")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (loose, "(the table corrections is not as this program makes it)"),
        (lambda db: loose(db, without="speakers.key"), "(the table corrections is not as this program makes it)"),
        (lambda db: db.execute("DROP TABLE settings"), "(the table settings is not as this program makes it)"),
        (unmarked, '(it has the table "changes" and no number of its layout)'),
        (lambda db: db.execute("ALTER TABLE speakers ADD COLUMN age"), "(the table speakers is not as"),
    ],
)
def test_a_database_made_by_hand_gives_everybody_back(good, tmp_path, change, says):
    """Else a deletion would leave the sessions, and a complaint would be of other programs."""
    store = remade(good, tmp_path, change)
    assert says in store.notice and "everybody was saved from it" in store.notice, store.notice
    assert assert_sound(store) == 30 and store.get("person 7").segments == 6
    assert SpeakerStore(store.home).notice is None


def test_without_consent_nobody_is_saved_from_a_database_made_by_hand(good, tmp_path):
    store = remade(good, tmp_path, lambda db: loose(db, without="speakers.consent_at"))
    assert "enrol everybody again" in store.notice and store.profiles() == []


def test_two_names_that_become_one_are_both_kept(good, tmp_path):
    """Neither is text, and what is read in their place is the same."""

    def spoil(db):
        for number, raw in ((3, b"J\x81rg 2"), (4, b"J\x8drg 2"), (5, "J\ufffdrg 2".encode())):
            words = "name = CAST(? AS TEXT), key = CAST(? AS TEXT)"
            db.execute(f"UPDATE speakers SET {words} WHERE id = ?", (raw, raw.lower(), number))

    store = remade(good, tmp_path, spoil)
    names = [profile.name for profile in store.profiles()]
    assert names[2:5] == ["J\ufffdrg 2", "J\ufffdrg 2 (2)", "J\ufffdrg 2 (3)"] and len(names) == 30
    assert "everybody was saved" in store.notice and SpeakerStore(store.home).notice is None


def test_a_row_that_leads_back_to_the_first_is_left_out(good, tmp_path):
    """The number of the last person on their page is 1: who asks for what follows 29 gets 1, and so on for ever."""
    (tmp_path / "good.db").write_bytes(good)
    with sqlite3.connect(tmp_path / "good.db") as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'speakers'").fetchone()[0]
    db.close()
    page = (root - 1) * PAGE
    kind, cells = good[page], int.from_bytes(good[page + 3 : page + 5], "big")
    assert kind == 0x0D and cells == 30, "all people on one page of the table"
    last = page + int.from_bytes(good[page + 8 + 2 * 29 : page + 10 + 2 * 29], "big")
    assert good[last] < 128 and good[last + 1] == 30, "length of the row, then its number"
    store = opened(tmp_path / "home", good[: last + 1] + b"\x01" + good[last + 2 :])
    assert store.notice and assert_sound(store) >= 28


def test_a_complaint_of_sqlite_that_is_no_text_is_damage(good, tmp_path):
    """A table's name is no UTF-8 and its layout is broken: Python cannot even read what SQLite says of it."""
    place = good.index(b"tablespeakersspeakers") + len("table")
    spoilt = bytearray(good)
    spoilt[place : place + 8] = b"\xca\xff\xca\xff\xca\xff\xca\xff"
    start = good.index(b"CREATE TABLE speakers", place)
    spoilt[start : start + 12] = b"BROKEN BROKE"
    (tmp_path / "bad.db").write_bytes(spoilt)
    db = sqlite3.connect(tmp_path / "bad.db")
    with pytest.raises(UnicodeDecodeError):
        db.execute("SELECT * FROM speakers")
    db.close()
    store = opened(tmp_path / "home", bytes(spoilt))
    assert store.notice and assert_sound(store) == 0


def test_what_has_no_head_saves_nobody(good, tmp_path):
    for content in (b"text " * 2000, b"\0" * PAGE + good[PAGE:], good[:100]):
        store = opened(tmp_path / "home", content)
        assert store.profiles() == [] and "enrol everybody again" in store.notice


@settings(max_examples=25)
@given(data=st.data())
def test_whatever_is_damaged_the_store_is_whole_afterwards(good, tmp_path_factory, data):
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        start, length = (
            data.draw(st.integers(0, len(good) - 1)),
            data.draw(st.sampled_from((1, 8, 300, PAGE, 5 * PAGE))),
        )
        content[start : start + length] = data.draw(st.binary(min_size=1, max_size=8)) * (length // 8 + 1)
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(1, len(good)))]
    store = opened(tmp_path_factory.getbasetemp() / "damaged", bytes(content))
    if store.notice:  # else SQLite sees no damage: what is inside a value it cannot know
        assert_sound(store)
    enrol(store, "Somebody new", 99)
    assert "Somebody new" in {profile.name for profile in store.profiles()}
