"""A sound server of the tests' own, whose null sink is the microphone "pulse"."""

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.sources.microphone import devices


class SoundServer:
    """A PulseAudio of our own with one null sink; nothing else on the machine hears it."""

    def __init__(self, folder: Path):
        self.socket = folder / "native"
        self.environment = {
            "PULSE_SERVER": f"unix:{self.socket}",
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
        }
        self.process = subprocess.Popen(
            ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-n"]
            + ["--load=module-native-protocol-unix auth-anonymous=1 socket=" + str(self.socket)]
            + ["--load=module-null-sink sink_name=vmic"],
            env={**os.environ, **self.environment, "HOME": str(folder)},
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, "pulseaudio did not start"
            time.sleep(0.05)

    def play(self, path: Path) -> subprocess.Popen:
        return subprocess.Popen(["paplay", str(path)], env={**os.environ, **self.environment})

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(folder: Path, need_program):
    """A sound server that PortAudio in this process talks to, as the device "pulse"."""
    need_program("pulseaudio")
    need_program("paplay", package="pulseaudio-utils")
    server = SoundServer(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        try:
            if "pulse" not in [device.name for device in devices()]:
                need_program("the ALSA plugin for PulseAudio", package="libasound2-plugins")
            yield server
        finally:
            server.stop()
