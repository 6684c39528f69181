"""The Live tab with real voices: sessions, and what the screen says."""

import json
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, decode, resample
from demo import live, live_ear, live_view, texts
from demo.cli_live import judged
from demo.computer_ear import ComputerEar
from demo.live_ear import LiveEar
from demo.live_session import SavedSession
from demo.verdict import latest, on_screen


def test_a_session_is_saved_and_its_sound_only_on_request(recognizer, voice, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    ear = LiveEar()
    for keep in (False, True):
        live.begun(recognizer, ear, keep)
        ear.hear(voice("kofi_test").between(0, 5).samples, SAMPLE_RATE, missing=0.0)
        ear.look(recognizer)
        ear.hear(voice("kofi_test").between(6, 9).samples, SAMPLE_RATE, missing=1.0)
        html, saved, trouble = live.stopped(recognizer, ear)
        assert texts.STOPPED in html and trouble == ""
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
    html, saved, trouble = live.stopped(recognizer, LiveEar())
    assert saved == SavedSession() and trouble == "" and texts.STOPPED in html


def in_the_way(folder) -> Path:
    """A place for a folder that cannot be made: a file is there."""
    (folder / "file").write_bytes(b"")
    return folder / "file" / "folder"


def test_a_session_that_cannot_be_written_is_said_and_the_page_goes_on(recognizer, voice, tmp_path, monkeypatch):
    ear = LiveEar()
    ear.begin()
    ear.hear(voice("kofi_test").between(0, 6).samples, SAMPLE_RATE, missing=0.0)
    ear.look(recognizer)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(in_the_way(tmp_path)))
    html, saved, trouble = live.stopped(recognizer, ear)
    assert texts.STOPPED in html and saved == SavedSession() and "cannot be written to files" in trouble


def test_who_is_deleted_while_they_speak_has_no_microphone_to_compare(people, voice):
    ear = LiveEar()
    ear.hear(voice("kofi_test").between(0, 11).samples, SAMPLE_RATE, missing=0.0)
    moment = ear.look(people)
    assert moment.current.both.name == "Kofi" and moment.closed
    people.store.delete_all()
    assert live_view.microphone_warning(people, moment) == ""
    assert "Kofi" in live.screen_of(people, moment)


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
    html, *_ = live.stopped(recognizer, ear)
    assert texts.STOPPED in html and '<div class="card-name">Amina</div>' in html
    assert "dBFS" not in html  # nothing is heard any more, so it has no level


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
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(in_the_way(tmp_path)))
    ear = LiveEar()
    html, said = live.begun(recognizer, ear, True)
    assert "is-opening" in html and "is not kept (" in said and ear.kept is None


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
