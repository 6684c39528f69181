"""The evaluation as sections of the report: channels, lengths, enrolment, people, gender, speed. Not imported by the
app."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from math import nan
from pathlib import Path
from statistics import median

from core import learning_curves, protocol
from core.audio import Audio
from core.chart import METHOD_COLOURS, Axis, Chart, Series
from core.embedder import Embedder
from core.evaluation import Cell
from core.heads import ANSWERS, Calibration, Heads
from core.report import Section, Table, known
from core.segments import prepare, speech_segments
from core.spectral import feature_row
from core.spectrogram import spectrogram_image

TITLES = {
    "cnn": "CNN-SVM",
    "ann": "ANN-SVM",
    "both": "both, fused",
    "cnn_cosine": "CNN, mean cosine",
    "ann_cosine": "ANN, mean cosine",
    "resemblyzer": "Resemblyzer, mean cosine",
    "campplus": "CAM++, mean cosine",
}
TESTED = "tested on other recordings (who has one only is a rival and a stranger, not tested)"
REPEATS = 15  # of a timing
RATE = {"percent": True, "span": (0.0, 1.0)}


def sections(
    results: Mapping[str, Mapping[str, dict]],
    folder: Path,
    command: str,
    *,
    seed: int = 0,
    tests: int = protocol.TEST_LIMIT,
    people: int = 5,
    enrol_seconds: float = protocol.ENROL_SECONDS,
    genders: Mapping[str, str] | None = None,
) -> Iterator[Section]:
    """All that `scripts/evaluate.py` can tell: `results` as its JSON has them, of people enrolled with `enrol_seconds`,
    then what is measured here anew with its `seed`, `tests` of a speaker at most, and draws of `people`; these curves
    take `learning_curves.DRAWS` draws. `genders`: by speaker, where known."""
    yield channels(results, command, enrol_seconds)
    if any("@" in key for cells in results.values() for key in cells):
        yield lengths(results, command)
    embedder = Embedder()
    trouble: list[str] = []
    voices = learning_curves.gather(folder, embedder, trouble=trouble, seed=seed, limit=tests)
    people = min(people, len(voices.names))
    draws = f"{len(voices.names)} speakers, at most {learning_curves.DRAWS} draws"
    left_out = f" Not used: {'; '.join(trouble)}." if trouble else ""
    amounts = learning_curves.by_seconds(voices, people=people)
    yield curve(
        "enrolment",
        "How much speech must somebody give?",
        f"Draws of {people} enrolled with the first {_range(amounts)} s of speech of one recording, {TESTED}; "
        f"{draws}.{left_out}",
        "seconds of speech enrolled",
        amounts,
        command,
    )
    sizes = learning_curves.by_people(voices)
    yield curve(
        "people",
        "How many people can be told apart?",
        f"30 s of enrolment, {_range(sizes)} people enrolled at once, {TESTED}; {draws}.{left_out}",
        "people enrolled",
        sizes,
        command,
    )
    if genders:
        yield gender(learning_curves.by_gender(voices, dict(genders), people=people), command, people)
    if (sound := some_speech(folder)) is not None:
        yield speed(embedder, sound, command)


def _range(found: Mapping[int, object]) -> str:
    """ "5 to 60"."""
    return f"{min(found)} to {max(found)}" if len(found) > 1 else f"{min(found)}"


def channels(
    results: Mapping[str, Mapping[str, dict]], command: str, enrol_seconds: float = protocol.ENROL_SECONDS
) -> Section:
    """The table by channel."""
    names = list(dict.fromkeys(key for cells in results.values() for key in cells if "@" not in key))
    columns = ("channel", "model", "accuracy (95 % interval)", "worst draw", "EER", "open-set EER", "calibration error")
    rows = tuple(
        (
            name,
            TITLES.get(model, model),
            _interval(cells[name]),
            *(_percent(cells[name].get(key)) for key in ("worst", "eer", "open_set_eer", "ece")),
        )
        for name in names
        for model, cells in results.items()
        if name in cells
    )
    text = (
        f"Everybody enrols with {enrol_seconds:g} s of speech of one recording and is {TESTED}, played through a "
        "channel. Accuracy is of the people drawn; the interval is a bootstrap over speakers. EER: every test against "
        "every speaker. Open-set EER: people drawn against all others."
    )
    return Section(
        "channels", "Through which channel?", text, command, (Table("By channel", columns, rows),), (), dict(results)
    )


def lengths(results: Mapping[str, Mapping[str, dict]], command: str) -> Section:
    """Accuracy by length of the test, in the first channel measured, of everybody together."""
    first = next(key.split("@")[0] for cells in results.values() for key in cells)
    found: dict[str, list[tuple[float, dict]]] = {}
    for model, cells in results.items():
        for key, cell in cells.items():
            if key.split("@")[0] == first and "/" not in key:
                found.setdefault(model, []).append((cell["seconds"], cell))
    series = tuple(
        _series(TITLES.get(model, model), sorted(pairs, key=lambda pair: pair[0]), model)
        for model, pairs in found.items()
        if model in ANSWERS
    )
    rows = tuple(
        (TITLES.get(model, model), f"{seconds:g} s", _interval(cell), _percent(cell["eer"]))
        for model, pairs in found.items()
        for seconds, cell in sorted(pairs, key=lambda pair: pair[0])
    )
    table = Table("By length of the test", ("model", "seconds", "accuracy (95 % interval)", "EER"), rows)
    charts = _charts("Accuracy by length of the test", "seconds heard", "linear", series)
    text = f"Only the first seconds of each test are heard (channel {first})."
    numbers = {model: {f"{s:g}": cell for s, cell in pairs} for model, pairs in found.items()}
    return Section("lengths", "How long must somebody speak?", text, command, (table,), charts, numbers)


def curve(
    key: str, title: str, text: str, label: str, found: Mapping[int, Mapping[str, Cell]], command: str
) -> Section:
    """A learning curve and its table."""
    series = tuple(
        _series(TITLES[answer], [(place, _plain(cells[answer])) for place, cells in found.items()], answer)
        for answer in ANSWERS
    )
    rows = tuple(
        (str(place), TITLES[answer], *_rates(cells[answer])) for place, cells in found.items() for answer in ANSWERS
    )
    columns = (label, "model", "accuracy (95 % interval)", "worst draw")
    numbers = {str(place): {a: _plain(cell) for a, cell in cells.items()} for place, cells in found.items()}
    charts = _charts(title, label, "log", series)
    return Section(key, title, text, command, (Table(title, columns, rows),), charts, numbers)


def gender(found: Mapping[str, Mapping[str, Cell]], command: str, people: int = 5) -> Section:
    """Same-gender draws beside mixed ones."""
    rows = tuple(
        (group, TITLES[answer], *_rates(cell)) for group, cells in found.items() for answer, cell in cells.items()
    )
    columns = ("draws of", "model", "accuracy (95 % interval)", "worst draw")
    text = f"Draws of {people} of one gender, and of both. Within one pitch helps less, but the voices differ too."
    numbers = {group: {a: _plain(cell) for a, cell in cells.items()} for group, cells in found.items()}
    title = "Within one gender"
    return Section("gender", title, text, command, (Table(f"Draws of {people}", columns, rows),), (), numbers)


def some_speech(folder: Path) -> Audio | None:
    """5 s of the first who says so much; None where nobody does."""
    for session in (session for person in protocol.find_people(folder) for session in person.sessions):
        for _, piece in speech_segments([protocol.read(session, [])]):
            if prepare(piece) is not None:
                return piece
    return None


def speed(embedder: Embedder, sound: Audio, command: str) -> Section:
    """Median time of each step for one segment, `sound`, on the machine that made the report."""
    samples = prepare(sound)
    image, row = spectrogram_image(samples)[None], feature_row(samples)[None]
    cohort = embedder.cohort
    people = [cohort.rows(range(i * 6, i * 6 + 6)) for i in range(5)]
    heads = Heads(list("abcde"), people, cohort, Calibration(**embedder.calibration))
    one = embedder.embed([samples])
    steps = {
        "speech activity, level": lambda: prepare(sound),
        "spectrogram image": lambda: spectrogram_image(samples),
        "feature row": lambda: feature_row(samples),
        "CNN": lambda: embedder.embed_images(image),
        "ANN": lambda: embedder.embed_rows(row),
        "heads of five people": lambda: heads.decide(one),
    }
    found = {name: _milliseconds(step) for name, step in steps.items()}
    total = sum(found.values())
    rows = tuple((name, f"{ms:.2f}", f"{ms / total:.0%}") for name, ms in found.items())
    rows += (("all", f"{total:.2f}", f"{5000.0 / total:.0f} x real time"),)
    text = (
        f"Median of {REPEATS} runs for one segment of 5 s, one after another, with whatever else the machine was doing."
    )
    table = Table("Time for one segment", ("step", "ms", "share"), rows)
    return Section(
        "speed", "How fast?", text, command, (table,), (), {name: round(ms, 3) for name, ms in found.items()}
    )


def _milliseconds(step) -> float:
    step()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        step()
        times.append((time.perf_counter() - began) * 1000.0)
    return median(times)


def _series(name: str, pairs: list[tuple[float, dict]], model: str) -> Series:
    pairs = [(place, cell) for place, cell in pairs if cell["accuracy"] is not None]
    x, y = [float(place) for place, _ in pairs], [cell["accuracy"] for _, cell in pairs]
    low, high = ([nan if cell["ci95"][end] is None else cell["ci95"][end] for _, cell in pairs] for end in (0, 1))
    return Series(name, x, y, METHOD_COLOURS.get(model, METHOD_COLOURS["cosine"]), low=low, high=high)


def _charts(title: str, label: str, scale: str, series: tuple[Series, ...]) -> tuple[Chart, ...]:
    """Accuracy along something; no chart where no accuracy is known."""
    chart = Chart(title, Axis(label, scale=scale), Axis("accuracy", **RATE), series)
    return (chart,) if any(one.x for one in series) else ()


def _plain(cell: Cell) -> dict:
    """What was not measured is None."""
    return known({"accuracy": cell.accuracy, "ci95": cell.ci95, "worst": cell.worst, "tests": cell.tests})


def _interval(cell: Mapping) -> str:
    low, high = cell["ci95"]
    return f"{_percent(cell['accuracy'])} ({'-' if low is None else f'{_percent(low)} to {_percent(high)}'})"


def _rates(cell: Cell) -> tuple[str, str]:
    """Accuracy with its interval, and the worst draw."""
    plain = _plain(cell)
    return _interval(plain), _percent(plain["worst"])


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
