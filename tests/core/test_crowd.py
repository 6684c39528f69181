"""Ten thousand people: found by the closed form as by SVMs, quickly, and not more often by strangers."""

import time

import numpy as np
import pytest

from core.crowd import fit_crowd
from core.embedder import MODELS, Embeddings
from core.heads import CROWD, UNKNOWN, Calibration, Heads, fit_many, fit_svms

SIZE = 64
NEUTRAL = Calibration(3.0, 0.0, 1.0, 3.0, 0.0, 1.0, 0.5, 0.5, 0.0)


def people(chance: np.random.Generator, count: int, each: int = 8) -> np.ndarray:
    """(count, each, SIZE): voices around places of their own, length 1."""
    places = chance.standard_normal((count, 1, SIZE))
    made = places + 0.45 * chance.standard_normal((count, each, SIZE))
    return (made / np.linalg.norm(made, axis=2, keepdims=True)).astype(np.float32)


def test_the_closed_form_solves_what_it_says(chance):
    """Against a plain weighted least-squares solution of one person's problem."""
    from core.crowd import RIDGE

    voices, cohort = people(chance, 20), people(chance, 100, 1)[:, 0]
    weights, offsets = fit_crowd(list(voices), cohort)
    rows = np.concatenate([*voices, cohort]).astype(np.float64)
    rows = np.column_stack([rows, np.ones(len(rows))])
    mine = np.zeros(len(rows), bool)
    mine[3 * 8 : 4 * 8] = True
    weight, target = np.where(mine, 0.5 / mine.sum(), 0.5 / (~mine).sum()), np.where(mine, 1.0, -1.0)
    ridge = np.diag([RIDGE] * SIZE + [1e-6])
    expected = np.linalg.solve(rows.T @ (rows * weight[:, None]) + ridge, rows.T @ (weight * target))
    np.testing.assert_allclose([*weights[3], offsets[3]], expected, atol=2e-3)


def test_people_with_more_sessions_are_solved_alike(chance):
    voices = people(chance, 60, 12)
    mixed = [one[: (4, 8, 12)[index % 3]] for index, one in enumerate(voices)]
    weights, offsets = fit_crowd(mixed, people(chance, 50, 1)[:, 0])
    scores = np.concatenate([one[-1:] for one in mixed]) @ weights.T + offsets
    assert (scores.argmax(axis=1) == np.arange(60)).all()


def test_the_scale_is_that_of_svms(chance):
    voices, cohort = people(chance, 80), people(chance, 200, 1)[:, 0]
    train, test = list(voices[:, :6]), voices[:, 6:].reshape(-1, SIZE)
    one, other = fit_svms(train, cohort).scores(test), fit_many(train, cohort).scores(test)
    own = np.arange(80)[None] == np.repeat(np.arange(80), 2)[:, None]
    assert one.argmax(axis=1).tolist() == other.argmax(axis=1).tolist()
    assert abs(one[own].mean() - other[own].mean()) < 0.4 and abs(one[~own].mean() - other[~own].mean()) < 0.4


def test_up_to_fifty_people_each_has_an_svm_of_their_own(chance):
    voices, cohort = people(chance, CROWD + 1), people(chance, 100, 1)[:, 0]
    for count in (CROWD, CROWD + 1):
        made = [Embeddings(one, one) for one in voices[:count]]
        heads = Heads([f"P{i}" for i in range(count)], made, Embeddings(cohort, cohort), NEUTRAL)
        exact = fit_svms(list(voices[:count]), cohort)
        assert np.array_equal(heads.machines["cnn"].weights, exact.weights) is (count <= CROWD)


@pytest.mark.slow
def test_ten_thousand_people(chance):
    """Processor time, which other work on the machine does not lengthen; on two cores the clock says about half."""
    voices, cohort = people(chance, 10_000), people(chance, 300, 1)[:, 0]
    made = [Embeddings(one[:6], one[:6]) for one in voices]
    names = [f"P{i}" for i in range(len(made))]
    fit_many([one.cnn for one in made[:60]], cohort)  # imports done
    began = time.process_time()
    heads = Heads(names, made, Embeddings(cohort, cohort), NEUTRAL)
    assert time.process_time() - began < 4.0
    some = Embeddings(*(voices[::1000, 7] for _ in MODELS))
    found, taken = [], []
    for i in range(10):
        began = time.process_time()
        found.append(heads.decide(Embeddings(some.cnn[i : i + 1], some.ann[i : i + 1]))[0]["both"].name)
        taken.append(time.process_time() - began)
    assert min(taken) < 0.03, taken  # 2 to 5 ms; threads that wait for each other count as work
    assert {name for i, name in enumerate(found) if name != f"P{1000 * i}"} <= {UNKNOWN}  # nobody is taken for another
    assert (heads.log_odds(some)["both"].argmax(axis=1) == 1000 * np.arange(10)).sum() >= 9


def test_a_crowd_of_one_segment_each_is_no_trouble():
    """An import may bring them."""
    rows = np.random.default_rng(0).standard_normal((CROWD + 1 + 40, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    people, cohort = [row[None] for row in rows[: CROWD + 1]], rows[CROWD + 1 :]
    assert (fit_many(people, cohort).scores(rows[: CROWD + 1]).argmax(axis=1) == np.arange(CROWD + 1)).all()
