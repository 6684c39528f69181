"""The report: one file that needs nothing else, put together from sections that may come one after another."""

import csv
import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest

from core.chart import Axis, Chart, Matrix, Series
from core.errors import DatasetError
from core.report import Section, Table, save

MADE = datetime(2026, 11, 25, tzinfo=UTC)


def section(key: str, title: str = "How <fast>?") -> Section:
    rate = Axis("accuracy", percent=True, span=(0.0, 1.0))
    line = Series("CNN", [5, 10], [0.8, 0.9], "#0072b2", low=[0.7, 0.8], high=[0.9, 1.0])
    return Section(
        key,
        title,
        "First.\nSecond.",
        f"make {key} & more",
        (Table("By <channel>", ("model", "accuracy"), (("CNN, fused", "90 %"),)),),
        (
            Chart("Curve", Axis("s", scale="log"), rate, (line,)),
            Chart("Det", Axis(scale="probit", span=(0.01, 0.5)), Axis(scale="probit", span=(0.01, 0.5)), diagonal=True),
            Matrix("Who", np.array([[3, 1], [0, 4]]), ("A", "B"), ("A", "B"), "#0072b2"),
        ),
        {"accuracy": 0.9},
    )


def test_a_section_is_html_csv_json_svg_and_png(tmp_path):
    pytest.importorskip("matplotlib")
    written = {path.name for path in save(tmp_path / "report", section("speed"), made=MADE)}
    figures = {f"speed-{number}.{kind}" for number in (1, 2, 3) for kind in ("svg", "png")}
    assert written == {*figures, "speed-1.csv", "speed.json", "report.html"}
    assert written == {path.name for path in (tmp_path / "report").iterdir()}
    for number in (1, 2, 3):
        assert (tmp_path / "report" / f"speed-{number}.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "report" / "speed-1.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["model", "accuracy"], ["CNN, fused", "90 %"]]
    kept = json.loads((tmp_path / "report" / "speed.json").read_text())
    assert (kept["numbers"], kept["command"], kept["made"]) == (
        {"accuracy": 0.9},
        "make speed & more",
        MADE.isoformat(),
    )


def test_the_page_needs_nothing_else_and_escapes_what_it_is_given(tmp_path):
    save(tmp_path, section("speed"))
    html = (tmp_path / "report.html").read_text()
    assert "How &lt;fast&gt;?" in html and "By &lt;channel&gt;" in html and "make speed &amp; more" in html
    assert html.count("<svg") == 3 and "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html) and "url(" not in html


def test_sections_come_in_their_order_whoever_was_first_and_are_replaced(tmp_path):
    save(tmp_path, section("speed", "Speed"))
    save(tmp_path, section("transfer", "Transfer"))
    save(tmp_path, section("zebra", "Last"))
    save(tmp_path, section("speed", "Speed again"))
    (tmp_path / "mine.json").write_text("[1, 2]")  # somebody else's files do no harm
    (tmp_path / "broken.json").write_text("{")
    save(tmp_path, section("zebra", "Last"))
    titles = re.findall(r"<h2>(.+?)</h2>", (tmp_path / "report.html").read_text())
    assert titles == ["Transfer", "Speed again", "Last"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="the report cannot be written"):
        save(tmp_path / "file", section("speed"))
