"""Figures: where values lie, what is written, and that a picture is well-formed whatever is in it."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from core import chart_svg
from core.chart import METHOD_COLOURS, SCALES, Axis, Chart, Matrix, Series


@pytest.mark.parametrize(
    ("axis", "span", "value", "place"),
    [
        (Axis(), (0.0, 10.0), 2.5, 0.25),
        (Axis(scale="log"), (1.0, 100.0), 10.0, 0.5),
        (Axis(scale="probit"), (0.1, 0.9), 0.5, 0.5),
        (Axis(scale="probit"), (0.02275, 0.97725), 0.84134, 0.75),  # -2, 2 and 1 standard deviations
    ],
)
def test_places_on_a_scale(axis, span, value, place):
    assert axis.place(value, span) == pytest.approx(place, abs=1e-3)


@pytest.mark.parametrize(
    ("axis", "span", "texts"),
    [
        (Axis(percent=True), (0.0, 1.0), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (Axis(), (-3.0, 12.0), ["0", "5", "10"]),
        (Axis(scale="log"), (5.0, 60.0), ["5", "10", "20", "50"]),
        (Axis(scale="probit", percent=True), (0.01, 0.4), ["1 %", "5 %", "10 %", "20 %", "40 %"]),
        (Axis(bare=True), (0.0, 1.0), []),
    ],
)
def test_ticks_are_round_numbers(axis, span, texts):
    assert [axis.written(tick) for tick in axis.ticks(span)] == texts


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", ["line", "step", "points"])
def test_a_chart_is_well_formed_and_stays_within_its_frame(scale, kind):
    y = [0.1, float("nan"), 0.5, 0.9]
    series = Series("<A & B>", [1, 2, 3, 4], y, "#0072b2", kind, low=[0.05, 0.1, 0.4, 0.8], high=[0.2, 0.3, 0.6, 0.95])
    made = Chart("Title <i>", Axis("x & y"), Axis("rate", scale=scale, span=(0.01, 0.99)), (series,), diagonal=True)
    root = ElementTree.fromstring(chart_svg.chart(made))
    width, height = (float(part) for part in root.get("viewBox").split()[2:])
    circles = [one for one in root.iter() if one.tag.endswith("circle")]
    assert len(circles) == 3 + (kind == "points")  # the unknown one is left out; points have one in the legend
    assert all(0 <= float(one.get("cx")) <= width and 0 <= float(one.get("cy")) <= height for one in circles)
    assert "nan" not in ElementTree.tostring(root).decode()


def test_what_lies_outside_is_drawn_on_the_frame():
    line = Series("", [-5.0, 0.5, 9.0], [7.0, 0.5, -3.0], "#000000", "points")
    root = ElementTree.fromstring(chart_svg.chart(Chart("t", Axis(span=(0, 1)), Axis(span=(0, 1)), (line,))))
    (frame,) = (one for one in root.iter() if one.tag.endswith("rect"))
    left, top, width, height = (float(frame.get(key)) for key in ("x", "y", "width", "height"))
    places = [(float(one.get("cx")), float(one.get("cy"))) for one in root.iter() if one.get("cx")]
    assert places[0] == (left, top) and places[2] == (left + width, top + height)


def test_a_higher_value_lies_higher():
    made = Chart("t", Axis(), Axis(span=(0, 1)), (Series("", [0, 1], [0.2, 0.8], "#000000", "points"),))
    low, high = (float(one.get("cy")) for one in ElementTree.fromstring(chart_svg.chart(made)).iter() if one.get("cy"))
    assert high < low


def test_a_matrix_shows_every_count_and_escapes_names():
    made = Matrix("m", np.array([[3, 1], [0, 4]]), ("<b>", "Jo"), ("<b>", "Jo"), "#0072b2")
    root = ElementTree.fromstring(chart_svg.matrix(made))
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert [text for text in texts if text in {"0", "1", "3", "4"}] == ["3", "1", "0", "4"]
    assert np.allclose(made.shares(), [[0.75, 0.25], [0.0, 1.0]])


INKS = (("#171c26", "#ffffff"), ("#eceef2", "#171c26"))  # of letters, and of what lies behind, by day and by night


def light(colour: np.ndarray) -> float:
    """Relative luminance (WCAG 2) of RGB in 0 to 1, with the 0.05 of its contrast."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05


@pytest.mark.parametrize("colour", [METHOD_COLOURS[answer] for answer in ("cnn", "ann", "both")])
@pytest.mark.parametrize(("ink", "paper"), INKS)
def test_every_number_of_a_matrix_can_be_read(colour, ink, paper):
    ink, paper, colour = (np.array(list(bytes.fromhex(one[1:]))) / 255 for one in (ink, paper, colour))
    counts = np.stack([np.arange(21), 20 - np.arange(21)], axis=1)
    names = tuple(map(str, range(21)))
    hexed = "#" + bytes((colour * 255).round().astype(int).tolist()).hex()
    root = ElementTree.fromstring(chart_svg.matrix(Matrix("m", counts, names, ("a", "b"), hexed)))
    cells = [one for one in root.iter() if one.tag.endswith("}g")]
    assert len(cells) == 42
    for cell in cells:
        _, box, text = cell
        cover = float(box.get("fill-opacity"))
        back = colour * cover + paper * (1 - cover)
        letters = ink if text.get("fill", "currentColor") == "currentColor" else np.ones(3)
        seen = letters * float(text.get("opacity")) + back * (1 - float(text.get("opacity")))
        low, high = sorted((light(seen), light(back)))
        assert high / low >= 4.5, (text.text, high / low)


def test_columns_left_out_count_in_the_shares():
    half = Matrix("m", np.array([[3, 0]]), ("A",), ("A", "B"), "#123456", totals=np.array([6]))
    assert half.shares().tolist() == [[0.5, 0.0]]


def test_a_hollow_point_has_a_hollow_mark():
    one = Series("live", [1.0], [1.0], "#e6194b", "points", hollow=True)
    svg = chart_svg.chart(Chart("c", Axis("x"), Axis("y"), (one,)))
    assert svg.count('fill="none" stroke="#e6194b"') == 2 and 'fill="#e6194b"' not in svg


def test_an_empty_chart_is_a_frame():
    assert ElementTree.fromstring(chart_svg.chart(Chart("t", Axis(), Axis()))).tag.endswith("svg")
