"""How this program's memory is kept together over hours."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

ARENAS = 2  # glibc gives threads up to eight times the number of cores otherwise
_M_ARENA_MAX = -8  # mallopt(3)


def few_arenas() -> bool:
    """Let all threads allocate from `ARENAS` arenas: with one for each thread that ever decoded or judged a block, what
    was freed in one is not used by the others, and an app with many pages grows over hours. Before threads begin.

    True where the C library is glibc and did so; other systems share their memory by themselves.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            return ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS) == 1
    return False
