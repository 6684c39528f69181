"""Introducing somebody: what the form of the Speakers tab (`demo.enrol_form`) does, without its page."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, stream
from core.enrolment import MIN_ENROL_SECONDS, Enrolment
from core.errors import Cancelled, EnrolmentRefused, InvalidName, StoreError, VoiceInDoubt
from core.names import clean_name
from core.recognizer import Recognizer
from core.sources.file import Note
from demo import texts
from demo.gauge import speech_in
from demo.link_or_file import seconds_of
from demo.notice_view import notice, progress, trouble
from demo.people_view import gathered
from demo.person_view import gained
from demo.take import BROWSER, Take, of_files
from demo.turns import Turns

SOURCES = (texts.FROM_BROWSER, texts.FROM_FILE, texts.FROM_LINK, texts.COMPUTER_MICROPHONE)
STORED_AS = dict(zip(SOURCES, ("browser microphone", "file", "link", "microphone"), strict=True))
LOOK_SECONDS = 0.3  # s between looks at an enrolment
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz a browser's microphone may have
MAX_SLICE = 4 * 1024 * 1024  # characters of a slice of sound
TURNS = Turns(1)  # enrolments at the same time


def check(paths: Sequence[str] | None) -> tuple[str, str]:
    """How much speech files hold and how good it is, and a notice; nothing is stored."""
    if not paths:
        return gathered(0.0, []), ""
    try:
        return gathered(*speech_in(of_files(paths))), ""
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return gathered(0.0, []), trouble(error)


def taken(take: Take, path: str | None, session: str = "") -> tuple[str, str]:
    """Another recording of the browser's microphone, which `session` sent: lights over all takes, and a notice."""
    try:
        if path:
            take.add(BROWSER, stream(path), path, session)
        found = take.speech(BROWSER)
        return gathered(*found), notice(texts.TAKES_ADD_UP) if path and found[0] < MIN_ENROL_SECONDS else ""
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return gathered(*take.speech(BROWSER)), trouble(error)


def followed(take: Take, told: Any) -> str | None:
    """The lights while the browser records. `told`: what `meter.js` sends, a second of sound; None where it is
    nonsense, or the recording is over."""
    try:
        rate, begin = int(told["rate"]), bool(told["begin"])
        samples = np.frombuffer(base64.b64decode(told["sound"][:MAX_SLICE], validate=True), "<i2")
        if not MIN_RATE <= rate <= MAX_RATE or not len(samples):
            return None
    except (KeyError, TypeError, ValueError):
        return None
    found = take.follow(Audio(samples.astype(np.float32) / 32768, rate), begin=begin)
    return None if found is None else gathered(*found)


def record(take: Take, device: str) -> Iterator[tuple[str, str]]:
    """Record from this computer: lights and notice, once a second."""
    found = 0.0, []
    try:
        for found in take.record(device or None):
            yield gathered(*found), notice(texts.RECORDING)
        yield gathered(*found), notice(texts.TAKES_ADD_UP) if found[0] < MIN_ENROL_SECONDS else ""
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        yield gathered(*found), trouble(error)


def enrol(
    recognizer: Recognizer,
    take: Take,
    name: str,
    consent: bool,
    again: bool,
    where: str,
    paths: Sequence[str] | None,
    link: str,
    sure: bool = False,
    keep_audio: bool = False,
    start: str = "",
    end: str = "",
) -> Iterator[tuple[str, str | None, bool]]:
    """Enrol, from a link what lies between `start` and `end`; yields notice, lights (None: as they are) and whether it
    is done and the form can be emptied.

    Raises `VoiceInDoubt` when the user must say that it is the right voice (`sure`)."""
    try:
        name = _named(name, consent)
        told, before, outcome, notes = [0.0], [0], [], []
        given_up = take.begin_enrolment()
        span = {"start": seconds_of(start), "end": seconds_of(end)} if where == texts.FROM_LINK else {}

        def work() -> None:
            try:
                # before it waits: what is recorded meanwhile is somebody else's
                sound = _sound(take, where, paths, link, told, notes.append, **span)
                with TURNS.turn(tell=lambda count: before.__setitem__(0, count), stopped=given_up):
                    stored = STORED_AS[where]
                    wishes = {"again": again, "sure": sure, "keep_audio": keep_audio, "notes": notes}
                    outcome.append(recognizer.enrol(name, sound, consent=consent, source=stored, **wishes))
            except Exception as error:  # noqa: BLE001 - raised again below
                outcome.append(error)

        thread = threading.Thread(target=work, name="enrol", daemon=True)
        thread.start()
        while thread.is_alive():
            known = told[0] if where == texts.FROM_LINK and 0 < told[0] < 1 else None
            waiting = texts.WAITING_TURN.format(count=texts.counted(before[0], "enrolment"))
            yield progress(waiting if before[0] else texts.ENROLLING.format(name=name), known), None, False
            thread.join(LOOK_SECONDS)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        done: Enrolment = outcome[0]
        text = texts.SESSION_ADDED if again else texts.ENROLLED
        text = text.format(name=done.profile.name, segments=len(done.qualities))
        notes = "".join(notice(note) for note in done.notes)
        if again and (gains := recognizer.session_gains(done.profile.name)):
            notes += notice(gained(done.profile.name, gains[-1]))
        lights = gathered(SEGMENT_SECONDS * len(done.qualities), done.qualities)
        yield notice(text, "good") + notes, lights, True
    except VoiceInDoubt:
        raise
    except Cancelled:
        yield notice(texts.ENROL_STOPPED, "error"), None, False
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        yield trouble(error), None, False


def _named(name: str, consent: bool) -> str:
    if not (name or "").strip():
        raise InvalidName(texts.NO_NAME)
    if consent is not True:
        raise StoreError(texts.NO_CONSENT)
    return clean_name(name)


def _sound(
    take: Take, where: str, paths: Sequence[str] | None, link: str, told: list[float], note: Note, **span: float | None
) -> Iterator[Audio]:
    if where == texts.FROM_LINK:
        return take.fetched(link, told, note=note, **span)
    if where == texts.FROM_FILE:
        return take.files(paths, note)
    if not take.settled(where):
        raise EnrolmentRefused(texts.STILL_RECORDING)
    return take.blocks(where)
