"""SOURCE on the command line: a file, a link or `mic`, opened as blocks of sound; progress on a terminal's stderr."""

from __future__ import annotations

import glob
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.activity import ACTIVITY_HOP
from core.audio import BLOCK_SECONDS, SAMPLE_RATE, Audio, concatenate
from core.errors import MicrophoneError, SourceError, reason
from core.segments import CONDENSE_BLOCK_SECONDS, clock, condense
from core.sources import file
from demo.cli_text import width

MIC = "mic"
LISTEN_SECONDS = 0.5  # s: how much is taken from the microphone at a time
_LINK = re.compile(r"[a-z][a-z0-9+.-]+://|(www\.|m\.|music\.)?(youtube(-nocookie)?\.com|youtu\.be)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Sound:
    """An open source. `name`: for exports. `start`: s, where the first block lies in the recording. `blocks`: 16 kHz
    mono. `gap`: how many s were lost right before the block given last."""

    name: str
    start: float
    blocks: Iterator[Audio]
    gap: Callable[[], float] = lambda: 0.0


class Progress:
    """One line on stderr that is written over and over; nothing at all where stderr is no terminal. With blanks: the
    older windows of Windows show the codes that clear a line."""

    def __init__(self):
        self._shown = sys.stderr.isatty()
        self._columns = 0  # of what is there

    def __call__(self, text: str) -> None:
        if not self._shown:
            return
        rest = " " * (self._columns - width(text))
        back = "\r" + text if rest else ""  # the next word begins behind the text
        print(f"\r{text}{rest}{back}", end="", file=sys.stderr, flush=True)
        self._columns = width(text)

    def clear(self) -> None:
        """Take the line away."""
        self("")


@contextmanager
def opened(
    source: str,
    *,
    start: float | None = None,
    end: float | None = None,
    device: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
    note: file.Note = file.silently,
) -> Iterator[Sound]:
    """`source` from `start` to `end` seconds; a download is gone and a microphone closed when the `with` ends.

    `device`: which microphone. `tell`: gets progress of a download. `note`: hears of a source that breaks off. Raises
    `SourceError`; reading the blocks raises what `core.audio.stream` and `Microphone` raise.
    """
    file.check_range(start, end)
    if source == MIC:
        if start:
            raise SourceError("a microphone has no past: --from is for files and links, --to ends the listening")
        from core.sources.microphone import Microphone

        with Microphone(device) as microphone:
            yield Sound(MIC, 0.0, _listened(microphone, end), lambda: microphone.gap)
            _tell_losses(microphone)
    elif kind(source) == "link":
        from core.sources.youtube import fetch
        from demo.own_folder import own_folder

        tell("asking for the link ...")
        asked = {"start": start, "end": end, "progress": lambda done: tell(f"downloading {done:.0%}")}
        with own_folder() as folder, fetch(source, **asked, folder=folder) as download:  # what is killed is wiped later
            yield Sound(source, download.start or 0.0, download.blocks(note=note))
    else:
        yield Sound(Path(source).name, start or 0.0, file.blocks(source, start, end, note=note))


def kind(source: str) -> str:
    """'microphone', 'link' (what looks like an address and does not lie on the disk) or 'file'."""
    if source == MIC:
        return "microphone"
    return "link" if _LINK.match(source) and not os.path.exists(source) else "file"


def expanded(sources: Iterable[str]) -> list[str]:
    """`sources`, with the files that fit in the place of `FOLDER/*.mp3`, by name: Windows' shells hand the asterisk on.
    `SourceError` where none fits."""
    found: list[str] = []
    for source in sources:
        if not {"*", "?"} & set(source) or kind(source) != "file" or os.path.lexists(source):
            found.append(source)
            continue
        fitting = sorted(glob.glob(source.replace("[", "[[]")))  # in no shell of Windows a bracket means anything
        if not fitting:
            raise SourceError(f"no file fits {source}: look at the folder and the ending")
        found += fitting
    return found


def speech_counted(
    blocks: Iterable[Audio], most: float, tell: Callable[[float], None], *, exactly: bool = False
) -> Iterator[Audio]:
    """`blocks` until they hold `most` seconds of speech, in pieces of 10 s, of which each is judged whole; `tell` gets
    the seconds so far. `exactly`: no more speech than that, rather a little less."""
    size, total = round(CONDENSE_BLOCK_SECONDS * SAMPLE_RATE), 0.0
    held = Audio(np.zeros(0, np.float32))
    for block in blocks:
        while len(block):
            left = size - len(held)
            held, block = concatenate([held, Audio(block.samples[:left])]), Audio(block.samples[left:])
            speech = total + condense(held)[0].duration
            tell(min(speech, most))
            if speech >= most:
                yield _shortened(held, most - total) if exactly else held
                return
            if len(held) == size:
                yield held
                held, total = Audio(held.samples[:0]), speech
    if len(held):
        yield held


def _shortened(sound: Audio, most: float) -> Audio:
    """The beginning of `sound`, with `most` seconds of speech or a little less."""
    fits, too_long = 0, len(sound) // ACTIVITY_HOP + 1  # frames
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if condense(Audio(sound.samples[: middle * ACTIVITY_HOP]))[0].duration <= most:
            fits = middle
        else:
            too_long = middle
    return Audio(sound.samples[: fits * ACTIVITY_HOP])


def check_files(sources: Iterable[str]) -> None:
    """Raise `SourceError` for a file that is not there, before any source is read."""
    for source in sources:
        if not source.strip():  # a variable of the shell that is not set
            raise SourceError("a SOURCE is empty: give a file, a link or mic")
        if kind(source) == "file":
            try:
                os.stat(source)
            except OSError as error:
                raise SourceError(f"{source} cannot be read: {reason(error)}") from error


def until(stopped: Callable[[], bool], blocks: Iterable[Audio]) -> Iterator[Audio]:
    """`blocks` until `stopped()` turns true."""
    for block in blocks:
        yield block
        if stopped():
            return


def until_it_fails(blocks: Iterable[Audio], failed: list[Exception]) -> Iterator[Audio]:
    """`blocks` until the microphone fails, which then is in `failed`: what was heard before is not lost with it."""
    try:
        yield from blocks
    except MicrophoneError as error:
        failed.append(error)


def with_silence(blocks: Iterable[Audio], gap: Callable[[], float]) -> Iterator[Audio]:
    """`blocks`, and silence of its length in the place of lost sound; `gap`: s lost before the block given last."""
    for block in blocks:
        left = round(gap() * SAMPLE_RATE)
        while left > 0:  # a computer that slept: hours, a minute at a time
            piece = min(left, round(BLOCK_SECONDS * SAMPLE_RATE))
            yield Audio(np.zeros(piece, np.float32))
            left -= piece
        yield block


def counted(blocks: Iterable[Audio], tell: Callable[[str], None]) -> Iterator[Audio]:
    """`blocks`, while `tell` hears how far they are."""
    done = 0.0
    for block in blocks:
        yield block
        done += block.duration
        tell(f"listened to {clock(done)}")


@contextmanager
def stop_by_interrupt() -> Iterator[Callable[[], bool]]:
    """While open, the first Ctrl-C only makes the function it gives return True; the second interrupts as usual.

    Also for files: an exception raised while libsndfile calls back into Python would be lost, and Ctrl-C with it.
    """
    asked = threading.Event()

    def ask(*_) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None) or threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _listened(microphone, seconds: float | None) -> Iterator[Audio]:
    left = None if seconds is None else round(seconds * SAMPLE_RATE)
    for block in microphone.blocks(LISTEN_SECONDS):
        yield block if left is None else Audio(block.samples[:left])
        left = None if left is None else left - len(block)
        if left is not None and left <= 0:
            return


def _tell_losses(microphone) -> None:
    if microphone.overflows or microphone.dropped_seconds:
        print(
            f"note: sound was lost ({microphone.overflows} overflows, {microphone.dropped_seconds:.1f} s dropped): "
            "this computer was too busy",
            file=sys.stderr,
        )
