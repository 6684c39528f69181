"""The Speakers tab: who is enrolled, a person's page, introducing somebody, how sure to be, files of people."""

from __future__ import annotations

from collections.abc import Iterator

from core.recognizer import Recognizer
from demo import parcel_part, people_view, sure_part, texts
from demo.enrol_form import build_form
from demo.examples import enrol_examples, missing_examples, untrue
from demo.live import names_of
from demo.notice_view import notice
from demo.person import SCRIPT, build_page
from demo.sight import seen
from demo.tab import Tab


def listed(recognizer: Recognizer) -> str:
    """The list of people as HTML, with the store's notice above it."""
    store = recognizer.store
    outdated = {profile.name for profile in store.outdated(recognizer.model_id)}
    return notice(store.notice or "", "error") + people_view.people(store.profiles(), names_of(recognizer), outdated)


def build_tab(recognizer: Recognizer) -> Tab:
    """Inside `gr.Blocks`: the components and their events."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Row(elem_classes="speakers-row"):
        with gr.Column(scale=1, min_width=320):
            form = build_form(recognizer)
        with gr.Column(scale=1, min_width=320, elem_classes="speakers-people"):
            gr.HTML(f'<h3 tabindex="-1">{texts.WHO_IS_ENROLLED}</h3>')
            people = gr.HTML("", js_on_load=SCRIPT.read_text(encoding="utf-8"), elem_id="people")
            try_it = gr.Button(texts.EXAMPLES_BUTTON, size="sm", elem_id="speakers-examples")
            learning = gr.HTML("", elem_id="speakers-learning")
            parts = [build_page(recognizer, people, form)]
            *_, revision = parts[0][0]
    parts += [sure_part.build_part(recognizer), parcel_part.build_part(recognizer)]

    def learned() -> Iterator[str]:
        yield from enrol_examples(recognizer)

    def still_said(html: str, tried_said: str, latest: tuple | None) -> tuple:
        """Notices that somebody is enrolled who is not any more go."""
        known = {profile.name for profile in recognizer.store.profiles()}
        gone = latest is not None and latest[0] not in known
        over = "notice-good" in (html or "") and gone, untrue(recognizer, tried_said)
        return tuple("" if one else gr.skip() for one in over)

    revision.change(still_said, [form.said, learning, form.latest], [form.said, learning], **private)

    def refresh() -> list:
        own = [listed(recognizer), gr.update(visible=seen(missing_examples(recognizer)))]
        return own + [value for _, renewed, _ in parts for value in renewed()]

    tried = try_it.click(learned, None, learning, concurrency_id="enrol", concurrency_limit=1, **private)
    watched = [component for components, _, _ in parts for component in components]
    changes = [event for _, _, events in parts for event in events]
    return Tab([people, try_it, *watched], refresh, [form.enrolled, tried, *changes])
