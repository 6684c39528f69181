"""Packages that the app does without: `make demo` leaves out what only training and measuring need."""

from __future__ import annotations

from importlib.util import find_spec

from core.errors import SpeakerError


def need(*packages: str) -> None:
    """Raises `SpeakerError` unless all are installed: before anything is worked at that would be lost. Loads none."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise SpeakerError(
            f"this needs {' and '.join(missing)}, which `make demo` does not install: `pip install -r requirements.txt`"
        )
