"""core.timeline: turns, talk time, and exports that other programs read back, whatever people are called."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.heads import ANSWERS, NOT_ENOUGH_SPEECH, SILENT, UNKNOWN, Decision
from core.segments import Quality, Segment
from core.timeline import FORMATS, Answer, Timeline, together

GOOD = Quality(speech=4.5, level=-22.0, clipped=0.0, snr=30.0)


def answer(index: int, both: str, *, cnn: str | None = None, ann: str | None = None, chance: float = 0.9) -> Answer:
    """The answer to the 5 s that begin at 5 * index."""

    def decision(name: str) -> Decision:
        return (
            SILENT if name == NOT_ENOUGH_SPEECH else Decision(name, chance, "Jo" if name == UNKNOWN else UNKNOWN, 0.05)
        )

    return Answer(
        Segment(5.0 * index, 5.0 * index + 5.0), GOOD, decision(cnn or both), decision(ann or both), decision(both)
    )


def timeline(*names: str, source: str = "talk.wav") -> Timeline:
    return Timeline(source, "m1", tuple(answer(index, name) for index, name in enumerate(names)))


def read_rttm(text: str) -> list[tuple[str, float, float, str]]:
    """Source, start, end, name of each line, as a strict reader takes them: ten fields between blanks."""
    turns = []
    for line in text.splitlines():
        kind, source, channel, start, duration, *_, name, probability, _ = fields = line.split(" ")
        assert len(fields) == 10 and all(fields) and kind == "SPEAKER" and channel == "1"
        assert 0.0 <= float(probability) <= 1.0
        turns.append((source, float(start), float(start) + float(duration), name))
    return turns


EXAMPLE = timeline("Amina", "Amina", "Jo", NOT_ENOUGH_SPEECH, "Amina", UNKNOWN)

hostile = st.text(min_size=1, max_size=60)  # any characters at all: line breaks, quotes, NUL, emoji, RTL
names = st.sampled_from(["Amina", "Jo", UNKNOWN, NOT_ENOUGH_SPEECH])


# --- turns and talk time --------------------------------------------------------------------------------------------


def test_turns_join_equal_neighbours():
    assert [(str(turn.segment), turn.name) for turn in EXAMPLE.turns()] == [
        ("00:00-00:10", "Amina"),
        ("00:10-00:15", "Jo"),
        ("00:15-00:20", NOT_ENOUGH_SPEECH),
        ("00:20-00:25", "Amina"),
        ("00:25-00:30", UNKNOWN),
    ]


def test_a_turns_probability_is_the_mean():
    both = Timeline("a", "m", (answer(0, "Jo", chance=0.6), answer(1, "Jo", chance=1.0)))
    assert both.turns()[0].probability == pytest.approx(0.8)


def test_a_gap_ends_a_turn():
    apart = Timeline("a", "m", (answer(0, "Jo"), answer(2, "Jo")))
    assert [turn.segment.start for turn in apart.turns()] == [0.0, 10.0]


def test_each_model_has_its_own_turns():
    mixed = Timeline("a", "m", (answer(0, "Jo", ann="Amina"), answer(1, "Jo", ann=UNKNOWN, cnn="Amina")))
    assert [turn.name for turn in mixed.turns()] == ["Jo"]
    assert [turn.name for turn in mixed.turns("ann")] == ["Amina", UNKNOWN]
    assert [turn.name for turn in mixed.turns("cnn")] == ["Jo", "Amina"]


def test_talk_time_is_longest_first_without_silence():
    assert list(EXAMPLE.talk_time().items()) == [("Amina", 15.0), ("Jo", 5.0), (UNKNOWN, 5.0)]


def test_nothing_heard():
    empty = timeline()
    assert empty.turns() == [] and empty.talk_time() == {} and empty.to_rttm() == ""
    assert len(empty.to_csv().splitlines()) == 1 and json.loads(empty.to_json())["segments"] == []


@given(st.lists(names, max_size=20), st.sampled_from(ANSWERS))
def test_turns_cover_the_same_time_and_never_repeat(called, which):
    made = timeline(*called)
    turns = made.turns(which)
    assert sum(turn.segment.duration for turn in turns) == pytest.approx(5.0 * len(called))
    assert all(a.name != b.name and a.segment.end == b.segment.start for a, b in zip(turns, turns[1:], strict=False))
    for turn in turns:
        inside = [one for one in made.answers if one.segment.start in turn.segment]
        assert {one.of(which).name for one in inside} == {turn.name}
    assert sum(made.talk_time(which).values()) == pytest.approx(5.0 * sum(n != NOT_ENOUGH_SPEECH for n in called))


def test_how_an_answer_reads():
    assert str(answer(1, "Amina")) == (
        "00:05-00:10  CNN Amina 0.90 (next: Unknown 0.05)   ANN Amina 0.90 (next: Unknown 0.05)   "
        "both Amina 0.90 (next: Unknown 0.05)"
    )
    silent = Answer(Segment(10.0, 15.0), Quality(0.6, -60.0, 0.0, 0.0), SILENT, SILENT, SILENT)
    assert str(silent) == "00:10-00:15  not enough speech (0.6 s of 5 s)"


# --- exports --------------------------------------------------------------------------------------------------------


def test_export_by_name():
    assert [EXAMPLE.export(form) for form in FORMATS] == [EXAMPLE.to_json(), EXAMPLE.to_csv(), EXAMPLE.to_rttm()]
    with pytest.raises(KeyError):
        EXAMPLE.export("pickle")


def test_json_holds_everything():
    read = json.loads(EXAMPLE.to_json())
    assert (read["source"], read["model"]) == ("talk.wav", "m1")
    back = tuple(
        Answer(Segment(**one["segment"]), Quality(**one["quality"]), *(Decision(**one[which]) for which in ANSWERS))
        for one in read["segments"]
    )
    assert back == EXAMPLE.answers
    assert read["talk_time"] == EXAMPLE.talk_time() and len(read["turns"]) == len(EXAMPLE.turns())
    assert "Zoë 🎤" in timeline("Zoë 🎤").to_json()  # readable, not escaped


def test_csv_has_a_line_for_every_segment():
    rows = list(csv.DictReader(io.StringIO(EXAMPLE.to_csv())))
    assert [row["both"] for row in rows] == ["Amina", "Amina", "Jo", NOT_ENOUGH_SPEECH, "Amina", UNKNOWN]
    assert (rows[1]["start"], rows[1]["end"], rows[1]["speech"]) == ("5.00", "10.00", "4.50")
    assert rows[5]["cnn_runner_up"] == "Jo" and float(rows[5]["cnn_runner_up_probability"]) == 0.05
    assert rows[3]["both_runner_up"] == "" and float(rows[3]["both_probability"]) == 1.0


def test_rttm_has_a_line_for_every_turn():
    assert EXAMPLE.to_rttm().splitlines()[0] == "SPEAKER talk.wav 1 0.000 10.000 <NA> <NA> Amina 0.900 <NA>"
    assert read_rttm(EXAMPLE.to_rttm()) == [
        ("talk.wav", 0.0, 10.0, "Amina"),
        ("talk.wav", 10.0, 15.0, "Jo"),
        ("talk.wav", 20.0, 25.0, "Amina"),
        ("talk.wav", 25.0, 30.0, UNKNOWN),
    ]


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("Mary Ann  Lee", "Mary_Ann_Lee"),
        ("a\nSPEAKER x 1 0 9 <NA> <NA> Eve 1 <NA>", "a_SPEAKER_x_1_0_9_<NA>_<NA>_Eve_1_<NA>"),
        ("\t\u2028\u00a0 ", "unnamed"),
        ("李 小龙", "李_小龙"),
    ],
)
def test_rttm_fields_are_one_word(name, token):
    assert read_rttm(timeline(name, source=name).to_rttm()) == [(token, 0.0, 5.0, token)]


@given(st.lists(hostile.filter(lambda name: name != NOT_ENOUGH_SPEECH), min_size=1, max_size=4), hostile)
def test_no_name_breaks_an_export(called, source):
    made = timeline(*called, source=source)
    assert len(read_rttm(made.to_rttm())) == len(made.turns())
    assert json.loads(made.to_json())["source"] == source
    lines = list(csv.DictReader(io.StringIO(made.to_csv(), newline="")))
    assert [line["both"] for line in lines] == called and all(None not in line for line in lines)


def test_several_recordings_in_one_export():
    several = [timeline("Jo", "Jo"), timeline("Amina", source="=1+1.wav"), timeline(source="empty.wav")]
    assert [one["source"] for one in json.loads(together(several, "json"))] == ["talk.wav", "=1+1.wav", "empty.wav"]
    assert json.loads(together(several[:1], "json")) == [json.loads(several[0].to_json())]
    heading, *table = csv.reader(io.StringIO(together(several, "csv")))
    assert heading == ["source", *next(csv.reader(io.StringIO(several[0].to_csv())))]
    assert [row[0] for row in table] == ["talk.wav", "talk.wav", "./=1+1.wav"]  # no formula of a spreadsheet
    assert together(several, "rttm") == several[0].to_rttm() + several[1].to_rttm()
