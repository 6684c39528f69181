"""A report of experiments: one HTML file that needs nothing else, with every table as CSV, every figure as SVG and PNG,
every number as JSON beside it.

A section is one experiment; `save` writes its files and puts `report.html` together again from all sections in the
folder, so that scripts may add theirs one after another.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from html import escape
from math import isnan
from pathlib import Path

from core import chart_svg
from core.chart import Chart, Matrix
from core.errors import DatasetError

ORDER = ("transfer", "channels", "lengths", "enrolment", "people", "gender", "speed", "architectures")
HTML = "report.html"


@dataclass(frozen=True)
class Table:
    """Cells as text, `rows[i][j]` below `columns[j]`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_csv(self) -> str:
        """The same as CSV."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([self.columns, *self.rows])
        return out.getvalue()


@dataclass(frozen=True)
class Section:
    """One experiment. `text`: what was done and what it shows, in plain sentences. `command`: what made it. `numbers`:
    everything measured, for the JSON, nan where it is not known."""

    key: str
    title: str
    text: str
    command: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Chart | Matrix, ...] = ()
    numbers: dict = field(default_factory=dict)


def known(value):
    """The same without numbers that are not known: nan as None, also in lists and dicts."""
    if isinstance(value, dict):
        return {name: known(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [known(one) for one in value]
    return None if isinstance(value, float) and isnan(value) else value


def save(folder: Path, section: Section, *, made: datetime | None = None) -> list[Path]:
    """Write a section's files into `folder` (made where missing) and the report anew; returns what was written.

    Raises `DatasetError` when the folder cannot be written. PNG files need matplotlib; without it they are left out.
    """
    folder = Path(folder)
    written = []

    def put(name: str, content: str | bytes) -> None:
        path = folder / name
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
        written.append(path)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = []
        for number, figure in enumerate(section.figures, start=1):
            svg = chart_svg.matrix(figure) if isinstance(figure, Matrix) else chart_svg.chart(figure)
            pictures.append(svg)
            put(f"{section.key}-{number}.svg", svg)
            if (png := _png(figure)) is not None:
                put(f"{section.key}-{number}.png", png)
        for number, table in enumerate(section.tables, start=1):
            put(f"{section.key}-{number}.csv", table.to_csv())
        kept = {
            "key": section.key,
            "title": section.title,
            "made": (made or datetime.now(UTC)).isoformat(timespec="seconds"),
            "command": section.command,
            "text": section.text,
            "tables": [asdict(table) for table in section.tables],
            "numbers": known(section.numbers),
            "figures": pictures,
        }
        put(f"{section.key}.json", json.dumps(kept, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        put(HTML, page(_sections(folder)))
    except OSError as error:
        raise DatasetError(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    return written


def _png(figure: Chart | Matrix) -> bytes | None:
    from core.chart_png import png

    try:
        return png(figure)
    except ImportError:
        return None


def _sections(folder: Path) -> list[dict]:
    """All sections in the folder, in the order of `ORDER`, others behind."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # somebody else's file
        if isinstance(content, dict) and {"key", "title", "tables", "figures", "made"} <= set(content):
            found.append(content)
    place = {key: index for index, key in enumerate(ORDER)}
    return sorted(found, key=lambda one: place.get(one["key"], len(ORDER)))


def page(sections: Sequence[dict]) -> str:
    """The report as one HTML document."""
    links = "".join(f'<li><a href="#{escape(one["key"])}">{escape(one["title"])}</a></li>' for one in sections)
    body = "".join(_section(one) for one in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><title>CNN against ANN: the report</title>'
        f"<style>{_CSS}</style></head><body><main><h1>CNN against ANN: who knows the voice better?</h1>"
        f"<p>{_INTRODUCTION}</p><ol>{links}</ol>{body}</main></body></html>\n"
    )


def _section(one: dict) -> str:
    tables = "".join(
        f"<h3>{escape(table['title'])}</h3><div class=scroll><table><thead><tr>"
        + "".join(f"<th>{escape(column)}</th>" for column in table["columns"])
        + "</tr></thead><tbody>"
        + "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table["rows"])
        + "</tbody></table></div>"
        for table in one["tables"]
    )
    figures = "".join(f"<figure>{svg}</figure>" for svg in one["figures"])
    text = "".join(f"<p>{escape(part)}</p>" for part in one.get("text", "").split("\n") if part)
    return (
        f'<section id="{escape(one["key"])}"><h2>{escape(one["title"])}</h2>{text}{tables}'
        f'<div class="figures">{figures}</div><p class="made">Made {escape(one["made"])} by '
        f"<code>{escape(one.get('command', ''))}</code></p></section>"
    )


_INTRODUCTION = (
    "Two small networks name a speaker from five seconds: a CNN that sees a spectrogram image and an ANN that reads "
    "spectral features, each with a support-vector machine on top. Every figure has its 95 % interval where one can be "
    "had, and the command that made it. Accuracies are of voices that no network was trained on."
)
_CSS = """
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.2rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid #8886; padding-top: 1.2rem; }
h3 { margin: 1.4rem 0 0.3rem; font-size: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.92rem; }
th, td { text-align: left; padding: 0.35rem 0.8rem 0.35rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
td { font-variant-numeric: tabular-nums; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1rem; margin: 1rem 0; }
figure { margin: 0; border: 1px solid #8885; border-radius: 10px; padding: 0.7rem; }
.made { font-size: 0.85rem; opacity: 0.75; overflow-wrap: anywhere; }
"""
