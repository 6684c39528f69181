"""The report as a user makes it, on a folder of example voices: curves and sections from small numbers."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.embedder import Embedder, Embeddings
from core.errors import DatasetError
from core.heads import Calibration
from core.learning_curves import Voices, by_gender, by_people, by_seconds, genders_of
from core.report import Section, save
from core.report_sections import channels, curve, gender, lengths, some_speech, speed
from core.rooms import ROOMS

CELL = {
    "accuracy": 0.9,
    "worst": 0.8,
    "ci95": [0.85, 0.95],
    "eer": 0.1,
    "open_set_eer": None,
    "tests": 9,
    "seconds": 5.0,
}


@pytest.fixture(scope="module")
def voices():
    """Eight people made of the shipped cohort: noisy copies of one voice each, twelve and those of the windows."""
    embedder, chance = Embedder(), np.random.default_rng(3)

    def copies(index: int, count: int) -> Embeddings:
        made = (values[index] + chance.normal(0, 0.05, (count, values.shape[1])) for values in (cohort.cnn, cohort.ann))
        return Embeddings(*((one / np.linalg.norm(one, axis=1, keepdims=True)).astype(np.float32) for one in made))

    cohort = embedder.cohort
    places = range(0, 80, 10)
    tests = [copies(place, 3) for place in places]
    rest = Embeddings(cohort.cnn[100:200], cohort.ann[100:200])
    return Voices(
        tuple(f"p{place}" for place in places),
        tuple(copies(place, 12) for place in places),
        tuple(copies(place, 11 * len(ROOMS)) for place in places),
        Embeddings(*(np.concatenate([one.of(model) for one in tests]) for model in ("cnn", "ann"))),
        np.repeat(np.arange(8), 3),
        np.repeat([False] * 7 + [True], 3),  # the last has one recording
        rest,
        Calibration(**embedder.calibration),
    )


def test_a_shorter_enrolment_is_the_beginning_of_a_longer_one(voices):
    assert [len(voices.enrolled(seconds)[0]) for seconds in (5, 10, 30, 60)] == [1, 5, 21, 45]
    assert np.array_equal(voices.enrolled(10)[0].cnn[:2], voices.segments[0].cnn[:2])


def test_curves_cover_what_there_is(voices):
    seconds = by_seconds(voices, draws=2)
    assert list(seconds) == [5, 10, 15, 20, 30, 45, 60]
    people = by_people(voices, draws=2)
    assert list(people) == [2, 3, 5]  # there are eight
    for cells in (*seconds.values(), *people.values()):
        assert set(cells) == {"cnn", "ann", "both"} and all(0.5 < cell.accuracy <= 1.0 for cell in cells.values())


def test_same_gender_draws_hold_one_gender(voices):
    genders = {name: "F" if index < 6 else "M" for index, name in enumerate(voices.names)}
    found = by_gender(voices, genders, draws=2)
    assert set(found) == {"mixed", "F"}  # two men are no five
    assert (found["F"]["both"].tests, found["F"]["both"].same_recording) == (18, 0)
    assert (found["mixed"]["both"].tests, found["mixed"]["both"].same_recording) == (21, 3)


def test_genders_are_read_beside_the_folder(tmp_path):
    (tmp_path / "dev").mkdir()
    assert genders_of(tmp_path / "dev") == {}
    (tmp_path / "dev.csv").write_text("speaker,session,gender\n84,1,F\n174,1,M\n7,1,\n")
    assert genders_of(tmp_path / "dev") == {"84": "F", "174": "M"}
    (tmp_path / "excel.csv").write_text("speaker,gender\n84,M\n", encoding="utf-8-sig")
    assert genders_of(tmp_path / "dev", tmp_path / "excel.csv") == {"84": "M"}
    (tmp_path / "dev.csv").write_text("speaker,sex\n84,F\n")
    with pytest.raises(DatasetError, match="needs the columns speaker and gender, it has speaker, sex"):
        genders_of(tmp_path / "dev")
    with pytest.raises(DatasetError, match=r"nowhere\.csv is missing"):
        genders_of(tmp_path / "dev", tmp_path / "nowhere.csv")


def test_what_could_not_be_measured_is_a_dash(voices, tmp_path):
    """One speaker of several recordings alone can be tested: there is an accuracy, and no interval of it."""
    few = voices.of(np.array([0, 1]))
    few = replace(few, same_recording=few.owner == 1)
    save(tmp_path, curve("people", "How many?", "text", "people enrolled", by_people(few, draws=1), "command"))
    kept = json.loads((tmp_path / "people.json").read_text())
    assert kept["numbers"]["2"]["both"]["ci95"] == [None, None] and kept["numbers"]["2"]["both"]["accuracy"] == 1.0
    assert kept["tables"][0]["rows"][2][2:] == ["100.0 % (-)", "100.0 %"]

    none = replace(few, same_recording=np.ones(len(few.owner), bool))
    section = curve("people", "How many?", "text", "people enrolled", by_people(none, draws=1), "command")
    save(tmp_path, section)
    assert section.figures == () and section.tables[0].rows[0][2:] == ("- (-)", "-")
    unknown = {"accuracy": None, "worst": None, "ci95": [None, None], "eer": None}
    cells = {"clean": CELL, "clean@2s": CELL | unknown | {"seconds": 2.0}}
    section = lengths({"cnn": cells}, "command")
    save(tmp_path, section)
    assert section.figures[0].series[0].x == [5.0] and section.tables[0].rows[0][2:] == ("- (-)", "-")
    assert "nan" not in (tmp_path / "report.html").read_text()


def test_a_section_may_hold_numbers_that_are_not_known(tmp_path):
    save(tmp_path, Section("people", "How many?", "text", "command", numbers={"5": {"ci95": (float("nan"), 1.0)}}))
    assert json.loads((tmp_path / "people.json").read_text())["numbers"] == {"5": {"ci95": [None, 1.0]}}


def test_speed_takes_the_speech_of_whoever_says_something(voice, tmp_path):
    """The first one's recordings may be silence."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "1.wav", np.zeros(8 * SAMPLE_RATE), SAMPLE_RATE)
    assert some_speech(tmp_path) is None
    soundfile.write(tmp_path / "b" / "2.wav", voice("amina_test").samples, SAMPLE_RATE)
    assert some_speech(tmp_path).duration > 4.0


def test_the_channels_say_with_how_much_was_enrolled():
    assert "Everybody enrols with 10 s of speech of one" in channels({"cnn": {"clean": CELL}}, "command", 10.0).text


def test_lengths_are_those_of_everybody():
    """Cells of one gender have lengths too, and another channel may have been measured at no other length."""
    women, short = CELL | {"accuracy": 0.5}, CELL | {"accuracy": 0.7, "seconds": 2.0}
    section = lengths({"cnn": {"clean@2s": short, "clean@2s/F": women | {"seconds": 2.0}}}, "command")
    (series,) = section.figures[0].series
    assert (series.x, series.y) == ([2.0], [0.7])
    cells = {"clean": CELL, "clean/F": women, "clean@2s": short, "clean@2s/F": women | {"seconds": 2.0}, "mic": women}
    section = lengths({"cnn": cells}, "command")
    assert section.figures[0].series[0].y == [0.7, 0.9] and len(section.tables[0].rows) == 2
    assert section.numbers == {"cnn": {"2": short, "5": CELL}}


def test_all_sections_stand_in_one_report(voices, voice, tmp_path):
    results = {
        "cnn": {"clean": CELL, "mic": CELL, "clean@2s": CELL | {"seconds": 2.0}},
        "resemblyzer": {"clean": CELL, "mic": CELL},
    }
    found = by_people(voices, draws=2)
    for section in (
        channels(results, "command"),
        lengths(results, "command"),
        curve("people", "How many?", "text", "people enrolled", found, "command"),
        gender({"mixed": found[5]}, "command"),
        speed(Embedder(), voice("amina_test").between(0.0, 5.0), "command"),
    ):
        save(tmp_path, section)
    html = (tmp_path / "report.html").read_text()
    assert len(re.findall("<h2>", html)) == 5 and "90.0 % (85.0 % to 95.0 %)" in html and "x real time" in html
    kept = json.loads((tmp_path / "people.json").read_text())
    assert kept["numbers"]["5"]["both"]["accuracy"] == found[5]["both"].accuracy
    assert len(kept["tables"][0]["rows"]) == 9
