"""The people enrolled, and how good a recording to enrol with is, as HTML."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from html import escape
from urllib.parse import quote

from core.enrolment import ENROL_SECONDS, MIN_ENROL_SECONDS
from core.segments import Quality
from core.speakers import Profile
from demo import people_texts, texts
from demo.local_time import day
from demo.take import Part
from demo.timeline_view import chip

LIGHTS = 6  # segments of 5 s that make an enrolment
MAX_ROWS = 200  # of the list: a crowd is found by name


def people(profiles: Sequence[Profile], colours: Mapping[str, str], outdated: Collection[str]) -> str:
    """The list with segments, sessions and date, each name a button (see `people.js`); `outdated`: names whose profiles
    other weights made."""
    if not profiles:
        return f'<div class="people-empty">{texts.EMPTY_TITLE}.</div>'
    rows = "".join(
        f'<tr data-name="{escape(one.name, quote=True)}"><td><button type="button" class="person-open">'
        f"{chip(one.name, colours)}</button>{_flag(one, outdated)}</td><td>{one.segments}</td><td>{one.sessions}</td>"
        f"<td>{escape(day(one.created_at))}</td></tr>"
        for one in profiles[:MAX_ROWS]
    )
    more = len(profiles) > MAX_ROWS
    hint = people_texts.MORE_PEOPLE.format(shown=MAX_ROWS, count=len(profiles)) if more else people_texts.PEOPLE_HINT
    return f'{table(texts.COLUMNS, rows)}<p class="quiet">{hint}</p>'


def table(columns: Sequence[str], rows: str, kind: str = "") -> str:
    """A table in the style of the list. `rows`: HTML. `kind`: a further class."""
    head = "".join(f"<th>{column}</th>" for column in columns)
    return f'<div class="people {kind}"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _flag(profile: Profile, outdated: Collection[str]) -> str:
    return f'<small class="flag">{texts.OUTDATED}</small>' if profile.name in outdated else ""


def gathered(speech: float, qualities: Sequence[Quality]) -> str:
    """Seconds of good `speech` toward 30, one light per whole segment (those that are too bad come on top of the six
    that are wanted), and each trouble once with what to do."""
    if speech >= ENROL_SECONDS:
        text = texts.SPEECH_ENOUGH.format(speech=speech)
    else:
        text = (texts.SPEECH_JUST if speech >= MIN_ENROL_SECONDS else texts.SPEECH_SO_FAR).format(speech=speech)
    wanted = max(LIGHTS + sum(one.poor for one in qualities), len(qualities))
    lights = "".join(light(number, qualities) for number in range(1, wanted + 1))
    warnings = "".join(f"<li>{escape(line)}</li>" for line in _troubles(qualities))
    return (
        f'<div class="gathered"><div class="progress-text"><span>{text}</span></div><div class="progress-track"><i '
        f'class="sure" style="width:{min(speech / ENROL_SECONDS, 1.0):.1%}"></i></div>'
        f'<div class="lights">{lights}</div>' + (f"<ul>{warnings}</ul>" if warnings else "") + "</div>"
    )


def _troubles(qualities: Sequence[Quality]) -> list[str]:
    """Each trouble once, with what to do, and the segments that have it where not all have it."""
    found: dict[str, tuple[str, list[int]]] = {}
    for number, one in enumerate(qualities, 1):
        for problem in one.problems():
            found.setdefault(problem.partition(": ")[2], (problem, []))[1].append(number)
    return [
        f"{problem[0].upper()}{problem[1:]}"
        + ("." if len(numbers) == len(qualities) else f" ({texts.in_segments(numbers)}).")
        for problem, numbers in found.values()
    ]


def light(number: int, qualities: Sequence[Quality]) -> str:
    """The light of one segment, counted from 1: empty while it is not there, good, usable with what is wrong, or too
    bad to learn from."""
    title = texts.SEGMENT.format(number=number)
    if number > len(qualities):
        return f'<span class="light" title="{title}: {texts.NOT_YET}">{number}</span>'
    one, problems = qualities[number - 1], qualities[number - 1].problems()
    state, mark = ("bad", "&#10007;") if one.poor else ("warn", "!") if problems else ("good", "&#10003;")
    says = "; ".join([*([texts.QUALITY_POOR] if one.poor else []), *problems]) or texts.QUALITY_GOOD
    says = escape(says, quote=True)
    return f'<span class="light is-{state}" title="{title}: {says}">{mark}</span>'


def takes(parts: Sequence[Part]) -> str:
    """What was recorded until now, one row for each take, to be heard again where it can be."""
    rows = "".join(
        f"<li><span>{texts.TAKE.format(number=number, speech=part.speech)}</span>{_player(part)}</li>"
        for number, part in enumerate(parts, 1)
    )
    return f'<ol class="takes">{rows}</ol>' if parts else ""


def _player(part: Part) -> str:
    if not part.path:
        return ""
    source = escape(f"/gradio_api/file={quote(os.fsencode(part.path))}", quote=True)
    return f'<audio controls preload="metadata" src="{source}" aria-label="{texts.PLAYER}"></audio>'
