"""The timeline: three lanes of turns, a colour and label per person, grey Unknown, hatched silence; talk time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from core.heads import NOT_ENOUGH_SPEECH, UNKNOWN, Decision
from core.segments import clock
from core.timeline import Answer, Timeline, Turn
from demo import texts
from demo.answer_view import colour_of, percent, shown
from demo.palette import ink_on

LANES = ("both", "cnn", "ann")
LABEL_FRACTION = 0.06  # of the width: a narrower turn has its name in the tooltip only
TICK_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)  # s
MAX_TICKS = 8


def lanes(answers: Sequence[Answer], colours: Mapping[str, str], *, start: float, end: float) -> str:
    """`answers` drawn between `start` and `end` seconds."""
    length = max(end - start, 1e-6)
    timeline = Timeline("", "", tuple(answers))
    rows = "".join(
        f'<div class="lane"><span class="lane-title">{texts.ANSWER_TITLES[lane]}</span><div class="lane-track">'
        + "".join(_turn(turn, colours, start, length) for turn in timeline.turns(lane))
        + "</div></div>"
        for lane in LANES
    )
    step = next((step for step in TICK_STEPS if length / step <= MAX_TICKS), TICK_STEPS[-1])
    first = int(-(-start // step))
    ticks = "".join(
        f'<span style="left:{(index * step - start) / length:.3%}">{clock(index * step)}</span>'
        for index in range(first, int((start + length * 0.97) // step) + 1)
    )
    return f'<div class="lanes">{rows}<div class="lane lane-axis"><span class="lane-title"></span>' + (
        f'<div class="lane-ticks">{ticks}</div></div>{legend(answers, colours)}</div>'
    )


def _turn(turn: Turn, colours: Mapping[str, str], start: float, length: float) -> str:
    left = max((turn.segment.start - start) / length, 0.0)
    width = min((turn.segment.end - start) / length, 1.0) - left
    silent = turn.name == NOT_ENOUGH_SPEECH
    name = texts.NOT_ENOUGH if silent else turn.name
    kind = "silent" if silent else "unknown" if turn.name == UNKNOWN else "person"
    colour = colour_of(turn.name, colours)
    chance = "" if silent else f", {percent(turn.probability)}"
    label = "" if silent or width < LABEL_FRACTION else escape(name)
    return (
        f'<div class="turn is-{kind}" style="left:{left:.3%};width:{width:.3%};--who:{colour};--ink:{ink_on(colour)}" '
        f'title="{turn.segment} {escape(name, quote=True)}{chance}">{label}</div>'
    )


def legend(answers: Sequence[Answer], colours: Mapping[str, str]) -> str:
    """One chip for everybody who was named, for Unknown, and for silence, where they occur."""
    names = {answer.of(lane).name for answer in answers for lane in LANES}
    chips = [chip(name, colours) for name in colours if name in names]
    chips += [chip(name, colours) for name in sorted(names - set(colours) - {UNKNOWN, NOT_ENOUGH_SPEECH})]
    chips += [chip(UNKNOWN, colours)] if UNKNOWN in names else []
    if NOT_ENOUGH_SPEECH in names:
        chips.append(f'<span class="chip"><i class="dot is-silent"></i>{texts.NOT_ENOUGH}</span>')
    return f'<div class="legend">{"".join(chips)}</div>'


def chip(name: str, colours: Mapping[str, str]) -> str:
    """A dot in the person's colour, and the name."""
    return f'<span class="chip"><i class="dot" style="--who:{colour_of(name, colours)}"></i>{escape(name)}</span>'


def talk_time(answers: Sequence[Answer], colours: Mapping[str, str]) -> str:
    """Seconds by name, longest first, as bars."""
    total = Timeline("", "", tuple(answers)).talk_time()
    if not total:
        return ""
    whole = sum(total.values())
    rows = "".join(
        f'<div class="talk-row">{chip(name, colours)}<div class="talk-track"><i style="width:{seconds / whole:.1%};'
        f'--who:{colour_of(name, colours)}"></i></div><span class="talk-number">{clock(seconds)}</span></div>'
        for name, seconds in total.items()
    )
    return f'<section class="talk"><h3>{texts.TALK_TIME}</h3>{rows}</section>'


def table(answers: Sequence[Answer], colours: Mapping[str, str]) -> str:
    """One row per segment: time and the three answers, each with its probability and runner-up."""
    head = "".join(f"<th>{texts.ANSWER_TITLES[lane]}</th>" for lane in LANES)
    rows = "".join(
        f"<tr><th>{one.segment}</th>" + "".join(_cell(one, lane, colours) for lane in LANES) + "</tr>"
        for one in answers
    )
    return (
        f'<section class="details"><h3>{texts.DETAILS}</h3><div class="table-scroll"><table><thead><tr><th>Time</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _cell(one: Answer, lane: str, colours: Mapping[str, str]) -> str:
    decision: Decision = one.of(lane)
    if decision.name == NOT_ENOUGH_SPEECH:
        return f'<td class="is-silent"><b>{shown(decision)}</b><small>{one.quality.speech:.1f} s of speech</small></td>'
    following = (
        f"<small>next: {escape(decision.runner_up)} {percent(decision.runner_up_probability)}</small>"
        if decision.runner_up
        else ""
    )
    return (
        f'<td><span class="cell-name"><i class="dot" style="--who:{colour_of(decision.name, colours)}"></i>'
        f"<b>{escape(decision.name)}</b></span> {percent(decision.probability)}{following}</td>"
    )
