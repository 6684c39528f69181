"""Right or wrong, and how sure to be: kept without sound, shown back, measured, applied only on purpose."""

from dataclasses import replace

from core.corrections import corrections
from core.heads import SILENT, UNKNOWN, Decision
from core.segments import Quality, Segment
from core.sureness import ENOUGH_CORRECTIONS
from core.timeline import Answer
from demo import people_texts as texts
from demo import sure_part, verdict
from demo.computer_ear import ComputerEar
from demo.live_ear import LiveEar, Moment
from demo.verdict import Verdicts

GOOD = Quality(speech=4.0, level=-20.0, clipped=0.0, snr=30.0)


def answer(name: str, probability: float = 0.9, *, start: float = 0.0, following: str = UNKNOWN) -> Answer:
    decision = Decision(name, probability, following, 0.05)
    return Answer(Segment(start, start + 5), GOOD, decision, decision, decision)


SILENCE = Answer(Segment(0, 5), Quality(0.0, -60.0, 0.0, 0.0), SILENT, SILENT, SILENT)
STRANGE = answer(UNKNOWN, 0.8, following="Kofi")


def test_right_is_kept_once_and_nothing_else_changes(people):
    row, before, shown = Verdicts(), people.store.revision(), answer("Amina", start=25.0)
    assert "Amina was right at 00:25" in verdict.right(people, row, [shown])
    assert texts.SAID_ALREADY[1:] in verdict.right(people, row, [shown])
    assert "Unknown was right" in verdict.right(people, row, [STRANGE])
    unknown, amina = corrections(people.store)
    assert (amina.likeliest, amina.truth, amina.right, amina.named) == ("Amina", "Amina", True, True)
    assert (unknown.likeliest, unknown.truth, unknown.right, unknown.named) == ("Kofi", None, False, False)
    assert people.store.revision() == before  # nobody has to look again, no exam is out of date


def test_wrong_asks_who_it_was(people):
    row = Verdicts()
    asked = verdict.asked(people, row.pin([answer("Amina", start=25.0)]))
    assert asked.sentence == "At 00:25 the answer was Amina (90\u00a0%)."
    assert asked.choices == ("Kofi", texts.STRANGER)
    said, done = verdict.wrong(people, row, None)
    assert not done and "notice-error" in said and corrections(people.store) == []
    said, done = verdict.wrong(people, row, "Kofi")
    assert done and "at 00:25 it was Kofi, not Amina" in said
    assert [(one.likeliest, one.truth) for one in corrections(people.store)] == [("Amina", "Kofi")]
    assert verdict.asked(people, row.pin([STRANGE])).choices == ("Amina", "Kofi")  # a stranger is what was said
    people.store.delete("Amina")
    said, done = verdict.wrong(people, row, "Amina")  # on another page somebody was quicker
    assert not done and "notice-error" in said


def test_nothing_said_nothing_to_judge(people):
    for said in (verdict.right(people, Verdicts(), []), verdict.wrong(people, Verdicts(), "Kofi")[0]):
        assert "notice-error" in said and texts.NOTHING_YET[1:] in said  # the page hides the question until then
    ear = LiveEar()
    assert verdict.latest(ear) == []
    ear.moment = Moment(current=SILENCE, closed=(answer("Amina"), SILENCE))
    assert verdict.latest(ear) == [ear.moment.closed[0]]


def test_live_answers_that_share_their_sound_count_once(people):
    row = Verdicts(spacing=60.0)
    assert "notice-good" in verdict.right(people, row, [answer("Amina")])
    assert texts.SAID_ALREADY[1:] in verdict.right(people, row, [answer("Amina", start=1.0)])
    assert len(corrections(people.store)) == 1


def test_a_turn_is_one_verdict_however_long():
    answers = [answer("Amina", chance, start=5.0 * i) for i, chance in enumerate((0.9, 0.6, 0.8, 0.95))]
    answers.append(replace(SILENCE, segment=Segment(20, 25)))
    found = verdict.turns(answers, [Segment(0, 15), Segment(15, 20), Segment(20, 25)])
    assert [one.both.probability for one in found] == [0.8, 0.95]


def test_how_sure_to_be_is_measured_and_applied_on_purpose(people):
    *steps, (html, found) = sure_part.measure(people)
    assert all("progress" in shown and nothing is None for shown, nothing in steps)
    assert found.measured > 100 and found.corrections == 0 and html.count("is-best") == 1
    assert people.store.sureness() is None and people.heads().sureness == 0.0  # measured is not applied
    for index in range(
        ENOUGH_CORRECTIONS
    ):  # Kofi was named, nine times out of ten as sure as 84 %, and never was it he
        verdict.right(people, Verdicts(), [answer("Amina", 0.97)])
        row = Verdicts()
        row.pin([answer("Kofi", 0.84 if index else 0.5)])
        assert verdict.wrong(people, row, texts.STRANGER)[1]
    *_, (html, corrected) = sure_part.measure(people)
    assert corrected.corrections == 2 * ENOUGH_CORRECTIONS and corrected.threshold >= found.threshold
    assert "verdicts" in html
    assert "notice-good" in sure_part.choose(people, corrected.threshold)
    assert people.heads().sureness == corrected.threshold and sure_part.chance(corrected.threshold) in sure_part.now(
        people
    )
    assert "notice-good" in sure_part.choose(people, None) and people.heads().sureness == 0.0
    assert "notice-error" in sure_part.choose(people, 1.0)
    shown = sure_part.verdicts(corrections(people.store))
    assert shown.count("&#10003;") == shown.count("&#10007;") == ENOUGH_CORRECTIONS


def test_nobody_enrolled_nothing_measured(empty):
    *_, (html, found) = sure_part.measure(empty)
    assert found is None and "nothing to measure" in html and texts.VERDICTS_NONE in sure_part.verdicts([])


def test_the_answers_that_are_judged_are_of_the_microphone_that_was_heard(voice, people):
    """The state of the other one is made when it is first asked for: by this very press."""
    browser = LiveEar()
    browser.begin()
    browser.hear(voice("kofi_test").between(0, 6).samples, 16_000)
    browser.look(people)
    browser.end(people)
    computer = ComputerEar()
    assert verdict.on_screen(browser, computer) is browser
    (shown,) = verdict.latest(verdict.on_screen(browser, computer))
    assert "Kofi was right" in verdict.right(people, Verdicts(), [shown])


def test_a_recommendation_that_the_server_forgot_changes_nothing(people):
    people.store.choose_sureness(0.9)
    assert "measure once more" in sure_part.recommended(people, None)
    assert people.store.sureness() == 0.9
    assert "notice-good" in sure_part.recommended(people, 0.75) and people.store.sureness() == 0.75
