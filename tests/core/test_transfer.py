"""The original's transfer experiment: who takes part, the RBF head, and outcomes on the example voices."""

import shutil

import numpy as np
import pytest

from core.embedder import MODELS, Embedder
from core.evaluation import draw
from core.protocol import find_people
from core.transfer import HEADS, TESTS, newcomers, outcomes, rbf_scores


@pytest.fixture(scope="module")
def people(tmp_path_factory, samples):
    """Amina, Kofi and Mei with two recordings each; Jo with one only."""
    root = tmp_path_factory.mktemp("transfer")
    for name in ("amina", "kofi", "mei", "jo"):
        for session, part in (("1", "enrol"), ("2", "test")):
            if (name, session) != ("jo", "2"):
                (root / name / session).mkdir(parents=True)
                shutil.copy(samples / f"{name}_{part}.opus", root / name / session)
    return find_people(root)


def test_newcomers_bring_enough_and_no_sound_twice(people):
    trouble: list[str] = []
    found = list(newcomers(people, trouble, segments=2))
    assert [one.name for one in found] == ["amina", "kofi", "mei"]
    assert len(trouble) == 1 and "jo is left out: 4 segments in the first recording and 0 in others" in trouble[0]
    for one in found:
        assert one.train.shape == (2, 80_000) and set(one.tests) == set(TESTS)
        clips = np.concatenate([one.train, *one.tests.values()])
        assert len(np.unique(clips[:, :100], axis=0)) == 6


def test_both_heads_know_the_example_voices(people):
    embedder = Embedder()
    found = list(newcomers(people, [], segments=2))
    networks = {model: (lambda clips, model=model: embedder.embed(list(clips)).of(model)) for model in MODELS}
    done = list(outcomes(found, networks, embedder, draw(3, people=2)))
    assert [(one.network, one.head, one.test) for one in done] == [
        *((model, HEADS[0], test) for model in MODELS for test in TESTS),
        *((answer, HEADS[1], test) for test in TESTS for answer in (*MODELS, "both")),
    ]
    assert all(one.cell.tests == 6 and 0.5 < one.cell.accuracy <= 1.0 for one in done)
    assert done[-1].network == "both" and done[-1].cell.accuracy == 1.0 and done[-1].retrieval.average > 0.99


@pytest.mark.parametrize("count", [2, 3])
def test_the_rbf_head_scores_every_person(chance, count):
    centres = np.eye(8)[:count] * 4
    train = np.repeat(centres, 6, axis=0) + chance.standard_normal((6 * count, 8)) * 0.3
    owner = np.repeat(np.arange(count), 6)
    scores = rbf_scores(train, owner, centres)
    assert scores.shape == (count, count) and list(scores.argmax(axis=1)) == list(range(count))
