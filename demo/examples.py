"""The example voices: five synthetic people to enrol with one click, and recordings to try them on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.audio import stream
from core.errors import DuplicateName
from core.names import name_key
from core.recognizer import Recognizer
from demo import texts
from demo.notice_view import notice, progress, trouble

SAMPLES = Path(__file__).resolve().parent / "samples"
PEOPLE = ("Amina", "Kofi", "Sven", "Jo", "Mei")
EXAMPLE_SOURCE = "example voice"  # what the store has for where they came from


def clip(name: str) -> Path:
    """The file of an example recording, 'conversation' or 'amina_test' and so on (see `texts.EXAMPLE_CLIPS`)."""
    return SAMPLES / f"{name}.opus"


def missing_examples(recognizer: Recognizer) -> list[str]:
    """Those of `PEOPLE` who are not enrolled."""
    known = {name_key(profile.name) for profile in recognizer.store.profiles()}
    return [name for name in PEOPLE if name_key(name) not in known]


def untrue(recognizer: Recognizer, html: str | None) -> bool:
    """Does `html` say that all are enrolled, and one is gone?"""
    return "notice-good" in (html or "") and bool(missing_examples(recognizer))


def enrol_examples(recognizer: Recognizer) -> Iterator[str]:
    """Enrol those of `PEOPLE` who are not there yet; yields progress and at last what came of it, as HTML."""
    try:
        missing = missing_examples(recognizer)
        for index, name in enumerate(missing):
            text = texts.EXAMPLES_LEARNING.format(name=name, number=index + 1, count=len(missing))
            yield progress(text, index / len(missing))
            with contextlib.suppress(DuplicateName):  # another page was faster
                sound = stream(clip(f"{name.lower()}_enrol"))
                recognizer.enrol(name, sound, consent=True, source=EXAMPLE_SOURCE, sure=True)  # Jo and Mei are alike
        done = texts.EXAMPLES_DONE.format(names=", ".join(missing)) if missing else texts.EXAMPLES_THERE
        yield notice(done, "good")
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        yield trouble(error)
