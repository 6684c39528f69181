"""core.audio: every format and rate becomes the same 16 kHz sound; broken files say so."""

import errno
import io
import os
import shutil
import struct
import tempfile
import time
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr

from core import audio, ffmpeg
from core.audio import SAMPLE_RATE, Audio, concatenate, decode, level_dbfs, stream, to_mono
from core.cut_off import Ending
from core.errors import AudioTooLong, DecodeError

SECONDS = 3.0  # s of a real voice that go through every format
MIN_CORRELATION = 0.99
MAX_DRIFT = 0.05  # s of difference in length that a format may make (codec frames)
MAX_DELAY = 0.1  # s that a codec may delay
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


@pytest.fixture(scope="module")
def original(voice) -> np.ndarray:
    return voice("amina_test").between(1.0, 1.0 + SECONDS).samples


def at_rate(samples: np.ndarray, rate: int, channels: int) -> np.ndarray:
    """float32 (n, channels) at `rate`, the same in every channel, headroom for codecs."""
    return np.repeat(0.7 * soxr.resample(samples, SAMPLE_RATE, rate)[:, None], channels, axis=1)


def by_soundfile(samples: np.ndarray, rate: int, **options) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **options)
    return buffer.getvalue()


def by_ffmpeg(samples: np.ndarray, rate: int, container: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    layout = LAYOUTS[samples.shape[1]]
    with av.open(buffer, "w", format=container) as file:
        track = file.add_stream(codec, rate=rate, layout=layout)
        track.bit_rate = 64_000 * samples.shape[1]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        resampler = av.AudioResampler(format=track.codec_context.format, layout=layout, rate=rate)
        for part in resampler.resample(frame):
            file.mux(track.encode(part))
        file.mux(track.encode(None))
    return buffer.getvalue()


def wav_header(rate: int, size: int) -> bytes:
    """The 44 bytes before `size` bytes of 16-bit mono."""
    form = (1, 1, rate, rate * 2, 2, 16)
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, *form, b"data", size)


def assert_same_sound(decoded: Audio, original: np.ndarray, *, through: int = SAMPLE_RATE):
    """Equal but for level and a codec's delay; `through`: the rate it went through, which may have cut its band."""
    assert decoded.rate == SAMPLE_RATE and decoded.samples.dtype == np.float32 and decoded.samples.ndim == 1
    assert abs(decoded.duration - len(original) / SAMPLE_RATE) <= MAX_DRIFT
    assert np.abs(decoded.samples).max() <= 1.0
    if through < SAMPLE_RATE:
        original = soxr.resample(soxr.resample(original, SAMPLE_RATE, through), through, SAMPLE_RATE)
    size = 1 << (len(original) + len(decoded)).bit_length()
    product = np.fft.irfft(np.fft.rfft(decoded.samples, size) * np.conj(np.fft.rfft(original, size)), size)
    delay = (int(np.argmax(product)) + size // 2) % size - size // 2
    assert abs(delay) <= MAX_DELAY * SAMPLE_RATE
    late, early = (decoded.samples, original) if delay >= 0 else (original, decoded.samples)
    late = late[abs(delay) :]
    count = min(len(late), len(early))
    assert count > 0.9 * len(original)
    assert np.corrcoef(late[:count], early[:count])[0, 1] > MIN_CORRELATION


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channel_count(original, rate, channels):
    data = by_soundfile(at_rate(original, rate, channels), rate, format="WAV", subtype="PCM_16")
    assert_same_sound(decode(data), original, through=rate)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_any_bit_depth(original, subtype, rate):
    data = by_soundfile(at_rate(original, rate, 2), rate, format="WAV", subtype=subtype)
    assert_same_sound(decode(data), original)


@pytest.mark.parametrize(
    ("container", "subtype", "rate", "channels"),
    [
        ("FLAC", "PCM_16", 44_100, 2),
        ("FLAC", "PCM_24", 96_000, 6),
        ("FLAC", "PCM_16", 11_025, 1),
        ("OGG", "VORBIS", 44_100, 2),
        ("OGG", "VORBIS", 22_050, 1),
        ("OGG", "VORBIS", 48_000, 6),
        ("OGG", "OPUS", 48_000, 2),
        ("OGG", "OPUS", 16_000, 1),
        ("OGG", "OPUS", 8_000, 1),
        ("MP3", "MPEG_LAYER_III", 44_100, 2),
        ("MP3", "MPEG_LAYER_III", 22_050, 1),
        ("MP3", "MPEG_LAYER_III", 48_000, 1),
        ("AIFF", "PCM_16", 44_100, 2),
    ],
)
def test_formats_of_libsndfile(original, container, subtype, rate, channels):
    data = by_soundfile(at_rate(original, rate, channels), rate, format=container, subtype=subtype)
    assert_same_sound(decode(data), original, through=rate)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "channels"),
    [
        ("ipod", "aac", 44_100, 1),  # .m4a
        ("ipod", "aac", 44_100, 2),
        ("ipod", "aac", 48_000, 6),
        ("ipod", "aac", 22_050, 1),
        ("ipod", "aac", 96_000, 2),
        ("ipod", "alac", 44_100, 2),
        ("webm", "libopus", 48_000, 1),
        ("webm", "libopus", 48_000, 2),
        ("webm", "libopus", 16_000, 1),
        ("matroska", "libopus", 48_000, 6),
    ],
)
def test_formats_of_ffmpeg(original, container, codec, rate, channels):
    data = by_ffmpeg(at_rate(original, rate, channels), rate, container, codec)
    assert_same_sound(decode(data), original, through=rate)


def test_stereo_192_khz_24_bit(original):
    data = by_soundfile(at_rate(original, 192_000, 2), 192_000, format="WAV", subtype="PCM_24")
    assert_same_sound(decode(data), original)


def test_path_bytes_and_file_object_are_one(samples):
    path = samples / "jo_test.opus"
    with path.open("rb") as file:
        sounds = [decode(path), decode(str(path)), decode(path.read_bytes()), decode(file)]
        assert not file.closed  # it is the caller's
    for sound in sounds[1:]:
        np.testing.assert_array_equal(sound.samples, sounds[0].samples)


def test_the_name_does_not_decide(samples, tmp_path):
    """A file with a wrong or no suffix decodes by its content."""
    for name in ("voice.wav", "voice"):
        (tmp_path / name).write_bytes((samples / "jo_test.opus").read_bytes())
        assert decode(tmp_path / name).duration > 10


def test_one_voice_in_one_channel_is_heard(original):
    """Mono is the mean of the channels: a voice on the left alone stays the same voice."""
    both = at_rate(original, 48_000, 2)
    both[:, 1] = 0
    assert_same_sound(decode(by_soundfile(both, 48_000, format="WAV")), original)


def wav(original) -> bytes:
    return by_soundfile(original, SAMPLE_RATE, format="WAV")


@pytest.mark.parametrize("cut", [1, 4, 11, 20, 43])
def test_a_cut_off_header_is_refused(original, cut):
    with pytest.raises(DecodeError):
        decode(wav(original)[:cut])


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("webm", "libopus")])
def test_a_cut_off_container_is_refused_or_short(original, container, codec):
    """M4A keeps its index at the end and is lost without it; WebM plays as far as it goes."""
    data = by_ffmpeg(at_rate(original, 48_000, 1), 48_000, container, codec)
    if container == "ipod":
        with pytest.raises(DecodeError, match="not audio that can be read"):
            decode(data[: len(data) // 2])
    else:
        assert 0.2 * SECONDS < decode(data[: len(data) // 2]).duration < 0.8 * SECONDS
    with pytest.raises(DecodeError):
        decode(data[:60])


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("matroska", "aac"), ("adts", "aac")])
def test_a_damaged_packet_is_passed_over(original, container, codec):
    """As players do: what follows is heard, and nothing is said to break off."""
    data = bytearray(by_ffmpeg(at_rate(np.tile(original, 4), 48_000, 1), 48_000, container, codec))
    for place in range(len(data) // 2, len(data) // 2 + 4):
        data[place] ^= 0xFF
    said = []
    heard = concatenate(list(stream(bytes(data), cut_off=said.append)))
    assert heard.duration > 4 * SECONDS - 1.0 and not [one for one in said if one.found < 4 * SECONDS - 1.0]


def test_channels_and_rate_may_change_on_the_way(original):
    """Television, and recordings that were joined byte by byte."""
    parts = [(48_000, 2), (48_000, 1), (44_100, 1)]
    data = b"".join(by_ffmpeg(at_rate(original, rate, channels), rate, "adts", "aac") for rate, channels in parts)
    assert decode(data).duration == pytest.approx(3 * SECONDS, abs=0.3)


@pytest.mark.parametrize(("whole", "sound"), [(36, 0), (0, 0), (0xFFFFFFFF, 0)])
def test_a_wav_whose_recorder_died_before_it_wrote_the_length(original, whole, sound):
    content = bytearray(wav_header(SAMPLE_RATE, 0) + (original * 32_767).astype("<i2").tobytes())
    struct.pack_into("<I", content, 4, whole)
    struct.pack_into("<I", content, 40, sound)
    said = []
    heard = concatenate(list(stream(bytes(content), cut_off=said.append)))
    assert_same_sound(heard, original)
    assert len(said) == 1  # it is not whole


def test_a_wav_without_sound_says_so():
    with pytest.raises(DecodeError, match="holds no sound: zero samples were decoded; record again"):
        decode(wav_header(SAMPLE_RATE, 0))


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")],
)
def test_a_cut_off_recording_plays_as_far_as_it_goes(original, container, subtype):
    data = by_soundfile(np.tile(original, 4), SAMPLE_RATE, format=container, subtype=subtype)
    short = decode(data[: len(data) // 2])
    assert 0.2 * 4 * SECONDS < short.duration < 0.8 * 4 * SECONDS


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (b"This is a letter, not a recording. " * 100, "is not audio that can be read"),
        (b"\x00" * 10_000, "is not audio that can be read"),
        (bytes(range(256)) * 64, "is not audio that can be read"),
        (b"%PDF-1.7\n" + b"stream " * 500, "is not audio that can be read"),
        (b"RIFF\x00\x00\x00\x00WAVE", ""),
    ],
    ids=["empty", "text", "zeros", "bytes", "pdf", "riff-only"],
)
def test_what_is_no_sound_is_refused_with_a_sentence(tmp_path, content, says):
    path = tmp_path / "voice.wav"
    path.write_bytes(content)
    with pytest.raises(DecodeError) as caught:
        decode(path)
    message = str(caught.value)
    assert message.startswith("voice.wav ") and says in message
    assert "\n" not in message and len(message.split()) >= 5


def test_other_refusals(tmp_path):
    with pytest.raises(DecodeError, match="is a folder"):
        decode(tmp_path)
    with pytest.raises(DecodeError, match="cannot be read"):
        decode(tmp_path / "nowhere.wav")
    with pytest.raises(DecodeError, match="holds no sound"):
        decode(by_soundfile(np.zeros(0, np.float32), SAMPLE_RATE, format="WAV"))


def test_a_film_without_sound_is_refused():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        track = file.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    with pytest.raises(DecodeError, match="no sound track"):
        decode(buffer.getvalue())


@pytest.mark.parametrize("rate", [500, 2_000_000])
def test_an_absurd_rate_is_refused(rate):
    with pytest.raises(DecodeError, match=f"{rate} Hz"):
        decode(wav_header(rate, 2000) + b"\x01\x00" * 1000)


def test_three_hours_stream_in_bounded_memory(tmp_path, original):
    """A sparse 3-hour WAV with a voice in its last seconds: all of it passes, never much at once."""
    path, hours = tmp_path / "long.wav", 3
    size = hours * 3600 * SAMPLE_RATE * 2
    ending = (original * 32767).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(wav_header(SAMPLE_RATE, size))
        file.seek(44 + size - len(ending))
        file.write(ending)
    began, total, longest = time.monotonic(), 0, 0
    tracemalloc.start()
    try:
        for block in stream(path):
            total, longest = total + len(block), max(longest, len(block))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == hours * 3600 * SAMPLE_RATE
    assert longest == audio.BLOCK_SECONDS * SAMPLE_RATE
    assert peak < 32e6, f"{peak / 1e6:.0f} MB at once"  # all of it would be 691 MB
    assert time.monotonic() - began < 60
    np.testing.assert_allclose(block.samples[-len(original) :], original, atol=1e-4)
    with pytest.raises(AudioTooLong, match="longer than 30 minutes"):
        decode(path)
    with pytest.raises(AudioTooLong, match="long.wav is longer than 1 hours"):
        list(stream(path, max_seconds=3600))


@pytest.mark.parametrize("seconds", [0.01, 0.7, 5.0, 1000.0])
def test_stream_is_decode_in_pieces(samples, voice, seconds):
    blocks = list(stream(samples / "kofi_test.opus", block_seconds=seconds))
    assert all(len(block) == round(seconds * SAMPLE_RATE) for block in blocks[:-1])
    assert 0 < len(blocks[-1]) <= round(seconds * SAMPLE_RATE)
    np.testing.assert_array_equal(concatenate(blocks).samples, voice("kofi_test").samples)


@pytest.mark.parametrize("values", [5_000, 123_457])
def test_reading_in_pieces_leaves_no_seam(samples, voice, monkeypatch, values):
    """Opus lost 6.5 ms at each seam while soundfile's own block reader was used."""
    monkeypatch.setattr(audio, "READ_VALUES", values)
    np.testing.assert_array_equal(decode(samples / "jo_enrol.opus").samples, voice("jo_enrol").samples)


def test_both_decoders_agree(samples, voice):
    """The whole of an Opus file through FFmpeg is what libsndfile makes of it, one constant delay aside."""
    with (samples / "jo_enrol.opus").open("rb") as file:
        other = np.concatenate(list(ffmpeg.pieces(file, "jo_enrol.opus", Ending())))
    assert_same_sound(Audio(other), voice("jo_enrol").samples)


def test_a_stream_left_early_closes_its_file(samples, tmp_path):
    path = tmp_path / "voice.opus"
    path.write_bytes((samples / "jo_test.opus").read_bytes())
    blocks = stream(path, block_seconds=1)
    next(blocks)
    blocks.close()  # an open handle would be a ResourceWarning, and warnings are errors here
    path.unlink()
    assert not path.exists()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 128, 255], np.uint8), [-1, 0, 127 / 128]),
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1, 0.5]),
        (np.array([np.nan, np.inf, -np.inf, 2.0], np.float64), [0, 1, -1, 1]),
        (np.array([[0.5, -0.5], [1.0, 0.0]], np.float32), [0, 0.5]),
    ],
    ids=["uint8", "int16", "int32", "not-finite", "stereo"],
)
def test_to_mono(values, expected):
    np.testing.assert_allclose(to_mono(values), np.float32(expected))
    assert to_mono(values).dtype == np.float32


def test_audio_carries_its_rate():
    sound = Audio(np.arange(8_000) / 8_000, 8_000)
    assert sound.duration == 1.0 and len(sound) == 8_000 and sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.between(0.25, 0.5).samples, sound.samples[2_000:4_000])
    assert len(sound.between(0.5, 9.0)) == 4_000 and len(sound.between(-1.0, 0.5)) == 4_000
    assert len(sound.between(2.0, 3.0)) == 0
    with pytest.raises(ValueError, match="must be mono"):
        Audio(np.zeros((2, 100)))
    with pytest.raises(ValueError, match="different rates"):
        concatenate([sound, Audio(np.zeros(1))])
    assert len(concatenate([])) == 0


@pytest.mark.parametrize("samples", [None, ["a", "b"], np.ones(10) * 1j], ids=str)
@pytest.mark.parametrize("rate", [0, -16_000, np.nan, np.inf, None, "16000", 1j])
def test_what_is_no_number_is_no_sound(samples, rate):
    """Resampling from a rate that is no number never ended."""
    with pytest.raises(ValueError, match="must be real numbers"):
        Audio(samples)
    with pytest.raises(ValueError, match="cannot be: give Hz"):
        Audio(np.zeros(10), rate)


@pytest.mark.parametrize("rate", [1, 999, 10**9])
def test_a_rate_of_no_sound_is_refused_before_any_work(rate):
    """One second of 16 kHz is four hours at 1 Hz, and would fill the memory; nor is the file too long."""
    for of in (
        lambda: audio.resample(Audio(np.zeros(300_000), rate)),
        lambda: decode(wav_header(rate, 10**6) + bytes(10**6)),
    ):
        with pytest.raises(DecodeError, match=f"a sample rate of {rate} Hz is outside 1 to 768 kHz"):
            of()


def test_a_disk_that_fails_is_one_sentence():
    class Failing(io.BytesIO):
        def read(self, *size):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(DecodeError, match="cannot be read: Input/output error"):
        decode(Failing())


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_resampling_keeps_a_tone(rate):
    """1 kHz stays 1 kHz at the same level."""
    tone = Audio(0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate), rate)
    heard = audio.resample(tone)
    assert abs(heard.duration - 1.0) < 0.001
    assert np.argmax(np.abs(np.fft.rfft(heard.samples, SAMPLE_RATE))) == 1000
    assert level_dbfs(heard.samples) == pytest.approx(level_dbfs(tone.samples), abs=0.1)


def test_level():
    assert level_dbfs(np.ones(100, np.float32)) == 0.0
    assert level_dbfs(np.sin(np.linspace(0, 200 * np.pi, 100_000))) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(np.zeros(100)) == level_dbfs(np.zeros(0)) == -120.0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(DecodeError, match="pipe or a device"):
        decode(tmp_path / "pipe.wav")


@pytest.mark.parametrize("name", ["a" * 300 + ".wav", "a\0b.wav"], ids=["long", "null"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    with pytest.raises(DecodeError, match="cannot be read: "):
        decode(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX users")
def test_a_folder_that_may_not_be_entered_is_one_sentence(samples):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(samples / "jo_test.opus", folder)
        Path(folder).chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may enter anywhere: try as nobody
        try:
            with pytest.raises(DecodeError, match="jo_test.opus cannot be read: Permission denied"):
                decode(Path(folder) / "jo_test.opus")
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            Path(folder).chmod(0o700)
