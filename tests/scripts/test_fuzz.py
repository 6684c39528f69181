"""A short budget of fuzzing, the same cases each time, and the fuzzer itself: it finds what is wrong."""

import random

import pytest

from scripts import fuzz, fuzz_targets
from scripts.fuzz_targets import TARGETS

CASES = {"decode": 250, "links": 1500, "names": 1500, "times": 1500, "people": 300, "store": 12, "segments": 6}


def test_every_target_has_its_cases():
    assert set(CASES) == set(TARGETS) and sum(share for _, share in TARGETS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("target", CASES)
def test_broken_input_is_refused_or_right(target):
    wrong = {number: said for number in range(CASES[target]) if (said := fuzz.run_case(target, 1, number))}
    assert wrong == {}


def test_the_unbroken_corpus_is_decoded():
    for content in fuzz_targets.corpus():
        assert fuzz_targets.decode(content).duration == pytest.approx(0.5, abs=0.15)


def test_a_case_is_the_same_again():
    first, again = (fuzz_targets.mutated(random.Random("decode 1 7"), fuzz_targets.corpus()) for _ in range(2))
    assert first == again != fuzz_targets.mutated(random.Random("decode 1 8"), fuzz_targets.corpus())


def test_what_is_wrong_is_found_and_a_death_is_pinned_to_its_case(monkeypatch, capsys, tmp_path):
    def faulty(chance: random.Random) -> None:
        if chance.random() < 0.02:
            raise KeyError("lost")

    monkeypatch.setitem(TARGETS, "names", (faulty, 0.2))
    wrong = {number for number in range(300) if fuzz.run_case("names", 0, number)}
    assert 0 < len(wrong) < 30
    assert fuzz.run_case("names", 0, min(wrong)) == "KeyError: 'lost'"
