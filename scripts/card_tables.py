"""The tables of the model card (scripts/model_card.py), from what other scripts measured."""

from __future__ import annotations

from scripts.card_words import CORPORA, NAMES


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"  # without strangers there is no open set


def table(results: dict, models: list[str], keys: list[str], *, people: str = "5") -> str:
    """One row per cell name in `keys` and model."""
    lines = [
        f"| channel | model | accuracy of {people} (95 % interval) | worst draw | verification EER | open-set EER | "
        "stranger named / Unknown said of a person | ECE |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key in keys:
        for model in models:
            cell = results.get(model, {}).get(key)
            if cell:
                low, high = cell["ci95"]
                lines.append(
                    f"| {key} | {NAMES[model]} | {percent(cell['accuracy'])} ({100 * low:.1f}-{100 * high:.1f}) | "
                    f"{percent(cell['worst'])} | {percent(cell['eer'])} | {percent(cell['open_set_eer'])} | "
                    f"{_mistakes(cell)} | {_gap(cell)} |"
                )
    return "\n".join(lines)


def short_table(results: dict) -> str:
    """README's: one row per channel, the fusion against Resemblyzer."""
    lines = [
        "| channel | accuracy of 5: CNN / ANN / both / Resemblyzer | verification EER: both / Resemblyzer | "
        "open-set EER: both / Resemblyzer | stranger named / Unknown said of a person |",
        "| --- | --- | --- | --- | --- |",
    ]
    for channel in channels(results):
        both, rival = results["both"][channel], results.get("resemblyzer", {}).get(channel)

        def beside(name: str, ours: dict = both, theirs: dict | None = rival) -> str:
            return f"{100 * ours[name]:.1f} / {100 * theirs[name]:.1f} %" if theirs else percent(ours[name])

        accuracy = " / ".join(f"{100 * results[model][channel]['accuracy']:.1f}" for model in ("cnn", "ann"))
        lines.append(
            f"| {channel} | {accuracy} / {beside('accuracy')} | {beside('eer')} | {beside('open_set_eer')} | "
            f"{_mistakes(both)} |"
        )
    return "\n".join(lines)


def channels(results: dict) -> list[str]:
    """The cells of all readers and 5 s tests."""
    return [key for key in results["cnn"] if "/" not in key and "@" not in key]


def beside_table(results: dict, rivals: list[str]) -> str:
    """Ours less each rival by channel, with the intervals of the differences; '' where none was measured so."""
    lines = []
    measures = ("accuracy", "eer", "open_set_eer")
    for rival in rivals:
        for channel in channels(results):
            cell, theirs = results["both"][channel], results.get(rival, {}).get(channel)
            found = cell.get("beside", {}).get(rival)
            if theirs and found:
                said = (
                    f"{_points(cell[key] - theirs[key])} ({' to '.join(map(_points, found[key]))})" for key in measures
                )
                lines.append(f"| {channel} | {NAMES[rival]} | {' | '.join(said)} |")
    head = [
        "| channel | both, fused, less | accuracy of 5, points (95 %) | verification EER | open-set EER |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join(head + lines) if lines else ""


def speakers_table(results: dict, models: list[str], channel: str) -> str:
    """Of each reader the share of right answers by model, and of Unknown; '' where that was not measured."""
    heard = [model for model in models if results.get(model, {}).get(channel, {}).get("by_speaker")]
    if "both" not in heard:
        return ""
    lines = [
        f"| reader | {' | '.join(NAMES[model] for model in heard)} | both: Unknown |",
        f"| --- |{' --- |' * (len(heard) + 1)}",
    ]
    for reader, (asked, _, refused) in results["both"][channel]["by_speaker"].items():
        right = (results[model][channel]["by_speaker"][reader][1] / asked for model in heard)
        lines.append(f"| {reader} | {' | '.join(map(percent, right))} | {percent(refused / asked)} |")
    return "\n".join(lines)


def silenced(results: dict) -> str:
    """'quiet 80, mic 41': how many segments each channel left too little speech in."""
    cells = results["both"]
    counts = [(cells[channel].get("not_enough_speech", 0), channel) for channel in channels(results)]
    return ", ".join(f"{channel} {count}" for count, channel in sorted(counts, reverse=True) if count) or "none"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f}"


def _mistakes(cell: dict) -> str:
    """How often Unknown was missed, and said wrongly, at the calibration shipped."""
    if cell.get("unknown_false_accept") is None:
        return ""
    return f"{percent(cell['unknown_false_accept'])} / {percent(cell['unknown_false_reject'])}"


def _gap(cell: dict) -> str:
    return "" if cell.get("ece") is None else f"{cell['ece']:.2f}"


def heads_table(heads: dict) -> list[str]:
    """The rows of heads.json, which scripts/compare_heads.py made, by model and head."""
    lines = ["| model | head | accuracy of 5 | verification EER | open-set EER |", "| --- | --- | --- | --- | --- |"]
    for model, rows in ((model, heads[model]) for model in ("cnn", "ann") if model in heads):
        for name, row in rows.items():
            cells = " | ".join(f"{percent(value)} ({100 * low:.1f}-{100 * high:.1f})" for value, low, high in row)
            lines.append(f"| {model.upper()} | {name} | {cells} |")
    return ["\n".join(lines)]


def transfer_table(rows: list[dict]) -> str:
    """One row per network, head and test of scripts/transfer_learning.py."""
    lines = [
        "| network | head | tested on | accuracy of 5 (95 % interval) | worst draw | average precision |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        low, high = row["ci95"]
        lines.append(
            f"| {NAMES[row['network']]} | {row['head']} | {row['test']} | {percent(row['accuracy'])} "
            f"({100 * low:.1f}-{100 * high:.1f}) | {percent(row['worst'])} | {row['average_precision']:.3f} |"
        )
    return "\n".join(lines)


def data_table(data: dict) -> str:
    """Voices, hours, genders and languages of each training corpus."""
    lines = [
        "| corpus | voices | hours | F / M / unknown | languages | licence |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, (what, licence) in CORPORA.items():
        facts = data.get(name, {})
        lines.append(
            f"| {what} | {facts.get('voices', '')} | {facts.get('hours', '')} | "
            f"{facts.get('F', '')} / {facts.get('M', '')} / {facts.get('unknown', '')} | "
            f"{facts.get('languages', '')} | {licence} |"
        )
    return "\n".join(lines)
