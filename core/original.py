"""The original experiment's two networks as its notebooks have them: their inputs, their training, their embeddings.

Pictures: `plt.specgram(NFFT=2048, noverlap=128)` in matplotlib's colours, 64 x 64 RGB; CNN trained by RMSprop at 1e-4.
Rows: the 26 classic columns, means over the segment; ANN trained by Adam in 10 epochs. Both with a softmax over the
training speakers and a random 70/30 split of segments of the same recordings. Not imported by the app.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE
from core.errors import DatasetError
from core.spectral import CLASSIC, feature_row

NFFT, OVERLAP = 2048, 128  # samples
SIDE = 64  # pixels
VALIDATION = 0.3  # of the segments
NETWORKS = ("original_cnn", "original_ann")


@dataclass(frozen=True)
class Schooling:
    """How one network was trained and what it reached on the 30 % it had not seen, which are of the same recordings."""

    network: str
    speakers: int
    segments: int
    epochs: int
    seconds: float
    parameters: int
    validation_accuracy: float


def picture(samples: np.ndarray) -> np.ndarray:
    """float32 (n,) at 16 kHz -> uint8 (64, 64, 3), low frequencies at the bottom."""
    from matplotlib import colormaps
    from PIL import Image

    step = NFFT - OVERLAP
    frames = np.lib.stride_tricks.sliding_window_view(samples, NFFT)[::step] * np.hanning(NFFT)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 / (SAMPLE_RATE * np.sum(np.hanning(NFFT) ** 2))
    level = 10.0 * np.log10(np.maximum(power, 1e-20)).T[::-1]
    scaled = (level - level.min()) / max(float(np.ptp(level)), 1e-9)
    image = Image.fromarray((colormaps["viridis"](scaled)[..., :3] * 255).astype(np.uint8))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def inputs(network: str, samples: Sequence[np.ndarray]) -> np.ndarray:
    """Prepared segments -> what a network of `NETWORKS` takes: float32 (n, 64, 64, 3) in [0, 1], or (n, 26)."""
    if network == "original_cnn":
        return np.stack([picture(one) for one in samples]).astype(np.float32) / np.float32(255.0)
    return np.stack([feature_row(one)[: len(CLASSIC)] for one in samples])


def train(
    network: str, values: np.ndarray, speakers: np.ndarray, *, epochs: int, seed: int = 0
) -> tuple[object, Schooling]:
    """`values`: see `inputs`. `speakers`: int (n,). Returns the body (input -> embedding) and how it went."""
    import keras

    from core.networks import ARCHITECTURES, with_softmax_head

    keras.utils.set_random_seed(seed)
    body = ARCHITECTURES[network]()
    order = np.random.default_rng(seed).permutation(len(values))
    held, kept = order[: round(VALIDATION * len(order))], order[round(VALIDATION * len(order)) :]
    if network == "original_ann":
        body.get_layer("standardise").adapt(values[kept])
    people = int(speakers.max()) + 1
    model = with_softmax_head(body, people)
    optimizer = keras.optimizers.RMSprop(1e-4) if network == "original_cnn" else keras.optimizers.Adam()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    began = time.monotonic()
    model.fit(values[kept], speakers[kept], batch_size=32, epochs=epochs, verbose=0)
    seconds = time.monotonic() - began
    _, right = model.evaluate(values[held], speakers[held], verbose=0)
    done = Schooling(network, people, len(values), epochs, seconds, int(body.count_params()), float(right))
    return body, done


def save(folder: Path, body, done: Schooling) -> None:
    """Weights and how they came about, below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    body.save_weights(folder / f"{done.network}.weights.h5")
    (folder / f"{done.network}.json").write_text(json.dumps(asdict(done), indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> dict[str, tuple[Callable[[Sequence[np.ndarray]], np.ndarray], Schooling]]:
    """Networks saved in `folder`: name -> (prepared segments -> embeddings (n, D), how they came about).

    Raises `DatasetError` where there are none.
    """
    from core.networks import ARCHITECTURES

    found = {}
    for network in NETWORKS:
        path = Path(folder) / f"{network}.json"
        if not path.is_file():
            raise DatasetError(f"{path} is missing: make it with scripts/train_original.py, or choose its folder")
        body = ARCHITECTURES[network]()
        body.load_weights(Path(folder) / f"{network}.weights.h5")
        found[network] = (_embedder(network, body), Schooling(**json.loads(path.read_text(encoding="utf-8"))))
    return found


def _embedder(network: str, body) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    def embed(samples: Sequence[np.ndarray]) -> np.ndarray:
        return np.asarray(body.predict_on_batch(inputs(network, samples)))

    return embed
