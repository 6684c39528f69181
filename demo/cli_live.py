"""`live`: the microphone judged every second in the terminal, closed 5 s segments listed, a summary at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from core.audio import SEGMENT_SAMPLES, SEGMENT_SECONDS, Audio, concatenate
from core.heads import ANSWERS, NOT_ENOUGH_SPEECH
from core.recognizer import Recognizer
from core.segments import MIN_REST_SECONDS, clock
from core.timeline import Answer, Timeline
from demo.cli_source import MIC, opened, stop_by_interrupt, until
from demo.cli_text import LABELS, AnswerLines, padded, talk_time, width

BLOCKS_A_SECOND = 2  # the microphone gives 0.5 s at a time
BAR = 20  # characters of a full bar
STYLES = {True: "bold green", False: "yellow"}  # somebody enrolled was named, or not


def live(
    recognizer: Recognizer,
    *,
    device: str | None = None,
    seconds: float | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Timeline:
    """Listen until Ctrl-C, or for `seconds`; prints as it goes. Returns what was closed. Raises `MicrophoneError`.

    `begun` is called when the microphone is open.
    """
    closed: list[Answer] = []
    line = AnswerLines(recognizer.heads().names)
    with opened(MIC, end=seconds, device=device) as sound, stop_by_interrupt() as stopped:
        begun()
        with screen() as show:
            for answer, last in judged(recognizer, until(stopped, sound.blocks)):
                if last:
                    closed.append(answer)
                    show(answer, line(answer))
                else:
                    show(answer, None)
        if not closed:
            raise KeyboardInterrupt  # stopped before anything was heard
        timeline = Timeline(MIC, recognizer.model_id, tuple(closed))
        print("\n".join(talk_time(timeline)), flush=True)
    return timeline


def judged(recognizer: Recognizer, blocks: Iterator[Audio]) -> Iterator[tuple[Answer, bool]]:
    """Once a second the answer to the last 5 s, and whether it closes a segment.

    A rest of 2.5 s becomes a segment too, and so does whatever there is of a first one.
    """
    blocks, recent, heard, open_seconds = iter(blocks), Audio(()), 0.0, 0.0
    while second := list(islice(blocks, BLOCKS_A_SECOND)):
        new = concatenate(second)
        heard, open_seconds = heard + new.duration, open_seconds + new.duration
        recent = Audio(concatenate([recent, new]).samples[-SEGMENT_SAMPLES:])
        full = open_seconds >= SEGMENT_SECONDS - 1e-6
        yield recognizer.judge(recent, at=heard - recent.duration), full
        if full:
            open_seconds = 0.0
    if open_seconds >= MIN_REST_SECONDS or 0 < heard == open_seconds:
        rest = recent.between(recent.duration - open_seconds, recent.duration)
        yield recognizer.judge(rest, at=heard - open_seconds), True


@contextmanager
def screen() -> Iterator[Callable[[Answer, str | None], None]]:
    """A function for (newest answer, line of a closed segment or None): on a terminal a picture that stays below the
    lines, elsewhere the lines alone."""
    if not sys.stdout.isatty():
        yield lambda answer, closed: closed is not None and print(closed, flush=True)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(Text("listening ... Ctrl-C ends"), console=console, auto_refresh=False, transient=True) as display:

        def show(answer: Answer, closed: str | None) -> None:
            if closed is not None:
                console.print(Text(closed), soft_wrap=True)
            display.update(picture(answer), refresh=True)

        yield show


def picture(answer: Answer):
    """The newest answer as three rows with bars (a `rich.text.Text`: names are never taken for markup)."""
    from rich.text import Text

    text = Text(f"\n{clock(answer.segment.end)}  listening, Ctrl-C ends   ", style="dim")
    if answer.both.name == NOT_ENOUGH_SPEECH:
        text.append(f"{NOT_ENOUGH_SPEECH} ({answer.quality.speech:.1f} s of the last {SEGMENT_SECONDS:.0f} s)\n\n\n")
        return text
    text.append(f"{answer.quality.speech:.1f} s of speech in the last {answer.segment.duration:.0f} s\n")
    column = max(width(answer.of(one).name) for one in ANSWERS)
    for one in ANSWERS:
        decision = answer.of(one)
        full = round(decision.probability * BAR)
        text.append(f"{LABELS[one]:<4}  ", style="not dim")
        text.append(padded(decision.name, column), style=f"not dim {STYLES[decision.is_person]}")
        text.append(f"  {'━' * full}", style=f"not dim {STYLES[decision.is_person]}")
        text.append("━" * (BAR - full) + f" {decision.probability:.2f}")
        if decision.runner_up:
            text.append(f"  next: {decision.runner_up} {decision.runner_up_probability:.2f}")
        text.append("\n" if one != ANSWERS[-1] else "")
    return text
