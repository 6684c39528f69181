"""The live screen as HTML: state and meters, the answer, one line of advice, the timeline, the picture, talk time."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from core.errors import UnknownSpeaker
from core.microphone_match import differences
from core.recognizer import Recognizer
from core.segments import clock
from core.timeline import Answer
from demo import answer_view, texts, timeline_view
from demo.live_ear import SESSION_SECONDS, Moment

WINDOW_SECONDS = 60.0  # s of the timeline shown while listening; afterwards all of it
QUIET_SECONDS = 8.0  # s without any speech after which it is asked whether the microphone is the right one
MATCHED_SEGMENTS = 6  # latest segments compared with an enrolment


def view(moment: Moment, names: Mapping[str, str], *, warning: str = "") -> str:
    """The live screen. `names`: name -> colour. `warning`: about the microphone, see `microphone_warning`."""
    return (
        f'<div class="live" data-at="{moment.at:.2f}">{_state(moment)}'
        f"{answer_view.answer(moment.current, names)}"
        f'<p class="advice" role="status">{escape(advice(moment, warning))}</p>'
        f"{_timeline(moment, names)}{answer_view.picture(moment.image)}"
        f"{timeline_view.talk_time(moment.closed, names)}</div>"
    )


def _state(moment: Moment) -> str:
    state = texts.OPENING if moment.opening else texts.LISTENING if moment.listening else texts.STOPPED
    kind = "is-opening" if moment.opening else "is-on" if moment.listening else "is-off"
    kind += " is-full" if moment.full and moment.listening else ""  # `live.js` stops the microphone
    facts = [clock(moment.at)] if moment.at else []
    facts += [losses(moment)] if moment.at else []
    shown = "".join(f"<span>{fact}</span>" for fact in facts)
    speech, of = (moment.current.quality.speech, moment.current.segment.duration) if moment.current else (0.0, 0.0)
    return (
        f'<div class="live-state {kind}"><span class="live-dot"></span>'
        f'<b>{state}</b>{shown}<div class="meters">{answer_view.speech_meter(speech, of)}'
        f"{answer_view.meter(moment.level if moment.listening else None)}</div></div>"
    )


def losses(moment: Moment) -> str:
    """What was lost of the sound, in words."""
    found = []
    if moment.lost:
        found.append(texts.LOST.format(seconds=moment.lost, count=texts.counted(len(moment.gaps), "gap")))
    if moment.overflows:
        found.append(texts.counted(moment.overflows, "input overflow"))
    return ", ".join([*(found or [texts.NOTHING_LOST]), *disk_full(moment)])


def disk_full(moment: Moment) -> list[str]:
    """Where the kept sound ends early; [] where it does not."""
    return [] if moment.kept_until is None else [texts.DISK_FULL.format(clock=clock(moment.kept_until))]


def session_full(moment: Moment) -> list[str]:
    """That the session has lasted as long as it can; [] where it has not."""
    return [texts.SESSION_FULL.format(hours=SESSION_SECONDS / 3600)] if moment.full else []


def advice(moment: Moment, warning: str) -> str:
    """One sentence about what could be better now; '' where all is well."""
    current = moment.current
    if full := session_full(moment):
        return full[0]
    if current is None or not moment.listening:
        return ""
    if warning:
        return _sentence(warning)
    if current.quality.enough:
        problems = current.quality.problems()
        return _sentence(problems[0]) if problems else ""
    silent = [one for one in moment.closed if one.segment.end > moment.at - QUIET_SECONDS]
    if moment.at >= QUIET_SECONDS and not any(one.quality.enough for one in silent):
        return texts.NOTHING_HEARD
    return ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def microphone_warning(recognizer: Recognizer, moment: Moment) -> str:
    """How this microphone differs from the one that whoever seems to speak enrolled with; '' where it does not."""
    if moment.current is None:
        return ""
    name = _candidate(moment.current)
    heard = [one for one in moment.closed[-MATCHED_SEGMENTS:] if _candidate(one) == name]
    if not name or not heard:
        return ""
    now = [one.quality for one in (*heard, moment.current)]
    try:
        sessions = [one for one in recognizer.store.sessions(name) if one.model_id == recognizer.model_id]
    except UnknownSpeaker:  # deleted since
        return ""
    best = min((differences(one.qualities, now) for one in sessions), key=len, default=[])
    return texts.OTHER_MICROPHONE.format(name=name, difference=best[0]) if best else ""


def _candidate(answer: Answer) -> str:
    """Who speaks, or would be the likeliest of the people enrolled."""
    decision = answer.both
    return decision.name if decision.is_person else decision.runner_up


def _timeline(moment: Moment, names: Mapping[str, str]) -> str:
    at, answers = moment.at, moment.closed
    end = max(WINDOW_SECONDS, at)
    start = end - WINDOW_SECONDS if moment.listening else 0.0
    first = next((index for index, one in enumerate(answers) if one.segment.end > start), len(answers))
    gaps = [gap for gap in moment.gaps if gap.end > start]
    empty = "" if answers or moment.listening else f' <span class="quiet">{texts.TIMELINE_EMPTY}</span>'
    now = (moment.current, moment.open) if moment.current and moment.open else None
    lanes = timeline_view.lanes(answers[first:], names, start=start, end=end, gaps=gaps, now=now)
    return f'<section class="timeline"><h3>{texts.TIMELINE}{empty}</h3>{lanes}</section>'
