"""The Compare tab in a real browser: what it teaches when nobody is there, the exam, what was listened to, the maps."""

import re

import pytest

from tests.browser.steps import faults_on_a_phone, open_tab, shoot

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

CROWD = "while others talk"  # hard enough that the two models disagree, whatever their weights
METHODS = ["CNN-SVM", "ANN-SVM", "Both, fused", "Mean cosine"]


def test_both_models_take_an_exam_and_say_what_they_heard(app, page):
    page.goto(app[0])
    open_tab(page, "Compare")

    # nobody is enrolled: the tab says what it would show, and one click brings people
    empty = page.locator(".empty-state", has=page.locator("#compare-examples"))
    empty.get_by_text("It takes two people at least").wait_for()
    assert empty.locator(".learn b").all_inner_texts() == ["CNN", "ANN", "Both", "Mean cosine"]
    assert page.locator("#compare-run").is_hidden()
    shoot(page, "60-compare-empty")
    page.locator("#compare-examples").click()
    page.locator("#compare-run").wait_for()

    # the exam: four methods with intervals, three matrices of five people, three figures with a curve for each method
    page.locator("#compare-channel input").click()
    page.get_by_role("option", name=CROWD).click()
    page.locator("#compare-run").click()
    page.locator("#compare-status .notice-good", has_text="of 5 people judged").wait_for()
    exam = page.locator("#compare-results")
    assert exam.locator(".forest-name").all_inner_texts() == METHODS
    counts = [re.match(r"(\d+) of (\d+),", text) for text in exam.locator(".forest-row small").all_inner_texts()]
    assert {int(found[2]) for found in counts} == {int(counts[0][2])} and int(counts[0][2]) >= 30
    figures = exam.locator(".figure svg")
    assert figures.count() == 6
    sizes = [figures.nth(number).bounding_box() for number in range(6)]
    assert all(size["width"] > 200 and size["height"] > 150 for size in sizes), sizes

    # where the two disagree, with the segment to listen to
    apart = exam.locator("section", has_text="Where the two disagree")
    rows = apart.locator("tbody tr")
    assert rows.count() > 0
    assert apart.locator("h3 span").inner_text() == f"{rows.count()} of {counts[0][2]}"
    chosen = page.locator("#compare-segment input").input_value()
    assert re.search(r"CNN .+, ANN .+", chosen), chosen
    player = page.locator("#compare-player")
    later = re.compile("0:0[1-9]")
    player.locator("#duration", has_text=later).wait_for()  # a press before the sound is there is lost
    player.locator("button[aria-label=Play]").click()
    player.locator("#time", has_text=later).wait_for()

    # what they listened to: times and frequencies for the CNN, ranked families of features for the ANN
    page.locator("#why-run").click()
    why = page.locator("#compare-why")
    why.locator(".occlusion-heat").wait_for()
    for picture in why.locator(".occlusion img").all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    moved = [abs(float(text.replace("\u2212", "-"))) for text in why.locator(".evidence-row b").all_inner_texts()]
    assert len(moved) == 8 and moved == sorted(moved, reverse=True) and moved[0] > 0
    why.locator(".evidence-row").first.locator("summary").click()
    why.locator(".evidence-row[open] p", has_text="Strongest:").wait_for()

    # the maps: a dot for each piece of voice under each model; t-SNE on request, with what it cannot say
    page.locator("#map-draw").click()
    voices = page.locator("#compare-map")
    voices.get_by_text("of the differences between them").wait_for()
    dots = [voices.locator(".figure").nth(number).locator("circle").count() for number in range(2)]
    assert dots[0] == dots[1] > int(counts[0][2]), dots  # the overlapping windows of the enrolments too
    page.locator("#map-kind").get_by_label("t-SNE").check()
    page.locator("#map-draw").click()
    voices.get_by_text("distances across the map mean nothing").wait_for()
    shoot(page, "61-compare")
    assert faults_on_a_phone(page) == []
    assert page.complaints == []
    assert page.hosts <= {"127.0.0.1", "", None}, f"the page asked {page.hosts}"
