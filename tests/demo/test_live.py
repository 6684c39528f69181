"""The Live tab with real voices: the ear of a session, and what the screen says."""

import time
from copy import deepcopy

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, resample
from core.segments import Segment
from demo import live, texts
from demo.computer_ear import ComputerEar
from demo.live_ear import RING_SAMPLES, LiveEar
from demo.slices import sweep
from tests.core.test_source_microphone import sound_server  # noqa: F401 - a fixture


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
    assert moment.heard == 100.0
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


def test_sound_that_does_not_come_is_counted(recognizer, voice):
    clock = iter([1.0, 1.0, 11.0])  # first slice, first look, second look
    ear = LiveEar(now=lambda: next(clock))
    ear.hear(voice("kofi_test").samples[:SAMPLE_RATE], SAMPLE_RATE)
    assert ear.look(recognizer).late == 0.0
    ear.hear(voice("kofi_test").samples[:SAMPLE_RATE], SAMPLE_RATE)
    assert ear.look(recognizer).late == pytest.approx(9.0)


def test_two_sessions_do_not_hear_each_other(recognizer, voice):
    first = LiveEar()
    second = deepcopy(first)  # what gr.State does for each session
    for at in range(6):
        for ear, name in ((first, "amina"), (second, "kofi")):
            ear.hear(voice(f"{name}_test").samples[at * SAMPLE_RATE : (at + 1) * SAMPLE_RATE], SAMPLE_RATE)
    assert first.look(recognizer).current.both.name == "Amina"
    assert second.look(recognizer).current.both.name == "Kofi"
    first.begin()
    assert first.moment.heard == 0.0 and second.look(recognizer).heard == 6.0


def test_a_slice_of_the_browser_names_and_is_deleted(recognizer, voice, tmp_path):
    ear, path = LiveEar(), tmp_path / "audio.wav"
    for at in range(3):
        part = resample(voice("kofi_test").between(at * 2.0, at * 2.0 + 2.0), 48_000)
        soundfile.write(path, part.samples, part.rate, subtype="PCM_16")
        html, trouble = live.hear_slice(recognizer, str(path), ear)
        assert trouble == "" and not path.exists()
    assert '<div class="card-name">Kofi</div>' in html
    assert "00:06 heard" in html and "data:image/png;base64," in html
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
    html = live.stopped(recognizer, ear)
    assert texts.STOPPED in html and '<div class="card-name">Amina</div>' in html


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


def test_slices_nobody_took_are_swept_away_and_recordings_stay(tmp_path, monkeypatch, voice):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    for name, seconds in (("slice", 1.0), ("recording", 30.0)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "audio.wav", voice("jo_enrol").between(0.0, seconds).samples, SAMPLE_RATE)
    assert sweep() == 0  # it may still be taken
    assert sweep(older_than=0.0) == 1
    assert [path.parent.name for path in tmp_path.rglob("audio.wav")] == ["recording"]
