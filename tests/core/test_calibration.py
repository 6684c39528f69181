"""core.calibration: simulated enrolments, and probabilities that mean what they say."""

from dataclasses import replace

import numpy as np
import pytest

from core.calibration import (
    NEUTRAL,
    STRANGER_SHARE,
    Trials,
    Voice,
    calibrate,
    cross_entropy,
    expected_calibration_error,
    proves_better,
    simulate,
)
from core.embedder import MODELS, Embeddings
from core.heads import probabilities

SIZE = 24  # length of an embedding here


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def people(chance: np.random.Generator, count: int, *, cnn_noise: float = 0.5, ann_noise: float = 1.0) -> list[Voice]:
    """Voices as clouds around random directions, in two rooms: the CNN hears them more clearly than the ANN."""
    voices = []
    for _ in range(count):
        centre = {model: chance.standard_normal(SIZE) for model in MODELS}
        noise = {"cnn": cnn_noise, "ann": ann_noise}
        enrol, test = (
            tuple(
                Embeddings(*(unit(centre[m] + noise[m] * chance.standard_normal((rows, SIZE))) for m in MODELS))
                for _ in range(2)
            )
            for rows in (6, 4)
        )
        voices.append(Voice(enrol, test, f"room-{len(voices)}"))
    return voices


@pytest.fixture(scope="module")
def trials() -> Trials:
    chance = np.random.default_rng(5)
    cohort = Embeddings(*(unit(chance.standard_normal((150, SIZE))) for _ in MODELS))
    return simulate(people(chance, 14), cohort, count=12, people=5, seed=1)


def test_a_simulation_tests_everybody_in_every_draw(trials):
    assert trials.truth.shape == (2 * 12 * 14 * 4,)  # in the room of the enrolment, and in one drawn anew
    assert all(trials.scores[model].shape == (len(trials.truth), 5) for model in MODELS)
    assert np.bincount(trials.truth + 1).tolist() == [2 * 12 * 9 * 4, *[2 * 12 * 4] * 5]  # strangers first
    own = trials.scores["cnn"][trials.truth >= 0]
    assert (own.argmax(axis=1) == trials.truth[trials.truth >= 0]).mean() > 0.9


def test_a_simulation_is_the_same_again():
    def made() -> Trials:
        chance = np.random.default_rng(5)
        cohort = Embeddings(*(unit(chance.standard_normal((30, SIZE))) for _ in MODELS))
        return simulate(people(chance, 6), cohort, count=2, people=3, seed=4)

    one, two = made(), made()
    np.testing.assert_array_equal(one.truth, two.truth)
    np.testing.assert_array_equal(one.scores["ann"], two.scores["ann"])


def test_strangers_come_from_the_corpus_of_the_people_enrolled():
    """Seven voices of one corpus are enough for a draw of five within it, three of another are not."""
    chance = np.random.default_rng(6)
    cohort = Embeddings(*(unit(chance.standard_normal((30, SIZE))) for _ in MODELS))
    voices = people(chance, 10)
    mixed = [replace(voice, name="large-1" if index < 7 else "small-1") for index, voice in enumerate(voices)]
    made = simulate(mixed, cohort, count=2, people=5)
    assert len(made.truth) == 2 * (7 + 10) * 4


def trials_of(scores: np.ndarray, truth: np.ndarray, leads: np.ndarray | None = None) -> Trials:
    """The same scores from both models; without leads everybody is as near as the cohort."""
    leads = np.zeros_like(scores) if leads is None else leads
    return Trials({model: scores for model in MODELS}, {model: leads for model in MODELS}, truth, np.arange(len(truth)))


def test_the_lead_tells_a_stranger_in_the_room_from_a_person_enrolled():
    """Equal scores of the SVM: where the cohort comes as near as the person, it is rather a stranger."""
    chance = np.random.default_rng(8)
    scores = np.column_stack([chance.normal(0.3, 0.2, 600), chance.normal(-1.0, 0.1, (600, 2))])
    leads = np.column_stack([np.repeat([0.4, 0.0], 300) + chance.normal(0.0, 0.05, 600), np.zeros((600, 2))])
    made = calibrate(trials_of(scores, np.repeat([0, -1], 300), leads))
    assert made.cnn_lead > 0
    odds = made.log_odds({model: scores for model in MODELS}, {model: leads for model in MODELS})
    answer = probabilities(odds["cnn"]).argmax(axis=1)
    assert (answer[:300] == 0).mean() > 0.95 and (answer[300:] == 3).mean() > 0.95


def test_rivals_tell_a_stranger_in_the_room_from_a_person_enrolled():
    """Equal scores of the best person: where the others come close too, it is rather a stranger."""
    chance = np.random.default_rng(7)
    own, stranger = (np.full((300, 3), -1.0) + chance.normal(0.0, 0.1, (300, 3)) for _ in range(2))
    own[:, 0] = stranger[:, 0] = chance.normal(0.3, 0.2, 300)
    stranger[:, 1:] += 0.6
    scores = np.concatenate([own, stranger])
    made = calibrate(trials_of(scores, np.repeat([0, -1], 300)))
    assert made.cnn_rivals > 0
    chances = probabilities(made.log_odds({model: scores for model in MODELS})["cnn"])
    assert (chances[:300].argmax(axis=1) == 0).mean() > 0.95 and (chances[300:].argmax(axis=1) == 3).mean() > 0.95


def test_calibration_lowers_the_cross_entropy_and_the_gap(trials):
    made = calibrate(trials)
    before, after = NEUTRAL.log_odds(trials.scores, trials.leads), made.log_odds(trials.scores, trials.leads)
    for answer in ("cnn", "ann", "both"):
        assert cross_entropy(after[answer], trials.truth) < cross_entropy(before[answer], trials.truth) + 1e-6
    assert made.cnn_slope > 0 and made.ann_slope > 0 and made.cnn_weight >= 0 and made.ann_weight >= 0
    # two witnesses are no worse than the better one
    assert cross_entropy(after["both"], trials.truth) <= cross_entropy(after["cnn"], trials.truth) + 1e-3


def heard_by_two(helps: np.ndarray) -> Trials:
    """Thirty people, twenty tests each, half of them strangers; the CNN is often in doubt. The ANN tells the truth
    through noise of its own where it `helps` (30,), and else says nothing."""
    chance = np.random.default_rng(9)
    speakers = np.repeat(np.arange(30), 20)
    truth = np.where(speakers % 2, 0, -1)
    told = np.where(truth == 0, 1.0, -1.0)
    cnn, ann = (told + chance.normal(0.0, 1.0, 600) for _ in range(2))
    ann = np.where(helps[speakers], ann, chance.normal(0.0, 1.0, 600))
    none = {model: np.zeros((600, 1)) for model in MODELS}
    return Trials({"cnn": cnn[:, None], "ann": ann[:, None]}, none, truth, speakers)


def test_a_second_witness_that_helps_is_heard():
    trials = heard_by_two(np.ones(30, bool))
    made = calibrate(trials)
    odds = made.log_odds(trials.scores, trials.leads)
    assert made.ann_weight > 0.5
    assert cross_entropy(odds["both"], trials.truth) < 0.9 * cross_entropy(odds["cnn"], trials.truth)


@pytest.mark.parametrize("helps", [0, 2], ids=["nowhere", "with two people of thirty"])
def test_a_second_witness_that_is_not_proved_to_help_is_not_heard(helps):
    """Not even where the cross-entropy is less with it: forty tests of two people are two observations."""
    trials = heard_by_two(np.arange(30) < helps)
    made = calibrate(trials)
    odds = made.log_odds(trials.scores, trials.leads)
    np.testing.assert_array_equal(odds["both"], odds["cnn"])


def test_tests_of_one_person_prove_nothing():
    trials = heard_by_two(np.ones(30, bool))
    better, plain = trials.scores["cnn"] + trials.scores["ann"], trials.scores["cnn"]
    assert proves_better(better, plain, trials)
    assert not proves_better(better, plain, replace(trials, speakers=np.zeros(600, int)))
    assert not proves_better(plain, better, trials) and not proves_better(plain, plain, trials)


def test_calibrated_chances_mean_what_they_say(trials):
    """On new voices of the same kind, strangers as frequent as in the fit's weights: mean gap below 8 points."""
    made = calibrate(trials)
    chance = np.random.default_rng(99)
    cohort = Embeddings(*(unit(chance.standard_normal((150, SIZE))) for _ in MODELS))
    fresh = simulate(people(chance, 10), cohort, count=12, people=5, seed=2)  # half are strangers
    chances = probabilities(made.log_odds(fresh.scores, fresh.leads)["both"])
    truth = np.where(fresh.truth < 0, 5, fresh.truth)
    assert expected_calibration_error(chances.max(axis=1), chances.argmax(axis=1) == truth) < 0.08


def test_known_log_odds_are_found_again():
    """Scores drawn from the model the calibration assumes, with slope 2 and offset -1: both come back."""
    chance = np.random.default_rng(3)
    count = 20_000
    scores = chance.normal(0.0, 1.5, (count, 1))
    is_person = chance.random(count) < probabilities(2.0 * scores - 1.0)[:, 0]
    truth = np.where(is_person, 0, -1)
    # equal numbers of both, so that the fit's weight of strangers is their share
    few = min(is_person.sum(), (~is_person).sum())
    kept = np.concatenate([np.flatnonzero(is_person)[:few], np.flatnonzero(~is_person)[:few]])
    shift = np.log((~is_person).sum() / is_person.sum())  # what balancing adds to the offset
    shift -= np.log(STRANGER_SHARE / (1.0 - STRANGER_SHARE))  # and what that weight takes off
    made = calibrate(trials_of(scores[kept], truth[kept]))
    assert made.cnn_slope == pytest.approx(2.0, rel=0.1)
    assert made.cnn_offset == pytest.approx(-1.0 + shift, abs=0.15)
    assert made.ann_slope == pytest.approx(made.cnn_slope) and made.ann_offset == pytest.approx(made.cnn_offset)


def test_cross_entropy_by_hand():
    """One person at even odds, one stranger at 1:3 for the person."""
    odds = np.array([[0.0], [np.log(1 / 3)]])
    expected = STRANGER_SHARE * -np.log(0.75) + (1 - STRANGER_SHARE) * -np.log(0.5)
    assert cross_entropy(odds, np.array([0, -1])) == pytest.approx(expected)


def test_calibration_error_by_hand():
    assert expected_calibration_error(np.full(10, 0.8), np.arange(10) < 8) == pytest.approx(0.0)
    assert expected_calibration_error(np.full(10, 0.9), np.arange(10) < 4) == pytest.approx(0.5)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0
