"""The speaker store reads like its specification: enrolment, all or nothing, deletion that deletes."""

import sqlite3

import numpy as np
import pytest

from core import database
from core.errors import DuplicateName, InvalidName, StoreError, UnknownSpeaker
from core.segments import Quality
from core.speakers import EnrolledSegment, SpeakerStore
from tests.core.voices import bytes_on_disk, enrol, voice


@pytest.fixture
def store(tmp_path) -> SpeakerStore:
    return SpeakerStore(tmp_path / "home")


def test_what_goes_in_comes_out(store, tmp_path):
    made = enrol(store, "Amina", 1, windows=5)
    enrol(store, "Jo", 2)
    assert (made.name, made.model_id, made.sessions, made.segments) == ("Amina", "m1", 1, 6)
    assert made.created_at.endswith("+00:00") and made.consent_at == made.created_at

    amina, jo = SpeakerStore(tmp_path / "home").embeddings("m1")  # another opening of the same folder
    assert amina.profile == made and jo.profile.name == "Jo"
    assert amina.cnn.dtype == np.float32 and amina.cnn.shape == (11, 192) and amina.ann.shape == (11, 64)
    assert np.array_equal(amina.cnn, np.stack([piece.cnn for piece in voice(1, windows=5)]))
    assert np.array_equal(jo.ann, np.stack([piece.ann for piece in voice(2)]))
    assert amina.kinds == ("segment",) * 6 + ("window",) * 5
    assert len(set(amina.sessions)) == 1 and amina.sessions[0] != jo.sessions[0]


def test_a_crowd_is_read_without_windows(store):
    for seed in range(3):
        enrol(store, f"Person {seed}", seed, windows=5)
    few, many = (store.embeddings("m1", windows_up_to=count) for count in (3, 2))
    assert [one.kinds.count("window") for one in few] == [5] * 3 and [one.kinds.count("window") for one in many] == [
        0
    ] * 3
    np.testing.assert_array_equal(many[2].cnn, few[2].segments.cnn)
    for seed in range(4):  # people of other weights get no heads of these, so they make no crowd
        enrol(store, f"Outdated {seed}", seed, model="m0")
    assert [one.kinds.count("window") for one in store.embeddings("m1", windows_up_to=3)] == [5] * 3


def test_a_second_session(store):
    enrol(store, "Amina", 1)
    both = store.add_session("amina", segments=voice(2), model_id="m1", source="file talk.wav", consent=True)
    assert (both.sessions, both.segments) == (2, 12)
    (person,) = store.embeddings("m1")
    assert person.cnn.shape == (12, 192) and len(set(person.sessions)) == 2
    assert person.sources == ("microphone",) * 6 + ("file talk.wav",) * 6
    assert list(person.starts) == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0] * 2


def test_profiles_of_other_weights_are_told_apart(store):
    enrol(store, "Amina", 1, model="old")
    enrol(store, "Jo", 2, model="new", dims=(128, 32))
    assert [person.profile.name for person in store.embeddings("new")] == ["Jo"]
    assert [profile.name for profile in store.outdated("new")] == ["Amina"]
    again = store.add_session("Amina", segments=voice(3, dims=(128, 32)), model_id="new", source="mic", consent=True)
    assert again.model_id == "new" and store.outdated("new") == []
    assert store.embeddings("new")[0].cnn.shape == (6, 128)
    with pytest.raises(StoreError, match="another model id"):
        enrol(store, "Kim", 4, model="new", dims=(192, 64))


@pytest.mark.parametrize("taken", ["Zoë", "ZOË", "zoe\u0308", " Ｚoë ", "Zo\u200dë"])
def test_a_name_is_given_once(store, taken):
    enrol(store, "Zoë")
    with pytest.raises(DuplicateName, match="enrolled already: use another name"):
        enrol(store, taken, 2)
    assert len(store.profiles()) == 1


@pytest.mark.parametrize("consent", [False, None, 1, "yes"])
def test_without_consent_nothing_is_stored(store, consent):
    before = store.revision()
    with pytest.raises(StoreError, match="consent"):
        store.add("Amina", segments=voice(1), model_id="m1", source="microphone", consent=consent)
    assert store.profiles() == [] and store.revision() == before


@pytest.mark.parametrize("bad", ["", "x" * 300, "Ada\nBob", "<b>Ada</b>", "a/b", "unknown"])
def test_a_bad_name_stores_nothing(store, bad):
    with pytest.raises(InvalidName):
        enrol(store, bad)
    assert store.profiles() == []


def spoilt(**change) -> list[EnrolledSegment]:
    good = voice(1)
    last = {**vars(good[-1]), **change}
    return [*good[:-1], EnrolledSegment(**last)]


@pytest.mark.parametrize(
    "segments",
    [
        [],
        spoilt(cnn=np.full(192, np.nan, np.float32)),
        spoilt(cnn=np.full(192, 0.5, np.float32)),  # not of length 1
        spoilt(cnn=np.zeros((1, 192), np.float32)),
        spoilt(ann=np.zeros(63, np.float32)),
        spoilt(kind="minute"),
        spoilt(quality=Quality(1.0, -20.0, 0.0, float("nan"))),  # refused by the database, after rows went in
    ],
)
def test_all_or_nothing(store, segments):
    before = store.revision()
    with pytest.raises(StoreError):
        store.add("Amina", segments=segments, model_id="m1", source="microphone", consent=True)
    assert store.profiles() == [] and store.embeddings("m1") == [] and store.revision() == before


def test_unknown_speaker_lists_who_there_is(store):
    with pytest.raises(UnknownSpeaker, match="nobody is enrolled yet"):
        store.get("Amina")
    for index in range(9):
        enrol(store, f"Person {index}", index, count=1)
    with pytest.raises(UnknownSpeaker) as caught:
        store.get("x" * 500 + "\n")
    assert "Person 0, Person 1" in str(caught.value) and "and 3 more" in str(caught.value)
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)
    with pytest.raises(UnknownSpeaker):
        store.add_session("Nobody", segments=voice(1), model_id="m1", source="mic", consent=True)
    with pytest.raises(UnknownSpeaker):
        store.get("bad \udcff bytes")


# -- rename, delete ---------------------------------------------------------------------------------------------------


def test_rename(store):
    amina = enrol(store, "Amina Okafor-Lindqvist", 1)
    enrol(store, "Jo", 2)
    with pytest.raises(DuplicateName):
        store.rename("Amina Okafor-Lindqvist", "JO")
    with pytest.raises(InvalidName):
        store.rename("Jo", "")
    assert store.rename("amina okafor-lindqvist", "Mina").id == amina.id
    assert store.rename("Mina", "MINA").name == "MINA"
    assert [profile.name for profile in store.profiles()] == ["MINA", "Jo"]
    assert b"okafor" not in bytes_on_disk(store.home).lower()


def test_delete_leaves_no_byte(store):
    enrol(store, "Jo", 2)
    enrol(store, "Amina", 1, windows=30)
    pieces = voice(1, windows=30)
    traces = [vector.tobytes()[:32] for piece in pieces for vector in (piece.cnn, piece.ann)] + [b"Amina"]
    before = bytes_on_disk(store.home)
    assert all(trace in before for trace in traces)
    with sqlite3.connect(store.path) as other:  # an app that is still open keeps the write-ahead log alive
        other.execute("SELECT COUNT(*) FROM speakers").fetchone()
        assert store.delete("AMINA").name == "Amina"
        after = bytes_on_disk(store.home)
    other.close()
    assert not any(trace in after for trace in traces)
    assert voice(2)[0].cnn.tobytes() in after
    assert [profile.name for profile in store.profiles()] == ["Jo"]
    with pytest.raises(UnknownSpeaker):
        store.delete("Amina")


def test_delete_all_leaves_no_byte(store):
    (store.home / "speakers.db.corrupt-20260101T000000Z").write_bytes(voice(1)[0].cnn.tobytes())
    enrol(store, "Amina", 1)
    enrol(store, "Jo", 2)
    assert store.delete_all() == 2
    left = bytes_on_disk(store.home)
    assert store.profiles() == []
    for seed in (1, 2):
        assert not any(piece.cnn.tobytes()[:32] in left for piece in voice(seed))
    assert enrol(store, "Amina", 3).name == "Amina"


def test_a_damaged_database_that_another_program_deleted_just_now_is_no_trouble(store, monkeypatch):
    enrol(store, "Amina", 1)
    monkeypatch.setattr(SpeakerStore, "set_aside", lambda self: ["speakers.db.corrupt-20260101T000000Z"])
    assert store.delete_all() == 1


def test_delete_says_so_when_another_program_holds_old_bytes(store, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    enrol(store, "Amina", 1)
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM segments").fetchone()
    with pytest.raises(StoreError, match="the change was made, but another program"):
        store.delete("Amina")
    reader.close()
    assert SpeakerStore(store.home).profiles() == []
    assert voice(1)[0].cnn.tobytes()[:32] not in bytes_on_disk(store.home)
