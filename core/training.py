"""Training: who is drawn, how rates and margin move, and checkpoints that a kill cannot break.

Not imported by the app. There are no epochs: crops are drawn at random, and a run is a number of batches.
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DatasetError
from core.evaluation import equal_error_rate
from core.examples import Examples

VALIDATED = 6000  # segments whose pairs are looked at: half a gigabyte
TRIM_EVERY = 50  # steps between returns of free memory to the system
FINISHED = ("recipe.json", "body.weights.h5")  # files of a finished run alone


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, beside the data. `steps` are batches."""

    steps: int
    batch: int = 128
    crop: int = 150  # frames (10 ms each); CNN only
    rate: float = 2e-3  # peak learning rate
    weight_decay: float = 1e-3
    margin: float = 0.2  # radians
    margin_from: float = 0.25  # share of the steps at which the margin begins to grow
    margin_until: float = 0.65  # share of the steps at which it is reached
    warm_up: int = 200  # steps
    masks: bool = True
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to 1 % of the peak."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        done = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return self.rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)))

    def margin_at(self, step: int) -> float:
        """0, then linear growth, then `margin`."""
        first, last = self.margin_from * self.steps, self.margin_until * self.steps
        if step >= last:
            return self.margin
        return self.margin * max(0.0, (step - first) / (last - first))


Targets = np.ndarray | tuple[np.ndarray, np.ndarray]  # labels; or labels, and what a teacher hears
Batch = tuple[np.ndarray, Targets]  # inputs, targets


def drawn(
    speakers: np.ndarray, batch: int, *, seed: int, step: int, favour: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Batches of indices without end, from batch number `step` on: the same for the same seed, resumed or not.

    A voice is drawn in proportion to the square root of its segments, and to its place in `favour` (voices,), then one
    of its segments.
    """
    order = np.argsort(speakers, kind="stable")
    counts = np.bincount(speakers)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    share = np.sqrt(counts) * (1.0 if favour is None else favour)
    share = share / share.sum()
    while True:
        chance = np.random.default_rng([seed, step])
        chosen = chance.choice(len(counts), batch, p=share)
        yield order[starts[chosen] + (chance.random(batch) * counts[chosen]).astype(int)], chance
        step += 1


def random_crops(images: np.ndarray, width: int, chance: np.random.Generator) -> np.ndarray:
    """uint8 (B, BANDS, FRAMES) -> (B, BANDS, width), each from its own place."""
    starts = chance.integers(0, images.shape[2] - width + 1, len(images))
    return np.stack([image[:, start : start + width] for image, start in zip(images, starts, strict=True)])


def fit(
    model,
    batches: Callable[[int], Iterator[Batch]],
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[], float] | None = None,
    every: int = 500,
    minutes: float | None = None,
    known_by: Mapping[str, Any] | None = None,
) -> bool:
    """Train to `recipe.steps`, going on from the checkpoint in `folder` where there is one; `DatasetError` where that
    was begun with another recipe, or with another value in `known_by`: what else decides the result, as JSON has it.

    `batches(step)` yields (inputs, targets) from that batch on. Every `every` steps a checkpoint is written and a line
    goes to `log.csv`. Returns False when `minutes` ran out first; call again to go on. What `save_run` wrote is removed
    with the next checkpoint.
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    known_by = dict(known_by or {})
    step = _resume(model, folder, recipe, known_by)
    margin = (model.loss[0] if isinstance(model.loss, list) else model.loss).margin
    began, losses, hits = time.monotonic(), [], []
    with tqdm(total=recipe.steps, initial=step, unit="batch", mininterval=5) as bar:
        for inputs, targets in batches(step):
            if step >= recipe.steps:
                break
            model.optimizer.learning_rate.assign(recipe.rate_at(step))
            margin.assign(recipe.margin_at(step))
            told = model.train_on_batch(inputs, targets, return_dict=True)
            model.reset_metrics()
            losses.append(float(told["loss"]))
            hits.append(next(float(value) for name, value in told.items() if name.endswith("accuracy")))
            step += 1
            bar.update()
            if step % TRIM_EVERY == 0:
                _give_back_memory()
            late = minutes is not None and time.monotonic() - began > 60 * minutes
            if step % every == 0 or step == recipe.steps or late:
                _checkpoint(model, folder, recipe, step, known_by)
                score = validate() if validate else float("nan")
                _log(folder, step, np.mean(losses), np.mean(hits), score, time.monotonic() - began)
                bar.set_postfix(loss=f"{np.mean(losses):.2f}", accuracy=f"{np.mean(hits):.1%}", eer=f"{score:.2%}")
                losses, hits = [], []
            if late:
                return step >= recipe.steps
    return True


def _give_back_memory() -> None:
    """glibc keeps what is freed between batches: without this a run on the PyTorch backend grows by 10 MB a batch."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _checkpoint(model, folder: Path, recipe: Recipe, step: int, known_by: dict[str, Any]) -> None:
    """Weights and optimizer state in one file, replaced whole; what is left of a run that was finished before goes."""
    variables = [*model.variables, *model.optimizer.variables]
    partial = folder / "checkpoint.partial.npz"
    np.savez(
        partial,
        step=step,
        recipe=json.dumps(asdict(recipe) | known_by),
        **{f"v{index}": np.asarray(_array(variable)) for index, variable in enumerate(variables)},
    )
    for name in FINISHED:
        (folder / name).unlink(missing_ok=True)
    partial.replace(folder / "checkpoint.npz")


def _array(variable) -> np.ndarray:
    from keras import ops

    return ops.convert_to_numpy(variable)


def _resume(model, folder: Path, recipe: Recipe, known_by: dict[str, Any]) -> int:
    """The step to go on from: 0 without a checkpoint. `DatasetError` when the checkpoint is of another network."""
    path = folder / "checkpoint.npz"
    model.optimizer.build(model.trainable_variables)
    if not path.is_file():
        return 0
    step, begun = restore(path, [*model.variables, *model.optimizer.variables]), begun_with(folder)
    if step > recipe.steps:
        raise DatasetError(
            f"{folder} has had {step} steps, {recipe.steps} are asked for: ask for as many or more, or give another "
            "--output"
        )
    for name, value in (asdict(recipe) | known_by).items():
        if name not in ("steps", "warm_up") and begun.get(name, value) != value:
            raise DatasetError(
                f"{folder} was begun with {name.replace('_', ' ')} {begun[name]}, now it is {value}: say the same to "
                "go on, or give another --output"
            )
    return step


def begun_with(folder: Path) -> dict[str, Any]:
    """The recipe and what else the run in `folder` was begun with (`known_by` of `fit`); empty without a checkpoint."""
    path = folder / "checkpoint.npz"
    if not path.is_file():
        return {}
    restore(path, [])  # says what is damaged
    with np.load(path, allow_pickle=False) as file:
        return json.loads(str(file["recipe"]))


def restore(path: Path, variables: list) -> int:
    """Put a checkpoint's arrays into `variables` (in order, a prefix is enough); returns its step.

    `DatasetError` when there is no checkpoint, or one of another network.
    """
    with ExitStack() as open_files:
        try:
            handle = open_files.enter_context(Path(path).open("rb"))
            file = open_files.enter_context(np.load(handle, allow_pickle=False))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{path} is no checkpoint of a training run: {error}") from error
        for index, variable in enumerate(variables):
            name = f"v{index}"
            if name not in file or tuple(file[name].shape) != tuple(variable.shape):
                raise DatasetError(f"{path} was made by another network or dataset: move it away to begin anew")
            variable.assign(file[name])
        return int(file["step"])


def targets(examples: Examples, chosen: np.ndarray) -> Targets:
    """What the chosen examples should give: labels and, where there is a teacher, what it hears."""
    labels = examples.speakers[chosen].astype(np.int32)
    return labels if examples.teacher is None else (labels, examples.teacher[chosen].astype(np.float32))


def average(paths: Sequence[Path], variables: list) -> None:
    """Put the mean of several runs' checkpoints into `variables` (as `restore` puts one): runs that began with one
    another's weights are often better in the middle (Wortsman et al. 2022, "Model soups", arXiv:2203.05482)."""
    found = []
    for path in paths:
        restore(path, variables)
        found.append([_array(variable) for variable in variables])
    for variable, values in zip(variables, zip(*found, strict=True), strict=True):
        variable.assign(np.mean(values, axis=0))


def teacher_kernel(path: Path, body) -> np.ndarray:
    """(D, T): what a run with a teacher multiplies its embedding by to tell the teacher's, from its checkpoint."""
    with np.load(path, allow_pickle=False) as file:
        kernel = file[f"v{len(body.variables) + 1}"]  # after the body's and the training speakers' directions
    if kernel.ndim != 2 or kernel.shape[0] != body.output_shape[-1]:
        raise DatasetError(f"{path} is no checkpoint of a run with a teacher")
    return kernel


def save_run(folder: Path, body, recipe: Recipe, examples: Examples, **more: str) -> None:
    """The body's weights and everything that is needed to make them again; of a finished run only."""
    import keras

    body.save_weights(folder / "body.weights.h5")
    facts = {
        **asdict(recipe),
        **more,
        **({"taught_by": examples.taught_by} if examples.taught_by else {}),
        "backend": keras.backend.backend(),
        "examples": len(examples.values),
        "parameters": int(body.count_params()),
        "speakers": list(examples.names),
        "command": " ".join(sys.argv),
    }
    (folder / "recipe.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def recipe_of(run: Path) -> dict[str, Any]:
    """What `save_run` wrote; `DatasetError` for a run that is not finished."""
    try:
        return json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{run} is no finished run, train it to its end: {error}") from error


def _log(folder: Path, step: int, loss: float, hit: float, score: float, seconds: float) -> None:
    path = folder / "log.csv"
    new = not path.is_file()
    with path.open("a", encoding="utf-8") as file:
        if new:
            file.write("step,loss,accuracy,validation_eer,seconds\n")
        file.write(f"{step},{loss:.4f},{hit:.4f},{score:.4f},{seconds:.0f}\n")


def validation_eer(embeddings: np.ndarray, speakers: np.ndarray, sessions: np.ndarray) -> float:
    """Equal error rate over `validation_pairs`."""
    return equal_error_rate(*validation_pairs(embeddings, speakers, sessions))[0]


def validation_pairs(
    embeddings: np.ndarray, speakers: np.ndarray, sessions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all pairs of segments, of one voice and of two; pairs within one recording are left out where the
    speaker has several. Of more than `VALIDATED` segments that many, evenly spread, for pairs grow with the square."""
    scores, usable, speakers = _scored(embeddings, speakers, sessions)
    same = speakers[:, None] == speakers[None]
    return scores[usable & same], scores[usable & ~same]


def pairs_of(
    embeddings: np.ndarray, speakers: np.ndarray, sessions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same pairs with whom they are of: cosines and both speakers, (n,) each."""
    scores, usable, speakers = _scored(embeddings, speakers, sessions)
    first, second = np.nonzero(usable)
    return scores[usable], speakers[first], speakers[second]


def _scored(
    embeddings: np.ndarray, speakers: np.ndarray, sessions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosines (n, n), which of them count, and the speakers of the segments that were taken."""
    if len(embeddings) > VALIDATED:
        some = np.linspace(0, len(embeddings) - 1, VALIDATED).astype(int)
        embeddings, speakers, sessions = embeddings[some], speakers[some], sessions[some]
    several = np.array([len(set(sessions[speakers == speaker])) > 1 for speaker in range(speakers.max() + 1)])
    same = speakers[:, None] == speakers[None]
    within = same & (sessions[:, None] == sessions[None]) & several[speakers][:, None]
    scores = embeddings @ embeddings.T
    return scores, np.triu(np.ones(scores.shape, bool), 1) & ~within, speakers
