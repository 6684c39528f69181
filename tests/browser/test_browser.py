"""The whole app in a real browser: example voices, a recording, an enrolment, and a fake microphone that plays a voice.

SCREENSHOTS=DIR saves a picture of every state of the page at 1280 and 390 pixels, and some in the dark.
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

from core.audio import resample

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 100_000  # ms: how long a slow machine may take for one step
FAKE_RATE = 48_000  # Hz: what chromium's fake microphone reads
WIDTHS = (1280, 390)  # pixels

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    """A page of a browser that is shown a microphone, and a list of the hosts it asked for anything."""
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
        yield page
        browser.close()


def shoot(page, name: str) -> None:
    """Pictures of the page as it is, where they are wanted."""
    folder = os.environ.get("SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)
        page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    page.screenshot(path=Path(folder) / f"{name}-dark.png", full_page=True)
    page.emulate_media(color_scheme="light")


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def widest_overflow(page) -> int:
    """Pixels by which the page is wider than its window at 390 pixels."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    return over


def test_from_the_first_click_to_the_right_name(app, page, voice, samples, tmp_path):
    address, temporary = app
    page.goto(address)

    # nobody is enrolled: one click brings the example voices
    page.locator("#live-examples").wait_for()
    shoot(page, "1-empty")
    page.locator("#live-examples").click()
    page.locator("#live-screen").get_by_text("Waiting for a voice").wait_for()
    shoot(page, "2-live-waiting")
    assert widest_overflow(page) <= 0

    # a link that is none of YouTube's: one sentence, and the link is still there
    open_tab(page, "Link or file")
    link = page.locator("#file-link textarea, #file-link input")
    link.fill("https://example.com/talk")
    page.locator("#file-run").click()
    page.locator("#file-status .notice-error").get_by_text("is not YouTube").wait_for()
    assert link.input_value() == "https://example.com/talk"
    shoot(page, "3-bad-link")
    link.fill("")

    # a file: the names of those who talk in it, in all three lanes
    page.locator("#file-upload input[type=file]").set_input_files(samples / "conversation.opus")
    page.locator("#file-upload").get_by_text("conversation").first.wait_for()
    page.locator("#file-run").click()
    page.locator("#file-status .notice-good").get_by_text("8 segments").wait_for()
    first_lane = page.locator("#file-results .lane").first.locator(".turn")
    assert first_lane.all_inner_texts() == ["Amina", "Kofi", "Mei", "Kofi", "Amina", "Mei"]
    with page.expect_download() as download:
        page.locator("#save-rttm").click()
    assert download.value.path().read_text().splitlines()[0].startswith("SPEAKER conversation.opus 1 0.000 5.000 <NA>")
    shoot(page, "4-conversation")
    assert widest_overflow(page) <= 0

    # somebody new, from a file; not without consent
    soundfile.write(tmp_path / "robin.wav", voice("jo_enrol").samples, voice("jo_enrol").rate)
    open_tab(page, "Speakers")
    page.locator("#enrol-name textarea, #enrol-name input").fill("Robin & Co")
    page.locator("#enrol-source").get_by_label("File", exact=True).check()
    page.locator("#enrol-file input[type=file]").set_input_files(tmp_path / "robin.wav")
    page.locator("#enrol-lights .light.is-good").first.wait_for()
    page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-error").get_by_text("Consent is missing").wait_for()
    shoot(page, "5-consent")
    page.locator("#enrol-consent input").check()
    page.locator("#enrol-go").click()

    # it is Jo's voice, who is among the examples: the app asks, and goes on when told
    page.locator("#enrol-notice .notice-error").get_by_text("enrolled already as").wait_for()
    shoot(page, "5-doubt")
    page.locator("#enrol-sure input").check()
    page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-good").get_by_text("Robin & Co is enrolled").wait_for()
    page.locator("#people").get_by_text("Robin & Co").wait_for()
    shoot(page, "6-speakers")
    assert widest_overflow(page) <= 0

    # live: the microphone plays Kofi
    open_tab(page, "Live")
    page.locator("#live-microphone button", has_text="Record").click()
    page.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    page.locator("#live-screen .card-cnn .card-name", has_text="Kofi").wait_for()
    page.locator("#live-screen .card-ann .card-name", has_text="Kofi").wait_for()
    page.locator("#live-screen .lane-track .turn", has_text="Kofi").first.wait_for()
    if os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(26_000)
    shoot(page, "7-live")
    page.locator("#live-microphone button", has_text="Stop").click()
    page.locator("#live-screen").get_by_text("Not listening").wait_for()

    deadline = time.monotonic() + PATIENCE / 1000  # slices that a busy server dropped are swept away soon after
    while kept := list(temporary.rglob("audio.wav")):
        assert time.monotonic() < deadline, f"slices of the microphone stay on the disk: {kept}"
        time.sleep(1.0)
    assert page.hosts <= {"127.0.0.1", "", None}, f"the page asked {page.hosts}"


@pytest.mark.parametrize("fake_microphone", ["kofi_enrol"], indirect=True)
def test_a_voice_from_the_browser_microphone_is_learned_and_named(app, page):
    address, _ = app
    page.goto(address)
    page.locator("#live-examples").wait_for()

    # the only person is the one who speaks into the microphone: 26 s of it
    open_tab(page, "Speakers")
    page.locator("#enrol-name textarea, #enrol-name input").fill("Zo\u00eb \U0001f399")
    page.locator("#enrol-consent input").check()
    page.locator("#enrol-microphone button", has_text="Record").click()
    page.wait_for_timeout(26_000)
    page.locator("#enrol-microphone .stop-button").click()
    page.locator("#enrol-takes li").wait_for()
    page.locator("#enrol-lights .light.is-good").nth(3).wait_for()
    page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-good").get_by_text("is enrolled").wait_for()

    open_tab(page, "Live")
    page.locator("#live-microphone button", has_text="Record").click()
    page.locator("#live-screen .card-both .card-name", has_text="Zo\u00eb").wait_for()
    page.locator("#live-microphone button", has_text="Stop").click()

    # and forgotten again, after a question
    open_tab(page, "Speakers")
    page.locator("#delete-all").click()
    page.locator("#people").get_by_text("Zo\u00eb").wait_for()
    page.locator("#delete-yes").click()
    page.locator("#people").get_by_text("Zo\u00eb").wait_for(state="detached")
