"""A recording being judged, as HTML: stages, the timeline, talk time and table, and the player."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from core.segments import MIN_SPEECH_SECONDS, clock
from demo import texts, timeline_view
from demo.job import ASK, FETCH, JUDGE, WAIT, Job
from demo.notice_view import notice, progress, trouble

MAX_ROWS = 240  # rows of the table (20 minutes): the exports have all


def stages(job: Job) -> str:
    """Which of the two stages a link is in, how far, and how long it will take."""
    said = {ASK: texts.LOOKING_UP, FETCH: texts.FETCHING, JUDGE: texts.LISTENING_TO}
    text = said.get(job.stage, texts.BEGINNING).format(title=job.title)
    if job.stage == WAIT and job.before:
        text = texts.WAITING_TURN.format(count=texts.counted(job.before, "recording"))
    if job.remaining is not None and job.remaining >= 1:
        text += f" ({texts.REMAINING.format(clock=clock(job.remaining))})"
    steps = ""
    if job.is_link:
        at = 1 if job.stage == JUDGE else 0
        items = "".join(
            f'<li class="{"is-done" if index < at else "is-now" if index == at else ""}">{name}</li>'
            for index, name in enumerate((texts.STAGE_FETCH, texts.STAGE_JUDGE))
        )
        steps = f'<ol class="stages">{items}</ol>'
    return steps + progress(text, job.fraction)


def outcome(job: Job, anybody: bool) -> str:
    """What came of it, as a notice."""
    if job.error is not None:
        return trouble(job.error)
    if job.cancelled:
        return notice(texts.CANCELLED)
    if not any(one.quality.enough for one in job.answers):
        silent = notice(texts.DONE_SILENT.format(title=job.title, least=MIN_SPEECH_SECONDS))
        return silent + "".join(map(notice, job.notes))
    done = notice(texts.DONE.format(count=texts.counted(len(job.answers), "segment"), title=job.title), "good")
    done += "".join(map(notice, job.notes))
    return done if anybody else done + notice(texts.DONE_NOBODY)


def timeline(job: Job, names: Mapping[str, str]) -> str:
    """The lanes of what has been judged until now; every turn is a button that plays it."""
    answers = job.answers[:]
    if not answers:
        return f'<div class="results-empty">{texts.RESULTS_EMPTY}</div>'
    lanes = timeline_view.lanes(answers, names, start=job.start, end=answers[-1].segment.end, playable=True)
    hint = f'<span class="quiet">{texts.PLAY_HINT}</span>'
    return f'<section class="timeline"><h3>{escape(job.title)} {hint}</h3>{lanes}</section>'


def details(job: Job, names: Mapping[str, str]) -> str:
    """Talk time, and the table of the latest segments."""
    answers = job.answers[:]
    if not answers:
        return ""
    more = ""
    if len(answers) > MAX_ROWS:
        more = f'<p class="quiet">{texts.MORE_ROWS.format(shown=MAX_ROWS, count=len(answers))}</p>'
    rows = timeline_view.table(answers[-MAX_ROWS:], names)
    return f'<div class="results">{timeline_view.talk_time(answers, names)}{rows}{more}</div>'


def player(path: str | None) -> str:
    """The recording to listen to; the browser fetches only what it plays, so hours are no trouble."""
    if not path:
        return ""
    source = f"/gradio_api/file={quote(os.fsencode(path))}"
    return (
        f'<audio controls preload="metadata" src="{escape(source, quote=True)}" aria-label="{texts.PLAYER}"></audio>'
        f'<p class="player-trouble quiet" hidden>{texts.NOT_PLAYABLE}</p>'
    )
