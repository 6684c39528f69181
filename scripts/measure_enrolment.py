"""How well enrolment tells one voice from two: the figures behind the thresholds of `core.coherence`.

python scripts/measure_enrolment.py DIR       DIR/<speaker>/<session>/<files>, as for scripts/evaluate.py

Enrolments of one voice (30 s of one session), of one voice in two sessions, of two voices (half and half, and five
segments to one), and of two voices that take turns every 2.5 s; and how alike two sessions of one person are, against
sessions of two people. Voices that no network was trained on measure honestly.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.audio import Audio
from core.coherence import ONE_VOICE, ONE_VOICE_HALVES, SAME_PERSON, SAME_VOICE, coherence, likeness
from core.embedder import Embedder, Embeddings
from core.enrolment import gather
from core.errors import SpeakerError
from core.protocol import Session, find_people, read
from core.segments import prepare

SEGMENTS = 6  # of 5 s in an enrolment
PAIRS = 400  # of two different people


def main() -> int:
    """Measure and print; exit code 2 for a folder that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder
    embedder = Embedder()
    try:
        people = [[_pieces(one, embedder) for one in person.sessions[:2]] for person in find_people(folder)]
    except SpeakerError as error:
        print("error:", error, file=sys.stderr)
        return 2
    sessions = [[one for one in person if one is not None] for person in people]
    people = [person for person in sessions if person]
    if len(people) < 3:
        print("error: fewer than 3 speakers with 30 s of speech: give a folder with more", file=sys.stderr)
        return 2
    _print(embedder, people)
    return 0


def _pieces(session: Session, embedder: Embedder) -> tuple[Embeddings, Embeddings] | None:
    """The first 30 s of speech of a session as segments and as half segments; None where there is less."""
    speech = gather([read(session, [])], once=False).audio
    found = []
    for seconds, count in ((5.0, SEGMENTS), (2.5, 2 * SEGMENTS)):
        parts = [_prepared(speech, index * seconds, seconds) for index in range(count)]
        if any(part is None for part in parts):
            return None
        found.append(embedder.embed(parts))
    return found[0], found[1]


def _prepared(speech: Audio, start: float, seconds: float) -> np.ndarray | None:
    piece = speech.between(start, start + seconds)
    return prepare(piece) if piece.duration >= seconds - 1e-6 else None


def _print(embedder: Embedder, people: list) -> None:
    cohort, chance = embedder.cohort, np.random.default_rng(0)
    two = [person for person in people if len(person) == 2]
    pairs = [chance.choice(len(people), 2, replace=False) for _ in range(PAIRS)]
    mixed = {
        "one voice, one session": [(one, one, 0.5) for person in people for one in person],
        "one voice, two sessions": [(person[0], person[1], 0.5) for person in two],
        "two voices, half and half": [(people[i][0], people[j][0], 0.5) for i, j in pairs],
        "two voices, five segments to one": [(people[i][0], people[j][0], 5 / 6) for i, j in pairs],
    }
    print(f"weights {embedder.model_id}, {len(people)} speakers, {len(two)} with two sessions")
    print(f"\nrefused as not one voice (below {ONE_VOICE} whole or {ONE_VOICE_HALVES} halves)")
    for title, cases in mixed.items():
        values = [coherence(*_joined(*case), cohort) for case in cases]
        if not values:
            continue
        lowest, middle, highest = np.percentile([one.whole for one in values], [0, 50, 100])
        refused = np.mean([not one.one_voice for one in values])
        print(
            f"  {title:34s} {refused:6.1%} of {len(values):3d}   whole {lowest:5.1f} .. {middle:4.1f} .. {highest:4.1f}"
        )
    turns = [_joined(people[i][0], people[j][0], 0.5)[1] for i, j in pairs]
    whole = [people[i][0][0] for i, _ in pairs]  # segments in which both speak are alike: only halves can tell
    refused = np.mean([coherence(a, b, cohort).halves < ONE_VOICE_HALVES for a, b in zip(whole, turns, strict=True)])
    print(f"  {'two voices, turns of 2.5 s':34s} {refused:6.1%} of {len(turns):3d}   by halves alone")
    alike = np.array([likeness(person[0][0], person[1][0], cohort).mean() for person in two])
    other = np.array([likeness(people[i][0][0], people[j][0][0], cohort).mean() for i, j in pairs])
    print("\nlikeness of two sessions           one person    two people")
    for name, limit in (("SAME_VOICE", SAME_VOICE), ("SAME_PERSON", SAME_PERSON)):
        print(
            f"  above {name:12s} ({limit:.1f})        {np.mean(alike > limit):8.1%}      {np.mean(other > limit):8.1%}"
        )


def _joined(first: tuple, second: tuple, share: float) -> tuple[Embeddings, Embeddings]:
    """The beginning of one enrolment and the end of another, as segments and as halves."""
    made = []
    for one, other in zip(first, second, strict=True):
        cut = round(share * len(one))
        made.append(Embeddings(*(np.concatenate([one.of(m)[:cut], other.of(m)[cut:]]) for m in ("cnn", "ann"))))
    return made[0], made[1]


if __name__ == "__main__":
    raise SystemExit(main())
