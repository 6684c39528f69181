"""Export and import in the Speakers tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.recognizer import Recognizer
from demo import people_texts as texts
from demo.notice_view import notice, progress, trouble
from demo.parcel import Parcel, entries, view
from demo.person import QUESTION_SCRIPT
from demo.sight import HIDDEN, layout, seen, visibility
from demo.texts import AND_MORE, KEEP

MAX_NAMED = 6  # people in a question by their names


def exported(recognizer: Recognizer, parcel: Parcel, names: Sequence[str], secret: str, again: str) -> str:
    """Make the file; the notice."""
    try:
        made = parcel.make(recognizer, names, secret or "", again or "")
        said = (texts.EXPORTED_SEALED if secret else texts.EXPORTED_OPEN).format(people=texts.people_counted(len(made)))
        return notice(f"{said} {texts.EXPORTED_WHO.format(names=named(made))}", "good")
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error)


def taken_up(recognizer: Recognizer, parcel: Parcel, choice: str) -> tuple[str, bool]:
    """Take up what was looked into; the notice, and whether it is done."""
    try:
        count, skipped = parcel.take_up(recognizer, replace=choice == texts.CLASH_REPLACE)
        said = texts.IMPORTED_SKIPPED if skipped else texts.IMPORTED
        return notice(said.format(people=texts.people_counted(count), skipped=skipped), "good"), True
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error), False


def replace_question(recognizer: Recognizer, parcel: Parcel, choice: str) -> str:
    """What is asked before somebody enrolled here is overwritten; '' where nobody is."""
    names = parcel.clashing(recognizer) if choice == texts.CLASH_REPLACE else []
    if not names:
        return ""
    return notice(texts.REPLACE_SURE.format(names=named(names)), "error")


def named(names: Sequence[str]) -> str:
    """A few names, and how many more."""
    more = [AND_MORE.format(count=len(names) - MAX_NAMED)] if len(names) > MAX_NAMED else []
    return ", ".join([*names[:MAX_NAMED], *more])


def build_part(recognizer: Recognizer) -> tuple[list[Any], Callable[[], list], list[Any]]:
    """Inside `gr.Blocks`. Returns what is watched, how it is refreshed, and the events after which people changed."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    parcel, mark = gr.State(Parcel()), gr.State("")
    with gr.Accordion(texts.PARCEL, open=False, elem_id="parcel"), gr.Row(elem_classes="parts"):
        with gr.Column(min_width=300):
            gr.HTML(f"<h3>{texts.EXPORT_TITLE}</h3><p>{texts.EXPORT_TEXT}</p>")
            who = gr.Dropdown(
                [],
                multiselect=True,
                allow_custom_value=True,  # who was deleted since is refused in a sentence of ours
                label=texts.EXPORT_WHO,
                info=texts.EXPORT_ALL,
                elem_id="export-who",
            )
            secret = gr.Textbox(
                label=texts.PASSPHRASE, info=texts.PASSPHRASE_HINT, type="password", elem_id="export-secret"
            )
            again = gr.Textbox(label=texts.PASSPHRASE_AGAIN, type="password", elem_id="export-again")
            make = gr.Button(texts.EXPORT, elem_id="export-make")
            made = gr.HTML("", elem_id="export-notice")
            save = gr.DownloadButton(texts.EXPORT, variant="primary", visible=HIDDEN, elem_id="export-save")
        with gr.Column(min_width=300):
            gr.HTML(f'<h3 tabindex="-1">{texts.IMPORT_TITLE}</h3><p>{texts.IMPORT_TEXT}</p>')
            upload = gr.File(
                label=texts.IMPORT_FILE, file_types=[".json"], type="filepath", height=120, elem_id="import-file"
            )
            with gr.Row(**layout(False, "pair")) as sealed:
                key = gr.Textbox(
                    label=texts.IMPORT_PASSPHRASE, type="password", scale=2, min_width=140, elem_id="import-secret"
                )
                unlock = gr.Button(texts.OPEN, scale=1, min_width=90, elem_id="import-open")
            inside = gr.HTML("", elem_id="import-inside")
            clash = gr.Radio(
                [texts.CLASH_SKIP, texts.CLASH_REPLACE],
                value=texts.CLASH_SKIP,
                label=texts.CLASH,
                visible=HIDDEN,
                elem_id="import-clash",
            )
            take = gr.Button(texts.IMPORT, variant="primary", visible=HIDDEN, elem_id="import-take")
            with gr.Column(**layout(False, "sure"), elem_id="import-sure") as warning:
                question = gr.HTML("", js_on_load=QUESTION_SCRIPT.read_text(encoding="utf-8"))
                with gr.Row(elem_classes="pair"):
                    yes = gr.Button(texts.REPLACE_YES, variant="stop", min_width=90, elem_id="import-yes")
                    no = gr.Button(KEEP, min_width=90, elem_id="import-no")
            told = gr.HTML("", elem_id="import-notice")

    def pack(current: Parcel, names: list[str], first: str, second: str) -> Iterator[tuple]:
        yield progress(texts.EXPORTING, None), gr.update(visible=HIDDEN), gr.skip(), gr.skip()
        html = exported(recognizer, current, names, first, second)
        if "notice-good" not in html:
            yield html, *(gr.skip() for _ in range(3))
            return
        label = texts.SAVE.format(name=Path(current.written).name)
        yield html, gr.update(value=current.written, label=label, visible=True), "", ""

    hidden = gr.update(visible=HIDDEN)

    def changed(current: Parcel) -> tuple:
        """Who was deleted is in no file that is still to be had."""
        if not current.written:
            return gr.skip(), gr.skip()
        current.drop()
        return notice(texts.EXPORT_STALE), gr.update(value=None, visible=HIDDEN)

    # what an import shows: passphrase, what is inside, the question about clashes, the button
    shown = [told, sealed, inside, clash, take]
    unasked = visibility(warning, False)
    asking, plain = (visibility(sealed, on) for on in (True, False))

    def offer(count: int) -> dict:
        label = texts.IMPORT.format(people=texts.people_counted(count)) if count else texts.IMPORT_NOBODY
        return gr.update(value=label, visible=True, interactive=count > 0)

    def looked(current: Parcel) -> tuple:
        found = entries(recognizer, current.people)
        taken = sum(one.taken for one in found)
        question = gr.update(visible=seen(taken > 0), value=texts.CLASH_SKIP)
        return "", plain, view(found), question, offer(len(found) - taken)

    def received(current: Parcel, path: str | None) -> Iterator[tuple]:
        yield progress(texts.OPENING, None), plain, "", hidden, hidden
        try:
            if not path:
                current.people, current.content = [], None
                yield "", plain, "", hidden, hidden
            elif current.receive(path):
                yield notice(texts.IMPORT_SEALED), asking, "", hidden, hidden
            else:
                yield looked(current)
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield trouble(error), plain, "", hidden, hidden

    def unlocked(current: Parcel, given: str) -> Iterator[tuple]:
        yield progress(texts.OPENING, None), *(gr.skip() for _ in range(5))
        try:
            current.open(given or "")
            yield *looked(current), ""
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield trouble(error), *(gr.skip() for _ in range(5))

    def brought(current: Parcel, choice: str, *, sure: bool) -> tuple:
        """`sure`: was it asked whether somebody may be overwritten?"""
        asked = "" if sure else replace_question(recognizer, current, choice)
        if asked:
            return "", *(gr.skip() for _ in range(5)), visibility(warning, True), asked
        html, done = taken_up(recognizer, current, choice)
        if not done:
            return html, *(gr.skip() for _ in range(5)), unasked, ""
        return html, plain, "", hidden, hidden, None, unasked, ""

    mark.change(changed, parcel, [made, save], **private)
    make.click(pack, [parcel, who, secret, again], [made, save, secret, again], concurrency_limit=2, **private)
    gr.on([upload.upload, upload.clear], received, [parcel, upload], shown, concurrency_limit=2, **private)
    gr.on([unlock.click, key.submit], unlocked, [parcel, key], [*shown, key], concurrency_limit=2, **private)
    gr.on([no.click, clash.input, upload.upload, upload.clear], lambda: unasked, None, warning, **private)
    clash.input(
        lambda current, choice: offer(current.wanted(recognizer, replace=choice == texts.CLASH_REPLACE)),
        [parcel, clash],
        take,
        **private,
    )
    result = [*shown, upload, warning, question]
    events = [
        take.click(partial(brought, sure=False), [parcel, clash], result, **private),
        yes.click(partial(brought, sure=True), [parcel, clash], result, **private),
    ]

    def refresh() -> list:
        names = [profile.name for profile in recognizer.store.profiles()]
        return [gr.update(choices=names), recognizer.store.people_mark()]

    return [who, mark], refresh, events
