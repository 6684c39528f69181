"""The exam's results as HTML: scores, confusion, curves, disagreements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan

from core import chart_svg
from core.chart import METHOD_COLOURS, Axis, Chart, Matrix, Series
from core.comparison import METHODS, Comparison, Result
from core.heads import ANSWERS
from demo import compare_texts as texts
from demo.answer_view import percent
from demo.palette import UNKNOWN_COLOUR
from demo.timeline_view import chip

MOST_PEOPLE = 12  # in a confusion matrix that can still be read
MOST_ROWS = 30  # disagreements listed
SIGNIFICANT = 0.05  # p-value below which one model is called better
ENOUGH_PEOPLE = 6  # with fewer even one-sided differences of all are no smaller than that (2 of 2 ** 5)


def results(done: Comparison, colours: Mapping[str, str]) -> str:
    """Everything but the map."""
    found = {method: done.result(method) for method in METHODS}
    return (
        f'<div class="results exam">{scores(done, found)}{confusion(done, found)}{curves(found)}'
        f"{disagreements(done, colours)}</div>"
    )


def scores(done: Comparison, found: Mapping[str, Result]) -> str:
    """Bars with intervals, a sentence on what they allow to say, and the table of all measures."""
    rows = "".join(_score(method, found[method]) for method in METHODS)
    head = "".join(f'<th title="{escape(about, quote=True)}">{title}</th>' for title, about in texts.COLUMNS)
    body = "".join(
        f"<tr><th>{_dot(method)}{texts.METHOD_TITLES[method]}</th>"
        + "".join(f"<td>{cell}</td>" for cell in _cells(found[method]))
        + "</tr>"
        for method in METHODS
    )
    return (
        f'<section><h3>{texts.SCORES} <span>{texts.SCORES_NOTE}</span></h3><div class="forest">{rows}</div>'
        f'<p class="verdict">{verdict(done, found["cnn"], found["ann"])}</p>'
        f'<div class="table-scroll exam-table"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div></section>"
    )


def verdict(done: Comparison, cnn: Result, ann: Result) -> str:
    """Which is better, if the people are enough to say so."""
    people, chance = len(done.by_person("cnn")), done.better("cnn", "ann")
    if chance < SIGNIFICANT:
        better, worse = ("CNN", "ANN") if cnn.accuracy > ann.accuracy else ("ANN", "CNN")
        return texts.VERDICT.format(better=better, worse=worse, people=people, chance=f"{chance:.2g}")
    if people < ENOUGH_PEOPLE:
        return texts.VERDICT_FEW.format(people=people, enough=ENOUGH_PEOPLE)
    return texts.VERDICT_TIE.format(people=people, chance=f"{chance:.2g}")


def _score(method: str, one: Result) -> str:
    low, high = one.interval
    return (
        f'<div class="forest-row" style="--who:{METHOD_COLOURS[method]}"><span class="forest-name">'
        f"{texts.METHOD_TITLES[method]}</span>"
        f'<div class="forest-track"><i style="width:{one.accuracy:.1%}"></i><s style="left:{low:.1%};'
        f'width:{high - low:.1%}"></s></div><b>{whole(one.accuracy)}</b>'
        f"<small>{one.hits} of {one.trials}, {whole(low)} to {whole(high)}</small></div>"
    )


def _cells(one: Result) -> list[str]:
    wrong = one.trials - one.hits - one.unknown
    return [
        f"{one.hits} of {one.trials}",
        str(one.unknown) if one.reliability else "&ndash;",
        str(wrong),
        "&ndash;" if one.refused is None else whole(one.refused),
        f"{one.retrieval.average:.3f}",
        "&ndash;" if isnan(one.trade.equal) else f"{one.trade.equal * 100:.1f}\u00a0%",
        "&ndash;" if one.reliability is None else f"{one.reliability.error * 100:.1f}\u00a0%",
    ]


def whole(part: float) -> str:
    """0.975 -> '98 %'; a measured part may be 100 %."""
    return f"{part * 100:.0f}\u00a0%"


def _dot(method: str) -> str:
    return f'<i class="dot" style="--who:{METHOD_COLOURS[method]}"></i> '


def confusion(done: Comparison, found: Mapping[str, Result]) -> str:
    """A matrix for each model; with many people only those who were confused."""
    names = list(done.names)
    rows = list(range(len(names)))
    if len(names) > MOST_PEOPLE:
        errors = sum(one.confusion.sum(axis=1) - one.confusion.diagonal() for one in found.values())
        errors = errors + sum(one.confusion[:, :-1].sum(axis=0) - one.confusion.diagonal() for one in found.values())
        rows = sorted(sorted(rows, key=lambda row: -errors[row])[:MOST_PEOPLE])
    columns = [*rows, len(names)]
    cards = "".join(
        '<div class="figure">'
        + chart_svg.matrix(
            Matrix(
                texts.METHOD_TITLES[method],
                found[method].confusion[rows][:, columns],
                tuple(names[row] for row in rows),
                (*(names[row] for row in rows), "Unkn."),
                METHOD_COLOURS[method],
                totals=found[method].confusion[rows].sum(axis=1),
            )
        )
        + "</div>"
        for method in ANSWERS
    )
    note = texts.CONFUSION_NOTE + ("" if len(rows) == len(names) else texts.CONFUSION_SOME.format(count=len(rows)))
    return f'<section><h3>{texts.CONFUSION} <span>{note}</span></h3><div class="figures">{cards}</div></section>'


def charts(found: Mapping[str, Result]) -> tuple[Chart, Chart, Chart]:
    """Precision-recall, DET and reliability of all methods."""
    shown = {texts.METHOD_TITLES[method]: (METHOD_COLOURS[method], one) for method, one in found.items()}
    retrieval = tuple(
        Series(f"{name} ({one.retrieval.average:.2f})", one.retrieval.recall, one.retrieval.precision, colour, "step")
        for name, (colour, one) in shown.items()
    )
    trade = tuple(
        Series(f"{name} (EER {one.trade.equal:.1%})", one.trade.accepts, one.trade.rejects, colour)
        for name, (colour, one) in shown.items()
        if len(one.trade.accepts)
    )
    calibration = tuple(
        Series(name, one.reliability.stated, one.reliability.found, colour, labels=_counts(one))
        for name, (colour, one) in shown.items()
        if one.reliability
    )
    error = {"scale": "probit", "percent": True, "span": (0.005, 0.6)}
    return (
        Chart(texts.PR_TITLE, Axis("recall", percent=True, span=(0, 1)), _rate("precision"), retrieval),
        Chart(texts.DET_TITLE, Axis("false alarms", **error), Axis("misses", **error), trade, diagonal=True),
        Chart(texts.CAL_TITLE, _rate("stated probability"), _rate("was right"), calibration, diagonal=True),
    )


def curves(found: Mapping[str, Result]) -> str:
    """The three charts side by side."""
    cards = "".join(f'<div class="figure">{chart_svg.chart(one)}</div>' for one in charts(found))
    return (
        f'<section><h3>{texts.CURVES}</h3><div class="figures">{cards}</div><p class="quiet">{texts.CURVES_NOTE}</p>'
        "</section>"
    )


def _rate(label: str) -> Axis:
    return Axis(label, percent=True, span=(0.0, 1.0))


def _counts(one: Result) -> Sequence[str]:
    bins = zip(one.reliability.stated, one.reliability.found, one.reliability.counts, strict=True)
    return [f"said {stated:.0%}, was right {found:.0%}, {count} answers" for stated, found, count in bins]


def disagreements(done: Comparison, colours: Mapping[str, str]) -> str:
    """A row for each segment to which CNN and ANN gave different names."""
    apart = done.disagreements()
    if not apart:
        return f'<section><h3>{texts.APART}</h3><p class="quiet">{texts.APART_NONE}</p></section>'
    head = "".join(f"<th>{column}</th>" for column in texts.APART_COLUMNS)
    rows = "".join(
        f"<tr><th>{chip(done.names[done.held[t].person], colours)}</th><td>{_when(done, t)}</td>"
        + "".join(_answer(done, t, answer, colours) for answer in ("cnn", "ann", "both"))
        + "</tr>"
        for t in apart[:MOST_ROWS]
    )
    return (
        f"<section><h3>{texts.APART} <span>{len(apart)} of {len(done.held)}</span></h3>"
        f'<div class="table-scroll apart"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</section>"
    )


def _when(done: Comparison, t: int) -> str:
    start = done.held[t].start
    return f"{start:.0f} to {start + 5:.0f}\u00a0s"


def _answer(done: Comparison, t: int, answer: str, colours: Mapping[str, str]) -> str:
    decision = done.decisions[t][answer]
    right = decision.name == done.names[done.held[t].person]
    mark = '<span class="right">&#10003;</span>' if right else '<span class="wrong">&#10007;</span>'
    colour = colours.get(decision.name, UNKNOWN_COLOUR)
    return (
        f'<td><span class="cell-name"><i class="dot" style="--who:{colour}"></i><b>{escape(decision.name)}</b></span> '
        f"{percent(decision.probability)} {mark}</td>"
    )


def place(done: Comparison, t: int) -> str:
    """Which segment a trial is about."""
    held = done.held[t]
    return f"{done.names[held.person]}, {held.start:.0f} to {held.start + 5:.0f} s"


def labelled(done: Comparison, t: int) -> str:
    """A trial as a line of a menu: who, when, and what went wrong."""
    decisions, name, line = done.decisions[t], done.names[done.held[t].person], place(done, t)
    if decisions["cnn"].name != decisions["ann"].name:
        return f"{line}: CNN {decisions['cnn'].name}, ANN {decisions['ann'].name}"
    return line if decisions["both"].name == name else f"{line}: taken for {decisions['both'].name}"
