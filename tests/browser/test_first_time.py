"""Somebody who uses the page without rehearsal: what is said goes when it is mended, the keyboard's place is seen, all
can be read, nothing jumps."""

import pytest
import soundfile

from tests.browser.steps import faults_on_a_phone, open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

LEAST_CONTRAST = 4.5  # WCAG 2 AA, of text against what lies behind it

# what is too pale: [text, contrast]; of an empty box its placeholder; not of buttons that rest
PALE = """(least) => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const painted = (...layers) => {
    context.clearRect(0, 0, 1, 1);
    for (const one of layers) { context.fillStyle = one; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const found = [];
  for (const one of document.querySelectorAll("main *:not(svg *, button:disabled)")) {
    const written = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    const text = one.matches("input:not([type]), input[type=text], textarea") ? one.value || one.placeholder : written;
    if (!text || !one.checkVisibility({checkOpacity: true}) || one.getBoundingClientRect().width < 2) continue;
    const behind = [];
    for (let at = one; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(one, one.placeholder && !one.value ? "::placeholder" : null);
    let opacity = 1;
    for (let at = one; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
    const back = painted("white", ...behind), front = painted(`rgb(${back})`, style.color);
    const seen = front.map((v, index) => v * opacity + back[index] * (1 - opacity));
    const both = [light(seen), light(back)].sort((a, b) => b - a), contrast = both[0] / both[1];
    if (contrast < least) found.push([text.slice(0, 40), contrast]);
  }
  return found;
}"""

# shows the keyboard's place: an outline of the element that has it
FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return [one.tagName, one.type, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}"""


def pale(page) -> list:
    """What is too pale to be read, by day and by night."""
    found = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        found += [(scheme, *one) for one in page.evaluate(PALE, LEAST_CONTRAST)]
    return found


def said(page, where: str, words: str) -> None:
    """Wait for a sentence, and as long as a reader needs: Gradio says the last update of an event twice."""
    page.locator(f"{where} .notice-error", has_text=words).wait_for()
    page.wait_for_timeout(1000)


def test_what_is_said_goes_when_it_is_mended(known, app, page, voice, tmp_path):
    page.goto(app[0])

    # a file that is none: the sentence names it, and goes with it
    open_tab(page, "Link or file")
    assert pale(page) == []
    (tmp_path / "notes.wav").write_text("These are no sounds.\n" * 50)
    page.locator("#file-upload input[type=file]").set_input_files(tmp_path / "notes.wav")
    page.locator("#file-card .notice-error").wait_for()
    page.locator("#file-run").click()
    said(page, "#file-status", "notes.wav")
    assert page.locator("#file-player audio").count() == 0  # nor is there anything to play
    page.locator("#file-upload button[aria-label='Clear']").click()
    page.locator("#file-status .notice-error").wait_for(state="detached")
    page.locator("#file-run").click()
    said(page, "#file-status", "nothing to listen to")
    page.locator("#file-link input, #file-link textarea").fill("h")
    page.locator("#file-status .notice-error").wait_for(state="detached")

    # on a phone what comes of a press is in sight
    page.locator("#file-link input, #file-link textarea").fill("")
    page.set_viewport_size({"width": 390, "height": 664})
    page.locator("#file-run").click()
    said(page, "#file-status", "nothing to listen to")
    assert page.locator("#file-status .notice").bounding_box()["y"] < 600
    page.set_viewport_size({"width": 1280, "height": 900})

    # consent that was missing and a name that was missing
    open_tab(page, "Speakers")
    assert pale(page) == []
    page.locator("#enrol-go").click()
    said(page, "#enrol-notice", "name is missing")
    page.locator("#enrol-name textarea, #enrol-name input").fill("Zara")
    page.locator("#enrol-notice .notice-error").wait_for(state="detached")
    page.locator("#enrol-go").click()
    said(page, "#enrol-notice", "onsent is missing")
    page.locator("#enrol-consent input").check()
    page.locator("#enrol-notice .notice-error").wait_for(state="detached")

    # to be sure is to be sure of one name: another one, pasted, is asked about again
    soundfile.write(tmp_path / "zara.wav", voice("kofi_enrol").samples, voice("kofi_enrol").rate)
    page.locator("#enrol-source").get_by_label("File", exact=True).check()
    page.locator("#enrol-file input[type=file]").set_input_files(tmp_path / "zara.wav")
    page.locator("#enrol-lights .light.is-good").nth(4).wait_for()
    page.locator("#enrol-go").click()
    said(page, "#enrol-notice", "enrolled already as")
    page.locator("#enrol-sure input").check()
    page.locator("#enrol-name textarea, #enrol-name input").fill("Robin")
    page.locator("#enrol-sure input").wait_for(state="hidden")
    page.locator("#enrol-go").click()
    said(page, "#enrol-notice", "enrolled already as")
    assert not page.locator("#enrol-sure input").is_checked()

    # a name that was typed for one person is not given to the next
    page.locator("#people .person-open", has_text="Amina").click()
    page.locator("#person-page h3", has_text="Amina").wait_for()
    page.locator("#new-name input, #new-name textarea").fill("Amina Berg")
    page.locator("#people .person-open", has_text="Kofi").click()
    page.locator("#person-page h3", has_text="Kofi").wait_for()
    page.wait_for_function("document.querySelector('#new-name input, #new-name textarea').value === ''")

    # what cannot be undone does not look like what changes nothing
    page.locator("#delete").click()
    page.locator("#delete-yes").wait_for()
    page.locator("#person-status .progress").wait_for(state="detached")
    assert pale(page) == []
    yes, no = (
        page.locator(one).evaluate("one => getComputedStyle(one).backgroundColor")
        for one in ("#delete-yes", "#delete-no")
    )
    assert yes != no
    assert page.complaints == []


HEIGHTS = "() => [...document.querySelectorAll('#live-screen .card')].map((one) => one.offsetHeight)"


@pytest.mark.parametrize("fake_microphone", ["stranger_test"], indirect=True)
def test_the_keyboards_place_is_seen_and_no_answer_moves_the_page(known, app, page):
    page.goto(app[0])
    page.locator("#live-screen").get_by_text("Waiting for a voice").wait_for()
    before = page.evaluate(HEIGHTS)
    visited = []
    while ["INPUT", "checkbox"] not in [one[:2] for one in visited] and len(visited) < 20:
        page.keyboard.press("Tab")
        page.wait_for_timeout(300)  # outlines may grow
        visited.append(page.evaluate(FOCUS))
    assert ["INPUT", "radio", True] in visited and all(shown for *_, shown in visited), visited

    page.locator("#live-microphone button", has_text="Record").click()
    page.locator("#live-screen .card-both .card-name", has_text="Unknown").wait_for()
    assert page.evaluate(HEIGHTS) == before
    page.wait_for_function("[...document.querySelectorAll('.turn.is-open')].some((one) => one.innerText)")
    assert pale(page) == []
    page.locator("#live-microphone button", has_text="Stop").click()
    page.locator("#live-screen").get_by_text("Not listening").wait_for()


def delete(page, name: str) -> None:
    page.locator("#people .person-open", has_text=name).click()
    page.locator("#person-page h3", has_text=name).wait_for()
    page.locator("#delete").click()
    page.locator("#delete-yes").click()
    page.locator("#people-notice .notice-good", has_text=name).wait_for()
    page.locator("#people .person-open", has_text=name).wait_for(state="detached")


def test_what_is_said_of_the_enrolled_is_true_and_what_is_cancelled_is_there(app, page, voice, tmp_path):
    page.goto(app[0])
    page.locator("#live-examples").click()
    page.locator("#live-learning .notice-good").wait_for()
    open_tab(page, "Speakers")
    delete(page, "Kofi")
    open_tab(page, "Live")
    page.locator("#live-learning .notice-good").wait_for(state="detached")
    open_tab(page, "Speakers")
    page.locator("#delete-all").click()
    page.locator("#delete-yes").click()
    open_tab(page, "Live")
    page.locator("#live-examples").click()
    page.locator("#live-learning .notice-good").wait_for()
    page.locator("#live-microphone button", has_text="Record").click()
    page.locator("#live-learning .notice-good").wait_for(state="detached")  # who listens has read it
    page.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    page.locator("#live-microphone button", has_text="Stop").click()
    page.locator("#live-screen").get_by_text("Not listening").wait_for()

    # there is something to cancel only while somebody is being enrolled
    open_tab(page, "Speakers")
    cancel = page.locator("#enrol-cancel")
    assert cancel.is_disabled()
    delete(page, "Kofi")
    soundfile.write(tmp_path / "zara.wav", voice("kofi_enrol").samples, voice("kofi_enrol").rate)
    page.locator("#enrol-source").get_by_label("File", exact=True).check()
    page.locator("#enrol-file input[type=file]").set_input_files(tmp_path / "zara.wav")
    page.locator("#enrol-lights .light.is-good").nth(4).wait_for()
    page.locator("#enrol-name textarea, #enrol-name input").fill("Zara")
    page.evaluate("""() => {
      window.could = [];
      const one = document.querySelector("#enrol-cancel");
      new MutationObserver(() => window.could.push(!one.disabled)).observe(one, {attributeFilter: ["disabled"]});
    }""")
    page.locator("#enrol-go").click()
    said(page, "#enrol-notice", "onsent is missing")
    assert cancel.is_disabled() and page.evaluate("window.could") == []
    page.locator("#enrol-consent input").check()
    page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-good", has_text="Zara").wait_for()
    page.wait_for_function("document.querySelector('#enrol-cancel').disabled")
    assert page.evaluate("window.could") == [True, False]

    # that somebody is enrolled is said until they are deleted
    page.locator("#people .person-open", has_text="Zara").wait_for()
    for name, shown in (("Amina", 1), ("Zara", 0)):
        delete(page, name)
        page.wait_for_timeout(1000)
        assert page.locator("#enrol-notice .notice-good").count() == shown
    page.locator("#speakers-examples").click()
    page.locator("#speakers-learning .notice-good").wait_for()
    delete(page, "Mei")
    page.locator("#speakers-learning .notice-good").wait_for(state="detached")
    assert page.complaints == []


def test_a_link_that_fails_is_said_once(known, app, page):
    page.goto(app[0])
    open_tab(page, "Link or file")
    page.locator("#file-link input, #file-link textarea").fill("https://youtu.be/aaaaaaaaaaa")  # nobody answers here
    failed = page.locator("#tab-file .notice-error:visible")
    page.locator("#file-card .notice-error").wait_for()
    assert failed.count() == 1
    page.locator("#file-run").click()
    page.locator("#file-status .notice-error").wait_for()
    page.wait_for_timeout(1000)
    assert failed.count() == 1


# of each word that is broken: the word
BROKEN = """() => [...document.querySelectorAll("#people .chip")].flatMap((one) => {
  const text = [...one.childNodes].find((node) => node.nodeType === 3), range = document.createRange();
  return [...text.data.matchAll(/[^\\s-]+/g)].filter(({0: word, index}) => {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    return new Set([...range.getClientRects()].map((box) => box.top)).size > 1;
  }).map(({0: word}) => word);
})"""
# how far the words of each place for files are from its lower edge, in pixels
ROOM = """() => [...document.querySelectorAll(".upload-container")].filter((at) => at.checkVisibility()).map((one) => {
  const range = document.createRange();
  range.selectNodeContents(one.querySelector("[data-testid=upload-text]"));
  const lowest = Math.max(...[...range.getClientRects()].map((box) => box.bottom));
  return one.getBoundingClientRect().bottom - lowest;
})"""


def test_long_names_and_places_for_files_have_room(known, app, page):
    known.store.rename("Amina", "Maria Konstantina Papadopoulou-Hatzigeorgiou")
    known.store.rename("Kofi", "Wolfeschlegelsteinhausenbergerdorff")
    page.goto(app[0])
    open_tab(page, "Link or file")
    assert [room >= 8 for room in page.evaluate(ROOM)] == [True]
    page.locator("#example-conversation").click()
    page.locator("#file-details .cell-name", has_text="Wolfe").first.wait_for()
    page.locator("#file-status .notice-good").wait_for()
    assert faults_on_a_phone(page) == []  # both networks' answers are in sight
    open_tab(page, "Speakers")
    page.locator("#people .person-open", has_text="Maria").wait_for()
    longest = ["Wolfeschlegelsteinhausenbergerdorff"]  # longer than there is room
    assert page.evaluate(BROKEN) == longest
    assert faults_on_a_phone(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate(BROKEN) == longest
    assert page.locator("#people .people").evaluate("one => one.scrollWidth - one.clientWidth") == 0
    page.locator("#enrol-source").get_by_label("File", exact=True).check()
    page.locator("#enrol-file .upload-container").wait_for()
    assert [room >= 8 for room in page.evaluate(ROOM)] == [True]
