"""Presses that come faster than the server answers: the last one counts."""

import pytest

from tests.browser.steps import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

PRESS = """async ([selector, pause]) => {
  for (const one of document.querySelectorAll(selector)) {
    one.click();
    await new Promise((soon) => setTimeout(soon, pause));
  }
}"""
PAUSES = (0, 20, 60)  # ms
COARSE = """const exact = performance.now.bind(performance);
performance.now = () => Math.floor(exact() / 100) * 100;"""  # as in a Firefox that resists fingerprinting
OVERTAKEN = """const send = window.fetch;
window.presses = 0;
window.fetch = async (...request) => {
  const told = String(request[0]).includes("queue/join") && String(request[1]?.body).includes('"press"');
  if (told && window.presses++ % 2 === 0) await new Promise((soon) => setTimeout(soon, 700));
  return send(...request);
};"""  # every other press reaches the server late, behind the next one


def test_the_person_pressed_last_is_open(known, app, page):
    page.add_init_script(COARSE + OVERTAKEN)
    page.goto(app[0])
    open_tab(page, "Speakers")
    page.locator("#people .person-open").nth(2).wait_for()
    last = page.locator("#people .person-open").last.inner_text()
    for pause in PAUSES:
        page.evaluate(PRESS, ["#people .person-open", pause])
        page.locator("#people .person-open[aria-expanded=true]", has_text=last).wait_for()
        page.wait_for_timeout(3000)  # whatever else may come
        assert page.locator("#person-page h3").first.inner_text().startswith(last)
        assert page.locator("#people .person-open[aria-expanded=true]").inner_text() == last
        page.locator("#people .person-open").first.click()
        page.locator("#people .person-open[aria-expanded=true]").first.wait_for()
        page.locator("#person-status .progress").wait_for(state="detached")


def test_all_turns_that_were_pressed_are_chosen(known, app, page):
    page.add_init_script(COARSE + OVERTAKEN)
    page.goto(app[0])
    open_tab(page, "Link or file")
    page.locator("#example-conversation").click()
    page.locator("#file-status .notice-good").wait_for()
    turns = "#file-results .turn[data-lane=both][data-name=Kofi]"
    count = page.locator(turns).count()
    assert count >= 2
    for pause in PAUSES:
        page.evaluate(PRESS, [turns, pause])
        page.locator("#enrol-here .span-chip").nth(count - 1).wait_for()
        page.wait_for_timeout(3000)  # whatever else may come
        assert page.locator("#enrol-here").get_by_text("of Kofi chosen").is_visible()
        assert page.locator("#enrol-here .span-chip").count() == count
        page.locator("#here-clear").click()
        page.locator("#enrol-here").get_by_text("of Kofi chosen").wait_for(state="hidden")
    assert page.evaluate("window.presses") >= 2 * len(PAUSES)  # else nothing was overtaken
