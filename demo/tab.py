"""What a tab tells the app about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Tab:
    """`watched`: components that depend on who is enrolled. `refresh`: their new values, one for each.
    `changes`: events after which somebody was enrolled, renamed or deleted."""

    watched: list[Any]
    refresh: Callable[[], list[Any]]
    changes: list[Any] = field(default_factory=list)
