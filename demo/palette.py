"""One colour per person, told apart by colour-blind readers too (Okabe and Ito 2008, "Color Universal Design")."""

from __future__ import annotations

from collections.abc import Sequence

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#7a5195", "#8c6d46")
UNKNOWN_COLOUR = "#8a9099"
DARK_INK, LIGHT_INK = "#10151c", "#ffffff"


def colours(names: Sequence[str]) -> dict[str, str]:
    """Name -> colour, in the order of enrolment; beyond nine people colours repeat and the label tells."""
    return {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}


def ink_on(colour: str) -> str:
    """Dark or light text, whichever is easier to read on `colour` ("#rrggbb"), by WCAG 2 contrast."""
    light = _luminance(colour)
    against_dark = (light + 0.05) / (_luminance(DARK_INK) + 0.05)
    against_light = 1.05 / (light + 0.05)
    return DARK_INK if against_dark >= against_light else LIGHT_INK


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
