"""Holes in a container's time stamps: what follows is heard where a player has it, and broken stamps change nothing."""

import io
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest

from core.audio import MAX_SECONDS, SAMPLE_RATE, decode, stream
from core.cut_off import CutOff
from core.ffmpeg_worker import decoded

RATE, SIZE = 48_000, 960
FORMATS = [("webm", "libopus"), ("matroska", "flac"), ("mp4", "aac")]


def recorded(form: str, codec: str, *spans: tuple[float, float, int], moved=lambda number: 0.0) -> bytes:
    """Tones of (start, seconds, Hz), each at its place. `moved(number of the packet)`: s added to its time stamp."""
    target, made = io.BytesIO(), []
    with av.open(target, "w", format=form) as file:
        track = file.add_stream(codec, rate=RATE, layout="mono")
        size = track.codec_context.frame_size or SIZE
        for start, seconds, pitch in spans:
            tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)
            for first in range(0, len(tone) // size * size, size):
                values = tone[None, first : first + size]
                values = (values * 32767).astype(np.int16) if codec != "aac" else values.astype(np.float32)
                frame = av.AudioFrame.from_ndarray(values, format="fltp" if codec == "aac" else "s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = round(start * RATE) + first
                made += track.encode(frame)
        for number, packet in enumerate([*made, *track.encode(None)]):
            for stamp in ("pts", "dts"):
                setattr(packet, stamp, getattr(packet, stamp) + round(moved(number) / packet.time_base))
            file.mux(packet)
    return target.getvalue()


def heard(content: bytes) -> tuple[np.ndarray, list[CutOff]]:
    told = []
    return np.concatenate([part.samples for part in stream(content, cut_off=told.append)]), told


def loud(samples: np.ndarray, start: float, end: float) -> float:
    """The part of it that is no silence."""
    return float(np.mean(np.abs(samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]) > 1e-4))


@pytest.mark.parametrize(("form", "codec"), FORMATS)
def test_what_follows_a_hole_keeps_its_time(form, codec):
    samples, told = heard(recorded(form, codec, (0.0, 2.0, 300), (12.0, 2.0, 600)))
    assert len(samples) / SAMPLE_RATE == pytest.approx(14.0, abs=0.1) and told == []
    assert loud(samples, 0.1, 1.9) > 0.9 and loud(samples, 2.1, 11.9) < 0.01 and loud(samples, 12.1, 13.9) > 0.9
    spectrum = np.abs(np.fft.rfft(samples[round(12.5 * SAMPLE_RATE) :][:SAMPLE_RATE]))
    assert np.argmax(spectrum) == pytest.approx(600, abs=2)


@pytest.mark.parametrize(("form", "codec"), FORMATS[:2])
def test_sound_that_begins_late_begins_late(form, codec):
    samples, told = heard(recorded(form, codec, (3.0, 2.0, 300)))
    assert len(samples) / SAMPLE_RATE == pytest.approx(5.0, abs=0.1) and told == []
    assert loud(samples, 0.0, 2.9) < 0.01 and loud(samples, 3.1, 4.9) > 0.9


def test_mp4_counts_from_its_first_stamp():
    samples, told = heard(recorded("mp4", "aac", (3600.0, 2.0, 300), (3612.0, 2.0, 600)))
    assert len(samples) / SAMPLE_RATE == pytest.approx(14.0, abs=0.1) and told == []
    assert loud(samples, 0.1, 1.9) > 0.9 and loud(samples, 2.1, 11.9) < 0.01 and loud(samples, 12.1, 13.9) > 0.9


@pytest.mark.parametrize(
    "moved",
    [
        lambda number: 0.05 * (number % 2),  # they tremble
        lambda number: 0.001 * number,  # another clock
        lambda number: 0.15 * (number // 5),  # short holes, 1.8 s in all
    ],
)
def test_small_differences_change_no_sample_and_raise_no_suspicion(moved):
    plain, moved = (recorded("matroska", "flac", (0.0, 6.0, 300), moved=how) for how in (lambda number: 0.0, moved))
    (samples, told), (expected, _) = heard(moved), heard(plain)
    np.testing.assert_array_equal(samples, expected)
    assert told == []


def test_a_stamp_behind_the_stated_end_is_broken():
    content = bytearray(recorded("matroska", "flac", (0.0, 2.0, 300), (12.0, 2.0, 600)))
    place = content.index(b"DURATION") + len("DURATION")
    place = content.index(b"00:00:1", place)
    content[place : place + 12] = b"00:00:05.000"
    place = content.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a number of 8 bytes
    content[place : place + 8] = np.array([5000.0], ">f8").tobytes()
    samples, _ = heard(bytes(content))
    assert len(samples) / SAMPLE_RATE == pytest.approx(4.0, abs=0.1)


def test_stamps_that_lead_backwards_add_nothing():
    content = recorded("matroska", "flac", (0.0, 2.0, 300), moved=lambda number: -1.0 if 50 <= number < 55 else 0.0)
    assert len(decode(content)) / SAMPLE_RATE == pytest.approx(2.0, abs=0.05)


def test_a_recording_with_a_hole_that_breaks_off_is_still_noticed():
    content = recorded("matroska", "flac", (0.0, 3.0, 300), (8.0, 12.0, 600))
    samples, told = heard(content[: len(content) // 2])
    assert told == [CutOff(len(samples) / SAMPLE_RATE, pytest.approx(20.0, abs=0.1))]
    assert 8.0 < len(samples) / SAMPLE_RATE < 18.0


def test_hours_of_silence_are_given_second_by_second():
    """And no more of them than any recording may have."""
    late = recorded("matroska", "flac", (0.0, 1.0, 300), (11 * 3600.0, 1.0, 300))
    messages = islice(decoded(io.BytesIO(late)), 5000)
    lengths = [len(one) for one in messages if isinstance(one, np.ndarray)]
    assert max(lengths) <= SAMPLE_RATE < 4000 * SAMPLE_RATE < sum(lengths)
    too_late = recorded("matroska", "flac", (0.0, 1.0, 300), (MAX_SECONDS + 60.0, 1.0, 300))
    assert decode(too_late).duration == pytest.approx(2.0, abs=0.1)
