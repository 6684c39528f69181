"""Are the locked versions free of known holes, and can everybody install them?

    python scripts/audit.py                    # requirements.txt against the advisories below (CI does this)
    python scripts/audit.py --online           # and against PyPI's database, by pip-audit (pip install pip-audit)
    python scripts/audit.py --platforms        # a resolver's dry run for each system and Python; needs uv (minutes)

The list names, of the packages this project needs, the first version without each hole that was published. Where
PyPI's database can be reached, pip-audit knows more; without it the list is what stands between a lock that was made
years ago, or loosened by hand, and the people who install it. Exit code 1: something is wrong; a line says what.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.txt"
ADVISORIES: dict[str, tuple[tuple[str, str], ...]] = {  # package: (first version without, what was wrong)
    "cryptography": (("44.0.1", "CVE-2024-12797, OpenSSL: a peer's raw public key was not checked"),),
    "gradio": (("6.20", "files outside the app's folders and requests into the local network"),),
    "h11": (("0.16.0", "CVE-2025-43859, requests smuggled through chunked bodies"),),
    "jinja2": (("3.1.6", "CVE-2025-27516, the sandbox could be left"),),
    "keras": (("3.12.0", "CVE-2025-8747 and CVE-2025-49655, code run by loading a model"),),
    "pillow": (("11.3.0", "CVE-2025-48379, a DDS picture wrote beyond its buffer"),),
    "protobuf": (("6.31.1", "CVE-2025-4565, nested messages exhausted the stack"),),
    "python-multipart": (("0.0.18", "CVE-2024-53981, a form could hold up the server"),),
    "requests": (("2.32.4", "CVE-2024-47081, .netrc passwords sent to another host"),),
    "setuptools": (("78.1.1", "CVE-2025-47273, a package could write outside its folder"),),
    "starlette": (("0.49.1", "CVE-2025-62727, a Range header could hold up the server"),),
    "tornado": (("6.5", "CVE-2025-47287, a form could fill the log"),),
    "tqdm": (("4.66.3", "CVE-2024-34062, code run through a command-line option"),),
    "urllib3": (("2.5.0", "CVE-2025-50181, redirects followed although switched off"),),
    "yt-dlp": (("2025.11.12", "YouTube needs a JavaScript runtime from here on, which older ones do not use"),),
}
SYSTEMS = {
    "linux": "x86_64-manylinux_2_28",
    "linux, ARM": "aarch64-manylinux_2_28",
    "windows": "x86_64-pc-windows-msvc",
    "macos 14": "aarch64-apple-darwin",
}
PYTHONS = ("3.11", "3.12", "3.13")


def numbers(version: str) -> tuple[int, ...]:
    """'2.32.4.post1' -> (2, 32, 4): enough to compare releases; trailing zeros mean nothing."""
    found = [int(part) for part in re.match(r"[0-9.]+", version)[0].split(".") if part]
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)


def pins(lock: str) -> dict[str, list[str]]:
    """Package -> its versions in a lock (several where systems differ)."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;]+)", lock):
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append(version)
    return found


def known_holes(lock: str) -> list[str]:
    """A line for each pin that is older than an advisory allows."""
    return [
        f"{name} {version}: {what}; use {first} or newer (make lock)"
        for name, versions in pins(lock).items()
        for first, what in ADVISORIES.get(name, ())
        for version in versions
        if numbers(version) < numbers(first)
    ]


def loose_ends(lock: str) -> list[str]:
    """What is needed but not locked, and lines of the lock that are no exact version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for some in project["optional-dependencies"].values() for one in some)]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", one)[0]).lower() for one in wanted}
    found = [f"{name} is needed but not locked: make lock" for name in sorted(names - set(pins(lock)))]
    for line in lock.splitlines():
        if line.strip() and not line.startswith(("#", " ")) and "==" not in line.split(";")[0]:
            found.append(f"not an exact version: {line}")
    return found


def audit_online() -> list[str]:
    """pip-audit's findings; said, and not an error, where it or its database cannot be had."""
    if not importlib.util.find_spec("pip_audit"):
        return ["pip-audit is not installed: pip install pip-audit"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"],
        capture_output=True,
        text=True,
    )
    unseen = done.stdout.count("not found on PyPI")
    print(done.stdout or done.stderr)
    if unseen:
        print(f"{unseen} packages were not looked at: PyPI's database cannot be reached from here")
    return ["pip-audit found holes, see above"] if done.returncode else []


def dry_run(system: str, python: str, extra: str) -> str:
    """'ok', or the resolver's last words: can the locked versions be installed there from wheels alone?"""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        "--quiet",
        "--no-header",
        "--no-annotate",
    ]
    command += ["--constraint", "requirements.txt", "--only-binary", ":all:"]
    command += ["--python-platform", SYSTEMS[system], "--python-version", python]
    command += ["--extra", extra] if extra else []
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    )
    return "ok" if done.returncode == 0 else " ".join(done.stderr.split())[-300:]


def platforms() -> list[str]:
    """The table, and what cannot be installed."""
    troubles = []
    print("| system | Python | app | training | data set | tests |\n| --- | --- | --- | --- | --- | --- |")
    for system in SYSTEMS:
        for python in PYTHONS:
            said = {extra: dry_run(system, python, extra) for extra in ("", "train", "dataset", "test")}
            cells = ["ok" if text == "ok" else "no" for text in said.values()]
            print(f"| {system} | {python} | {' | '.join(cells)} |", flush=True)
            troubles += [f"{system}, {python}, {e or 'app'}: {text}" for e, text in said.items() if text != "ok"]
    return troubles


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--online", action="store_true", help="pip-audit as well")
    parser.add_argument("--platforms", action="store_true", help="only the resolver's dry run")
    args = parser.parse_args(argv)
    lock = LOCK.read_text(encoding="utf-8")
    if args.platforms:
        found = platforms()
    else:
        found = known_holes(lock) + loose_ends(lock) + (audit_online() if args.online else [])
        print(f"{len(pins(lock))} locked packages, {len(ADVISORIES)} with advisories: {len(found)} troubles")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
