"""What the app draws: names escaped, lanes in proportion, colours apart, errors in one sentence."""

import logging
import re

import pytest

from core.enrolled import Profile
from core.errors import SpeakerError
from core.heads import SILENT, UNKNOWN, Decision
from core.person_check import PersonCheck
from core.segments import Quality, Segment
from core.timeline import Answer
from demo import answer_view, notice_view, people_view, person_view, texts, timeline_view
from demo import people_texts as texts_of_people
from demo.palette import COLOURS, DARK_INK, colours, ink_on
from demo.theme import CSS_PATH

GOOD = Quality(speech=4.5, level=-22.0, clipped=0.0, snr=30.0)
EVIL = "<img src=x onerror=alert(1)>&\"'"


def answered(name: str, *, at: float = 0.0, probability: float = 0.9) -> Answer:
    one = Decision(name, probability, UNKNOWN, 0.05)
    return Answer(Segment(at, at + 5.0), GOOD, one, one, one)


def test_no_rule_asks_for_one_of_several_inside():
    """Gradio writes its prefix behind every comma: of `:has(.a, .b)` only .a is ever found, and .b stays hidden."""
    for path in CSS_PATH.parent.glob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r":has\([^()]*,[^()]*\)", rules) == [], path.name


def test_little_speech_is_said_in_seconds(recognizer):
    quality = Quality(speech=2.1, level=-30.0, clipped=0.0, snr=20.0)
    html = answer_view.answer(Answer(Segment(0, 5), quality, SILENT, SILENT, SILENT), {})
    assert "2.1 s of speech" in html and "not enough speech" in html.lower()


def test_who_has_one_segment_only_is_not_said_to_be_missed():
    profile = Profile(1, "Jo", "2026-11-25T14:30:00+00:00", "2026-11-25T14:30:00+00:00", "m", 1, 1)
    page = person_view.page(profile, [], {}, model_id="m", check=PersonCheck(0, 0, float("inf"), None))
    assert texts_of_people.RECOGNISED in page and " of 0" not in page and "is-warn" not in page


@pytest.mark.parametrize("name", [EVIL, "Ann & Co", 'Jo "the voice"', "a" * 60])
def test_names_are_escaped_everywhere(name):
    answers, names = [answered(name), answered(UNKNOWN, at=5.0)], colours([name])
    pages = [
        answer_view.answer(answers[0], names),
        timeline_view.lanes(answers, names, start=0.0, end=10.0),
        timeline_view.table(answers, names),
        timeline_view.talk_time(answers, names),
        notice_view.notice(name),
        notice_view.progress(name, 0.5),
    ]
    for page in pages:
        assert "<img" not in page and "& Co" not in page and '"the voice"' not in page
    assert "alert(1)" not in name or all("&lt;img" in page for page in pages)


def test_the_timeline_has_three_lanes_in_proportion(recognizer):
    answers = [answered("Amina"), answered("Amina", at=5.0), answered(UNKNOWN, at=10.0)]
    answers.append(Answer(Segment(15.0, 20.0), GOOD, SILENT, SILENT, SILENT))
    html = timeline_view.lanes(answers, colours(["Amina"]), start=0.0, end=20.0)
    assert html.count('class="lane-track"') == 3
    assert html.count("is-person") == html.count("is-unknown") == 3  # equal neighbours are one turn
    assert html.count('class="turn is-silent') == 3
    assert f"left:0.000%;width:50.000%;--who:{COLOURS[0]}" in html
    assert "left:50.000%;width:25.000%" in html


def test_people_have_different_colours_and_readable_labels():
    names = [f"person {index}" for index in range(9)]
    assert len(set(colours(names).values())) == 9
    assert ink_on("#f0e442") == DARK_INK != ink_on("#0072b2")
    assert len(colours([f"person {index}" for index in range(40)])) == 40


@pytest.mark.parametrize(
    "probability, shown", [(1.0, "&gt;\u00a099\u00a0%"), (0.5, "50\u00a0%"), (0.001, "&lt;\u00a01\u00a0%")]
)
def test_probabilities_are_never_certain(probability, shown):
    assert answer_view.percent(probability) == shown


def test_a_name_that_was_held_back_is_told():
    held = Decision(UNKNOWN, 0.2, "<Jo>", 0.7)
    plain = Decision(UNKNOWN, 0.7, "<Jo>", 0.2)
    shown = [answer_view.answer(Answer(Segment(0, 5), GOOD, one, one, one), {}) for one in (held, plain)]
    assert ["Probably &lt;Jo&gt;" in one for one in shown] == [True, False]
    assert [texts.UNKNOWN_NOTE in one for one in shown] == [False, True]


def test_six_lights_say_how_good_each_segment_is():
    noisy = Quality(speech=4.0, level=-20.0, clipped=0.0, snr=3.0)
    html = people_view.gathered(10.0, [GOOD, noisy])
    assert html.count('<span class="light') == 6
    assert html.count("is-good") == 1 and html.count("is-warn") == 1
    assert "10 s of 30 s" in html and "Noisy" in html
    assert texts.SPEECH_ENOUGH.format(speech=31.0) in people_view.gathered(31.0, [GOOD] * 6)


def test_errors_of_ours_are_said_word_for_word_and_others_in_general(caplog):
    assert "only 3.1 s of speech" in notice_view.trouble(SpeakerError("there is only 3.1 s of speech")).lower()
    with caplog.at_level(logging.ERROR):
        html = notice_view.trouble(KeyError("secret"))
    assert "secret" not in html and "terminal" in html
    assert "secret" in caplog.text
