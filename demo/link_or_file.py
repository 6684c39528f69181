"""The Link or file tab: who speaks when in a recording."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.errors import SourceError
from core.recognizer import Recognizer
from core.sources.youtube import parse_link
from core.timeline import FORMATS
from demo import job_view, texts
from demo.enrol_here import build_panel
from demo.examples import clip
from demo.exporting import private_folder, write_exports
from demo.job import Job, Work
from demo.link_card import Looked, look_at_file, look_up, readable, waiting
from demo.live import names_of
from demo.notice_view import SETTLED, progress, trouble
from demo.sight import layout, visibility
from demo.tab import Tab

# Endings of sound and film that not every system knows as that.
ENDINGS = "aac ac3 amr ape asf caf flac flv m2ts m4a m4b m4v mka mkv mts mxf oga ogg ogv opus rf64 spx ts w64 wave weba"
ENDINGS += " webm wma wmv wv"
FILE_TYPES = ["audio", "video", *(f".{ending}" for ending in ENDINGS.split())]  # what can be chosen
WAITING = 12  # recordings that wait or are judged: each holds its place in the queue
SCRIPT = Path(__file__).with_name("player.js")
# on a phone what comes of a press lies below the screen
SHOW_STATUS = """() => {
  const place = document.querySelector("#file-status");
  if (place.getBoundingClientRect().top > innerHeight - 150) place.scrollIntoView();
}"""


def seconds_of(text: str) -> float | None:
    """'' -> None, '90' or '1:30' or '0:01:30' -> 90.0; `SourceError` for anything else."""
    text = (text or "").strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d+)?|\d{1,3}(:[0-5]?\d){1,2}(\.\d+)?", text, re.ASCII):
        raise SourceError(texts.BAD_TIME.format(text=text[:20]))
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def work_of(path: str | None, link: str, start: str, end: str) -> Work:
    """What the form asks for; `SpeakerError` where it does not say."""
    link = (link or "").strip()
    if not path and not link:
        raise SourceError(texts.NOTHING_GIVEN)
    if path and link:
        raise SourceError(texts.BOTH_GIVEN)
    if link:
        parse_link(link)
    return Work(path=path or None, link=link or None, start=seconds_of(start), end=seconds_of(end))


def exports(job: Job, folder: Path) -> dict[str, str]:
    """The timeline written in every format: format -> path."""
    paths = write_exports(job.timeline(), folder, of_file=not job.is_link)
    job.written += paths.values()
    return paths


def listen(recognizer: Recognizer, job: Job, work: Work) -> Iterator[tuple[str, str, str, str | None]]:
    """Judge `work`; yields status, timeline and details as HTML, and the file to play, while they grow."""
    names = names_of(recognizer)
    for _ in job.run(recognizer, work, private_folder()):
        yield job_view.stages(job), job_view.timeline(job, names), job_view.details(job, names), job.player
    said = job_view.outcome(job, bool(names))
    heard = job.player if job.answers or job.error is None else None  # what cannot be read cannot be played
    yield said, job_view.timeline(job, names), job_view.details(job, names), heard


def build_tab(recognizer: Recognizer) -> Tab:
    """Inside `gr.Blocks`: the components and their events."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    job, looked = gr.State(Job()), gr.State(Looked())
    with gr.Row(elem_classes="file-row"):
        with gr.Column(scale=1, min_width=300):
            upload = gr.File(
                label=texts.FILE, file_types=FILE_TYPES, type="filepath", height=120, elem_id="file-upload"
            )
            link = gr.Textbox(label=texts.LINK, placeholder=texts.LINK_HOLDER, max_lines=1, elem_id="file-link")
            card = gr.HTML("", elem_id="file-card")
            with gr.Row(elem_classes="pair"):
                start = gr.Textbox(label=texts.FROM, placeholder=texts.TIME_HOLDER, max_lines=1, min_width=90)
                end = gr.Textbox(label=texts.TO, placeholder=texts.TO_HOLDER, max_lines=1, min_width=90)
            with gr.Row(elem_classes="pair"):
                run = gr.Button(texts.RUN, variant="primary", scale=3, min_width=150, elem_id="file-run")
                cancel = gr.Button(texts.CANCEL, scale=1, min_width=80, interactive=False, elem_id="file-cancel")
            gr.HTML(f'<h3 class="examples-title">{texts.EXAMPLES_TITLE}</h3>')
            with gr.Row(elem_classes="examples"):
                tries = {
                    name: gr.Button(label, size="sm", min_width=80, elem_id=f"example-{name}")
                    for name, label in texts.EXAMPLE_CLIPS.items()
                }
        with gr.Column(scale=2, min_width=320):
            status = gr.HTML("", elem_id="file-status")
            player = gr.HTML("", elem_id="file-player")
            shown = gr.HTML(
                job_view.timeline(Job(), {}), js_on_load=SCRIPT.read_text(encoding="utf-8"), elem_id="file-results"
            )
            here, enrolled = build_panel(recognizer, job, shown)
            with gr.Column(**layout(False), elem_id="file-save") as saving:
                gr.HTML(f"<h3>{texts.DOWNLOADS}</h3>")
                with gr.Row(elem_classes="pair"):
                    saves = [
                        gr.DownloadButton(form.upper(), size="sm", min_width=80, elem_id=f"save-{form}")
                        for form in FORMATS
                    ]
            details = gr.HTML("", elem_id="file-details")

    outputs = [job, status, shown, details, player, cancel, run, saving, card, *here, *saves]
    resting = {cancel: gr.update(interactive=False), run: gr.update(interactive=True)}
    busy = {cancel: gr.update(interactive=True), run: gr.update(interactive=False)}

    def go(before: Job, work: Work, *, looked_up: bool = True) -> Iterator[dict]:
        """`looked_up`: what the card says is no failure, which is asked for once more."""
        before.followed = True
        before.leave()  # what it has to say is of no interest any more
        current, playing = Job(), None
        fresh = {job: current, status: progress(texts.BEGINNING, None), shown: job_view.timeline(current, {})}
        again = {} if looked_up else {card: ""}
        yield {**fresh, **again, details: "", player: "", saving: visibility(saving, False), **busy, **here}
        try:
            for said, lanes, rows, path in listen(recognizer, current, work):
                if current.left:
                    break
                news = {status: said, shown: lanes, details: rows}
                yield news if path == playing else {**news, player: job_view.player(path)}
                playing = path
            if current.left:  # Gradio says the last update of a generator once more, over that of another recording
                yield {status: gr.skip()} if current.followed else resting
                return
            files = exports(current, private_folder()) if current.answers else {}
            links = {button: files[form] for form, button in zip(FORMATS, saves, strict=True)} if files else {}
            yield {**resting, saving: visibility(saving, files), **links}
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield {status: trouble(error), **resting}

    def asked(before: Job, path: str | None, address: str, first: str, last: str, known: Looked) -> Iterator[dict]:
        try:
            work = work_of(path, address, first, last)
            if known.address == work.link:
                work = replace(work, video=known.video)
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield {status: trouble(error)}
            return
        yield from go(before, work, looked_up=not work.link or work.video is not None)

    def example(name: str, before: Job) -> Iterator[dict]:
        try:
            played = Path(tempfile.mkdtemp(prefix="example-", dir=private_folder())) / clip(name).name
            shutil.copyfile(clip(name), played)  # the browser may fetch files from there only
        except OSError as error:
            yield {status: trouble(error)}
            return
        yield from go(before, Work(path=str(played), copied=True))

    def look(address: str, before: Looked) -> Iterator[tuple]:
        if readable(address) and (address or "").strip() != before.address:
            yield waiting(), Looked()
        yield look_up(address, before)

    limits = {"concurrency_id": "jobs", "concurrency_limit": WAITING}
    form = [job, upload, link, start, end, looked]
    run.click(asked, form, outputs, **limits, **private)
    link.submit(asked, form, outputs, **limits, **private)
    for name, button in tries.items():
        button.click(partial(example, name), job, outputs, **limits, **private)
    gr.on([run.click, *(one.click for one in tries.values())], None, None, None, js=SHOW_STATUS, **private)
    cancel.click(lambda current: current.cancel(), job, None, **private)
    link.change(look, [link, looked], [card, looked], trigger_mode="always_last", **private)
    upload.change(look_at_file, upload, card, **private)
    mended = [upload.upload, upload.clear, link.change, start.change, end.change]
    gr.on(mended, None, status, status, js=SETTLED, **private)
    return Tab([], list, [enrolled])
