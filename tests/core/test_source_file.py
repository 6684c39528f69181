"""A file as a source: ranges of time, and lengths stated by the file."""

import sys

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, concatenate
from core.errors import AudioTooLong, DecodeError, SourceError
from core.sources.file import blocks, check_range, duration

RATE = 8_000  # Hz


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    """10 s whose value at t seconds is t / 20."""
    path = tmp_path_factory.mktemp("sound") / "ramp.flac"
    soundfile.write(path, np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE / 20, SAMPLE_RATE, subtype="PCM_24")
    return path


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (None, None, 0, 10),
        (2.5, None, 2.5, 10),
        (None, 4.0, 0, 4),
        (3.3, 3.4, 3.3, 3.4),
        (2.0, 4.0, 2, 4),
        (9.0, 60.0, 9, 10),
        (0, 0.5, 0, 0.5),
    ],
)
@pytest.mark.parametrize("block_seconds", [0.7, 2.0, 60.0])
def test_blocks_within_a_range(ramp, start, end, first, last, block_seconds):
    parts = list(blocks(ramp, start, end, block_seconds=block_seconds))
    whole = concatenate(parts)
    assert all(part.rate == SAMPLE_RATE and 0 < part.duration <= block_seconds for part in parts)
    assert whole.duration == pytest.approx(last - first, abs=1e-3)
    assert whole.samples[0] == pytest.approx(first / 20, abs=1e-4)
    assert whole.samples[-1] == pytest.approx(last / 20, abs=1e-4)


def test_decoding_stops_at_the_end(ramp):
    with ramp.open("rb") as handle:
        part = next(blocks(handle, 0, 1.0, block_seconds=1.0))
        assert part.duration == 1.0
    source = blocks(ramp, 0, 1.0, block_seconds=0.5)
    assert len(list(source)) == 2


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (5, 5, "an end after the start"),
        (5, 2, "an end after the start"),
        (None, 0, "an end after the start"),
        (-1, None, "seconds from 0 on"),
        (float("nan"), None, "seconds from 0 on"),
        (1e305, None, "seconds from 0 on"),
        (None, float("nan"), "none for the very end"),
        (0, float("inf"), "none for the very end"),
        (0, 1e305, "none for the very end"),
        (12.0, None, "the sound is 00:10 long: a start of 00:12 lies behind it"),
        (11.0, 20.0, "lies behind it"),
    ],
)
def test_a_range_that_makes_no_sense(ramp, start, end, says):
    with pytest.raises(SourceError, match=says):
        list(blocks(ramp, start, end))


def test_range_against_a_known_length():
    check_range(5, 20, 10)
    with pytest.raises(SourceError, match="lies behind"):
        check_range(10, None, 10)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_duration(tmp_path, suffix):
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, np.zeros(3 * RATE), RATE)
    assert duration(path) == pytest.approx(3.0, abs=0.15)


def test_duration_of_what_ffmpeg_reads(tmp_path):
    import av

    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 32_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    assert duration(path) == pytest.approx(2.0, abs=0.15)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_duration_where_the_name_is_no_text(tmp_path):
    path = tmp_path / "gr\udcfc\udcdfe.wav"
    soundfile.write(tmp_path / "plain.wav", np.zeros(3 * RATE), RATE)
    (tmp_path / "plain.wav").rename(path)
    assert duration(path) == pytest.approx(3.0, abs=0.15)


def test_duration_of_no_sound_is_not_known(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear all")
    assert duration(path) is None
    for name in ("missing.wav", "a\0b.wav", "a" * 300 + ".wav"):
        assert duration(tmp_path / name) is None
    with pytest.raises(DecodeError):
        list(blocks(path, 1.0, 2.0))


def test_a_part_of_what_is_longer_than_is_followed(tmp_path):
    """13 hours, of which only the beginning is asked for; the whole is refused at once."""
    path = tmp_path / "conference.wav"
    rate, seconds = 1_000, 13 * 3600
    with soundfile.SoundFile(path, "w", rate, 1, subtype="PCM_U8") as file:
        file.write(np.zeros(0, np.float32))
    header = bytearray(path.read_bytes())
    header[4:8], header[-4:] = (
        (len(header) - 8 + rate * seconds).to_bytes(4, "little"),
        (rate * seconds).to_bytes(4, "little"),
    )
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + rate * seconds)
    assert duration(path) == seconds
    assert sum(len(one) for one in blocks(path, 30.0, 90.0)) == 60 * SAMPLE_RATE
    for end in (None, 12.5 * 3600):
        with pytest.raises(AudioTooLong, match="longer than 12 hours"):
            next(blocks(path, 30.0, end))
