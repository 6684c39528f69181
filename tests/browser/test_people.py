"""Enrolment people trust, in a real browser: a person's page, a second session, corrections, export and import, phrases
and takes; what is refused says why.
"""

import json

import numpy as np
import pytest
import soundfile

from core import people_file
from core.audio import SAMPLE_RATE
from core.channels import Surroundings, apply
from core.corrections import corrections
from tests.browser.steps import faults_on_a_phone, open_tab, shoot

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def open_person(page, name: str) -> None:
    page.wait_for_function("window.whoIsOpen")  # the list listens
    page.locator("#people .person-open", has_text=name).click()
    page.locator("#person-page h3", has_text=name).wait_for()
    page.locator("#person-status .progress").wait_for(state="detached")


def test_people_go_into_a_file_and_come_back(known, app, page, tmp_path):
    page.goto(app[0])
    open_tab(page, "Speakers")
    page.locator("#parcel button", has_text="Take people along").click()
    shoot(page, "30-parcel")

    # encrypted, after the passphrase was typed twice alike
    page.locator("#export-secret input").fill("correct horse")
    page.locator("#export-again input").fill("battery staple")
    page.locator("#export-make").click()
    page.locator("#export-notice .notice-error", has_text="differ").wait_for()
    page.locator("#export-again input").fill("correct horse")
    page.locator("#export-make").click()
    page.locator("#export-notice .notice-good", has_text="3 people").wait_for()
    with page.expect_download() as download:
        page.locator("#export-save").click()
    kept = tmp_path / "people.json"
    download.value.save_as(kept)
    assert people_file.encrypted(kept.read_bytes())
    shoot(page, "31-exported")

    # it comes back: a wrong passphrase is said; what clashes is shown, and nothing is written before it is wished
    known.store.delete("Kofi")
    page.locator("#import-file input[type=file]").set_input_files(kept)
    page.locator("#import-secret input").fill("incorrect horse")
    page.locator("#import-open").click()
    page.locator("#import-notice .notice-error", has_text="passphrase is wrong").wait_for()
    shoot(page, "32-wrong-passphrase")
    page.locator("#import-secret input").fill("correct horse")
    page.locator("#import-open").click()
    page.locator("#import-inside tr", has_text="Amina").locator("text=enrolled here already").wait_for()
    page.locator("#import-take", has_text="Take up 1 person").wait_for()
    shoot(page, "33-import")
    assert faults_on_a_phone(page) == []
    assert [one.name for one in known.store.profiles()] == ["Amina", "Sven"]
    page.locator("#import-take").click()
    page.locator("#import-notice .notice-good", has_text="1 person taken up, 2 left").wait_for()
    page.locator("#people .person-open", has_text="Kofi").wait_for()

    # to replace somebody is asked about first, as to delete is: nothing has changed while it is asked
    before = known.store.revision()
    page.locator("#import-file input[type=file]").set_input_files(kept)
    page.locator("#import-secret input").fill("correct horse")
    page.locator("#import-open").click()
    page.locator("#import-clash").get_by_label("Replace by what is in the file").check()
    page.locator("#import-take", has_text="Take up 3 people").click()
    page.locator("#import-sure", has_text="Replace Amina, Kofi, Sven?").wait_for()
    shoot(page, "34-replace")
    page.locator("#import-no").click()
    page.locator("#import-sure").wait_for(state="hidden")
    assert known.store.revision() == before
    page.locator("#import-take").click()
    page.locator("#import-yes").click()
    page.locator("#import-notice .notice-good", has_text="3 people taken up").wait_for()
    assert known.store.revision() != before

    # a file that was tampered with
    sealed = json.loads(kept.read_text())
    kept.write_text(json.dumps({**sealed, "data": "AAAA" + sealed["data"][4:]}))
    page.locator("#import-file input[type=file]").set_input_files(kept)
    page.locator("#import-secret input").fill("correct horse")
    page.locator("#import-open").click()
    page.locator("#import-notice .notice-error", has_text="or the file was changed").wait_for()
    assert {one.name for one in known.store.profiles()} == {"Amina", "Sven", "Kofi"}


@pytest.mark.parametrize("fake_microphone", ["mei_enrol"], indirect=True)
def test_takes_add_up_and_what_is_refused_says_why(known, app, page, voice, tmp_path):
    page.goto(app[0])
    open_tab(page, "Speakers")

    # another language, written from right to left; talking freely
    for choice, direction in (("العربية", "rtl"), ("Deutsch", "ltr")):
        page.locator("#enrol-language input").click()
        page.get_by_role("option", name=choice).click()
        page.locator(f"#enrol-passage .passage[dir={direction}]").wait_for()
        shoot(page, f"50-passage-{direction}")

    # the lights follow the voice; takes add up, and a take that is removed does not count
    page.locator("#enrol-name textarea, #enrol-name input").fill("Mei")
    page.locator("#enrol-consent input").check()
    for number in range(2):
        page.locator("#enrol-microphone button", has_text="Record").click()
        page.locator("#enrol-lights .light.is-good").nth(number + 1).wait_for()  # while it records
        page.locator("#enrol-microphone .stop-button").click()
        page.locator("#enrol-takes li").nth(number).wait_for()
    shoot(page, "51-takes")
    assert faults_on_a_phone(page) == []
    page.locator("#enrol-drop").click()
    page.locator("#enrol-takes li").nth(1).wait_for(state="detached")

    # too little is refused with what was found, and nothing is stored; so is a mixture of two voices
    if sum(float(one.split(": ")[1].split()[0]) for one in page.locator("#enrol-takes li span").all_inner_texts()) < 19:
        page.locator("#enrol-go").click()
        page.locator("#enrol-notice .notice-error", has_text="20 s needed").wait_for()
        shoot(page, "52-refused")
    mixture = np.concatenate([voice("amina_test").samples, voice("sven_test").samples, voice("kofi_test").samples])
    soundfile.write(tmp_path / "mixture.wav", mixture, SAMPLE_RATE)
    page.locator("#enrol-source").get_by_label("File", exact=True).check()
    page.locator("#enrol-file input[type=file]").set_input_files(tmp_path / "mixture.wav")
    page.locator("#enrol-lights .light.is-good").nth(4).wait_for()
    page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-error", has_text="does not sound like one voice").wait_for()
    assert page.complaints == []
    assert [one.name for one in known.store.profiles()] == ["Amina", "Kofi", "Sven"]


@pytest.mark.parametrize("fake_microphone", ["kofi_test"], indirect=True)
def test_right_or_wrong_and_how_sure(known, app, page):
    page.goto(app[0])

    # live: before anybody spoke there is nothing to say; then the answer was wrong, and it was somebody else
    page.locator("#live-screen .card-both.is-waiting").wait_for()
    record = page.locator("#live-microphone button", has_text="Record")
    assert not page.locator("#live-right").is_visible()
    place = record.bounding_box()
    record.click()
    page.locator("#live-screen .card-both .card-name", has_text="Kofi").wait_for()
    assert page.locator("#live-microphone button", has_text="Stop").bounding_box()["y"] == place["y"]
    page.locator("#live-wrong").click()
    page.locator("#live-verdict", has_text="the answer was Kofi").wait_for()
    page.locator("#live-verdict-keep").click()
    page.locator("#live-verdict-notice .notice-error", has_text="Choose a name").wait_for()
    page.locator("#live-who input").click()
    page.get_by_role("option", name="Amina").click()
    shoot(page, "40-live-wrong")
    page.locator("#live-verdict-keep").click()
    page.locator("#live-verdict-notice .notice-good", has_text="it was Amina, not Kofi").wait_for()
    page.locator("#live-microphone button", has_text="Stop").click()
    shoot(page, "41-live-kept")
    assert faults_on_a_phone(page) == []

    # on a turn of a recording
    open_tab(page, "Link or file")
    page.locator("#example-kofi_test").click()
    page.locator("#file-status .notice-good").wait_for()
    page.locator("#file-results .turn[data-lane=both]", has_text="Kofi").first.click()
    page.locator("#here-right").click()
    page.locator("#here-verdict-notice .notice-good", has_text="Kofi was right").wait_for()
    shoot(page, "42-turn-right")
    page.locator("#here-right").click()
    page.locator("#here-verdict-notice .notice-error", has_text="said that already").wait_for()

    # shown back; measured; used only when somebody presses
    open_tab(page, "Speakers")
    page.locator("#sure button", has_text="How sure").click()
    page.locator("#verdicts tbody tr").nth(1).wait_for()
    page.locator("#sure-measure").click()
    page.locator("#sure-result .is-best").wait_for()
    shoot(page, "43-sure")
    assert faults_on_a_phone(page) == [] and known.store.sureness() is None
    page.locator("#sure-apply").click()
    page.locator("#sure-notice .notice-good").wait_for()
    assert known.store.sureness() >= 0.5
    page.locator("#sure-reset").click()
    page.locator("#sure-now", has_text="the likeliest answer is said").wait_for()
    page.locator("#verdict-back").click()
    page.locator("#verdicts tbody tr").nth(1).wait_for(state="detached")
    assert [one.truth for one in corrections(known.store)] == ["Amina"]


def test_a_persons_page(known, app, page, voice, tmp_path):
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
    assert faults_on_a_phone(page) == []

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
    page.locator("#enrol-notice .notice-good, #enrol-sure input:visible").first.wait_for()
    if page.locator("#enrol-sure input").is_visible():  # a telephone may sound like somebody else
        page.locator("#enrol-sure input").check()
        page.locator("#enrol-go").click()
    page.locator("#enrol-notice .notice-good", has_text="another session").wait_for()
    page.locator("#enrol-notice", has_text="of what was just said").or_(
        page.locator("#enrol-notice", has_text="was recognised before")
    ).wait_for()
    page.locator("#person-page .gain").nth(1).wait_for()
    shoot(page, "21-person")
    assert faults_on_a_phone(page) == []
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
    page.locator("#delete-yes").wait_for()
    open_person(page, "Kofi")  # a question about Amina is none about Kofi
    page.locator("#delete-yes").wait_for(state="hidden")
    open_person(page, "Amina")
    page.locator("#delete").click()
    shoot(page, "22-delete")
    page.locator("#delete-yes").click()
    page.locator("#people .person-open", has_text="Amina").wait_for(state="detached")
    page.locator("#person-page").wait_for(state="hidden")
    assert [one.name for one in known.store.profiles()] == ["Kofi", "Sven"]
