"""A live session that is over, as files to save: the timeline in every format, the sound where it was kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from core.recognizer import Recognizer
from core.timeline import FORMATS, Timeline
from demo import texts
from demo.exporting import file_stem, private_folder, write_exports
from demo.live_ear import LiveEar


@dataclass(frozen=True)
class SavedSession:
    """`timelines`: format -> path. `sound`: path of the WAV file, None where it was not kept."""

    timelines: dict[str, str] = field(default_factory=dict)
    sound: str | None = None


def timeline_of(recognizer: Recognizer, ear: LiveEar) -> Timeline:
    """What was closed, under the date and time of now."""
    name = texts.SESSION_NAME.format(date=time.strftime("%Y-%m-%d %H-%M"))
    return Timeline(name, recognizer.model_id, ear.moment.closed)


def save(recognizer: Recognizer, ear: LiveEar) -> SavedSession:
    """Write an ended session to the private folder; nothing where nothing was heard."""
    if not ear.moment.closed:
        return SavedSession()
    timeline = timeline_of(recognizer, ear)
    paths = write_exports(timeline, private_folder())
    assert tuple(paths) == FORMATS
    ear.written += paths.values()
    sound = None if ear.kept is None else str(ear.kept.named(f"{file_stem(timeline.source)}.wav"))
    return SavedSession(paths, sound)
