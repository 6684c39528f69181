"""Figures as PNG, by matplotlib (loaded here and nowhere on the app's path): for slides and papers."""

from __future__ import annotations

import io
from statistics import NormalDist

import numpy as np

from core.chart import PROBIT_EDGE, Axis, Chart, Matrix

INCHES = (6.0, 4.2)
DPI = 160


def png(figure: Chart | Matrix) -> bytes:
    """The figure on white. `ImportError` without matplotlib."""
    from matplotlib.figure import Figure

    paper = Figure(INCHES, dpi=DPI, layout="constrained")
    axes = paper.add_subplot()
    axes.set_title(figure.title, loc="left", fontsize=11, fontweight="bold")
    (_matrix if isinstance(figure, Matrix) else _chart)(axes, figure)
    out = io.BytesIO()
    paper.savefig(out, format="png")
    return out.getvalue()


def _chart(axes, one: Chart) -> None:
    x_span, y_span = one.spans()
    for name, axis, span in (("x", one.x, x_span), ("y", one.y, y_span)):
        _scale(axes, name, axis, span)
    axes.grid(alpha=0.25)
    if one.diagonal:
        axes.plot(x_span, y_span, linestyle="--", color="#8a9099", linewidth=1, zorder=0)
    for series in one.series:
        x, y = np.asarray(series.x, float), np.asarray(series.y, float)
        if series.low is not None and series.high is not None:
            axes.vlines(x, series.low, series.high, color=series.colour, alpha=0.5)
        if series.kind == "points":
            face = "none" if series.hollow else series.colour
            axes.scatter(x, y, s=28, color=face, edgecolors=series.colour, label=series.name or None)
            continue
        style = {"color": series.colour, "linestyle": "--" if series.dashed else "-", "label": series.name or None}
        marker = "o" if series.low is not None or series.labels else None
        drawstyle = "steps-pre" if series.kind == "step" else "default"
        axes.plot(x, y, marker=marker, markersize=4, drawstyle=drawstyle, **style)
    if any(series.name for series in one.series):
        axes.legend(fontsize=8, frameon=False)


def _scale(axes, name: str, axis: Axis, span: tuple[float, float]) -> None:
    setter = getattr(axes, f"set_{name}scale")
    if axis.scale == "log":
        setter("log")
    elif axis.scale == "probit":
        normal = NormalDist()
        there = np.vectorize(lambda v: normal.inv_cdf(min(max(float(v), PROBIT_EDGE), 1 - PROBIT_EDGE)), otypes=[float])
        back = np.vectorize(lambda v: normal.cdf(float(v)), otypes=[float])
        setter("function", functions=(there, back))
    getattr(axes, f"set_{name}lim")(span)
    getattr(axes, f"set_{name}label")(axis.label)
    ticks = axis.ticks(span)
    getattr(axes, f"set_{name}ticks")(ticks, [axis.written(tick) for tick in ticks])
    getattr(axes, f"{name}axis").minorticks_off()


def _matrix(axes, one: Matrix) -> None:
    shares = one.shares()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(one.columns)), one.columns, rotation=45, ha="right")
    axes.set_yticks(range(len(one.rows)), one.rows)
    axes.set_xlabel(one.column_label)
    axes.set_ylabel(one.row_label)
    for (row, column), count in np.ndenumerate(one.counts):
        ink = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(int(count)), ha="center", va="center", color=ink)
