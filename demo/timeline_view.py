"""The timeline: three lanes of turns, a colour and label per person, grey Unknown, hatched silence; talk time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from core.heads import NOT_ENOUGH_SPEECH, UNKNOWN, Decision
from core.segments import Segment, clock
from core.timeline import Answer, Timeline, Turn
from demo import texts
from demo.answer_view import colour_of, percent, shown
from demo.palette import ink_on

LANES = ("both", "cnn", "ann")
LAST_TICK = 0.9  # of the width: a later one would not be read to its end on a phone
LABEL_FRACTION = 0.06  # of the width: a narrower turn has its name in the tooltip only
TICK_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)  # s
MAX_TICKS = 8
WIDTH_SECONDS = 900.0  # s of a long recording that fit into the width; the rest is scrolled to


def lanes(
    answers: Sequence[Answer],
    colours: Mapping[str, str],
    *,
    start: float,
    end: float,
    gaps: Sequence[Segment] = (),
    now: tuple[Answer, Segment] | None = None,
    playable: bool = False,
) -> str:
    """`answers` drawn between `start` and `end` seconds.

    `gaps`: where sound was lost. `now`: an answer that may still change, and the span it stands for. `playable`: turns
    are buttons that carry their span, see `player.js`.
    """
    scale = _Scale(start, max(end - start, 1e-6), max((end - start) / WIDTH_SECONDS, 1.0) if playable else 1.0)
    timeline = Timeline("", "", tuple(answers))
    rows = ""
    for lane in LANES:
        turns = "".join(_turn(turn, colours, scale, lane if playable else "") for turn in timeline.turns(lane))
        turns += "".join(_gap(gap, scale) for gap in gaps)
        if now is not None:
            decision, span = now[0].of(lane), now[1]
            turns += _turn(Turn(span, decision.name, decision.probability), colours, scale, "", " is-open")
        rows += (
            f'<div class="lane"><span class="lane-title">{texts.ANSWER_TITLES[lane]}</span>'
            f'<div class="lane-track">{turns}</div></div>'
        )
    shown = [*answers, now[0]] if now else answers
    chips = legend(shown, colours, lost=bool(gaps))
    lanes = (
        f'<div class="lanes">{rows}'
        f'<div class="lane lane-axis"><span class="lane-title"></span><div class="lane-ticks">{_ticks(scale)}</div>'
        f"</div></div>"
    )
    if scale.zoom > 1:
        whole = "".join(_turn(turn, colours, scale, "", label=False) for turn in timeline.turns(LANES[0]))
        lanes = f'<div class="lane-whole" aria-hidden="true">{whole}</div><div class="lanes-scroll">{lanes}</div>'
    place = f"--start:{start:.2f};--length:{scale.length:.2f};--zoom:{scale.zoom:.2f}"
    return f'<div class="lanes-frame" style="{place}">{lanes}{chips}</div>'


@dataclass(frozen=True)
class _Scale:
    """Seconds to per cent of the width, which is `zoom` times what is seen at once."""

    start: float
    length: float
    zoom: float = 1.0

    def place(self, span: Segment) -> tuple[float, float]:
        """Left edge and width as fractions, cut to what is shown."""
        left = max((span.start - self.start) / self.length, 0.0)
        return left, max(min((span.end - self.start) / self.length, 1.0) - left, 0.0)


def _ticks(scale: _Scale) -> str:
    most = MAX_TICKS * scale.zoom
    step = next((step for step in TICK_STEPS if scale.length / step <= most), TICK_STEPS[-1])
    first, last = int(-(-scale.start // step)), int((scale.start + scale.length * LAST_TICK) // step)
    return "".join(
        f'<span style="left:{(index * step - scale.start) / scale.length:.3%}">{clock(index * step)}</span>'
        for index in range(first, last + 1)
    )


def _turn(
    turn: Turn, colours: Mapping[str, str], scale: _Scale, lane: str, more: str = "", *, label: bool = True
) -> str:
    """`lane`: where it can be played, else ''. `more`: further classes. `label`: with the name, where it fits."""
    left, width = scale.place(turn.segment)
    silent = turn.name == NOT_ENOUGH_SPEECH
    name = texts.NOT_ENOUGH if silent else turn.name
    kind = "silent" if silent else "unknown" if turn.name == UNKNOWN else "person"
    colour = colour_of(turn.name, colours)
    chance = "" if silent else f", {percent(turn.probability)}"
    said = escape(name) if label and not silent and width * scale.zoom >= LABEL_FRACTION else ""
    what = f"{turn.segment} {escape(name, quote=True)}{chance}"
    tag, about = ("button", _span(turn, lane)) if lane else ("div", "")
    return (
        f'<{tag} class="turn is-{kind}{more}" style="left:{left:.3%};width:{width:.3%};--who:{colour};'
        f'--ink:{ink_on(colour)}" title="{what}"{about}>{said}</{tag}>'
    )


def _span(turn: Turn, lane: str) -> str:
    """What `player.js` needs to know; only the first lane is walked through with the Tab key."""
    stop = "" if lane == LANES[0] else ' tabindex="-1"'
    return (
        f' type="button"{stop} data-lane="{lane}" data-name="{escape(turn.name, quote=True)}" '
        f'data-start="{turn.segment.start:.2f}" data-end="{turn.segment.end:.2f}"'
    )


def _gap(gap: Segment, scale: _Scale) -> str:
    left, width = scale.place(gap)
    return f'<div class="turn is-lost" style="left:{left:.3%};width:{width:.3%}" title="{gap} {texts.GAP}"></div>'


def legend(answers: Sequence[Answer], colours: Mapping[str, str], *, lost: bool = False) -> str:
    """One chip for everybody who was named, for Unknown, for silence, and for lost sound, where they occur."""
    names = {answer.of(lane).name for answer in answers for lane in LANES}
    chips = [chip(name, colours) for name in colours if name in names]
    chips += [chip(name, colours) for name in sorted(names - set(colours) - {UNKNOWN, NOT_ENOUGH_SPEECH})]
    chips += [chip(UNKNOWN, colours)] if UNKNOWN in names else []
    if NOT_ENOUGH_SPEECH in names:
        chips.append(f'<span class="chip"><i class="dot is-silent"></i>{texts.NOT_ENOUGH}</span>')
    if lost:
        chips.append(f'<span class="chip"><i class="dot is-lost"></i>{texts.GAP}</span>')
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
        f'<tr><th><button type="button" class="hear" data-start="{one.segment.start:.2f}">{one.segment}</button></th>'
        + "".join(_cell(one, lane, colours) for lane in LANES)
        + "</tr>"
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
