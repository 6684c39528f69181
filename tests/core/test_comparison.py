"""The experiment over people enrolled: what is left out, what is never heard, and measures worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from core import curves
from core.calibration import NEUTRAL
from core.comparison import (
    METHODS,
    Comparison,
    compare,
    comparing,
    mean_cosine,
    segment_folds,
    session_folds,
    stranger_folds,
)
from core.embedder import Embeddings
from core.enrolled import Enrolled, Profile
from core.heads import UNKNOWN

DIMS = 16
CALIBRATED = replace(NEUTRAL, cnn_slope=4.0, ann_slope=4.0)


def directions(chance, count):
    """`count` orthogonal unit vectors."""
    return np.linalg.qr(chance.standard_normal((DIMS, DIMS)))[0][:count]


def cloud(chance, centre, count, spread=0.05):
    points = centre + chance.standard_normal((count, DIMS)) * spread
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def person(chance, name, cnn, ann, *, sessions=1, segments=6, spread=0.05):
    """Somebody with `segments` segments and the windows between them in each session."""
    starts = [*(5.0 * i for i in range(segments)), *(5.0 * i + 2.5 for i in range(segments - 1))]
    kinds = ("segment",) * segments + ("window",) * (segments - 1)
    count = len(starts) * sessions
    return Enrolled(
        profile=Profile(1, name, "", "", "m", sessions, segments * sessions),
        cnn=cloud(chance, cnn, count, spread),
        ann=cloud(chance, ann, count, spread),
        kinds=kinds * sessions,
        sessions=np.repeat(np.arange(sessions) + 1, len(starts)),
        starts=np.tile(starts, sessions),
        sources=("test",) * count,
    )


@pytest.fixture
def three(chance):
    """Three people who are well apart, and a cohort that is none of them."""
    axes = directions(chance, 8)
    people = [person(chance, name, axes[i], axes[i]) for i, name in enumerate("ABC")]
    strangers = np.concatenate([cloud(chance, axis, 20) for axis in axes[3:]])
    return people, Embeddings(strangers, strangers)


def test_a_segment_left_out_takes_the_windows_over_it_along(three):
    people, _ = three
    folds = segment_folds(people)
    assert len(folds) == 6 and sum(len(fold.test) for fold in folds) == 18
    for fold in folds:
        for (index, row), rows in zip(fold.test, fold.train, strict=True):
            assert people[index].kinds[row] == "segment"
            assert np.abs(people[index].starts[list(rows)] - people[index].starts[row]).min() >= 5.0
    assert len(folds[0].train[0]) == 9 and len(folds[1].train[0]) == 8  # the first has one window over it, others two


def test_a_session_left_out_is_gone_whole_and_single_sessions_stay(chance):
    axes = directions(chance, 2)
    people = [person(chance, "A", axes[0], axes[0], sessions=2), person(chance, "B", axes[1], axes[1])]
    folds = session_folds(people)
    assert len(folds) == 2
    for number, fold in enumerate(folds, start=1):
        assert {index for index, _ in fold.test} == {0} and len(fold.test) == 6
        assert {int(people[0].sessions[row]) for _, row in fold.test} == {number}
        assert {int(people[0].sessions[row]) for row in fold.train[0]} == {3 - number}
        assert len(fold.train[1]) == 11
    assert session_folds(people[1:]) == []


@pytest.mark.parametrize("count", [2, 3, 7, 12])
def test_everybody_is_a_stranger_once(chance, count):
    axes = directions(chance, count)
    people = [person(chance, str(i), axes[i], axes[i], segments=2) for i in range(count)]
    folds = stranger_folds(people)
    assert len(folds) == min(5, count)
    assert sorted(index for fold in folds for index, _ in fold.test) == sorted([*range(count)] * 2)
    assert all(not fold.train[index] for fold in folds for index, _ in fold.test)
    assert all(any(fold.train) for fold in folds)


def test_people_who_are_apart_are_told_apart_by_all_four(three):
    done = compare(*three, CALIBRATED)
    assert done.names == ("A", "B", "C") and len(done.held) == 18
    for method in METHODS:
        result = done.result(method)
        assert (result.hits, result.trials, result.closed) == (18, 18, 1.0)
        assert result.retrieval.average == 1.0 and result.trade.equal == 0.0
        assert np.array_equal(result.confusion, np.eye(3, 4, dtype=int) * 6)
    assert done.result("both").refused == 1.0 and done.result("cosine").refused is None
    assert done.result("both").reliability.error < 0.2 and done.result("cosine").reliability is None
    assert done.disagreements() == []


def test_a_model_that_hears_two_people_as_one_shows_it(chance):
    """The CNN cannot tell A from B; the ANN can: they disagree there and only there."""
    axes = directions(chance, 8)
    people = [
        person(chance, "A", axes[0], axes[0]),
        person(chance, "B", axes[0], axes[1]),
        person(chance, "C", axes[2], axes[2]),
    ]
    strangers = np.concatenate([cloud(chance, axis, 20) for axis in axes[3:]])
    done = compare(people, Embeddings(strangers, strangers), CALIBRATED)
    assert done.result("ann").accuracy == 1.0 and done.result("cnn").accuracy < 0.9
    apart = done.disagreements()
    assert apart and {done.held[t].person for t in apart} <= {0, 1}
    assert np.array_equal(done.by_person("ann"), [1.0, 1.0, 1.0])
    assert done.by_person("cnn")[2] == 1.0 and done.better("cnn", "ann") >= 0.5  # of three people two went wrong
    assert all(done.decisions[t]["cnn"].name != done.decisions[t]["ann"].name for t in apart)
    surest = [min(done.decisions[t][model].probability for model in ("cnn", "ann")) for t in apart]
    assert surest == sorted(surest, reverse=True)


def test_progress_is_told_and_other_sound_can_stand_in(three):
    """`heard` replaces what was enrolled; what it does not have is not tested."""
    people, cohort = three
    swapped = {(0, row): Embeddings(people[1].cnn[row : row + 1], people[1].ann[row : row + 1]) for row in range(6)}
    steps, told = comparing(people, cohort, CALIBRATED, heard=lambda index, row: swapped.get((index, row))), []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            done = end.value
            break
    assert told == sorted(told) and told[0] == 0.0 and told[-1] < 1.0
    assert len(done.held) == 6 and set(done.truth) == {0} and done.result("both").hits == 0
    assert done.result("both").confusion[0, 1] == 6


def test_the_measures_by_hand():
    """Two people, three segments: A right, B called A, B unknown."""
    odds = np.array([[2.0, -2.0], [1.0, -1.0], [-1.0, -0.5]])
    held = compare_nothing().held
    assert held == ()
    from core.comparison import Held

    done = Comparison(
        "segment",
        ("A", "B"),
        (Held(0, 1, 0.0, ""), Held(1, 2, 0.0, ""), Held(1, 2, 5.0, "")),
        (),
        {"both": odds},
        {"both": ()},
    )
    result = done.result("both")
    assert (result.hits, result.trials, result.unknown) == (1, 3, 1)
    assert result.closed == pytest.approx(2 / 3)  # forced to name somebody, the third goes to B
    assert np.array_equal(result.confusion, [[1, 0, 0], [1, 0, 1]])
    assert result.interval == curves.wilson(1, 3)
    # true pairs score 2, -1, -0.5; untrue ones -2, 1, -1
    assert result.retrieval.average == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3 + 1 / 3 * 3 / 5)
    assert result.refused is None


def compare_nothing() -> Comparison:
    return compare([], Embeddings(np.zeros((0, DIMS), np.float32), np.zeros((0, DIMS), np.float32)), CALIBRATED)


def test_the_baseline_is_the_mean_of_both_cosines(chance):
    axes = directions(chance, 3)
    enrolled = [Embeddings(axes[:1], axes[1:2]), Embeddings(axes[1:2], axes[1:2])]
    assert np.allclose(mean_cosine(enrolled, Embeddings(axes[:1], axes[1:2])), [[1.0, 0.5]])


def test_the_example_voices_through_the_shipped_networks(recognizer_of_two):
    people = recognizer_of_two.store.embeddings(recognizer_of_two.model_id)
    from core.heads import Calibration

    done = compare(people, recognizer_of_two.embedder.cohort, Calibration(**recognizer_of_two.embedder.calibration))
    assert done.result("both").accuracy == 1.0 and done.result("cnn").trials == len(done.held) >= 12
    assert {one.name for one in done.strange["both"]} <= {"Amina", "Kofi", UNKNOWN}


@pytest.fixture(scope="module")
def recognizer_of_two(voice, tmp_path_factory):
    from core.recognizer import Recognizer

    made = Recognizer(tmp_path_factory.mktemp("two"))
    for name in ("Amina", "Kofi"):
        made.enrol(name, voice(f"{name.lower()}_enrol"), consent=True, sure=True)
    return made
