"""Voices that no network was trained on, as embeddings: what the calibration is fitted with and heads are compared on.

They are the speakers of a dataset's validation split (`--split speaker`). The first half of a voice's speech (30 s at
most) enrols, as recorded and in `ENROL_ROOMS` simulated rooms; the other half (30 s at most) tests, in those and in
further ones, `TEST_ROOMS` in all. They are the same for everybody. As in training, a voice heard at another speed is
one more voice: strangers in the very same room. Each voice is also heard in `OWN_ROOMS` rooms that nobody else is in:
from these `core.compensation` learns how a voice varies, without learning the rooms that tests are made in.
Not imported by the app.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SECONDS, Audio, concatenate, resample, stream
from core.augment import Chances, WaveformAugmenter, noise_in
from core.calibration import Voice
from core.compensation import compensate, compensation
from core.dataset.babble import Talkers, heard_behind, talkers_among
from core.dataset.recordings import Recording
from core.dataset.variants import SPEEDS
from core.dataset.workers import processes
from core.embedder import MODELS, Embedder, Embeddings, joined, with_windows
from core.enrolment import WINDOW_STEP_SECONDS
from core.errors import AudioError, DatasetError
from core.rooms import ROOMS, in_room
from core.segments import condense_long, prepare

MIN_SPEECH = 10.0  # s of speech a held-out voice needs to take part
ENROL_SECONDS, TEST_SECONDS = 30.0, 30.0  # s of speech at most
ENROL_ROOMS, TEST_ROOMS, OWN_ROOMS = 3, 10, 8  # simulated rooms and microphones
OWN_CLIPS = 8  # heard in each of a voice's own rooms
SURROUNDINGS = Chances(noise=0.5, reverberation=0.5, equaliser=0.7, band_limit=0.5, floor=0.5)


def held_out_voices(
    speakers: dict[str, tuple[Recording, ...]],
    names: Iterable[str],
    pretrained: Path,
    *,
    noise: Path | None,
    workers: int = 1,
    progress: Callable = iter,
) -> list[Voice]:
    """The `names` among `speakers` (see `core.dataset.recordings.find_speakers`) with enough speech, at every speed, as
    embeddings of the networks in the folder `pretrained`.

    Raises `DatasetError` when there are fewer than ten.
    """
    wanted = sorted(set(names) & set(speakers))
    talkers = talkers_among({name: heard for name, heard in speakers.items() if name not in wanted})
    work = partial(voices_of, pretrained=pretrained, noise=noise, talkers=talkers)
    with processes(workers) as pool:
        made = pool.map(work, wanted, [speakers[name] for name in wanted])
        voices = [voice for some in progress(made) for voice in some]
    if len(voices) < 10:
        raise DatasetError(
            f"only {len(voices)} held-out voices with {MIN_SPEECH:g} s of speech, 10 are needed: make the dataset "
            "with --split speaker and a larger --validation"
        )
    return voices


def voices_of(
    name: str, recordings: tuple[Recording, ...], *, pretrained: Path, noise: Path | None, talkers: Talkers = ()
) -> list[Voice]:
    """One speaker at every speed that leaves enough speech. `talkers`: who may babble behind."""
    augmenter = WaveformAugmenter(noise_in(noise), SURROUNDINGS, talkers=heard_behind(name, talkers))
    ear = _Ear(_embedder(pretrained), augmenter)
    sound, voices = _sound(recordings), []
    for speed in SPEEDS:
        speech = concatenate(list(condense_long([resample(Audio(sound.samples, round(SAMPLE_RATE * speed)))])))
        if speech.duration < MIN_SPEECH:
            continue
        half = speech.duration / 2
        first = speech.between(0.0, min(half, ENROL_SECONDS))
        segments = _clips(first)
        windows = _clips(first.between(WINDOW_STEP_SECONDS, first.duration)) if len(segments) > 1 else []
        test = _clips(speech.between(half, min(speech.duration, half + TEST_SECONDS)))
        own = _clips(speech.between(0.0, OWN_CLIPS * SEGMENT_SECONDS))
        mine = zlib.crc32(name.encode()), round(100 * speed)  # seeds rooms that no other voice is heard in
        if segments and test:
            apart = [ear.hears(own, *mine, room) for room in range(1, OWN_ROOMS + 1)]
            voices.append(
                Voice(
                    tuple(ear.enrols(segments, windows, room) for room in range(ENROL_ROOMS + 1)),
                    tuple(ear.hears(test, room) for room in range(TEST_ROOMS + 1)),
                    name,
                    joined(apart),
                )
            )
    return voices


@dataclass(frozen=True, eq=False)
class _Ear:
    """Hears clips in rooms. Room 0 is the recording as it is; elsewhere the same choices are made for every clip."""

    embedder: Embedder
    augmenter: WaveformAugmenter

    def hears(self, clips: list[np.ndarray], *room: int) -> Embeddings:
        return self.embedder.embed(self._there(clips, room))

    def enrols(self, segments: list[np.ndarray], windows: list[np.ndarray], room: int) -> Embeddings:
        """As `core.enrolment.learn` does it, in this room."""
        elsewhere = [in_room(clip, name) for clip in self._there(windows, (room,)) for name in ROOMS]
        return with_windows(self.hears(segments, room), self.embedder.embed(elsewhere))

    def _there(self, clips: list[np.ndarray], room: tuple[int, ...]) -> list[np.ndarray]:
        return clips if room == (0,) else [self.augmenter(clip, np.random.default_rng(room)) for clip in clips]


@cache
def _embedder(folder: Path) -> Embedder:
    """One per process."""
    return Embedder(folder, threads=1)


def compensations(voices: list[Voice], kept: Collection[str] = ()) -> dict[str, np.ndarray]:
    """By model the `core.compensation` (D, D) measured on what these voices are in rooms of their own; that of models
    to be `kept` as they are changes nothing."""
    owners = np.concatenate([np.full(len(voice.own), place) for place, voice in enumerate(voices)])
    own = {model: np.concatenate([voice.own.of(model) for voice in voices]) for model in MODELS}
    return {
        model: np.eye(rows.shape[1]) if model in kept else compensation(rows, owners) for model, rows in own.items()
    }


def compensated(made: Embeddings, matrices: dict[str, np.ndarray]) -> Embeddings:
    """Embeddings as networks give them that have these matrices in their last layer."""
    return Embeddings(*(compensate(made.of(model), matrices[model]) for model in MODELS), made.heard)


def crossed(
    voices: list[Voice], cohort: Embeddings, kept: Collection[str] = ()
) -> list[tuple[list[Voice], Embeddings]]:
    """The voices in two halves, each as networks hear it whose compensation was measured on the *other* half, and the
    cohort as those networks hear it: voices tell how good a compensation is that did not learn from them. `kept`: as
    for `compensations`."""
    speakers = sorted({voice.name for voice in voices})
    halves = []
    for names in (set(speakers[::2]), set(speakers[1::2])):
        matrices = compensations([voice for voice in voices if voice.name not in names], kept)
        mine = [
            replace(
                voice,
                enrol=tuple(compensated(room, matrices) for room in voice.enrol),
                test=tuple(compensated(room, matrices) for room in voice.test),
            )
            for voice in voices
            if voice.name in names
        ]
        halves.append((mine, compensated(cohort, matrices)))
    return halves


def save_voices(path: Path, voices: list[Voice], cohort: Embeddings) -> None:
    """Keep voices and cohort, before any compensation: what takes minutes to embed is compared in seconds."""
    arrays: dict[str, np.ndarray] = {"names": np.array([voice.name for voice in voices])}
    arrays |= {f"cohort/{model}": cohort.of(model).astype(np.float16) for model in MODELS}
    for index, voice in enumerate(voices):
        parts = {"enrol": voice.enrol, "test": voice.test, "own": (voice.own,)}
        for part, rooms in parts.items():
            for room, made in enumerate(rooms):
                place = f"{index}/{part}/{room}"
                arrays |= {f"{place}/{model}": made.of(model).astype(np.float16) for model in MODELS}
                arrays |= {} if made.heard is None else {f"{place}/heard": made.heard}
    np.savez(path, **arrays)


def load_voices(path: Path) -> tuple[list[Voice], Embeddings]:
    """What `save_voices` kept. Raises `DatasetError` for a file that it did not write."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            return _voices_in(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path} holds no held-out voices ({error}): make it with export_model.py --voices"
        ) from error


def _voices_in(file: Mapping[str, np.ndarray]) -> tuple[list[Voice], Embeddings]:
    def read(name: str) -> Embeddings:
        made = (file[f"{name}/{model}"].astype(np.float32) for model in MODELS)
        return Embeddings(*made, file.get(f"{name}/heard"))

    voices = [
        Voice(
            tuple(read(f"{index}/enrol/{room}") for room in range(ENROL_ROOMS + 1)),
            tuple(read(f"{index}/test/{room}") for room in range(TEST_ROOMS + 1)),
            str(name),
            read(f"{index}/own/0"),
        )
        for index, name in enumerate(file["names"])
    ]
    return voices, read("cohort")


def _sound(recordings: tuple[Recording, ...]) -> Audio:
    parts: list[Audio] = []
    for recording in recordings:
        with suppress(AudioError):
            parts += stream(recording.path)
    return concatenate(parts)


def _clips(speech: Audio) -> list[np.ndarray]:
    """5 s after 5 s, prepared; one shorter one where that is all there is."""
    starts = np.arange(0.0, max(0.0, speech.duration - SEGMENT_SECONDS) + 1e-6, SEGMENT_SECONDS)
    made = [prepare(speech.between(start, start + SEGMENT_SECONDS)) for start in starts]
    return [samples for samples in made if samples is not None]
