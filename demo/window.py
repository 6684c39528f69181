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


def ends(
    event: int,
    closing: threading.Event,
    done: threading.Event,
    interrupt: Callable[[], None] = _thread.interrupt_main,
) -> bool:
    """What the handler does in a thread of its own: tells and interrupts the main one, and waits until it is `done`; is
    that event ours?"""
    if event not in ENDING:
        return False
    closing.set()
    interrupt()
    done.wait(PATIENCE_SECONDS)
    return True


@contextmanager
def closed_politely() -> Iterator[threading.Event]:
    """Meanwhile a window that is closed raises `KeyboardInterrupt` in the main thread, and may close when this ends.
    Gives what says that it is being closed: there is no time to lose."""
    closing, done = threading.Event(), threading.Event()
    if os.name != "nt":
        yield closing  # there a signal tells
        return
    system = ctypes.WinDLL("kernel32")
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(lambda event: ends(event, closing, done))
    system.SetConsoleCtrlHandler(handler, 1)
    try:
        yield closing
    finally:
        done.set()
        system.SetConsoleCtrlHandler(handler, 0)
