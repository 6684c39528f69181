"""The sound behind enrolled segments, where it is there: example voices, and people whose audio was kept; and the same
through a channel, for a harder exam."""

from __future__ import annotations

import io
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, concatenate, decode, stream
from core.embedder import Embeddings
from core.enrolment import MAX_ENROL_SECONDS
from core.names import name_key
from core.recognizer import Recognizer
from core.segments import condense_long, prepare_judged
from core.speakers import Enrolled
from demo.examples import EXAMPLE_SOURCE, PEOPLE, clip

FAMILIAR = {name_key(name): name for name in PEOPLE}
SHORT, SHORT_SECONDS = "short", 1.5  # s: the shortest in which a second of speech is sure to be
SAME_SOUND = 0.97  # cosine of both embeddings of a piece, enrolled and heard again


class EnrolledSound:
    """Sound of the pieces of `people`, decoded once per session and only where somebody asks."""

    def __init__(self, recognizer: Recognizer, people: Sequence[Enrolled]):
        self._recognizer = recognizer
        self._people = people
        self._speech: dict[tuple[int, int], Audio | None] = {}

    def of(self, person: int, row: int) -> Audio | None:
        """The 5 s of speech behind row `row` of person `person`; None where the sound was not kept."""
        one = self._people[person]
        speech = self._session(person, int(one.sessions[row]), one.sources[row])
        start = float(one.starts[row])
        return None if speech is None else speech.between(start, start + SEGMENT_SECONDS)

    def heard(self, person: int, row: int, channel: str) -> Audio | None:
        """The piece through channels of `core.channels` and `SHORT`, joined by '+'; '' is none. None without sound."""
        from core.channels import Surroundings, apply

        sound = self.of(person, row)
        if sound is None or not channel:
            return sound
        voices = []
        if "babble" in channel:
            others = [(i, 0) for i in range(len(self._people)) if i != person]
            voices = [voice for place in others if (voice := self.of(*place)) is not None]
            if not voices:
                return None
        chance = np.random.default_rng(crc32(f"{channel}/{self._people[person].profile.name}/{row}".encode()))
        for one in channel.split("+"):
            around = Surroundings((), voices)
            sound = (
                sound.between(0.0, SHORT_SECONDS) if one == SHORT else apply(one, sound, chance=chance, around=around)
            )
        return sound

    def through(self, person: int, row: int, channel: str) -> Embeddings | None:
        """Embeddings of what is heard so; None without sound, or without speech left in it."""
        sound = self.heard(person, row, channel)
        samples = None if sound is None else prepare_judged(sound)[0]
        return None if samples is None else self._recognizer.embedder.embed([samples])

    def _session(self, person: int, session: int, source: str) -> Audio | None:
        if (person, session) not in self._speech:
            speech = self._read(self._people[person].profile.name, session, source)
            self._speech[person, session] = speech if self._is_it(speech, person, session) else None
        return self._speech[person, session]

    def _is_it(self, speech: Audio | None, person: int, session: int) -> bool:
        """Is this what was enrolled? A person may have been given the name of an example voice."""
        if speech is None:
            return False
        one = self._people[person]
        row = int(np.flatnonzero(one.sessions == session)[0])
        start = float(one.starts[row])
        samples, _ = prepare_judged(speech.between(start, start + SEGMENT_SECONDS))
        if samples is None:
            return False
        heard = self._recognizer.embedder.embed([samples])
        return min(float(heard.cnn[0] @ one.cnn[row]), float(heard.ann[0] @ one.ann[row])) > SAME_SOUND

    def _read(self, name: str, session: int, source: str) -> Audio | None:
        kept = self._recognizer.store.recordings(name).get(session)
        if kept is not None:
            return decode(io.BytesIO(kept))
        if source == EXAMPLE_SOURCE and name_key(name) in FAMILIAR:
            path = clip(f"{FAMILIAR[name_key(name)].lower()}_enrol")
            return concatenate(list(condense_long(stream(path)))).between(0.0, 2 * MAX_ENROL_SECONDS)
        return None
