"""The Link or file tab: who speaks when in a recording."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from html import escape
from pathlib import Path

from core.errors import SourceError
from core.recognizer import Recognizer
from core.sources.youtube import parse_link
from core.timeline import FORMATS
from demo import texts, timeline_view
from demo.examples import clip
from demo.job import Job, Work
from demo.live import names_of
from demo.notice_view import notice, progress, trouble
from demo.tab import Tab

FILE_TYPES = ["audio", "video"]
JOBS = 2  # recordings judged at the same time


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


def results(job: Job, names: dict[str, str]) -> str:
    """Timeline, talk time and table of what has been judged until now."""
    if not job.answers:
        return f'<div class="results-empty">{texts.RESULTS_EMPTY}</div>'
    answers = job.answers[:]
    lanes = timeline_view.lanes(answers, names, start=0.0, end=answers[-1].segment.end)
    return (
        f'<div class="results"><section class="timeline"><h3>{escape(job.title)}</h3>{lanes}</section>'
        f"{timeline_view.talk_time(answers, names)}{timeline_view.table(answers, names)}</div>"
    )


def exports(job: Job, folder: Path) -> dict[str, str]:
    """The timeline written in every format: format -> path."""
    target = Path(tempfile.mkdtemp(prefix="export-", dir=folder))
    stem = re.sub(r"[^\w.-]+", "_", Path(job.title).stem).strip("._")[:60] or "timeline"
    paths = {}
    for form in FORMATS:
        path = target / f"{stem}.{form}"
        path.write_text(job.timeline().export(form), encoding="utf-8")
        paths[form] = str(path)
    return paths


def private_folder() -> Path:
    """Where this process keeps what the browser may fetch; gone when the app ends."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())


def listen(recognizer: Recognizer, job: Job, work: Work) -> Iterator[tuple[str, str, str | None]]:
    """Judge `work`; yields status and results as HTML, and the file to play, while they grow."""
    names, folder = names_of(recognizer), private_folder()
    for _ in job.run(recognizer, work, folder):
        yield progress(job.step or texts.LOOKING_UP, job.fraction), results(job, names), job.player
    yield _status(job, bool(names)), results(job, names), job.player


def _status(job: Job, anybody: bool) -> str:
    if job.error is not None:
        return trouble(job.error)
    if job.cancelled:
        return notice(texts.CANCELLED)
    done = notice(texts.DONE.format(count=len(job.answers), title=job.title), "good")
    return done if anybody else done + notice(texts.DONE_NOBODY)


def build_tab(recognizer: Recognizer) -> Tab:
    """Inside `gr.Blocks`: the components and their events."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    job = gr.State(Job())
    with gr.Row(elem_classes="file-row"):
        with gr.Column(scale=1, min_width=300):
            upload = gr.File(
                label=texts.FILE, file_types=FILE_TYPES, type="filepath", height=150, elem_id="file-upload"
            )
            link = gr.Textbox(label=texts.LINK, placeholder=texts.LINK_HOLDER, max_lines=1, elem_id="file-link")
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
            player = gr.Audio(
                label=texts.PLAYER, type="filepath", interactive=False, visible=False, elem_id="file-player", buttons=[]
            )
            shown = gr.HTML(results(Job(), {}), elem_id="file-results")
            with gr.Column(visible=False) as saving:
                gr.HTML(f"<h3>{texts.DOWNLOADS}</h3>")
                with gr.Row(elem_classes="pair"):
                    saves = [
                        gr.DownloadButton(form.upper(), size="sm", min_width=80, elem_id=f"save-{form}")
                        for form in FORMATS
                    ]

    outputs = [status, shown, player, cancel, run, saving, *saves]
    resting = (gr.update(interactive=False), gr.update(interactive=True))  # Cancel, Run
    busy = (gr.update(interactive=True), gr.update(interactive=False))

    def go(current: Job, work: Work) -> Iterator[tuple]:
        keep = [gr.skip() for _ in FORMATS]
        yield (
            progress(texts.LOOKING_UP, None),
            results(Job(), {}),
            gr.update(value=None, visible=False),
            *busy,
            gr.update(visible=False),
            *keep,
        )
        playing = None
        try:
            for said, html, path in listen(recognizer, current, work):
                player_now = gr.skip() if path == playing else gr.update(value=path, visible=True)
                playing = path
                yield said, html, player_now, *busy, gr.skip(), *keep
            files = exports(current, private_folder()) if current.answers else {}
            links = [gr.update(value=files[form]) for form in FORMATS] if files else keep
            yield gr.skip(), gr.skip(), gr.skip(), *resting, gr.update(visible=bool(files)), *links
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield trouble(error), gr.skip(), gr.skip(), *resting, gr.skip(), *keep

    def asked(current: Job, path: str | None, address: str, first: str, last: str) -> Iterator[tuple]:
        try:
            work = work_of(path, address, first, last)
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield trouble(error), *(gr.skip() for _ in outputs[1:])
            return
        yield from go(current, work)

    def example(name: str, current: Job) -> Iterator[tuple]:
        played = private_folder() / clip(name).name  # the browser may fetch files from there only
        shutil.copyfile(clip(name), played)
        yield from go(current, Work(path=str(played)))

    limits = {"concurrency_id": "jobs", "concurrency_limit": JOBS}
    run.click(asked, [job, upload, link, start, end], outputs, **limits, **private)
    link.submit(asked, [job, upload, link, start, end], outputs, **limits, **private)
    for name, button in tries.items():
        button.click(partial(example, name), job, outputs, **limits, **private)
    cancel.click(lambda current: current.cancel(), job, None, **private)
    return Tab([], list)
