"""The Speakers tab: who is enrolled, introducing somebody, renaming, deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.errors import UnknownSpeaker
from core.recognizer import Recognizer
from demo import people_view, texts
from demo.enrolling import build_form
from demo.examples import enrol_examples, missing_examples
from demo.live import names_of
from demo.notice_view import notice, trouble
from demo.tab import Tab


def listed(recognizer: Recognizer) -> str:
    """The list of people as HTML, with the store's notice above it."""
    store = recognizer.store
    outdated = {profile.name for profile in store.outdated(recognizer.model_id)}
    return notice(store.notice or "", "error") + people_view.people(store.profiles(), names_of(recognizer), outdated)


def renamed(recognizer: Recognizer, person: str | None, new: str) -> str:
    """Rename; the notice."""
    return _said(lambda: texts.RENAMED.format(old=_chosen(person), new=recognizer.store.rename(person, new).name))


def deleted(recognizer: Recognizer, person: str | None) -> str:
    """Delete one person; the notice."""
    return _said(lambda: texts.DELETED.format(name=recognizer.store.delete(_chosen(person)).name))


def deleted_all(recognizer: Recognizer) -> str:
    """Delete everybody; the notice."""

    def work() -> str:
        recognizer.store.delete_all()
        return texts.DELETED_ALL

    return _said(work)


def _chosen(person: str | None) -> str:
    if not person:
        raise UnknownSpeaker(texts.NOBODY_CHOSEN)
    return person


def _said(work: Callable[[], str]) -> str:
    try:
        return notice(work(), "good")
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error)


def build_tab(recognizer: Recognizer) -> Tab:
    """Inside `gr.Blocks`: the components and their events."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Row(elem_classes="speakers-row"):
        with gr.Column(scale=1, min_width=320):
            enrolled = build_form(recognizer)
        with gr.Column(scale=1, min_width=320):
            gr.HTML(f"<h3>{texts.WHO_IS_ENROLLED}</h3>")
            people = gr.HTML("", elem_id="people")
            try_it = gr.Button(texts.EXAMPLES_BUTTON, size="sm", elem_id="speakers-examples")
            with gr.Column(visible=False, elem_classes="manage") as manage:
                gr.HTML(f"<h3>{texts.MANAGE}</h3>")
                person = gr.Dropdown([], label=texts.PERSON, elem_id="person")
                with gr.Row(elem_classes="pair"):
                    new_name = gr.Textbox(label=texts.NEW_NAME, max_lines=1, scale=2, min_width=140, elem_id="new-name")
                    rename = gr.Button(texts.RENAME, scale=1, min_width=90, elem_id="rename")
                with gr.Row(elem_classes="pair"):
                    delete = gr.Button(texts.DELETE, min_width=90, elem_id="delete")
                    delete_all = gr.Button(texts.DELETE_ALL, min_width=90, elem_id="delete-all")
                with gr.Column(visible=False, elem_classes="sure") as sure:
                    question = gr.HTML("")
                    with gr.Row(elem_classes="pair"):
                        yes = gr.Button(texts.DELETE_YES, variant="stop", min_width=90, elem_id="delete-yes")
                        no = gr.Button(texts.KEEP, min_width=90, elem_id="delete-no")
            said = gr.HTML("", elem_id="people-notice")
    everybody = gr.State(False)  # does the question ask about everybody?

    def ask_one(name: str | None) -> tuple:
        if not name:
            return gr.Column(visible=False), "", False, notice(texts.NOBODY_CHOSEN, "error")
        return gr.Column(visible=True), notice(texts.DELETE_SURE.format(name=name), "error"), False, ""

    def ask_all() -> tuple:
        count = len(recognizer.store.profiles())
        return gr.Column(visible=True), notice(texts.DELETE_ALL_SURE.format(count=count), "error"), True, ""

    def confirmed(name: str | None, all_of_them: bool) -> tuple:
        return (deleted_all(recognizer) if all_of_them else deleted(recognizer, name)), gr.Column(visible=False), False

    def learned() -> Iterator[str]:
        yield from enrol_examples(recognizer)

    def change_name(name: str | None, new: str) -> tuple:
        html = renamed(recognizer, name, new)
        return html, "" if "notice-good" in html else gr.skip()

    delete.click(ask_one, person, [sure, question, everybody, said], **private)
    delete_all.click(ask_all, None, [sure, question, everybody, said], **private)
    no.click(lambda: (gr.Column(visible=False), False), None, [sure, everybody], **private)
    changes = [
        enrolled,
        yes.click(confirmed, [person, everybody], [said, sure, everybody], **private),
        rename.click(change_name, [person, new_name], [said, new_name], **private),
        try_it.click(learned, None, said, concurrency_id="enrol", concurrency_limit=1, **private),
    ]

    def refresh() -> list:
        names = [profile.name for profile in recognizer.store.profiles()]
        return [
            listed(recognizer),
            gr.update(choices=names, value=None),
            gr.update(visible=bool(names)),
            gr.update(visible=bool(missing_examples(recognizer))),
        ]

    return Tab([people, person, manage, try_it], refresh, changes)
