"""Packages that the app does without: `make demo` leaves out what only training and measuring need."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

from core.errors import SpeakerError

BACKENDS = ("tensorflow", "torch", "jax")  # of Keras: those that train, each named as its package


def need(*packages: str) -> None:
    """Raises `SpeakerError` unless all are installed (for Keras also its backend): before anything is worked at that
    would be lost. Loads none."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise SpeakerError(
            f"this needs {' and '.join(missing)}, which `make demo` does not install: `pip install -r requirements.txt`"
        )
    if "keras" in packages:
        _need_backend()


def _need_backend() -> None:
    chosen, where = _backend()
    if chosen not in BACKENDS:
        raise SpeakerError(f"{where} says {str(chosen)[:40]!r}, with which Keras cannot train: {_others(BACKENDS)}")
    if find_spec(chosen) is None:
        others = [name for name in BACKENDS if name != chosen and find_spec(name)]
        raise SpeakerError(
            f"{where} says {chosen!r}, which is not installed: `pip install {chosen}`"
            + (f", or {_others(others)}" if others else "")
        )


def _others(names: tuple[str, ...] | list[str]) -> str:
    return f"set KERAS_BACKEND={' or '.join(names)}"


def _backend() -> tuple[object, str]:
    """The backend that Keras would load, and what says so: the variable, else its own file of settings."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named, "KERAS_BACKEND"
    settings = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()) / "keras.json"
    try:
        return json.loads(settings.read_text(encoding="utf-8"))["backend"], str(settings)
    except (OSError, ValueError, KeyError, TypeError):
        return BACKENDS[0], "Keras"
