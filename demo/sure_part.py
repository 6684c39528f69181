"""How sure the app should be before it says a name, in the Speakers tab: what users said was right or wrong, what was
measured, what is recommended; applied only when somebody presses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import isnan
from typing import Any

from core.corrections import Correction, corrections, forget_corrections, take_back
from core.errors import StoreError
from core.recognizer import Recognizer
from core.sureness import ENOUGH_CORRECTIONS, STEPS, Recommendation, recommend
from demo import people_texts as texts
from demo.answer_view import percent
from demo.local_time import minute
from demo.notice_view import notice, progress, trouble
from demo.people_view import table
from demo.sight import HIDDEN, layout, visibility

LOOK_SECONDS = 0.3  # s between looks at a measurement
LEAST_SCALE = 0.02  # share that fills a bar at least
MAX_ROWS = 50  # verdicts listed


def chance(probability: float) -> str:
    """0.75 -> '75 %'."""
    return f"{probability * 100:.0f}\u00a0%"


def now(recognizer: Recognizer) -> str:
    """What is chosen, as a sentence."""
    sureness = recognizer.store.sureness()
    return texts.SURE_AT.format(chance=chance(sureness)) if sureness else texts.SURE_NONE


def choose(recognizer: Recognizer, probability: float | None) -> str:
    """Keep the choice (None: as it came); the notice."""
    try:
        recognizer.store.choose_sureness(probability)
        return notice(
            texts.SURE_RESET_DONE if probability is None else texts.SURE_USED.format(chance=chance(probability)), "good"
        )
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error)


def recommended(recognizer: Recognizer, probability: float | None) -> str:
    """Choose what was recommended; the notice. None: the server was started again, or forgot a page that was away."""
    return choose(recognizer, probability) if probability else notice(texts.MEASURE_AGAIN, "error")


def measure(recognizer: Recognizer) -> Iterator[tuple[str, Recommendation | None]]:
    """Judge everybody's segments, each while it is left out; yields progress and at last what is recommended."""
    try:
        done, outcome = [0.0], []

        def follow(fraction: float) -> None:
            done[0] = fraction

        def work() -> None:
            try:
                outcome.append(recognizer.self_check(progress=follow))
            except Exception as error:  # noqa: BLE001 - raised again below
                outcome.append(error)

        thread = threading.Thread(target=work, name="measure", daemon=True)
        thread.start()
        while thread.is_alive():
            yield progress(texts.MEASURING, done[0]), None
            thread.join(LOOK_SECONDS)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        made = corrections(recognizer.store, recognizer.model_id)
        found = recommend(outcome[0], made) if outcome[0] else None
        if found is None:
            raise StoreError(texts.MEASURED_NOBODY)
        yield measured(found, len(made)), found
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        yield trouble(error), None


def measured(found: Recommendation, verdicts: int) -> str:
    """What was measured at each step, and what is recommended, as HTML. `verdicts`: how many users gave."""
    shares = [share for one in found.rates for share in (one.missed, one.misnamed) if not isnan(share)]
    most = max(LEAST_SCALE, *shares)
    rows = "".join(
        f"<tr{' class=is-best' if one.threshold == found.threshold else ''}><th>{chance(one.threshold)}</th>"
        f"<td>{_bar(one.missed, most, 'missed')}</td><td>{_bar(one.misnamed, most, 'named')}</td></tr>"
        for one in found.rates
    )
    more = texts.MEASURED_MORE.format(count=texts.verdicts_counted(found.corrections)) if found.corrections else ""
    basis = texts.MEASURED_FROM.format(trials=found.measured, more=more)
    if not found.corrections:
        basis += " " + texts.MEASURED_FEW.format(enough=ENOUGH_CORRECTIONS, count=verdicts or "none")
    return (
        f'<p class="recommended"><b>{texts.RECOMMENDED.format(chance=chance(found.threshold))}</b></p>'
        f"{table(texts.RATE_COLUMNS, rows, 'rates')}"
        f'<p class="quiet">{basis} {texts.MEASURED_NOTE}</p>'
    )


def _bar(value: float, most: float, kind: str) -> str:
    if isnan(value):
        return "&ndash;"
    said = chance(value) if value >= 0.1 or not value else f"{value * 100:.1f}\u00a0%"
    bar = f'<i class="is-{kind}" style="width:{value / most:.1%}"></i>'
    return f'<span class="rate"><span class="rate-track">{bar}</span>{said}</span>'


def verdicts(made: Sequence[Correction]) -> str:
    """What users said, newest first, as HTML."""
    if not made:
        return f'<p class="quiet">{texts.VERDICTS_NONE}</p>'
    rows = "".join(
        f"<tr><td>{escape(minute(one.created_at))}</td><td>{_answer(one)}</td><td>{_truth(one)}</td></tr>"
        for one in made[:MAX_ROWS]
    )
    more = f'<p class="quiet">{texts.VERDICTS_MORE.format(shown=MAX_ROWS, count=len(made))}</p>'
    return f"{table(texts.VERDICT_COLUMNS, rows)}{more if len(made) > MAX_ROWS else ''}"


def _answer(one: Correction) -> str:
    words = texts.VERDICT_ANSWER if one.named else texts.VERDICT_UNKNOWN
    return words.format(name=escape(one.likeliest), chance=percent(one.probability))


def _truth(one: Correction) -> str:
    good = one.right == one.named  # named rightly, or rightly not named
    mark = '<span class="right">&#10003;</span>' if good else '<span class="wrong">&#10007;</span>'
    return f"{mark} {escape(one.truth or texts.STRANGER)}"


def build_part(recognizer: Recognizer) -> tuple[list[Any], Callable[[], list], list[Any]]:
    """Inside `gr.Blocks`. Returns what is watched, how it is refreshed, and the events after which people changed."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    best = gr.State(None)
    with gr.Accordion(texts.SURE, open=False, elem_id="sure"), gr.Row(elem_classes="parts"):
        with gr.Column(min_width=300):
            gr.HTML(f"<p>{texts.SURE_TEXT}</p>")
            current = gr.HTML("", elem_id="sure-now")
            slider = gr.Slider(
                STEPS[0] * 100, STEPS[-1] * 100, STEPS[0] * 100, step=5, label=texts.SURE_SLIDER, elem_id="sure-slider"
            )
            with gr.Row(elem_classes="pair"):
                use = gr.Button(texts.SURE_USE, min_width=90, elem_id="sure-use")
                reset = gr.Button(texts.SURE_RESET, min_width=90, elem_id="sure-reset")
            said = gr.HTML("", elem_id="sure-notice")
            run = gr.Button(texts.MEASURE, elem_id="sure-measure")
            result = gr.HTML("", elem_id="sure-result")
            apply = gr.Button(texts.USE_RECOMMENDED, variant="primary", visible=HIDDEN, elem_id="sure-apply")
        with gr.Column(min_width=300):
            gr.HTML(f"<h3>{texts.VERDICTS}</h3>")
            table = gr.HTML("", elem_id="verdicts")
            with gr.Row(**layout(False, "pair")) as manage:
                back = gr.Button(texts.TAKE_BACK, size="sm", min_width=110, elem_id="verdict-back")
                forget = gr.Button(texts.FORGET, size="sm", min_width=90, elem_id="verdict-forget")
            forgot = gr.HTML("", elem_id="verdicts-notice")

    def state() -> list:
        made, sureness = corrections(recognizer.store), recognizer.store.sureness()
        shown = gr.update(value=round(sureness * 100)) if sureness else gr.skip()
        return [f"<p><b>{now(recognizer)}</b></p>", shown, verdicts(made), visibility(manage, made)]

    watched = [current, slider, table, manage]

    def measuring() -> Iterator[tuple]:
        for html, found in measure(recognizer):
            label = texts.USE_RECOMMENDED.format(chance=chance(found.threshold)) if found else ""
            yield (
                html,
                found and found.threshold,
                gr.update(visible=True, value=label) if found else gr.update(visible=HIDDEN),
            )

    def taken_back() -> tuple:
        take_back(recognizer.store)
        return notice(texts.TAKEN_BACK), *state()

    def forgotten() -> tuple:
        count = forget_corrections(recognizer.store)
        return notice(texts.FORGOTTEN.format(count=texts.verdicts_counted(count))), *state()

    use.click(lambda per_cent: (choose(recognizer, per_cent / 100), *state()), slider, [said, *watched], **private)
    reset.click(lambda: (choose(recognizer, None), *state()), None, [said, *watched], **private)
    apply.click(lambda found: (recommended(recognizer, found), *state()), best, [said, *watched], **private)
    run.click(measuring, None, [result, best, apply], concurrency_limit=2, **private)
    back.click(taken_back, None, [forgot, *watched], **private)
    forget.click(forgotten, None, [forgot, *watched], **private)
    return watched, state, []
