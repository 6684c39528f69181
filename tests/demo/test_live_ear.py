"""The ear of a live session with real voices: what is cut, what is lost, and who speaks now."""

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, Audio, concatenate, resample
from core.heads import UNKNOWN, Decision
from core.recognizer import takes_over
from core.segments import Segment
from demo import live, live_view
from demo.computer_ear import ComputerEar
from demo.live_ear import RING_SAMPLES, LiveEar
from demo.slices import stamp


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_slices_of_any_length_sound_as_the_whole(voice, chance, rate):
    whole = resample(voice("kofi_test"), rate)
    stereo = np.stack([whole.samples, whole.samples], axis=1)
    slices = np.round(stereo * 32767).astype(np.int16)
    ear, at = LiveEar(), 0
    while at < len(slices):
        step = int(chance.integers(1, 2 * rate))
        ear.hear(slices[at : at + step], rate)
        at += step
    expected = resample(whole).samples
    heard = ear._ring
    assert len(expected) - len(heard) < 0.1 * SAMPLE_RATE  # what the resampler still holds back
    assert np.abs(heard - expected[: len(heard)]).max() < 2e-3


def test_memory_stays_bounded_and_what_fell_out_is_not_judged_late(recognizer, voice):
    ear = LiveEar()
    ear.hear(np.tile(voice("kofi_test").samples, 8)[: 100 * SAMPLE_RATE], SAMPLE_RATE)
    moment = ear.look(recognizer)
    assert len(ear._ring) == RING_SAMPLES
    assert moment.at == 100.0 and moment.lost == 70.0
    assert [one.segment.start for one in moment.closed] == [70.0, 75.0, 80.0, 85.0, 90.0, 95.0]


def test_a_joined_slice_closes_each_segment_it_fills(recognizer, voice):
    ear = LiveEar()
    ear.hear(voice("kofi_test").samples[: 12 * SAMPLE_RATE], SAMPLE_RATE)
    moment = ear.look(recognizer)
    assert [(one.segment.start, one.segment.end) for one in moment.closed] == [(0.0, 5.0), (5.0, 10.0)]
    assert {one.both.name for one in moment.closed} == {"Kofi"}
    assert moment.current.segment == Segment(7.0, 12.0)
    assert moment.image.shape == (80, 500)


def test_another_tab_can_hear_the_last_five_seconds(recognizer, voice):
    ear, computer = LiveEar(), ComputerEar()
    assert ear.recent() is None and computer.recent() is None
    ear.hear(voice("kofi_test").samples[: 8 * SAMPLE_RATE], SAMPLE_RATE)
    ear.look(recognizer)
    assert np.array_equal(ear.recent().samples, voice("kofi_test").samples[3 * SAMPLE_RATE : 8 * SAMPLE_RATE])
    live.stopped(recognizer, ear)
    assert ear.recent() is None


def test_a_closed_segment_is_judged_as_a_recording_is(recognizer, voice):
    sound = voice("amina_test").between(0.0, 10.0)
    ear = LiveEar()
    ear.hear(sound.samples, SAMPLE_RATE)
    for closed, one in zip(ear.look(recognizer).closed, recognizer.identify(sound), strict=True):
        assert (closed.segment, closed.quality, closed.both.name) == (one.segment, one.quality, one.both.name)
        assert closed.cnn.probability == pytest.approx(one.cnn.probability, abs=1e-6)
        assert closed.ann.probability == pytest.approx(one.ann.probability, abs=1e-6)


@pytest.mark.parametrize("first, second", [("amina", "kofi"), ("kofi", "amina")])
def test_two_seconds_after_a_change_the_screen_says_who_speaks_now(recognizer, voice, first, second):
    talk = concatenate([voice(f"{first}_test").between(0.0, 7.0), voice(f"{second}_test").between(0.0, 5.0)])
    ear = LiveEar()
    ear.hear(talk.samples[: 7 * SAMPLE_RATE], SAMPLE_RATE, missing=0.0)
    assert ear.look(recognizer).current.both.name == first.title()
    for at in (7, 8, 9, 10, 11):
        ear.hear(talk.samples[at * SAMPLE_RATE : (at + 1) * SAMPLE_RATE], SAMPLE_RATE, missing=0.0)
        moment = ear.look(recognizer)
        assert moment.current.segment == Segment(at - 4.0, at + 1.0)  # the meters are still of 5 s
        if at >= 8:
            assert moment.current.both.name == second.title(), f"{at - 6} s after the change"


def test_while_one_person_speaks_the_last_two_seconds_change_nothing(recognizer, voice):
    sound = voice("kofi_test")
    for at in range(0, 8, 2):
        heard = sound.between(at, at + 5.0)
        judged, (shown, image) = recognizer.judge(heard, at=at), recognizer.latest(heard, at=at)
        assert (shown.segment, shown.quality, shown.both.name) == (judged.segment, judged.quality, judged.both.name)
        assert np.array_equal(image, recognizer.image(heard))
    quiet = Audio(np.zeros(5 * SAMPLE_RATE, np.float32))
    assert recognizer.latest(quiet) == (recognizer.judge(quiet), None)


def test_only_another_person_takes_over():
    """Two seconds say Unknown of many whom five seconds name; and a guess is no change."""
    kofi, amina, nobody = Decision("Kofi", 0.9), Decision("Amina", 0.9), Decision(UNKNOWN, 0.9)
    assert takes_over(amina, kofi) and takes_over(amina, nobody)
    assert not takes_over(kofi, kofi) and not takes_over(nobody, kofi)
    assert not takes_over(Decision("Amina", 0.75, "Kofi", 0.2), kofi)


class Seconds:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fed(ear: LiveEar, seconds: Seconds, voice, recognizer, start: float, end: float, *, delay: float = 0.0):
    """Second by second, each arriving `delay` late; the last moment."""
    for at in range(round(start), round(end)):
        seconds.now += 1.0
        late = seconds.now + delay
        seconds.now, before = late, seconds.now
        ear.hear(voice.between(at, at + 1).samples, SAMPLE_RATE)
        seconds.now = before
        moment = ear.look(recognizer)
    return moment


def test_lost_sound_is_counted_and_never_joined(recognizer, voice):
    """A tab that sleeps for a minute: what lies before and behind it is judged apart."""
    ear = LiveEar(now=(seconds := Seconds()))
    moment = fed(ear, seconds, voice("amina_test"), recognizer, 0, 8)
    assert (moment.lost, moment.gaps) == (0.0, ())
    seconds.now += 60.0
    moment = fed(ear, seconds, voice("kofi_test"), recognizer, 0, 2)
    assert moment.lost == pytest.approx(60.0, abs=0.1) and len(moment.gaps) == 1
    assert moment.current.both.name == "Kofi" and moment.current.segment.duration == pytest.approx(2.0)
    moment = fed(ear, seconds, voice("kofi_test"), recognizer, 2, 6)
    spans = [(round(one.segment.start), round(one.segment.end), one.both.name) for one in moment.closed]
    assert spans == [(0, 5, "Amina"), (5, 8, "Amina"), (68, 73, "Kofi")]
    html = live_view.view(moment, {})
    assert "60.0 s of sound lost in 1 gap" in html and html.count('class="turn is-lost"') == 3


def test_a_slice_that_comes_late_or_joined_is_no_loss(recognizer, voice):
    ear = LiveEar(now=(seconds := Seconds()))
    fed(ear, seconds, voice("kofi_test"), recognizer, 0, 3)
    fed(ear, seconds, voice("kofi_test"), recognizer, 3, 5, delay=0.8)
    seconds.now += 4.0  # a busy server: the next slice holds all of it
    ear.hear(voice("kofi_test").between(5, 9).samples, SAMPLE_RATE)
    assert ear.look(recognizer).lost == 0.0


def test_a_busy_server_loses_nothing_where_slices_are_stamped(recognizer, voice, tmp_path):
    """The page's own clock counts: slices that wait were complete in time; a minute that is missing was not."""
    ear = LiveEar(now=(seconds := Seconds()))
    for at, waited in enumerate((0.0, 3.0, 0.5, 4.0)):
        seconds.now += 1.0 + waited
        path = tmp_path / f"audio-{5000 + 1000 * at}.wav"
        soundfile.write(path, voice("kofi_test").between(at, at + 1).samples, SAMPLE_RATE)
        assert live.hear_slice(recognizer, str(path), ear)[1] == ""
    assert ear.moment.lost == 0.0 and ear.moment.current.both.name == "Kofi"
    for at in (4, 5):  # the second says that the first was not only late
        path = tmp_path / f"audio-{65_000 + 1000 * at}.wav"
        soundfile.write(path, voice("kofi_test").between(at, at + 1).samples, SAMPLE_RATE)
        assert ear.moment.lost == 0.0
        live.hear_slice(recognizer, str(path), ear)
    assert ear.moment.lost == pytest.approx(60.0, abs=0.1)
    assert stamp("/x/audio.wav") is None and stamp("/x/audio-1500.wav") == 1.5


@pytest.mark.parametrize("lost", [0.0, 3.0])
def test_a_page_that_stood_still_stamps_late_and_has_lost_only_what_stays_away(recognizer, voice, lost):
    """Four seconds of a frozen page: what its recorder held comes all at once, each slice stamped too late."""
    ear, sound = LiveEar(), voice("kofi_test")
    stamps = [1.0, 2.0, 3.0, *(np.array([8.0, 8.01, 8.02, 8.03, 8.04, 9.0, 10.0]) + lost)]
    for at, complete in enumerate(stamps):
        ear.hear(sound.between(at, at + 1).samples, SAMPLE_RATE, complete=float(complete))
        moment = ear.look(recognizer)
    assert moment.lost == pytest.approx(lost, abs=0.1) and moment.at == pytest.approx(10.0 + lost, abs=0.1)
    assert len(moment.gaps) == (lost > 0) and moment.current.both.name == "Kofi"


def test_what_waits_behind_a_hole_is_not_forgotten_at_the_end(recognizer, voice):
    ear, sound = LiveEar(), voice("kofi_test")
    for at, complete in enumerate((1.0, 2.0, 3.0, 4.0, 64.0)):
        ear.hear(sound.between(at, at + 1).samples, SAMPLE_RATE, complete=complete)
        ear.look(recognizer)
    moment = ear.end(recognizer)
    assert moment.lost == pytest.approx(59.0, abs=0.1)
    assert [one.segment.end for one in moment.closed] == [4.0]


def test_a_sound_card_that_is_slow_loses_nothing(voice):
    """100 ppm slower than the clock: after four hours it is 1.4 s behind."""
    ear = LiveEar(now=(seconds := Seconds()))
    second = voice("kofi_test").samples[:160]  # time passes as if it were a second
    for _ in range(4 * 3600):
        seconds.now += 1.0001
        ear.hear(second, 160)
    assert ear._lost == 0


def test_dropped_seconds_of_this_computer_cut_too(recognizer, voice):
    ear = LiveEar()
    ear.hear(voice("amina_test").between(0, 6).samples, SAMPLE_RATE, missing=0.0)
    ear.hear(voice("amina_test").between(6, 9).samples, SAMPLE_RATE, missing=2.5)
    moment = ear.look(recognizer)
    assert moment.gaps == (Segment(6.0, 8.5),) and moment.current.segment == Segment(8.5, 11.5)
    assert [one.segment for one in moment.closed] == [Segment(0.0, 5.0)]  # 1 s is too short to be judged alone


def test_setting_the_clock_changes_nothing(recognizer, voice, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)
    ear = LiveEar()
    for at in range(3):
        ear.hear(voice("kofi_test").between(at, at + 1).samples, SAMPLE_RATE)
    assert ear.look(recognizer).lost == 0.0
