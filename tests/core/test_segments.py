"""core.segments: the 5 s rules, pauses, quality and what a network gets to see of a segment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import segments
from core.activity import ACTIVITY_HOP, PAUSE_KEEP
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio, concatenate, level_dbfs
from core.segments import Quality, Segment, clock, condense, cut, fit, keep, normalise, prepare, quality, spans

ENROLMENTS = ["amina_enrol", "jo_enrol", "kofi_enrol", "mei_enrol", "sven_enrol"]

lengths = st.integers(0, 40 * SAMPLE_RATE)  # samples
near_rules = st.builds(  # around multiples of 2.5 s, where the rules change
    lambda halves, more: max(0, halves * SEGMENT_SAMPLES // 2 + more), st.integers(0, 14), st.integers(-2, 2)
)
moments = st.floats(0, 1000)


def silence(count: int) -> Audio:
    return Audio(np.zeros(count, np.float32))


def numbered(count: int) -> Audio:
    """Samples that say where they are (float32 counts exactly to 2^24)."""
    return Audio(np.arange(count, dtype=np.float32))


def in_samples(span: Segment) -> tuple[int, int]:
    return round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)


# --- Segment --------------------------------------------------------------------------------------------------------


def test_a_segment_is_a_span_of_time():
    span = Segment(5.0, 7.5)
    assert span.duration == 2.5 and span and 5.0 in span and 7.4 in span and 7.5 not in span
    assert not Segment(5.0, 5.0) and not Segment(5.0, 4.0)
    assert span & Segment(6.0, 9.0) == Segment(6.0, 7.5)
    assert not span & Segment(8.0, 9.0)
    assert str(Segment(0, 5)) == "00:00-00:05"
    assert Segment(0, 5) < Segment(0, 6) < Segment(1, 2)


@given(moments, moments, moments, moments)
def test_the_common_part_lies_in_both(a, b, c, d):
    one, two = Segment(min(a, b), max(a, b)), Segment(min(c, d), max(c, d))
    common = one & two
    assert common == two & one
    if common:
        assert max(one.start, two.start) <= common.start < common.end <= min(one.end, two.end)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00"),
        (5, "00:05"),
        (59.4, "00:59"),
        (59.6, "01:00"),
        (725, "12:05"),
        (3600, "1:00:00"),
        (37230, "10:20:30"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


# --- spans and cut -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "ends"),
    [
        (0.0, []),
        (0.5, [0.5]),
        (2.4, [2.4]),
        (5.0, [5]),
        (7.4, [7.4]),
        (7.5, [5, 7.5]),
        (9.9, [5, 9.9]),
        (12.4, [5, 12.4]),
        (12.5, [5, 10, 12.5]),
        (15.0, [5, 10, 15]),
    ],
)
def test_rests_of_two_and_a_half_seconds_stand_alone(seconds, ends):
    assert [span.end for span in spans(seconds)] == pytest.approx(ends)


@given(st.one_of(lengths, near_rules))
def test_spans_cover_the_recording_once(count):
    found = [in_samples(span) for span in spans(count / SAMPLE_RATE)]
    if count == 0:
        assert found == []
        return
    assert found[0][0] == 0 and found[-1][1] == count
    for (_, end), (start, _) in zip(found, found[1:], strict=False):
        assert end == start
    *full, (start, end) = found
    assert all(last - first == SEGMENT_SAMPLES for first, last in full)
    least = SEGMENT_SAMPLES // 2 if full else 1
    assert least <= end - start < SEGMENT_SAMPLES * 3 // 2


@given(st.one_of(lengths, near_rules), st.lists(st.integers(0, 8 * SAMPLE_RATE), max_size=12))
def test_cut_is_spans_whatever_the_blocks(count, sizes):
    whole = numbered(count)
    blocks, position = [], 0
    for size in sizes:
        blocks.append(Audio(whole.samples[position : position + size]))
        position += size
    blocks.append(Audio(whole.samples[position:]))
    pieces = list(cut(blocks))
    assert [in_samples(span) for span, _ in pieces] == [in_samples(span) for span in spans(count / SAMPLE_RATE)]
    for span, piece in pieces:
        first, last = in_samples(span)
        assert len(piece) == last - first
        assert piece.samples[0] == first and piece.samples[-1] == last - 1
    assert sum(len(piece) for _, piece in pieces) == count


def test_cut_answers_as_soon_as_it_can():
    """A segment comes once 7.5 s are there, not at the end of the recording."""
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield silence(SAMPLE_RATE)

    pieces = cut(blocks())
    assert next(pieces)[0] == Segment(0.0, 5.0) and taken == 8
    assert next(pieces)[0] == Segment(5.0, 10.0) and taken == 13


# --- pauses ---------------------------------------------------------------------------------------------------------

masks = st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=12).map(
    lambda runs: np.repeat([value for value, _ in runs], [count for _, count in runs]).astype(bool)
)


@given(masks, st.integers(0, ACTIVITY_HOP - 1))
def test_keep_takes_speech_and_its_neighbourhood(mask, more):
    sound = numbered(len(mask) * ACTIVITY_HOP + more)
    kept = keep(sound, mask)
    assert len(kept) <= len(sound)
    assert (np.diff(kept.samples) > 0).all()  # in order, nothing twice
    frames = np.unique(kept.samples[: len(kept) // ACTIVITY_HOP * ACTIVITY_HOP].astype(int) // ACTIVITY_HOP)
    near = [i for i in range(len(mask)) if mask[max(0, i - PAUSE_KEEP) : i + PAUSE_KEEP + 1].any()]
    np.testing.assert_array_equal(frames, near)


def test_a_pause_of_320_ms_stays_and_a_longer_one_shrinks_to_it():
    mask = np.zeros(300, bool)
    mask[:100] = mask[132:200] = mask[260:] = True
    kept = keep(numbered(300 * ACTIVITY_HOP), mask)
    assert len(kept) == (300 - (60 - 2 * PAUSE_KEEP)) * ACTIVITY_HOP


@pytest.mark.parametrize("name", ENROLMENTS)
@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.3, 5.0, 30.003])
def test_condense_never_lengthens(voice, name, seconds):
    sound = voice(name).between(0, seconds)
    shorter, speech = condense(sound)
    assert len(shorter) <= len(sound)
    assert 0.0 <= speech <= shorter.duration + 1e-9


def test_condense_cuts_a_long_pause_and_only_that(voice):
    sentence = voice("amina_test").between(0.0, 4.0)
    alone, speech = condense(sentence)
    both, more = condense(concatenate([sentence, silence(3 * SAMPLE_RATE), sentence]))
    assert both.duration == pytest.approx(2 * alone.duration, abs=0.5)
    assert more == pytest.approx(2 * speech, abs=0.2)


def test_condense_of_silence_and_noise_is_nothing(chance):
    for sound in (silence(0), silence(100), silence(SEGMENT_SAMPLES)):
        shorter, speech = condense(sound)
        assert len(shorter) == 0 and speech == 0.0
    assert condense(Audio(chance.standard_normal(SEGMENT_SAMPLES) * 0.05))[1] < 0.1


@pytest.mark.parametrize("name", ENROLMENTS)
def test_an_example_enrolment_gives_six_segments(voice, name):
    pieces = list(segments.speech_segments([voice(name)]))
    full = [piece for span, piece in pieces if span.duration == 5.0]
    assert len(full) >= 6
    for piece in full:
        prepared = prepare(piece)
        assert prepared is not None and prepared.shape == (SEGMENT_SAMPLES,)
        assert quality(piece).problems() == []


def test_speech_segments_skip_an_hour_of_silence(voice):
    sentence = voice("jo_test").between(0, 12)
    minutes = [silence(60 * SAMPLE_RATE)] * 5
    spread = sum(len(piece) for _, piece in segments.speech_segments([sentence, *minutes, sentence]))
    together = sum(len(piece) for _, piece in segments.speech_segments([sentence, sentence]))
    assert spread == together


# --- quality --------------------------------------------------------------------------------------------------------


def test_good_speech_has_no_problems(voice):
    judged = quality(voice("kofi_test").between(0, 5))
    assert judged.enough and judged.problems() == []
    assert 3.5 < judged.speech <= 5.0 and -25 < judged.level < -15 and judged.clipped == 0.0 and judged.snr > 15


def test_clipping_is_seen(voice):
    sound = voice("kofi_test").between(0, 5)
    judged = quality(Audio(np.clip(sound.samples * 10, -1, 1)))
    assert judged.clipped > 0.02
    assert any("clipped" in problem and "lower the input level" in problem for problem in judged.problems())


def test_a_quiet_voice_is_seen(voice):
    judged = quality(Audio(voice("kofi_test").between(0, 5).samples * np.float32(0.03)))
    assert judged.enough
    assert any("very quiet" in problem for problem in judged.problems())


@pytest.mark.parametrize("snr", [5, 10, 20])
def test_noise_is_measured(voice, chance, snr):
    """The estimate follows white noise added at a known level within 3 dB (noise counts in speech and floor alike)."""
    sound = voice("kofi_test").between(0, 5)
    noise = chance.standard_normal(len(sound)) * 10 ** ((quality(sound).level - snr) / 20)
    judged = quality(Audio(np.clip(sound.samples + noise, -1, 1)))
    assert judged.snr == pytest.approx(snr, abs=3)
    assert any("noisy" in problem for problem in judged.problems()) == (judged.snr < 8)


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.5, 5.0])
def test_silence_is_not_enough_speech(seconds):
    judged = quality(silence(round(seconds * SAMPLE_RATE)))
    assert not judged.enough and judged.speech == 0.0
    assert judged.problems() == ["only 0.0 s of speech: speak on, or move closer"]


@pytest.mark.parametrize(("speech", "enough"), [(0.0, False), (0.99, False), (1.0, True), (5.0, True)])
def test_one_second_of_speech_is_enough(speech, enough):
    assert Quality(speech=speech, level=-20, clipped=0, snr=30).enough == enough


# --- what a network sees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.001, 0.1, 1.0])
def test_normalise_sets_the_level(voice, gain):
    samples = normalise(voice("mei_test").samples * np.float32(gain))
    assert samples.dtype == np.float32
    assert level_dbfs(samples) == pytest.approx(segments.TARGET_LEVEL_DBFS, abs=0.01)
    assert np.isfinite(normalise(np.zeros(100, np.float32))).all()


@given(st.one_of(st.integers(1, 400), st.integers(1, 2 * SEGMENT_SAMPLES)))
def test_fit_repeats_what_is_short_and_cuts_what_is_long(count):
    samples = np.arange(count, dtype=np.float32)
    fitted = fit(samples)
    assert fitted.shape == (SEGMENT_SAMPLES,) and fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted, np.arange(SEGMENT_SAMPLES) % count)


def test_fit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="zero samples"):
        fit(np.zeros(0, np.float32))


@pytest.mark.parametrize("seconds", [1.5, 2.5, 5.0, 7.4])
@pytest.mark.parametrize("name", ENROLMENTS)
def test_prepared_segments_have_one_shape_and_level(voice, name, seconds):
    prepared = prepare(voice(name).between(0.1, 0.1 + seconds))
    assert prepared.shape == (SEGMENT_SAMPLES,) and prepared.dtype == np.float32 and prepared.flags.c_contiguous
    assert level_dbfs(prepared) == pytest.approx(segments.TARGET_LEVEL_DBFS, abs=1.0)


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.5, 0.9])
def test_half_a_second_of_speech_is_not_prepared(voice, seconds):
    sound = concatenate([voice("amina_test").between(0.2, 0.2 + seconds), silence(4 * SAMPLE_RATE)])
    prepared, judged = segments.prepare_judged(sound)
    assert prepared is None and prepare(sound) is None
    assert not judged.enough and judged.speech < 1.0


def test_noise_is_not_prepared(chance):
    assert prepare(Audio(chance.standard_normal(SEGMENT_SAMPLES) * 0.1)) is None
    assert prepare(silence(SEGMENT_SAMPLES)) is None


def test_silence_around_a_voice_does_not_reach_the_network(voice):
    """Speech with two seconds of digital silence behind it is prepared as the speech alone, repeated."""
    sentence = voice("amina_test").between(0.1, 3.0)
    prepared = prepare(concatenate([sentence, silence(2 * SAMPLE_RATE)]))
    quietest = min(level_dbfs(prepared[i : i + SAMPLE_RATE // 2]) for i in range(0, SEGMENT_SAMPLES - 8000, 800))
    assert quietest > -45  # half a second of silence would be -120


@pytest.mark.parametrize("block_seconds", [0.3, 0.5, 1.0, 4.0])
def test_short_blocks_are_judged_together(voice, block_seconds):
    """A pause with a mains hum, judged by itself, would be counted as speech."""
    said = voice("amina_enrol")
    parts = [part for start in range(0, 30, 3) for part in (said.between(start, start + 3), silence(3 * SAMPLE_RATE))]
    sound = concatenate(parts)
    hum = 0.0045 * np.sin(2 * np.pi * 100 * np.arange(len(sound)) / SAMPLE_RATE)
    sound = Audio(sound.samples + hum.astype(np.float32))
    whole = concatenate(list(segments.condense_long([sound])))
    starts = np.arange(0, sound.duration, block_seconds)
    blocks = (sound.between(start, start + block_seconds) for start in starts)
    assert 20 < whole.duration < 36
    np.testing.assert_array_equal(concatenate(list(segments.condense_long(blocks))).samples, whole.samples)


def test_short_recordings_are_judged_by_themselves(voice):
    """Beside a loud one a quiet one would be taken for a pause."""
    clips = [voice(name).between(2, 10) for name in ("amina_enrol", "jo_enrol", "kofi_enrol")]
    clips[1] = Audio(clips[1].samples * np.float32(0.01))
    alone = [segments.condense(clip)[0].duration for clip in clips]
    assert min(alone) > 4
    assert [part.duration for part in segments.condense_long(clips)] == alone
