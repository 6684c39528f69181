"""The intermediate: 44.1 kHz mono WAV, 16 bit, without long silences.

The rule is that of `core.segments.condense`, at 44.1 kHz: in blocks of 10 s speech activity is judged, and of a pause
longer than 320 ms only 160 ms on each side of the speech are kept. Memory is bounded whatever the length.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.activity import ACTIVITY_HOP, PAUSE_KEEP, dilated, speech_activity
from core.audio import SAMPLE_RATE, Audio, resample, to_mono
from core.errors import DecodeError
from core.segments import CONDENSE_BLOCK_SECONDS

WAV_RATE = 44_100  # Hz
FRAME = WAV_RATE * ACTIVITY_HOP // SAMPLE_RATE  # samples in 10 ms

assert FRAME * SAMPLE_RATE == WAV_RATE * ACTIVITY_HOP


def make_wav(source: str | os.PathLike | BinaryIO, target: Path) -> float:
    """Write what is spoken in `source` (whatever libsndfile reads) as WAV; returns its seconds.

    Raises `DecodeError` when there is no sound in it; sound that breaks off later is used as far as it goes.
    """
    import soundfile

    written = 0
    try:
        # `wave` and not libsndfile, which does not say that a disk is full
        with soundfile.SoundFile(source) as file, wave.open(os.fspath(target), "wb") as out:
            out.setparams((1, 2, WAV_RATE, 0, "NONE", ""))
            for block in _blocks(file):
                kept = spoken(block)
                written += len(kept)
                out.writeframes(np.rint(32_767.0 * kept).astype("<i2").tobytes())
    except (soundfile.LibsndfileError, RuntimeError) as error:
        if written == 0:
            raise DecodeError(f"there is no sound in it: {error}") from error
    return written / WAV_RATE


def spoken(block: Audio) -> np.ndarray:
    """The samples of a block that are speech or close to it, by the rule above."""
    activity = dilated(speech_activity(resample(block)), PAUSE_KEEP)
    frames = len(block) // FRAME
    kept = np.pad(activity, (0, max(0, frames - len(activity))))[:frames]
    return block.samples[: frames * FRAME].reshape(-1, FRAME)[kept].reshape(-1)


def _blocks(file) -> Iterator[Audio]:
    """44.1 kHz mono in blocks of 10 s, through one resampler without seams."""
    import soxr

    size, held = round(CONDENSE_BLOCK_SECONDS * WAV_RATE), np.zeros(0, np.float32)
    resampler = soxr.ResampleStream(file.samplerate, WAV_RATE, 1, dtype="float32")
    file.seekable = lambda: False  # see `core.audio`: a cut-off MP3 is read to where it ends
    last = False
    while not last:
        read = file.read(10 * file.samplerate, dtype="float32", always_2d=True)
        last = len(read) == 0
        made = np.clip(resampler.resample_chunk(to_mono(read), last=last), -1.0, 1.0)
        held = np.concatenate([held, made])
        while len(held) >= size:
            yield Audio(held[:size], WAV_RATE)
            held = held[size:]
    if len(held) >= FRAME:
        yield Audio(held, WAV_RATE)
