"""Run every Python block of docs/tutorial.md, one after another, and keep the pictures they make.

    python scripts/run_tutorial.py                      # pictures go to docs/tutorial
    python scripts/run_tutorial.py --output elsewhere

The blocks find the folder for their pictures as `PICTURES`; what they print is printed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.errors import SpeakerError
from core.packages import need

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = ROOT / "docs" / "tutorial.md"


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """(line, code) of every Python block."""
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, match.start(1)) + 1, match[1]


def run(pictures: Path) -> None:
    """All blocks, in one namespace; a failing one is named by its line in the page."""
    pictures.mkdir(parents=True, exist_ok=True)
    names: dict = {"PICTURES": pictures}
    for line, code in blocks(TUTORIAL.read_text(encoding="utf-8")):
        exec(compile("\n" * (line - 1) + code, str(TUTORIAL), "exec"), names)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=TUTORIAL.with_suffix(""), metavar="DIR", help="for the pictures")
    args = parser.parse_args(argv)
    pictures = args.output.resolve()
    os.chdir(ROOT)
    try:
        need("keras", "matplotlib")
        run(pictures)
    except SpeakerError as error:
        print(f"run_tutorial: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
