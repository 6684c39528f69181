"""The form to introduce somebody: takes that add up, each segment judged, phrases in several languages."""

import base64
import threading

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, Audio
from core.enrolment import MIN_ENROL_SECONDS
from core.errors import EnrolmentRefused
from demo import enrolling, people_view, phrases, texts
from demo.gauge import Gauge, speech_in
from demo.take import BROWSER, COMPUTER, GOING_ON_SECONDS, MAX_PARTS, Take


def recording(folder, voice, name, start, end) -> str:
    """A part of an example voice, as a browser sends it."""
    path = folder / f"{name}-{start}.wav"
    soundfile.write(path, voice(name).between(start, end).samples, SAMPLE_RATE)
    return str(path)


def test_takes_add_up_until_there_is_enough(empty, voice, tmp_path):
    take = Take()
    first, said = enrolling.taken(take, recording(tmp_path, voice, "jo_enrol", 0, 12))
    assert texts.TAKES_ADD_UP in said and first.count("is-good") == 2
    second, said = enrolling.taken(take, recording(tmp_path, voice, "jo_enrol", 12, 30))
    assert said == "" and second.count("is-good") >= 4
    rows = people_view.takes(take.of(BROWSER))
    assert rows.count("<audio") == 2 and texts.TAKE.format(number=1, speech=take.of(BROWSER)[0].speech) in rows
    assert take.of(COMPUTER) == () and take.speech(COMPUTER) == (0.0, [])  # another microphone counts by itself
    *_, (said, _, done) = enrolling.enrol(empty, take, "Jo", True, False, BROWSER, None, "")
    assert done and empty.store.get("Jo").segments >= MIN_ENROL_SECONDS / 5
    take.drop(BROWSER)
    assert len(take.of(BROWSER)) == 1
    *_, (said, _, done) = enrolling.enrol(empty, take, "Jo again", True, False, BROWSER, None, "")
    assert not done and "nly 12" in said and len(empty.store.profiles()) == 1  # 12 s are too little


def test_files_add_up_too(empty, voice, tmp_path):
    paths = [recording(tmp_path, voice, "kofi_enrol", *span) for span in ((0, 15), (15, 30))]
    html, said = enrolling.check(paths)
    assert said == "" and html.count("is-good") >= 4
    *_, (said, _, done) = enrolling.enrol(empty, Take(), "Kofi", True, False, texts.FROM_FILE, paths, "")
    assert done, said


def test_files_that_are_being_read_can_be_stopped(empty, voice, tmp_path):
    path, take = tmp_path / "long.wav", Take()
    soundfile.write(path, np.tile(voice("kofi_enrol").samples, 60), SAMPLE_RATE)
    steps = enrolling.enrol(empty, take, "Kofi", True, False, texts.FROM_FILE, [str(path)], "")
    next(steps)
    take.stop()
    *_, (said, _, done) = steps
    assert not done and texts.ENROL_STOPPED[1:] in said and empty.store.profiles() == []


def test_an_enrolment_waits_for_its_turn_says_so_and_can_be_given_up(empty, voice, tmp_path):
    paths, take = [recording(tmp_path, voice, "kofi_enrol", 0, 30)], Take()
    with enrolling.TURNS.turn():  # somebody else's, from a long link
        steps = enrolling.enrol(empty, take, "Koffi", True, False, texts.FROM_FILE, paths, "")
        said, _, _ = next(one for one in steps if "turn" in one[0])
        assert "Waiting for its turn: 1 enrolment must be finished first" in said
        take.stop()
        *_, (said, _, done) = steps
    assert not done and texts.ENROL_STOPPED[1:] in said and empty.store.profiles() == []
    *_, (said, _, done) = enrolling.enrol(empty, take, "Kofi", True, False, texts.FROM_FILE, paths, "")
    assert done, said
    assert [one.name for one in empty.store.profiles()] == ["Kofi"]


@pytest.fixture
def form(empty):
    """Functions behind events of the form by their names."""
    from demo.app import build

    every = [event.fn for event in build(empty).fns.values()]
    return {one.__name__: one for one in every if getattr(one, "__module__", "") == "demo.enrol_form"}


def enrolled(form, take: Take, name: str, where: str, paths: list[str] | None) -> tuple:
    """The notice that comes of it, and with what."""
    last = list(form["enrolled"](take, name, True, False, where, paths, "", False, False, "", ""))[-1]
    return last[0], last[-1]


def test_whoever_is_enrolled_takes_only_what_was_used_along(form, empty, voice, tmp_path):
    take, skipped = Take(), {"__type__": "update"}
    enrolling.taken(take, recording(tmp_path, voice, "jo_enrol", 0, 25))
    paths = [recording(tmp_path, voice, "kofi_enrol", 0, 30)]
    said, of = enrolled(form, take, "Kofi", texts.FROM_FILE, paths)
    assert "notice-good" in said and len(take.of(BROWSER)) == 1
    name, files, *_, found, _, listed = form["rested"](take, BROWSER, said, of, "Jo", paths, "", "", "")
    assert (name, files) == (skipped, None) and listed.count("<audio") == 1
    assert found == people_view.gathered(*take.speech(BROWSER))  # of the take that is there, not of who was enrolled
    other = [recording(tmp_path, voice, "mei_enrol", 0, 12)]
    *_, found, _, _ = form["rested"](take, texts.FROM_FILE, said, of, "Kofi", paths, "", "", "")
    assert found == enrolling.check(None)[0]  # the file is gone, and what was found in it
    name, files, *_, found, _, _ = form["rested"](take, texts.FROM_FILE, said, of, " kofi ", other, "", "", "")
    assert (name, files) == ("", skipped) and found == enrolling.check(other)[0]
    link, left = "https://youtu.be/abcdefghijk", ["0:10", "0:40"]
    of = "Kofi", texts.FROM_LINK, [link, *left]
    assert form["rested"](take, BROWSER, said, of, "Kofi", None, link, *left)[1:5] == (skipped, "", "", "")
    assert form["rested"](take, BROWSER, said, of, "Kofi", None, link, "", "")[2:5] == (skipped,) * 3
    said, of = enrolled(form, take, "Jo", BROWSER, None)
    assert "notice-good" in said and take.of(BROWSER) == ()
    assert form["rested"](take, BROWSER, said, of, "Jo", None, "", "", "")[5] == enrolling.check(None)[0]
    refused, _ = enrolled(form, take, "Jo", BROWSER, None)
    assert form["rested"](take, BROWSER, refused, of, "Jo", None, "", "", "") == (skipped,) * 8


def test_what_is_recorded_while_an_enrolment_waits_is_not_used_for_it(form, empty, voice, tmp_path):
    take = Take()
    enrolling.taken(take, recording(tmp_path, voice, "kofi_enrol", 0, 30))
    with enrolling.TURNS.turn():
        steps = enrolling.enrol(empty, take, "Kofi", True, False, BROWSER, None, "")
        next(one for one in steps if "turn" in one[0])
        enrolling.taken(take, recording(tmp_path, voice, "jo_enrol", 0, 12))
        take.follow(voice("jo_test").between(0, 1), begin=True)
    *_, (said, _, done) = steps
    assert done, said
    take.drop_used()
    (kept,) = take.of(BROWSER)
    assert kept.sound.duration == pytest.approx(12, abs=0.1)
    speech, _ = take.follow(
        voice("jo_test").between(1, 2), begin=False
    )  # lights of what goes on count only what is left
    assert speech < 12 + 2 + 1


def test_lights_of_this_computers_recording_lose_what_was_used(kofi_speaks, voice):
    made = Take()
    made.add(COMPUTER, [voice("mei_enrol")])
    recording = made.record(None)
    assert next(recording)[0] > 25
    list(made.blocks(COMPUTER))
    made.drop_used()
    next(recording)
    assert next(recording)[0] < 5
    recording.close()


def test_another_source_may_be_chosen_while_somebody_is_enrolled(form, empty, voice, tmp_path):
    take, paths = Take(), [recording(tmp_path, voice, "kofi_enrol", 0, 30)]
    with enrolling.TURNS.turn():
        steps = enrolling.enrol(empty, take, "Kofi", True, False, texts.FROM_FILE, paths, "")
        next(one for one in steps if "turn" in one[0])
        form["chosen"](BROWSER, take, None)
    *_, (said, _, done) = steps
    assert done, said


def test_a_segment_that_is_too_bad_is_shown_and_does_not_count(voice):
    clean = voice("amina_enrol").between(0, 20)
    clipped = Audio(np.clip(voice("amina_enrol").between(20, 32).samples * 60, -1, 1))
    speech, found = speech_in([clean, clipped])
    bad = sum(one.poor for one in found)
    html = people_view.gathered(speech, found)
    assert bad >= 1 and html.count("is-bad") == bad and html.count('<span class="light') == 6 + bad
    assert texts.QUALITY_POOR in html and html.count("lower the input level (segment") == 1
    assert speech < clean.duration + clipped.duration - 5 * bad + 0.1


def test_takes_end_somewhere():
    take = Take()
    for _ in range(MAX_PARTS):
        take.add(BROWSER, [Audio(np.zeros(800, np.float32))])
    with pytest.raises(EnrolmentRefused, match="start over"):
        take.add(BROWSER, [Audio(np.zeros(800, np.float32))])
    take.drop(BROWSER, everything=True)
    with pytest.raises(EnrolmentRefused, match="no recording yet"):
        take.blocks(BROWSER)


def test_phrases_in_several_languages():
    assert {"English", "Deutsch", "Español", "Français"} < set(phrases.PASSAGES) and len(phrases.PASSAGES) >= 6
    for name, found in phrases.PASSAGES.items():
        html = phrases.passage(name)
        assert len(found.sentences) == people_view.LIGHTS == html.count("<li>")
        assert f'lang="{found.code}" dir="{"ltr" if found.rightward else "rtl"}"' in html
        assert 60 <= sum(len(one.split()) for one in found.sentences) <= 130  # half a minute, read aloud
    assert [name for name, found in phrases.PASSAGES.items() if not found.rightward] == ["العربية"]
    assert phrases.FREE_TEXT in phrases.passage(phrases.FREE) and phrases.FREE_TEXT in phrases.passage(None)


def test_lights_follow_a_recording_that_goes_on(voice, tmp_path):
    take, sound = Take(), voice("mei_enrol").between(0, 24)
    enrolling.taken(take, recording(tmp_path, voice, "mei_enrol", 24, 32))
    lights = []
    for second in range(24):
        part = sound.between(second, second + 1).samples
        told = {"rate": SAMPLE_RATE, "begin": second == 0, "sound": base64.b64encode((part * 32767).astype("<i2"))}
        lights.append(enrolling.followed(take, told).count("is-good"))
    assert lights == sorted(lights) and lights[0] == 1 and lights[-1] >= 5  # the earlier take counts
    final, _ = enrolling.taken(take, recording(tmp_path, voice, "mei_enrol", 0, 24))
    assert abs(final.count("is-good") - lights[-1]) <= 1
    assert enrolling.followed(take, told) is None  # too late: the recording is there
    for nonsense in (None, {}, {"rate": 16000}, {**told, "rate": 1, "begin": True}, {**told, "sound": "?"}):
        assert enrolling.followed(take, nonsense) is None


def test_a_recording_on_its_way_is_waited_for(voice, tmp_path):
    take, silence = Take(), Audio(np.zeros(SAMPLE_RATE, np.float32))
    assert take.settled(BROWSER)
    take.follow(silence, begin=True)
    path = recording(tmp_path, voice, "mei_enrol", 0, 5)
    threading.Timer(0.5, enrolling.taken, (take, path)).start()
    assert take.settled(BROWSER) and len(take.of(BROWSER)) == 1
    take.follow(silence, begin=True)
    later = threading.Timer(GOING_ON_SECONDS + 0.2, take.follow, (silence,), {"begin": False})
    later.start()
    assert not take.settled(BROWSER)  # it goes on
    later.join()


def test_a_gauge_second_by_second_is_the_gauge_at_once(voice):
    whole = voice("kofi_enrol")
    gauge = Gauge()
    for second in range(int(whole.duration) + 1):
        gauge.hear(whole.between(second, second + 1))
    assert gauge.so_far() == speech_in([whole])


@pytest.fixture
def kofi_speaks(monkeypatch, voice):
    """This computer's microphone hears Kofi, ten seconds at most."""
    from demo import take

    class Talking:
        def __init__(self, device):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def blocks(self, seconds, *, cancelled):
            for start in range(10):
                if cancelled():
                    return
                yield voice("kofi_test").between(start, start + seconds)

    monkeypatch.setattr(take, "Microphone", Talking)


def test_a_recording_that_still_goes_on_is_no_take_of_whoever_comes_next(kofi_speaks):
    made = Take()
    for left in (True, False):
        recording = made.record(None)
        for _ in range(4):
            next(recording)
        if left:
            made.leave()
        recording.close()
        assert len(made.of(COMPUTER)) == (0 if left else 1)


def test_a_take_that_is_removed_does_not_take_the_recording_along_that_goes_on(kofi_speaks):
    made = Take()
    list(made.record(None))
    recording = made.record(None)
    for _ in range(4):
        next(recording)
    made.drop(COMPUTER)
    recording.close()
    assert [part.sound.duration for part in made.of(COMPUTER)] == [pytest.approx(3.0)]


def test_enrol_ends_a_recording_of_this_computer_and_uses_it(kofi_speaks):
    made = Take()
    recording = made.record(None)
    for _ in range(8):
        next(recording)
    threading.Timer(0.3, lambda: list(recording)).start()  # as Gradio goes on with it
    assert made.settled(COMPUTER) and made.of(COMPUTER)[0].sound.duration == pytest.approx(7.0)
    with pytest.raises(StopIteration):
        next(recording)
