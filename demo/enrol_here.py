"""Enrol from here: turns of a recording that were pressed on get a name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from core.audio import Audio
from core.enrolment import ENROL_SECONDS, MIN_ENROL_SECONDS
from core.errors import EnrolmentRefused, InvalidName, StoreError, VoiceInDoubt
from core.names import clean_name
from core.recognizer import Recognizer
from core.segments import Segment, clock
from core.sources import file
from demo import texts
from demo.job import Job
from demo.notice_view import notice, progress, trouble
from demo.presses import Presses
from demo.sight import HIDDEN, layout, visibility
from demo.timeline_view import LANES
from demo.verdict import build_row, turns

BLOCK_SECONDS = 10.0  # s decoded at a time
MAX_SPANS = 200


def spans_of(chosen: Any) -> tuple[list[Segment], str]:
    """What a page says was chosen -> the spans in order of time, and the name they go under. Nonsense is left out."""
    spans, name = [], ""
    for one in chosen[:MAX_SPANS] if isinstance(chosen, list) else []:
        try:
            span, name = Segment(float(one["start"]), float(one["end"])), str(one["name"])[:200]
        except (KeyError, TypeError, ValueError):
            continue
        if math.isfinite(span.start) and math.isfinite(span.end) and 0 <= span.start < span.end:
            spans.append(span)
    return sorted(spans), name


def chosen_view(spans: Sequence[Segment], name: str) -> str:
    """Which turns were chosen, and whether they are enough."""
    total = sum(span.duration for span in spans)
    chips = "".join(f'<span class="chip span-chip">{span}</span>' for span in spans[:12])
    chips += f'<span class="chip">{texts.AND_MORE.format(count=len(spans) - 12)}</span>' if len(spans) > 12 else ""
    enough = total >= MIN_ENROL_SECONDS
    said = texts.CHOSEN_ENOUGH if enough else texts.CHOSEN_MORE
    said = said.format(
        total=clock(total), name=escape(name), least=f"{MIN_ENROL_SECONDS:.0f}", wanted=f"{ENROL_SECONDS:.0f}"
    )
    width = min(total / ENROL_SECONDS, 1.0)
    return (
        f'<h3>{texts.ENROL_HERE}</h3><div class="legend">{chips}</div><p>{said}</p>'
        f'<div class="progress-track"><i class="sure" style="width:{width:.0%}"></i></div>'
    )


def sound_of(path: str, spans: Sequence[Segment]) -> Iterator[Audio]:
    """The sound of the spans, one after the other, in pieces."""
    for span in spans:
        yield from file.blocks(path, span.start, span.end, block_seconds=BLOCK_SECONDS)


def enrol(
    recognizer: Recognizer,
    job: Job,
    spans: Sequence[Segment],
    name: str,
    consent: bool,
    again: bool,
    sure: bool = False,
) -> Iterator[tuple[str, bool]]:
    """Enrol; yields a notice, and whether it is done. Raises `VoiceInDoubt` when the user must insist (`sure`)."""
    try:
        if not (name or "").strip():
            raise InvalidName(texts.NO_NAME)
        if consent is not True:
            raise StoreError(texts.NO_CONSENT)
        if not spans or not job.player or not Path(job.player).is_file():
            raise EnrolmentRefused(texts.NOTHING_CHOSEN)
        name = clean_name(name)
        yield progress(texts.ENROLLING.format(name=name), None), False
        source = "link" if job.is_link else "file"
        done = recognizer.enrol(name, sound_of(job.player, spans), consent=True, source=source, again=again, sure=sure)
        said = texts.ENROLLED_HERE.format(name=done.profile.name, count=texts.counted(len(done.qualities), "segment"))
        yield notice(said, "good"), True
    except VoiceInDoubt:
        raise
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        yield trouble(error), False


def build_panel(recognizer: Recognizer, job: Any, shown: Any) -> tuple[dict[Any, Any], Any]:
    """Inside `gr.Blocks`. `job`: the session's `Job` state. `shown`: the timeline, whose `select` event says what was
    chosen. Returns the values of its components when another recording begins, and the event after which somebody may
    be enrolled."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    spans, presses = gr.State([]), gr.State(Presses())
    with gr.Column(**layout(False), elem_id="enrol-here") as panel:
        verdict = build_row(
            recognizer, [job, spans], lambda current, found: turns(current.answers, found), place="here"
        )
        summary = gr.HTML("")
        name = gr.Textbox(label=texts.NAME, placeholder=texts.NAME_HOLDER, max_lines=1, elem_id="here-name")
        consent = gr.Checkbox(label=texts.CONSENT, elem_id="here-consent")
        again = gr.Checkbox(label=texts.AGAIN, elem_id="here-again")
        sure = gr.Checkbox(label=texts.SURE, visible=HIDDEN, elem_id="here-sure")
        with gr.Row(elem_classes="pair"):
            go = gr.Button(texts.ENROL, variant="primary", scale=3, min_width=120, elem_id="here-go")
            clear = gr.Button(texts.CLEAR, scale=1, min_width=80, elem_id="here-clear")
    said = gr.HTML("", elem_id="here-notice")

    def chosen(latest: Presses, event) -> tuple:
        told = event._data or {}
        if not latest.is_last(told):
            return tuple(gr.skip() for _ in outputs)
        picked = told.get("spans")
        found, label = spans_of(picked)
        judged = bool(found) and picked[0].get("lane") == LANES[0]  # one model's answer is not the app's
        said = gr.skip() if not found else ""
        doubt = gr.update(value=False, visible=HIDDEN)  # another voice must be judged anew
        box, row = visibility(panel, found), visibility(verdict, judged)
        return box, chosen_view(found, label), found, said, row, doubt

    def enrolled(current: Job, found: list[Segment], *values) -> Iterator[tuple]:
        try:
            for html, done in enrol(recognizer, current, found, *values):
                if done:
                    yield html, visibility(panel, False), [], "", False, False, gr.update(value=False, visible=HIDDEN)
                else:
                    yield html, *(gr.skip() for _ in range(6))
        except VoiceInDoubt as error:  # shown is the box that lets the user insist
            yield trouble(error), *(gr.skip() for _ in range(5)), gr.update(visible=True)

    chosen.__annotations__["event"] = gr.EventData  # as a class: Gradio does not read it from text
    outputs = [panel, summary, spans, said, verdict, sure]
    # every press, in order: "always_last" would say again what the one before said
    shown.select(chosen, presses, outputs, trigger_mode="multiple", concurrency_limit=1, **private)
    cleared = "() => { window.whoIsChosen && window.whoIsChosen.clear(); }"
    name.change(lambda: gr.update(value=False, visible=HIDDEN), None, sure, **private)
    clear.click(None, None, None, js=cleared, **private)
    event = go.click(
        enrolled,
        [job, spans, name, consent, again, sure],
        [said, panel, spans, name, consent, again, sure],
        concurrency_id="enrol",
        concurrency_limit=1,
        **private,
    )
    done = (
        "() => setTimeout(() => document.querySelector('#here-notice .notice-good') && window.whoIsChosen.clear(), 100)"
    )
    event.then(None, None, None, js=done, **private)
    return {panel: visibility(panel, False), said: "", spans: []}, event
