"""The whole app in a real browser: example voices, a recording, an enrolment, a fake microphone that plays a voice."""

import os
import time

import pytest
import soundfile

from tests.browser.steps import PATIENCE, faults_on_a_phone, open_tab, shoot

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_from_the_first_click_to_the_right_name(app, page, voice, samples, tmp_path):
    address, temporary = app
    page.goto(address)

    # nobody is enrolled: one click brings the example voices
    page.locator("#live-examples").wait_for()
    shoot(page, "1-empty")
    page.locator("#live-examples").click()
    page.locator("#live-screen").get_by_text("Waiting for a voice").wait_for()
    shoot(page, "2-live-waiting")
    assert faults_on_a_phone(page) == []

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
    assert faults_on_a_phone(page) == []

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
    assert faults_on_a_phone(page) == []

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
    while kept := list(temporary.rglob("audio*.wav")):
        assert time.monotonic() < deadline, f"slices of the microphone stay on the disk: {kept}"
        time.sleep(1.0)
    assert page.hosts <= {"127.0.0.1", "", None}, f"the page asked {page.hosts}"


@pytest.mark.parametrize("fake_microphone", ["kofi_enrol"], indirect=True)
def test_a_voice_from_the_browser_microphone_is_learned_and_named(app, page):
    address, _ = app
    page.add_init_script("""window.streams = [];
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
            const stream = await ask(wanted);
            window.streams.push(stream);
            return stream;
        };""")
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

    # and forgotten again, after a question; the microphone, still open, is closed
    open_tab(page, "Speakers")
    page.locator("#delete-all").click()
    page.locator("#people").get_by_text("Zo\u00eb").wait_for()
    page.locator("#delete-yes").click()
    page.locator("#people").get_by_text("Zo\u00eb").wait_for(state="detached")
    page.wait_for_function("streams.length > 0 && streams.every((one) => !one.active)")
