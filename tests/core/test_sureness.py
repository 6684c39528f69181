"""How sure to be before somebody is named: recommended from what was measured and corrected."""

import numpy as np
import pytest

from core.corrections import Correction
from core.self_check import Trial
from core.sureness import ENOUGH_CORRECTIONS, STEPS, recommend

PERSON = [Trial("Jo", 1, 0.0, "Jo", chance, chance) for chance in (0.99, 0.97, 0.92)]
STRANGER = [Trial("", 0, 0.0, "Jo", chance, 0.0) for chance in (0.1, 0.3, 0.62, 0.71)]


def corrected(probability: float, *, right: bool) -> Correction:
    return Correction("2026", "m", "Jo", probability, True, "Jo" if right else None)


def test_the_threshold_lies_between_strangers_and_people():
    found = recommend(PERSON + STRANGER)
    assert found.threshold == 0.75 and (found.best.missed, found.best.misnamed) == (0.0, 0.0)
    assert found.measured == 7 and [one.threshold for one in found.rates] == list(STEPS)
    assert found.rates[0].misnamed == 0.5  # at 0.5 half of the strangers would be named


def test_corrections_count_when_there_are_enough():
    few = [corrected(0.85, right=False)] * (ENOUGH_CORRECTIONS - 1)
    assert recommend(PERSON + STRANGER, few) == recommend(PERSON + STRANGER)
    found = recommend(PERSON + STRANGER, [*few, corrected(0.95, right=True)])
    assert found.threshold == 0.9 and found.corrections == ENOUGH_CORRECTIONS


def test_a_voice_given_another_name_is_missed_and_no_stranger():
    confused = [Trial("Mei", 1, 0.0, "Jo", 0.97, 0.02)] * 3
    found = recommend([*PERSON, *confused, *STRANGER])
    assert found.rates[0].missed == 0.5 and found.rates[0].misnamed == 0.5  # of strangers two of four, as before
    other = [Correction("2026", "m", "Jo", 0.97, True, "Mei")] * ENOUGH_CORRECTIONS
    assert recommend(PERSON + STRANGER, other).rates[0].missed == pytest.approx(0.5)


def test_what_corrections_say_nothing_of_is_left_to_the_measurement():
    praise = [corrected(0.99, right=True)] * ENOUGH_CORRECTIONS  # nothing about strangers
    assert recommend(PERSON + STRANGER, praise).rates[0].misnamed == 0.5
    strange = [corrected(0.99, right=False)] * ENOUGH_CORRECTIONS  # nothing about people
    assert recommend(PERSON[:2] + STRANGER, strange).rates[-1].missed == 0.0
    assert np.isnan(recommend(PERSON).rates[0].misnamed)


def test_nothing_measured_nothing_recommended():
    assert recommend([]) is None
    assert recommend(PERSON).threshold == STEPS[0]
