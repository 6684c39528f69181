"""The Live tab: a microphone, and who speaks into it now."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import MicrophoneError
from core.recognizer import Recognizer
from core.segments import clock
from core.sources.microphone import devices
from demo import answer_view, texts, timeline_view
from demo.computer_ear import ComputerEar
from demo.examples import enrol_examples
from demo.live_ear import LiveEar, Moment
from demo.notice_view import notice, trouble
from demo.palette import colours
from demo.slices import sweep, sweep_soon
from demo.tab import Tab

if TYPE_CHECKING:
    import gradio as gr

SLICE_SECONDS = 1.0  # s between slices of the browser's microphone, and between looks at the computer's
WINDOW_SECONDS = 60.0  # s of the timeline shown
SESSION_SECONDS = 6 * 3600  # s after which a stream ends by itself
VISITORS = 10  # streams at the same time: each holds its place in the queue


def view(moment: Moment, names: dict[str, str]) -> str:
    """The live screen as HTML. `names`: name -> colour."""
    state = texts.LISTENING if moment.listening else texts.STOPPED
    arrived = texts.LATE.format(seconds=moment.late) if moment.late else texts.ALL_ARRIVED
    facts = [texts.HEARD.format(clock=clock(moment.heard)), arrived] if moment.heard else []
    facts += [texts.OVERFLOWS.format(count=moment.overflows)] if moment.overflows else []
    end = max(WINDOW_SECONDS, moment.closed[-1].segment.end if moment.closed else 0.0)
    start = end - WINDOW_SECONDS
    closed = [one for one in moment.closed if one.segment.end > start + 1e-6]
    empty = "" if moment.closed else f' <span class="quiet">{texts.TIMELINE_EMPTY}</span>'
    return (
        f'<div class="live"><div class="live-state {"is-on" if moment.listening else "is-off"}"><span class="live-dot">'
        f"</span><b>{state}</b><span>{' &middot; '.join(facts)}</span>{answer_view.meter(moment.level)}</div>"
        f"{answer_view.answer(moment.current, names)}"
        f'<section class="timeline"><h3>{texts.TIMELINE}{empty}</h3>'
        f"{timeline_view.lanes(closed, names, start=start, end=end)}</section>"
        f"{answer_view.picture(moment.image)}</div>"
    )


def names_of(recognizer: Recognizer) -> dict[str, str]:
    """Name -> colour of everybody enrolled."""
    return colours([profile.name for profile in recognizer.store.profiles()])


def hear_slice(recognizer: Recognizer, path: str | None, ear: LiveEar) -> tuple[str, str]:
    """One slice of the browser's microphone -> the screen and a notice. The slice is deleted."""
    try:
        if path and Path(path).exists():  # else swept away while the server was busy
            import soundfile

            try:
                samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise MicrophoneError(f"the browser sent unreadable sound ({error}): reload the page") from error
            finally:
                Path(path).unlink(missing_ok=True)  # nothing of a voice stays on the disk
            ear.hear(samples, rate)
        sweep()
        return view(ear.look(recognizer), names_of(recognizer)), ""
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return view(ear.moment, {}), trouble(error)


def stopped(recognizer: Recognizer, ear: LiveEar) -> str:
    """The screen after the browser's microphone was stopped: the last answer stays."""
    from dataclasses import replace

    ear.moment = replace(ear.moment, listening=False)
    sweep_soon()
    return view(ear.moment, names_of(recognizer))


def begun(recognizer: Recognizer, ear: LiveEar) -> tuple[str, str]:
    """A fresh screen for a fresh recording."""
    ear.begin()
    return view(Moment(listening=True), names_of(recognizer)), ""


def device_choices() -> tuple[list[tuple[str, str]], str]:
    """(label, value) of the input devices, the default first, and a notice where there is none."""
    try:
        found = devices()
    except MicrophoneError as error:
        return [(texts.SYSTEM_DEFAULT, "")], trouble(error)
    none = "no microphone was found on this computer: plug one in and look again, or use the browser microphone"
    return [(texts.SYSTEM_DEFAULT, ""), *((one.name, str(one.index)) for one in found)], "" if found else notice(none)


def start_computer(recognizer: Recognizer, ear: ComputerEar, device: str) -> tuple[str, str]:
    """Open the microphone of this computer."""
    ear.start(recognizer, device or None)
    return view(ear.look(), names_of(recognizer)), ""


def look_computer(recognizer: Recognizer, ear: ComputerEar) -> tuple[str, str, bool]:
    """The screen, a notice, and whether to look again."""
    moment, running = ear.look(), ear.running
    sentence = trouble(ear.error) if ear.error else ""
    return view(moment, names_of(recognizer)), sentence, running


def build_tab(recognizer: Recognizer) -> Tab:
    """Inside `gr.Blocks`: the components and their events."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    ear, computer = gr.State(LiveEar()), gr.State(ComputerEar())
    with gr.Column(visible=False, elem_classes="empty-state") as empty:
        gr.HTML(f'<h2>{texts.EMPTY_TITLE}</h2><p>{texts.EMPTY_TEXT}</p><p class="quiet">{texts.SYNTHETIC}</p>')
        try_it = gr.Button(texts.EXAMPLES_BUTTON, variant="primary", elem_id="live-examples")
    said = gr.HTML("", elem_id="live-notice")
    with gr.Row(elem_classes="live-row", visible=False) as ready:
        with gr.Column(scale=1, min_width=280, elem_classes="live-controls"):
            where = gr.Radio(
                [texts.BROWSER_MICROPHONE, texts.COMPUTER_MICROPHONE],
                value=texts.BROWSER_MICROPHONE,
                label=texts.LIVE_SOURCE,
                elem_id="live-source",
            )
            with gr.Column(elem_id="live-browser") as browser_box:
                microphone = gr.Audio(
                    sources=["microphone"],
                    type="filepath",
                    streaming=True,
                    label=texts.LISTENING_LABEL,
                    show_label=False,
                    elem_id="live-microphone",
                    buttons=[],
                )
            with gr.Column(visible=False, elem_id="live-computer") as computer_box:
                device = gr.Dropdown([(texts.SYSTEM_DEFAULT, "")], value="", label=texts.DEVICE, elem_id="live-device")
                with gr.Row():
                    start = gr.Button(texts.START, variant="primary", elem_id="live-start")
                    stop = gr.Button(texts.STOP, elem_id="live-stop")
                again = gr.Button(texts.FIND_DEVICES, size="sm", elem_id="live-devices")
            gr.HTML(f'<p class="quiet">{texts.LIVE_HINT}</p>')
        with gr.Column(scale=3, min_width=320):
            screen = gr.HTML(view(Moment(), {}), elem_id="live-screen")
            gr.HTML(f'<p class="quiet">{texts.NO_LOCK}</p>')
    timer = gr.Timer(SLICE_SECONDS, active=False)

    microphone.start_recording(partial(begun, recognizer), ear, [screen, said], **private)
    microphone.stop_recording(partial(stopped, recognizer), ear, screen, **private)
    microphone.stream(
        partial(hear_slice, recognizer),
        [microphone, ear],
        [screen, said],
        stream_every=SLICE_SECONDS,
        time_limit=SESSION_SECONDS,
        concurrency_limit=VISITORS,
        **private,
    )

    def switched(choice: str, ears: ComputerEar) -> tuple:
        here = choice == texts.COMPUTER_MICROPHONE
        ears.stop()
        choices, sentence = device_choices() if here else ([(texts.SYSTEM_DEFAULT, "")], "")
        shown = gr.update(choices=choices, value="")
        return gr.update(visible=not here), gr.update(visible=here), shown, sentence, gr.Timer(active=False)

    def started(ears: ComputerEar, which: str) -> tuple:
        return *start_computer(recognizer, ears, which), gr.Timer(active=True)

    def ticked(ears: ComputerEar) -> tuple:
        html, sentence, more = look_computer(recognizer, ears)
        return html, sentence or gr.skip(), gr.Timer(active=more)

    def ended(ears: ComputerEar) -> tuple:
        ears.stop()
        return view(ears.look(), names_of(recognizer)), gr.Timer(active=False)

    def learned() -> Iterator[str]:
        yield from enrol_examples(recognizer)

    where.change(switched, [where, computer], [browser_box, computer_box, device, said, timer], **private)
    again.click(switched, [where, computer], [browser_box, computer_box, device, said, timer], **private)
    start.click(started, [computer, device], [screen, said, timer], **private)
    stop.click(ended, computer, [screen, timer], **private)
    timer.tick(ticked, computer, [screen, said, timer], concurrency_limit=VISITORS, **private)
    enrolled = try_it.click(learned, None, said, concurrency_id="enrol", concurrency_limit=1, **private)

    def refresh() -> list[gr.Column]:
        nobody = not recognizer.store.profiles()
        return [gr.Column(visible=nobody), gr.Row(visible=not nobody)]

    return Tab([empty, ready], refresh, [enrolled], [ear, computer])
