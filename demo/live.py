"""The Live tab: a microphone, and who speaks into it now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from core.errors import MicrophoneError, reason
from core.recognizer import Recognizer
from core.sources.microphone import devices
from core.timeline import FORMATS
from demo import texts
from demo.computer_ear import ComputerEar
from demo.examples import enrol_examples, untrue
from demo.exporting import private_folder
from demo.live_ear import SESSION_SECONDS, LiveEar, Moment
from demo.live_session import SavedSession, save
from demo.live_view import microphone_warning, view
from demo.notice_view import notice, trouble
from demo.palette import colours
from demo.sight import HIDDEN, layout, seen, visibility
from demo.slices import stamp, sweep_now_and_then, sweep_soon
from demo.tab import Tab
from demo.verdict import build_live_row

SLICE_SECONDS = 1.0  # s between slices of the browser's microphone, and between looks at the computer's
VISITORS = 10  # streams at the same time: each holds its place in the queue
SCRIPT = Path(__file__).with_name("live.js")
STOP_BROWSER = "() => { const stop = document.querySelector('#live-microphone .stop-button'); stop && stop.click(); }"


def names_of(recognizer: Recognizer) -> dict[str, str]:
    """Name -> colour of everybody enrolled."""
    return colours([profile.name for profile in recognizer.store.profiles()])


def screen_of(recognizer: Recognizer, moment: Moment) -> str:
    """The live screen with everybody's colours, and a warning where the microphone is another one."""
    return view(moment, names_of(recognizer), warning=microphone_warning(recognizer, moment))


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
            ear.hear(samples, rate, complete=stamp(path))
        sweep_now_and_then()
        return screen_of(recognizer, ear.look(recognizer)), ""
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return view(ear.moment, {}), trouble(error)


def stopped(recognizer: Recognizer, ear: LiveEar) -> tuple[str, SavedSession, str]:
    """The screen after the browser's microphone was stopped, the last answer stays; the session to be saved, and a
    notice where it cannot be."""
    moment = ear.end(recognizer)
    sweep_soon()
    return screen_of(recognizer, moment), *kept(recognizer, ear)


def kept(recognizer: Recognizer, ear: LiveEar) -> tuple[SavedSession, str]:
    """The session to be saved, and a notice where it cannot be."""
    try:
        return save(recognizer, ear), ""
    except OSError as error:
        return SavedSession(), notice(texts.SAVE_FAILED.format(reason=reason(error)), "error")


def begun(recognizer: Recognizer, ear: LiveEar, keep: bool) -> tuple[str, str]:
    """A fresh screen for a fresh recording, whose sound is kept where that is wished and there is room for it."""
    said = fresh(lambda keep_in: ear.begin(keep_in=keep_in), keep)
    return view(Moment(opening=True), names_of(recognizer)), said


def fresh(begin: Callable[[Path | None], None], keep: bool) -> str:
    """Begin a session; a notice where its sound is to be kept and cannot be."""
    try:
        begin(private_folder() if keep else None)
    except (OSError, RuntimeError) as error:  # soundfile's own
        begin(None)
        return notice(texts.KEEP_FAILED.format(reason=reason(error)), "error")
    return ""


def device_choices() -> tuple[list[tuple[str, str]], str]:
    """(label, value) of the input devices, the default first, and a notice where there is none."""
    try:
        found = devices()
    except MicrophoneError as error:
        return [(texts.SYSTEM_DEFAULT, "")], trouble(error)
    shown = [(texts.SYSTEM_DEFAULT, ""), *((one.name, one.key) for one in found)]
    return shown, "" if found else notice(texts.DEVICES_NONE)


def start_computer(recognizer: Recognizer, ear: ComputerEar, device: str, keep: bool = False) -> tuple[str, str]:
    """Open the microphone of this computer."""
    said = fresh(lambda keep_in: ear.start(recognizer, device or None, keep_in=keep_in), keep)
    return view(ear.look(), names_of(recognizer)), said


def look_computer(recognizer: Recognizer, ear: ComputerEar) -> tuple[str, str, bool]:
    """The screen, a notice, and whether to look again."""
    running, moment = ear.running, ear.look()
    sentence = trouble(ear.error) if ear.error else ""
    return screen_of(recognizer, moment), sentence, running


def refusals() -> str:
    """Place for what `live.js` says when the browser keeps its microphone to itself."""
    said = {
        "denied": texts.DENIED,
        "plain": texts.DENIED_PLAIN,
        "none": texts.NO_BROWSER_MICROPHONE,
        "silent": texts.SILENT_MICROPHONE,
    }
    data = "".join(f' data-{name}="{escape(text, quote=True)}"' for name, text in said.items())
    return f'<div class="notice notice-error" role="alert"{data} hidden></div>'


def build_tab(recognizer: Recognizer) -> Tab:
    """Inside `gr.Blocks`: the components and their events."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    ear, computer, revision = gr.State(LiveEar()), gr.State(ComputerEar()), gr.State(-1)
    with gr.Column(**layout(False, "empty-state")) as empty:
        gr.HTML(f'<h2>{texts.EMPTY_TITLE}</h2><p>{texts.EMPTY_TEXT}</p><p class="quiet">{texts.SYNTHETIC}</p>')
        try_it = gr.Button(texts.EXAMPLES_BUTTON, variant="primary", elem_id="live-examples")
    learning = gr.HTML("", elem_id="live-learning")
    with gr.Row(**layout(False, "live-row")) as ready:  # a microphone that listens there is stopped first
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
            with gr.Column(**layout(False), elem_id="live-computer") as computer_box:
                device = gr.Dropdown([(texts.SYSTEM_DEFAULT, "")], value="", label=texts.DEVICE, elem_id="live-device")
                with gr.Row(elem_classes="pair"):
                    start = gr.Button(texts.START, variant="primary", min_width=90, elem_id="live-start")
                    stop = gr.Button(texts.STOP, min_width=90, interactive=False, elem_id="live-stop")
                again = gr.Button(texts.FIND_DEVICES, size="sm", elem_id="live-devices")
            said = gr.HTML("", elem_id="live-notice")
            watcher = gr.HTML(refusals(), js_on_load=SCRIPT.read_text(encoding="utf-8"), elem_id="live-denied")
            build_live_row(recognizer, ear, computer)
            with gr.Column(**layout(False), elem_id="live-save") as saving:
                gr.HTML(f"<h3>{texts.SESSION_SAVE}</h3>")
                with gr.Row(elem_classes="pair"):
                    saves = [
                        gr.DownloadButton(form.upper(), size="sm", min_width=60, elem_id=f"live-save-{form}")
                        for form in FORMATS
                    ]
                sound = gr.DownloadButton(texts.SOUND, size="sm", visible=HIDDEN, elem_id="live-save-sound")
            keep = gr.Checkbox(label=texts.KEEP_SOUND, info=texts.KEEP_SOUND_NOTE, elem_id="live-keep")
            gr.HTML(f'<p class="quiet">{texts.LIVE_HINT}</p>')
        with gr.Column(scale=3, min_width=320):
            screen = gr.HTML(view(Moment(), {}), elem_id="live-screen")
            gr.HTML(f'<p class="quiet">{texts.NO_LOCK}</p>')
    timer = gr.Timer(SLICE_SECONDS, active=False)
    files = [saving, *saves, sound]

    def offered(saved: SavedSession) -> tuple:
        """Updates of `files`."""
        links = [gr.update(value=saved.timelines.get(form)) for form in FORMATS]
        sounding = gr.update(value=saved.sound, visible=seen(saved.sound is not None))
        return visibility(saving, saved.timelines), *links, sounding

    def _begun(current: LiveEar, wished: bool) -> tuple:
        return *begun(recognizer, current, wished), visibility(saving, False), ""

    def _stopped(current: LiveEar) -> tuple:
        html, saved, sentence = stopped(recognizer, current)
        return html, sentence or gr.skip(), *offered(saved)

    microphone.start_recording(_begun, [ear, keep], [screen, said, saving, learning], **private)
    microphone.stop_recording(_stopped, ear, [screen, said, *files], **private)
    watcher.stop(_stopped, ear, [screen, said, *files], **private)  # the browser gave no microphone
    microphone.stream(
        partial(hear_slice, recognizer),
        [microphone, ear],
        [screen, said],
        stream_every=SLICE_SECONDS,
        time_limit=round(SESSION_SECONDS) + 60,  # later than the ear, which says so
        concurrency_limit=VISITORS,
        **private,
    )

    resting, busy = _buttons(gr, listening=False), _buttons(gr, listening=True)

    def switched(choice: str, ears: ComputerEar) -> tuple:
        """Another microphone: what this computer's heard until now is not lost."""
        here, listened = choice == texts.COMPUTER_MICROPHONE, ears.running
        ears.stop()
        saved, lost = kept(recognizer, ears.ear) if listened else (None, "")
        links = offered(saved) if listened else tuple(gr.skip() for _ in files)
        screened = screen_of(recognizer, ears.look()) if listened else gr.skip()
        shown, sentence = found_devices() if here else (gr.update(choices=[(texts.SYSTEM_DEFAULT, "")], value=""), "")
        boxes = gr.update(visible=not here), visibility(computer_box, here)  # a microphone taken away is closed
        return *boxes, shown, sentence or lost, gr.Timer(active=False), *resting, screened, *links

    def found_devices() -> tuple:
        choices, sentence = device_choices()
        return gr.update(choices=choices, value=""), sentence

    def started(ears: ComputerEar, which: str, wished: bool) -> tuple:
        html, sentence = start_computer(recognizer, ears, which, wished)
        return html, sentence, gr.Timer(active=True), *busy, visibility(saving, False), ""

    def ticked(ears: ComputerEar) -> tuple:
        if not recognizer.store.profiles():
            ears.stop()  # everybody was deleted meanwhile: the page has no place for it any more
        html, sentence, more = look_computer(recognizer, ears)
        if more:
            return html, gr.skip(), gr.skip(), *(gr.skip() for _ in range(2 + len(files)))
        saved, lost = kept(recognizer, ears.ear)
        return html, sentence or lost, gr.Timer(active=False), *resting, *offered(saved)

    def ended(ears: ComputerEar) -> tuple:
        ears.stop()
        html, sentence, _ = look_computer(recognizer, ears)
        saved, lost = kept(recognizer, ears.ear)
        return html, sentence or lost, gr.Timer(active=False), *resting, *offered(saved)

    def learned() -> Iterator[str]:
        yield from enrol_examples(recognizer)

    boxes = [browser_box, computer_box, device, said, timer, start, stop, screen, *files]
    where.change(None, None, None, js=STOP_BROWSER, **private)  # before its button is gone
    where.change(switched, [where, computer], boxes, **private)
    again.click(found_devices, None, [device, said], **private)
    listening = [screen, said, timer, start, stop, saving, learning]
    start.click(started, [computer, device, keep], listening, **private)
    stop.click(ended, computer, [screen, said, timer, start, stop, *files], **private)
    timer.tick(ticked, computer, [screen, said, timer, start, stop, *files], concurrency_limit=VISITORS, **private)
    enrolled = try_it.click(learned, None, learning, concurrency_id="enrol", concurrency_limit=1, **private)
    revision.change(lambda html: "" if untrue(recognizer, html) else gr.skip(), learning, learning, **private)

    def refresh() -> list[Any]:
        nobody = not recognizer.store.profiles()
        rooms = visibility(empty, nobody), visibility(ready, not nobody)
        return [*rooms, recognizer.store.revision()]

    return Tab([empty, ready, revision], refresh, [enrolled], [ear, computer])


def _buttons(gr: Any, *, listening: bool) -> tuple:
    """Start and Stop, one of them open."""
    return gr.update(interactive=not listening), gr.update(interactive=listening)
