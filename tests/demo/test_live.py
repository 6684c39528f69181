"""The Live tab with real voices: the ear of a session, and what the screen says."""

import json
import sys
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, Audio, concatenate, decode, resample
from core.heads import UNKNOWN, Decision
from core.recognizer import takes_over
from core.segments import Segment
from demo import live, live_ear, live_view, texts
from demo.cli_live import judged
from demo.computer_ear import ComputerEar
from demo.live_ear import RING_SAMPLES, LiveEar
from demo.live_session import SavedSession, save
from demo.slices import stamp
from demo.verdict import latest, on_screen
from tests.core.test_source_microphone import serving, sound_server  # noqa: F401 - a fixture


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


def test_a_session_is_saved_and_its_sound_only_on_request(recognizer, voice, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    ear = LiveEar()
    for keep in (False, True):
        live.begun(recognizer, ear, keep)
        ear.hear(voice("kofi_test").between(0, 5).samples, SAMPLE_RATE, missing=0.0)
        ear.look(recognizer)
        ear.hear(voice("kofi_test").between(6, 9).samples, SAMPLE_RATE, missing=1.0)
        html, saved = live.stopped(recognizer, ear)
        assert texts.STOPPED in html
        assert [Path(path).suffix for path in saved.timelines.values()] == [".json", ".csv", ".rttm"]
        found = json.loads(Path(saved.timelines["json"]).read_text())
        assert [(one["segment"]["start"], one["both"]["name"]) for one in found["segments"]] == [
            (0, "Kofi"),
            (6, "Kofi"),
        ]
        assert (saved.sound is not None) is keep
    kept = decode(saved.sound)
    assert kept.duration == 9.0 and not kept.between(5.0, 6.0).samples.any()
    assert np.abs(kept.between(6, 9).samples - voice("kofi_test").between(6, 9).samples).max() < 1e-3
    live.hear_slice(recognizer, None, ear)
    assert not ear.moment.listening  # a slice that comes after the end begins nothing
    ear.leave()
    assert not list(tmp_path.rglob("*.wav"))


def test_nothing_heard_is_nothing_to_save(recognizer, tmp_path):
    html, saved = live.stopped(recognizer, LiveEar())
    assert saved == SavedSession() and texts.STOPPED in html


def test_the_speech_meter_and_one_line_of_advice(recognizer, voice):
    ear = LiveEar()
    ear.hear(np.zeros(9 * SAMPLE_RATE, np.float32), SAMPLE_RATE, missing=0.0)
    html = live_view.view(ear.look(recognizer), {})
    assert "0.0 s of 5 s" in html and texts.NOTHING_HEARD in html
    ear.begin()
    ear.hear(0.02 * voice("kofi_test").between(0, 6).samples, SAMPLE_RATE, missing=0.0)
    assert "Very quiet" in live_view.view(ear.look(recognizer), {})


def test_another_microphone_than_at_enrolment_is_said(empty, voice):
    """Enrolled at full band, heard as through a telephone."""
    import scipy.signal

    empty.enrol("Kofi", voice("kofi_enrol"), consent=True)
    ear = LiveEar()
    ear.hear(voice("kofi_test").between(0, 16).samples, SAMPLE_RATE, missing=0.0)
    assert live_view.microphone_warning(empty, ear.look(empty)) == ""
    ear.begin()
    narrow = scipy.signal.sosfilt(
        scipy.signal.butter(10, 3000, fs=SAMPLE_RATE, output="sos"), voice("kofi_test").samples
    )
    ear.hear(narrow[: 16 * SAMPLE_RATE].astype(np.float32), SAMPLE_RATE, missing=0.0)
    assert "kHz" in live_view.microphone_warning(empty, ear.look(empty))


def test_two_sessions_do_not_hear_each_other(recognizer, voice):
    first = LiveEar()
    second = deepcopy(first)  # what gr.State does for each session
    for at in range(6):
        for ear, name in ((first, "amina"), (second, "kofi")):
            part = voice(f"{name}_test").between(at, at + 1)
            ear.hear(part.samples, SAMPLE_RATE, missing=0.0)
    assert first.look(recognizer).current.both.name == "Amina"
    assert second.look(recognizer).current.both.name == "Kofi"
    first.begin()
    assert first.moment.at == 0.0 and second.look(recognizer).at == pytest.approx(6.0)


def test_a_slice_of_the_browser_names_and_is_deleted(recognizer, voice, tmp_path):
    ear, path = LiveEar(), tmp_path / "audio.wav"
    for at in range(3):
        part = resample(voice("kofi_test").between(at * 2.0, at * 2.0 + 2.0), 48_000)
        soundfile.write(path, part.samples, part.rate, subtype="PCM_16")
        html, trouble = live.hear_slice(recognizer, str(path), ear)
        assert trouble == "" and not path.exists()
    assert '<div class="card-name">Kofi</div>' in html
    assert "<span>00:06</span>" in html and "data:image/png;base64," in html
    assert html.count("is-person") >= 3


def test_silence_names_nobody(recognizer, voice, tmp_path):
    ear, path = LiveEar(), tmp_path / "audio.wav"
    soundfile.write(path, np.zeros(5 * SAMPLE_RATE), SAMPLE_RATE)
    html, trouble = live.hear_slice(recognizer, str(path), ear)
    assert trouble == ""
    assert html.count(f'<div class="card-name">{texts.NOT_ENOUGH}</div>') == 3
    assert "0.0 s of speech" in html and texts.PICTURE_EMPTY in html
    assert "Kofi" not in html and "Amina" not in html


def test_an_unreadable_slice_is_one_sentence(recognizer, tmp_path):
    path = tmp_path / "audio.wav"
    path.write_bytes(b"no sound")
    html, trouble = live.hear_slice(recognizer, str(path), LiveEar())
    assert texts.WAITING_NAME in html
    assert trouble.count("notice-error") == 1 and "unreadable sound" in trouble and "Traceback" not in trouble
    assert not path.exists()


def test_the_last_answer_stays_when_listening_ends(recognizer, voice):
    ear = LiveEar()
    ear.hear(voice("amina_test").samples[: 6 * SAMPLE_RATE], SAMPLE_RATE)
    assert texts.LISTENING in live.view(ear.look(recognizer), {})
    html, _ = live.stopped(recognizer, ear)
    assert texts.STOPPED in html and '<div class="card-name">Amina</div>' in html


def test_a_session_ends_when_it_is_full_and_keeps_its_beginning(recognizer, voice, monkeypatch):
    monkeypatch.setattr(live_ear, "SESSION_SECONDS", 12.0)
    ear, sound = LiveEar(), voice("kofi_test")
    for at in range(14):
        ear.hear(sound.between(at, at + 1).samples, SAMPLE_RATE, missing=0.0)
        moment = ear.look(recognizer)
        assert moment.full == ear.full == (at >= 11)
    assert moment.at == 12.0 and " is-full" in live.view(moment, {})
    moment = ear.end(recognizer)
    assert [one.segment.start for one in moment.closed] == [0.0, 5.0]
    html = live.view(moment, {})
    assert "This session is full" in html and "is-full" not in html  # the next one is not stopped for it
    blocks = (sound.between(index / 2, (index + 1) / 2) for index in range(40))
    assert len(list(judged(recognizer, blocks, ear=(ear := LiveEar())))) == 11
    assert ear.moment.at == 12.0 and ear.moment.full and not ear.moment.listening


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size to stand for a full disk")
def test_a_disk_that_is_full_ends_the_sound_and_not_the_session(recognizer, voice, tmp_path):
    import resource

    ear, sound = LiveEar(), voice("kofi_test")
    ear.begin(keep_in=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * 2 * SAMPLE_RATE, hard))
    try:
        for at in range(8):
            ear.hear(sound.between(at, at + 1).samples, SAMPLE_RATE, missing=0.0)
            moment = ear.look(recognizer)
        assert moment.kept_until == 4.0 and moment.current.both.name == "Kofi" and moment.at == 8.0
        moment = ear.end(recognizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk took no more sound: what is kept of it ends at 00:04" in live.view(moment, {})
    assert soundfile.info(ear.kept.path).duration >= 4.0
    ear.leave()
    assert list(tmp_path.iterdir()) == []


def test_where_sound_cannot_be_kept_that_is_said_and_the_session_begins(recognizer, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gone"))
    ear = LiveEar()
    html, said = live.begun(recognizer, ear, True)
    assert "is-opening" in html and "is not kept (No such file" in said and ear.kept is None


def test_what_is_on_the_screen_is_judged_right_or_wrong(recognizer, voice):
    """A session of either microphone stays on the screen until the other has something to show."""
    browser, computer = LiveEar(), ComputerEar()
    computer.ear.begin()
    assert on_screen(browser, computer) is computer.ear
    browser.hear(voice("kofi_test").samples[: 6 * SAMPLE_RATE], SAMPLE_RATE)
    live.stopped(recognizer, browser)
    assert on_screen(browser, computer) is browser and latest(browser)[0].both.name == "Kofi"
    computer.ear.end(recognizer)
    assert on_screen(browser, computer) is computer.ear


def test_a_device_that_is_not_there_is_said(recognizer):
    ear = ComputerEar()
    ear.start(recognizer, "no such device 31415")
    ear._thread.join(timeout=60)
    _, sentence, running = live.look_computer(recognizer, ear)
    assert not running
    assert sentence.count("notice-error") == 1 and ("31415" in sentence or "microphone" in sentence.lower())


def test_this_computers_microphone_names_who_speaks(recognizer, voice, sound_server, tmp_path):  # noqa: F811
    soundfile.write(tmp_path / "clip.wav", voice("kofi_test").samples, SAMPLE_RATE)
    ear = ComputerEar()
    ear.start(recognizer, "pulse")
    player = sound_server.play(tmp_path / "clip.wav")
    names, deadline = set(), time.monotonic() + 60
    while "Kofi" not in names and time.monotonic() < deadline:
        time.sleep(0.2)
        html, sentence, running = live.look_computer(recognizer, ear)
        assert running, sentence
        moment = ear.look()
        names |= {moment.current.both.name} if moment.current else set()
    ear.stop()
    player.kill()
    player.wait()
    assert "Kofi" in names and "Amina" not in names
    assert not ear.running and texts.STOPPED in live.look_computer(recognizer, ear)[0]


def test_a_microphone_that_is_pulled_out_is_said_and_what_was_heard_stays(
    recognizer, voice, tmp_path, need_program, monkeypatch
):
    """The sound server goes away in the middle; the session can be saved, and a new one begun with another device."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    soundfile.write(tmp_path / "clip.wav", voice("kofi_test").samples, SAMPLE_RATE)
    (tmp_path / "pulse").mkdir()
    ear = ComputerEar()
    with serving(tmp_path / "pulse", need_program) as server:
        live.start_computer(recognizer, ear, "pulse", keep=True)
        player = server.play(tmp_path / "clip.wav")
        deadline = time.monotonic() + 80
        while ear.look().at < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        heard = ear.look().at
        server.stop()
        player.kill()
        player.wait()
        while ear.running and time.monotonic() < deadline:
            ear.look()
            time.sleep(0.2)
    html, sentence, running = live.look_computer(recognizer, ear)
    assert not running and texts.STOPPED in html
    assert sentence.count("notice-error") == 1 and "has sent nothing" in sentence and "plugged in" in sentence
    saved = save(recognizer, ear.ear)
    assert heard >= 3 and soundfile.info(saved.sound).duration >= heard - 0.1
    assert json.loads(Path(saved.timelines["json"]).read_text())["segments"]
