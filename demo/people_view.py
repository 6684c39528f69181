"""The people enrolled, and how good a recording to enrol with is, as HTML."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape

from core.enrolment import ENROL_SECONDS, MIN_ENROL_SECONDS
from core.segments import Quality
from core.speakers import Profile
from demo import people_texts, texts
from demo.timeline_view import chip

LIGHTS = 6  # segments of 5 s that make an enrolment
MAX_ROWS = 200  # of the list: a crowd is found by name


def people(profiles: Sequence[Profile], colours: Mapping[str, str], outdated: Collection[str]) -> str:
    """The list with segments, sessions and date, each name a button (see `people.js`); `outdated`: names whose profiles
    other weights made."""
    if not profiles:
        return f'<div class="people-empty">{texts.EMPTY_TITLE}.</div>'
    head = "".join(f"<th>{column}</th>" for column in texts.COLUMNS)
    rows = "".join(
        f'<tr data-name="{escape(one.name, quote=True)}"><td><button type="button" class="person-open">'
        f"{chip(one.name, colours)}</button>{_flag(one, outdated)}</td><td>{one.segments}</td><td>{one.sessions}</td>"
        f"<td>{escape(one.created_at[:10])}</td></tr>"
        for one in profiles[:MAX_ROWS]
    )
    more = len(profiles) > MAX_ROWS
    hint = people_texts.MORE_PEOPLE.format(shown=MAX_ROWS, count=len(profiles)) if more else people_texts.PEOPLE_HINT
    return (
        f'<div class="people"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="quiet">{hint}</p>'
    )


def _flag(profile: Profile, outdated: Collection[str]) -> str:
    return f'<small class="flag">{texts.OUTDATED}</small>' if profile.name in outdated else ""


def gathered(speech: float, qualities: Sequence[Quality]) -> str:
    """Seconds of `speech` toward 30, one light per whole segment, and each trouble once with what to do."""
    if speech >= ENROL_SECONDS:
        text = texts.SPEECH_ENOUGH.format(speech=speech)
    else:
        text = (texts.SPEECH_JUST if speech >= MIN_ENROL_SECONDS else texts.SPEECH_SO_FAR).format(speech=speech)
    lights = "".join(light(number, qualities) for number in range(1, max(LIGHTS, len(qualities)) + 1))
    problems = dict.fromkeys(_sentence(problem) for one in qualities for problem in one.problems())
    warnings = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return (
        f'<div class="gathered"><div class="progress-text"><span>{text}</span></div><div class="progress-track"><i '
        f'class="sure" style="width:{min(speech / ENROL_SECONDS, 1.0):.1%}"></i></div>'
        f'<div class="lights">{lights}</div>' + (f"<ul>{warnings}</ul>" if warnings else "") + "</div>"
    )


def light(number: int, qualities: Sequence[Quality]) -> str:
    """The light of one segment, counted from 1: empty while it is not there, good, or with what is wrong."""
    title = texts.SEGMENT.format(number=number)
    if number > len(qualities):
        return f'<span class="light" title="{title}: {texts.NOT_YET}">{number}</span>'
    problems = qualities[number - 1].problems()
    state, mark = ("warn", "!") if problems else ("good", "&#10003;")
    says = escape("; ".join(problems) or texts.QUALITY_GOOD, quote=True)
    return f'<span class="light is-{state}" title="{title}: {says}">{mark}</span>'


def _sentence(problem: str) -> str:
    return problem[0].upper() + problem[1:] + "."
