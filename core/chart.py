"""A figure as data: series of points on two axes, or a matrix of counts. Drawn as SVG by `core.chart_svg`, which needs
no library and follows the page's colours, and as PNG by `core.chart_png`, which needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from statistics import NormalDist

import numpy as np

SCALES = ("linear", "log", "probit")  # probit: quantiles of the normal distribution, for DET curves
METHOD_COLOURS = {"cnn": "#0072b2", "ann": "#d55e00", "both": "#009e73", "cosine": "#8a9099"}  # Okabe & Ito 2008
PROBIT_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
PROBIT_EDGE = 5e-4  # what is nearer to 0 or 1 is drawn there


@dataclass(frozen=True, eq=False)
class Series:
    """`x`, `y`: (n,). `low`, `high`: (n,) of an interval around y, or None. `kind`: 'line', 'step' or 'points';
    `labels`: (n,) texts of the points, shown where the mouse rests."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    kind: str = "line"
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    labels: Sequence[str] = ()
    dashed: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Axis:
    """`scale`: one of `SCALES`. `span`: lowest and highest value, None: what the series need. `percent`: values are
    fractions and ticks are written in percent. `bare`: no ticks, for maps whose units mean nothing."""

    label: str = ""
    scale: str = "linear"
    span: tuple[float, float] | None = None
    percent: bool = False
    bare: bool = False

    def place(self, value: float, span: tuple[float, float]) -> float:
        """Where `value` lies between the ends of `span`, 0 to 1 inside."""
        low, high = (self._measure(end) for end in span)
        return (self._measure(value) - low) / ((high - low) or 1.0)

    def ticks(self, span: tuple[float, float]) -> list[float]:
        """Round values within `span`."""
        if self.bare:
            return []
        if self.scale == "probit":
            return [tick for tick in PROBIT_TICKS if span[0] <= tick <= span[1]]
        if self.scale == "log":
            decades = range(floor(log10(span[0])), ceil(log10(span[1])) + 1)
            return [m * 10.0**d for d in decades for m in (1, 2, 5) if span[0] <= m * 10.0**d <= span[1] * 1.0001]
        step = _round_step((span[1] - span[0]) / 5.0)
        first = ceil(span[0] / step - 1e-9)
        return [index * step for index in range(first, floor(span[1] / step + 1e-9) + 1)]

    def written(self, tick: float) -> str:
        """A tick as text."""
        return f"{tick * 100:.3g} %" if self.percent else f"{tick:.4g}"

    def _measure(self, value: float) -> float:
        if self.scale == "probit":
            return NormalDist().inv_cdf(min(max(value, PROBIT_EDGE), 1.0 - PROBIT_EDGE))
        return log10(max(value, 1e-12)) if self.scale == "log" else value


@dataclass(frozen=True)
class Chart:
    """`diagonal`: a dashed line from corner to corner, where both axes are equal."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...] = field(default=())
    diagonal: bool = False
    square: bool = False

    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest value of both axes."""
        xs = [float(v) for one in self.series for v in one.x]
        ys = [float(v) for one in self.series for part in (one.y, one.low, one.high) if part is not None for v in part]
        return _span(self.x, xs), _span(self.y, ys)


@dataclass(frozen=True, eq=False)
class Matrix:
    """Counts, int (rows, columns), with names; `colour` grows with the part of its row."""

    title: str
    counts: np.ndarray
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    colour: str
    row_label: str = "who spoke"
    column_label: str = "who was named"
    totals: np.ndarray | None = None  # int (rows,), where columns are left out

    def shares(self) -> np.ndarray:
        """Each count as a part of its row, 0 to 1."""
        totals = self.counts.sum(axis=1) if self.totals is None else self.totals
        return self.counts / np.maximum(totals, 1)[:, None]


def _span(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    if axis.span:
        return axis.span
    values = [value for value in values if isfinite(value)] or [0.0, 1.0]
    low, high = min(values), max(values)
    if axis.scale != "linear":
        return low, high if high > low else low * 2.0
    room = (high - low) * 0.06 or 0.5
    return low - room, high + room


def _round_step(rough: float) -> float:
    decade = 10.0 ** floor(log10(max(rough, 1e-12)))
    return next(step * decade for step in (1, 2, 2.5, 5, 10) if step * decade >= rough * 0.999)
