"""demo.turns: so many at a time, in order, told how many come first; who stops waiting gives the place up."""

import threading
import time

import pytest

from core.errors import Cancelled
from demo.turns import Turns


def wait_for(true, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Visitor:
    """Takes a turn in a thread of its own and keeps it until `go` is set."""

    def __init__(self, turns: Turns, order: list[str], name: str):
        self.go, self.stop, self.told = threading.Event(), threading.Event(), []
        self.cancelled = False

        def visit() -> None:
            try:
                with turns.turn(tell=self.told.append, stopped=self.stop.is_set):
                    order.append(name)
                    self.go.wait(20)
            except Cancelled:
                self.cancelled = True

        self.thread = threading.Thread(target=visit, daemon=True)
        self.thread.start()
        wait_for(lambda: self.told)


def test_in_order_and_told_how_many_come_first():
    turns, order = Turns(2), []
    one, two, three, four = (Visitor(turns, order, name) for name in "abcd")
    assert order == ["a", "b"] or order == ["b", "a"]
    assert (one.told, two.told, three.told, four.told) == ([0], [0], [1], [2])
    two.go.set()
    wait_for(lambda: "c" in order)
    wait_for(lambda: four.told == [2, 1])
    assert three.told == [1, 0] and "d" not in order
    for visitor in (one, three, four):
        visitor.go.set()
        visitor.thread.join(20)
    assert order[2:] == ["c", "d"] and four.told == [2, 1, 0]


def test_who_stops_waiting_gives_the_place_up():
    turns, order = Turns(1), []
    first, second, third = (Visitor(turns, order, name) for name in "abc")
    second.stop.set()
    second.thread.join(20)
    assert second.cancelled
    first.go.set()
    wait_for(lambda: order == ["a", "c"])
    third.go.set()
    third.thread.join(20)
    with turns.turn(stopped=lambda: False):
        pass  # nobody is left before


def test_a_turn_that_fails_is_over():
    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    told = []
    with turns.turn(tell=told.append):
        assert told == [0]
