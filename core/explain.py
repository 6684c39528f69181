"""What did a model listen to? For the CNN the times and frequencies, for the ANN the features, that carried a decision.

Both ask the same question: how much surer is the model of a person with this part than without it? Sureness is the
log-odds of the person against Unknown (`core.heads`). "Without" is what says nothing: for a patch of the image the mean
grey of its bands (what a band tells by its mean over time stays), for features the mean of the training voices. Patches
are hidden one at a time (occlusion, Zeiler & Fergus 2014); families of features, which overlap in what they tell, share
the whole by their Shapley values (Strumbelj & Kononenko 2014), so that the parts add up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from core.audio import SAMPLE_RATE
from core.embedder import BATCH, Embedder, Embeddings
from core.feature_words import Family, families
from core.heads import Heads
from core.onnx_constants import standardisation
from core.spectral import COLUMNS
from core.spectrogram import BANDS, FMAX, FMIN, FRAMES, HOP, hz_to_mel, mel_to_hz

GRIDS = ((5, 10), (8, 16), (10, 20), (10, 25))  # bands x times hidden, one after the other; the finest that fits
SECONDS = 1.8  # s that an occlusion map may take
ORDERS = 24  # orders of the families, each also backwards
TOP_COLUMNS = 3  # columns told of a family
REGIONS_HZ = (20.0, 300.0, 1000.0, 2500.0, 4000.0, 7600.0)
REGIONS = (
    "the pitch and its first overtones: how deep the voice is",
    "the first formant: how wide the mouth opens",
    "the second formant: where the tongue lies, and much of a person's colour",
    "the upper formants: the length and shape of the throat",
    "the hiss of s and f, and breath",
)
FRAME_SECONDS = HOP / SAMPLE_RATE


@dataclass(frozen=True, eq=False)
class Occlusion:
    """`drops` (bands, times): how many log-odds of `person` are lost when that patch is hidden; row 0 lowest.
    `log_odds`: with nothing hidden. `image`: uint8 (BANDS, FRAMES). `seconds`: the time it took."""

    person: str
    image: np.ndarray
    log_odds: float
    drops: np.ndarray
    seconds: float

    def regions(self) -> list[float]:
        """Part of the evidence (positive drops) in each of `REGIONS`, summing to 1; zeros where there is none."""
        evidence = np.maximum(self.drops, 0.0)
        edges = group_edges(len(self.drops))
        shares = np.zeros(len(REGIONS))
        for band, amount in enumerate(evidence.sum(axis=1)):
            low, high = edges[band], edges[band + 1]
            inside = np.clip(np.minimum(high, REGIONS_HZ[1:]) - np.maximum(low, REGIONS_HZ[:-1]), 0.0, None)
            shares += amount * inside / max(high - low, 1e-9)
        return list(shares / max(shares.sum(), 1e-9))

    def strongest(self) -> tuple[float, float, float, float]:
        """The patch whose loss costs most: from and to in seconds of speech, from and to in Hz."""
        band, moment = np.unravel_index(self.drops.argmax(), self.drops.shape)
        width, edges = FRAMES * FRAME_SECONDS / self.drops.shape[1], group_edges(len(self.drops))
        return moment * width, (moment + 1) * width, float(edges[band]), float(edges[band + 1])


@dataclass(frozen=True)
class Measure:
    """One column: its deviation from the training voices' mean, in their standard deviations, and the log-odds that
    are lost when it is set to that mean."""

    column: str
    deviation: float
    drop: float


@dataclass(frozen=True)
class Contribution:
    """A family's share in the log-odds, and its strongest columns."""

    family: Family
    log_odds: float
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Contributions:
    """`log_odds` of `person` = `average` (those of a row of training means) + the sum of the parts, strongest first."""

    person: str
    log_odds: float
    average: float
    parts: tuple[Contribution, ...]


def group_edges(count: int) -> np.ndarray:
    """Edges in Hz of `count` groups of mel bands, (count + 1,)."""
    low, high = hz_to_mel(FMIN), hz_to_mel(FMAX)
    places = np.linspace(0, BANDS, count + 1).round() / BANDS
    return mel_to_hz(low + places * (high - low))


def occlusion(
    embedder: Embedder,
    heads: Heads,
    image: np.ndarray,
    person: str,
    *,
    grid: tuple[int, int] | None = None,
    seconds: float = SECONDS,
) -> Occlusion:
    """The CNN's map of one image, uint8 (BANDS, FRAMES), for somebody enrolled.

    `grid`: patches (bands, times); None takes the finest of `GRIDS` that this machine does in `seconds`.
    """
    began = time.monotonic()
    column = heads.names.index(person)

    def log_odds(images: np.ndarray) -> np.ndarray:
        cnn = embedder.embed_images(images)
        return heads.log_odds(Embeddings(cnn, np.zeros_like(cnn)))["cnn"][:, column]

    whole = float(log_odds(image[None])[0])
    if grid is None:
        began_batch = time.monotonic()
        log_odds(np.repeat(image[None], BATCH // 2, axis=0))
        each = (time.monotonic() - began_batch) / (BATCH // 2)
        left = seconds - (time.monotonic() - began)
        grid = next((one for one in reversed(GRIDS) if one[0] * one[1] * each <= left), GRIDS[0])
    hidden = np.repeat(image[None], grid[0] * grid[1], axis=0)
    flat = image.mean(axis=1, keepdims=True).round().astype(np.uint8)  # what every band is on average
    rows = np.linspace(0, BANDS, grid[0] + 1).round().astype(int)
    columns = np.linspace(0, FRAMES, grid[1] + 1).round().astype(int)
    for place in range(len(hidden)):
        band, moment = divmod(place, grid[1])
        part = slice(rows[band], rows[band + 1])
        hidden[place, part, columns[moment] : columns[moment + 1]] = flat[part]
    drops = (whole - log_odds(hidden)).reshape(grid)
    return Occlusion(person, image, whole, drops, time.monotonic() - began)


def contributions(embedder: Embedder, heads: Heads, row: np.ndarray, person: str, *, seed: int = 0) -> Contributions:
    """The ANN's ranking of one feature row, float32 (columns,), for somebody enrolled. Raises `ModelError`."""
    known = standardisation((embedder.folder / embedder.description["files"]["ann"]["name"]).read_bytes())
    groups = families(COLUMNS)
    column = heads.names.index(person)

    def log_odds(rows: np.ndarray) -> np.ndarray:
        ann = embedder.embed_rows(rows.astype(np.float32))
        return heads.log_odds(Embeddings(np.zeros_like(ann), ann))["ann"][:, column]

    chance = np.random.default_rng(seed)
    orders = [order for _ in range(ORDERS) for one in [chance.permutation(len(groups))] for order in (one, one[::-1])]
    steps = np.repeat(known.centre[None], len(orders) * (len(groups) + 1), axis=0)
    for place, order in enumerate(orders):
        first = place * (len(groups) + 1)
        for step, group in enumerate(order):
            columns = groups[group][1]
            steps[first + step + 1 : first + len(groups) + 1, columns] = row[columns]
    odds = log_odds(steps).reshape(len(orders), len(groups) + 1)
    shares = np.zeros(len(groups))
    for gains, order in zip(np.diff(odds, axis=1), orders, strict=True):
        shares[order] += gains / len(orders)
    whole = float(odds[0, -1])

    single = np.repeat(row[None], len(row), axis=0)
    np.fill_diagonal(single, known.centre)
    drops = whole - log_odds(single)
    deviation = (row - known.centre) / known.spread
    parts = [
        Contribution(family, float(shares[index]), _strongest(columns, deviation, drops, shares[index]))
        for index, (family, columns) in enumerate(groups)
    ]
    parts.sort(key=lambda part: -abs(part.log_odds))
    return Contributions(person, whole, float(odds[0, 0]), tuple(parts))


def _strongest(columns: list[int], deviation: np.ndarray, drops: np.ndarray, share: float) -> tuple[Measure, ...]:
    """The columns that pull the same way as their family, strongest first."""
    way = 1.0 if share >= 0 else -1.0
    ranked = sorted((c for c in columns if way * drops[c] > 0), key=lambda c: -way * drops[c])[:TOP_COLUMNS]
    return tuple(Measure(COLUMNS[c], float(deviation[c]), float(drops[c])) for c in ranked)
