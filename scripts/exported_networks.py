"""The network half of scripts/export_model.py: trained runs, or files exported before, as cnn.onnx and ann.onnx."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.compensation import both_views, compensate, narrowing
from core.errors import DatasetError
from core.examples import load_images
from core.training import average, recipe_of, teacher_kernel

NARROWED_BY = 4000  # training images
TOLERANCE = 2e-3  # largest difference allowed between Keras and ONNX, whose dense layers have 16 bits


@dataclass(frozen=True)
class Part:
    """A network to be joined: the mean of `runs`, or the one at `place` of an exported file; its recipe; how much its
    embedding counts."""

    runs: list[Path]
    place: int
    recipe: dict
    weight: float = 1.0


def export_networks(
    args: argparse.Namespace,
    recipes: dict[str, dict],
    images: np.ndarray,
    rows: np.ndarray,
    matrices: dict[str, np.ndarray] | None = None,
) -> None:
    """Write cnn.onnx and ann.onnx, with `core.compensation.both_views` where asked for, and with `matrices`
    compensated by them (`core.exchange.fold`), each compared with Keras on real segments, which adds to `recipes`."""
    images = images.astype(np.float32) / np.float32(255.0)
    for name, runs, inputs in (("cnn", args.cnn, images), ("ann", args.ann, rows)):
        path, matrix = args.output / f"{name}.onnx", matrices[name] if matrices else None
        if name == "cnn" and args.beside:
            export_joined(args, recipes[name], images, path, matrix)
        elif name in kept(args):
            write_one(runs, None, recipes[name], inputs, path)
        else:
            export_network(runs, recipes[name], inputs, path, both=name in args.both_views, matrix=matrix)


def export_network(
    runs: list[Path],
    recipe: dict,
    inputs: np.ndarray,
    path: Path,
    *,
    both: bool = False,
    matrix: np.ndarray | None = None,
) -> None:
    """One network, the mean of `runs`. One that learned from its teacher alone tells the teacher's view."""
    from core.exchange import coarsen, export, fold
    from core.networks import ARCHITECTURES

    options = {"hidden": tuple(recipe["hidden"])} if "hidden" in recipe else {}
    body = ARCHITECTURES[recipe["architecture"]](**options)
    for run in runs:
        recipe_of(run)  # says what is not finished
    average([run / "checkpoint.npz" for run in runs], body.variables)
    if len(runs) > 1:
        recipe["mean_of"] = [str(run) for run in runs]
    coarsen(body)
    wanted = np.asarray(body(inputs))
    folded = []
    if both or not recipe.get("labels", 1.0):
        recipe["both_views"] = both
        folded = [both_views(teacher_kernel(runs[-1] / "checkpoint.npz", body), float(both))]
    for one in folded + ([] if matrix is None else [matrix]):
        fold(body, one)
        wanted = compensate(wanted, one)
    export(body, path)
    gap = float(np.abs(answers(path, inputs) - wanted).max())
    if gap > TOLERANCE:
        raise DatasetError(f"{path} differs from Keras by {gap:.2g}, allowed is {TOLERANCE:g}")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, differs from Keras by {gap:.1e}")
    recipe["difference"] = gap


def export_joined(
    args: argparse.Namespace, recipe: dict, images: np.ndarray, path: Path, matrix: np.ndarray | None
) -> None:
    """The CNN and what is `--beside` it as one, brought back to the length of an embedding by what training voices
    have most of (`core.compensation.narrowing`)."""
    from core.exchange import join
    from core.networks import EMBEDDING

    seen = args.parts / "narrowing.npy"
    paths = [args.parts / f"{place}.onnx" for place in range(len(args.joined))]
    if not seen.is_file():
        for one, part in zip(paths, args.joined, strict=True):
            write_one(part.runs, part.place, part.recipe, images, one)
        known = load_images(args.dataset, "train").values
        some = known[np.random.default_rng(args.seed).permutation(len(known))[:NARROWED_BY]]
        inputs = some.astype(np.float32) / np.float32(255.0)
        weights = [part.weight for part in args.joined]
        heard = [weight * answers(one, inputs) for one, weight in zip(paths, weights, strict=True)]
        together = np.concatenate(heard, axis=1)
        narrow = narrowing(together, EMBEDDING)
        recipe["weights"] = weights
        recipe["power_kept"] = float(np.sum((together @ narrow) ** 2) / np.sum(together**2))
        print(f"{recipe['power_kept']:.2%} of the embeddings' power is in {EMBEDDING} directions")
        np.save(seen, narrow * np.repeat(weights, EMBEDDING)[:, None])
    narrow = np.load(seen, allow_pickle=False)
    join(paths, narrow if matrix is None else narrow @ matrix, path)


def write_one(runs: list[Path], place: int | None, recipe: dict, inputs: np.ndarray, path: Path) -> None:
    """The mean of `runs`, or what was exported before: the network at `place` of a file, or all of it."""
    from core.exchange import take_part

    if runs[0].suffix != ".onnx":
        export_network(runs, recipe, inputs, path)
    elif place is None:
        path.write_bytes(runs[0].read_bytes())
    else:
        take_part(runs[0], place, path)


def only_runs(runs: list[Path]) -> None:
    """`DatasetError` where a mean of weights is asked for of what has none: exported networks."""
    if exported := [run for run in runs if run.suffix == ".onnx"]:
        raise DatasetError(f"{exported[0]} is an exported network, which no mean can be made of: give it alone")


def answers(path: Path, inputs: np.ndarray) -> np.ndarray:
    """What an exported network says, 64 inputs at a time."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: inputs[at : at + 64]})[0] for at in range(0, len(inputs), 64)])


def kept(args: argparse.Namespace) -> set[str]:
    """Models that were given as exported files: compensated already, and copied. `DatasetError` for a mean of those."""
    given = {name: runs for name, runs in (("cnn", args.cnn), ("ann", args.ann)) if runs[0].suffix == ".onnx"}
    if args.beside:
        given.pop("cnn", None)  # compensated anew, with what stands beside it
    for name, runs in given.items():
        if len(runs) > 1 or name in args.both_views:
            raise DatasetError(f"--{name} {runs[0]} is an exported network, to be kept as it is: give it alone")
    return set(given)
