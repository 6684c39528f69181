"""The evaluation protocol on folders made of the example voices: who enrols with what, and what is left to test."""

import shutil

import numpy as np
import pytest

from core.audio import SEGMENT_SAMPLES, SEGMENT_SECONDS, Audio, concatenate, decode, stream
from core.channels import CHANNELS, NOWHERE
from core.errors import DatasetError
from core.protocol import Rest, enrolments, find_people, pieces_through, prepared, read
from core.recognizer import Recognizer
from core.rooms import ROOMS
from core.segments import prepare


@pytest.fixture
def folder(tmp_path, samples):
    """amina: two session folders, the first of two files; jo: two files; kofi: one session; mei: too little."""
    for target, source in {
        "amina/1_first/a.opus": "amina_enrol",
        "amina/1_first/b.opus": "amina_test",
        "amina/2_second/a.opus": "amina_test",
        "jo/1.opus": "jo_enrol",
        "jo/2.opus": "jo_test",
        "kofi/only/1.opus": "kofi_enrol",
        "kofi/only/2.opus": "kofi_test",
        "mei/1.opus": "mei_test",
    }.items():
        path = tmp_path / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples / f"{source}.opus", path)
    (tmp_path / "amina" / "notes.txt").write_text("not a recording")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_sessions_are_folders_or_files_in_name_order(folder):
    people = find_people(folder)
    assert [person.name for person in people] == ["amina", "jo", "kofi", "mei"]
    found = {p.name: [(s.name, [f.name for f in s.files]) for s in p.sessions] for p in people}
    assert found["amina"] == [("1_first", ["a.opus", "b.opus"]), ("2_second", ["a.opus"])]
    assert found["jo"] == [("1.opus", ["1.opus"]), ("2.opus", ["2.opus"])]


def test_utterances_of_a_session_are_joined_in_name_order(folder, samples):
    (person, *_) = find_people(folder)
    expected = concatenate([decode(samples / "amina_enrol.opus"), decode(samples / "amina_test.opus")])
    assert np.array_equal(read(person.sessions[0], []).samples, expected.samples)


def test_enrolment_is_the_products_and_tests_are_other_sessions(folder, samples, home):
    trouble = []
    made = {subject.name: (subject, clips) for subject, clips in enrolments(find_people(folder), trouble=trouble)}
    assert set(made) == {"amina", "jo", "kofi"}
    assert len(trouble) == 1 and trouble[0].startswith("mei is left out: only")

    subject, clips = made["jo"]
    assert clips.segments.shape == (6, SEGMENT_SAMPLES) and clips.windows.shape == (5 * len(ROOMS), SEGMENT_SAMPLES)
    assert [rest.session.name for rest in subject.rests] == ["2.opus"]
    recognizer = Recognizer(home)
    wanted = recognizer.enrolment_segments(stream(samples / "jo_enrol.opus"))
    mine = recognizer.embedder.embed([*clips.segments, *clips.windows])
    for kind, cnn in (("segment", mine.cnn[:6]), ("window", mine.cnn[6:])):
        theirs = np.stack([one.cnn for one in wanted if one.kind == kind])[: len(cnn)]
        assert np.allclose(cnn, theirs, atol=1e-5)

    assert [rest.session.name for rest in made["amina"][0].rests] == ["2_second"]


def test_less_enrolment_is_the_beginning_of_more(folder):
    def first(seconds):
        return next(iter(enrolments(find_people(folder), seconds=seconds, trouble=[])))[1]

    short, long = first(15.0), first(30.0)
    assert (len(short.segments), len(short.windows)) == (3, 2 * len(ROOMS))
    assert np.array_equal(short.segments, long.segments[:3])


@pytest.mark.parametrize("seconds", [4.0, 121.0])
def test_impossible_enrolment_lengths_are_refused(folder, seconds):
    with pytest.raises(DatasetError, match="s of enrolment"):
        list(enrolments(find_people(folder), seconds=seconds, trouble=[]))


def test_one_session_is_tested_on_its_rest_only(folder, chance):
    """Sound up to the end of the enrolment may change as it will: the tests stay; and the other way round."""
    import soundfile

    (person,) = (one for one in find_people(folder) if one.name == "kofi")
    sound = read(person.sessions[0], [])
    subject, clips = next(enrolments([person], trouble=[]))
    (rest,) = subject.rests
    assert subject.same_recording
    assert rest.start % 10.0 == 0.0 and 30.0 <= rest.start < sound.duration
    pieces, _ = pieces_through(subject, "clean", seed=0, around=NOWHERE, trouble=[])
    assert pieces

    def replaced(start, end):
        samples = sound.samples.copy()
        first, last = round(start * 16_000), round(end * 16_000)
        samples[first:last] = 0.3 * chance.standard_normal(last - first)
        for file in person.sessions[0].files:
            file.unlink(missing_ok=True)
        target = person.sessions[0].files[0].with_suffix(".wav")
        soundfile.write(target, samples, 16_000, subtype="FLOAT")
        (changed,) = (one for one in find_people(folder) if one.name == "kofi")
        return changed

    changed = replaced(rest.start, sound.duration)
    _, same = next(enrolments([changed], trouble=[]))
    assert np.array_equal(same.segments, clips.segments) and np.array_equal(same.windows, clips.windows)
    changed = replaced(0.0, rest.start)
    moved = type(subject)("kofi", (Rest(changed.sessions[0], rest.start),), subject.voice)
    again, _ = pieces_through(moved, "clean", seed=0, around=NOWHERE, trouble=[])
    assert [one.samples.tobytes() for one in again] == [one.samples.tobytes() for one in pieces]


def test_a_short_first_session_is_continued_by_the_next(tmp_path, voice):
    import soundfile

    target = tmp_path / "jo"
    target.mkdir()
    enrol = voice("jo_enrol").samples
    parts = {"1.wav": enrol[:160_000], "2.wav": enrol[160_000:], "3.wav": voice("jo_test").samples}
    for name, samples in parts.items():
        soundfile.write(target / name, samples, 16_000)
    subject, clips = next(enrolments(find_people(tmp_path), trouble=[]))
    assert [rest.session.name for rest in subject.rests] == ["3.wav"] and not subject.same_recording
    assert len(clips.segments) == 6


def test_tests_are_five_seconds_of_speech_limited_evenly_and_repeatable(folder):
    (person,) = (one for one in find_people(folder) if one.name == "kofi")
    subject, _ = next(enrolments([person], trouble=[]))
    everything, silent = pieces_through(subject, "mic", seed=1, around=NOWHERE, limit=0, trouble=[])
    assert silent == 0 and len(everything) >= 2
    assert all(len(piece) == SEGMENT_SAMPLES and prepare(piece) is not None for piece in everything)
    two, _ = pieces_through(subject, "mic", seed=1, around=NOWHERE, limit=2, trouble=[])
    assert [one.samples.tobytes() for one in two] == [everything[i].samples.tobytes() for i in (0, -1)]
    other, _ = pieces_through(subject, "mic", seed=2, around=NOWHERE, limit=2, trouble=[])
    assert other[0].samples.tobytes() != two[0].samples.tobytes()


def test_what_a_channel_silences_is_counted(folder, monkeypatch):
    (person,) = (one for one in find_people(folder) if one.name == "kofi")
    subject, _ = next(enrolments([person], trouble=[]))
    clean, none = pieces_through(subject, "clean", seed=1, around=NOWHERE, limit=0, trouble=[])
    assert none == 0
    monkeypatch.setitem(CHANNELS, "faint", lambda samples, chance, around: samples * np.float32(1e-4))
    left, lost = pieces_through(subject, "faint", seed=1, around=NOWHERE, limit=0, trouble=[])
    assert not left and lost == len(clean) >= 2


def test_shorter_tests_are_the_first_seconds_repeated(voice):
    piece = voice("jo_test").between(0.0, SEGMENT_SECONDS)
    assert np.array_equal(prepared(piece), prepare(piece))
    two = prepared(piece, 2.0)
    assert len(two) == SEGMENT_SAMPLES
    assert np.array_equal(two[:32_000], two[32_000:64_000])
    assert np.corrcoef(two[:32_000], piece.samples[:32_000])[0, 1] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="without enough speech"):
        prepared(Audio(np.zeros(SEGMENT_SAMPLES, np.float32)))


def test_an_unreadable_file_is_named_and_passed_over(folder):
    broken = folder / "jo" / "0_broken.wav"
    broken.write_bytes(b"this is no sound")
    trouble = []
    subject, clips = next(s for s in enrolments(find_people(folder), trouble=trouble) if s[0].name == "jo")
    assert any("0_broken.wav" in line for line in trouble)
    assert len(clips.segments) == 6 and [rest.session.name for rest in subject.rests] == ["2.opus"]


@pytest.mark.parametrize("make", [lambda path: path / "nowhere", lambda path: path])
def test_a_folder_without_voices_is_refused(tmp_path, make):
    with pytest.raises(DatasetError, match="speaker"):
        find_people(make(tmp_path))
