"""What somebody has recorded to be enrolled with, take by take, and how good it is so far."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from core.audio import SEGMENT_SECONDS, Audio, concatenate, stream
from core.enrolment import ENROL_SECONDS, MAX_ENROL_SECONDS
from core.errors import Cancelled, EnrolmentRefused
from core.segments import Quality, condense_long, quality
from core.sources import youtube
from core.sources.microphone import Microphone
from demo import texts

BLOCK_SECONDS = 1.0  # s recorded between two looks
MAX_RECORD_SECONDS = 120.0  # s after which a recording of this computer ends by itself
MAX_PART_SECONDS = 300.0  # s kept of one recording
MAX_PARTS = 20  # recordings of one enrolment
BROWSER, COMPUTER = texts.FROM_BROWSER, texts.COMPUTER_MICROPHONE  # where takes add up


@dataclass(frozen=True, eq=False)
class Part:
    """One recording, 16 kHz. `speech`: s of speech in it. `path`: its file, where the browser can play it."""

    sound: Audio
    speech: float
    path: str | None = None


class Take:
    """One per session; a copy is always a fresh one. Holds what microphones recorded: takes add up until there is
    enough, those of each microphone by themselves, for two microphones do not sound like one voice."""

    def __init__(self):
        self._parts: dict[str, list[Part]] = {BROWSER: [], COMPUTER: []}
        self._stop = threading.Event()

    def __deepcopy__(self, _memo) -> Take:
        return Take()

    def stop(self) -> None:
        """End the recording or the download that is going on."""
        self._stop.set()

    def leave(self) -> None:
        """The page is gone: nothing of the voice stays."""
        self.stop()
        self._parts = {BROWSER: [], COMPUTER: []}

    def of(self, where: str) -> Sequence[Part]:
        """The takes of one microphone; none of other sources."""
        return tuple(self._parts.get(where, ()))

    def blocks(self, where: str) -> Iterator[Audio]:
        """All that one microphone recorded; `EnrolmentRefused` where it recorded nothing."""
        if not self.of(where):
            raise EnrolmentRefused(texts.NO_SOUND)
        return (part.sound for part in self.of(where))

    def speech(self, where: str) -> tuple[float, list[Quality]]:
        """Seconds of good speech in all takes of a microphone, and the quality of each segment."""
        return speech_in(part.sound for part in self.of(where))

    def add(self, where: str, blocks: Iterable[Audio], path: str | None = None) -> None:
        """Keep another recording, five minutes of it at most. Raises `EnrolmentRefused` when there are too many."""
        if len(self.of(where)) >= MAX_PARTS:
            raise EnrolmentRefused(texts.TAKES_MANY.format(count=MAX_PARTS))
        parts, total = [], 0.0
        for block in blocks:
            parts.append(block)
            total += block.duration
            if total >= MAX_PART_SECONDS:
                break
        sound = concatenate(parts)
        self._parts[where].append(Part(sound, speech_in([sound])[0], path))

    def drop(self, where: str, *, everything: bool = False) -> None:
        """Forget the latest take of a microphone, or all of them."""
        self._parts[where] = [] if everything else self._parts[where][:-1]

    def record(self, device: str | None) -> Iterator[tuple[float, list[Quality]]]:
        """Record from this computer until all takes have 30 s of speech, `stop`, or two minutes; yields what there is
        so far, earlier takes counted."""
        self._stop = threading.Event()
        before = [part.sound for part in self.of(COMPUTER)]
        blocks: list[Audio] = []
        yield speech_in(before) if before else (0.0, [])
        try:
            with Microphone(device) as microphone:
                for block in microphone.blocks(BLOCK_SECONDS, cancelled=self._stop.is_set):
                    blocks.append(block)
                    sound = concatenate(blocks)
                    speech, found = speech_in([*before, sound])
                    yield speech, found
                    if speech >= ENROL_SECONDS or sound.duration >= MAX_RECORD_SECONDS:
                        break
        except Cancelled:
            pass  # stopped: what was recorded is used
        finally:
            if blocks:
                self.add(COMPUTER, blocks)

    def fetched(self, link: str, told: list[float]) -> Iterator[Audio]:
        """The sound behind a link; the download is deleted at the end. `told[0]` follows the fraction fetched."""
        self._stop = threading.Event()

        def follow(fraction: float) -> None:
            told[0] = fraction

        with youtube.fetch(youtube.parse_link(link), progress=follow, cancelled=self._stop.is_set) as download:
            yield from download.blocks()


def speech_in(blocks: Iterable[Audio]) -> tuple[float, list[Quality]]:
    """Seconds of speech in `blocks` as an enrolment counts them (two minutes at most, segments that are too bad left
    out), and the quality of each whole segment of it; segments with too little speech are left out."""
    parts, total = [], 0.0
    for part in condense_long(blocks):
        parts.append(part)
        total += part.duration
        if total >= MAX_ENROL_SECONDS:
            break
    speech = concatenate(parts)
    whole = int(speech.duration / SEGMENT_SECONDS)
    pieces = (speech.between(index * SEGMENT_SECONDS, (index + 1) * SEGMENT_SECONDS) for index in range(whole))
    found = [judged for judged in map(quality, pieces) if judged.enough]
    good = sum(not judged.poor for judged in found)
    return speech.duration - SEGMENT_SECONDS * (whole - good), found


def of_files(paths: Sequence[str] | None) -> Iterator[Audio]:
    """The sound of files, one after the other; `EnrolmentRefused` where there is none."""
    if not paths:
        raise EnrolmentRefused(texts.NO_SOUND)
    return chain.from_iterable(map(stream, paths))
