"""Sentences for the person at the screen, and progress, as HTML."""

from __future__ import annotations

import logging
from html import escape

from core.errors import SpeakerError
from demo import texts

KINDS = ("error", "info", "good")
SETTLED = "(html) => (html?.includes('notice-error') ? '' : html)"  # JavaScript: what was wrong is being mended


def notice(text: str, kind: str = "info") -> str:
    """One sentence in a box; '' for no text. `kind`: 'error', 'info' or 'good'."""
    if not text:
        return ""
    first = text.split()[0]
    sentence = text[0].upper() + text[1:] if first.rstrip(",:;").isalpha() else text  # not a file or a host
    sentence += "" if sentence[-1] in ".?!" else "."
    role = "alert" if kind == "error" else "status"
    return f'<div class="notice notice-{kind}" role="{role}">{escape(sentence)}</div>'


def trouble(error: Exception) -> str:
    """What went wrong as one sentence: ours word for word, anything else logged and said in general."""
    if isinstance(error, SpeakerError):
        return notice(str(error), "error")
    logging.getLogger("demo").error("unexpected", exc_info=error)
    return notice(texts.INTERNAL, "error")


def progress(text: str, fraction: float | None) -> str:
    """A bar; `fraction`: 0 to 1, None where nobody knows."""
    width = "" if fraction is None else f' style="width:{min(max(fraction, 0.0), 1.0):.1%}"'
    state = "unsure" if fraction is None else "sure"
    number = "" if fraction is None else f"<b>{min(max(fraction, 0.0), 1.0) * 100:.0f} %</b>"
    return (
        f'<div class="progress" role="status"><div class="progress-text"><span>{escape(text)}</span>{number}</div>'
        f'<div class="progress-track"><i class="{state}"{width}></i></div></div>'
    )
