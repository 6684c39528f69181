"""Can the app listen there? Found out before anything slow is loaded; Gradio finds it out last."""

from __future__ import annotations

import errno
import os
import socket

TAKEN = (errno.EADDRINUSE, errno.EACCES)  # what another port may mend


def refused(host: str, port: int) -> Exception | None:
    """Why nobody can listen on this port (0: on any); None where one can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # else a port stays taken for a minute after the app has ended
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        return error
    return None


def is_taken(error: Exception) -> bool:
    """Is it the port, and not the address?"""
    return isinstance(error, OverflowError) or getattr(error, "errno", None) in TAKEN
