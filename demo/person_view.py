"""A person's page as HTML: who, what the check found, and each session with its segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median

from core.coherence import ONE_VOICE, SAME_VOICE
from core.enrolled import Profile, Session
from core.person_check import PersonCheck
from core.self_check import SessionGain
from demo import people_texts as texts
from demo.answer_view import colour_of
from demo.local_time import day
from demo.people_view import light
from demo.texts import counted

LIKENESS_SPAN = 10.0  # likeness at the right end of a scale
CLEARLY_ONE = 2 * ONE_VOICE  # likeness from which nobody doubts that it is one voice
SIMILAR = SAME_VOICE / 2  # likeness from which two people may be mixed up now and then


def page(
    person: Profile,
    sessions: Sequence[Session],
    colours: Mapping[str, str],
    *,
    model_id: str,
    check: PersonCheck | None = None,
    checked: bool = True,
) -> str:
    """`check`: None where it is not done yet (`checked` False) or there is nothing to check."""
    facts = texts.FACTS.format(
        date=day(person.created_at),
        sessions=counted(person.sessions, "session"),
        segments=counted(person.segments, "segment"),
    )
    gains = {gain.session: gain for gain in check.gains} if check else {}
    items = "".join(
        _session(number, one, model_id=model_id, gain=gains.get(one.id)) for number, one in enumerate(sessions, 1)
    )
    consent = escape(texts.CONSENT_LINE.format(date=day(person.consent_at)))
    return (
        f'<section class="person" data-person="{escape(person.name, quote=True)}" '
        f'style="--who:{colour_of(person.name, colours)}">'
        f'<header><h3 tabindex="-1">{escape(person.name)}</h3><p>{escape(facts)}</p><p>{consent}</p></header>'
        f'{_check(check, checked)}<h4>{texts.SESSIONS_TITLE}</h4><ol class="sessions">{items}</ol></section>'
    )


def _check(check: PersonCheck | None, checked: bool) -> str:
    if check is None and checked:
        return f'<p class="person-none">{texts.CHECK_NONE}</p>'
    if check is None:
        tiles = "".join(
            _tile(title, "&ndash;", "&nbsp;", None) for title in (texts.RECOGNISED, texts.OWN, texts.NEAREST)
        )
        return f'<div class="person-checks is-waiting">{tiles}</div>'
    tiles = _recognised(check.recognised, check.segments) + _own(check.own) + _nearest(check.nearest)
    return f'<div class="person-checks">{tiles}</div>'


def _recognised(right: int, segments: int) -> str:
    if not segments:  # one only: it cannot be left out
        return _tile(texts.RECOGNISED, "&ndash;", "&nbsp;", None)
    share, count = right / segments, texts.RECOGNISED_OF.format(count=right, segments=segments)
    return _tile(texts.RECOGNISED, count, texts.RECOGNISED_NOTE, share, warn=share < 0.8)


def _own(value: float) -> str:
    if value == float("inf"):  # one segment only
        return _tile(texts.OWN, "&ndash;", "&nbsp;", None)
    kind = "high" if value >= CLEARLY_ONE else "fair" if value >= ONE_VOICE else "low"
    title = texts.OWN_TITLE.format(value=value, least=ONE_VOICE)
    share, mark = _place(value), _place(ONE_VOICE)
    return _tile(
        texts.OWN, texts.OWN_ANSWERS[kind], texts.OWN_NOTES[kind], share, mark=mark, title=title, warn=kind == "low"
    )


def _nearest(nearest: tuple[str, float] | None) -> str:
    if nearest is None:
        return _tile(texts.NEAREST, texts.NEAREST_NONE, texts.NEAREST_NONE_NOTE, None)
    name, value = nearest
    kind = "same" if value > SAME_VOICE else "near" if value > SIMILAR else "apart"
    title = texts.NEAREST_TITLE.format(name=name, value=value, most=SAME_VOICE)
    share, mark = _place(value), _place(SAME_VOICE)
    note = texts.NEAREST_NOTES[kind]
    return _tile(texts.NEAREST, escape(name), note, share, mark=mark, title=title, warn=kind == "same")


def _place(value: float) -> float:
    return min(max(value / LIKENESS_SPAN, 0.0), 1.0)


def _tile(
    head: str,
    value: str,
    note: str,
    share: float | None,
    *,
    mark: float | None = None,
    title: str = "",
    warn: bool = False,
) -> str:
    """`value`, `note`: HTML. `share`: how far the bar is filled, None: no bar. `mark`: where a limit lies."""
    limit = "" if mark is None else f'<s style="left:{mark:.1%}"></s>'
    bar = "" if share is None else f'<i style="width:{share:.1%}"></i>{limit}'
    return (
        f'<div class="person-tile{" is-warn" if warn else ""}" title="{escape(title, quote=True)}"><span>{head}</span>'
        f'<b>{value}</b><div class="person-bar{" is-none" if share is None else ""}">{bar}</div><small>{note}</small>'
        "</div>"
    )


def _session(number: int, session: Session, *, model_id: str, gain: SessionGain | None) -> str:
    old = session.model_id != model_id
    classes = f"session{' is-old' if old else ''}{' is-renewable' if old and session.audio else ''}"
    flag = (texts.OLD_RENEW if session.audio else texts.OLD_ENROL) if old else ""
    facts = [
        texts.SESSION_CONSENT.format(date=day(session.consent_at)),
        texts.AUDIO_KEPT if session.audio else texts.AUDIO_NOT_KEPT,
        texts.SESSION_MODEL.format(model=session.model_id),
    ]
    lights = "".join(light(place, session.qualities) for place in range(1, len(session.qualities) + 1))
    problems = dict.fromkeys(_capital(problem) for one in session.qualities for problem in one.problems())
    wrong = "".join(f'<p class="person-remark">{escape(problem)}.</p>' for problem in problems)
    remark = f'<p class="person-remark">{escape(_capital(session.remark))}.</p>' if session.remark else ""
    return (
        f'<li class="{classes}"><header><b>{texts.SESSION.format(number=number)}</b>'
        f"<span>{escape(day(session.created_at))}, {escape(session.source)}</span></header>"
        + (f'<p class="person-flag">{escape(_capital(flag))}.</p>' if flag else "")
        + f'<div class="lights is-small">{lights}</div><p>{escape(_capital(_quality(session)))}.</p>{wrong}{remark}'
        + (_gain(gain) if gain else "")
        + f"<small>{escape(_capital('; '.join(facts)))}.</small></li>"
    )


def _quality(session: Session) -> str:
    if not session.qualities:
        return texts.SESSION_EMPTY
    level, snr = (median(getattr(one, name) for one in session.qualities) for name in ("level", "snr"))
    bands = [one.bandwidth for one in session.qualities if one.bandwidth]
    band = texts.SESSION_BAND.format(band=median(bands) / 1000) if bands else ""
    return texts.SESSION_QUALITY.format(level=level, snr=snr, band=band)


def _gain(gain: SessionGain) -> str:
    rows = "".join(
        f'<div class="gain-row"><span>{text}</span><div class="person-bar"><i style="width:{share:.1%}"></i></div>'
        f"<b>{_share(share)}</b></div>"
        for text, share in ((texts.GAIN_WITHOUT, gain.without[0]), (texts.GAIN_WITHIN, gain.within[0]))
    )
    return f'<div class="gain"><span class="gain-title">{texts.GAIN}</span>{rows}</div>'


def _share(value: float) -> str:
    return f"{value * 100:.0f}\u00a0%"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def gained(name: str, gain: SessionGain) -> str:
    """What a session that was just added brings, as a sentence."""
    without, within = _share(gain.without[0]), _share(gain.within[0])
    little = gain.without[0] >= 0.9 or gain.within[0] <= gain.without[0]
    return (texts.GAINED_LITTLE if little else texts.GAINED).format(name=name, without=without, within=within)
