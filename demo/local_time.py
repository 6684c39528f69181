"""Times as people read them: the store keeps UTC, what is shown is this computer's own time."""

from __future__ import annotations

from datetime import UTC, datetime


def day(stored: str) -> str:
    """'2026-11-30T23:30:00+00:00' -> '2026-12-01' in Tokyo; what is no time stays as it is."""
    return _local(stored)[:10]


def minute(stored: str) -> str:
    """'2026-11-30T23:30:00+00:00' -> '2026-12-01 08:30' in Tokyo."""
    return _local(stored)[:16].replace("T", " ")


def _local(stored: str) -> str:
    try:
        moment = datetime.fromisoformat(stored)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone().isoformat()
    except (ValueError, OverflowError, OSError):  # '' for consent in stores of long ago; years that no clock has
        return stored
