"""core.recognizer: the whole path with real voices, who is named, and what must not change an answer."""

import csv
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio, concatenate, resample, stream
from core.dataset.build import build, find_speakers, plan
from core.dataset.workers import one_thread
from core.embedder import Embedder
from core.errors import AudioError
from core.heads import NOT_ENOUGH_SPEECH, UNKNOWN
from core.recognizer import Recognizer
from core.segments import Segment
from core.spectral import feature_row
from core.spectrogram import read_png
from tests.conftest import ROOT

VOICES = ("amina", "jo", "kofi", "mei", "sven")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture(scope="module")
def five(voice, embedder, tmp_path_factory) -> Recognizer:
    """All five example voices enrolled; tests that share it do not change it."""
    recognizer = Recognizer(tmp_path_factory.mktemp("five"), embedder=embedder)
    for name in VOICES:
        recognizer.enrol(name.title(), voice(f"{name}_enrol"), consent=True, sure=True)
    return recognizer


@pytest.fixture
def empty(embedder, tmp_path) -> Recognizer:
    return Recognizer(tmp_path / "store", embedder=embedder)


def names(answers) -> list[str]:
    return [answer.both.name for answer in answers]


def blocks(sound: Audio, size: int) -> list[Audio]:
    return [Audio(sound.samples[start : start + size]) for start in range(0, len(sound), size)]


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VOICES)
def test_everybody_is_named_in_another_recording(five, voice, name):
    answers = list(five.identify(voice(f"{name}_test")))
    assert names(answers) == [name.title()] * len(answers) and len(answers) == 3
    assert all(answer.cnn.name == name.title() for answer in answers)


def test_a_conversation(five, voice, samples):
    """Who speaks when, as demo/samples/conversation.csv has it."""
    with (samples / "conversation.csv").open() as file:
        said = [(float(line["start"]), float(line["end"]), line["name"]) for line in csv.DictReader(file)]
    turns = five.timeline(voice("conversation"), source="conversation.opus").turns()
    assert [(turn.segment.start, turn.segment.end, turn.name) for turn in turns] == said


def test_a_voice_removed_is_no_longer_named(empty, voice):
    for name in ("amina", "jo"):
        empty.enrol(name.title(), voice(f"{name}_enrol"), consent=True)
    assert names(empty.identify(voice("jo_test"))) == ["Jo"] * 3
    empty.store.delete("Jo")
    assert "Jo" not in names(empty.identify(voice("jo_test")))
    empty.store.rename("Amina", "Mina")
    assert names(empty.identify(voice("amina_test"))) == ["Mina"] * 3


def test_with_nobody_enrolled_everybody_is_unknown(empty, voice):
    answers = list(empty.identify(voice("amina_test")))
    assert names(answers) == [UNKNOWN] * 3 and all(answer.both.probability == 1.0 for answer in answers)


@pytest.mark.parametrize("gain", [0.1, 1.25])
@pytest.mark.parametrize("name", VOICES)
def test_gain_does_not_change_the_answer(five, voice, name, gain):
    """20 dB quieter to 2 dB louder, which is as far as the samples reach."""
    sound = voice(f"{name}_test").between(0.0, 10.0)
    other = list(five.identify(Audio(sound.samples * np.float32(gain))))
    for one, changed in zip(five.identify(sound), other, strict=True):
        assert changed.both.name == one.both.name
        assert changed.both.probability == pytest.approx(one.both.probability, abs=0.02)


@pytest.mark.parametrize(("decibels", "least"), [(10.0, 4), (20.0, 2)])
def test_too_loud(five, voice, decibels, least):
    """10 dB clip hundreds of samples, 20 dB a tenth of all: more and more becomes Unknown, nobody somebody else."""
    named, gain = 0, 10.0 ** (decibels / 20.0)
    for name in VOICES:
        answers = list(five.identify(Audio(np.clip(voice(f"{name}_test").samples * gain, -1.0, 1.0))))
        assert answers[0].quality.clipped > (0.02 if decibels == 20.0 else 0.0)
        assert set(names(answers)) <= {name.title(), UNKNOWN}
        named += name.title() in names(answers)
    assert named >= least


NOBODY = {
    "silence": np.zeros(12 * SAMPLE_RATE, np.float32),
    "white noise": np.random.default_rng(1).uniform(-0.5, 0.5, 12 * SAMPLE_RATE).astype(np.float32),
    "hum": (0.3 * np.sin(2 * np.pi * 50 * np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32),
    "a click each second": (np.arange(12 * SAMPLE_RATE) % SAMPLE_RATE == 0).astype(np.float32),
    "constant": np.full(12 * SAMPLE_RATE, 0.5, np.float32),
}


@pytest.mark.parametrize("kind", NOBODY)
def test_no_voice_names_nobody(five, kind):
    answers = list(five.identify(Audio(NOBODY[kind])))
    assert [str(answer.segment) for answer in answers] == ["00:00-00:05", "00:05-00:12"]
    assert not any(answer.both.is_person or answer.cnn.is_person for answer in answers)
    if kind in ("silence", "white noise"):
        assert names(answers) == [NOT_ENOUGH_SPEECH] * 2


def test_half_a_second_of_speech_is_not_enough(five, voice):
    sound = concatenate([voice("amina_test").between(1.0, 1.5), Audio(np.zeros(5 * SAMPLE_RATE, np.float32))])
    (answer,) = five.identify(sound)
    assert answer.both.name == NOT_ENOUGH_SPEECH and answer.quality.speech < 0.8
    assert five.image(sound) is None


def test_nothing_gives_no_answer(five):
    assert list(five.identify(Audio(np.zeros(0, np.float32)))) == [] and list(five.identify([])) == []
    assert five.timeline([]).turns() == []


# --- what must not matter -------------------------------------------------------------------------------------------


def test_identify_is_judge_of_each_segment(five, voice):
    sound = voice("conversation")
    for answer in five.identify(sound):
        alone = five.judge(sound.between(answer.segment.start, answer.segment.end), at=answer.segment.start)
        assert (alone.segment, alone.quality) == (answer.segment, answer.quality)
        for which in ("cnn", "ann", "both"):
            assert alone.of(which).name == answer.of(which).name
            assert alone.of(which).probability == pytest.approx(answer.of(which).probability, abs=1e-3)


@pytest.mark.parametrize("size", [1600, 44_101, SEGMENT_SAMPLES, 1_000_000])
def test_blocks_do_not_matter(five, voice, size):
    sound = voice("conversation")
    whole = list(five.identify(sound))
    parts = list(five.identify(iter(blocks(sound, size))))
    assert [answer.segment for answer in parts] == [answer.segment for answer in whole]
    assert [answer.quality for answer in parts] == [answer.quality for answer in whole]
    assert names(parts) == names(whole)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_sound_of_another_rate_is_resampled(five, empty, voice, rate):
    """Samples travel with their rate: 48 kHz is never taken for 16 kHz."""
    sound = resample(voice("sven_test").between(0.0, 5.0), rate)
    assert five.judge(sound).both.name == five.judge(voice("sven_test").between(0.0, 5.0)).both.name == "Sven"
    assert names(five.identify(sound)) == ["Sven"]
    assert np.mean(five.image(sound) == five.image(resample(sound))) == 1.0
    enrolled = empty.enrol("Sven", resample(voice("sven_enrol"), rate), consent=True)
    assert enrolled.profile.segments == five.store.get("Sven").segments


def test_a_recording_streams(five, voice):
    """Answers come before the end is heard, and memory does not grow with the length."""
    block, given = voice("amina_test").between(0.0, 12.5), 0

    def long():
        nonlocal given
        for _ in range(40):
            given += 1
            yield Audio(block.samples.copy())

    five.judge(block.between(0, 5))  # imports and caches
    tracemalloc.start()
    try:
        answers = five.identify(long())
        next(answers)
        assert given <= 10  # some batches are worked on ahead
        assert sum(1 for _ in islice(answers, 39)) == 39
        early = tracemalloc.get_traced_memory()[1]
        assert 40 + sum(1 for _ in answers) == 100
        assert tracemalloc.get_traced_memory()[1] < early + 8 * block.samples.nbytes  # not 24 blocks more
    finally:
        tracemalloc.stop()


def test_many_threads_and_one_recognizer(five, voice):
    spans = [(name, start) for name in VOICES for start in (0.0, 5.0)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: five.judge(voice(f"{one[0]}_test").between(one[1], one[1] + 5)), spans))
    assert names(answers) == [name.title() for name, _ in spans]


ENROL_JO = """
import sys
from core.audio import stream
from core.recognizer import Recognizer
Recognizer(sys.argv[1]).enrol("Jo", stream("demo/samples/jo_enrol.opus"), consent=True)
"""


def test_what_another_process_enrols_is_known_at_once(empty, voice):
    assert names(empty.identify(voice("jo_test"))) == [UNKNOWN] * 3
    done = subprocess.run(
        [sys.executable, "-c", ENROL_JO, str(empty.store.home)], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert names(empty.identify(voice("jo_test"))) == ["Jo"] * 3


def test_heads_are_made_again_only_when_somebody_changes(empty, voice):
    before = empty.heads()
    assert empty.heads() is before
    empty.enrol("Amina", voice("amina_enrol"), consent=True)
    after = empty.heads()
    assert after is not before and after.names == ("Amina",) and empty.heads() is after


def test_a_profile_of_other_weights_is_flagged_not_mixed(empty, voice):
    segments = empty.enrolment_segments([voice("amina_enrol")])
    empty.store.add("Amina", segments=segments, model_id="other", source="file", consent=True)
    assert empty.heads().names == () and names(empty.identify(voice("amina_test"))) == [UNKNOWN] * 3
    assert [profile.name for profile in empty.store.outdated(empty.model_id)] == ["Amina"]


# --- train path == live path, bit for bit ---------------------------------------------------------------------------


def test_what_training_sees_is_what_the_app_sees(five, voice, tmp_path):
    """One recording through `core.dataset.build` and through the recognizer: equal images, equal feature rows, and
    equal images again when an enrolment embeds them."""
    import soundfile

    folder = tmp_path / "in" / "amina"
    folder.mkdir(parents=True)
    soundfile.write(folder / "a.wav", voice("amina_enrol").samples, SAMPLE_RATE, subtype="FLOAT")
    out = tmp_path / "dataset"
    build(plan(find_speakers([tmp_path / "in"])), out)
    with (out / "segments.csv").open() as file:
        rows = [line for line in csv.DictReader(file)]
    with (out / "features.csv").open() as file:
        features = {line[0]: np.array(line[3:], np.float32) for line in list(csv.reader(file))[1:]}

    with one_thread():  # as the dataset is made: with more threads matrix products round differently
        seen = _live(five, voice("amina_enrol"))
    assert len(rows) >= 6 and len(seen) >= len(rows)
    for row, (image, values) in zip(rows, seen, strict=False):
        np.testing.assert_array_equal(read_png(out / row["path"]), image)
        np.testing.assert_array_equal(features[row["id"]], _as_text(values))


def _live(recognizer: Recognizer, sound: Audio) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images and feature rows as a live segment gets them: five seconds of speech at a time."""
    from core.segments import prepare_judged, speech_segments

    made = []
    for span, piece in speech_segments([sound]):
        assert isinstance(span, Segment)
        image, (samples, _) = recognizer.image(piece), prepare_judged(piece)
        if image is not None:
            made.append((image, feature_row(samples)))
    return made


def _as_text(row: np.ndarray) -> np.ndarray:
    """A feature row as features.csv keeps it: six digits."""
    return np.array([f"{float(value):.6g}" for value in row], np.float32)


def test_what_a_recorded_file_gives_is_what_its_samples_give(five, samples: Path):
    from core.audio import stream

    by_path = list(five.identify(stream(samples / "mei_test.opus")))
    by_bytes = list(five.identify(stream((samples / "mei_test.opus").read_bytes(), block_seconds=3.0)))
    assert by_path == by_bytes and names(by_path) == ["Mei"] * 3


def test_the_name_of_a_file_is_sound_too(five, samples):
    path = samples / "kofi_test.opus"
    answers = list(five.identify(path))
    assert answers and answers == list(five.identify(str(path))) == list(five.identify(stream(path)))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda sound: [resample(sound, 44_100)], "a block of sound has 44100 Hz, 16000 are needed"),
        (lambda sound: [sound.samples], "a block of sound is ndarray"),
        (lambda sound: sound.samples, "ndarray is no sound: give a path"),
        (lambda sound: b"RIFF", "bytes is no sound"),
        (lambda sound: None, "NoneType is no sound"),
        (lambda sound: Audio(np.where(np.arange(len(sound)) == 9, np.nan, sound.samples)), "has samples of nan"),
        (lambda sound: [Audio(np.where(np.arange(len(sound)) == 9, np.inf, sound.samples))], "has samples of inf"),
        (lambda sound: Audio(sound.samples.astype(np.float64) * 1e300), "has samples of inf"),
        (lambda sound: Audio((sound.samples * 32_767).astype(np.int16)), r"in \[-1, 1\] they are needed"),
    ],
)
def test_what_is_no_sound_of_16_khz_is_refused_and_nobody_learned(empty, voice, make, says):
    """A voice at another rate is another voice: it was learned so, without a word."""
    with pytest.raises(AudioError, match=says):
        empty.enrol("Amina", make(voice("amina_enrol")), consent=True)
    with pytest.raises(AudioError, match=says):
        list(empty.identify(make(voice("amina_test"))))
    assert empty.store.profiles() == []
