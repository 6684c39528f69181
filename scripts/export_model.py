"""Trained runs -> pretrained/: ONNX files, cohort, calibration, model.json with hashes and recipe.

    python scripts/export_model.py --cnn runs/cnn --ann runs/ann --dataset dataset --recordings DIR... --noise DIR
    python scripts/export_model.py --cnn runs/more --ann pretrained/ann.onnx ...      # a new CNN beside the ANN that is
    python scripts/export_model.py --cnn runs/cnn --beside runs/second --ann ...      # two networks in one cnn.onnx

`--recordings` are the folders the dataset was made of: the speakers in its validation split (made with
`--split speaker`) are heard by no network, so they tell how a voice varies from room to room (which is folded into the
networks' last layers), and the calibration is fitted on them: each half with what the other half told.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # its ONNX export is the one that works without PyTorch

import numpy as np

from core.calibration import NEUTRAL, Trials, calibrate, expected_calibration_error, joined, simulate
from core.dataset.manifest import read_rows
from core.dataset.noise import noise_segments
from core.dataset.recordings import audio_files, check_sound, find_speakers
from core.embedder import PRETRAINED, Embedder, Embeddings
from core.errors import DatasetError, SpeakerError
from core.examples import load_features, load_images
from core.heads import probabilities
from core.held_out import compensated, compensations, crossed, held_out_voices, save_voices
from core.packages import need
from core.spectral import COLUMNS
from core.training import recipe_of
from scripts.exported_networks import Part, export_networks, kept, only_runs

DRAWS = 60  # simulated enrolments of five, for each half of the held-out voices


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for model in ("cnn", "ann"):
        parser.add_argument(
            f"--{model}",
            type=Path,
            required=True,
            nargs="+",
            metavar="RUN",
            help="several: the mean of their weights; an exported .onnx: kept as it is",
        )
    parser.add_argument(
        "--both-views",
        nargs="+",
        default=[],
        choices=("cnn", "ann"),
        metavar="MODEL",
        help="let what this network tells of its teacher's view count as much as its own embedding",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        action="append",
        default=[],
        metavar="RUN",
        help="a further network of images, its embedding joined with the CNN's; several runs: the mean of their "
        "weights. Again for one more network. Of a cnn.onnx that holds several, --cnn takes the first and this the "
        "others",
    )
    parser.add_argument(
        "--weight", type=float, nargs="+", metavar="W", help="of each further network's embedding (default 1)"
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, nargs="+", required=True, metavar="DIR", help="DIR/<speaker>/...")
    parser.add_argument("--noise", type=Path, metavar="DIR", help="noise and music: nobody, and trouble for the tests")
    parser.add_argument("--cohort", type=int, default=700, help="training voices in the cohort (default 700)")
    parser.add_argument("--output", type=Path, default=PRETRAINED)
    parser.add_argument("--voices", type=Path, metavar="NPZ", help="keep the held-out voices (for compare_heads.py)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def read_recipe(run: Path) -> dict:
    """What `core.training.save_run` wrote, the number of voices in place of their names, and as `first` the recipe of
    the run (or the exported file) it began with, where there was one. `DatasetError` where nothing tells it."""
    if run.suffix == ".onnx":  # exported weights, to be kept, or from which training went on: model.json lies beside
        path = run.with_name("model.json")
        try:
            return json.loads(path.read_text(encoding="utf-8"))["recipe"][run.stem]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DatasetError(
                f"how {run} was trained should stand in {path}, and does not ({type(error).__name__}): give the file "
                "in the folder where it was exported, called as it was there"
            ) from error
    recipe = recipe_of(run)
    classes = recipe.pop("speakers")
    recipe["voices"] = sum("@" not in name for name in classes)
    if len(classes) > recipe["voices"]:
        recipe["voices_with_other_speeds"] = len(classes)
    if recipe.get("start") in (None, "", "campplus"):  # with nothing, or with 3D-Speaker's weights
        return recipe
    first = read_recipe(Path(recipe["start"]))
    parts = [part for part in first.get("parts", []) if part["architecture"] == recipe.get("architecture")]
    return recipe | {"first": parts[0] if parts else first}


def to_join(args: argparse.Namespace, first: dict) -> list[Part]:
    """The CNN, whose recipe is `first`, and what is `--beside` it."""
    found = [Part(args.cnn, 0, first.get("parts", [first])[0])]
    for runs in args.beside:
        recipe = read_recipe(runs[-1])
        if len(runs) > 1:
            only_runs(runs)
            recipe["mean_with"] = [read_recipe(run) for run in runs[:-1]]
        others = list(enumerate(recipe["parts"]))[1:] if "parts" in recipe else [(0, recipe)]
        found += [Part(runs, place, part) for place, part in others]
    weights = args.weight or [1.0] * (len(found) - 1)
    if len(weights) != len(found) - 1:
        raise SpeakerError(f"--weight {' '.join(map(str, weights))}: {len(found) - 1} networks are beside the CNN")
    return [replace(part, weight=weight) for part, weight in zip(found, [1.0, *weights], strict=True)]


def cohort_of(args: argparse.Namespace, embedder: Embedder) -> Embeddings:
    """One segment each of `--cohort` training voices, the corpora taking turns, and of the noises."""
    chance = np.random.default_rng(args.seed)
    images, features = load_images(args.dataset, "train"), load_features(args.dataset, "train")
    corpora: dict[str, list[int]] = {}
    for speaker in chance.permutation(len(images.names)):
        corpora.setdefault(images.names[speaker].split("-")[0], []).append(speaker)
    turns = [one for turn in zip_longest(*corpora.values()) for one in turn if one is not None]
    chosen = [chance.choice(np.flatnonzero(images.speakers == speaker)) for speaker in turns[: args.cohort]]
    parts = [Embeddings(embedder.embed_images(images.values[chosen]), embedder.embed_rows(features.values[chosen]))]
    if args.noise:
        files = audio_files(args.noise)[::5]
        parts.append(embedder.embed([piece for path in files for piece in noise_segments(path)[:1]]))
    return Embeddings(*(np.concatenate([part.of(name) for part in parts]) for name in ("cnn", "ann")))


def _save_cohort(args: argparse.Namespace, cohort: Embeddings) -> None:
    np.savez_compressed(args.output / "cohort.npz", cnn=cohort.cnn.astype("f2"), ann=cohort.ann.astype("f2"))


def write_description(args: argparse.Namespace, recipes: dict, calibration: dict, report: dict) -> str:
    """model.json; the id is made of the networks' hashes, and is returned."""
    from core.networks import EMBEDDING

    files = {
        name: {"name": file, "sha256": hashlib.sha256((args.output / file).read_bytes()).hexdigest()}
        for name, file in (("cnn", "cnn.onnx"), ("ann", "ann.onnx"), ("cohort", "cohort.npz"))
        if (args.output / file).is_file()
    }
    model_id = hashlib.sha256((files["cnn"]["sha256"] + files["ann"]["sha256"]).encode()).hexdigest()[:12]
    description = {
        "id": model_id,
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "embedding": EMBEDDING,
        "columns": len(COLUMNS),
        "files": files,
        "calibration": calibration,
        "calibration_report": report,
        "recipe": recipes,
    }
    partial = args.output / "model.partial"
    partial.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    partial.replace(args.output / "model.json")
    return model_id


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        raise SpeakerError(f"KERAS_BACKEND={os.environ['KERAS_BACKEND']} cannot export: unset it, TensorFlow is needed")
    check_sound("--noise", args.noise)
    need("keras", "onnx", "tensorflow", "tf2onnx")
    target, scratch = args.output, Path(tempfile.mkdtemp(prefix="export-"))
    args.output, args.parts = scratch / "made", scratch / "parts"
    try:
        for folder in (args.output, args.parts):
            folder.mkdir()
        made = exported(args)
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(args.output.iterdir(), key=lambda one: one.suffix == ".json"):  # the description last
            shutil.move(path, target / path.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(made, indent=1))
    return 0


def held_out_names(dataset: Path) -> list[str]:
    """The speakers whom the dataset keeps from training; `DatasetError` where it trains on them too."""
    sides = {side: {row.speaker for row in read_rows(dataset) if row.split == side} for side in ("train", "validation")}
    if both := sides["train"] & sides["validation"]:
        raise DatasetError(
            f"{len(both)} speakers of {dataset} are in training and validation: a calibration wants voices that no "
            "network was trained on; make it with --split speaker"
        )
    return sorted(sides["validation"])


def exported(args: argparse.Namespace) -> dict:
    """Everything into `args.output`; what is worth telling."""
    from tqdm import tqdm

    from core.networks import EMBEDDING

    names = held_out_names(args.dataset)
    check = load_images(args.dataset, "validation").values[:8], load_features(args.dataset, "validation").values[:8]
    recipes = {"cnn": read_recipe(args.cnn[-1]), "ann": read_recipe(args.ann[-1])}
    if args.beside:
        args.joined = to_join(args, recipes["cnn"])
        recipes["cnn"] = {"architecture": "joined", "parts": [part.recipe for part in args.joined]}
    export_networks(args, recipes, *check)
    _save_cohort(args, Embeddings(*(np.zeros((1, EMBEDDING), "f2"),) * 2))
    write_description(args, recipes, asdict(NEUTRAL), {})
    embedder = Embedder(args.output)
    cohort = cohort_of(args, embedder)
    voices = held_out_voices(
        find_speakers(args.recordings),
        names,
        args.output,
        noise=args.noise,
        workers=os.cpu_count() or 1,
        progress=lambda made: tqdm(made, "held-out voices", len(names)),
    )
    if args.voices:
        save_voices(args.voices, voices, cohort)
    halves = [simulate(*half, count=DRAWS, seed=args.seed) for half in crossed(voices, cohort, kept(args))]
    calibration = calibrate(joined(halves))
    matrices = compensations(voices, kept(args))
    export_networks(args, recipes, *check, matrices)
    _save_cohort(args, compensated(cohort, matrices))
    report = tested(halves) | {"tested_on": "other half, kept" if kept(args) else "other half"}
    model_id = write_description(args, recipes, asdict(calibration), report)
    return {"id": model_id, "calibration": asdict(calibration), "report": report}


def tested(halves: list[Trials]) -> dict:
    """How often a calibration is right: on each half of the voices, fitted on the other."""
    answers: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for half, other in zip(halves, reversed(halves), strict=True):
        for answer, log_odds in calibrate(other).log_odds(half.scores, half.leads).items():
            chances = probabilities(log_odds)
            truth = np.where(half.truth < 0, chances.shape[1] - 1, half.truth)
            row = half.truth < 0, chances.argmax(axis=1) == truth, chances.max(axis=1)
            answers.setdefault(answer, []).append(row)
    report: dict = {"tests": sum(len(half.truth) for half in halves)}
    for answer, parts in answers.items():
        stranger, correct, confidence = (np.concatenate(column) for column in zip(*parts, strict=True))
        report[answer] = {
            "people_right": round(float(correct[~stranger].mean()), 4),
            "strangers_right": round(float(correct[stranger].mean()), 4),
            "expected_calibration_error": round(expected_calibration_error(confidence, correct), 4),
        }
    return report


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"export_model: {error}", file=sys.stderr)
        sys.exit(2)
