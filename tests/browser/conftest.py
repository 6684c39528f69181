"""What tests in a browser share: the app on a port of its own, people enrolled, and a page with a fake microphone.

Asked for in this order: people (`known`) before `app`, which reads them at its start.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import soundfile

from core.audio import resample, to_flac
from core.embedder import Embedder
from core.recognizer import Recognizer
from tests.browser.steps import PATIENCE
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
FAKE_RATE = 48_000  # Hz: what chromium's fake microphone reads


@pytest.fixture
def app(home, tmp_path):
    """`python -m demo` on a port of its own; yields its address and the folder of its temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    port = free_port()
    with (tmp_path / "app.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", "--no-browser", "--port", str(port), "--home", str(home)],
            cwd=ROOT,
            env={
                **os.environ,
                "TMPDIR": str(temporary),
                "SPEAKERS_ALLOW_HOSTS": os.environ.get("HOSTS_FOR_THE_APP", ""),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + PATIENCE / 1000
            while not _answers(port):
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "app.log").read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/", temporary
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=PATIENCE / 1000)
            finally:
                process.kill()
        said = (tmp_path / "app.log").read_text()
    assert "Traceback" not in said, said
    assert not list(temporary.glob("who-is-speaking-*")), "the app left files behind"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails here says what its pages showed at that moment: on another machine that is all there is."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and page is not None:
        for number, one in enumerate(page.context.pages, 1):
            report.sections.append((f"page {number} of {item.name}", _shown(one)))
    return report


def _shown(page) -> str:
    """The words on a page, and what it complained of."""
    try:
        words = page.evaluate("document.body.innerText")
    except Exception as error:  # noqa: BLE001 - the browser may be gone, which is said
        words = f"(cannot be read: {error})"
    return f"{words}\n\ncomplaints: {getattr(page, 'complaints', [])}"


def _is_complaint(line) -> bool:
    """Errors, and what the browser calls deprecated."""
    return line.type == "error" or "deprecated" in line.text


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def fake_microphone(voice, tmp_path, request) -> Path:
    """A sample as chromium's fake microphone wants it; it plays it over and over.

    Kofi's test sentences; for pictures the conversation, in which Kofi talks too: more to see.
    """
    usual = "conversation" if os.environ.get("SCREENSHOTS") else "kofi_test"
    path, clip = tmp_path / "microphone.wav", getattr(request, "param", usual)
    soundfile.write(path, resample(voice(clip), FAKE_RATE).samples, FAKE_RATE, subtype="PCM_16")
    return path


@pytest.fixture
def page(need_program, fake_microphone):
    """A page of a browser that is shown a microphone; it keeps the `hosts` it asked and its `complaints`."""
    chromium = need_program("chromium", "chromium-browser", "google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium,
            args=[
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={fake_microphone}",
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
            ],
        )
        context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["microphone"])
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.hosts = set()
        page.on("request", lambda request: page.hosts.add(urlsplit(request.url).hostname))
        page.complaints = []
        page.on("console", lambda line: page.complaints.append(line.text) if _is_complaint(line) else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
        browser.close()


@pytest.fixture
def known(home, voice) -> Recognizer:
    """Amina and Kofi are enrolled, and Sven by older networks, his speech kept."""
    made = Recognizer(home, embedder=Embedder())
    for name in ("Amina", "Kofi"):
        made.enrol(name, voice(f"{name.lower()}_enrol"), consent=True)
    segments = made.enrolment_segments([voice("sven_enrol")])
    flac = to_flac(voice("sven_enrol"))
    made.store.add("Sven", segments=segments, model_id="older", source="file", consent=True, flac=flac)
    return made
