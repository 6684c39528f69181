"""What a teacher network hears in a dataset's training voices, for networks that learn from it beside the labels.

DIR/teacher/<speaker>.npz   embeddings float16 (n, D), rows of length 1; speed float32 (n,): one row for each clip of
                            `core.dataset.variants.clips`, in its order, speed by speed
DIR/teacher/<speaker>.more.npz   the same at `core.dataset.variants.MORE_SPEEDS`
DIR/teacher/name.txt        which network it is, a name in `core.rival.NETWORKS`

A network that was trained on other voices knows of them what no label of ours says; a student that must also tell what
the teacher heard in the clean clip, from its own noisy crop, takes that over (Hinton et al. 2015, "Distilling the
knowledge in a neural network"). Not imported by the app.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from core.dataset.build import Task, write_whole
from core.dataset.variants import ROOM_EVERY, SPEEDS, Heard, clips, is_of, made_of, named
from core.errors import DatasetError

Embed = Callable[[list[np.ndarray]], np.ndarray]  # clips, float32 (SEGMENT_SAMPLES,) each -> (n, D)


def make(
    task: Task,
    folder: Path,
    embed: Embed,
    at_most: int | None = None,
    heard: Heard = clips,
    *,
    speeds: Sequence[float] = SPEEDS,
) -> int:
    """One speaker's embeddings, whole or not at all; what is there is not made again. Returns how many.

    `at_most`: the teacher hears so many clips of a voice, evenly chosen; the rest have the mean of these. `heard` gives
    the speaker's clips at a speed.
    """
    target = folder / "teacher" / named(task.speaker, speeds)
    made = made_of(task, speeds, *([] if at_most is None else [f"at most {at_most}"]))
    if is_of(target, made):
        return len(read(target)[1])
    rows, at_speed = [], []
    for speed in speeds:
        voice = list(heard(task, speed))
        if voice:
            rows.append(_of_voice(voice, embed, at_most or len(voice)))
            at_speed += [speed] * len(voice)
    if not rows:
        return 0
    content = io.BytesIO()
    told = np.concatenate(rows).astype(np.float16)
    np.savez(content, embeddings=told, speed=np.array(at_speed, np.float32), made_of=made)
    write_whole(target, content.getvalue())
    return len(at_speed)


def begin(folder: Path, name: str) -> None:
    """Say who teaches; `DatasetError` where another did."""
    if (folder / "teacher").is_dir() and (other := taught_by(folder)) != name:
        raise DatasetError(f"{other} has taught in {folder / 'teacher'}: delete that folder, or let {other} go on")
    write_whole(folder / "teacher" / "name.txt", f"{name}\n".encode())


def taught_by(folder: Path) -> str:
    """The teacher's name."""
    path = folder / "teacher" / "name.txt"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else "resemblyzer"  # the only one at first


def _of_voice(voice: list[np.ndarray], embed: Embed, at_most: int) -> np.ndarray:
    chosen = np.unique(np.linspace(0, len(voice) - 1, min(at_most, len(voice))).round().astype(int))
    told = embed([voice[index] for index in chosen])
    mean = told.mean(axis=0)
    rows = np.repeat((mean / np.linalg.norm(mean))[None], len(voice), axis=0)
    rows[chosen] = told
    return rows


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What `make` wrote: embeddings (n, D), speed (n,). `DatasetError` where it wrote nothing."""
    if not path.is_file():
        raise DatasetError(f"{path} is missing: run scripts/teach.py on the dataset")
    with np.load(path, allow_pickle=False) as file:
        return file["embeddings"], file["speed"]


def of_images(path: Path, count: int) -> np.ndarray:
    """Embeddings for a speaker's own `count` images (speed 1)."""
    embeddings, speed = read(path)
    return _as_many(embeddings[speed == 1.0], count, path)


def of_variants(path: Path, count: int, *, speeds: Sequence[float] = SPEEDS) -> np.ndarray:
    """Embeddings for a speaker's `count` image variants, in the order in which `variants.make` makes them."""
    embeddings, speed = read(path)
    parts = []
    for one in speeds:
        own = embeddings[speed == np.float32(one)]
        in_room = np.arange(len(own)) % ROOM_EVERY == 0
        parts.append(np.repeat(own, in_room + int(one != 1.0), axis=0))
    return _as_many(np.concatenate(parts), count, path)


def of_rows(path: Path, row_speed: np.ndarray, *, speeds: Sequence[float] = SPEEDS) -> np.ndarray:
    """Embeddings for a speaker's feature rows, each clip's copies one after another as `variants.make_rows` makes
    them; `row_speed` (n,)."""
    embeddings, speed = read(path)
    parts = []
    for one in speeds:
        own, wanted = embeddings[speed == np.float32(one)], int((row_speed == np.float32(one)).sum())
        if wanted:
            parts.append(_as_many(np.repeat(own, wanted // max(1, len(own)), axis=0), wanted, path))
    return np.concatenate(parts)


def centred(embeddings: np.ndarray, speakers: np.ndarray, own: float = 0.5) -> np.ndarray:
    """What tells voices apart in a teacher's embeddings (n, D), rows of length 1: less their mean over all voices,
    which is most of them where a network ends in a ReLU, and the mean of the clip's own voice (`speakers`, (n,)) at the
    share `own`, for one clip of a voice is heard a little differently from the next."""
    rows = embeddings.astype(np.float32)
    counts = np.maximum(np.bincount(speakers), 1)[:, None]
    voices = np.zeros((len(counts), rows.shape[1]), np.float32)
    np.add.at(voices, speakers, rows)
    voices /= counts
    rows = (1.0 - own) * rows + own * voices[speakers] - voices.mean(axis=0)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def _as_many(embeddings: np.ndarray, count: int, path: Path) -> np.ndarray:
    if len(embeddings) != count:
        raise DatasetError(
            f"{path} has {len(embeddings)} embeddings for {count} examples: it was made of other recordings; "
            "delete it and run scripts/teach.py again"
        )
    return embeddings
