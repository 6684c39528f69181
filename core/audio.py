"""Audio: mono float32 samples that carry their rate; decode anything, resample, level.

Samples are float32 in [-1, 1]. Everything after decoding runs at `SAMPLE_RATE`.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from core.cut_off import CutOff, Ending, is_whole, stated_by_file
from core.errors import AudioTooLong, DecodeError, reason

if TYPE_CHECKING:
    import soundfile

SAMPLE_RATE = 16_000  # Hz: analysis rate; sources differ too much in bandwidth above 8 kHz
SEGMENT_SECONDS = 5.0  # s: unit of training, enrolment and decision
SEGMENT_SAMPLES = 80_000  # samples in one segment
BLOCK_SECONDS = 60.0  # s: how much `stream` decodes at a time
READ_VALUES = 500_000  # samples times channels read at a time
MAX_SECONDS = 12 * 3600.0  # s: the longest file `stream` follows
MAX_WORK_SECONDS = 20.0  # s of processor time that decoding may take before any sound comes, and ...
MIN_DECODE_SPEED = 4.0  # ... for each 4 s of sound one second more; usual is 50 to 5000 times faster than listening

assert SEGMENT_SAMPLES == round(SAMPLE_RATE * SEGMENT_SECONDS)

Source = str | os.PathLike | bytes | BinaryIO


@dataclass(frozen=True, eq=False)
class Audio:
    """Mono sound that carries its rate.

    `samples`: float32, shape (n,), in [-1, 1]. `rate`: Hz.
    """

    samples: np.ndarray
    rate: int = SAMPLE_RATE

    def __post_init__(self):
        samples = np.asarray(self.samples)
        if samples.dtype.kind not in "fiub" and samples.size:  # complex numbers, words, None
            raise ValueError(f"audio must be real numbers, got {samples.dtype}: give float32 in [-1, 1]")
        if samples.ndim != 1:
            raise ValueError(f"audio must be mono, shape (n,), got {samples.shape}: see core.audio.to_mono")
        if not (isinstance(self.rate, Real) and 0 < self.rate < math.inf):
            raise ValueError(f"a sample rate of {self.rate!r} cannot be: give Hz, for example {SAMPLE_RATE}")
        with np.errstate(over="ignore"):  # becomes infinite; `core.recognizer` says so
            samples = np.ascontiguousarray(samples, dtype=np.float32)
        object.__setattr__(self, "samples", samples)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def __len__(self) -> int:
        return len(self.samples)

    def between(self, start: float, end: float) -> Audio:
        """The part from `start` to `end` seconds (clipped to what is there)."""
        return Audio(self.samples[max(0, round(start * self.rate)) : max(0, round(end * self.rate))], self.rate)


def concatenate(parts: list[Audio]) -> Audio:
    """Join parts of equal rate, in order."""
    if not parts:
        return Audio(np.zeros(0, np.float32))
    if len({part.rate for part in parts}) != 1:
        raise ValueError("parts have different rates; resample first")
    return Audio(np.concatenate([part.samples for part in parts]), parts[0].rate)


def to_mono(samples: np.ndarray) -> np.ndarray:
    """(n,) or (n, channels), any integer or float type -> float32 (n,) in [-1, 1]; non-finite values become 0."""
    samples = np.asarray(samples)
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128.0) / 128.0
    elif np.issubdtype(samples.dtype, np.integer):
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32, copy=False)
    if samples.ndim == 2:
        with np.errstate(over="ignore", invalid="ignore"):  # damaged files hold infinities; they are dealt with below
            samples = samples.mean(axis=1)
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def resample(audio: Audio, rate: int = SAMPLE_RATE) -> Audio:
    """The same sound at `rate` Hz (soxr, high quality). Raises `DecodeError` for a rate that no sound has."""
    if audio.rate == rate:
        return audio
    _check_rate(audio.rate)
    import soxr

    return Audio(np.clip(soxr.resample(audio.samples, audio.rate, rate), -1.0, 1.0), rate)


def decode(source: Source, *, max_seconds: float = 1800.0) -> Audio:
    """Decode a whole file to 16 kHz mono.

    `source`: path, bytes, or a binary file object. Raises `DecodeError` when it holds no sound, `AudioTooLong`
    beyond `max_seconds` (use `stream` for long files).
    """
    return concatenate(list(stream(source, max_seconds=max_seconds)))


def to_flac(audio: Audio) -> bytes:
    """As a FLAC file, 16 bit, mono; `decode` reads it back."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, audio.samples, audio.rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def stream(
    source: Source,
    *,
    block_seconds: float = BLOCK_SECONDS,
    max_seconds: float = MAX_SECONDS,
    cut_off: Callable[[CutOff], None] = lambda what: None,
) -> Iterator[Audio]:
    """Decode piece by piece: 16 kHz mono `Audio` of `block_seconds` each (the last one shorter).

    Memory stays bounded whatever the length. What is left of a damaged file is used as far as it goes, and `cut_off` is
    called at its end. Raises `DecodeError` when there is no sound in it, when it breaks off before any came, or when it
    takes more work than any real recording (a decompression bomb); `AudioTooLong` beyond `max_seconds`, at once where
    the file itself says how long it is.
    """
    name, handle = _open(source)
    try:
        if not handle.read(1):
            raise DecodeError(f"{name} is empty (0 bytes): choose another file or record again")
        handle.seek(0)
        block = round(block_seconds * SAMPLE_RATE)
        waiting: list[np.ndarray] = []
        held = total = 0
        ending = Ending()
        for samples in _within_limits(_decoded(handle, name, max_seconds, ending), name):
            waiting.append(samples)
            held += len(samples)
            total += len(samples)
            if total > max_seconds * SAMPLE_RATE:
                raise AudioTooLong(_too_long(name, max_seconds))
            while held >= block:
                joined = np.concatenate(waiting)
                yield Audio(joined[:block])
                waiting, held = [joined[block:]], len(joined) - block
        if total == 0:
            raise DecodeError(f"{name} holds no sound: zero samples were decoded; record again, or get it anew")
        if held:
            yield Audio(np.concatenate(waiting))
        if (found := ending.cut_off(total / SAMPLE_RATE)) is not None:
            cut_off(found)
    except OSError as error:  # a disk that fails, a share that is gone
        raise DecodeError(f"{name} cannot be read: {reason(error)}") from error
    finally:
        if handle is not source:
            handle.close()


def _open(source: Source) -> tuple[str, BinaryIO]:
    """A name for messages and a seekable binary handle."""
    if isinstance(source, bytes | bytearray):
        name, handle = "the audio", io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            if path.is_dir():
                raise DecodeError(f"{path} is a folder, not an audio file")
            if path.exists() and not path.is_file():  # a pipe would wait for ever
                raise DecodeError(f"{path} is a pipe or a device, not an audio file")
            name, handle = path.name, path.open("rb")
        except (OSError, ValueError) as error:  # the latter: a name that no file can have
            raise DecodeError(f"{path} cannot be read: {reason(error)}") from error
    else:
        name, handle = "the audio", source
    return name, handle


def _too_long(name: str, most: float) -> str:
    shown = f"{most / 3600:g} hours" if most >= 3600 else f"{most / 60:g} minutes"
    return f"{name} is longer than {shown}: give a shorter part of it"


def _within_limits(pieces: Iterator[np.ndarray], name: str) -> Iterator[np.ndarray]:
    """`pieces` while making them is no more work than a real recording is; see `MAX_WORK_SECONDS`."""
    worked = seconds = 0.0
    while True:
        began = time.thread_time()  # of this thread alone: a busy machine makes no file suspect
        piece = next(pieces, None)
        worked += time.thread_time() - began
        if piece is None:
            return
        seconds += len(piece) / SAMPLE_RATE
        if worked > work_allowed(seconds):
            raise DecodeError(too_much_work(name, worked, seconds))
        yield piece


def work_allowed(seconds: float) -> float:
    """Seconds of processor time that decoding `seconds` of sound may take."""
    return MAX_WORK_SECONDS + seconds / MIN_DECODE_SPEED


def too_much_work(name: str, worked: float, seconds: float) -> str:
    """Why a file is refused that took more."""
    return (
        f"{name} takes more work than any real recording ({worked:.0f} s for {seconds:.0f} s of sound): "
        "it is damaged or meant to do harm; save it anew as WAV"
    )


def _decoded(handle: BinaryIO, name: str, max_seconds: float, ending: Ending) -> Iterator[np.ndarray]:
    """16 kHz mono float32 pieces: libsndfile first, FFmpeg for what it does not read. `ending` is filled."""
    import soundfile

    from core import ffmpeg

    reader = _Reader(handle)
    try:
        file = soundfile.SoundFile(reader)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        handle.seek(0)
        yield from ffmpeg.pieces(handle, name, ending)
        return
    yielded = False
    try:
        with file:
            _check_rate(file.samplerate)
            if max_seconds * file.samplerate < file.frames < 2**62:  # more: it does not say
                raise AudioTooLong(_too_long(name, max_seconds))
            ending.stated, ending.broken = stated_by_file(file), not is_whole(file, handle)
            for piece in _resampled(_blocks(file), file.samplerate):
                yielded = yielded or len(piece) > 0
                yield piece
        ending.broken = ending.broken or reader.failed
        if not yielded:  # a recorder that died before it wrote the length: FFmpeg reads to the end
            handle.seek(0)
            yield from ffmpeg.pieces(handle, name, ending)
            ending.broken = True
    except (soundfile.LibsndfileError, RuntimeError) as error:
        if yielded:
            ending.broken = True  # what was there is used, as every player does
            return
        handle.seek(0)
        try:
            yield from ffmpeg.pieces(handle, name, ending)
        except DecodeError:
            raise DecodeError(f"{name} is not readable as audio: {error}") from error


class _Reader:
    """A file that ends where it cannot be read: libsndfile takes no exception, and Python prints a stack trace."""

    def __init__(self, handle: BinaryIO):
        self._handle, self.failed = handle, False

    def readinto(self, buffer) -> int:
        try:
            return self._handle.readinto(buffer)
        except OSError:
            self.failed = True
            return 0

    def read(self, size: int) -> bytes:
        return self._handle.read(size)

    def seek(self, *place: int) -> int:
        return self._handle.seek(*place)

    def tell(self) -> int:
        return self._handle.tell()


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """float32 (n, channels) pieces of at most 2 MB, until nothing comes.

    Not `SoundFile.blocks`: it trusts the length in the header and fills what a cut-off MP3 lacks with older samples.
    And without the seek that soundfile adds to every read: in Opus libsndfile does not find its place again.
    """
    file.seekable = lambda: False
    frames = max(1, READ_VALUES // file.channels)
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        yield block


def _check_rate(rate: float) -> None:
    if not 1_000 <= rate <= 768_000:
        raise DecodeError(f"a sample rate of {rate} Hz is outside 1 to 768 kHz: the file is probably damaged")


def _resampled(blocks: Iterator[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Mono pieces at `SAMPLE_RATE` from blocks at `rate`, without seams (one stateful resampler)."""
    import soxr

    if rate == SAMPLE_RATE:
        yield from (to_mono(block) for block in blocks)
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for block in blocks:
        yield np.clip(resampler.resample_chunk(to_mono(block)), -1.0, 1.0)
    yield np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1.0, 1.0)


def level_dbfs(samples: np.ndarray) -> float:
    """Root-mean-square level in dBFS of a full-scale square wave (0 dBFS = all samples at +-1); -120 for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10.0 * np.log10(max(power, 1e-12))
