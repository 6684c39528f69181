"""This computer's microphone, through PortAudio (sounddevice).

The callback only copies samples into a bounded queue and notes overflows; resampling to 16 kHz happens where the
blocks are taken. A device is opened at its own default rate, because PortAudio does not resample on every system.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.audio import SAMPLE_RATE, Audio, concatenate
from core.errors import Cancelled, MicrophoneError

QUEUE_SECONDS = 30.0  # s of sound kept while nobody takes blocks; what comes then is dropped and counted
CALLBACK_SECONDS = 0.1  # s of sound in one callback
SILENT_SECONDS = 3.0  # s without any data after which the device counts as gone
POLL_SECONDS = 0.1  # s between looks at `cancelled` while waiting
CUT_NAME = 31  # characters that the oldest of Windows' sound systems leaves of a name

_opened = 0  # streams open in this process: PortAudio lists devices anew only when there is none
_portaudio_lock = threading.Lock()


@dataclass(frozen=True)
class Device:
    """An input device. `rate`: its default rate in Hz. `channels`: how many it has. `default`: the system's choice.
    `system`: the sound system it is reached through; Windows has several, each with every microphone."""

    index: int
    name: str
    rate: int
    channels: int
    default: bool
    system: int = 0

    @property
    def key(self) -> str:
        """What `find_device` knows it by later too, when a device that was plugged in has changed the numbers."""
        return f"{self.index} {self.name}"


def devices() -> list[Device]:
    """Input devices present now, each once; an empty list when there is none. Raises `MicrophoneError` without
    PortAudio."""
    with _portaudio_lock:
        return _each_once(_devices())


def find_device(wanted: int | str | None = None) -> Device:
    """The device with that key, index, name or part of a name (None: the default); else `MicrophoneError`."""
    with _portaudio_lock:
        return _find(wanted)


class Microphone:
    """An input device, open while used as a context manager.

    `device`: see `find_device`. `overflows`: how often the system lost sound before we got it. `dropped_seconds`: s
    lost because blocks were not taken in time. `gap`: s of them that were lost right before the block given last.
    Raises `MicrophoneError`.

        with Microphone() as microphone:
            for block in microphone.blocks(1.0): ...
    """

    def __init__(self, device: int | str | None = None):
        self._wanted = device
        self._queue: queue.Queue[tuple[np.ndarray, int]] = queue.Queue(maxsize=round(QUEUE_SECONDS / CALLBACK_SECONDS))
        self._closed = threading.Event()
        self._stream = None
        self._dropped = 0  # frames
        self._dropped_now = 0  # frames dropped since the last that went into the queue
        self.gap = 0.0
        self.device: Device | None = None
        self.overflows = 0

    @property
    def dropped_seconds(self) -> float:
        """Seconds of sound lost because nobody took blocks for `QUEUE_SECONDS`."""
        return self._dropped / self.device.rate if self.device else 0.0

    def __enter__(self) -> Microphone:
        global _opened
        with _portaudio_lock:
            self.device = _find(self._wanted)
            self._stream = self._open(self.device)
            _opened += 1
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Stop; `blocks` in another thread ends after what it has. May be called twice."""
        global _opened
        self._closed.set()
        with _portaudio_lock:
            if self._stream is not None:
                stream, self._stream = self._stream, None
                _opened -= 1
                stream.close(ignore_errors=True)

    def blocks(self, seconds: float = 1.0, *, cancelled: Callable[[], bool] | None = None) -> Iterator[Audio]:
        """16 kHz mono `Audio` of `seconds` each, as the sound comes, until `close` (then a last, shorter one).

        No block reaches across lost sound: the one before a gap is shorter.
        Raises `MicrophoneError` when no data comes for `SILENT_SECONDS`, `Cancelled` when `cancelled()` turns true.
        """
        import soxr

        if self.device is None:
            raise MicrophoneError("the microphone is not open: use it in a `with` statement")
        resampler = soxr.ResampleStream(self.device.rate, SAMPLE_RATE, 1, dtype="float32")
        wanted = round(seconds * SAMPLE_RATE)
        held = Audio(np.zeros(0, np.float32))
        last_data = time.monotonic()
        while True:
            if cancelled is not None and cancelled():
                raise Cancelled("recording was stopped; nothing was kept")
            try:
                frames, missing = self._queue.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if self._closed.is_set():
                    break
                if time.monotonic() - last_data > SILENT_SECONDS:
                    raise MicrophoneError(
                        f"{self.device.name} has sent nothing for {SILENT_SECONDS:g} s: check that it is plugged in "
                        "and that no other program holds it, then start again"
                    ) from None
                continue
            last_data = time.monotonic()
            if missing:
                if len(held):
                    yield held
                held, self.gap = Audio(np.zeros(0, np.float32)), missing / self.device.rate
                resampler.clear()
            arrived = resampler.resample_chunk(np.ascontiguousarray(frames.mean(axis=1)))
            held = concatenate([held, Audio(np.clip(arrived, -1.0, 1.0))])
            while len(held) >= wanted:
                yield Audio(held.samples[:wanted])
                self.gap = 0.0
                held = Audio(held.samples[wanted:])
        rest = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        held = concatenate([held, Audio(np.clip(rest, -1.0, 1.0))])
        if len(held):
            yield held

    def _open(self, device: Device):
        """A started stream: one channel where the device allows it, else two, averaged."""
        sounddevice = _sounddevice()
        trouble = None
        for channels in sorted({1, min(2, device.channels)}):
            try:
                stream = sounddevice.InputStream(
                    device=device.index,
                    channels=channels,
                    samplerate=device.rate,
                    dtype="float32",
                    blocksize=round(device.rate * CALLBACK_SECONDS),
                    callback=self._arrived,
                )
                stream.start()
                return stream
            except (sounddevice.PortAudioError, ValueError) as error:
                trouble = error
        raise MicrophoneError(
            f"{device.name} cannot be opened ({trouble}): allow microphone access in the system's privacy settings, "
            "close programs that use it, or choose another device"
        ) from trouble

    def _arrived(self, frames: np.ndarray, count: int, _time, status) -> None:
        if status.input_overflow:
            self.overflows += 1
        try:
            self._queue.put_nowait((frames.copy(), self._dropped_now))
            self._dropped_now = 0
        except queue.Full:
            self._dropped += count
            self._dropped_now += count


def record(
    seconds: float,
    device: int | str | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Audio:
    """Record `seconds` of 16 kHz mono. `progress` gets the fraction done, 0 to 1.

    Raises `MicrophoneError`, and `Cancelled` when `cancelled()` turns true.
    """
    wanted, parts, got = round(seconds * SAMPLE_RATE), [], 0
    with Microphone(device) as microphone:
        for block in microphone.blocks(min(0.25, seconds), cancelled=cancelled):
            parts.append(block)
            got += len(block)
            if progress is not None:
                progress(min(1.0, got / wanted))
            if got >= wanted:
                break
    return concatenate(parts).between(0.0, seconds)


def _sounddevice():
    try:
        import sounddevice
    except OSError as error:
        if sys.platform.startswith("linux"):
            hint = "install it with `sudo apt install libportaudio2` (Fedora: portaudio) and start again"
        else:
            hint = "reinstall it with `pip install --force-reinstall sounddevice`"
        raise MicrophoneError(f"the PortAudio library, which reads microphones, is missing: {hint}") from error
    except ImportError as error:
        raise MicrophoneError("the package sounddevice is missing: `pip install sounddevice`") from error
    return sounddevice


def _devices() -> list[Device]:
    sounddevice = _sounddevice()
    try:
        if _opened == 0:  # PortAudio looks for devices only when it starts: without this, a new one stays unseen
            sounddevice._terminate()
            sounddevice._initialize()
        listed = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"the sound system does not answer ({error}): check that it runs, try again") from error
    try:
        chosen = sounddevice.query_devices(kind="input")
    except (sounddevice.PortAudioError, ValueError):
        chosen = {"index": -1, "hostapi": -1}
    found = [
        Device(
            index=entry["index"],
            name=entry["name"],
            rate=round(entry["default_samplerate"]),
            channels=entry["max_input_channels"],
            default=entry["index"] == chosen["index"],
            system=entry["hostapi"],
        )
        for entry in listed
        if entry["max_input_channels"] > 0
    ]
    return sorted(found, key=lambda device: device.system != chosen["hostapi"])


def _each_once(present: list[Device]) -> list[Device]:
    """Without those that are there already through another sound system, maybe with their whole name."""
    kept: list[Device] = []
    for device in present:
        if not any(one.system != device.system and _one_name(one.name, device.name) for one in kept):
            kept.append(device)
    return kept


def _one_name(one: str, other: str) -> bool:
    cut, whole = sorted((one, other), key=len)
    return cut == whole or (len(cut) == CUT_NAME and whole.startswith(cut))


def _find(wanted: int | str | None) -> Device:
    present = _devices()
    if not present:
        raise MicrophoneError("no microphone was found: plug one in, or give a file or a link instead")
    if wanted is None or wanted == "":
        return next((device for device in present if device.default), present[0])
    text = str(wanted).casefold()
    number, _, name = text.partition(" ")
    for fits in (
        [device for device in present if text == device.key.casefold()],
        [device for device in present if text == str(device.index)],
        [device for device in present if text == device.name.casefold()],
        [device for device in present if number.isdecimal() and name == device.name.casefold()],
        [device for device in present if text in device.name.casefold()],
    ):
        if len(fits := _each_once(fits)) == 1:
            return fits[0]
    names = ", ".join(device.key for device in _each_once(present))
    raise MicrophoneError(f"no single input device is called {str(wanted)[:60]!r}; there are: {names}")
