"""The people enrolled, on the command line: a person's page, export, import, renewal, and how sure to be."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from math import isnan
from pathlib import Path
from statistics import median

from core import people_file
from core.coherence import SAME_VOICE
from core.corrections import corrections
from core.enrolled import Session
from core.errors import DuplicateName, PeopleFileError, StoreError, reason
from core.names import name_key, shortened
from core.recognizer import Recognizer
from core.sureness import recommend
from demo.cli_store import opened_recognizer, opened_store
from demo.cli_text import asked_at_a_terminal, table
from demo.local_time import day


def show(options: Namespace) -> None:
    """speakers show NAME: sessions with quality, who sounds most alike, and what each session is worth."""
    recognizer = opened_recognizer(options)
    person = recognizer.store.get(options.name)
    sessions = recognizer.store.sessions(person.name)
    gains = {one.session: one for one in recognizer.session_gains(person.name)}
    print(f"{person.name}: enrolled {day(person.created_at)}, consent given {day(person.consent_at)}\n")
    rows = [("session", "from", "segments", "level", "noise", "band", "alone", "with it", "")]
    for number, one in enumerate(sessions, 1):
        gain = gains.get(one.id)
        worth = (f"{gain.without[0]:.0%}", f"{gain.within[0]:.0%}") if gain else ("-", "-")
        rows.append(
            (f"{number}. {day(one.created_at)}", one.source, *_measured(one), *worth, _remarks(one, recognizer))
        )
    print("\n".join(table(rows)))
    if gains:
        print("\nalone: segments recognised from the other sessions only; with it: each left out with a sixth of all")
    nearest = recognizer.nearest(person.name)
    if nearest:
        remark = ": they may be one person" if nearest[1] > SAME_VOICE else ""
        print(f"\nmost alike: {nearest[0]} ({nearest[1]:+.1f}, one voice is above {SAME_VOICE:+.1f}){remark}")


def _measured(session: Session) -> tuple[str, str, str, str]:
    found = session.qualities
    if not found:  # an import of another program
        return "0", "-", "-", "-"
    level, snr = (f"{median(getattr(one, name) for one in found):.0f}" for name in ("level", "snr"))
    bands = [one.bandwidth for one in found if one.bandwidth]
    band = f"{median(bands) / 1000:.1f} kHz" if bands else "-"
    return str(len(found)), f"{level} dBFS", f"{snr} dB below", band


def _remarks(session: Session, recognizer: Recognizer) -> str:
    told = [session.remark, "speech kept" if session.audio else ""]
    if session.model_id != recognizer.model_id:
        told.append("other weights: " + ("renew it" if session.audio else "enrol again"))
    return "; ".join(part for part in told if part)


def export(options: Namespace) -> None:
    """speakers export FILE [NAME ...]: into a new file, which only its owner can read."""
    if not options.file:
        raise PeopleFileError("FILE is empty: say where the people are to be written")
    store, target = opened_store(options), Path(options.file)
    people = store.records(options.names or None)
    if not people:
        raise StoreError("nobody is enrolled yet: there is nothing to export")
    content = people_file.write(people, _passphrase(options, new=True) if options.encrypt else None)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except BaseException:  # half a file is no copy, and keeps its name from the next try
            target.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise PeopleFileError(f"{target} exists already: choose another name") from None
    except OSError as error:
        raise PeopleFileError(f"{target} cannot be written ({error.strerror})") from error
    hidden = "encrypted" if options.encrypt else "not encrypted: whoever has it can recognise these voices"
    print(f"{_counted(len(people))} written to {target} ({hidden})")


def import_people(options: Namespace) -> None:
    """speakers import FILE: all of it or nothing; names that are taken must be settled with --replace or --skip."""
    if not options.file:
        raise PeopleFileError("FILE is empty: say where the people are to be read")
    path = Path(options.file)
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            content = file.read(people_file.MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # the latter: a name that no file can have
        raise PeopleFileError(f"{path} cannot be read ({reason(error)})") from error
    secret = _passphrase(options) if people_file.encrypted(content) else None
    people = people_file.read(content, secret)
    recognizer = opened_recognizer(options)
    known = {name_key(one.name) for one in recognizer.store.profiles()}
    taken = [one.name for one in people if name_key(one.name) in known]
    if taken and not (options.skip or options.replace):
        names = ", ".join(map(shortened, taken[:6]))
        raise DuplicateName(f"enrolled already: {names}; nothing was imported. Say --skip or --replace")
    if options.skip:
        people = [one for one in people if one.name not in taken]
    added = recognizer.add_people(people, replace=taken if options.replace else ())
    print(f"{_counted(len(added))} imported{', ' + str(len(taken)) + ' skipped' if options.skip and taken else ''}")


def renew(options: Namespace) -> None:
    """speakers renew NAME: learn a person anew from speech that was kept, where other weights made the profile."""
    recognizer = opened_recognizer(options)
    name = recognizer.store.get(options.name).name
    count = recognizer.renew(name)
    why = "" if count else " (none is of other weights with its speech kept)"
    print(f"{name}: {count} {'session' if count == 1 else 'sessions'} renewed{why}")


def sure(options: Namespace) -> None:
    """speakers sure [P]: how sure to be before somebody is named; without P, what is set and what is recommended."""
    recognizer = opened_recognizer(options)
    store = recognizer.store
    if options.probability is not None:
        store.choose_sureness(options.probability or None)
    chosen = store.sureness() or 0.0
    print(f"a person is named from {chosen:.2f} on" if chosen else "a person is named when likelier than a stranger")
    if options.probability is not None:
        return
    made = corrections(store, recognizer.model_id)
    found = recommend(recognizer.self_check(), made)
    if found is None:
        raise StoreError("nobody is enrolled with these weights: there is nothing to measure")
    basis = f"{found.measured} trials" + (f" and {found.corrections} corrections" if found.corrections else "")
    missed, named = ("-" if isnan(share) else f"{share:.1%}" for share in (found.best.missed, found.best.misnamed))
    print(
        f"recommended for these people: {found.threshold:.2f}, from {basis}: "
        f"{missed} of their segments missed, {named} of strangers named; "
        f"take it with: python -m demo speakers sure {found.threshold:.2f}"
    )


def _passphrase(options: Namespace, *, new: bool = False) -> str:
    """From the file that was given, else asked on the terminal (twice where it is new)."""
    if options.passphrase_file:
        try:
            with open(
                options.passphrase_file, encoding="utf-8-sig", opener=_without_waiting
            ) as file:  # Notepad begins with a mark
                return file.readline(1000).rstrip("\r\n")
        except (OSError, ValueError) as error:  # the latter: no text, or a name that no file can have
            raise PeopleFileError(
                f"{options.passphrase_file} cannot be read as a passphrase ({reason(error)})"
            ) from error
    if not asked_at_a_terminal():
        raise PeopleFileError("a passphrase is needed: give it with --passphrase-file FILE")
    import getpass

    try:
        given = getpass.getpass("passphrase: ", stream=sys.stderr)
        if new and getpass.getpass("once more: ", stream=sys.stderr) != given:
            raise PeopleFileError("the two passphrases differ: nothing was written")
    except EOFError as error:  # Ctrl-D
        raise PeopleFileError("no passphrase was given: nothing was done") from error
    return given


def _without_waiting(path: str, flags: int) -> int:
    """For `open`: a pipe that nobody writes to is empty, not waited for; one of another program is read to its end."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(handle, True)
    return handle


def _counted(people: int) -> str:
    return f"{people} {'person' if people == 1 else 'people'}"
