"""core.dataset.babble: who is heard behind augmented sound, and how `core.augment` mixes them in."""

import numpy as np
import pytest

from core.audio import SEGMENT_SAMPLES
from core.augment import Chances, WaveformAugmenter
from core.dataset.babble import COUNT, heard_behind, talkers_among
from core.dataset.build import plan
from core.dataset.recordings import find_speakers
from core.dataset.variants import make_rows, read_rows, talkers_of
from core.segments import prepare


@pytest.fixture
def speakers(samples, tmp_path):
    """Three people; the first file of one is no audio."""
    for name in ("amina", "kofi", "mei"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "b.opus").write_bytes((samples / f"{name}_test.opus").read_bytes())
    (tmp_path / "in" / "mei" / "a.opus").write_bytes(b"no audio")
    return find_speakers([tmp_path / "in"])


def test_names_alone_decide_who_talks():
    everybody = {f"reader {number}": () for number in range(500)}
    chosen = [name for name, _ in talkers_among(everybody)]
    assert len(chosen) == COUNT and chosen == [name for name, _ in talkers_among(dict(reversed(everybody.items())))]
    for gone in (chosen[0], next(name for name in everybody if name not in chosen)):
        others = {name for name, _ in talkers_among({k: v for k, v in everybody.items() if k != gone})}
        assert len(others - set(chosen)) == (gone in chosen)


def test_nobody_hears_their_own_voice_behind(speakers, voice):
    talkers = talkers_among(speakers)
    assert len(talkers) == 3
    heard = heard_behind("kofi", talkers)
    assert len(heard) == 2 and all(one.shape == (SEGMENT_SAMPLES,) and one.dtype == np.float32 for one in heard)
    own = [heard_behind(name, [one for one in talkers if one[0] in (name, "kofi")]) for name in ("amina", "mei")]
    assert not any(np.array_equal(heard[0], one) for part in own for one in part)  # those are Kofi's
    assert len(heard_behind("a stranger", talkers)) == 3


def test_babble_is_made_of_the_talkers(voice):
    """What is added lies in the space of the talkers' rolled segments, and of nobody else's."""
    clip, *others = (prepare(voice(f"{name}_test").between(1.0, 6.0)) for name in ("amina", "kofi", "mei", "sven"))
    noise_alone = Chances(noise=1, reverberation=0, equaliser=0, band_limit=0, floor=0)
    seed = next(one for one in range(100) if 0.5 <= _kind(one) < 0.75)

    def added(talkers) -> np.ndarray:
        made = WaveformAugmenter([], noise_alone, talkers=talkers)(clip, np.random.default_rng(seed)).astype(float)
        return made - clip * (made @ clip) / (clip @ clip)

    def alike(sound: np.ndarray, other: np.ndarray) -> float:
        """The largest correlation at any shift."""
        spectra = np.fft.rfft(sound) * np.conj(np.fft.rfft(other))
        return float(np.abs(np.fft.irfft(spectra)).max() / np.linalg.norm(sound) / np.linalg.norm(other))

    babble = added(others)
    assert max(alike(babble, one) for one in others) > 0.4 and alike(babble, clip) < 0.2
    assert max(alike(added([]), one) for one in others) < 0.2  # noise, where nobody talks


def _kind(seed: int) -> float:
    """What decides on the kind of the trouble: drawn after the chances of a room and of noise."""
    return np.random.default_rng(seed).random(3)[2]


def test_rows_are_made_anew_for_other_talkers(speakers, tmp_path):
    tasks = plan({name: recordings for name, recordings in speakers.items() if name != "mei"}, validation=0.0)
    talkers = talkers_of(tasks)
    held = plan(speakers, split="speaker", validation=0.4)
    training = {task.speaker for task in held if not task.validation_sessions}
    assert {name for name, _ in talkers_of(held)} == training and len(training) == 2
    made = []
    for those in ((), talkers, talkers):
        make_rows(tasks[0], tmp_path, None, 3, talkers=those)
        made.append((tmp_path / "variants" / f"{tasks[0].speaker}.rows.npz").stat().st_mtime_ns)
    assert made[0] != made[1] == made[2]
    rows, _ = read_rows(tmp_path / "variants" / f"{tasks[0].speaker}.rows.npz")
    assert np.isfinite(rows).all()
