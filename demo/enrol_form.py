"""The form of the Speakers tab with which somebody is introduced: its components and their events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import VoiceInDoubt
from core.names import name_key
from core.recognizer import Recognizer
from demo import phrases, texts
from demo.enrolling import SOURCES, check, enrol, followed, record, taken
from demo.link_or_file import FILE_TYPES
from demo.live import device_choices, refusals
from demo.notice_view import SETTLED, trouble
from demo.people_view import gathered, takes
from demo.sight import HIDDEN, layout, visibility
from demo.take import BROWSER, COMPUTER, Take

SCRIPT = Path(__file__).with_name("meter.js")
FOLLOWED = 4  # slices judged at the same time
WAITING = 16  # pages whose enrolment goes on or waits


@dataclass(frozen=True, eq=False)
class Form:
    """What other parts of the tab touch. `enrolled`: the event after which somebody may be enrolled. `latest`: a state,
    (name, revision of the store) of who was enrolled last."""

    name: Any
    again: Any
    sure: Any
    said: Any
    latest: Any
    enrolled: Any


def build_form(recognizer: Recognizer) -> Form:
    """Inside `gr.Blocks`: the form."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    take, latest, used = gr.State(Take()), gr.State(None), gr.State(None)
    gr.HTML(f"<h3>{texts.ENROL_TITLE}</h3><p>{texts.ENROL_TEXT}</p>", elem_id="enrol-form")
    name = gr.Textbox(label=texts.NAME, placeholder=texts.NAME_HOLDER, max_lines=1, elem_id="enrol-name")
    where = gr.Radio(list(SOURCES), value=SOURCES[0], label=texts.ENROL_FROM, elem_id="enrol-source")
    with gr.Column() as aloud:
        language = gr.Dropdown(
            list(phrases.CHOICES), value=phrases.CHOICES[0], label=phrases.CHOOSE, elem_id="enrol-language"
        )
        passage = gr.HTML(phrases.passage(phrases.CHOICES[0]), elem_id="enrol-passage")
    with gr.Column() as browser_box:
        recorded = gr.Audio(
            sources=["microphone"],
            type="filepath",
            label=texts.LISTENING_LABEL,
            show_label=False,
            elem_id="enrol-microphone",
            buttons=[],
        )
        gr.HTML(refusals(), elem_id="enrol-denied")
    with gr.Column(**layout(False)) as file_box:
        upload = gr.File(
            label=texts.FILES,
            file_types=FILE_TYPES,
            file_count="multiple",
            type="filepath",
            height=130,
            elem_id="enrol-file",
        )
    with gr.Column(**layout(False)) as link_box:
        link = gr.Textbox(label=texts.FROM_LINK, placeholder=texts.LINK_HOLDER, max_lines=1, elem_id="enrol-link")
        with gr.Row(elem_classes="pair"):
            start = gr.Textbox(
                label=texts.FROM, placeholder=texts.TIME_HOLDER, max_lines=1, min_width=90, elem_id="enrol-from"
            )
            end = gr.Textbox(label=texts.TO, placeholder=texts.TO_HOLDER, max_lines=1, min_width=90, elem_id="enrol-to")
        gr.HTML(f'<p class="quiet">{texts.ENROL_RANGE}</p>')
    with gr.Column(**layout(False)) as computer_box:
        device = gr.Dropdown([(texts.SYSTEM_DEFAULT, "")], value="", label=texts.DEVICE)
        with gr.Row(elem_classes="pair"):
            begin = gr.Button(texts.RECORD, min_width=90, elem_id="enrol-record")
            finish = gr.Button(texts.STOP, min_width=90, elem_id="enrol-finish")
    lights = gr.HTML(gathered(0.0, []), elem_id="enrol-lights")
    meter = gr.HTML("", js_on_load=SCRIPT.read_text(encoding="utf-8"), elem_id="enrol-meter")
    with gr.Column(**layout(False), elem_id="enrol-takes") as taking:
        listed = gr.HTML("")
        with gr.Row(elem_classes="pair"):
            drop = gr.Button(texts.DROP_TAKE, size="sm", min_width=120, elem_id="enrol-drop")
            over = gr.Button(texts.START_OVER, size="sm", min_width=90, elem_id="enrol-over")
    consent = gr.Checkbox(label=texts.CONSENT, elem_id="enrol-consent")
    again = gr.Checkbox(label=texts.AGAIN, elem_id="enrol-again")
    keep_audio = gr.Checkbox(label=texts.KEEP_AUDIO, elem_id="enrol-keep-audio")
    sure = gr.Checkbox(label=texts.SURE, visible=HIDDEN, elem_id="enrol-sure")
    with gr.Row(elem_classes="pair"):
        go = gr.Button(texts.ENROL, variant="primary", scale=3, min_width=150, elem_id="enrol-go")
        stop = gr.Button(texts.CANCEL, scale=1, min_width=80, interactive=False, elem_id="enrol-cancel")
    said = gr.HTML("", elem_id="enrol-notice")

    boxes = [browser_box, file_box, link_box, computer_box]  # one for each of `SOURCES`

    def shown(current: Take, choice: str) -> tuple:
        """The takes of a microphone."""
        parts = current.of(choice)
        return visibility(taking, parts), takes(parts)

    def chosen(choice: str, current: Take, paths: list[str] | None) -> tuple:
        current.end_recording()
        choices, sentence = device_choices() if choice == COMPUTER else ([(texts.SYSTEM_DEFAULT, "")], "")
        microphone = gr.update(visible=choice == BROWSER)  # taken away it is closed
        others = [visibility(box, choice == one) for box, one in zip(boxes[1:], SOURCES[1:], strict=True)]
        devices, spoken = gr.update(choices=choices, value=""), visibility(aloud, choice in (BROWSER, COMPUTER))
        found = check(paths)[0] if choice == texts.FROM_FILE else gathered(*current.speech(choice))
        return microphone, *others, spoken, devices, found, sentence, *shown(current, choice)

    def another(current: Take, path: str | None, request) -> tuple:
        return *taken(current, path, request.session_hash), *shown(current, BROWSER), None

    def metered(current: Take, event) -> Any:
        return followed(current, event._data) or gr.skip()

    another.__annotations__["request"] = gr.Request  # as a class: Gradio does not read it from text
    metered.__annotations__["event"] = gr.EventData

    def recording(current: Take, which: str) -> Iterator[tuple]:
        for html, sentence in record(current, which):
            yield html, sentence, *shown(current, COMPUTER)

    def fewer(current: Take, choice: str, everything: bool) -> tuple:
        current.drop(choice, everything=everything)
        return gathered(*current.speech(choice)), "", *shown(current, choice)

    def enrolled(*values) -> Iterator[tuple]:
        current, left, rests = values[0], gr.skip(), gr.update(interactive=False)
        try:
            for html, found, done in enrol(recognizer, *values):
                if not done:
                    going_on = gr.update(interactive='class="progress"' in html)
                    yield html, left if found is None else found, *(left,) * 4, going_on, left, left
                    continue
                current.drop_used()
                who = recognizer.store.get(values[1]).name, recognizer.store.revision()
                resting = gr.update(value=False, visible=HIDDEN)
                source = values[5] if values[4] == texts.FROM_FILE else [values[6], *values[9:]]
                yield html, found, False, False, False, resting, rests, who, (values[1], values[4], source)
        except VoiceInDoubt as error:  # shown is the box that lets the user insist
            yield trouble(error), *(left,) * 4, gr.update(visible=True), rests, left, left

    def rested(current: Take, choice: str, html: str, of: tuple | None, name: str, paths: list[str], *span) -> tuple:
        """After somebody was enrolled with what `of` says: what was written, chosen or recorded meanwhile is of
        somebody else, and stays."""
        if "notice-good" not in html or of is None:
            return (gr.skip(),) * 8
        who, which, used = of
        kept = which != texts.FROM_FILE or paths != used
        emptied = ["" if name_key(name) == name_key(who) else gr.skip(), gr.skip() if kept else None]
        emptied += ["" if which == texts.FROM_LINK and list(span) == used else gr.skip()] * 3
        found = check(paths if kept else None)[0] if choice == texts.FROM_FILE else gathered(*current.speech(choice))
        return *emptied, found, *shown(current, choice)

    state = [lights, said, taking, listed]
    language.input(phrases.passage, language, passage, **private)
    where.change(chosen, [where, take, upload], [*boxes, aloud, device, lights, said, taking, listed], **private)
    recorded.input(another, [take, recorded], [*state, recorded], **private)
    meter.select(metered, take, lights, trigger_mode="multiple", concurrency_limit=FOLLOWED, **private)
    gr.on([upload.upload, upload.delete, upload.clear], check, upload, [lights, said], **private)
    # `change` of what is written: a name that is pasted is no `input` to Gradio
    doubtful = [name.change, where.change, recorded.input, begin.click, link.change, start.change, end.change]
    doubtful += [drop.click, over.click, upload.upload, upload.delete, upload.clear]
    # another voice, another name
    gr.on(doubtful, lambda: gr.update(value=False, visible=HIDDEN), None, sure, **private)
    mended = [name.change, consent.change, again.change, link.change, start.change, end.change]
    gr.on(mended, None, said, said, js=SETTLED, **private)
    begin.click(recording, [take, device], state, concurrency_limit=4, **private)
    drop.click(lambda current, choice: fewer(current, choice, False), [take, where], state, **private)
    over.click(lambda current, choice: fewer(current, choice, True), [take, where], state, **private)
    finish.click(lambda current: current.end_recording(), take, None, **private)
    stop.click(lambda current: current.stop(), take, None, **private)
    event = go.click(
        enrolled,
        [take, name, consent, again, where, upload, link, sure, keep_audio, start, end],
        [said, lights, consent, again, keep_audio, sure, stop, latest, used],
        concurrency_limit=WAITING,  # they wait for `TURNS`, which says so and can be given up
        **private,
    )
    mine = [name, upload, link, start, end]
    event.then(rested, [take, where, said, used, *mine], [*mine, lights, taking, listed], **private)
    return Form(name, again, sure, said, latest, event)
