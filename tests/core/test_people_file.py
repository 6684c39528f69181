"""People in a file: out and in again, encrypted or not; whatever is wrong with a file, nothing of it is taken."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core import people_file
from core.enrolled import PersonRecord, SessionRecord
from core.errors import PeopleFileError
from tests.core.voices import voice

TIME = "2026-11-25T14:30:00+00:00"


def unit(segments):
    return tuple(
        replace(one, cnn=one.cnn / np.linalg.norm(one.cnn), ann=one.ann / np.linalg.norm(one.ann)) for one in segments
    )


@pytest.fixture(scope="module")
def people() -> list[PersonRecord]:
    first = SessionRecord(TIME, TIME, "microphone", "m1", "", unit(voice(1, windows=5)))
    second = SessionRecord(TIME, TIME, "file", "m2", "cut off", unit(voice(2, dims=(8, 4))), b"fLaC sound")
    return [PersonRecord("Zoë 🎙", TIME, TIME, (first, second)), PersonRecord("Jo", TIME, TIME, (first,))]


def same(some, others) -> bool:
    for one, other in zip(some, others, strict=True):
        assert (one.name, one.created_at, one.consent_at) == (other.name, other.created_at, other.consent_at)
        for mine, theirs in zip(one.sessions, other.sessions, strict=True):
            assert replace(mine, segments=()).__dict__ == replace(theirs, segments=()).__dict__
            for a, b in zip(mine.segments, theirs.segments, strict=True):
                assert (a.kind, a.start, a.quality) == (b.kind, b.start, b.quality)
                assert np.array_equal(a.cnn, b.cnn) and np.array_equal(a.ann, b.ann)
    return True


def test_what_goes_out_comes_in(people):
    content = people_file.write(people)
    assert same(people_file.read(content), people) and not people_file.encrypted(content)


def test_what_is_written_can_be_read_or_is_refused_at_once(people, monkeypatch):
    wordy = replace(people[0].sessions[0], source="a\tb\n\udcff\x9b31m\u202e.wav", remark="clipped, " * 1000)
    [found] = people_file.read(people_file.write([replace(people[0], sessions=(wordy,))]))
    assert (
        found.sessions[0].source == "a b ? 31m .wav"
        and found.sessions[0].remark == wordy.remark[: people_file.MAX_TEXT]
    )
    many = replace(people[0], sessions=people[0].sessions[1:] * 201)
    assert same(people_file.read(people_file.write([many])), [many])
    for unfit, says in (
        (replace(many, sessions=many.sessions * 10), "sessions must be a list of at most 2000"),
        (replace(many, sessions=(replace(many.sessions[0], consent_at=""),)), "session 1: consent_at must be a time"),
    ):
        with pytest.raises(PeopleFileError, match=f'nothing was written.* person 2 \\("Zoë 🎙"\\).*{says}'):
            people_file.write([people[1], unfit])
    monkeypatch.setattr(people_file, "MAX_BYTES", 1000)
    for passphrase in (None, "correct horse"):
        with pytest.raises(PeopleFileError, match="would have 1 MB, 0 are the most .* export some of the people"):
            people_file.write(people, passphrase)


def test_a_passphrase_hides_everything(people):
    content = people_file.write(people, "correct horse")
    assert people_file.encrypted(content) and "Zoë".encode() not in content and b"consent" not in content
    assert same(people_file.read(content, "correct horse"), people)
    assert people_file.write(people, "correct horse") != content  # salt and nonce are new
    with pytest.raises(PeopleFileError, match="give the passphrase"):
        people_file.read(content)
    with pytest.raises(PeopleFileError, match="wrong, or the file was changed"):
        people_file.read(content, "correct horse ")
    with pytest.raises(PeopleFileError, match="at least 8"):
        people_file.write(people, "short")


@pytest.mark.parametrize(
    "change", [{"n": 2**30}, {"salt": ""}, {"nonce": "AAAA"}, {"data": "!"}, {"encryption": "none"}]
)
def test_a_changed_lock_is_refused(people, change):
    document = json.loads(people_file.write(people, "correct horse")) | change
    with pytest.raises(PeopleFileError):
        people_file.read(json.dumps(document).encode(), "correct horse")


def spoilt(people, spoil):
    document = json.loads(people_file.write(people))
    spoil(document)
    return json.dumps(document).encode()


SESSION = lambda d: d["people"][0]["sessions"][0]  # noqa: E731
SPOILS = {
    "another format": lambda d: d.update(format="zip"),
    "a later version": lambda d: d.update(version=2),
    "nobody": lambda d: d.update(people=[]),
    "people are no list": lambda d: d.update(people={"0": 1}),
    "a person is no object": lambda d: d["people"].append(7),
    "a name with a path": lambda d: d["people"][0].update(name="../x"),
    "no name": lambda d: d["people"][0].pop("name"),
    "twice the same name": lambda d: d["people"][0].update(name="JO"),
    "no consent": lambda d: d["people"][0].pop("consent_at"),
    "a time that is none": lambda d: SESSION(d).update(created_at="yesterday"),
    "no session": lambda d: d["people"][0].update(sessions=[]),
    "too many sessions": lambda d: d["people"][0].update(sessions=d["people"][0]["sessions"][1:] * 2001),
    "a model id with blanks": lambda d: SESSION(d).update(model_id="a b"),
    "a source of two lines": lambda d: SESSION(d).update(source="a\nb"),
    "a remark that moves the cursor": lambda d: SESSION(d).update(remark="a\x9b31mb"),
    "a source read backwards": lambda d: SESSION(d).update(source="a\u202eb"),
    "no segment": lambda d: SESSION(d).update(segments=[]),
    "another kind": lambda d: SESSION(d)["segments"][0].update(kind="minute"),
    "a level that is none": lambda d: SESSION(d)["segments"][0].update(level="loud"),
    "a level beyond all sense": lambda d: SESSION(d)["segments"][0].update(level=1e300),
    "a truth for a number": lambda d: SESSION(d)["segments"][0].update(snr=True),
    "an embedding that is cut": lambda d: SESSION(d)["segments"][0].update(cnn="AAAA"),
    "an embedding not of length 1": lambda d: SESSION(d)["segments"][0].update(cnn="AACAPw=="),
    "an embedding that is not finite": lambda d: SESSION(d)["segments"][0].update(cnn="AADAfw=="),
    "an embedding of which NumPy warns": lambda d: SESSION(d)["segments"][0].update(cnn="AQCgfw=="),  # signalling NaN
    "no base64": lambda d: SESSION(d)["segments"][0].update(ann="*"),
    "different lengths": lambda d: SESSION(d)["segments"][0].update(cnn="AACAPw=="[:0] + "AACAPwAAAAA="),
    "sound that is none": lambda d: d["people"][0]["sessions"][1].update(flac="AAAA"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_what_is_wrong_is_refused(people, name):
    with pytest.raises(PeopleFileError):
        people_file.read(spoilt(people, SPOILS[name]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"format": "who-is-speaking people", "version": NaN}',
        b"PK\x03\x04",
    ],
)
def test_what_is_no_such_file_is_refused(content):
    with pytest.raises(PeopleFileError, match="no export|unknown"):
        people_file.read(content)


def test_a_file_that_was_cut_off_is_refused(people):
    content = people_file.write(people)
    for length in (1, len(content) // 2, len(content) - 1):
        with pytest.raises(PeopleFileError):
            people_file.read(content[:length])
