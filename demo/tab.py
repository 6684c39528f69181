"""What a tab tells the app about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Tab:
    """`watched`: components that depend on who is enrolled. `refresh`: their new values, one for each.
    `changes`: events after which somebody was enrolled, renamed or deleted. `ears`: session states with a method
    `recent`, the last seconds of sound that a microphone heard."""

    watched: list[Any]
    refresh: Callable[[], list[Any]]
    changes: list[Any] = field(default_factory=list)
    ears: list[Any] = field(default_factory=list)
