"""Which head makes the best decision of an embedding? Compared on voices that no network was trained on.

    python scripts/export_model.py ... --voices voices.npz      # keeps the held-out voices' embeddings
    python scripts/compare_heads.py voices.npz

Every head sees the same draws of five (`core.calibration.draws`: one simulated room enrols, tests come from that and
from one drawn, strangers from the same corpus). Voices are drawn from one half of those held out; compensation and
PLDA have learned from the other half, in other rooms (`core.held_out.crossed`). Verification EER (each test against
each of the five enrolled together) and open-set EER have one threshold for all draws; the interval is a bootstrap over
speakers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.calibration import Draw, draws
from core.compensation import within_class_covariance
from core.embedder import MODELS, PRETRAINED, Embedder, Embeddings
from core.errors import SpeakerError
from core.evaluation import equal_error_rate, mean_embedding
from core.heads import Calibration, fit_svms
from core.held_out import compensated, compensations, crossed, load_voices
from core.nearness import NEAREST, measure_nearness

RESAMPLES = 200  # of the bootstrap
# people, cohort (m, D), tests (n, D) -> scores (n, people); of each person embeddings as heard, and with the windows
Scorer = Callable[[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray], np.ndarray]
WITHOUT = {  # what is measured without compensation too, and its name then
    "cosine to the mean": "cosine to the mean, no compensation",
    "linear SVM with cohort, and the lead": "SVM and the lead, no compensation",
}


def cosine(heard: list[np.ndarray], all_of: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    return tests @ np.stack([mean_embedding(one) for one in heard]).T


def as_norm(heard: list[np.ndarray], all_of: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    """Adaptive symmetric normalisation (Matejka et al. 2017, "Analysis of score normalization")."""
    means = np.stack([mean_embedding(one) for one in heard])
    of_tests, of_means = (np.sort(one @ cohort.T, axis=1)[:, -NEAREST:] for one in (tests, means))
    scores = tests @ means.T
    by_test = (scores - of_tests.mean(axis=1, keepdims=True)) / of_tests.std(axis=1, keepdims=True)
    by_person = (scores - of_means.mean(axis=1)) / of_means.std(axis=1)
    return (by_test + by_person) / 2


def svm_enrolled_only(
    heard: list[np.ndarray], all_of: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray
) -> np.ndarray:
    return fit_svms(heard, cohort[:0]).scores(tests)


def svm_cohort(heard: list[np.ndarray], all_of: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
    return fit_svms(all_of, cohort).scores(tests)


def svm_and_lead(weight: float) -> Scorer:
    """What ships: how much nearer a test is to the person than to the nearest of the cohort has a weight."""

    def score(heard: list[np.ndarray], all_of: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
        return svm_cohort(heard, all_of, cohort, tests) + weight * measure_nearness(heard, cohort).lead(tests)

    return score


def without_rooms(score: Scorer) -> Scorer:
    """The same, taught the segments only."""
    return lambda heard, all_of, cohort, tests: score(heard, heard, cohort, tests)


def two_covariance(within: np.ndarray, between: np.ndarray) -> Scorer:
    """PLDA as two covariances (Brummer & de Villiers 2010, "The speaker partitioning problem"): log-likelihood ratio of
    one voice against two, for the mean of the enrolment and one test."""
    total = between + within
    size = len(within)
    pair = np.block([[total, between], [between, total]])
    inverse, alone = np.linalg.inv(pair), np.linalg.inv(total)
    own, cross = alone - inverse[:size, :size], -inverse[:size, size:]

    def score(heard: list[np.ndarray], all_of: list[np.ndarray], cohort: np.ndarray, tests: np.ndarray) -> np.ndarray:
        centre = cohort.mean(axis=0)
        means, tests = np.stack([mean_embedding(one) for one in heard]) - centre, tests - centre
        quadratic = 0.5 * (
            np.einsum("nd,de,ne->n", tests, own, tests)[:, None] + np.einsum("nd,de,ne->n", means, own, means)
        )
        return quadratic + tests @ cross @ means.T

    return score


def covariances(voices: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Within and between voices (D, D), from one (n_i, D) array for each; some of the identity keeps them regular."""
    owners = np.repeat(np.arange(len(voices)), [len(one) for one in voices])
    within = within_class_covariance(np.concatenate(voices), owners)
    between = np.cov(np.stack([one.mean(axis=0) for one in voices]).T)
    small = 1e-4 * np.eye(len(within))
    return within + small, between + small


@dataclass(frozen=True, eq=False)
class HeadTrials:
    """All tests of all draws under one head: who speaks, `speakers` (n,); the score of that person, `own` (n,), nan for
    a stranger; those of the others enrolled, `others` (n, people), nan in the place of `own`."""

    speakers: np.ndarray
    own: np.ndarray
    others: np.ndarray

    def measures(self, rows: np.ndarray) -> tuple[float, float, float]:
        """Accuracy, verification EER, open-set EER of some tests (each as often as it is named in `rows`): one
        threshold for all draws."""
        own, others = self.own[rows], self.others[rows]
        mine, rivals = ~np.isnan(own), np.nanmax(others, axis=1)
        return (
            float(np.mean(own[mine] > rivals[mine])),
            equal_error_rate(own[mine], others[~np.isnan(others)])[0],
            equal_error_rate(np.maximum(own[mine], rivals[mine]), rivals[~mine])[0],
        )

    def summary(self, resamples: int = RESAMPLES) -> np.ndarray:
        """(3, 3): each measure with its 95 % interval, a bootstrap over speakers: draws share them."""
        names, number = np.unique(self.speakers, return_inverse=True)
        of = [np.flatnonzero(number == index) for index in range(len(names))]
        chance = np.random.default_rng(0)
        again = [
            self.measures(np.concatenate([of[index] for index in chance.integers(len(names), size=len(names))]))
            for _ in range(resamples)
        ]
        low, high = np.percentile(again, [2.5, 97.5], axis=0)
        return np.column_stack([self.measures(np.arange(len(self.own))), low, high])


def tried(score: Scorer, drawn: list[Draw], model: str, cohort: np.ndarray) -> HeadTrials:
    """What a head says to the tests of every draw."""
    speakers, own, others = [], [], []
    for one in drawn:
        heard, all_of = ([getattr(person, way)(model) for person in one.people] for way in ("heard_by", "of"))
        scores = score(heard, all_of, cohort, one.tests.of(model)).astype(float)
        rows = np.arange(len(scores))
        speakers.append(one.speakers)
        own.append(np.where(one.truth >= 0, scores[rows, one.truth], np.nan))
        others.append(np.where(one.truth[:, None] == np.arange(scores.shape[1]), np.nan, scores))
    return HeadTrials(np.concatenate(speakers), np.concatenate(own), np.concatenate(others))


def together(parts: list[HeadTrials]) -> HeadTrials:
    return HeadTrials(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("speakers", "own", "others"))
    )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", type=Path, help="made by export_model.py --voices")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, metavar="DIR", help="its cohort is used")
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the table, for the model card")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), help="where only one is new: the other's rows stay"
    )
    parser.add_argument(
        "--kept",
        nargs="+",
        choices=MODELS,
        default=[],
        help="exported before and kept, so that their compensation is in the voices: none is made again",
    )
    parser.add_argument("--seed", type=int, default=1, help="other draws than the calibration's (default 1)")
    return parser


@dataclass(frozen=True, eq=False)
class Half:
    """Draws from one half of the voices and the cohort, with compensation and without (`plain`); `others`: the other
    half in rooms of their own, with compensation."""

    drawn: list[Draw]
    cohort: Embeddings
    plain: list[Draw]
    plain_cohort: Embeddings
    others: list[Embeddings]


def halves(path: Path, *, count: int, seed: int, kept: Sequence[str] = ()) -> list[Half]:
    """Both halves of the voices kept in `path`, half of `count` draws from each. `kept`: as for `crossed`."""
    voices, cohort = load_voices(path)
    found = []
    for mine, near in crossed(voices, cohort, kept):
        names = {voice.name for voice in mine}
        others = [voice for voice in voices if voice.name not in names]
        matrices = compensations(others, kept)
        drawn, plain = (
            list(draws(some, count=count // 2, seed=seed))
            for some in (mine, [voice for voice in voices if voice.name in names])
        )
        found.append(Half(drawn, near, plain, cohort, [compensated(voice.own, matrices) for voice in others]))
    return found


def heads_of(model: str, half: Half, lead: float) -> dict[str, Scorer]:
    """By name all heads that are compared."""
    ships = svm_and_lead(lead)
    return {
        "cosine to the mean": cosine,
        f"AS-norm, {NEAREST} nearest of the cohort": as_norm,
        "linear SVM, people enrolled only": svm_enrolled_only,
        "linear SVM with cohort": svm_cohort,
        "two-covariance PLDA": two_covariance(*covariances([one.of(model) for one in half.others])),
        "linear SVM with cohort, and the lead": ships,
        "the same, no simulated rooms": without_rooms(ships),
    }


def table(model: str, parts: list[Half], lead: float, *, kept: bool = False) -> dict[str, HeadTrials]:
    """By head what it says in all draws; without compensation too, unless that is in the voices already (`kept`)."""
    rows: dict[str, list[HeadTrials]] = {}
    for half in parts:
        heads = heads_of(model, half, lead)
        for name, score in heads.items():
            rows.setdefault(name, []).append(tried(score, half.drawn, model, half.cohort.of(model)))
        for name, without in () if kept else WITHOUT.items():
            rows.setdefault(without, []).append(tried(heads[name], half.plain, model, half.plain_cohort.of(model)))
    return {name: together(trials) for name, trials in rows.items()}


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    calibration = Calibration(**Embedder(args.pretrained).calibration)
    parts = halves(args.voices, count=args.draws, seed=args.seed, kept=args.kept)
    made: dict = {"interval": "speakers"} | {model: {} for model in MODELS}
    if args.json and args.json.is_file():
        before = json.loads(args.json.read_text(encoding="utf-8"))
        made |= before if before.get("interval") == made["interval"] else {}  # else measured in another way
    for model in args.models:
        made[model] = {}
        rows = table(model, parts, getattr(calibration, f"{model}_lead"), kept=model in args.kept)
        for name, trials in rows.items():
            made[model][name] = trials.summary().tolist()
            cells = "  ".join(f"{100 * value:5.1f} ({100 * a:.1f}-{100 * b:.1f})" for value, a, b in made[model][name])
            print(f"{model.upper()}  {name:40}  {cells}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"compare_heads: {error}", file=sys.stderr)
        sys.exit(2)
