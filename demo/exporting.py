"""A timeline written to files that the browser may fetch."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from core.timeline import FORMATS, Timeline
from demo.own_folder import keep

_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # Windows: no file, whatever the ending


def private_folder() -> Path:
    """Where this process keeps what the browser may fetch; gone when the app ends."""
    ours = os.environ.get("GRADIO_TEMP_DIR")
    if not ours:
        return Path(tempfile.gettempdir())
    keep(Path(ours))
    return Path(ours)


def file_stem(title: str, *, of_file: bool = False) -> str:
    """A title as the beginning of a file name: 'A talk, part 1.5' -> 'A_talk_part_1.5'. `of_file`: it is a file's name,
    whose ending goes."""
    stem = re.sub(r"[^\w.-]+", "_", Path(title).stem if of_file else title).strip("._")[:60] or "timeline"
    return f"_{stem}" if _DEVICE.match(stem) else stem


def write_exports(timeline: Timeline, folder: Path, *, of_file: bool = False) -> dict[str, str]:
    """In every format, in a folder of its own below `folder`: format -> path. `of_file`: see `file_stem`."""
    target = Path(tempfile.mkdtemp(prefix="export-", dir=folder))
    paths = {}
    for form in FORMATS:
        path = target / f"{file_stem(timeline.source, of_file=of_file)}.{form}"
        path.write_text(timeline.export(form), encoding="utf-8", errors="replace")  # a file name may be no text
        paths[form] = str(path)
    return paths
