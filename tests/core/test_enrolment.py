"""core.recognizer.Recognizer.enrol: thirty seconds of speech, all or nothing, and what is refused."""

import numpy as np
import pytest

from core.audio import SAMPLE_RATE, Audio, concatenate
from core.embedder import Embedder
from core.errors import DuplicateName, EnrolmentRefused, InvalidName, StoreError, UnknownSpeaker
from core.recognizer import MAX_ENROL_SECONDS, MIN_ENROL_SECONDS, Recognizer


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def empty(embedder, tmp_path) -> Recognizer:
    return Recognizer(tmp_path / "store", embedder=embedder)


def names(answers) -> list[str]:
    return [answer.both.name for answer in answers]


def blocks(sound: Audio, size: int) -> list[Audio]:
    return [Audio(sound.samples[start : start + size]) for start in range(0, len(sound), size)]


def test_enrolment_keeps_six_segments_and_the_windows_between(empty, voice):
    made = empty.enrol("Amina", voice("amina_enrol"), consent=True, source="file amina.opus")
    (person,) = empty.store.embeddings(empty.model_id)
    count = made.profile.segments
    assert count >= 6 and person.kinds == ("segment",) * count + ("window",) * (count - 1)
    assert made.profile.name == "Amina" and made.warnings == [] and len(made.qualities) == count
    assert made.speech == 5.0 * count >= 30 and made.warnings == [] and made.profile.model_id == empty.model_id
    np.testing.assert_allclose(np.linalg.norm(person.cnn, axis=1), 1.0, atol=1e-4)


def test_a_second_session_adds(empty, voice):
    first = empty.enrol("Jo", voice("jo_enrol"), consent=True).profile.segments
    with pytest.raises(DuplicateName):
        empty.enrol("jo", voice("jo_enrol"), consent=True)
    assert empty.enrol("Jo", voice("jo_enrol"), consent=True, again=True).profile.sessions == 2
    assert empty.store.get("Jo").segments == 2 * first
    with pytest.raises(UnknownSpeaker):
        empty.enrol("Mei", voice("jo_enrol"), consent=True, again=True)


def pauses(sound: Audio, every: float, pause: float) -> Audio:
    """The sound with `pause` s of silence after every `every` s."""
    silence = Audio(np.zeros(round(pause * SAMPLE_RATE), np.float32))
    return concatenate([part for block in blocks(sound, round(every * SAMPLE_RATE)) for part in (block, silence)])


def test_thirty_seconds_are_of_speech_not_of_the_clock(empty, voice):
    """36 s of speech spread over two minutes enrol like 36 s in a row."""
    slow = pauses(voice("kofi_enrol"), 3.0, 7.0)
    assert slow.duration > 110
    made = empty.enrol("Kofi", slow, consent=True)
    assert made.profile.segments >= 6
    assert names(empty.identify(voice("kofi_test"))) == ["Kofi"] * 3


def test_a_long_recording_is_not_listened_to_the_end(empty, voice):
    heard = []

    def talk():
        while True:
            heard.append(voice("sven_enrol"))
            yield heard[-1]

    made = empty.enrol("Sven", talk(), consent=True)
    assert made.profile.segments <= MAX_ENROL_SECONDS / 5 + 2 and len(heard) <= 5


REFUSED = {
    "nothing": Audio(np.zeros(0, np.float32)),
    "silence": Audio(np.zeros(60 * SAMPLE_RATE, np.float32)),
    "noise": Audio(np.random.default_rng(0).uniform(-0.3, 0.3, 60 * SAMPLE_RATE).astype(np.float32)),
}


@pytest.mark.parametrize("kind", [*REFUSED, "ten seconds", "too quiet"])
def test_a_refused_enrolment_stores_nothing(empty, voice, kind):
    sound = {
        **REFUSED,
        "ten seconds": voice("amina_enrol").between(0, 10),
        "too quiet": Audio(voice("amina_enrol").samples * np.float32(1e-4)),
    }[kind]
    before = empty.store.revision()
    with pytest.raises(
        EnrolmentRefused, match=rf"only \d+\.\d s of speech in .*{MIN_ENROL_SECONDS:.0f} s needed: go on"
    ):
        empty.enrol("Amina", sound, consent=True)
    assert empty.store.profiles() == [] and empty.store.revision() == before


@pytest.mark.parametrize(("name", "error"), [("", InvalidName), ("x" * 300, InvalidName), ("Unknown", InvalidName)])
def test_a_bad_name_is_refused_before_listening(empty, name, error):
    def never():
        raise AssertionError("listened")
        yield

    with pytest.raises(error):
        empty.enrol(name, never(), consent=True)


def test_no_consent_no_enrolment(empty, voice):
    with pytest.raises(StoreError, match="consent"):
        empty.enrol("Amina", voice("amina_enrol"), consent=False)
    assert empty.store.profiles() == []


def test_a_noisy_enrolment_is_taken_with_a_warning(empty, voice, chance):
    clean = voice("kofi_enrol").samples
    noise = chance.standard_normal(len(clean)).astype(np.float32) * np.sqrt(np.mean(clean**2)) * 10 ** (-6 / 20)
    made = empty.enrol("Kofi", Audio(np.clip(clean + noise, -1, 1)), consent=True)
    assert any("find a quieter place" in warning for warning in made.warnings)


def test_blocks_do_not_matter_to_an_enrolment(empty, voice):
    """Blocks of 10 s, the length speech activity adapts to, or all at once: the same embeddings."""
    whole = empty.enrolment_segments([voice("mei_enrol")])
    parts = empty.enrolment_segments(blocks(voice("mei_enrol"), 10 * SAMPLE_RATE))
    assert len(whole) == len(parts)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.cnn, other.cnn)
