"""The timeline: answers over a recording, joined into turns; exports as JSON, CSV and RTTM."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from core.heads import ANSWERS, NOT_ENOUGH_SPEECH, Decision
from core.names import FORMULA
from core.segments import Quality, Segment

FORMATS = ("json", "csv", "rttm")


@dataclass(frozen=True)
class Answer:
    """What was decided about one segment: by the CNN, by the ANN, and by both together."""

    segment: Segment
    quality: Quality
    cnn: Decision
    ann: Decision
    both: Decision

    def of(self, answer: str) -> Decision:
        """By name: 'cnn', 'ann' or 'both'."""
        return getattr(self, answer)

    def __str__(self) -> str:
        if self.both.name == NOT_ENOUGH_SPEECH:
            return f"{self.segment}  {NOT_ENOUGH_SPEECH} ({self.quality.speech:.1f} s of {self.segment.duration:.3g} s)"
        return f"{self.segment}  CNN {self.cnn}   ANN {self.ann}   both {self.both}"


@dataclass(frozen=True)
class Turn:
    """Consecutive segments with the same answer. `probability`: their mean."""

    segment: Segment
    name: str
    probability: float


@dataclass(frozen=True)
class Timeline:
    """All answers about one recording, in order."""

    source: str
    model_id: str
    answers: tuple[Answer, ...]

    def turns(self, answer: str = "both") -> list[Turn]:
        """Consecutive equal decisions joined; 'not enough speech' is a turn too."""
        turns: list[tuple[Segment, str, list[float]]] = []
        for one in self.answers:
            decision = one.of(answer)
            if turns and turns[-1][1] == decision.name and abs(turns[-1][0].end - one.segment.start) < 1e-6:
                span, name, chances = turns.pop()
                turns.append((Segment(span.start, one.segment.end), name, [*chances, decision.probability]))
            else:
                turns.append((one.segment, decision.name, [decision.probability]))
        return [Turn(span, name, sum(chances) / len(chances)) for span, name, chances in turns]

    def talk_time(self, answer: str = "both") -> dict[str, float]:
        """Seconds by name, longest first; 'not enough speech' left out."""
        total: dict[str, float] = {}
        for turn in self.turns(answer):
            if turn.name != NOT_ENOUGH_SPEECH:
                total[turn.name] = total.get(turn.name, 0.0) + turn.segment.duration
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def export(self, form: str) -> str:
        """As 'json', 'csv' or 'rttm'."""
        return {"json": self.to_json, "csv": self.to_csv, "rttm": self.to_rttm}[form]()

    def to_json(self) -> str:
        """Everything: segments with quality and all three decisions, turns, talk time."""
        return json.dumps(
            {
                "source": self.source,
                "model": self.model_id,
                "segments": [asdict(answer) for answer in self.answers],
                "turns": [asdict(turn) for turn in self.turns()],
                "talk_time": self.talk_time(),
            },
            ensure_ascii=False,
            indent=1,
        )

    def to_csv(self) -> str:
        """One line per segment: start, end, speech, and of each answer name, probability, runner-up and its own."""
        return _csv(self.table())

    def table(self) -> list[list[str]]:
        """The rows of `to_csv`, the heading first."""
        fields = ("", "_probability", "_runner_up", "_runner_up_probability")
        heading = ["start", "end", "speech", *(f"{answer}{field}" for answer in ANSWERS for field in fields)]
        return [heading] + [
            [f"{one.segment.start:.2f}", f"{one.segment.end:.2f}", f"{one.quality.speech:.2f}", *_cells(one)]
            for one in self.answers
        ]

    def to_rttm(self) -> str:
        """NIST Rich Transcription Time Marked lines of the fused turns; blanks in names become '_'."""
        source = _token(self.source)
        return "".join(
            f"SPEAKER {source} 1 {turn.segment.start:.3f} {turn.segment.duration:.3f} <NA> <NA> {_token(turn.name)} "
            f"{turn.probability:.3f} <NA>\n"
            for turn in self.turns()
            if turn.name != NOT_ENOUGH_SPEECH
        )


def together(timelines: Sequence[Timeline], form: str) -> str:
    """The exports of several recordings as one: a list in JSON, in CSV a table whose first column is the source, in
    RTTM, where the source stands anyway, all lines."""
    if form == "rttm":
        return "".join(one.to_rttm() for one in timelines)
    if form == "json":
        return f"[{','.join(one.to_json() for one in timelines)}]"
    rows = [["source", *timelines[0].table()[0]]]
    for one in timelines:
        source = f"./{one.source}" if one.source[:1] in FORMULA else one.source  # else a spreadsheet would calculate
        rows += [[source, *row] for row in one.table()[1:]]
    return _csv(rows)


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _cells(one: Answer) -> list[str]:
    cells = []
    for answer in ANSWERS:
        decision = one.of(answer)
        cells += [
            decision.name,
            f"{decision.probability:.4f}",
            decision.runner_up,
            f"{decision.runner_up_probability:.4f}",
        ]
    return cells


def _token(text: str) -> str:
    """One word without control characters, as RTTM fields must be."""
    return "_".join("".join(c if c.isprintable() else " " for c in text).split()) or "unnamed"
