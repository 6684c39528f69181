"""Figures as SVG text: a few shapes, so no library is needed and nothing slows a start. Letters and axes take the
colour of the text around them (`currentColor`), so light and dark follow; every point tells its value on hover."""

from __future__ import annotations

from html import escape
from math import isfinite

import numpy as np

from core.chart import Chart, Matrix, Series

WIDTH, HEIGHT = 380, 290  # units of the view box
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 46
LEGEND_ROW = 17
CELL = 46  # of a matrix
LABEL_LETTERS = 12  # of a name beside a matrix
FAINTEST, FULLEST = 0.06, 0.68  # opacity of a cell of nought and of all: its number is read by day and by night
ZERO = 0.65  # opacity of a nought
FONT = "font-family:inherit;font-size:12px"


def chart(one: Chart, *, width: int = WIDTH, height: int = HEIGHT) -> str:
    """The chart as an `<svg>` element as wide as what holds it."""
    legend = _legend(one, width)
    top = TOP + legend[1]
    height += legend[1]
    box = (LEFT if not one.y.bare else 14, top, width - RIGHT, height - (BOTTOM if not one.x.bare else 14))
    x_span, y_span = one.spans()

    def at(x: float, y: float) -> tuple[float, float]:
        """What lies outside the spans is drawn on the frame."""
        right, up = (float(np.clip(place, 0.0, 1.0)) for place in (one.x.place(x, x_span), one.y.place(y, y_span)))
        return box[0] + right * (box[2] - box[0]), box[3] - up * (box[3] - box[1])

    parts = [_head(width, height, one.title), legend[0], _axes(one, box, x_span, y_span)]
    if one.diagonal:
        parts.append(
            f'<line x1="{box[0]}" y1="{box[3]}" x2="{box[2]}" y2="{box[1]}" stroke="currentColor" opacity="0.45" '
            'stroke-dasharray="4 4"/>'
        )
    parts += [_series(series, at) for series in one.series]
    return "".join(parts) + "</svg>"


def matrix(one: Matrix) -> str:
    """Counts in cells; rows and columns by name."""
    rows, columns = one.counts.shape
    left, top = 104, 74
    width, height = left + columns * CELL + 8, top + rows * CELL + 8
    shares = one.shares()
    parts = [_head(width, height, one.title, limit=max(width * 1.35, 300))]
    parts.append(f'<text x="{left}" y="{top - 42}" opacity="0.7">{escape(one.column_label)} &#8594;</text>')
    parts.append(f'<text x="4" y="{top - 8}" opacity="0.7">{escape(one.row_label)} &#8595;</text>')
    for column, name in enumerate(one.columns):
        x = left + column * CELL + CELL / 2
        parts.append(f'<text x="{x}" y="{top - 8}" text-anchor="middle">{_short(name, 7)}</text>')
    for row, name in enumerate(one.rows):
        y = top + row * CELL
        parts.append(f'<text x="{left - 8}" y="{y + CELL / 2 + 4}" text-anchor="end">{_short(name)}</text>')
        for column in range(columns):
            share, count = float(shares[row, column]), int(one.counts[row, column])
            full = FAINTEST + (FULLEST - FAINTEST) * share
            says = f"{name} answered {one.columns[column]}: {count}"
            parts.append(
                f'<g><title>{escape(says)}</title><rect x="{left + column * CELL + 1}" y="{y + 1}" width="{CELL - 2}" '
                f'height="{CELL - 2}" rx="5" fill="{one.colour}" fill-opacity="{full:.3f}"/>'
                f'<text x="{left + column * CELL + CELL / 2}" y="{y + CELL / 2 + 4}" text-anchor="middle" '
                f'opacity="{1 if count else ZERO}">{count}</text></g>'
            )
    return "".join(parts) + "</svg>"


def _head(width: float, height: float, title: str, *, limit: float | None = None) -> str:
    most = f"max-width:{limit:.0f}px;" if limit else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title, quote=True)}" style="width:100%;height:auto;display:block;{most}{FONT};'
        'fill:currentColor">'
        f'<text x="4" y="16" style="font-weight:650;font-size:13px">{escape(title)}</text>'
    )


def _short(name: str, letters: int = LABEL_LETTERS) -> str:
    return escape(name if len(name) <= letters else name[: letters - 1] + "\u2026")


def _legend(one: Chart, width: float) -> tuple[str, int]:
    """Names of the series in rows below the title, and how much height they take."""
    parts, x, y = [], 4.0, 34.0
    named = [series for series in one.series if series.name]
    for series in named:
        need = 34 + 6.6 * len(series.name)
        if x > 4 and x + need > width:
            x, y = 4.0, y + LEGEND_ROW
        ring = f'fill="none" stroke="{series.colour}" stroke-width="2.5"'
        filled = ring if series.hollow else f'fill="{series.colour}"'
        mark = (
            f'<circle cx="{x + 6}" cy="{y - 4}" r="4.5" {filled}/>'
            if series.kind == "points"
            else f'<line x1="{x}" y1="{y - 4}" x2="{x + 13}" y2="{y - 4}" stroke="{series.colour}" stroke-width="3"'
            f"{_dash(series)}/>"
        )
        parts.append(f'{mark}<text x="{x + 17}" y="{y}">{escape(series.name)}</text>')
        x += need
    return "".join(parts), int(y - 34 + LEGEND_ROW) if named else 0


def _axes(one: Chart, box, x_span, y_span) -> str:
    left, top, right, bottom = box
    parts = []
    for tick in one.y.ticks(y_span):
        y = bottom - one.y.place(tick, y_span) * (bottom - top)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity="0.13"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{one.y.written(tick)}</text>')
    for tick in one.x.ticks(x_span):
        x = left + one.x.place(tick, x_span) * (right - left)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="currentColor" opacity="0.13"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{one.x.written(tick)}</text>')
    frame = f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" '
    parts.append(frame + 'stroke="currentColor" opacity="0.3"/>')
    if one.x.label:
        middle = (left + right) / 2
        parts.append(
            f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle" opacity="0.8">{escape(one.x.label)}</text>'
        )
    if one.y.label:
        place = f'transform="translate(14 {(top + bottom) / 2:.0f}) rotate(-90)"'
        parts.append(f'<text {place} text-anchor="middle" opacity="0.8">{escape(one.y.label)}</text>')
    return "".join(parts)


def _series(series: Series, at) -> str:
    points = [at(float(x), float(y)) for x, y in zip(series.x, series.y, strict=True)]
    known = [isfinite(x) and isfinite(y) for x, y in points]
    parts = []
    if series.low is not None and series.high is not None:
        for x, low, high in zip(series.x, series.low, series.high, strict=True):
            (px, bottom), (_, top) = at(float(x), float(low)), at(float(x), float(high))
            if isfinite(bottom) and isfinite(top):
                parts.append(
                    f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{bottom:.1f}" y2="{top:.1f}" stroke="{series.colour}" '
                    'stroke-width="2" opacity="0.55"/>'
                )
    if series.kind in ("line", "step"):
        path, before = [], None
        for (x, y), fine in zip(points, known, strict=True):
            if not fine:
                before = None
                continue
            if before is None:
                path.append(f"M{x:.1f} {y:.1f}")
            elif series.kind == "step":
                path.append(f"V{y:.1f}H{x:.1f}")
            else:
                path.append(f"L{x:.1f} {y:.1f}")
            before = (x, y)
        parts.append(
            f'<path d="{"".join(path)}" fill="none" stroke="{series.colour}" stroke-width="2.5" stroke-linejoin="round"'
            f"{_dash(series)}/>"
        )
    if series.kind == "points" or series.labels or series.low is not None:
        labels = series.labels or [""] * len(points)
        fill = "none" if series.hollow else series.colour
        for (x, y), fine, label in zip(points, known, labels, strict=True):
            if fine:
                title = f"<title>{escape(label)}</title>" if label else ""
                parts.append(
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if series.kind == "points" else 3.5}" fill="{fill}" '
                    f'stroke="{series.colour}" stroke-width="1.5" fill-opacity="0.85">{title}</circle>'
                )
    return "".join(parts)


def _dash(series: Series) -> str:
    return ' stroke-dasharray="6 4"' if series.dashed else ""
