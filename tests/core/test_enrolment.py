"""core.recognizer.Recognizer.enrol: thirty seconds of speech, all or nothing, and what is refused."""

import numpy as np
import pytest

from core.audio import SAMPLE_RATE, Audio, concatenate
from core.embedder import Embedder
from core.enrolment import MAX_ENROL_SECONDS, MIN_ENROL_SECONDS
from core.errors import DuplicateName, EnrolmentRefused, InvalidName, StoreError, UnknownSpeaker, VoiceInDoubt
from core.person_check import check_person
from core.recognizer import Recognizer
from core.rooms import ROOMS
from core.sureness import recommend
from tests.core import voices


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


def test_enrolment_keeps_six_segments_and_the_windows_between_in_every_room(empty, voice):
    made = empty.enrol("Amina", voice("amina_enrol"), consent=True, source="file amina.opus")
    (person,) = empty.store.embeddings(empty.model_id)
    count = made.profile.segments
    assert count >= 6 and person.kinds == ("segment",) * count + ("window",) * (count - 1) * len(ROOMS)
    assert made.profile.name == "Amina" and made.warnings == [] and len(made.qualities) == count
    assert made.speech == 5.0 * count >= 30 and made.warnings == [] and made.profile.model_id == empty.model_id
    np.testing.assert_allclose(np.linalg.norm(person.cnn, axis=1), 1.0, atol=1e-4)


def test_a_second_session_adds(empty, voice):
    first = empty.enrol("Jo", voice("jo_enrol"), consent=True).profile.segments
    with pytest.raises(DuplicateName):
        empty.enrol("jo", voice("jo_enrol"), consent=True)
    other = concatenate([voice("jo_test"), voice("jo_enrol").between(20, 36)])
    made = empty.enrol("jo", other, consent=True, again=True)
    assert made.profile.sessions == 2 and empty.store.get("Jo").segments == first + len(made.qualities)
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
    assert made.profile.segments <= MAX_ENROL_SECONDS / 5 and len(heard) <= 5


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


# -- what keeps a wrong voice out -------------------------------------------------------------------------------------


def refuses(recognizer, error, says, name, sound, **options):
    """The enrolment is refused in these words and changes nothing."""
    before = recognizer.store.revision()
    with pytest.raises(error, match=says) as caught:
        recognizer.enrol(name, sound, consent=True, **options)
    assert caught.type is error and recognizer.store.revision() == before


@pytest.mark.parametrize("share", [0.5, 5 / 6])
def test_two_voices_are_refused(empty, voice, share):
    two = concatenate([voice("amina_enrol").between(0, 36 * share), voice("kofi_enrol").between(0, 36 * (1 - share))])
    refuses(empty, EnrolmentRefused, "not sound like one voice", "Amina", two)


def test_the_same_sound_counts_once(empty, voice):
    part = voice("sven_enrol").between(2, 14)
    quiet = Audio(part.samples * np.float32(0.4))
    refuses(empty, EnrolmentRefused, "repeat the very same sound", "Sven", concatenate([part, quiet, part]))
    made = empty.enrol("Sven", concatenate([voice("sven_enrol"), part]), consent=True)
    assert any("count once" in note for note in made.notes) and "count once" in empty.store.sessions("Sven")[0].remark


def test_bad_segments_are_left_out_and_said(empty, voice):
    good = voice("kofi_enrol")
    clipped = Audio(np.clip(good.between(25, 34).samples * 60, -1, 1))
    made = empty.enrol("Kofi", concatenate([good.between(0, 24), clipped]), consent=True)
    assert any("left out" in note and "clipped" in note for note in made.notes)
    assert all(not one.poor for one in made.qualities)
    refuses(empty, EnrolmentRefused, "good speech.*clipped", "Jo", Audio(np.clip(good.samples * 60, -1, 1)))


def test_a_voice_that_is_known_already_is_put_in_doubt(empty, voice):
    empty.enrol("Jo", voice("jo_enrol"), consent=True)
    other = concatenate([voice("jo_test"), voice("jo_enrol").between(20, 36)])
    refuses(empty, VoiceInDoubt, 'sounds like "Jo", who is enrolled already: add a session', "Robin", other)
    refuses(empty, VoiceInDoubt, 'this very recording is enrolled already as "Jo"', "Robin", voice("jo_enrol"))
    refuses(empty, EnrolmentRefused, "this very recording is part of", "Jo", voice("jo_enrol"), again=True)
    refuses(empty, EnrolmentRefused, "this very recording is part of", "Jo", voice("jo_enrol"), again=True, sure=True)
    refuses(empty, VoiceInDoubt, 'does not sound like "Jo"', "Jo", voice("kofi_enrol"), again=True)
    assert empty.enrol("Robin", other, consent=True, sure=True).profile.name == "Robin"
    empty.enrol("Kofi", voice("kofi_enrol"), consent=True)  # another voice needs no second word


def test_speech_is_kept_only_when_wished_and_renews_a_profile(empty, voice):
    empty.enrol("Jo", voice("jo_enrol"), consent=True, keep_audio=True)
    empty.enrol("Kofi", voice("kofi_enrol"), consent=True)
    (session,), (other,) = empty.store.sessions("Jo"), empty.store.sessions("Kofi")
    assert session.audio and not other.audio
    before = empty.store.embeddings(empty.model_id)[0].segments
    for one in (session, other):
        empty.store.renew_session(one.id, segments=voices.voice(3), model_id="older")
    assert {one.name for one in empty.store.outdated(empty.model_id)} == {"Jo", "Kofi"}
    assert empty.renew("Jo") == 1 and empty.renew("Jo") == 0
    after = empty.store.embeddings(empty.model_id)[0].segments
    assert np.mean(np.sum(before.cnn * after.cnn, axis=1)) > 0.98  # 16 bit and another cut of the pauses
    with pytest.raises(EnrolmentRefused, match="was not kept"):
        empty.renew("Kofi")


def test_the_people_enrolled_are_told_apart_on_themselves(empty, voice, monkeypatch):
    for name in ("Amina", "Kofi"):
        empty.enrol(name, voice(f"{name.lower()}_enrol"), consent=True)
    assert empty.session_gains("Kofi") == []
    empty.enrol(
        *("Kofi", concatenate([voice("kofi_test"), voice("kofi_enrol").between(20, 36)])), consent=True, again=True
    )
    trials = empty.self_check()
    people = [one for one in trials if one.person]
    assert len(people) == sum(one.segments for one in empty.store.profiles()) and all(one.right for one in people)
    strangers = [one for one in trials if not one.person]
    assert len(strangers) == len(empty.embedder.cohort) and np.mean([one.probability_first for one in strangers]) < 0.2
    found = recommend(trials)
    assert found.best.missed == 0.0 and found.best.misnamed < 0.1 and found.corrections == 0
    gains = empty.session_gains("Kofi")
    assert [one.session for one in gains] == [one.id for one in empty.store.sessions("Kofi")]
    assert all(one.without[0] > 0.5 and one.within[1] > 0.5 for one in gains)
    monkeypatch.setattr("core.self_check.MOST_SESSIONS", 1)
    assert empty.session_gains("Kofi") == gains[-1:]
    assert empty.nearest("Kofi")[0] == "Amina"
    kofi = check_person(empty, "Kofi")  # all of those sessions that are looked at
    assert kofi.recognised == kofi.segments == len(empty.store.sessions("Kofi")[-1].qualities)
    empty.store.choose_sureness(0.999999)  # so sure that nobody is named
    amina, kofi = (check_person(empty, name) for name in ("Amina", "Kofi"))
    assert amina.recognised == kofi.recognised == 0
    assert [one.without[0] + one.within[0] for one in kofi.gains] == [0.0]
    assert recommend(empty.self_check()) == found  # whatever was chosen


def test_one_segment_alone_cannot_be_left_out_and_counts_as_no_miss(empty, voice):
    """Its person was said to be recognised in 0 of 1."""
    (segment, *_) = empty.enrolment_segments([voice("jo_enrol")])
    empty.store.add("Jo", segments=[segment], model_id=empty.model_id, source="import", consent=True)
    check = check_person(empty, "Jo")
    assert (check.recognised, check.segments, check.own) == (0, 0, np.inf)


def test_how_sure_to_be_is_followed(empty, voice):
    empty.enrol("Jo", voice("jo_enrol"), consent=True)
    empty.store.choose_sureness(0.95)
    heads = empty.heads()
    assert heads.sureness == 0.95
    chances = np.array([[0.9, 0.1], [0.96, 0.04]])
    assert [str(heads._decision(one)) for one in chances] == [
        "Unknown 0.10 (next: Jo 0.90)",
        "Jo 0.96 (next: Unknown 0.04)",
    ]


def test_blocks_do_not_matter_to_an_enrolment(empty, voice):
    """Blocks of 10 s, the length speech activity adapts to, half seconds or all at once: the same embeddings."""
    whole = empty.enrolment_segments([voice("mei_enrol")])
    for seconds in (10.0, 0.5):
        parts = empty.enrolment_segments(blocks(voice("mei_enrol"), round(seconds * SAMPLE_RATE)))
        assert len(whole) == len(parts)
        for one, other in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(one.cnn, other.cnn)
