"""Live with this computer's microphone: sounddevice and a virtual one."""

import json
import threading
import time
from pathlib import Path

import soundfile

from core.audio import SAMPLE_RATE
from core.errors import MicrophoneError
from demo import computer_ear, live, texts
from demo.computer_ear import ComputerEar
from demo.live_session import save
from tests.core.sound_server import serving


def test_a_device_that_is_not_there_is_said(recognizer):
    ear = ComputerEar()
    ear.start(recognizer, "no such device 31415")
    ear._thread.join(timeout=60)
    _, sentence, running = live.look_computer(recognizer, ear)
    assert not running
    assert sentence.count("notice-error") == 1 and ("31415" in sentence or "microphone" in sentence.lower())


def test_this_computers_microphone_names_who_speaks(recognizer, voice, sound_server, tmp_path):
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


def test_a_microphone_that_was_slow_to_open_ends_no_later_session(recognizer, monkeypatch):
    """Stop and start again while the first is still being opened; what it says when it wakes is of no interest."""
    woken, opened = threading.Event(), threading.Event()

    class Slow:
        gap, overflows = 0.0, 0

        def __init__(self, device):
            self._device = device

        def __enter__(self):
            if self._device == "slow":
                assert woken.wait(60)
                raise MicrophoneError("too late")
            return self

        def __exit__(self, *_):
            pass

        def blocks(self, seconds, *, cancelled):
            opened.set()
            while not cancelled():
                time.sleep(0.01)
            return iter(())

    monkeypatch.setattr(computer_ear, "Microphone", Slow)
    monkeypatch.setattr(computer_ear, "CLOSING_SECONDS", 0.01)
    ear = ComputerEar()
    ear.start(recognizer, "slow")
    slow = ear._thread
    ear.start(recognizer, "quick")
    assert opened.wait(60)
    woken.set()
    slow.join(60)
    assert ear.running and ear.look().opening and ear.error is None and not ear.ear._ended
    ear.stop()
