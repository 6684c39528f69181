"""Running `python -m demo` in tests: inside this process, which is quick, or as a process of its own."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.cli import main

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "demo" / "samples"
PEOPLE = ("Amina", "Kofi", "Sven", "Jo", "Mei")
PATIENCE = 100  # s for a process on a busy machine


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def command(*arguments: str | Path) -> Result:
    """`demo.cli.main` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def process(*arguments: str | Path, **settings) -> Result:
    """`python -m demo` as a process of its own, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", *map(str, arguments)],
        **{"cwd": ROOT, "capture_output": True, "encoding": "utf-8", "timeout": PATIENCE}
        | {"stdin": subprocess.DEVNULL, **settings},
    )
    return Result(done.returncode, done.stdout, done.stderr)


@contextmanager
def interruptible(*arguments: str | Path, **settings) -> Iterator[subprocess.Popen]:
    """`python -m demo`, running; SIGINT reaches it even where the tests themselves run in the background."""
    script = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('demo', run_name='__main__')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        **{"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        | {"encoding": "utf-8", "env": {**os.environ, "PYTHONPATH": str(ROOT)}, **settings},
    ) as running:
        try:
            yield running
        finally:
            running.kill()  # a test that fails leaves nothing behind


def rows(result: Result) -> list[dict[str, str]]:
    """The lines of `identify --csv`."""
    assert result.code == 0, result.err
    return list(csv.DictReader(io.StringIO(result.out)))


def spoken(found: list[dict[str, str]]) -> list[str]:
    """The fused names of the segments with enough speech."""
    return [row["both"] for row in found if row["both"] != "not enough speech"]


def refused(result: Result, says: str) -> None:
    """Exit code 2, nothing on stdout, one line on stderr that holds `says`."""
    assert result.code == 2, result
    assert result.out == ""
    assert result.err.startswith("error: ") and result.err.endswith("\n") and result.err.count("\n") == 1, result.err
    assert says in result.err


def missing() -> str:
    """What the system says of a file that is not there."""
    with pytest.raises(OSError) as refusal:
        os.stat("no such file")
    return refusal.value.strerror
