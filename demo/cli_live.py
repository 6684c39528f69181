"""`live`: the microphone judged every second in the terminal, closed 5 s segments listed, a summary at the end."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from core.audio import Audio
from core.errors import StoreError, reason
from core.recognizer import Recognizer
from core.timeline import FORMATS, Answer, Timeline
from demo.cli_live_view import picture
from demo.cli_source import MIC, opened, stop_by_interrupt, until, until_it_fails
from demo.cli_text import AnswerLines, note, talk_time
from demo.live_ear import LiveEar, Moment
from demo.live_view import disk_full, session_full

BLOCKS_A_SECOND = 2  # the microphone gives 0.5 s at a time
SOUND_FORMAT = "wav"  # what --save takes besides the timelines


def live(
    recognizer: Recognizer,
    *,
    device: str | None = None,
    seconds: float | None = None,
    begun: Callable[[], None] = lambda: None,
    save: tuple[str, ...] = (),
) -> Timeline:
    """Listen until Ctrl-C, or for `seconds`; prints as it goes. Returns what was closed.

    `begun` is called when the microphone is open. `save`: files to write at the end, .json, .csv, .rttm for the
    timeline, .wav for the sound, which else is not kept. Raises `MicrophoneError` and `StoreError`, also at the end:
    what was heard until a microphone failed is printed and saved, and each file that can be written is.
    """
    targets = [_target(path) for path in save]
    line, ear = AnswerLines(recognizer.heads().names), LiveEar()
    sound_at = next((path for path in targets if path.suffix.lower() == f".{SOUND_FORMAT}"), None)
    try:
        ear.begin(keep_in=sound_at.parent if sound_at else None)
    except (OSError, RuntimeError) as error:  # soundfile's own
        raise StoreError(f"{sound_at} cannot be saved ({reason(error)}): choose another place") from error
    failed: list[Exception] = []
    try:
        with opened(MIC, end=seconds, device=device) as sound, stop_by_interrupt() as stopped:
            begun()
            blocks = until(stopped, until_it_fails(sound.blocks, failed))
            with screen(recognizer) as show:
                for moment, closed in judged(recognizer, blocks, ear=ear, gap=sound.gap):
                    show(moment, [line(answer) for answer in closed])
        if not ear.moment.closed:
            raise failed[0] if failed else KeyboardInterrupt  # stopped before anything was heard
        timeline = Timeline(MIC, recognizer.model_id, ear.moment.closed)
        print("\n".join(talk_time(timeline)), flush=True)
        for text in (*session_full(ear.moment), *disk_full(ear.moment)):
            note(text)
        for path in targets:
            try:
                _write(path, timeline, ear)
                print(f"saved {path}", file=sys.stderr)
            except StoreError as error:
                failed.append(error)
    finally:
        ear.leave()  # also deletes sound that was not asked for any more
    for error in failed[:-1]:
        print(f"error: {error}", file=sys.stderr)
    if failed:
        raise failed[-1]
    return timeline


def judged(
    recognizer: Recognizer,
    blocks: Iterator[Audio],
    *,
    ear: LiveEar | None = None,
    gap: Callable[[], float] = lambda: 0.0,
) -> Iterator[tuple[Moment, list[Answer]]]:
    """Once a second what there is to show, and the segments closed since. `gap`: s lost before the block given
    last. Ends with the blocks, or when the session is full."""
    ear, blocks, closed = ear or LiveEar(), iter(blocks), 0
    listening = True
    while listening:
        heard = 0
        for block in islice(blocks, BLOCKS_A_SECOND):
            ear.hear(block.samples, block.rate, missing=gap())
            heard += 1
        listening = heard > 0 and not ear.full
        moment = ear.look(recognizer) if listening else ear.end(recognizer)
        fresh = list(moment.closed[closed:])
        closed = len(moment.closed)
        if listening or fresh:
            yield moment, fresh


@contextmanager
def screen(recognizer: Recognizer) -> Iterator[Callable[[Moment, list[str]], None]]:
    """A function for (moment, lines of closed segments): on a terminal a picture that stays below the lines, elsewhere
    the lines alone."""
    if not sys.stdout.isatty():
        yield lambda moment, closed: [print(line, flush=True) for line in closed] and None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    names = recognizer.heads().names
    with Live(Text("listening ... Ctrl-C ends"), console=console, auto_refresh=False, transient=True) as display:

        def show(moment: Moment, closed: list[str]) -> None:
            for line in closed:
                console.print(Text(line), soft_wrap=True)
            display.update(picture(moment, names), refresh=True)

        yield show


def _target(path: str) -> Path:
    """A file that can be written, said before anybody speaks; else `StoreError`."""
    target = Path(path)
    forms = (*FORMATS, SOUND_FORMAT)
    if target.suffix.lower().lstrip(".") not in forms:
        raise StoreError(f"{path} cannot be saved: its name must end in .{', .'.join(forms)}")
    try:
        if target.is_dir() or not target.resolve().parent.is_dir():
            raise StoreError(f"{path} cannot be saved: there is no such folder, or it is a folder itself")
        fresh = not target.exists()
        if not fresh and not target.is_file():  # a pipe would wait for its reader
            raise StoreError(f"{path} cannot be saved: it is a pipe or a device, choose the name of a file")
        for one in (target, _partial(target)):
            with one.open("ab"):
                pass
            if fresh or one is not target:
                one.resolve().unlink()  # until there is something to write
    except (OSError, RuntimeError, ValueError) as error:  # a link that leads to itself; a name that no file can have
        raise StoreError(f"{path} cannot be saved ({reason(error)}): choose another place") from error
    return target


def _partial(target: Path) -> Path:
    """What is written takes its name when it is whole; a full disk leaves what was there."""
    return target.resolve().with_name(f".{os.getpid()}.partial")


def _write(path: Path, timeline: Timeline, ear: LiveEar) -> None:
    form, partial = path.suffix.lower().lstrip("."), _partial(path)
    try:
        try:
            if form == SOUND_FORMAT:
                _copy(ear.kept.path, partial)  # there may be several; the kept one goes at the end
            else:
                partial.write_text(timeline.export(form), encoding="utf-8")
            partial.replace(path.resolve())
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"{path} could not be written ({error.strerror}): choose another place") from error


def _copy(sound: Path, target: Path) -> None:
    try:
        shutil.copyfile(sound, target)
    except OSError:  # a disk that is full of it
        target.unlink(missing_ok=True)
        os.link(sound, target)
