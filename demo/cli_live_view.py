"""The live picture of a terminal: level and speech, three answers with bars, three lanes of the last minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.audio import SEGMENT_SECONDS
from core.heads import ANSWERS, NOT_ENOUGH_SPEECH
from core.segments import clock
from demo.answer_view import METER_FLOOR_DBFS
from demo.cli_text import LABELS, padded, width
from demo.live_ear import Moment
from demo.live_view import losses
from demo.palette import UNKNOWN_COLOUR, colours

if TYPE_CHECKING:
    from rich.text import Text

BAR = 20  # characters of a full bar
SMALL_BAR = 10
STYLES = {True: "bold green", False: "yellow"}  # somebody enrolled was named, or not
LANE_SEGMENTS = 12  # segments in a lane: a minute
CELLS = 5  # characters of a segment
SILENCE, LOST = "╌", "╳"


def picture(moment: Moment, names: Sequence[str]) -> Text:
    """The newest moment (a `rich.text.Text`: names are never taken for markup)."""
    from rich.text import Text

    text, answer = Text("\n", style="dim"), moment.current
    if answer is None:
        return Text("listening ... Ctrl-C ends")
    text.append(f"{clock(moment.at)}  listening, Ctrl-C ends   {losses(moment)}\n")
    level = 0.0 if moment.level is None else min(max(1.0 - moment.level / METER_FLOOR_DBFS, 0.0), 1.0)
    text.append("level  ").append(_bar(level), style="not dim").append(f" {max(moment.level or -99, -99):4.0f} dBFS   ")
    speech = answer.quality.speech
    text.append("speech  ").append(_bar(speech / SEGMENT_SECONDS), style="not dim")
    text.append(f" {speech:.1f} s of speech in the last {answer.segment.duration:.0f} s\n")
    column = max(width(answer.of(one).name) for one in ANSWERS)
    for one in ANSWERS:
        decision = answer.of(one)
        text.append(f"{LABELS[one]:<4}  ", style="not dim")
        if decision.name == NOT_ENOUGH_SPEECH:
            text.append(f"{NOT_ENOUGH_SPEECH}\n")
            continue
        full = round(decision.probability * BAR)
        text.append(padded(decision.name, column), style=f"not dim {STYLES[decision.is_person]}")
        text.append(f"  {'━' * full}", style=f"not dim {STYLES[decision.is_person]}")
        text.append("━" * (BAR - full) + f" {decision.probability:.2f}")
        if decision.runner_up:
            text.append(f"  next: {decision.runner_up} {decision.runner_up_probability:.2f}")
        text.append("\n")
    return _lanes(text, moment, colours(names))


def _bar(fraction: float) -> str:
    full = round(min(max(fraction, 0.0), 1.0) * SMALL_BAR)
    return "━" * full + "╺" * (SMALL_BAR - full)


def _lanes(text: Text, moment: Moment, colour: Mapping[str, str]) -> Text:
    """Each segment five characters in the colour of its name, with as much of the name as fits."""
    if not moment.closed:
        return text
    for one in ANSWERS:
        text.append(f"\n{LABELS[one]:<4}  ", style="not dim")
        last = None
        for answer in moment.closed[-LANE_SEGMENTS:]:
            if last is not None and answer.segment.start - last > 0.5:
                text.append(LOST, style="not dim red")
            last, name = answer.segment.end, answer.of(one).name
            if name == NOT_ENOUGH_SPEECH:
                text.append(SILENCE * CELLS)
                continue
            shown = next((name[:size] for size in range(CELLS, 0, -1) if width(name[:size]) <= CELLS), "")
            text.append(padded(shown, CELLS), style=f"not dim black on {colour.get(name, UNKNOWN_COLOUR)}")
    return text
