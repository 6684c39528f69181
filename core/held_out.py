"""Voices that no network was trained on, as embeddings: what the calibration is fitted with and heads are compared on.

They are the speakers of a dataset's validation split (`--split speaker`). The first half of a voice's speech (30 s at
most) enrols, the other half (30 s at most) tests; as recorded, and in `ROOMS` simulated rooms that are the same for
everybody. As in training, a voice heard at another speed is one more voice: strangers in the very same room.
Not imported by the app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SECONDS, Audio, concatenate, resample, stream
from core.augment import Chances, WaveformAugmenter
from core.calibration import Voice
from core.dataset.build import Recording
from core.dataset.variants import SPEEDS
from core.embedder import MODELS, Embedder, Embeddings
from core.errors import AudioError, DatasetError
from core.segments import condense_long, prepare

MIN_SPEECH = 10.0  # s of speech a held-out voice needs to take part
ENROL_SECONDS, TEST_SECONDS = 30.0, 30.0  # s of speech at most
ROOMS = 4  # simulated rooms and microphones
ROOM = Chances(noise=0.5, reverberation=0.5, equaliser=0.7, band_limit=0.5, floor=0.5)


def held_out_voices(
    speakers: dict[str, tuple[Recording, ...]],
    names: Iterable[str],
    pretrained: Path,
    *,
    noise: Path | None,
    workers: int = 1,
    progress: Callable = iter,
) -> list[Voice]:
    """The `names` among `speakers` (see `core.dataset.build.find_speakers`) with enough speech, at every speed, as
    embeddings of the networks in the folder `pretrained`.

    Raises `DatasetError` when there are fewer than ten.
    """
    wanted = sorted(set(names) & set(speakers))
    work = partial(voices_of, pretrained=pretrained, noise=noise)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(work, wanted, [speakers[name] for name in wanted])
        voices = [voice for some in progress(made) for voice in some]
    if len(voices) < 10:
        raise DatasetError(
            f"only {len(voices)} held-out voices with {MIN_SPEECH:g} s of speech, 10 are needed: make the dataset "
            "with --split speaker and a larger --validation"
        )
    return voices


def voices_of(name: str, recordings: tuple[Recording, ...], *, pretrained: Path, noise: Path | None) -> list[Voice]:
    """One speaker at every speed that leaves enough speech."""
    embedder = _embedder(pretrained)
    augmenter = WaveformAugmenter(WaveformAugmenter.shared(noise).noise, ROOM)
    sound, voices = _sound(recordings), []
    for speed in SPEEDS:
        speech = concatenate(list(condense_long([resample(Audio(sound.samples, round(SAMPLE_RATE * speed)))])))
        if speech.duration < MIN_SPEECH:
            continue
        half = speech.duration / 2
        enrol = _clips(speech.between(0.0, min(half, ENROL_SECONDS)), step=2.5)
        tests = _clips(speech.between(half, min(speech.duration, half + TEST_SECONDS)), step=5.0)
        if enrol and tests:
            in_rooms = [
                tuple(embedder.embed([_in_room(augmenter, clip, room) for clip in clips]) for room in range(ROOMS + 1))
                for clips in (enrol, tests)
            ]
            voices.append(Voice(*in_rooms, name.split("-")[0]))
    return voices


@cache
def _embedder(folder: Path) -> Embedder:
    """One per process."""
    return Embedder(folder, threads=1)


def save_voices(path: Path, voices: list[Voice]) -> None:
    """Keep voices in one npz: what takes minutes to embed is compared in seconds."""
    arrays: dict[str, np.ndarray] = {"corpus": np.array([voice.corpus for voice in voices])}
    for index, voice in enumerate(voices):
        for part in ("enrol", "test"):
            for room, made in enumerate(getattr(voice, part)):
                arrays |= {f"{index}/{part}/{room}/{model}": made.of(model).astype(np.float16) for model in MODELS}
    np.savez(path, **arrays)


def load_voices(path: Path) -> list[Voice]:
    """What `save_voices` kept."""
    with np.load(path, allow_pickle=False) as file:
        return [
            Voice(
                *(
                    tuple(
                        Embeddings(*(file[f"{index}/{part}/{room}/{model}"].astype(np.float32) for model in MODELS))
                        for room in range(ROOMS + 1)
                    )
                    for part in ("enrol", "test")
                ),
                str(corpus),
            )
            for index, corpus in enumerate(file["corpus"])
        ]


def _sound(recordings: tuple[Recording, ...]) -> Audio:
    parts: list[Audio] = []
    for recording in recordings:
        with suppress(AudioError):
            parts += stream(recording.path)
    return concatenate(parts)


def _in_room(augmenter: WaveformAugmenter, clip: np.ndarray, room: int) -> np.ndarray:
    """Room 0 is the recording as it is; in the others the same generator makes the same choices for every clip."""
    return augmenter(clip, np.random.default_rng(room)) if room else clip


def _clips(speech: Audio, *, step: float) -> list[np.ndarray]:
    """5 s every `step` s; one shorter one where that is all there is."""
    starts = np.arange(0.0, max(0.0, speech.duration - SEGMENT_SECONDS) + 1e-6, step)
    made = [prepare(speech.between(start, start + SEGMENT_SECONDS)) for start in starts]
    return [samples for samples in made if samples is not None]
