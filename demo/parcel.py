"""People in a file, for the app: making one, and looking into one before anything of it is taken up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from core import people_file
from core.coherence import SAME_VOICE
from core.enrolled import PersonRecord
from core.enrolment import embeddings_of, most_alike
from core.errors import PeopleFileError, StoreError
from core.names import name_key
from core.recognizer import Recognizer
from demo import people_texts as texts
from demo.exporting import private_folder
from demo.leavings import discard
from demo.local_time import day
from demo.people_view import table

COMPARED = 100  # people of a file whose voices are compared with those enrolled
MAX_ROWS = 100  # people of a file that are listed


class Parcel:
    """One per session; a copy is always a fresh one. Holds the file that was made and the people that may come in."""

    def __init__(self):
        self.written: str | None = None
        self.content: bytes | None = None  # encrypted still
        self.people: list[PersonRecord] = []

    def __deepcopy__(self, _memo) -> Parcel:
        return Parcel()

    def leave(self) -> None:
        """The page is gone: nothing of the voices stays."""
        self.drop()
        self.__init__()

    def drop(self) -> None:
        """Delete the file that was written."""
        discard([self.written])
        self.written = None

    def make(self, recognizer: Recognizer, names: Sequence[str], passphrase: str, again: str) -> list[str]:
        """Write the file with these people (none named: everybody) to `written`; their names.

        Raises `StoreError`, `PeopleFileError`, `UnknownSpeaker`.
        """
        if passphrase != again:
            raise PeopleFileError(texts.PASSPHRASES_DIFFER)
        people = recognizer.store.records(names or None)
        if not people:
            raise StoreError(texts.EXPORT_NOBODY)
        content = people_file.write(people, passphrase or None)
        self.drop()
        folder = Path(tempfile.mkdtemp(prefix="people-", dir=private_folder()))
        path = folder / f"people-{time.strftime('%Y-%m-%d')}.json"
        path.write_bytes(content)
        self.written = str(path)
        return [one.name for one in people]

    def receive(self, path: str) -> bool:
        """Read a file that was sent, which is deleted at once; does it need a passphrase? Raises `PeopleFileError`."""
        self.content, self.people = None, []
        try:
            with open(path, "rb") as file:
                content = file.read(people_file.MAX_BYTES + 1)
        except OSError as error:
            raise PeopleFileError(f"the file cannot be read ({error.strerror}): choose it again") from error
        finally:
            discard([path])
        sealed = people_file.encrypted(content)
        self.content = content
        if not sealed:
            self.open(None)
        return sealed

    def open(self, passphrase: str | None) -> None:
        """Look into what was received: `people`. Raises `PeopleFileError`; what was received stays, to try again."""
        if self.content is None:
            raise PeopleFileError(texts.IMPORT_NOTHING)
        self.people = people_file.read(self.content, passphrase)
        self.content = None

    def wanted(self, recognizer: Recognizer, *, replace: bool) -> int:
        """How many `take_up` would enrol."""
        known = _known(recognizer)
        return len(self.people) if replace else sum(name_key(one.name) not in known for one in self.people)

    def clashing(self, recognizer: Recognizer) -> list[str]:
        """The names in the file that are enrolled here already: `replace` would overwrite them."""
        known = _known(recognizer)
        return [one.name for one in self.people if name_key(one.name) in known]

    def take_up(self, recognizer: Recognizer, *, replace: bool) -> tuple[int, int]:
        """Enrol the people; how many, and how many were left out because they are enrolled already. All or nothing.

        `replace`: those who are enrolled already are replaced instead. Raises `StoreError`.
        """
        if not self.people:
            raise PeopleFileError(texts.IMPORT_NOTHING)
        taken = self.clashing(recognizer)
        wanted = self.people if replace else [one for one in self.people if one.name not in taken]
        if not wanted:
            raise StoreError(texts.IMPORT_NONE)
        recognizer.add_people(wanted, replace=taken if replace else ())
        self.people = []
        return len(wanted), 0 if replace else len(taken)


@dataclass(frozen=True)
class Entry:
    """A person in a file. `taken`: is that name enrolled? `alike`: who is enrolled and sounds like that, ''
    for nobody. `old`: did other networks make all of it? `speech`: is speech in it?"""

    person: PersonRecord
    taken: bool
    alike: str
    old: bool
    speech: bool


def entries(recognizer: Recognizer, people: Sequence[PersonRecord]) -> list[Entry]:
    """What an import would bring, and what clashes with who is enrolled."""
    recognizer.check_people(people)
    known, enrolled = _known(recognizer), recognizer.store.embeddings(recognizer.model_id)
    found = []
    for number, person in enumerate(people):
        mine = [
            one
            for session in person.sessions
            if session.model_id == recognizer.model_id
            for one in session.segments
            if one.kind == "segment"
        ]
        taken, alike = name_key(person.name) in known, ""
        if mine and enrolled and not taken and number < COMPARED:
            name, likeness = most_alike(embeddings_of(mine), enrolled, recognizer.embedder.cohort)
            alike = name if likeness > SAME_VOICE else ""
        speech = any(session.flac for session in person.sessions)
        found.append(Entry(person, taken, alike, not mine, speech))
    return found


def _known(recognizer: Recognizer) -> set[str]:
    return {name_key(one.name) for one in recognizer.store.profiles()}


def view(found: Sequence[Entry]) -> str:
    """The people in a file as a table."""
    rows = "".join(
        f"<tr><td><b>{escape(one.person.name)}</b>{_remarks(one)}</td><td>{len(one.person.sessions)}</td>"
        f"<td>{escape(day(one.person.consent_at))}</td></tr>"
        for one in found[:MAX_ROWS]
    )
    more = f'<p class="quiet">{texts.MORE_IN_FILE.format(count=len(found) - MAX_ROWS)}</p>'
    title = escape(texts.IN_FILE.format(people=texts.people_counted(len(found))))
    return f"<p><b>{title}</b></p>{table(texts.IMPORT_COLUMNS, rows)}{more if len(found) > MAX_ROWS else ''}"


def _remarks(one: Entry) -> str:
    remarks = [(texts.TAKEN, "flag")] if one.taken else []
    remarks += [(texts.SOUNDS_LIKE.format(name=one.alike), "flag")] if one.alike else []
    remarks += [(texts.FROM_OLD_RENEW if one.speech else texts.FROM_OLD, "flag")] if one.old else []
    remarks += [(texts.WITH_SPEECH, "")] if one.speech else []
    return "".join(f'<small class="{kind}">{escape(text)}</small>' for text, kind in remarks)
