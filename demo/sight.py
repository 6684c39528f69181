"""Shown or out of sight, but always in the page.

`visible=False` is never said: Gradio 6 leaves such a component out of the page and builds it when it is first shown. Of
two updates that come meanwhile (a generator that says more, a tab that refreshes) one may be lost, and then it stays
away for good (https://github.com/gradio-app/gradio/pull/13553 mends one such case of several). What holds a browser's
microphone is the exception: it is there from the start, and taking it away closes the microphone.
"""

from __future__ import annotations

from typing import Any

HIDDEN = "hidden"  # `visible` of a component that is in the page, but not to be seen or reached
AWAY = "is-away"  # the class of a place that is: `hidden` means nothing to Gradio's columns and rows


def seen(on: object) -> bool | str:
    """`visible` of a component that is shown where `on` is true."""
    return True if on else HIDDEN


def layout(on: object, *classes: str) -> dict[str, list[str]]:
    """What a column or a row of these `classes` is made with, shown where `on` is true."""
    return {"elem_classes": [*classes] if on else [*classes, AWAY]}


def visibility(place: Any, on: object) -> dict:
    """The update of `place`, a column or a row, that shows it where `on` is true."""
    import gradio as gr

    return gr.update(**layout(on, *(one for one in place.elem_classes if one != AWAY)))
