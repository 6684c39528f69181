"""Networks against each other: the same data, the same budget, the same strangers. Not imported by the app.

Every entrant sees as many batches of as many segments, with the same optimizer, rates and margin (`core.training`).
Those of images see random crops with the same augmentation, those that need whole segments whole ones; those of
feature rows the rows as they are. Then all embed the segments of people whom none has heard.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.augment import Chances, SpectrogramAugmenter
from core.errors import DatasetError
from core.evaluation import draw, mean_embedding, measure_cosine, rivals_only
from core.examples import Examples
from core.operations import operations
from core.spectral import CLASSIC, COLUMNS
from core.spectrogram import BANDS, FRAMES
from core.training import Batch, Recipe, drawn, fit, random_crops

FEATURE_SETS = {  # name -> how many of the first columns of `core.spectral.COLUMNS`
    "ann_26": len(CLASSIC),  # the original's
    "ann_560": next(index for index, name in enumerate(COLUMNS) if name.startswith("class_")),  # no acoustic classes
    "ann": len(COLUMNS),  # what ships
}
ENROL_SEGMENTS = 6  # of 5 s, as the product enrols
TEST_SEGMENTS = 30  # of one person at most, so that nobody outweighs the others
TOGETHER = 64  # inputs embedded at a time


@dataclass(frozen=True)
class Outcome:
    """What one network reached. `mflop`: millions of operations for a segment of 5 s (`core.operations`). `seconds`: of
    processor time spent on training, all cores together, without making the batches. `eer`: every test of the strangers
    against every stranger's mean enrolment. `accuracy` of five strangers, with its 95 % interval over speakers."""

    network: str
    sees: str
    parameters: int
    mflop: float
    seconds: float
    eer: float
    accuracy: float
    ci95: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Strangers:
    """Who is told apart: `enrol[i]`, places of the segments that enrol speaker i, and `tests`, `owner` (n,).
    `same_recording` (n,): tests of speakers with one recording, see `core.evaluation.measure`; nowhere where nobody has
    several."""

    enrol: tuple[np.ndarray, ...]
    tests: np.ndarray
    owner: np.ndarray
    same_recording: np.ndarray
    several: int  # speakers who are tested on other recordings than they enrolled from


def strangers(held: Examples) -> Strangers:
    """Six segments of a speaker's first session enrol, the other sessions test. Of a speaker of one session half enrols
    at most, and the rest tests. Speakers of one segment are left out; `DatasetError` when fewer than two are left."""
    enrol, tests, owner, single, several = [], [], [], [], 0
    for speaker in range(len(held.names)):
        mine = np.flatnonzero(held.speakers == speaker)
        first = mine[held.sessions[mine] == held.sessions[mine[0]]]
        others = np.setdiff1d(mine, first)
        learnt = first[: min(ENROL_SEGMENTS, len(first) if len(others) else len(first) // 2)]
        asked = others if len(others) else np.setdiff1d(first, learnt)
        if not len(learnt) or not len(asked):
            continue
        asked = asked[np.linspace(0, len(asked) - 1, min(TEST_SEGMENTS, len(asked))).round().astype(int)]
        enrol.append(learnt)
        tests.append(asked)
        owner.append(np.full(len(asked), len(enrol) - 1))
        single.append(np.full(len(asked), not len(others)))
        several += bool(len(others))
    if len(enrol) < 2:
        raise DatasetError(
            f"{len(enrol)} held-out speakers with two segments, 2 are needed: make the dataset with --split speaker"
        )
    same = rivals_only(np.concatenate(single))
    return Strangers(tuple(enrol), np.concatenate(tests), np.concatenate(owner), same, several)


def columns_of(examples: Examples, count: int) -> Examples:
    """The same rows with the first `count` columns."""
    return Examples(examples.values[:, :count], examples.speakers, examples.sessions, examples.names)


def contest(
    network: str,
    examples: Examples,
    held: Examples,
    noise: np.ndarray,
    recipe: Recipe,
    folder: Path,
    *,
    precision: str = "float32",
) -> Outcome:
    """Train one network of `core.networks.IMAGE_NETWORKS` or `FEATURE_SETS` and measure it; what was done with the
    same recipe is read from `folder`. `examples`, `held`: images, or rows with all columns. `precision`: Keras' dtype
    policy for networks of images; rows, whose columns differ by orders of magnitude, stay float32."""
    path = folder / "outcome.json"
    budget = json.dumps([asdict(recipe), len(examples.values), len(held.values), precision])
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known.pop("budget") == budget:
            return Outcome(**known | {"ci95": tuple(known["ci95"])})
    import keras

    from core.networks import IMAGE_NETWORKS, ann, margin_compiled, with_margin_head

    keras.backend.clear_session()
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy("float32" if network in FEATURE_SETS else precision)
    if network in FEATURE_SETS:
        count = FEATURE_SETS[network]
        examples, held = columns_of(examples, count), columns_of(held, count)
        body = ann(columns=count)
        body.get_layer("standardise").adapt(examples.values)
        sees, shape, batches = f"{count} columns", (count,), _Batches(examples, recipe, None, 0)
    else:
        body = IMAGE_NETWORKS[network]()
        width = body.input_shape[2] or recipe.crop
        sees, shape = f"{width / 100:g} s of image", (BANDS, FRAMES)
        batches = _Batches(examples, recipe, SpectrogramAugmenter(noise, Chances(masks=0.5)), width)
    model = with_margin_head(body, len(examples.names))
    optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.weight_decay, global_clipnorm=5.0)
    margin_compiled(model, optimizer)
    (folder / "checkpoint.npz").unlink(missing_ok=True)  # half a training cannot be timed
    began = time.process_time()
    fit(model, batches, recipe, folder, every=recipe.steps)
    seconds = time.process_time() - began - batches.seconds
    made = _embedded(body, held.values)
    cell = _accuracy(made, strangers(held))
    outcome = Outcome(
        network,
        sees,
        int(body.count_params()),
        operations(body, shape) / 1e6,
        seconds,
        cell.eer,
        cell.accuracy,
        cell.ci95,
    )
    path.write_text(json.dumps({"budget": budget, **asdict(outcome)}, indent=1) + "\n", encoding="utf-8")
    return outcome


class _Batches:
    """Batches in the order that the seed gives; `seconds`: processor time spent on making them."""

    def __init__(self, examples: Examples, recipe: Recipe, augmenter: SpectrogramAugmenter | None, width: int):
        self._examples, self._recipe, self._augmenter, self._width = examples, recipe, augmenter, width
        self.seconds = 0.0

    def __call__(self, step: int) -> Iterator[Batch]:
        chosen_from = drawn(self._examples.speakers, self._recipe.batch, seed=self._recipe.seed, step=step)
        while True:
            began = time.process_time()
            chosen, chance = next(chosen_from)
            values = self._examples.values[chosen]
            if self._augmenter:
                values = _scaled(self._augmenter(random_crops(values, self._width, chance), chance))
            labels = self._examples.speakers[chosen].astype(np.int32)
            self.seconds += time.process_time() - began
            yield values, labels


def _scaled(values: np.ndarray) -> np.ndarray:
    """Grey images as networks take them; feature rows as they are."""
    return values.astype(np.float32) / np.float32(255.0) if values.dtype == np.uint8 else values


def _embedded(body, values: np.ndarray) -> np.ndarray:
    """(n, D) of whole segments."""
    parts = range(0, len(values), TOGETHER)
    return np.concatenate([np.asarray(body.predict_on_batch(_scaled(values[at : at + TOGETHER]))) for at in parts])


def _accuracy(made: np.ndarray, who: Strangers):
    """The cell of cosine to the mean enrolment, over draws of five."""
    means = np.stack([mean_embedding(made[places]) for places in who.enrol])
    return measure_cosine(means, made[who.tests], who.owner, draw(len(who.enrol)), who.same_recording)
