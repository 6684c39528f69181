"""What somebody has recorded to be enrolled with, take by take, and how good it is so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from core.audio import Audio, concatenate, resample
from core.enrolment import ENROL_SECONDS
from core.errors import Cancelled, EnrolmentRefused
from core.segments import Quality
from core.sources import file, youtube
from core.sources.microphone import Microphone
from demo import texts
from demo.exporting import private_folder
from demo.gauge import Gauge, speech_in
from demo.leavings import let_go

BLOCK_SECONDS = 1.0  # s recorded between two looks
MAX_RECORD_SECONDS = 120.0  # s after which a recording of this computer ends by itself
MAX_PART_SECONDS = 300.0  # s kept of one recording
MAX_PARTS = 20  # recordings of one enrolment
ON_ITS_WAY_SECONDS = 15.0  # s after its last slice in which a recording should have arrived
GOING_ON_SECONDS = 2.0  # s after which a slice that comes is a recording that goes on
BROWSER, COMPUTER = texts.FROM_BROWSER, texts.COMPUTER_MICROPHONE  # where takes add up


@dataclass(frozen=True, eq=False)
class Part:
    """One recording, 16 kHz. `speech`: s of speech in it. `path`: its file, where the browser can play it; `owner`: the
    session that sent it."""

    sound: Audio
    speech: float
    path: str | None = None
    owner: str = ""


class Take:
    """One per session; a copy is always a fresh one. Holds what microphones recorded: takes add up until there is
    enough, those of each microphone by themselves, for two microphones do not sound like one voice."""

    def __init__(self):
        self._parts: dict[str, list[Part]] = {BROWSER: [], COMPUTER: []}
        self._stop = threading.Event()
        self._given_up = threading.Event()  # what is being enrolled
        self._used: Sequence[Part] = ()  # for it
        self._gauge: Gauge | None = None  # of a recording that is going on in the browser
        self._running: list[Audio] = []  # what it has heard of that
        self._heard = 0.0  # when its last slice came
        self._recording = False  # is this computer's microphone open?

    def __deepcopy__(self, _memo) -> Take:
        return Take()

    def stop(self) -> None:
        """End the recording, or give up the enrolment, that is going on or waits for its turn."""
        self._stop.set()
        self._given_up.set()

    def end_recording(self) -> None:
        """End the recording that is going on; an enrolment goes on."""
        self._stop.set()

    def begin_enrolment(self) -> Callable[[], bool]:
        """From now on `stop` is about this enrolment; is it given up?"""
        self._given_up, self._used = threading.Event(), ()
        return self._given_up.is_set

    def drop_used(self) -> None:
        """Somebody was enrolled: forget the takes that were used for it, and delete their files; others stay."""
        used, self._used = self._used, ()
        for where, parts in self._parts.items():
            self._parts[where] = [part for part in parts if part not in used]
        for part in used:
            self._let_go(part.path, part.owner)
        if used and self._gauge is not None:
            self._gauge = self.gauge(BROWSER, self._running)

    def leave(self) -> None:
        """The page is gone: nothing of the voice stays."""
        self.stop()
        before, self._gauge, self._running = self._parts, None, []
        self._parts = {BROWSER: [], COMPUTER: []}  # another one: a recording that still goes on sees that
        for part in chain(*before.values()):
            self._let_go(part.path, part.owner)

    def of(self, where: str) -> Sequence[Part]:
        """The takes of one microphone; none of other sources."""
        return tuple(self._parts.get(where, ()))

    def blocks(self, where: str) -> Iterator[Audio]:
        """All that one microphone recorded; `EnrolmentRefused` where it recorded nothing."""
        if not self.of(where):
            raise EnrolmentRefused(texts.NO_SOUND)
        self._used = self.of(where)
        return (part.sound for part in self._used)

    def speech(self, where: str) -> tuple[float, list[Quality]]:
        """Seconds of good speech in all takes of a microphone, and the quality of each segment."""
        return speech_in(part.sound for part in self.of(where))

    def gauge(self, where: str, running: Iterable[Audio] = ()) -> Gauge:
        """A gauge that has heard all takes of a microphone, and what is `running`."""
        made = Gauge()
        for part in self.of(where):
            made.hear(part.sound)
            made.end_of_part()
        for sound in running:
            made.hear(sound)
        return made

    def follow(self, sound: Audio, *, begin: bool) -> tuple[float, list[Quality]] | None:
        """Hear a second of a recording that is going on in the browser, and say what there is so far; it is not kept,
        the whole recording comes at its end. None when it has come already."""
        if begin:
            self._gauge, self._running = self.gauge(BROWSER), []
        gauge, self._heard = self._gauge, time.monotonic()
        if gauge is None:
            return None
        self._running.append(resample(sound))
        gauge.hear(self._running[-1])
        found = gauge.so_far()
        return found if gauge is self._gauge else None

    def settled(self, where: str) -> bool:
        """End a recording of this computer, wait for one of the browser that is on its way; False where it still goes
        on."""
        asked = time.monotonic()
        if where == COMPUTER:
            self._stop.set()
            while self._recording and time.monotonic() - asked < ON_ITS_WAY_SECONDS:
                time.sleep(0.05)
            return not self._recording
        while self._gauge is not None and time.monotonic() - self._heard < ON_ITS_WAY_SECONDS:
            if self._heard > asked + GOING_ON_SECONDS:
                return False
            time.sleep(0.05)
        return True

    def add(self, where: str, blocks: Iterable[Audio], path: str | None = None, owner: str = "") -> None:
        """Keep another recording, five minutes of it at most. Raises `EnrolmentRefused` when there are too many. The
        file of one that is not kept is deleted."""
        try:
            if len(self.of(where)) >= MAX_PARTS:
                raise EnrolmentRefused(texts.TAKES_MANY.format(count=MAX_PARTS))
            parts, total = [], 0.0
            for block in blocks:
                parts.append(block)
                total += block.duration
                if total >= MAX_PART_SECONDS:
                    break
            sound = concatenate(parts)
            self._parts[where].append(Part(sound, speech_in([sound])[0], path, owner))
        except Exception:
            self._let_go(path, owner)
            raise
        finally:
            self._gauge, self._running = None, []  # not before: `settled` waits for it

    def drop(self, where: str, *, everything: bool = False) -> None:
        """Forget the latest take of a microphone, or all of them, and delete their files."""
        before = self._parts[where]
        self._parts[where] = [] if everything else before[:-1]
        for part in before:
            self._let_go(part.path, part.owner)

    def _let_go(self, path: str | None, owner: str) -> None:
        """Delete a file that no take needs any more."""
        if path and all(path != part.path for part in chain(*self._parts.values())):
            let_go(path, owner)

    def record(self, device: str | None) -> Iterator[tuple[float, list[Quality]]]:
        """Record from this computer until all takes have 30 s of speech, `stop`, or two minutes; yields what there is
        so far, earlier takes counted."""
        self._stop = threading.Event()
        gauge, blocks, heard, mine, counted = self.gauge(COMPUTER), [], 0.0, self._parts, self.of(COMPUTER)
        yield gauge.so_far()
        self._recording = True
        try:
            with Microphone(device) as microphone:
                for block in microphone.blocks(BLOCK_SECONDS, cancelled=self._stop.is_set):
                    blocks.append(block)
                    heard += block.duration
                    gauge.hear(block)
                    if self.of(COMPUTER) != counted:  # somebody was enrolled with them
                        gauge, counted = self.gauge(COMPUTER, blocks), self.of(COMPUTER)
                    speech, found = gauge.so_far()
                    yield speech, found
                    if speech >= ENROL_SECONDS or heard >= MAX_RECORD_SECONDS:
                        break
        except Cancelled:
            pass  # stopped: what was recorded is used
        finally:
            try:
                if blocks and self._parts is mine:  # else left meanwhile: it is no take of whoever comes next
                    self.add(COMPUTER, blocks)
            finally:
                self._recording = False  # not before: `settled` waits for it

    def fetched(
        self,
        link: str,
        told: list[float],
        *,
        start: float | None = None,
        end: float | None = None,
        note: file.Note = file.silently,
    ) -> Iterator[Audio]:
        """The sound behind a link from `start` to `end` seconds; the download is deleted at the end. `told[0]` follows
        the fraction fetched, `note` hears of a download that breaks off."""
        given_up = self._given_up

        def follow(fraction: float) -> None:
            told[0] = fraction

        asked = {"start": start, "end": end, "progress": follow, "cancelled": given_up.is_set}
        with youtube.fetch(youtube.parse_link(link), **asked, folder=private_folder()) as download:
            yield from _until(given_up, download.blocks(note=note))

    def files(self, paths: Sequence[str] | None, note: file.Note = file.silently) -> Iterator[Audio]:
        """The sound of files, as `of_files`, until `stop`."""
        return _until(self._given_up, of_files(paths, note))


def _until(stop: threading.Event, blocks: Iterable[Audio]) -> Iterator[Audio]:
    """Raises `Cancelled` once `stop` is set."""
    for block in blocks:
        if stop.is_set():
            raise Cancelled(texts.ENROL_STOPPED)
        yield block


def of_files(paths: Sequence[str] | None, note: file.Note = file.silently) -> Iterator[Audio]:
    """The sound of files, one after the other; `EnrolmentRefused` where there is none. `note` hears of those that break
    off."""
    if not paths:
        raise EnrolmentRefused(texts.NO_SOUND)
    return chain.from_iterable(file.blocks(path, note=note) for path in paths)
