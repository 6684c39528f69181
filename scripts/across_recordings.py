"""How well networks tell voices apart from one recording to another: what to choose between runs by.

    python scripts/across_recordings.py dataset runs/a runs/b pretrained/cnn.onnx
    python scripts/across_recordings.py dataset runs/a --beside runs/second --weights 0.5 1 2
    python scripts/across_recordings.py dataset runs/ann pretrained/ann.onnx

Most voices of a large corpus were recorded once, and a network that has learned recordings looks well on them. This
looks at voices of the dataset with several recordings only, at pairs of 5 s segments, and at none from one recording.
Where they are training voices the figures are too good to be quoted: they compare runs of one dataset. A network comes
as a finished run or an exported file; `--beside` joins others to each, at the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # as in export_model.py

import numpy as np

from core.augment import Chances, SpectrogramAugmenter
from core.errors import DatasetError, SpeakerError
from core.examples import Examples, load_noise, load_several_recordings
from core.training import validation_eer
from scripts.exported_networks import answers, write_one

RESAMPLES = 200  # of the voices, for the interval


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("networks", type=Path, nargs="+", metavar="RUN", help="runs, exported cnn.onnx or ann.onnx")
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="further networks, joined with each (of a cnn.onnx that holds several the last; of RUN the first)",
    )
    parser.add_argument(
        "--weights", type=float, nargs="+", default=[1.0], metavar="W", help="of those beside, all alike (default 1)"
    )
    parser.add_argument(
        "--augment", action="store_true", help="networks of images see segments through noise, rooms and filters"
    )
    return parser


def augmented(images: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """As in training, nothing masked: the same every time."""
    augmenter, chance = SpectrogramAugmenter(noise, Chances(masks=0.0)), np.random.default_rng(0)
    return np.concatenate([augmenter(images[at : at + 64], chance) for at in range(0, len(images), 64)])


def recipe_of(run: Path) -> dict:
    """A run's recipe; of an exported file what it is called."""
    if run.suffix == ".onnx":
        return {"architecture": run.stem}
    try:
        return json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{run} is neither a finished run nor an .onnx file: {error}") from error


def called(run: Path, place: str) -> str:
    """A run, or which network of an exported file it is."""
    return f"{run} ({place})" if run.suffix == ".onnx" else str(run)


def unit(rows: np.ndarray) -> np.ndarray:
    """Embeddings (n, D) less their mean, at length 1."""
    rows = rows - rows.mean(axis=0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def judged(embeddings: np.ndarray, examples: Examples) -> tuple[float, float, float]:
    """Equal error rate of pairs across recordings, with the 95 % interval of voices drawn again with replacement."""
    voices = [np.flatnonzero(examples.speakers == voice) for voice in range(len(examples.names))]
    chance, found = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        drawn = chance.integers(0, len(voices), len(voices))
        some = np.concatenate([voices[voice] for voice in drawn])
        if len(set(drawn)) > 1:
            found.append(validation_eer(embeddings[some], examples.speakers[some], examples.sessions[some]))
    low, high = np.percentile(found, [2.5, 97.5])
    return validation_eer(embeddings, examples.speakers, examples.sessions), float(low), float(high)


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    seen = cache(partial(load_several_recordings, args.dataset))
    examples = seen()
    print(
        f"{len(examples.names)} voices with several recordings, {len(set(examples.sessions))} recordings, "
        f"{len(examples.values)} segments",
        flush=True,
    )

    images = augmented(examples.values, load_noise(args.dataset)) if args.augment else examples.values
    images = images.astype(np.float32) / np.float32(255.0)

    def heard(run: Path, place: int | None) -> np.ndarray:
        recipe = recipe_of(run)
        of_rows = recipe["architecture"] == "ann"
        if of_rows and args.augment:
            raise SpeakerError(f"{run} sees feature rows, and --augment is for images: leave one of them out")
        inputs = seen(features=True).values if of_rows else images
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            write_one([run], place, recipe, inputs[:8], path)
            return unit(answers(path, inputs))

    def tell(name: str, embeddings: np.ndarray) -> None:
        eer, low, high = judged(embeddings, examples)
        print(f"{name}: EER {eer:.1%} ({low:.1%} to {high:.1%})", flush=True)

    others = {called(run, "last"): heard(run, -1) for run in args.beside}
    for name, embeddings in others.items():
        tell(f"{name} alone", embeddings)
    for run in args.networks:
        own, first = called(run, "first") if others else str(run), heard(run, 0 if others else None)
        tell(f"{own} alone" if others else own, first)
        for weight in args.weights if others else ():
            name = " + ".join([own, *(f"{weight:g} x {other}" for other in others)])
            tell(name, unit(np.concatenate([first, *(weight * one for one in others.values())], axis=1)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"across_recordings: {error}", file=sys.stderr)
        sys.exit(2)
