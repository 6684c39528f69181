"""Fit the acoustic classes of the feature row (core/acoustic_classes.npz) on many voices.

    python scripts/fit_classes.py --from-folder DIR...

A Gaussian mixture with diagonal covariances over the cepstra of a few segments of every speaker, each segment's mean
subtracted (`core.spectral.class_statistics`). New classes are a new feature row: the ANN has to be trained again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.acoustic_classes import CLASS_FILE, CLASSES
from core.dataset.build import find_speakers, plan
from core.dataset.variants import clips
from core.errors import SpeakerError
from core.spectral import active_cepstra


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-folder", nargs="+", type=Path, required=True, metavar="DIR", help="DIR/<speaker>/...")
    parser.add_argument("--validation", type=float, default=0.03, help="speakers held out (default 0.03, as training)")
    parser.add_argument("--segments", type=int, default=2, help="of each speaker (default 2)")
    parser.add_argument("--speakers", type=int, default=800, help="drawn at random (default 800)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: list[str] | None = None) -> int:
    from sklearn.mixture import GaussianMixture

    args = arguments().parse_args(argv)
    tasks = plan(find_speakers(args.from_folder), split="speaker", validation=args.validation, seed=args.seed)
    chance = np.random.default_rng(args.seed)
    frames: list[np.ndarray] = []
    for index in chance.permutation(len(tasks))[: args.speakers]:
        for number, samples in enumerate(clips(tasks[index], 1.0)):
            if number == args.segments:
                break
            cepstra = active_cepstra(samples)
            frames.append((cepstra - cepstra.mean(axis=0))[:, 1:])
    everything = np.concatenate(frames)
    kept = chance.choice(everything, min(len(everything), 150_000), replace=False)
    mixture = GaussianMixture(CLASSES, covariance_type="diag", reg_covar=1.0, max_iter=60, random_state=args.seed)
    mixture.fit(kept)
    order = np.argsort(mixture.means_[:, 0])
    np.savez(
        CLASS_FILE,
        weights=mixture.weights_[order].astype(np.float32),
        means=mixture.means_[order].astype(np.float32),
        variances=mixture.covariances_[order].astype(np.float32),
    )
    print(f"{CLASSES} classes from {len(kept)} of {len(everything)} frames of {args.speakers} speakers in {CLASS_FILE}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"fit_classes: {error}", file=sys.stderr)
        sys.exit(2)
