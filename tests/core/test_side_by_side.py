"""Several at a time, in order, bounded; what goes wrong comes in its turn."""

import threading
import time

import pytest

from core.side_by_side import side_by_side


def test_results_come_in_order_whatever_takes_longer():
    def work(number: int) -> int:
        time.sleep(0.02 * (number % 3 == 0))
        return number * number

    assert list(side_by_side(work, range(20), workers=3)) == [number * number for number in range(20)]
    assert list(side_by_side(work, [], workers=3)) == []


def test_several_are_worked_on_at_the_same_time():
    both = threading.Barrier(2, timeout=30)  # passed only by two at once
    assert list(side_by_side(lambda _: both.wait() >= 0, range(6), workers=2)) == [True] * 6


def test_no_more_is_taken_than_agreed():
    taken, done = [], []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    for number in side_by_side(lambda number: number, items(), workers=2):
        done.append(number)
        assert len(taken) - len(done) <= 3
    assert done == list(range(50))


@pytest.mark.parametrize("where", ["items", "work"])
def test_an_error_comes_after_the_results_before_it(where):
    def items():
        yield from range(5)
        if where == "items":
            raise KeyError("five")
        yield 5

    def work(number: int) -> int:
        if number == 5:
            raise KeyError("five")
        time.sleep(0.01)
        return number

    seen = []
    with pytest.raises(KeyError, match="five"):
        for number in side_by_side(work, items(), workers=3):
            seen.append(number)
    assert seen == [0, 1, 2, 3, 4]


def test_dropped_halfway_nothing_goes_on():
    done = []
    results = side_by_side(lambda number: done.append(number), range(1000), workers=2)
    next(results)
    results.close()
    count = len(done)
    time.sleep(0.05)
    assert len(done) == count <= 4
    assert not [one for one in threading.enumerate() if one.name.startswith("side-by-side")]
