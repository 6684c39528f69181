"""Enrolment people trust, in a real browser: a person's page, a second session, corrections, export and import, phrases
and takes; what is refused says why.
"""

import numpy as np
import pytest
import soundfile

from core.audio import to_flac
from core.channels import Surroundings, apply
from core.embedder import Embedder
from core.recognizer import Recognizer
from tests.browser.test_browser import (  # noqa: F401 - fixtures among them
    app,
    fake_microphone,
    open_tab,
    page,
    shoot,
    widest_overflow,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def known(home, voice) -> Recognizer:
    """Amina and Kofi are enrolled, and Sven by older networks, his speech kept; asked for before `app`."""
    made = Recognizer(home, embedder=Embedder())
    for name in ("Amina", "Kofi"):
        made.enrol(name, voice(f"{name.lower()}_enrol"), consent=True)
    segments = made.enrolment_segments([voice("sven_enrol")])
    flac = to_flac(voice("sven_enrol"))
    made.store.add("Sven", segments=segments, model_id="older", source="file", consent=True, flac=flac)
    return made


def open_person(page, name: str) -> None:  # noqa: F811
    page.locator("#people .person-open", has_text=name).click()
    page.locator("#person-page h3", has_text=name).wait_for()
    page.locator("#person-status .progress").wait_for(state="detached")


def test_a_persons_page(known, app, page, voice, tmp_path):  # noqa: F811
    page.goto(app[0])
    open_tab(page, "Speakers")

    # what is known of a voice; a profile of older networks is renewed from the speech that was kept
    open_person(page, "Sven")
    page.locator("#person-page .person-flag").wait_for()
    shoot(page, "20-person-old")
    page.locator("#renew").click()
    page.locator("#people-notice .notice-good").wait_for()
    page.locator("#person-page .person-flag").wait_for(state="detached")
    open_person(page, "Amina")
    page.locator("#person-page .person-tile", has_text="7 of 7").wait_for()
    assert widest_overflow(page) <= 0

    # a second session through a telephone, and what it gains; a name that is empty or taken is refused
    phone = apply("phone", voice("amina_enrol"), chance=np.random.default_rng(1), around=Surroundings((), []))
    soundfile.write(tmp_path / "phone.wav", phone.samples, phone.rate)
    page.locator("#add-session").click()
    page.locator("#enrol-notice", has_text="Another session for Amina").wait_for()
    page.locator("#enrol-source").get_by_label("File", exact=True).check()
    page.locator("#enrol-file input[type=file]").set_input_files(tmp_path / "phone.wav")
    page.locator("#enrol-lights .light.is-warn").first.wait_for()
    page.locator("#enrol-consent input").check()
    page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-good, #enrol-sure input").first.wait_for()
    if page.locator("#enrol-sure input").is_visible():  # a telephone may sound like somebody else
        page.locator("#enrol-sure input").check()
        page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-good", has_text="another session").wait_for()
    page.locator("#enrol-notice", has_text="of what was just said").or_(
        page.locator("#enrol-notice", has_text="was recognised before")
    ).wait_for()
    page.locator("#person-page .gain").nth(1).wait_for()
    shoot(page, "21-person")
    assert widest_overflow(page) <= 0
    page.locator("#new-name input, #new-name textarea").fill("Kofi")
    page.locator("#rename").click()
    page.locator("#people-notice .notice-error", has_text="enrolled already").wait_for()
    page.locator("#new-name input, #new-name textarea").fill("Amina B.")
    page.locator("#rename").click()
    page.locator("#person-page h3", has_text="Amina B.").wait_for()

    # deleting asks first; what is kept stays
    page.locator("#delete").click()
    page.locator("#delete-no").click()
    page.locator("#delete-yes").wait_for(state="hidden")
    page.locator("#delete").click()
    shoot(page, "22-delete")
    page.locator("#delete-yes").click()
    page.locator("#people .person-open", has_text="Amina").wait_for(state="detached")
    page.locator("#person-page").wait_for(state="hidden")
    assert [one.name for one in known.store.profiles()] == ["Kofi", "Sven"]
