"""A map of the enrolled voices under each model, and a live voice dropping in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core import chart_svg
from core.chart import Axis, Chart, Series
from core.embedder import MODELS, Embeddings
from core.embedding_map import MIN_POINTS, EmbeddingMap, embedding_map
from core.speakers import Enrolled
from demo import compare_texts as texts
from demo.palette import UNKNOWN_COLOUR

TAIL = 8  # live points kept
LIVE_COLOUR = "#e6194b"  # nobody's colour: the ring of the live point


class VoiceMap:
    """One per drawing; `drop` adds what is heard live."""

    def __init__(self, people: Sequence[Enrolled], colours: Mapping[str, str], kind: str, *, mark: str = ""):
        """`kind`: 'pca' or 'tsne'. `mark`: `SpeakerStore.people_mark` of that moment. Raises `ValueError` with too few
        pieces of voice (`enough` tells before)."""
        self.mark = mark
        self._people = [(one.profile.name, colours.get(one.profile.name, UNKNOWN_COLOUR)) for one in people]
        segments = [one.segments for one in people]  # not the windows, most of which are simulated rooms
        self._owner = np.repeat(np.arange(len(people)), [len(one) for one in segments])
        self._maps: dict[str, EmbeddingMap] = {
            model: embedding_map(np.concatenate([one.of(model) for one in segments]), kind=kind) for model in MODELS
        }
        self._tail: list[Embeddings] = []

    def drop(self, heard: Embeddings) -> None:
        """One more live point (the first row), the oldest goes."""
        self._tail = [*self._tail, heard][-TAIL:]

    def html(self) -> str:
        """Both maps, and what they show."""
        cards = "".join(f'<div class="figure">{chart_svg.chart(self._chart(model))}</div>' for model in MODELS)
        shares = [self._maps[model].share for model in MODELS]
        kind = self._maps["cnn"].kind
        share = " and ".join(f"{part:.0%}" for part in shares if part is not None)
        live = texts.MAP_LISTENING if self._tail else texts.MAP_LIVE
        note = texts.MAP_NOTES[kind].format(share=share)
        return f'<div class="figures figures-2">{cards}</div><p class="quiet">{note}. {live}</p>'

    def _chart(self, model: str) -> Chart:
        here = self._maps[model]
        series = [
            Series(
                name, *here.points[self._owner == index].T, colour, "points", labels=[name] * sum(self._owner == index)
            )
            for index, (name, colour) in enumerate(self._people)
        ]
        if self._tail:
            path = here.place(np.concatenate([one.of(model)[:1] for one in self._tail]))
            series.append(Series("", *path.T, LIVE_COLOUR, dashed=True))
            series.append(Series("live", *path[-1:].T, LIVE_COLOUR, "points", hollow=True, labels=["now"]))
        return Chart(model.upper(), Axis(bare=True), Axis(bare=True), tuple(series))


def enough(people: Sequence[Enrolled]) -> bool:
    """Are there enough pieces of voice for a map?"""
    return sum(len(one.segments) for one in people) >= MIN_POINTS
