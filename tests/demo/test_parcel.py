"""People in a file, as the app makes and opens it: nothing is taken up before it was shown, clashes are settled."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import people_file
from core.errors import StoreError
from core.recognizer import Recognizer
from demo import parcel_part
from demo import people_texts as texts
from demo.parcel import Parcel, entries, view


@pytest.fixture
def parcel(tmp_path, monkeypatch):
    """In a private folder, as inside the app."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return Parcel()


@pytest.fixture
def elsewhere(tmp_path_factory, embedder):
    """Another computer: nobody is enrolled."""
    return Recognizer(tmp_path_factory.mktemp("elsewhere"), embedder=embedder)


def test_an_encrypted_file_from_here_to_there(parcel, recognizer, elsewhere):
    assert "notice-good" in parcel_part.exported(recognizer, parcel, [], "correct horse", "correct horse")
    first = Path(parcel.written)
    assert people_file.encrypted(first.read_bytes())
    assert os.name == "nt" or first.parent.stat().st_mode & 0o077 == 0  # nobody else on this computer looks into it
    there = Parcel()
    assert there.receive(parcel.written) and not first.exists()  # what was sent is gone at once
    for wrong in ("", "correct hors", None):
        with pytest.raises(people_file.PeopleFileError, match="passphrase"):
            there.open(wrong)
    there.open("correct horse")
    assert [one.taken for one in entries(elsewhere, there.people)] == [False, False]
    assert elsewhere.store.profiles() == []  # until now it was only looked at
    said, done = parcel_part.taken_up(elsewhere, there, texts.CLASH_SKIP)
    assert done and "2 people taken up" in said
    assert [one.name for one in elsewhere.store.profiles()] == ["Amina", "Kofi"]
    said, done = parcel_part.taken_up(elsewhere, there, texts.CLASH_SKIP)  # once is enough
    assert not done and "no file yet" in said


def test_clashes_are_shown_and_settled(parcel, recognizer, elsewhere):
    amina, kofi = recognizer.store.records()
    elsewhere.store.add_people([amina, replace(kofi, name="Kwame", created_at="2020-01-01T00:00:00+00:00")])
    parcel.people = [amina, kofi]
    found = entries(elsewhere, parcel.people)
    assert [(one.taken, one.alike) for one in found] == [(True, ""), (False, "Kwame")]
    assert texts.TAKEN in view(found) and texts.SOUNDS_LIKE.format(name="Kwame") in view(found)
    assert [parcel.wanted(elsewhere, replace=choice) for choice in (False, True)] == [1, 2]
    parcel.people = [amina]
    said, done = parcel_part.taken_up(elsewhere, parcel, texts.CLASH_SKIP)
    assert not done and "nobody is left" in said
    parcel.people = [replace(amina, created_at="2021-01-01T00:00:00+00:00"), kofi]
    assert parcel_part.replace_question(elsewhere, parcel, texts.CLASH_SKIP) == ""
    question = parcel_part.replace_question(elsewhere, parcel, texts.CLASH_REPLACE)
    assert "Replace Amina?" in question and "Kofi" not in question  # only who would be overwritten
    said, done = parcel_part.taken_up(elsewhere, parcel, texts.CLASH_REPLACE)
    assert parcel_part.replace_question(elsewhere, parcel, texts.CLASH_REPLACE) == ""  # nothing is left to overwrite
    assert done and {one.name for one in elsewhere.store.profiles()} == {"Amina", "Kofi", "Kwame"}
    assert elsewhere.store.get("Amina").created_at[:4] == "2021"


def test_what_other_networks_made_is_said(parcel, recognizer):
    amina = recognizer.store.records(["Amina"])[0]
    old = replace(amina, name="Old", sessions=(replace(amina.sessions[0], model_id="older"),))
    assert texts.FROM_OLD in view(entries(recognizer, [old]))
    kept = replace(old, sessions=(replace(old.sessions[0], flac=b"fLaC"),))
    assert texts.FROM_OLD_RENEW in view(entries(recognizer, [kept]))


def sent(folder: Path, content: bytes) -> str:
    """As Gradio keeps what a browser sends."""
    path = folder / "upload" / "in.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_files_that_are_no_such_files(parcel, recognizer, tmp_path):
    document = json.loads(people_file.write(recognizer.store.records()))
    document["people"][0]["sessions"][0]["segments"][0]["cnn"] = "AAAA"
    sealed = json.loads(people_file.write(recognizer.store.records(), "correct horse"))
    sealed["salt"] = sealed["salt"][::-1]
    for content, said in (
        (b"", "not valid JSON"),
        (b"{}", "its format is not"),
        (json.dumps(document).encode(), 'person 1 ."Amina".*, session 1, segment 1'),
        (people_file.write(recognizer.store.records())[:-9], "cut off"),
    ):
        with pytest.raises(people_file.PeopleFileError, match=said):
            parcel.receive(sent(tmp_path, content))
        assert parcel.people == []
    assert parcel.receive(sent(tmp_path, json.dumps(sealed).encode()))
    with pytest.raises(people_file.PeopleFileError, match="wrong, or the file was changed|damaged|base64"):
        parcel.open("correct horse")


def test_an_export_that_cannot_be(parcel, recognizer, elsewhere):
    for names, secret, again, said in (
        ([], "correct horse", "battery", "differ"),
        ([], "short", "short", "use at least"),
        (["Nobody"], "", "", "o one is called"),
    ):
        html = parcel_part.exported(recognizer, parcel, names, secret, again)
        assert html.count("notice-error") == 1 and said in html and parcel.written is None
    assert "nothing to export" in parcel_part.exported(elsewhere, parcel, [], "", "")
    assert "not encrypted" in parcel_part.exported(recognizer, parcel, ["Amina"], "", "")
    written = Path(parcel.written)
    assert [one.name for one in people_file.read(written.read_bytes())] == ["Amina"]
    parcel.leave()  # the page is closed
    assert not written.exists()


def test_embeddings_of_another_length_under_these_weights_are_refused(parcel, recognizer, elsewhere):
    """A file that was made to do harm: nobody could be recognised any more."""
    amina = recognizer.store.records(["Amina"])[0]
    session = amina.sessions[0]
    short = tuple(replace(one, cnn=one.cnn[:64] / np.linalg.norm(one.cnn[:64])) for one in session.segments)
    parcel.people = [replace(amina, sessions=(replace(session, segments=short),))]
    with pytest.raises(StoreError, match="64"):
        entries(elsewhere, parcel.people)
    said, done = parcel_part.taken_up(elsewhere, parcel, texts.CLASH_SKIP)
    assert not done and "was changed" in said and elsewhere.store.profiles() == []


def test_who_is_deleted_is_in_no_file_that_is_still_to_be_had(parcel, people):
    from demo.app import build

    page = build(people)
    save = next(block for block in page.blocks.values() if block.elem_id == "export-save")
    (change,) = [event for event in page.fns.values() if save in event.outputs and len(event.inputs) == 1]
    assert all(update == {"__type__": "update"} for update in change.fn(parcel))  # none was made yet
    parcel_part.exported(people, parcel, [], "", "")
    written = Path(parcel.written)
    said, button = change.fn(parcel)
    assert not written.exists() and parcel.written is None
    assert texts.EXPORT_STALE in said and button["visible"] == "hidden" and button["value"] is None
