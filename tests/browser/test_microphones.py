"""Who has the browser's microphone, and when it is closed: pauses, slow or refused permission, everybody deleted."""

import re
from pathlib import Path

import pytest

import demo
from tests.browser.steps import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

# `answer`: what the browser does when it is asked for its microphone; `listening()`: how many are open
ASKED = """const give = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices), streams = [];
  window.answer = "give";
  window.given = () => streams.length;
  window.listening = () => streams.filter((one) => one.getTracks().some((track) => track.readyState === "live")).length;
  window.unplug = () => streams.flatMap((one) => one.getTracks()).forEach((track) => {
    if (track.readyState !== "live") return;
    track.stop();
    track.dispatchEvent(new Event("ended"));
  });
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (answer === "deny") throw new DOMException("no", "NotAllowedError");
    while (answer === "wait") await new Promise((soon) => setTimeout(soon, 100));
    streams.push(await give(wanted));
    return streams.at(-1);
  };"""


@pytest.fixture
def asked(known, app, page):
    page.add_init_script(ASKED)
    page.goto(app[0])
    page.locator("#live-microphone button", has_text="Record").wait_for()
    return page


def lights(page) -> int:
    return page.locator("#enrol-lights .light.is-good").count()


@pytest.mark.parametrize("fake_microphone", ["mei_enrol"], indirect=True)
def test_what_is_said_in_a_pause_is_not_counted(asked):
    open_tab(asked, "Speakers")
    asked.locator("#enrol-microphone button", has_text="Record").click()
    asked.locator("#enrol-lights .light.is-good").first.wait_for()
    asked.locator("#enrol-microphone .pause-button").click()
    asked.wait_for_timeout(2000)  # what was on its way
    before = asked.locator("#enrol-lights").inner_html()
    asked.wait_for_timeout(6000)
    assert asked.locator("#enrol-lights").inner_html() == before
    asked.locator("#enrol-microphone .resume-button").click()
    asked.locator("#enrol-lights .light.is-good").nth(lights(asked)).wait_for()
    asked.locator("#enrol-microphone .stop-button").click()
    asked.locator("#enrol-takes li").first.wait_for()
    assert asked.evaluate("listening()") == 0


@pytest.mark.parametrize("where", ["live", "enrol"])
def test_a_microphone_that_comes_when_another_source_is_chosen_is_closed(asked, where):
    """Whoever reads the browser's question may change their mind before they answer."""
    if where == "enrol":
        open_tab(asked, "Speakers")
    asked.evaluate("answer = 'wait'")
    asked.locator(f"#{where}-microphone button", has_text="Record").click()
    other = {"live": "This computer", "enrol": "File"}[where]
    choice = asked.locator(f"#{where}-source label", has_text=re.compile(other))
    choice.click()
    choice.locator("input:checked").wait_for(state="attached")  # where it fails: was the press lost, or its answer?
    asked.locator(f"#{where}-microphone").wait_for(state="detached")
    asked.evaluate("answer = 'give'")
    asked.wait_for_function("given() > 0")
    asked.wait_for_function("listening() === 0")


def test_live_does_not_feed_an_enrolment_whose_microphone_was_refused(asked):
    open_tab(asked, "Speakers")
    asked.evaluate("answer = 'deny'")
    asked.locator("#enrol-microphone button", has_text="Record").click()
    asked.locator("#enrol-denied .notice").get_by_text("does not give this page the microphone").wait_for()
    asked.evaluate("answer = 'give'")
    before = asked.locator("#enrol-lights").inner_html()
    open_tab(asked, "Live")
    asked.locator("#live-microphone button", has_text="Record").click()
    asked.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    asked.wait_for_timeout(4000)
    assert asked.locator("#enrol-lights").inner_html() == before


def test_a_session_that_begins_after_the_microphone_was_unplugged_goes_on(asked, app):
    record = asked.locator("#live-microphone .record-button")
    record.click()
    asked.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    asked.evaluate("unplug()")
    asked.locator("#live-denied .notice").get_by_text("microphone").wait_for()
    asked.locator("#live-screen").get_by_text("Not listening").wait_for()
    asked.locator("#live-save").get_by_text("CSV").wait_for()
    assert len(list(app[1].rglob("export-*"))) == 1  # it ended once
    record.click()
    asked.locator("#live-denied .notice").wait_for(state="hidden")
    asked.locator("#live-screen").get_by_text("Not listening").wait_for(state="detached")
    asked.wait_for_timeout(3000)
    asked.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    assert asked.locator("#live-screen").get_by_text("Not listening").count() == 0 and asked.evaluate("listening()") > 0


def test_when_everybody_is_deleted_live_ends_and_gives_its_place_back(asked):
    closed = []
    asked.on("request", lambda request: closed.append(request.url) if request.url.endswith("/close") else None)
    asked.locator("#live-microphone button", has_text="Record").click()
    asked.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    open_tab(asked, "Speakers")
    asked.locator("#delete-all").click()
    asked.locator("#delete-yes").click()
    asked.wait_for_function("listening() === 0")
    open_tab(asked, "Live")
    asked.locator("#live-examples").click()
    asked.locator("#live-learning .notice-good").wait_for()
    asked.locator("#live-screen").get_by_text("Not listening").wait_for()
    assert any("/stream/" in url for url in closed), closed
    asked.locator("#live-microphone button", has_text="Record").click()
    asked.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    open_tab(asked, "Speakers")
    asked.locator("#delete-all").click()
    asked.locator("#delete-yes").click()
    asked.locator("#live-learning .notice-good").wait_for(state="detached")  # nobody is said to be enrolled any more
    assert asked.complaints == []


def test_a_turn_that_grows_after_it_was_chosen_is_chosen_as_long_as_it_is(page):
    """`player.js` alone, on a timeline of one turn."""
    page.set_content('<div id="t"><button class="turn" data-lane="both" data-name="Kofi" data-start="0" data-end="5">')
    script = Path(demo.__file__).with_name("player.js").read_text(encoding="utf-8")
    told = page.evaluate(
        """(script) => {
          const told = [], element = document.querySelector("#t"), turn = element.querySelector(".turn");
          let changed = null;
          const run = new Function("element", "trigger", "watch", script);
          const hear = (name, what) => told.push(what.spans.map((one) => one.end));
          run(element, hear, (name, then) => { changed = then; });
          turn.click();
          changed();
          turn.dataset.end = 15;
          changed();
          changed();
          turn.click();
          return told;
        }""",
        script,
    )
    assert told == [[5], [15], []]
