"""core.ffmpeg: the decoder in a process of its own, with limits; and what comes from there is not simply believed."""

import io
import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from core import ffmpeg
from core.audio import SAMPLE_RATE, decode, stream
from core.cut_off import CutOff, Ending
from core.errors import DecodeError
from core.ffmpeg_worker import MEMORY
from tests.conftest import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")


def m4a(seconds: float = 2.0) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        track = file.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        sound = 0.1 * np.random.default_rng(0).standard_normal((1, round(seconds * SAMPLE_RATE))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE, frame_size=1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(track.encode(part))
        file.mux(track.encode(None))
    return buffer.getvalue()


def bomb(frames: int) -> bytes:
    """A file of 20 kB whose tables say it has `frames` frames of one byte: FFmpeg makes an index of 24 bytes each."""
    content = bytearray(m4a())
    struct.pack_into(">II", content, content.index(b"stsz") + 8, 1, frames)
    struct.pack_into(">IIII", content, content.index(b"stsc") + 8, 1, 1, frames, 1)
    struct.pack_into(">III", content, content.index(b"stts") + 8, 1, frames, 1024)
    return bytes(content)


def memory_for(content: bytes, how: str) -> int:
    """kB that a process takes at most which reads `content` from its standard input.

    Not `ru_maxrss`: that begins with the most that the process which started this one ever took.
    """
    script = f"""
import io, sys
{how}
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""
    return int(subprocess.run([sys.executable, "-c", script], input=content, capture_output=True, cwd=ROOT).stderr)


@linux
@pytest.mark.parametrize("frames", [20_000_000, 50_000_000])
def test_a_memory_bomb_costs_no_more_than_allowed(frames):
    """Read without limits, as it was, the file takes what it says."""
    opened = "import av\ntry: next(av.open(sys.stdin.buffer).decode(audio=0))\nexcept av.FFmpegError: pass"
    assert memory_for(bomb(frames), opened) > frames * 24 // 1024
    assert memory_for(bomb(frames), "from core.ffmpeg_worker import work\nwork('sound')") < (MEMORY >> 10) + 150_000
    with pytest.raises(DecodeError):
        decode(bomb(frames))


def test_a_file_opens_no_other_file_and_no_connection(tmp_path):
    """Session descriptions and playlists tell FFmpeg what to open; the first made it listen to the network."""
    (tmp_path / "other.m4a").write_bytes(m4a())
    described = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
    concatenated = f"ffconcat version 1.0\nfile '{tmp_path}/other.m4a'\n".encode()
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{tmp_path}/other.m4a\n#EXT-X-ENDLIST\n".encode()
    began = time.monotonic()
    for name, content in (("call.sdp", described), ("list.ffconcat", concatenated), ("list.m3u8", listed)):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DecodeError):
            decode(path)
        assert ffmpeg.duration(path) is None
    assert time.monotonic() - began < 15


def worker_that(monkeypatch, does: str) -> None:
    """Another worker in the place of the real one; `w` is core.ffmpeg_worker, `out` its standard output."""
    begin = "import os, sys, time; sys.path[:] = sys.argv[2:]; import core.audio, core.ffmpeg_worker as w\n"
    monkeypatch.setattr(ffmpeg, "START", f"{begin}out = sys.stdout.buffer\n{textwrap.dedent(does)}")


@pytest.mark.parametrize("limits", ["the system's", "none"])
def test_a_file_that_is_endless_work_is_refused(monkeypatch, limits):
    """The worker is ended though FFmpeg never comes back, also where the system has no limits (Windows); real ones are
    20 s."""
    without = 'sys.modules["resource"] = None' if limits == "none" else ""
    worker_that(
        monkeypatch,
        f"""
        {without}
        def decoded(handle):
            while True:
                pass
        w.work_allowed = lambda seconds: 0.2
        w.decoded = decoded
        w.work("sound")
        """,
    )
    with pytest.raises(DecodeError, match="more work than any real recording"):
        decode(m4a())


def test_much_work_for_little_sound_is_refused(monkeypatch):
    worker_that(monkeypatch, 'w.work_allowed = lambda seconds: -1.0 if seconds > 1.0 else 5.0; w.work("sound")')
    with pytest.raises(DecodeError, match="more work than any real recording"):
        decode(m4a(3.0))


@pytest.mark.parametrize("last", ["os.kill(os.getpid(), 9)", 'out.write(b"Z\\xff\\xff\\xff\\xff"); out.flush()'])
def test_what_came_before_a_crash_is_used(monkeypatch, last):
    worker_that(monkeypatch, f"import numpy as np; w._send(out, np.zeros(16_000, np.float32))\n{last}")
    found: list[CutOff] = []
    sound = list(stream(m4a(), cut_off=found.append))
    assert [part.duration for part in sound] == [1.0]
    assert found == [CutOff(1.0)]


@pytest.mark.parametrize(
    "does",
    [
        "os.kill(os.getpid(), 11)",
        "sys.exit(3)",
        'out.write(b"no message at all"); out.flush()',
        'out.write(w.HEAD.pack(b"S", 2**32 - 1) + bytes(100)); out.flush()',
        'out.write(w.HEAD.pack(b"S", 3) + bytes(3)); out.flush()',
    ],
)
def test_a_crash_before_any_sound_is_a_refusal(monkeypatch, does):
    worker_that(monkeypatch, does)
    with pytest.raises(DecodeError, match="made its decoder fail"):
        decode(m4a())


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split())


@linux
def test_a_stream_left_early_leaves_no_process():
    before = children()
    pieces = ffmpeg.pieces(io.BytesIO(m4a(30.0)), "voice.m4a", Ending())
    assert len(next(pieces)) >= SAMPLE_RATE
    assert children() - before
    pieces.close()
    assert children() == before


def test_a_file_object_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "voice.m4a"
    path.write_bytes(m4a())
    with path.open("rb") as file:
        file.read(1000)
        sound = decode(file)
    np.testing.assert_array_equal(sound.samples, decode(m4a()).samples)
    assert ffmpeg.duration(path) == pytest.approx(2.0, abs=0.1)


def test_the_worker_loads_what_it_needs_and_no_more():
    script = "import sys, core.ffmpeg_worker; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"scipy", "sklearn", "onnxruntime", "soundfile", "gradio", "soxr"}


@linux
def test_a_limit_of_work_that_the_system_sets_is_kept(tmp_path):
    """Some hosts give every process so much processor time (`ulimit -t`)."""
    (tmp_path / "a.m4a").write_bytes(m4a())
    script = "import sys; from core.audio import decode; print(decode(sys.argv[1]).duration)"
    limited = ["bash", "-c", 'ulimit -t 60; exec "$@"', "-", sys.executable, "-c", script, tmp_path / "a.m4a"]
    done = subprocess.run(limited, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and float(done.stdout) == pytest.approx(2.0, abs=0.2), done.stderr
