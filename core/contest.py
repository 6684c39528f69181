"""Everybody of an evaluation enrolled with every network, ready to be measured. Not imported by the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.embedder import MODELS, Embedder, Embeddings, with_windows
from core.evaluation import Cell, FittedHeads, mean_embedding, measure_cosine
from core.heads import Calibration
from core.protocol import EnrolmentClips
from core.rival import NETWORKS


@dataclass(frozen=True, eq=False)
class Group:
    """Speakers who are told from each other: `members`, int (n,), with the heads of all draws among them."""

    members: np.ndarray
    heads: FittedHeads


class Contest:
    """Everybody enrolled with every model. Memory holds embeddings, not sound."""

    def __init__(self, *, rivals: Sequence[str] = ()):
        """`rivals`: names in `core.rival.NETWORKS`."""
        self.embedder = Embedder()
        self.rivals = {name: NETWORKS[name]() for name in rivals}
        self.people: list[Embeddings] = []
        self.means: dict[str, list[np.ndarray]] = {}
        self.groups: dict[str, Group] = {}

    def enrol(self, clips: EnrolmentClips) -> None:
        """One more speaker: segments and windows for the heads, the mean of the segments for cosine."""
        self.people.append(
            with_windows(self.embedder.embed(list(clips.segments)), self.embedder.embed(list(clips.windows)))
        )
        rows = {model: self.people[-1].heard_by(model) for model in MODELS}
        rows |= {name: network.embed(clips.segments) for name, network in self.rivals.items()}
        for model, values in rows.items():
            self.means.setdefault(model, []).append(mean_embedding(values))

    def fit(
        self,
        name: str,
        members: np.ndarray,
        draws: np.ndarray,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """The heads of all draws among some speakers (places in `members`): the one part that takes long."""
        heads = FittedHeads.fit(
            [self.people[index] for index in members],
            draws,
            self.embedder.cohort,
            Calibration(**self.embedder.calibration),
            progress=progress,
        )
        self.groups[name] = Group(members, heads)

    def embed(self, samples: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Prepared tests -> (n, D) by network."""
        made = self.embedder.embed(list(samples))
        rows = {model: made.of(model) for model in MODELS}
        return rows | {name: network.embed(samples) for name, network in self.rivals.items()}

    def cells(
        self,
        group: Group,
        rows: dict[str, np.ndarray],
        owner: np.ndarray,
        same_recording: np.ndarray,
        *,
        detailed: bool = False,
    ) -> dict[str, Cell]:
        """Cells by model of the tests of a group's members; `owner`: int (tests,), index of the speaker;
        `same_recording`: bool (tests,), and `detailed`: see `core.evaluation.measure`."""
        mine = np.isin(owner, group.members)
        place, same = np.searchsorted(group.members, owner[mine]), same_recording[mine]
        cells = group.heads.measure(
            Embeddings(*(rows[model][mine] for model in MODELS)), place, same, detailed=detailed
        )
        for network, values in rows.items():
            name = f"{network}_cosine" if network in MODELS else network
            means = np.stack([self.means[network][index] for index in group.members])
            cells[name] = measure_cosine(means, values[mine], place, group.heads.draws, same, detailed=detailed)
        return cells
