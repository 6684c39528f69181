"""The locked versions are exact, complete, and older than no advisory that is known here."""

import re

from scripts import audit
from tests.conftest import ROOT


def test_the_lock_is_clean(capsys):
    assert audit.main([]) == 0, capsys.readouterr().err


def test_an_old_version_is_found_by_name_and_reason():
    lock = audit.LOCK.read_text(encoding="utf-8")
    for name, ((first, what), *_) in audit.ADVISORIES.items():
        assert re.search(rf"(?m)^{name}==", lock), f"{name} is no longer needed: take it off the list"
        older = re.sub(rf"(?m)^{name}==\S+", f"{name}==0.0.1", lock)
        (found,) = audit.known_holes(older)
        assert found.startswith(f"{name} 0.0.1: {what}") and first in found


def test_what_is_not_locked_or_not_exact_is_found():
    lock = audit.LOCK.read_text(encoding="utf-8")
    assert audit.loose_ends(re.sub(r"(?m)^soxr==.*$", "", lock)) == ["soxr is needed but not locked: make lock"]
    assert audit.loose_ends(lock + "\nextra>=1\n") == ["not an exact version: extra>=1"]


def test_versions_are_compared_as_numbers():
    assert audit.numbers("2.10") > audit.numbers("2.9.1") and audit.numbers("6.20") == audit.numbers("6.20.0")
    assert audit.numbers("2025.11.12") < audit.numbers("2026.8.19") and audit.numbers("1.0.post1") == (1,)


def test_lower_bounds_keep_old_holes_out_of_the_app_too():
    """Whoever installs without the lock: what pyproject.toml says of packages that face the network."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("gradio", "yt-dlp"):
        bound = re.search(rf'"{name}(?:\[.*?\])?>=([0-9.]+)"', text)[1]
        assert audit.numbers(bound) >= audit.numbers(audit.ADVISORIES[name][0][0])
