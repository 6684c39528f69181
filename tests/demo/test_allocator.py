"""Threads share few arenas, as glibc itself counts them."""

import os
import subprocess
import sys

import pytest

from demo.allocator import ARENAS

COUNT = """
import ctypes, sys, threading
from demo.allocator import few_arenas
if sys.argv[1] == "few":
    assert few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    together.wait()
    libc.malloc(ctypes.c_size_t(1000))
    together.wait()  # nobody leaves an arena to another before all have one
threads = [threading.Thread(target=allocate) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(open(sys.argv[2]).read().count("<heap nr="))
"""


@pytest.mark.skipif(sys.platform != "linux" or "glibc" not in os.confstr("CS_GNU_LIBC_VERSION"), reason="glibc only")
def test_threads_share_few_arenas(tmp_path):
    def arenas(how: str) -> int:
        words = [sys.executable, "-c", COUNT, how, str(tmp_path / how)]
        return int(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout)

    assert arenas("few") <= ARENAS < arenas("usual")
