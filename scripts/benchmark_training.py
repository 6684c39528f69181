"""How fast the CNN is trained, beside the machine's ceiling and how fast batches are made; for `scripts/benchmark.py`.

Images of noise: speed does not depend on what is in them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from core.augment import Chances, SpectrogramAugmenter
from core.examples import Examples
from core.spectrogram import BANDS, FRAMES
from core.training import Batch, Recipe, drawn, random_crops, targets
from scripts.train_cnn import Batches, batches

VOICES, SEGMENTS = 400, 6
STEPS, WARM = 12, 3  # batches that count, and before them


def made_up(voices: int = VOICES) -> tuple[Examples, np.ndarray]:
    """Images of noise of so many voices, and noise images to mix in."""
    chance = np.random.default_rng(0)
    count = voices * SEGMENTS
    images = chance.integers(0, 256, (count, BANDS, FRAMES), np.uint8)
    speakers = np.repeat(np.arange(voices), SEGMENTS)
    return Examples(images, speakers, np.arange(count), tuple(f"voice {n}" for n in range(voices))), images[:100]


def rate(batch: int, work: Callable[[], object]) -> float:
    """Crops a second by the clock, of `STEPS` calls after `WARM`."""
    for _ in range(WARM):
        work()
    began = time.perf_counter()
    for _ in range(STEPS):
        work()
    return batch * STEPS / (time.perf_counter() - began)


def augmented(examples: Examples, noise: np.ndarray, recipe: Recipe) -> Iterator[Batch]:
    """What the process that makes batches does, in this one."""
    augmenter = SpectrogramAugmenter(noise, Chances())
    for chosen, chance in drawn(examples.speakers, recipe.batch, seed=0, step=0):
        yield (
            augmenter(random_crops(examples.values[chosen], recipe.crop, chance), chance),
            targets(examples, chosen),
        )


def products_ceiling(repeats: int = 7) -> float:
    """Operations a second in a large product of float32 matrices, all cores."""
    square = np.random.default_rng(0).standard_normal((1024, 1024), dtype=np.float32)
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        _ = square @ square
        taken.append(time.perf_counter() - began)
    return 2 * 1024**3 / min(taken)


def measure_training(recipe: Recipe | None = None, **small) -> dict:
    """Crops a second: of making batches alone, of the network's steps alone, of training as train_cnn.py does it; and
    the operations of that (three times the forward pass) as a share of the machine's ceiling. `small` goes to
    `core.networks.cnn`."""
    import keras

    from core.networks import cnn, margin_compiled, with_margin_head
    from core.operations import operations

    recipe = recipe or Recipe(steps=STEPS)
    examples, noise = made_up()
    body = cnn(**small)
    model = margin_compiled(with_margin_head(body, len(examples.names)), keras.optimizers.AdamW(1e-3))
    ready = augmented(examples, noise, recipe)
    images, wanted = next(ready)
    fixed = images.astype(np.float32) / np.float32(255.0)
    steps = rate(recipe.batch, lambda: model.train_on_batch(fixed, wanted))
    made = rate(recipe.batch, lambda: next(ready))
    with closing(batches(Batches(examples, noise, recipe), 0)) as stream:
        whole = rate(recipe.batch, lambda: model.train_on_batch(*next(stream)))
    work = 3 * operations(body, (BANDS, recipe.crop))
    ceiling = products_ceiling()
    return {
        "cores, by backend": {keras.backend.backend(): os.cpu_count()},
        "batches alone, crops/s": made,
        "steps alone, crops/s": steps,
        "training, crops/s": whole,
        "training, share of its steps alone": whole / steps,
        "ceiling of products, GFLOP/s": ceiling / 1e9,
        "steps alone, share of the ceiling": steps * work / ceiling,
    }
