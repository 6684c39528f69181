"""Segments of 5 s: where they lie, what of them is speech, and how good they are.

A recording is cut every 5 s; a rest of 2.5 s or more becomes a last segment of its own, a shorter one joins the
segment before it. What the networks see of a segment is its speech: pauses longer than 320 ms are cut to 160 ms on
each side (`condense`), as in the training corpora, the level is set (`normalise`) and what is shorter than 5 s is
repeated up to 5 s (`fit`). `prepare` is those three in one and the only way from a segment to an image or a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from core.activity import ACTIVITY_HOP, PAUSE_KEEP, dilated, frame_levels, speech_activity
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, SEGMENT_SECONDS, Audio, concatenate, level_dbfs
from core.bandwidth import bandwidth

MIN_REST_SECONDS = 2.5  # s: a rest of this length becomes a segment of its own
MIN_SPEECH_SECONDS = 1.0  # s of speech below which a segment is `NotEnoughSpeech`
TARGET_LEVEL_DBFS = -20.0  # dBFS: level of a prepared segment
CLIP_LEVEL = 0.985  # of full scale: a sample at or above counts as clipped
POOR_CLIPPED = 0.05  # of the samples: nothing is learned from a segment with more
POOR_SNR_DB = 3.0  # dB: nor from one with less
NARROW_HZ = 4_500.0  # Hz: speech that reaches no higher came through a telephone or a hands-free headset
CONDENSE_BLOCK_SECONDS = 10.0  # s: speech activity adapts to level and noise in blocks of this length


@dataclass(frozen=True, order=True)
class Segment:
    """A span of time, `start` to `end` in seconds."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def __bool__(self) -> bool:
        return self.end > self.start

    def __contains__(self, moment: float) -> bool:
        return self.start <= moment < self.end

    def __and__(self, other: Segment) -> Segment:
        return Segment(max(self.start, other.start), min(self.end, other.end))

    def __str__(self) -> str:
        return f"{clock(self.start)}-{clock(self.end)}"


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from one hour on."""
    whole = int(seconds + 0.5)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes:02d}:{whole % 60:02d}"


@dataclass(frozen=True)
class Quality:
    """What a segment is worth, measured on the sound as it came.

    `speech`: seconds of speech. `level`: dBFS of the speech. `clipped`: fraction of samples at full scale.
    `snr`: dB between speech and the quietest tenth of the frames (a lower bound where nobody pauses). `bandwidth`: Hz
    up to which the speech reaches (0: not measured).
    """

    speech: float
    level: float
    clipped: float
    snr: float
    bandwidth: float = 0.0

    @property
    def enough(self) -> bool:
        """Is there enough speech for a decision?"""
        return self.speech >= MIN_SPEECH_SECONDS

    @property
    def poor(self) -> bool:
        """Is it too bad to learn a voice from?"""
        return not self.enough or self.clipped > POOR_CLIPPED or self.snr < POOR_SNR_DB

    def problems(self) -> list[str]:
        """What is wrong, each as one sentence with what to do; empty when all is well."""
        found = []
        if not self.enough:
            found.append(f"only {self.speech:.1f} s of speech: speak on, or move closer")
            return found
        if self.level < -45:
            found.append(f"very quiet ({self.level:.0f} dBFS): move closer or raise the input level")
        if self.clipped > 0.005:
            found.append(f"{self.clipped:.1%} of the sound is clipped: lower the input level")
        if self.snr < 8:
            found.append(f"noisy (about {self.snr:.0f} dB above the background): find a quieter place")
        if 0 < self.bandwidth < NARROW_HZ:
            found.append(
                f"sounds like a telephone (nothing above {self.bandwidth / 1000:.1f} kHz): "
                "use another microphone, not a headset's hands-free mode"
            )
        return found


def spans(duration: float) -> list[Segment]:
    """The segments of a recording of `duration` seconds, as the top of this module tells."""
    count = int(duration / SEGMENT_SECONDS + 1e-9)
    starts = [index * SEGMENT_SECONDS for index in range(count)]
    rest = duration - count * SEGMENT_SECONDS
    if rest >= MIN_REST_SECONDS or (not starts and rest > 0):
        return [Segment(start, start + SEGMENT_SECONDS) for start in starts] + [Segment(duration - rest, duration)]
    return [
        Segment(start, duration if index == count - 1 else start + SEGMENT_SECONDS)
        for index, start in enumerate(starts)
    ]


def cut(blocks: Iterable[Audio]) -> Iterator[tuple[Segment, Audio]]:
    """The segments of a stream of 16 kHz blocks, each as soon as it is sure where it ends; memory stays bounded."""
    held, offset = Audio(np.zeros(0, np.float32)), 0
    sure = SEGMENT_SAMPLES + round(MIN_REST_SECONDS * SAMPLE_RATE)
    for block in blocks:
        held = concatenate([held, block])
        while len(held) >= sure:
            yield _segment_of(held.samples[:SEGMENT_SAMPLES], offset)
            held, offset = Audio(held.samples[SEGMENT_SAMPLES:]), offset + SEGMENT_SAMPLES
    for span in spans(held.duration):
        first, last = round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)
        yield _segment_of(held.samples[first:last], offset + first)


def _segment_of(samples: np.ndarray, offset: int) -> tuple[Segment, Audio]:
    return Segment(offset / SAMPLE_RATE, (offset + len(samples)) / SAMPLE_RATE), Audio(samples)


def condense(audio: Audio) -> tuple[Audio, float]:
    """Cut pauses of more than 320 ms to 160 ms on each side of speech.

    Returns the shortened audio and the seconds of speech in it (pauses not counted). No speech: empty audio, 0.0.
    """
    activity = speech_activity(audio)
    return keep(audio, activity), float(activity.sum()) * ACTIVITY_HOP / SAMPLE_RATE


def keep(audio: Audio, activity: np.ndarray) -> Audio:
    """The frames of `activity` (bool, one each 10 ms) and 160 ms on each side of them."""
    kept = dilated(activity, PAUSE_KEEP)
    if kept.all() and len(kept):
        return audio
    frames = audio.samples[: len(kept) * ACTIVITY_HOP].reshape(-1, ACTIVITY_HOP)
    return Audio(frames[kept].reshape(-1))


def condense_long(blocks: Iterable[Audio]) -> Iterator[Audio]:
    """`condense` over a long recording, 10 s at a time, so that activity follows level and noise as they change."""
    for block in _to_be_judged(blocks):
        condensed, _ = condense(block)
        if len(condensed):
            yield condensed


def _to_be_judged(blocks: Iterable[Audio]) -> Iterator[Audio]:
    """Blocks of 10 s: longer ones are cut, those shorter than a segment, as microphones give them, are joined, for a
    pause by itself would sound like speech. All else stays alone: the next block may be of another recording."""
    size = round(CONDENSE_BLOCK_SECONDS * SAMPLE_RATE)
    held = Audio(np.zeros(0, np.float32))
    for block in blocks:
        if len(block) < SEGMENT_SAMPLES:
            held = concatenate([held, block])
            if len(held) >= size:
                yield Audio(held.samples[:size])
                held = Audio(held.samples[size:])
            continue
        if len(held):
            yield held
            held = Audio(held.samples[:0])
        for start in range(0, len(block), size):
            yield Audio(block.samples[start : start + size])
    if len(held):
        yield held


def speech_segments(blocks: Iterable[Audio]) -> Iterator[tuple[Segment, Audio]]:
    """Segments of *speech*: pauses cut first, then cut into 5 s. What datasets and enrolments are made of."""
    return cut(condense_long(blocks))


def quality(audio: Audio, activity: np.ndarray | None = None) -> Quality:
    """Measure a segment. `activity`: its speech activity where that is known already."""
    if activity is None:
        activity = speech_activity(audio)
    seconds = float(activity.sum()) * ACTIVITY_HOP / SAMPLE_RATE
    clipped = float(np.mean(np.abs(audio.samples) >= CLIP_LEVEL)) if len(audio) else 0.0
    power = 10.0 ** (frame_levels(audio.samples) / 10.0)
    speech = power[activity].mean() if activity.any() else 1e-12
    floor = np.percentile(power, 10) if len(power) else 1e-12
    return Quality(
        speech=seconds,
        level=float(10 * np.log10(max(speech, 1e-12))),
        clipped=clipped,
        snr=float(np.clip(10 * np.log10(max(speech, 1e-12) / max(floor, 1e-12)), 0.0, 60.0)),
        bandwidth=bandwidth(audio, activity),
    )


def normalise(samples: np.ndarray) -> np.ndarray:
    """Set the level to `TARGET_LEVEL_DBFS`: gain never reaches a network."""
    gain = 10.0 ** ((TARGET_LEVEL_DBFS - level_dbfs(samples)) / 20.0)
    return (samples * np.float32(gain)).astype(np.float32, copy=False)


def fit(samples: np.ndarray) -> np.ndarray:
    """Exactly 5 s, shape (SEGMENT_SAMPLES,): shorter sound is repeated, longer is cut."""
    if len(samples) == 0:
        raise ValueError("nothing to repeat: zero samples")
    return np.resize(samples, SEGMENT_SAMPLES) if len(samples) < SEGMENT_SAMPLES else samples[:SEGMENT_SAMPLES]


def prepare(audio: Audio) -> np.ndarray | None:
    """What both networks see of a segment: its speech, at a set level, exactly 5 s; float32 (SEGMENT_SAMPLES,).

    None when there are fewer than `MIN_SPEECH_SECONDS` of speech. Training, enrolment and live use all call this.
    """
    return prepare_judged(audio)[0]


def prepare_judged(audio: Audio) -> tuple[np.ndarray | None, Quality]:
    """`prepare` and `quality` in one pass."""
    activity = speech_activity(audio)
    judged = quality(audio, activity)
    if not judged.enough:
        return None, judged
    return fit(normalise(keep(audio, activity).samples)), judged
