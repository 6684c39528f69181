"""What each command does: `demo.cli` reads the options, `core` does the work, here the result is printed."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from core.audio import Audio
from core.enrolment import ENROL_SECONDS, MAX_ENROL_SECONDS
from core.errors import DuplicateName, SourceError, StoreError, UnknownSpeaker, VoiceInDoubt
from core.names import clean_name, listed, printable, shortened
from core.recognizer import Recognizer
from core.segments import Segment, cut
from core.sources import file
from core.sources.microphone import devices as input_devices
from core.speakers import SpeakerStore
from core.timeline import Answer, Timeline, together
from demo import cli_live, texts
from demo.cli_source import (
    MIC,
    Progress,
    check_files,
    counted,
    expanded,
    kind,
    opened,
    speech_counted,
    stop_by_interrupt,
    until,
    until_it_fails,
    with_silence,
)
from demo.cli_store import opened_recognizer, opened_store
from demo.cli_text import AnswerLines, asked_at_a_terminal, inputs, note, people, talk_time

LISTEN_LIMIT_SECONDS = 180.0  # s after which an enrolment by microphone stops waiting for speech
ENROL_HINT = "python -m demo enrol NAME SOURCE"


def enrol(options: Namespace) -> None:
    """enrol NAME SOURCE...: one enrolment from all sources together, or none."""
    name = clean_name(options.name)
    file.check_range(options.start, options.end)
    recognizer = opened_recognizer(options)
    _check_name(recognizer.store, name, again=options.again)
    options.sources = expanded(options.sources)
    check_files(options.sources)
    _check_consent(options.yes_consent, name)
    progress, notes = Progress(), []
    kinds = ", ".join(dict.fromkeys(map(kind, options.sources)))
    try:
        with closing(_enrolment_sound(options, progress, notes)) as sound:
            done = recognizer.enrol(
                name,
                sound,
                consent=True,
                source=kinds,
                again=options.again,
                sure=options.sure,
                keep_audio=options.keep_audio,
                notes=notes,
            )
    except VoiceInDoubt as error:
        raise VoiceInDoubt(f"{error} (insist with --sure)") from error
    finally:
        progress.clear()
    for warning in done.warnings:
        _note(warning)
    result = "has another session" if options.again else "is enrolled"
    print(f"{done.profile.name} {result}: {len(done.qualities)} segments, {done.speech:.0f} s of speech")


def identify(options: Namespace) -> None:
    """identify SOURCE...: of each lines as they are made and talk time, or all timelines as JSON, CSV or RTTM."""
    options.sources = expanded(options.sources)
    several = len(options.sources) > 1
    if several and MIC in options.sources:
        raise SourceError("mic listens until it is stopped: identify it alone, files and links in another command")
    check_files(options.sources)
    recognizer = opened_recognizer(options)
    done: list[Timeline] = []
    try:
        for source in options.sources:
            if several and not options.form:
                print(*[""] * bool(done), f"==> {printable(source)} <==", sep="\n", flush=True)
            _identify(source, options, recognizer, done)
    finally:
        if options.form and done:
            made = together(done, options.form) if several else done[0].export(options.form)
            print(made.rstrip("\n"), flush=True)


def _identify(source: str, options: Namespace, recognizer: Recognizer, done: list[Timeline]) -> None:
    """One of the sources; its timeline is added to `done`, also where a microphone fails at last."""
    progress, answers, notes = Progress(), [], []
    failed: list[Exception] = []
    line = AnswerLines(recognizer.heads().names)
    listening = source == MIC
    with ExitStack() as stack:
        stack.callback(progress.clear)
        where = {"start": options.start, "end": options.end, "device": options.device}
        sound = stack.enter_context(opened(source, tell=progress, note=notes.append, **where))
        stopped = stack.enter_context(stop_by_interrupt())
        progress.clear()
        heard = with_silence(sound.blocks, sound.gap)
        blocks = until(stopped, until_it_fails(heard, failed)) if listening else sound.blocks
        if options.form or not sys.stdout.isatty():  # else the lines themselves show how far it is
            blocks = counted(blocks, progress)
        for answer in _answers(recognizer, blocks, at_once=listening):
            if stopped() and not listening:
                raise KeyboardInterrupt
            if not answers:
                progress.clear()
                if not done:
                    _note_people(recognizer)  # now that the source has turned out to be good
            span = Segment(answer.segment.start + sound.start, answer.segment.end + sound.start)
            answers.append(replace(answer, segment=span))
            if not options.form:
                print(line(answers[-1]), flush=True)
    if listening and not answers:
        raise failed[0] if failed else KeyboardInterrupt  # stopped before anything was heard
    for text in notes:
        _note(text if len(options.sources) == 1 else f"{source}: {text}")
    alike = [Path(one).name for one in options.sources].count(Path(source).name) > 1  # a/talk.wav and b/talk.wav
    done.append(Timeline(source if alike else sound.name, recognizer.model_id, tuple(answers)))
    if not options.form:
        print("\n".join(talk_time(done[-1])), flush=True)
    if failed:
        raise failed[0]


def live(options: Namespace) -> None:
    """live: see `demo.cli_live`."""
    recognizer = opened_recognizer(options)
    asked = {"device": options.device, "seconds": options.seconds, "save": tuple(options.save)}
    cli_live.live(recognizer, begun=lambda: _note_people(recognizer), **asked)


def list_speakers(options: Namespace) -> None:
    """speakers list."""
    store = opened_store(options)
    profiles = store.profiles()
    if not profiles:
        _note(f"nobody is enrolled yet: {ENROL_HINT}")
        return
    old = {profile.name for profile in store.outdated(_model_id())}
    print("\n".join(people(profiles, old)))


def rename(options: Namespace) -> None:
    """speakers rename OLD NEW."""
    store = opened_store(options)
    old = store.get(options.old).name
    print(f"{old} is now {store.rename(options.old, options.new).name}")


def delete(options: Namespace) -> None:
    """speakers delete NAME, or --all."""
    store = opened_store(options)
    if options.all == (options.name is not None):
        raise StoreError("delete whom? give one NAME, or --all for everybody")
    who = "everybody" if options.all else store.get(options.name).name
    if not options.yes:
        _ask(f"Delete {who} and every trace of the voice?", "--yes", "nothing was deleted")
    if options.all:
        count = store.delete_all()
        print(f"deleted everybody: {count} {'person' if count == 1 else 'people'}")
    else:
        print(f"deleted {store.delete(options.name).name}")
        if left := store.set_aside():
            _note(texts.SET_ASIDE.format(files=listed(left), home=store.home))


def devices(options: Namespace) -> None:
    """devices: microphones that --device takes."""
    found = input_devices()
    if not found:
        _note("no microphone was found: plug one in")
        return
    print("\n".join(inputs(found)))


def _enrolment_sound(options: Namespace, progress: Progress, notes: list[str]) -> Iterator[Audio]:
    """The blocks of each source in turn; each gives at most its share of what an enrolment can use. `notes`: gets what
    was odd."""
    for number, source in enumerate(options.sources, 1):
        most, end, hint = MAX_ENROL_SECONDS / len(options.sources), options.end, ""
        if source == MIC:
            most, end, hint = min(most, ENROL_SECONDS), end or LISTEN_LIMIT_SECONDS, f" of {ENROL_SECONDS:.0f}: go on"
        place = f"{number}. source: " if len(options.sources) > 1 else ""

        def tell(done: float, place: str = place, hint: str = hint) -> None:
            progress(f"{place}{done:.0f} s of speech{hint}")

        where = {"start": options.start, "end": end, "device": options.device}
        with opened(source, tell=progress, note=notes.append, **where) as sound, stop_by_interrupt() as stopped:
            yield from speech_counted(until(stopped, sound.blocks), most, tell, exactly=len(options.sources) > 1)
            if stopped():
                raise KeyboardInterrupt


def _answers(recognizer: Recognizer, blocks: Iterator[Audio], *, at_once: bool) -> Iterator[Answer]:
    """`at_once`: each segment when it is heard; else several together, which is faster."""
    if at_once:
        return (recognizer.judge(audio, at=span.start) for span, audio in cut(blocks))
    return recognizer.identify(blocks)


def _check_name(store: SpeakerStore, name: str, *, again: bool) -> None:
    """Before anybody speaks for 30 s: is the name free, or there when it should be?"""
    if again:
        store.get(name)
        return
    try:
        taken = store.get(name).name
    except UnknownSpeaker:
        return
    raise DuplicateName(
        f"{shortened(taken)} is enrolled already: add a session with --again, use another name, or delete it first"
    )


def _check_consent(given: bool, name: str) -> None:
    if not given:
        question = f"Does {name} agree that what makes this voice recognisable is stored on this computer?"
        _ask(question, "--yes-consent", "no consent was given, nothing was stored")


def _ask(question: str, option: str, refusal: str) -> None:
    """Go on only after a yes; without a terminal `option` must say so. Raises `StoreError` with `refusal`."""
    if not asked_at_a_terminal():
        raise StoreError(f"{refusal}: ask, then say so with {option}")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        raise StoreError(refusal)


def _note_people(recognizer: Recognizer) -> None:
    """What keeps people from being named: nobody enrolled, or enrolled with other weights."""
    old = [profile.name for profile in recognizer.store.outdated(recognizer.model_id)]
    if old:
        _note(f"enrolled with other weights and not recognised: {', '.join(old)}; enrol again with --again")
    elif not recognizer.heads().names:
        _note(f"nobody is enrolled, so every voice is Unknown: {ENROL_HINT}")


def _model_id() -> str:
    from core.embedder import Embedder

    return Embedder().model_id


def _note(text: str | None) -> None:
    if text:
        note(text)
