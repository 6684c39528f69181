"""The current answer, large, with both models beside it; level meter and the picture the CNN sees."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape

import numpy as np

from core.audio import SEGMENT_SECONDS
from core.heads import ANSWERS, NOT_ENOUGH_SPEECH, UNKNOWN, Decision
from core.segments import MIN_SPEECH_SECONDS
from core.spectrogram import FMAX, FMIN, write_png
from core.timeline import Answer
from demo import texts
from demo.palette import UNKNOWN_COLOUR

METER_FLOOR_DBFS = -60.0  # dBFS at the left end of the level meter


def percent(probability: float) -> str:
    """0.978 -> '98 %', with no-break spaces, as HTML; never '100 %' or '0 %', which nothing is."""
    if probability > 0.99:
        return "&gt;\u00a099\u00a0%"
    return "&lt;\u00a01\u00a0%" if probability < 0.01 else f"{probability * 100:.0f}\u00a0%"


def shown(decision: Decision) -> str:
    """The name as it is written on the screen (not escaped)."""
    return texts.NOT_ENOUGH if decision.name == NOT_ENOUGH_SPEECH else decision.name


def colour_of(name: str, colours: Mapping[str, str]) -> str:
    """A person's colour; grey for Unknown and for nothing."""
    return colours.get(name, UNKNOWN_COLOUR)


def answer(current: Answer | None, colours: Mapping[str, str]) -> str:
    """Three cards: fused (large), CNN, ANN. None: nothing judged yet."""
    if current is None:
        cards = "".join(_waiting(which) for which in ("both", "cnn", "ann"))
    else:
        cards = "".join(_card(which, current, colours) for which in ("both", "cnn", "ann"))
    return f'<div class="answer" aria-live="polite">{cards}</div>'


def _waiting(which: str) -> str:
    text = f'<div class="card-line">{texts.WAITING_TEXT}</div>' if which == "both" else ""
    name = texts.WAITING_NAME if which == "both" else "&ndash;"
    return _shell(which, "waiting", UNKNOWN_COLOUR, f'<div class="card-name">{name}</div>{text}', 0.0)


def _card(which: str, current: Answer, colours: Mapping[str, str]) -> str:
    decision = current.of(which)
    name = escape(shown(decision))
    if decision.name == NOT_ENOUGH_SPEECH:
        line = f"{current.quality.speech:.1f} s of speech"
        line += f", {MIN_SPEECH_SECONDS:.0f} s is needed" if which == "both" else ""
        inner = f'<div class="card-name">{name}</div><div class="card-line">{line}</div>'
        return _shell(which, "silent", UNKNOWN_COLOUR, inner, 0.0)
    following = (
        f'<span class="card-next">next: {escape(decision.runner_up)} {percent(decision.runner_up_probability)}</span>'
        if decision.runner_up
        else ""
    )
    aside = (
        f'<div class="card-aside">{_why_unknown(decision)}</div>'
        if which == "both" and decision.name == UNKNOWN
        else ""
    )
    inner = (
        f'<div class="card-name">{name}</div><div class="card-line"><b>{percent(decision.probability)}</b> {following}'
        f"</div>{aside}"
    )
    kind = "person" if decision.is_person else "unknown"
    return _shell(which, kind, colour_of(decision.name, colours), inner, decision.probability)


def _why_unknown(decision: Decision) -> str:
    if decision.runner_up_probability > decision.probability:  # held back: `core.sureness`
        return texts.UNSURE_NOTE.format(name=escape(decision.runner_up))
    return texts.UNKNOWN_NOTE


def _shell(which: str, kind: str, colour: str, inner: str, fraction: float) -> str:
    assert which in ANSWERS
    return (
        f'<section class="card card-{which} is-{kind}" style="--who:{colour}">'
        f"<header><b>{texts.ANSWER_TITLES[which]}</b> <span>{texts.ANSWER_NOTES[which]}</span></header>"
        f'{inner}<div class="card-bar"><i style="width:{fraction:.1%}"></i></div></section>'
    )


def speech_meter(speech: float, of: float) -> str:
    """Seconds of speech among the last `of` seconds as a bar, with a mark where they are enough for an answer."""
    fraction = min(speech / SEGMENT_SECONDS, 1.0)
    zone = "fine" if speech >= MIN_SPEECH_SECONDS else "low"
    text = texts.SPEECH_METER.format(speech=speech, seconds=of) if of else "&ndash;"
    return (
        f'<div class="meter meter-speech"><span>{texts.SPEECH}</span><div class="meter-track" '
        f'style="--enough:{MIN_SPEECH_SECONDS / SEGMENT_SECONDS:.0%}"><i class="{zone}" style="width:{fraction:.1%}">'
        f'</i></div><span class="meter-number">{text}</span></div>'
    )


def meter(level: float | None) -> str:
    """Level of the last second in dBFS as a bar; None: no sound yet."""
    fraction = 0.0 if level is None else min(max(1.0 - level / METER_FLOOR_DBFS, 0.0), 1.0)
    text = "&ndash;" if level is None else f"{max(level, -99):.0f} dBFS"
    zone = "low" if level is None or level < -45 else "hot" if level > -6 else "fine"
    return (
        f'<div class="meter"><span>{texts.LEVEL}</span><div class="meter-track"><i class="{zone}" '
        f'style="width:{fraction:.1%}"></i></div><span class="meter-number">{text}</span></div>'
    )


_AXIS = f'<span class="picture-top">{FMAX / 1000:.1f} kHz</span><span class="picture-bottom">{FMIN:.0f} Hz</span>'


def picture(image: np.ndarray | None) -> str:
    """The spectrogram image, uint8 (BANDS, FRAMES), inline as PNG; None: an empty frame of the same size."""
    if image is None:
        inside = f'<div class="picture-empty">{texts.PICTURE_EMPTY}</div>'
    else:
        file = io.BytesIO()
        write_png(image, file)
        encoded = base64.b64encode(file.getvalue()).decode()
        inside = f'<img alt="{texts.PICTURE_NOTE}" src="data:image/png;base64,{encoded}">{_AXIS}'
    return (
        f'<section class="picture"><h3>{texts.PICTURE} <span>{texts.PICTURE_NOTE}</span></h3>'
        f'<div class="picture-frame">{inside}</div></section>'
    )
