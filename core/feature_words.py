"""The columns of the feature row in a student's words: families that are explained together, and single columns.

A new kind of column needs one line in `FAMILIES` (the first pattern that fits takes it) and, for a good sentence, one
in `_SENTENCES`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Columns that measure one thing. `about`: what it is, for somebody who has never seen a cepstrum."""

    key: str
    title: str
    about: str
    pattern: str


FAMILIES = (
    Family(
        "pitch",
        "Pitch and melody",
        "how deep the voice is, how much it sings, how much of it is voiced",
        r"pitch_.*|voiced_share|voicing_.*",
    ),
    Family(
        "classes",
        "Timbre, sound by sound",
        "the average cepstrum within each kind of sound: how this person makes an a, an s, an m",
        r"class_.*",
    ),
    Family(
        "vowels",
        "Vowels against consonants",
        "how different the timbre of voiced and unvoiced sounds is",
        r"mfcc_\d+_voiced_minus_unvoiced",
    ),
    Family(
        "together",
        "What moves together",
        "which parts of the timbre rise and fall together (covariance of the cepstrum); equalisers do not change it",
        r"mfcc_cov_.*",
    ),
    Family(
        "speed",
        "Speed of the mouth",
        "how fast the timbre changes, and what changes together (differences of the cepstrum, flux)",
        r"delta_.*|flux_.*",
    ),
    Family(
        "range",
        "Range of the timbre",
        "how far throat, tongue and lips travel (deviation and skew of the cepstrum)",
        r"mfcc_\d+_(std|skew)",
    ),
    Family(
        "timbre",
        "Average timbre",
        "the mean cepstrum: the shape of throat and mouth, but of the microphone too",
        r"mfcc_?\d+(_mean)?",
    ),
    Family(
        "brightness",
        "Brightness",
        "whether the sound is dark or bright (centroid, bandwidth, roll-off)",
        r"(spectral_)?(centroid|bandwidth|rolloff)(_mean|_std)?",
    ),
    Family(
        "noise",
        "Breath and hiss",
        "how noisy or tonal the sound is (flatness, zero crossings)",
        r"(flatness_db|zero_crossing_rate)(_mean|_std)?",
    ),
    Family(
        "contrast",
        "Peaks and valleys",
        "how far the overtones stand out, octave by octave (spectral contrast)",
        r"contrast_\d+_.*",
    ),
    Family("loudness", "Loudness", "how strongly the level moves (RMS)", r"rms(_db)?(_mean|_std)?"),
    Family("chroma", "Notes of the scale", "energy by musical note, as the original experiment had it", r"chroma_.*"),
)
OTHER = Family("other", "Other measures", "columns that belong to no family yet", r".*")

_SENTENCES = (
    (r"pitch_median", "the usual pitch"),
    (r"pitch_p10", "the lowest pitch"),
    (r"pitch_p90", "the highest pitch"),
    (r"pitch_step", "how far the pitch moves from moment to moment"),
    (r"voiced_share", "the part of the speech that is voiced"),
    (r"voicing_mean", "how clean the voiced sounds are"),
    (r"class_(\d+)_mfcc_(\d+)", "timbre coefficient {1} in sounds of kind {0}"),
    (r"mfcc_(\d+)_voiced_minus_unvoiced", "coefficient {0} in vowels less that in consonants"),
    (r"mfcc_cov_(\d+)_(\d+)", "how coefficients {0} and {1} move together"),
    (r"delta_cov_(\d+)_(\d+)", "how fast coefficients {0} and {1} change together"),
    (r"delta_mfcc_(\d+)_std", "how fast coefficient {0} changes"),
    (r"mfcc_(\d+)_std", "how far coefficient {0} travels"),
    (r"mfcc_(\d+)_skew", "how lopsided coefficient {0} is"),
    (r"mfcc(\d+)", "the mean of timbre coefficient {0}"),
    (r"(?:spectral_)?centroid(?:_mean)?", "where the middle of the spectrum lies"),
    (r"(?:spectral_)?bandwidth(?:_mean)?", "how wide the spectrum is"),
    (r"rolloff(?:_mean)?", "below which frequency most of the sound lies"),
    (r"zero_crossing_rate(?:_mean)?", "how often the wave changes sign"),
    (r"flatness_db_mean", "how noise-like the sound is"),
    (r"contrast_(\d+)_mean", "how far overtones stand out in octave {0}"),
    (r"flux_mean", "how much the spectrum changes from moment to moment"),
    (r"rms.*", "the level of the sound"),
    (r"chroma_stft", "the mean energy over the notes of the scale"),
    (r"(\w+)_std", "how much {0} varies"),
)


def family_of(column: str) -> Family:
    """The family a column belongs to; `OTHER` for one that nobody has described."""
    return next((one for one in FAMILIES if re.fullmatch(one.pattern, column)), OTHER)


def families(columns: Sequence[str]) -> list[tuple[Family, list[int]]]:
    """Every family that occurs, with the places of its columns."""
    found: dict[Family, list[int]] = {}
    for place, column in enumerate(columns):
        found.setdefault(family_of(column), []).append(place)
    return [(one, found[one]) for one in (*FAMILIES, OTHER) if one in found]


def in_words(column: str) -> str:
    """A column as a phrase; its name where there is none."""
    for pattern, sentence in _SENTENCES:
        if match := re.fullmatch(pattern, column):
            return sentence.format(*(part.replace("_", " ") for part in match.groups()))
    return column.replace("_", " ")
