"""Three doors for other programs, over HTTP: `identify`, `enrol` and `speakers`; docs/api.md says how to use them.

All else that the page can do stays with the page (`demo.doorkeeper`). What is refused is an error with a kind, the
name of a class of `core.errors`, as its title and one sentence as its message. What was sent is deleted soon after the
answer. (No `from __future__ import annotations` here: Gradio reads the types of the endpoints.)
"""

import functools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.errors import ConsentMissing, SourceError, SpeakerError
from core.recognizer import Recognizer
from core.segments import Segment
from core.sources import file
from core.timeline import Timeline
from demo import texts
from demo.job import AT_ONCE, TURNS
from demo.leavings import GRACE_SECONDS, hold, let_go

SOURCE = "program"  # what the store has for where a voice came from
INTERNAL = "InternalError"  # the kind of what is no error of ours


def build_api(recognizer: Recognizer) -> None:
    """Inside `gr.Blocks`: the three endpoints."""
    import gradio as gr
    from gradio.data_classes import FileData

    def identify(sound: FileData, start: float = 0.0, end: float | None = None) -> dict[str, Any]:
        """Who speaks when in a recording. `start`, `end`: seconds."""
        return identified(recognizer, sound, start, end)

    def enrol(
        sound: FileData,
        name: str,
        consent: str,
        again: bool = False,
        sure: bool = False,
        keep_audio: bool = False,
    ) -> dict[str, Any]:
        """Learn a voice. `consent`: the sentence that the person agreed to."""
        return enrolled(recognizer, sound, name, consent, again=again, sure=sure, keep_audio=keep_audio)

    def speakers() -> dict[str, Any]:
        """Who is enrolled."""
        return listed(recognizer)

    limits = {
        identify: {"concurrency_limit": AT_ONCE},
        enrol: {"concurrency_id": "enrol", "concurrency_limit": 1},
        speakers: {},
    }
    for work, limit in limits.items():
        gr.api(_answering(work), api_name=work.__name__, api_visibility="public", **limit)


def identified(recognizer: Recognizer, sent: Any, start: Any = 0.0, end: Any = None) -> dict[str, Any]:
    """The timeline of what was sent, as `Timeline.to_json` has it, and what was odd about it. Raises `SpeakerError`."""
    notes: list[str] = []
    with _taken(sent) as path, TURNS.turn():
        start, end = _seconds("start", start) or 0.0, _seconds("end", end)
        answers = [
            replace(one, segment=Segment(one.segment.start + start, one.segment.end + start))
            for one in recognizer.identify(file.blocks(path, start, end, note=notes.append))
        ]
    return json.loads(Timeline(path.name, recognizer.model_id, tuple(answers)).to_json()) | {"notes": notes}


def enrolled(
    recognizer: Recognizer,
    sent: Any,
    name: Any,
    consent: Any,
    *,
    again: Any = False,
    sure: Any = False,
    keep_audio: Any = False,
) -> dict[str, Any]:
    """What came of an enrolment. `consent`: `texts.CONSENT`, word for word. Raises `SpeakerError`."""
    with _taken(sent) as path:
        for what, value in (("again", again), ("sure", sure), ("keep_audio", keep_audio)):
            if not isinstance(value, bool):
                raise SourceError(texts.API_NO_BOOL.format(what=what))
        if not isinstance(name, str) or not name.strip():
            raise SourceError(texts.API_NO_NAME)
        if not agreed(consent):
            raise ConsentMissing(texts.API_NO_CONSENT.format(sentence=texts.CONSENT))
        notes: list[str] = []
        wishes = {"again": again, "sure": sure, "keep_audio": keep_audio, "notes": notes}
        done = recognizer.enrol(name, file.blocks(path, note=notes.append), consent=True, source=SOURCE, **wishes)
    return {
        "name": done.profile.name,
        "speech": done.speech,
        "segments": [asdict(one) for one in done.qualities],
        "sessions": done.profile.sessions,
        "warnings": done.warnings,
    }


def listed(recognizer: Recognizer) -> dict[str, Any]:
    """Everybody enrolled. `usable`: do these weights know the voice?"""
    outdated = {profile.name for profile in recognizer.store.outdated(recognizer.model_id)}
    return {
        "model": recognizer.model_id,
        "speakers": [
            {
                "name": one.name,
                "segments": one.segments,
                "sessions": one.sessions,
                "enrolled": one.created_at,
                "consent": one.consent_at,
                "usable": one.name not in outdated,
            }
            for one in recognizer.store.profiles()
        ],
    }


def agreed(consent: Any) -> bool:
    """Is it the sentence of `texts.CONSENT`? Blanks, case and a full stop do not matter."""
    return isinstance(consent, str) and _plain(consent) == _plain(texts.CONSENT)


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".").casefold()


def _seconds(what: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SourceError(texts.API_NO_SECONDS.format(what=what))
    try:
        return float(value)
    except OverflowError as error:
        raise SourceError(texts.API_NO_SECONDS.format(what=what)) from error


def _answering(work: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`work`, whose errors become Gradio's: kind and sentence, never a stack trace."""
    from demo.page import refusal

    @functools.wraps(work)
    def answer(*asked: Any) -> dict[str, Any]:
        try:
            return work(*asked)
        except SpeakerError as error:
            raise refusal(error) from error
        except Exception as error:
            logging.getLogger("demo").error("unexpected", exc_info=error)
            raise refusal(SpeakerError(texts.INTERNAL), kind=INTERNAL) from error

    return answer


@contextmanager
def _taken(sent: Any) -> Iterator[Path]:
    """The file that was sent, which must lie in the private folder; deleted `GRACE_SECONDS` after the last use."""
    path = _path_of(sent)
    call = object()
    hold(path, call)
    try:
        yield path
    finally:
        timer = threading.Timer(GRACE_SECONDS, let_go, [path, call])
        timer.daemon = True
        timer.start()


def _path_of(sent: Any) -> Path:
    """`SourceError` for what was never uploaded: another file of this computer, an address, nothing."""
    from demo.leavings import was_sent

    given = sent.get("path") if isinstance(sent, dict) else sent
    if not isinstance(given, str) or not given:
        raise SourceError(texts.API_NO_FILE)
    if not was_sent(given):
        raise SourceError(texts.API_NOT_SENT)
    return Path(given).resolve()
