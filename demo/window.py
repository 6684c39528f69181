"""The window of a terminal on Windows, when it is closed: the app ends as by Ctrl+C, and its folder is wiped.

Windows ends a program as soon as its handler of that event has returned, and after five seconds all the same. So the
handler stays until all is done. At log-off and shutdown it is the same.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT of the Windows console
PATIENCE_SECONDS = 10.0  # s: Windows itself waits less


def ends(event: int, done: threading.Event, interrupt: Callable[[], None] = _thread.interrupt_main) -> bool:
    """What the handler does in a thread of its own: interrupts the main one and waits until it is `done`; is that
    event ours?"""
    if event not in ENDING:
        return False
    interrupt()
    done.wait(PATIENCE_SECONDS)
    return True


@contextmanager
def closed_politely() -> Iterator[None]:
    """Meanwhile a window that is closed raises `KeyboardInterrupt` in the main thread, and may close when this ends."""
    if os.name != "nt":
        yield  # there a signal tells
        return
    done = threading.Event()
    system = ctypes.WinDLL("kernel32")
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(lambda event: ends(event, done))
    system.SetConsoleCtrlHandler(handler, 1)
    try:
        yield
    finally:
        done.set()
        system.SetConsoleCtrlHandler(handler, 0)
