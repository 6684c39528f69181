"""Which head makes the best decision of an embedding? Compared on voices that no network was trained on.

    python scripts/export_model.py ... --voices voices.npz      # keeps the held-out voices' embeddings
    python scripts/compare_heads.py voices.npz

Every head sees the same draws of five (`core.calibration.draws`: one simulated room enrols, tests come from that and
from another room, strangers from the same corpus). Verification EER and open-set EER need one threshold for all
people; the interval is a bootstrap over draws.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.calibration import Draw, draws
from core.embedder import MODELS, PRETRAINED, Embedder
from core.errors import SpeakerError
from core.evaluation import equal_error_rate, mean_embedding
from core.heads import fit_svms
from core.held_out import load_voices
from core.nearness import NEAREST, measure_nearness

Scorer = Callable[[list[np.ndarray], np.ndarray, np.ndarray], np.ndarray]  # people, cohort, tests -> (tests, people)


def cosine(people: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    return tests @ np.stack([mean_embedding(one) for one in people]).T


def as_norm(people: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    """Adaptive symmetric normalisation (Matejka et al. 2017, "Analysis of score normalization")."""
    means = np.stack([mean_embedding(one) for one in people])
    of_tests, of_means = (np.sort(one @ cohort.T, axis=1)[:, -NEAREST:] for one in (tests, means))
    scores = tests @ means.T
    by_test = (scores - of_tests.mean(axis=1, keepdims=True)) / of_tests.std(axis=1, keepdims=True)
    by_person = (scores - of_means.mean(axis=1)) / of_means.std(axis=1)
    return (by_test + by_person) / 2


def svm_enrolled_only(people: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    return fit_svms(people, cohort[:0]).scores(tests)


def svm_cohort(people: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    return fit_svms(people, cohort).scores(tests)


def svm_and_lead(people: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    """The SVM with cohort, and how much nearer a test is to the person than to the nearest of the cohort."""
    return svm_cohort(people, cohort, tests) + 4.0 * measure_nearness(people, cohort).lead(tests)


def two_covariance(within: np.ndarray, between: np.ndarray) -> Scorer:
    """PLDA as two covariances (Brummer & de Villiers 2010, "The speaker partitioning problem"): log-likelihood ratio of
    one voice against two, for the mean of the enrolment and one test."""
    total = between + within
    size = len(within)
    pair = np.block([[total, between], [between, total]])
    inverse, alone = np.linalg.inv(pair), np.linalg.inv(total)
    own, cross = alone - inverse[:size, :size], -inverse[:size, size:]

    def score(people: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
        centre = cohort.mean(axis=0)
        means, tests = np.stack([mean_embedding(one) for one in people]) - centre, tests - centre
        quadratic = 0.5 * (
            np.einsum("nd,de,ne->n", tests, own, tests)[:, None] + np.einsum("nd,de,ne->n", means, own, means)
        )
        return quadratic + tests @ cross @ means.T

    return score


def covariances(voices: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Within and between voices (D, D), from one (n_i, D) array for each; some of the identity keeps them regular."""
    means = np.stack([one.mean(axis=0) for one in voices])
    within = np.mean([np.cov(one.T, bias=True) for one in voices if len(one) > 2], axis=0)
    between = np.cov(means.T)
    small = 1e-4 * np.eye(len(within))
    return within + small, between + small


def measured(score: Scorer, drawn: list[Draw], model: str, cohort: np.ndarray) -> np.ndarray:
    """(draws, 3): accuracy, verification EER, open-set EER of each draw."""
    rows = []
    for one in drawn:
        scores = score([person.of(model) for person in one.people], cohort, one.tests.of(model))
        mine = one.truth >= 0
        hit = scores[mine].argmax(axis=1) == one.truth[mine]
        own = one.truth[:, None] == np.arange(scores.shape[1])
        best = scores.max(axis=1)
        rows.append(
            (
                hit.mean(),
                equal_error_rate(scores[own], scores[~own])[0],
                equal_error_rate(best[mine], best[~mine])[0],
            )
        )
    return np.array(rows)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", type=Path, help="made by export_model.py --voices")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, metavar="DIR", help="its cohort is used")
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the table, for the model card")
    parser.add_argument("--seed", type=int, default=1, help="other draws than the calibration's (default 1)")
    return parser


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    voices, cohort = load_voices(args.voices), Embedder(args.pretrained).cohort
    drawn = list(draws(voices, count=args.draws, seed=args.seed))
    chance = np.random.default_rng(0)
    made: dict[str, dict[str, list]] = {model: {} for model in MODELS}
    for model in MODELS:
        heads: dict[str, Scorer] = {
            "cosine to the mean": cosine,
            f"AS-norm, {NEAREST} nearest of the cohort": as_norm,
            "linear SVM, people enrolled only": svm_enrolled_only,
            "linear SVM with cohort": svm_cohort,
            "linear SVM with cohort, and the lead over the nearest": svm_and_lead,
        }
        # half of the held-out voices give the covariances: in the draws they may be met again, which flatters PLDA
        heads["two-covariance PLDA (fitted on these voices)"] = two_covariance(
            *covariances([np.concatenate([room.of(model) for room in voice.enrol]) for voice in voices[::2]])
        )
        for name, score in heads.items():
            values = measured(score, drawn, model, cohort.of(model))
            again = values[chance.integers(len(values), size=(1000, len(values)))].mean(axis=1)
            low, high = np.percentile(again, [2.5, 97.5], axis=0)
            made[model][name] = [[float(v) for v in cell] for cell in zip(values.mean(axis=0), low, high, strict=True)]
            cells = "  ".join(f"{100 * value:5.1f} ({100 * a:.1f}-{100 * b:.1f})" for value, a, b in made[model][name])
            print(f"{model.upper()}  {name:55}  {cells}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"compare_heads: {error}", file=sys.stderr)
        sys.exit(2)
