"""How long the app and the command line take from nothing, and what they hold; for `scripts/benchmark.py`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0  # s
IDLE_SECONDS = 10.0  # s over which an idle app is watched
RUNS = 3


def processor_seconds(pid: int) -> float | None:
    """All that a process has used, None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process, None where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def identify(home: str) -> tuple[float, float]:
    """(s by the clock, s of processor time) of naming who speaks in a short file, in a new process."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    file = ROOT / "demo" / "samples" / "kofi_test.opus"
    command = [sys.executable, "-m", "demo", "identify", str(file), "--home", home]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def running_app(home: str) -> Iterator[tuple[int, str]]:
    """The app in a new process: its id and address, as soon as it is started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "demo", "--no-browser", "--port", str(port), "--home", home]
    app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield app.pid, f"http://127.0.0.1:{port}"
    finally:
        app.terminate()
        app.wait(PATIENCE)


def get(url: str, body: dict | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(asked, timeout=PATIENCE) as reply:
        return reply.read()


def wait_for_page(url: str) -> dict:
    """What the page is made of, as soon as it can be had."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            get(url)
            return json.loads(get(f"{url}/config"))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def decide(url: str, config: dict) -> None:
    """Press an example recording, and wait until the answer is on the page."""
    button = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "example-kofi_test")
    event = next(d for d in config["dependencies"] if [button, "click"] in d["targets"])
    session = uuid.uuid4().hex
    body = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": session}
    get(f"{url}/gradio_api/queue/join", body)
    said = b""
    with urllib.request.urlopen(f"{url}/gradio_api/queue/data?session_hash={session}", timeout=PATIENCE) as lines:
        for line in lines:
            said += line
            if b"process_completed" in line:
                break
    if b"notice-good" not in said and b"turn" not in said:
        raise RuntimeError(f"the app did not answer: {said[-300:]!r}")


def measure_start() -> dict:
    """Medians by the clock; in processor time where the system tells it."""
    times: dict[str, list[float]] = {}

    def note(what: str, value: float | None) -> None:
        if value is not None:
            times.setdefault(what, []).append(value)

    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        enrol = [sys.executable, "-m", "demo", "enrol", "Kofi", "demo/samples/kofi_enrol.opus", "--yes-consent"]
        subprocess.run([*enrol, "--home", home], cwd=ROOT, check=True, capture_output=True)
        for _ in range(RUNS):
            clock, processor = identify(home)
            note("identify FILE, s", clock)
            note("identify FILE, processor s", processor)
            began = time.perf_counter()
            with running_app(home) as (pid, url):
                config = wait_for_page(url)
                note("app to page, s", time.perf_counter() - began)
                note("app to page, processor s", processor_seconds(pid))
                decide(url, config)
                note("app to first decision, s", time.perf_counter() - began)
                note("app to first decision, processor s", processor_seconds(pid))
                note("resident memory after it, MB", resident_mb(pid))
                time.sleep(2.0)
                before = processor_seconds(pid)
                time.sleep(IDLE_SECONDS)
                if before is not None:
                    note("idle app, % of a core", 100 * (processor_seconds(pid) - before) / IDLE_SECONDS)
    return {what: sorted(values)[len(values) // 2] for what, values in times.items()}
