"""The microphone, for real: PulseAudio plays a clip into a null sink, PortAudio records what that sink hears."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, Audio, concatenate, level_dbfs, resample
from core.errors import Cancelled, MicrophoneError
from core.sources import microphone
from core.sources.microphone import Microphone, devices, find_device, record
from tests.core.sound_server import serving

ROOT = Path(__file__).resolve().parents[2]
CLIP_RATE = 22_050  # Hz: unlike the device's 44.1 kHz and unlike ours


def warble(seconds: float) -> Audio:
    """A tone whose pitch and loudness wander like no other stretch of itself; peaks at -8 dBFS."""
    t = np.arange(round(seconds * CLIP_RATE)) / CLIP_RATE
    pitch = 2 * np.pi * (300 * t + 60 * t**2 + 40 * np.sin(5 * t))
    return Audio((0.4 * np.sin(pitch) * (0.6 + 0.4 * np.sin(2 * np.pi * 3.3 * t))).astype(np.float32), CLIP_RATE)


def likeness(heard: Audio, clip: Audio) -> tuple[float, float]:
    """Highest normalised correlation of `clip` within `heard`, and the level difference there in dB."""
    wanted = resample(clip).samples
    size = len(heard) + len(wanted)
    product = np.fft.rfft(heard.samples, size) * np.conj(np.fft.rfft(wanted, size))
    shift = int(np.argmax(np.fft.irfft(product, size)[: len(heard)]))
    found = heard.samples[shift : shift + len(wanted)]
    wanted = wanted[: len(found)]
    value = float(found @ wanted / (np.linalg.norm(found) * np.linalg.norm(wanted) + 1e-12))
    return value, level_dbfs(found) - level_dbfs(wanted)


def test_a_clip_that_is_played_arrives(sound_server, tmp_path):
    clip = warble(1.5)
    soundfile.write(tmp_path / "clip.wav", clip.samples, clip.rate, subtype="PCM_16")
    parts = []
    with Microphone("pulse") as source:
        assert source.device.rate != SAMPLE_RATE  # so resampling is part of what is shown
        blocks = source.blocks(0.5)
        next(blocks)  # a null sink takes up to 2 s to wake
        player = sound_server.play(tmp_path / "clip.wav")
        after = 0
        for block in blocks:
            assert block.rate == SAMPLE_RATE and len(block) == SAMPLE_RATE // 2
            parts.append(block)
            after += player.poll() is not None
            if after == 2 or len(parts) > 30:
                break
        assert source.dropped_seconds == 0.0 and source.overflows == 0
    assert player.wait(timeout=10) == 0
    found = [likeness(concatenate(parts), clip.between(start, start + 0.5)) for start in (0.0, 0.5, 1.0)]
    same, louder = np.median(found, axis=0)  # one short gap may happen on a busy machine
    assert same > 0.9, f"correlations {found}"
    assert abs(louder) < 1.0, f"levels {found}"


def test_record_tells_progress_and_can_be_stopped(sound_server):
    told = []
    audio = record(0.6, device="pulse", progress=told.append)
    assert audio.duration == pytest.approx(0.6) and audio.rate == SAMPLE_RATE
    assert told == sorted(told) and told[-1] == 1.0
    with pytest.raises(Cancelled):
        record(30.0, device="pulse", cancelled=lambda: True)
    assert microphone._opened == 0


def test_close_from_another_thread_ends_the_blocks(sound_server):
    with Microphone("pulse") as source:
        blocks = source.blocks(0.1)
        next(blocks)
        blocks = source.blocks(60.0)
        threading.Timer(0.5, source.close).start()
        got = concatenate(list(blocks))
    assert 0.1 < got.duration < 3.0
    source.close()  # a second time is harmless


def test_what_nobody_takes_is_dropped_and_counted(sound_server, monkeypatch):
    monkeypatch.setattr(microphone, "QUEUE_SECONDS", 0.2)
    with Microphone("pulse") as source:
        deadline = time.monotonic() + 10
        while source.dropped_seconds < 0.2:
            assert time.monotonic() < deadline, "nothing was dropped"
            time.sleep(0.05)
        assert next(source.blocks(0.1)).duration == pytest.approx(0.1)


def test_devices_and_names(sound_server):
    present = devices()
    assert sum(device.default for device in present) == 1
    chosen = find_device()
    assert chosen.default and chosen.channels >= 1 and chosen.rate >= 8000
    assert find_device(chosen.index) == find_device(str(chosen.index)) == find_device(chosen.name.upper()) == chosen
    with pytest.raises(MicrophoneError, match="no single input device is called 'Grand Piano'.*pulse"):
        find_device("Grand Piano")
    with pytest.raises(MicrophoneError, match="'99'"):
        record(1.0, device=99)


def test_a_device_that_vanishes(tmp_path, need_program):
    with serving(tmp_path, need_program) as server, Microphone("pulse") as source:
        blocks = source.blocks(0.2)
        next(blocks)
        server.stop()
        began = time.monotonic()
        with pytest.raises(MicrophoneError, match="has sent nothing for 3 s: check that it is plugged in"):
            list(blocks)
        assert time.monotonic() - began < 6
    assert microphone._opened == 0


def in_a_fresh_process(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ASK = """
from core.errors import MicrophoneError
from core.sources.microphone import record
try:
    record(1.0)
except MicrophoneError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the advice is Linux's")
def test_without_portaudio_it_says_what_to_install():
    hidden = "import ctypes.util; ctypes.util.find_library = lambda name: None\n"  # as on a machine without the package
    said = in_a_fresh_process(hidden + ASK)
    assert "PortAudio" in said and "apt install libportaudio2" in said and "\n" not in said


def test_without_a_microphone_it_says_so(tmp_path):
    hidden = {"PULSE_SERVER": f"unix:{tmp_path}/none"}
    if in_a_fresh_process("from core.sources.microphone import devices; print(len(devices()))", **hidden) != "0":
        pytest.skip("this machine has a microphone; where there is none (CI) this test runs")
    said = in_a_fresh_process(ASK, **hidden)
    assert said == "no microphone was found: plug one in, or give a file or a link instead"


def test_importing_does_not_load_portaudio():
    script = "import sys, core.sources.microphone, core.sources.file; print({'sounddevice', 'av'} & set(sys.modules))"
    assert in_a_fresh_process(script) == "set()"
