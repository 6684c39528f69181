"""The Speakers tab without a mouse: a person's page, and what is asked before something is lost."""

import pytest

from tests.browser.steps import open_tab, shoot

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def has_focus(page, selector: str, words: str = "") -> None:
    """Wait until the keyboard's place is there, as long as it takes to come."""
    page.wait_for_function(
        "([one, words]) => document.activeElement.matches(one) && document.activeElement.innerText.includes(words)",
        arg=[selector, words],
    )


def test_the_keyboard_goes_with_what_opens_and_closes(known, app, page):
    page.goto(app[0])
    open_tab(page, "Speakers")
    page.wait_for_function("window.whoIsOpen")

    # a person's page, which lies behind the whole list, is where one goes on; it is drawn once more when it is checked
    row = page.locator("#people .person-open", has_text="Amina")
    row.focus()
    page.keyboard.press("Enter")
    has_focus(page, "#person-page h3", "Amina")
    page.locator("#person-page .person-tile", has_text="7 of 7").wait_for()
    page.locator("#person-status .progress").wait_for(state="detached")
    has_focus(page, "#person-page h3", "Amina")
    shoot(page, "23-person-by-keyboard")

    # the question before deleting: at Cancel, which Escape is too; then back
    page.locator("#delete").focus()
    page.keyboard.press("Enter")
    has_focus(page, "#delete-no")
    page.keyboard.press("Escape")
    page.locator("#delete-no").wait_for(state="hidden")
    has_focus(page, "#delete")
    page.keyboard.press("Enter")
    has_focus(page, "#delete-no")
    page.keyboard.press("Enter")
    page.locator("#delete-no").wait_for(state="hidden")
    has_focus(page, "#delete")
    page.locator("#delete-all").focus()
    page.keyboard.press("Enter")
    has_focus(page, "#delete-no")
    page.keyboard.press("Escape")
    has_focus(page, "#delete-all")
    assert [one.name for one in known.store.profiles()] == ["Amina", "Kofi", "Sven"]

    # closed, one is where one was; pressed with a mouse nothing is taken away from where one is
    page.locator("#person-close").focus()
    page.keyboard.press("Enter")
    page.locator("#person-page").wait_for(state="hidden")
    has_focus(page, "#people .person-open", "Amina")
    page.locator("#people .person-open", has_text="Kofi").click()
    page.locator("#person-page h3", has_text="Kofi").wait_for()
    page.locator("#person-status .progress").wait_for(state="detached")
    assert not page.locator("#person-page h3").evaluate("one => one === document.activeElement")

    # who is deleted leaves the keyboard at the list
    page.locator("#delete").focus()
    page.keyboard.press("Enter")
    has_focus(page, "#delete-no")
    page.keyboard.press("Shift+Tab")
    has_focus(page, "#delete-yes")
    page.keyboard.press("Enter")
    page.locator("#people .person-open", has_text="Kofi").wait_for(state="detached")
    has_focus(page, "h3", "Who is enrolled")
    assert page.complaints == []
