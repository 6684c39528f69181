"""Sessions, recordings that were kept, settings and corrections in the speaker store; older layouts are brought up."""

import sqlite3

import numpy as np
import pytest

from core import database
from core.corrections import correct, corrections, forget_corrections
from core.errors import DuplicateName, StoreError, UnknownSpeaker
from core.heads import SILENT, UNKNOWN, Decision
from core.segments import Segment
from core.speakers import SpeakerStore
from core.timeline import Answer
from tests.core.voices import GOOD, bytes_on_disk, enrol, voice

FLAC = b"fLaC the speech itself"


@pytest.fixture
def store(tmp_path) -> SpeakerStore:
    return SpeakerStore(tmp_path / "home")


def test_a_session_tells_where_it_came_from(store):
    enrol(store, "Amina", 1, windows=5)
    store.add_session(
        "Amina", segments=voice(2), model_id="m2", source="a\tb\udcff", consent=True, remark="cut off", flac=FLAC
    )
    first, second = store.sessions("AMINA")
    assert (first.model_id, first.remark, first.audio, first.qualities) == ("m1", "", False, (GOOD,) * 6)
    assert (second.model_id, second.remark, second.audio, second.source) == ("m2", "cut off", True, "a b?")
    assert second.consent_at.endswith("+00:00")
    assert store.recordings("Amina") == {second.id: FLAC}
    with pytest.raises(UnknownSpeaker):
        store.sessions("Jo")


def test_what_was_recorded_goes_with_its_session_and_with_its_person(store):
    enrol(store, "Amina", 1)
    for seed in (2, 3):
        store.add_session("Amina", segments=voice(seed), model_id="m1", source="mic", consent=True, flac=FLAC * 50)
    _, second, third = store.sessions("Amina")
    assert store.delete_session("Amina", second.id).sessions == 2
    assert list(store.recordings("Amina")) == [third.id]
    with pytest.raises(StoreError, match="gone already"):
        store.delete_session("Amina", second.id)
    store.delete("Amina")
    assert FLAC not in bytes_on_disk(store.home)
    enrol(store, "Jo", 4)
    with pytest.raises(StoreError, match="only this session: delete the person instead"):
        store.delete_session("Jo", store.sessions("Jo")[0].id)


def test_renewing_puts_new_embeddings_in_the_place_of_old_ones(store):
    enrol(store, "Amina", 1, model="old")
    (session,) = store.sessions("Amina")
    store.renew_session(session.id, segments=voice(2, dims=(128, 32)), model_id="new")
    assert store.outdated("new") == [] and store.embeddings("old") == []
    assert np.array_equal(store.embeddings("new")[0].cnn, np.stack([one.cnn for one in voice(2, dims=(128, 32))]))
    assert voice(1)[0].cnn.tobytes() not in bytes_on_disk(store.home)
    with pytest.raises(StoreError, match="this session is gone"):
        store.renew_session(99, segments=voice(2), model_id="new")


def test_records_go_out_and_come_in_whole(store, tmp_path):
    enrol(store, "Amina", 1, windows=2)
    enrol(store, "Jo", 2)
    store.add_session("Jo", segments=voice(3), model_id="m1", source="mic", consent=True, flac=FLAC)
    everybody = store.records()
    assert [one.name for one in everybody] == ["Amina", "Jo"] and [one.name for one in store.records(["jo"])] == ["Jo"]
    other = SpeakerStore(tmp_path / "other")
    enrol(other, "jo", 9)
    with pytest.raises(DuplicateName):
        other.add_people(everybody)
    assert [one.name for one in other.profiles()] == ["jo"]  # all or nothing
    other.add_people(everybody, replace=["Jo"])
    assert [(one.name, one.sessions) for one in other.profiles()] == [("Amina", 1), ("Jo", 2)]
    for one, copy in zip(store.embeddings("m1"), other.embeddings("m1"), strict=True):
        assert np.array_equal(one.cnn, copy.cnn) and one.kinds == copy.kinds
        assert one.profile.consent_at == copy.profile.consent_at
    assert list(other.recordings("Jo").values()) == [FLAC]


def test_how_sure_to_be_is_remembered(store):
    assert store.sureness() is None
    store.choose_sureness(0.8)
    assert SpeakerStore(store.home).sureness() == 0.8
    before, people = store.revision(), store.people_mark()
    store.choose_sureness(None)
    assert store.sureness() is None and store.revision() != before and store.people_mark() == people
    for wrong in (1.0, -0.1, float("nan")):
        with pytest.raises(StoreError, match="no probability"):
            store.choose_sureness(wrong)


def answered(name: str, probability: float, following: str = UNKNOWN, other: float = 0.01) -> Answer:
    one = Decision(name, probability, following, other)
    return Answer(Segment(0.0, 5.0), GOOD, one, one, one)


def test_corrections_keep_the_decision_and_the_truth(store):
    enrol(store, "Amina", 1)
    enrol(store, "Jo", 2)
    correct(store, answered("Amina", 0.7), "jo", model_id="m1")
    correct(store, answered(UNKNOWN, 0.6, "Jo", 0.4), "Jo", model_id="m1")
    correct(store, answered("Jo", 0.9), None, model_id="m2")
    stranger, missed, mistaken = corrections(store)
    assert (mistaken.likeliest, mistaken.probability, mistaken.named, mistaken.truth) == ("Amina", 0.7, True, "Jo")
    assert (missed.likeliest, missed.named, missed.truth, missed.right) == ("Jo", False, "Jo", True)
    assert (stranger.truth, stranger.right, mistaken.right) == (None, False, False)
    assert corrections(store, "m2") == [stranger]
    with pytest.raises(UnknownSpeaker):
        correct(store, answered("Amina", 0.7), "Nobody", model_id="m1")
    silence = Answer(Segment(0.0, 5.0), GOOD, SILENT, SILENT, SILENT)
    with pytest.raises(StoreError, match="nothing|no answer"):
        correct(store, silence, "Jo", model_id="m1")
    store.delete("Amina")
    assert [one.likeliest for one in corrections(store)] == ["Jo", "Jo"]  # nothing about Amina is left
    assert forget_corrections(store) == 2 and corrections(store) == []


def test_a_store_of_the_first_layout_is_brought_up(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with sqlite3.connect(home / "speakers.db") as db:
        db.executescript(database._SCHEMA)
        db.execute("INSERT INTO changes VALUES (7)")
        db.execute("INSERT INTO speakers VALUES (1, 'Amina', 'amina', '2026-01-02T00:00:00+00:00', '2026-01-01')")
        db.execute("INSERT INTO sessions VALUES (1, '2026-01-02', 'mic', 1, 'm1')")
        piece = voice(1)[0]
        row = (1, 0, "segment", 0.0, 4.5, -22.0, 0.0, 30.0, piece.cnn.tobytes(), 192, piece.ann.tobytes(), 64)
        db.execute(f"INSERT INTO segments VALUES ({', '.join('?' * 12)})", row)
        db.execute("PRAGMA user_version = 1")
    db.close()
    store = SpeakerStore(home)
    (session,) = store.sessions("Amina")
    assert store.notice is None and session.consent_at == "2026-01-01" and session.qualities == (GOOD,)
    assert np.array_equal(store.embeddings("m1")[0].cnn[0], piece.cnn)
    assert SpeakerStore(home).revision() == 7
