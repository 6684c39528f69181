"""Does the microphone in use sound like the one somebody enrolled with? Level, bandwidth and noise compared.

A network trained to ignore the channel still recognises less through another one: a warning tells why a person is not
named, and that a second session through the other microphone helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from core.segments import Quality

SEGMENTS_NEEDED = 2  # segments with enough speech before anything is said
LEVEL_APART_DB = 25.0  # dB: another distance or gain; the networks are level-free, but quiet speech drowns
SNR_APART_DB = 15.0  # dB more noise than at enrolment
NOISY_SNR_DB = 15.0  # dB: below this, noise matters
NARROWER = 0.7  # of the bandwidth at enrolment
WIDER = 1.6  # times it


def differences(enrolled: Sequence[Quality], now: Sequence[Quality]) -> list[str]:
    """What differs strongly, each as one sentence with what to do; [] where nothing does or too little was heard.

    `enrolled`: the segments of a person. `now`: the latest segments of what is listened to; silent ones do not count.
    """
    then, here = ([one for one in some if one.enough] for some in (enrolled, now))
    if len(then) < 1 or len(here) < SEGMENTS_NEEDED:
        return []
    found = []
    before, after = _middle(then, "bandwidth"), _middle(here, "bandwidth")
    if before and after and after < NARROWER * before:
        found.append(
            f"nothing above {after / 1000:.1f} kHz comes through, at enrolment it was {before / 1000:.1f} kHz: "
            "use the microphone of the enrolment, or add a session through this one"
        )
    elif before and after > WIDER * before:
        found.append(
            f"at enrolment the sound ended at {before / 1000:.1f} kHz, this microphone passes {after / 1000:.1f} kHz: "
            "add a session through this one"
        )
    quiet, noise = _middle(then, "level") - _middle(here, "level"), _middle(then, "snr") - _middle(here, "snr")
    if noise > SNR_APART_DB and _middle(here, "snr") < NOISY_SNR_DB:
        found.append(f"it is {noise:.0f} dB noisier than at enrolment: find a quieter place, or move closer")
    if quiet > LEVEL_APART_DB:
        found.append(f"speech is {quiet:.0f} dB quieter than at enrolment: move closer, or raise the input level")
    return found


def _middle(qualities: Sequence[Quality], measure: str) -> float:
    return median(getattr(one, measure) for one in qualities)
