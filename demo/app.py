"""The app: four tabs over one `Recognizer`, served on this computer only, or to others who know the password."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.audio import SEGMENT_SAMPLES
from core.errors import SpeakerError, reason
from core.recognizer import Recognizer
from demo import gradio_stubs, ports, texts
from demo.allocator import few_arenas
from demo.doorkeeper import MIN_PASSWORD, PASSWORD_VARIABLE, Doorkeeper, is_loopback, login
from demo.environment import environment
from demo.leavings import Leavings
from demo.own_folder import fit_names, own_folder
from demo.slices import sweep
from demo.window import closed_politely

if TYPE_CHECKING:
    import gradio as gr

DEFAULT_HOST = "127.0.0.1"
MAX_FILE_SIZE = "2gb"  # three hours of CD-quality WAV
MAX_QUEUE = 64  # events waiting
QUEUE_LOOK_SECONDS = 0.01  # s between looks at an empty queue: Gradio's 0.001 costs 5 % of a core, day and night
LOOK_SECONDS = 0.25  # s between looks at signals: on Windows none wakes a thread that waits
SESSIONS = 300  # pages whose state is kept
DELETE_EVERY_SECONDS = 60  # s between looks at files that browsers sent or fetched
DELETE_AFTER_SECONDS = 86_400  # s: for what `demo.leavings` may have missed; a page that is open keeps its files


def build(recognizer: Recognizer) -> gr.Blocks:
    """The page, not yet served."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    gradio_stubs.leave_out()
    import gradio as gr

    from demo import compare, compare_texts, link_or_file, live, speakers
    from demo.api import build_api
    from demo.page import Page

    with Page(
        title=texts.TITLE, analytics_enabled=False, delete_cache=(DELETE_EVERY_SECONDS, DELETE_AFTER_SECONDS)
    ) as page:
        gr.HTML(
            f'<header class="top"><h1>{texts.TITLE}</h1><p>{texts.SUBTITLE}</p><p class="quiet">{texts.PRIVACY}</p>'
            "</header>"
        )
        with gr.Tabs():
            with gr.Tab(texts.LIVE, id="live", elem_id="tab-live") as live_tab:
                tabs = [live.build_tab(recognizer)]
            with gr.Tab(texts.LINK_OR_FILE, id="file", elem_id="tab-file"):
                tabs.append(link_or_file.build_tab(recognizer))
            with gr.Tab(texts.SPEAKERS, id="speakers", elem_id="tab-speakers") as speakers_tab:
                tabs.append(speakers.build_tab(recognizer))
            with gr.Tab(compare_texts.COMPARE, id="compare", elem_id="tab-compare") as compare_tab:
                tabs.append(compare.build_tab(recognizer, tabs[0].ears))

        watched = [component for tab in tabs for component in tab.watched]

        def refresh() -> list:
            return [value for tab in tabs for value in tab.refresh()]

        private = {"api_visibility": "private", "show_progress": "hidden"}
        page.load(refresh, None, watched, **private)
        for event in (change for tab in tabs for change in tab.changes):
            event.then(refresh, None, watched, **private)
        for tab in (live_tab, speakers_tab, compare_tab):
            tab.select(refresh, None, watched, **private)
        build_api(recognizer)
    page.queue(max_size=MAX_QUEUE, default_concurrency_limit=8, api_open=False)
    page._queue.sleep_when_free = QUEUE_LOOK_SECONDS
    return page


def launch(
    *,
    home: str | Path | None,
    host: str = DEFAULT_HOST,
    port: int | None = None,
    open_browser: bool = True,
    password: str | None = None,
):
    """Serve the app until Ctrl+C or SIGTERM; raises `SpeakerError` when it cannot start.

    `home`: folder of the speaker store. `port`: None takes the first free one from 7860 on. `password`: what other
    computers must say; without one they are not served (see `demo.doorkeeper.password_for`).
    """
    if not is_loopback(host) and not password:
        raise SpeakerError(texts.PASSWORD_NEEDED.format(host=host, variable=PASSWORD_VARIABLE, count=MIN_PASSWORD))
    _check_address(host, port)
    few_arenas()
    gradio_stubs.leave_out()
    print(texts.STARTING, flush=True)
    with closed_politely() as closing, own_folder() as folder, _ended_politely():
        loading = _Loading(home)
        recognizer = loading.ready()  # importing Gradio and loading the weights go on at the same time
        fit_names(folder)
        page = build(recognizer)
        url = _serve(page, recognizer, host=host, port=port, open_browser=open_browser, password=password)
        print(texts.READY.format(url=url), flush=True)
        never = threading.Event()
        try:
            while not never.wait(LOOK_SECONDS):  # a signal that another thread receives is seen when this one wakes
                pass
        except KeyboardInterrupt:
            pass
        finally:
            if closing.is_set():  # Windows does not wait until pages that are open are done
                page.server.should_exit = True
            else:
                page.close(verbose=False)
            for session in list(page.app.state_holder.session_data):
                forget(page, session)  # Windows deletes no file that is open


class _Loading:
    """A `Recognizer` being loaded in the background, and then warmed: sklearn, ONNX Runtime, filters."""

    def __init__(self, home: str | Path | None):
        self._home = home
        self._loaded = threading.Event()
        self._outcome: Recognizer | Exception | None = None
        threading.Thread(target=self._load, name="load", daemon=True).start()

    def ready(self) -> Recognizer:
        """The recognizer; raises what went wrong."""
        import gradio  # noqa: F401 - the slow import, while the weights load

        self._loaded.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _load(self) -> None:
        try:
            self._outcome = Recognizer(self._home)
        except Exception as error:  # noqa: BLE001 - raised by `ready`
            self._outcome = error
            self._loaded.set()
            return
        self._loaded.set()
        try:
            self._outcome.heads()
            self._outcome.embedder.embed([np.random.default_rng(0).normal(0, 0.1, SEGMENT_SAMPLES).astype(np.float32)])
        except Exception:  # noqa: BLE001 - the first answer meets it again and says it
            logging.getLogger("demo").warning("warming up failed", exc_info=True)


def _check_address(host: str, port: int | None) -> None:
    """Find out before the weights load; Gradio finds it out last, and waits five seconds for each port."""
    if error := ports.refused(host, port or 0):
        text = texts.PORT_TAKEN if ports.is_taken(error) else texts.NOT_SERVED
        raise SpeakerError(text.format(port=port, host=host, reason=reason(error))) from error


def forget(page: gr.Blocks, session: str) -> None:
    """A page is gone: let go of what its session holds, and of slices that nobody takes any more."""
    page.forget(session)
    sweep()


def _serve(
    page: gr.Blocks, recognizer: Recognizer, *, host: str, port: int | None, open_browser: bool, password: str | None
) -> str:
    from starlette.middleware import Middleware

    from demo.page import Sessions
    from demo.theme import CSS_PATH, theme

    local = is_loopback(host)
    apart = [
        number
        for number, event in page.fns.items()
        if event.api_visibility == "public" or any(kind == "stream" for _, kind in event.targets)
    ]
    doors = [
        Middleware(Doorkeeper, local=local, host=host, awaited=page.awaited, asked=page.asked),
        Middleware(Leavings, forget=partial(forget, page), apart=apart, queued=lambda: len(page._queue) > 0),
    ]
    try:
        with environment(**_past_proxies(host)):
            _, url, _ = page.launch(
                server_name=f"[{host}]" if ":" in host else host,  # as in an address
                server_port=port,
                inbrowser=open_browser,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                show_error=False,
                run_history=False,
                footer_links=[],
                allowed_paths=[],
                blocked_paths=[str(recognizer.store.home.resolve())],
                auth=None if local else login(password),
                auth_message=None if local else texts.PASSWORD_PAGE,
                app_kwargs={"middleware": doors},
                max_file_size=MAX_FILE_SIZE,
                strict_cors=True,
                ssr_mode=False,
                pwa=False,
                enable_monitoring=False,
                mcp_server=False,
                state_session_capacity=SESSIONS,
                theme=theme(),
                css_paths=[CSS_PATH, CSS_PATH.with_name("compare.css"), CSS_PATH.with_name("people.css")],
            )
    except OSError as error:
        raise SpeakerError(texts.PORT_TAKEN.format(port=port or "7860 to 7959", host=host)) from error
    except Exception as error:  # Gradio's own are plain ones
        page.close(verbose=False)
        raise SpeakerError(texts.NOT_SERVED.format(host=host, reason=reason(error))) from error
    page.state_holder.session_data = Sessions(page.state_holder.session_data)
    return url


def _past_proxies(host: str) -> dict[str, str]:
    """The variables for Gradio's start, when it asks itself at its own address whether it has started: no proxy is to
    hear of that. Only meanwhile, as links are fetched through the proxy; and where the variable is set, httpx does not
    ask the system for others."""
    ours = ["127.0.0.1", "localhost", "::1", host]
    return {name: ",".join(filter(None, [os.environ.get(name), *ours])) for name in ("NO_PROXY", "no_proxy")}


@contextmanager
def _ended_politely() -> Iterator[None]:
    """SIGTERM ends the app as Ctrl+C does, so that its folder is wiped; so do a terminal that is closed (SIGHUP, not
    under nohup) and Ctrl+Break on Windows; for windows that are closed there see `demo.window`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {one: signal.getsignal(one) for one in numbers}
    before = {one: handler for one, handler in before.items() if handler is not signal.SIG_IGN}
    for one in before:
        signal.signal(one, interrupt)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
