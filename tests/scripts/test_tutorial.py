"""docs/tutorial.md runs from top to bottom, makes every picture that it shows, and says what it promises."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def test_the_tutorial_runs_and_its_pictures_are_there(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "run_tutorial.py", "--output", tmp_path / "tutorial"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=480,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = re.findall(r"!\[.+?\]\(tutorial/(.+?)\)", PAGE)
    assert len(shown) == 5
    for name in shown:
        assert (tmp_path / "tutorial" / name).stat().st_size > 1000
        assert (ROOT / "docs" / "tutorial" / name).is_file(), "run scripts/run_tutorial.py and commit the pictures"
        if name.endswith(".svg"):
            ElementTree.parse(tmp_path / "tutorial" / name)
    for said in ("a stranger is called", "average precision", "the CNN leaned on"):
        assert said in done.stdout
