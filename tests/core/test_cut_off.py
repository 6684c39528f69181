"""Recordings that break off are used as far as they go, and it is said; whole ones are not suspected."""

import errno
import io

import av
import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, stream
from core.cut_off import CutOff
from core.errors import DecodeError, LinkError
from core.sources import file
from core.sources.youtube import fetch

SECONDS = 24.0
KEPT = 0.6  # of the bytes
OF_SOUNDFILE = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", None), "mp3": ("MP3", None), "w64": ("W64", "PCM_16")}
OF_SOUNDFILE |= {"aiff": ("AIFF", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}
OF_FFMPEG = {"m4a": ("mp4", "aac", {"movflags": "faststart"}), "webm": ("webm", "libopus", {})}
SAYS_NO_LENGTH = ("ogg", "opus")


@pytest.fixture(scope="module")
def whole(voice, tmp_path_factory):
    """`whole("mp3")`: a real voice of 24 s as the bytes of such a file."""
    samples = voice("amina_enrol").samples[: round(SECONDS * SAMPLE_RATE)]

    def encoded(kind: str) -> bytes:
        target = io.BytesIO()
        if kind in OF_SOUNDFILE:
            form, subtype = OF_SOUNDFILE[kind]
            soundfile.write(target, samples, SAMPLE_RATE, format=form, subtype=subtype)
            return target.getvalue()
        form, codec, options = OF_FFMPEG[kind]
        path = tmp_path_factory.mktemp("whole") / f"voice.{kind}"
        with av.open(path, "w", format=form, options=options) as container:
            track = container.add_stream(codec, rate=48_000)
            track.layout = "mono"
            resampler = av.AudioResampler(format=track.codec_context.format, layout="mono", rate=48_000)
            for first in range(0, len(samples), SAMPLE_RATE):
                piece = np.ascontiguousarray(samples[None, first : first + SAMPLE_RATE])
                frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
                frame.rate, frame.pts = SAMPLE_RATE, first
                for ready in resampler.resample(frame):
                    container.mux(track.encode(ready))
            for ready in (*resampler.resample(None), None):
                container.mux(track.encode(ready))
        return path.read_bytes()

    return encoded


@pytest.mark.parametrize("kind", [*OF_SOUNDFILE, *OF_FFMPEG])
def test_a_file_that_breaks_off_is_used_and_it_is_said(whole, kind):
    content, told = whole(kind), []
    assert abs(sum(part.duration for part in stream(content, cut_off=told.append)) - SECONDS) < 0.5
    assert told == []
    heard = sum(part.duration for part in stream(content[: round(KEPT * len(content))], cut_off=told.append))
    assert KEPT * SECONDS - 3 < heard < KEPT * SECONDS + 3
    [what] = told
    assert abs(what.found - heard) < 0.01
    assert what.stated is None if kind in SAYS_NO_LENGTH else abs(what.stated - SECONDS) < 0.5


@pytest.mark.parametrize("size", [b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"])
def test_a_wav_written_into_a_pipe_does_not_know_its_length_and_is_not_suspected(whole, size):
    """ffmpeg states 4 GB, sox 2 GB."""
    content, told = bytearray(whole("wav")), []
    content[4:8] = content[40:44] = size
    assert abs(sum(part.duration for part in stream(bytes(content), cut_off=told.append)) - SECONDS) < 0.5
    assert told == []


def test_the_note_says_where_and_comes_only_to_those_who_listen_to_the_end(whole):
    content, notes = whole("wav"), []
    cut = content[: round(KEPT * len(content))]
    list(file.blocks(cut, note=notes.append))
    assert notes == [file.cut_off_note(CutOff(KEPT * SECONDS, SECONDS))]
    assert "breaks off at 00:14 of 00:24" in notes[0]
    list(file.blocks(cut, 2.0, 10.0, note=notes.append, block_seconds=5.0))
    assert len(notes) == 1


def test_a_download_that_breaks_off_is_used_as_far_as_it_goes(whole, media, tmp_path):
    notes = []
    media.broken["/talk.wav"] = whole("wav")
    with fetch(media.url("talk.wav"), folder=tmp_path) as download:
        heard = sum(part.duration for part in download.blocks(note=notes.append))
        assert download.partial and abs(heard - KEPT * SECONDS) < 1.0
        assert len(notes) == 1 and "the download broke off at 00:14" in notes[0]
        list(file.blocks(download.path, 0.0, 10.0))
    with fetch(media.url("talk.wav"), end=10.0, folder=tmp_path) as download:
        assert sum(part.duration for part in download.blocks(note=notes.append)) == 10.0
    assert len(notes) == 1
    late = fetch(media.url("talk.wav"), start=20.0, folder=tmp_path)
    with pytest.raises(LinkError, match="the connection broke off"), late as download:
        next(download.blocks())
    assert list(tmp_path.iterdir()) == []


class FailingDisk(io.BytesIO):
    """It gives no more than its first bytes."""

    def __init__(self, content: bytes, good: int):
        super().__init__(content)
        self._good = good

    def _check(self) -> None:
        if self.tell() >= self._good:
            raise OSError(errno.EIO, "Input/output error")

    def read(self, size: int = -1) -> bytes:
        self._check()
        return super().read(size)

    def readinto(self, buffer) -> int:
        self._check()
        return super().readinto(buffer)


@pytest.mark.parametrize("kind", ["wav", "flac", "opus", "m4a"])
@pytest.mark.parametrize("part", [0.0, 1e-4, 0.5])
def test_a_disk_that_fails_is_a_sentence_or_where_the_sound_ends(whole, capfd, kind, part):
    """Python printed a stack trace from within libsndfile, and the command line ended with another."""
    content, told = whole(kind), []
    failing = FailingDisk(content, round(part * len(content)))
    if part == 0.5 and kind != "m4a":  # which is copied whole first
        assert 0.4 * SECONDS < sum(block.duration for block in stream(failing, cut_off=told.append)) < 0.6 * SECONDS
        assert len(told) == 1
    else:
        try:
            assert sum(block.duration for block in stream(failing, cut_off=told.append)) < 1.0 and told  # a first read
        except DecodeError as error:
            assert str(error) == "the audio cannot be read: Input/output error"
    assert capfd.readouterr().err == ""
