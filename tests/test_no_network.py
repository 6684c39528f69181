"""Enrolling, identifying and the app make no connection: every system call of theirs is looked at (strace)."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, SAMPLES
from tests.demo.browserless import Page

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace is for Linux"),
    pytest.mark.timeout(400),
]
PATIENCE = 200  # s: traced programs are slow
CALLS = "connect,sendto,sendmsg,sendmmsg,bind"
ADDRESS = re.compile(r"sa_family=AF_INET6?, .*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"([^\"]+)\"")


@pytest.fixture(scope="module")
def strace(need_program):
    return need_program("strace")


def traced(strace: str, log: Path, *arguments) -> list[str]:
    return [strace, "-f", "-qq", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(log), *map(str, arguments)]


def addresses(log: Path) -> set[str]:
    """Every internet address that was connected, bound or sent to."""
    return set(ADDRESS.findall(log.read_text(errors="replace")))


def test_the_trace_sees_a_connection(strace, tmp_path):
    code = "import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.1', 9))"
    subprocess.run(traced(strace, tmp_path / "log", sys.executable, "-c", code), check=True, timeout=PATIENCE)
    assert addresses(tmp_path / "log") == {"192.0.2.1"}


def test_enrolling_and_identifying_reach_nothing(strace, home, tmp_path):
    for number, command in enumerate(
        (("enrol", "Amina", SAMPLES / "amina_enrol.opus", "--yes-consent"), ("identify", SAMPLES / "amina_test.opus"))
    ):
        log = tmp_path / f"log{number}"
        done = subprocess.run(
            traced(strace, log, sys.executable, "-m", "demo", *command),
            **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": PATIENCE},
        )
        assert done.returncode == 0 and "Amina" in done.stdout, done.stderr
        assert addresses(log) == set()


def test_the_app_reaches_nobody_but_its_own_page(strace, home, tmp_path):
    """Started, a page opened, a file uploaded and judged, the page closed, the app ended."""
    log, port = tmp_path / "log", 7981
    with (tmp_path / "said").open("w") as said:
        app = subprocess.Popen(
            traced(strace, log, sys.executable, "-m", "demo", "--no-browser", "--port", port),
            **{"cwd": ROOT, "stdout": said, "stderr": subprocess.STDOUT},
            env={**os.environ, "TMPDIR": str(tmp_path), "SPEAKERS_HOME": str(home)},
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not (ready := re.search(r"http://\S+", (tmp_path / "said").read_text())):
                assert app.poll() is None and time.monotonic() < deadline, (tmp_path / "said").read_text()
                time.sleep(0.3)
            with Page(ready[0]) as page:
                messages = page.run(page.event("example-amina_test", "click"), [None])
            assert "notice-good" in str(messages), messages
        finally:
            for child in Path(f"/proc/{app.pid}/task/{app.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGTERM)  # the program itself; strace ends with it
            app.wait(timeout=PATIENCE)
    assert addresses(log) <= {"127.0.0.1", "::1", "0.0.0.0", "::"}  # its own port, tried and listened to
