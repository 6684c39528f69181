"""Links, fetched from a real server on this machine: sound, ranges, broken connections, limits, stopping."""

import io
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from core.audio import concatenate
from core.errors import Cancelled, LinkError, SourceError
from core.sources import youtube
from core.sources.youtube import fetch, probe
from tests.core.media_server import MediaServer


def pitch(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples[4000:12000]))) * 2)


@pytest.mark.parametrize("name", ["voice.wav", "voice.ogg"])
def test_fetch_gives_the_sound_and_leaves_nothing(media, tmp_path, name, capfd):
    told = []
    with fetch(media.url(name), folder=tmp_path, progress=told.append) as download:
        whole = concatenate(list(download.blocks()))
        assert Path(download).is_file() and tmp_path in download.path.parents
        assert download.path.parent.stat().st_mode & 0o077 == 0
    assert whole.duration == pytest.approx(3.0, abs=0.05)
    assert [pitch(whole.between(second, second + 1).samples) for second in range(3)] == [300, 600, 1200]
    assert told == sorted(told) and told[-1] == 1.0
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_range_is_cut(media):
    with fetch(media.url("voice.wav"), start=1.0, end=2.0) as download:
        part = concatenate(list(download.blocks()))
    assert part.duration == pytest.approx(1.0) and pitch(part.samples) == 600
    with fetch(media.url("voice.wav#t=2")) as download:  # where the link points
        assert pitch(concatenate(list(download.blocks())).samples) == 1200
    with pytest.raises(SourceError, match="an end after the start"), fetch(media.url("voice.wav"), start=2, end=1):
        pass
    assert media.asked.count("/voice.wav") <= 4  # the senseless range was not even tried


def test_probe_downloads_nothing(media, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video = probe(media.url("voice.wav"))
    assert video.title == "voice" and not video.is_live
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing.wav", "nothing to be had at this link"),
        ("page.html", "no sound or video behind this link"),
        ("cut.wav", "connection broke off"),
        ("forbidden", "HTTP 403"),
    ],
)
def test_what_cannot_be_had(media, tmp_path, path, says):
    with pytest.raises(LinkError, match=says), fetch(media.url(path), folder=tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(media, tmp_path):
    url = media.url("voice.wav")
    media.close()
    with pytest.raises(LinkError, match="cannot be reached"), fetch(url, folder=tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["away", "frame.html"])
def test_an_allowed_host_leads_nowhere_else(media, path):
    other = MediaServer()
    media.elsewhere = other.url("voice.wav")
    try:
        with pytest.raises(LinkError, match="leads to another host"), fetch(media.url(path)):
            pass
        assert other.asked == []
        media.elsewhere = media.url("voice.wav")  # on the same host both are fine
        with fetch(media.url(path)) as download:
            assert concatenate(list(download.blocks())).duration == pytest.approx(3.0)
    finally:
        other.close()


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/voice.wav",
        "data:audio/wav;base64,UklGRg==",
        "//169.254.169.254/latest/meta-data",
        "http://[::1]:80/",
        "http://2130706433/",
        "https://www.youtube.com.evil.example/",
        "http://user@evil.example\\@{host}/",
    ],
)
def test_a_redirect_leads_nowhere_private(media, target):
    media.elsewhere = target.format(host=media.host)
    with pytest.raises(LinkError), fetch(media.url("away")):
        pass
    assert media.asked.count("/away") >= 1 and "/voice.wav" not in media.asked


@pytest.mark.parametrize(
    "url, allowed",
    [
        ("https://www.youtube.com/watch?v=x", True),
        ("https://rr3---sn-4g5e6nzs.googlevideo.com/videoplayback", True),
        ("http://www.youtube.com/", False),  # no certificate, so a lying name server could lead it anywhere
        ("https://youtube.com.evil.example/", False),
        ("https://evilyoutube.com/", False),
        ("https://youtube.com@evil.example/", False),
        ("https://127.0.0.1/", False),
        ("https://www.google.com/", False),
        ("file:///etc/passwd", False),
        ("https://[broken", False),
    ],
)
def test_youtube_is_youtube(url, allowed):
    from core.sources.one_host import youtube_only

    assert youtube_only(url) is allowed


def test_not_even_youtubes_own_pages_lead_to_this_computer(media):
    from yt_dlp.networking.exceptions import RequestError

    from core.sources.one_host import GuardedDL, youtube_only

    with GuardedDL({"quiet": True, "cachedir": False}, youtube_only) as downloader:
        for url in (media.url("voice.wav"), "file:///etc/passwd", f"https://{media.host}/voice.wav"):
            with pytest.raises(RequestError, match="leads to another host"):
                downloader.urlopen(url)
    assert media.asked == []


def test_a_slow_download_is_stopped(media, tmp_path):
    stop = threading.Event()
    threading.Timer(0.8, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled), fetch(media.url("slow.wav"), folder=tmp_path, cancelled=stop.is_set):
        pass
    assert time.monotonic() - began < 5  # all of it would take 9 s
    assert list(tmp_path.iterdir()) == []


def test_too_long_and_too_large(media, tmp_path, monkeypatch):
    long = fetch(media.url("voice.wav"), max_seconds=2.0, folder=tmp_path)
    with pytest.raises(LinkError, match="00:03 long, the limit is 00:02"), long:
        pass
    monkeypatch.setattr(youtube, "MAX_BYTES", 50_000)
    for path in ("voice.wav", "endless.wav"):  # one says how large it is, the other does not
        with pytest.raises(LinkError, match="larger than"), fetch(media.url(path), folder=tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_the_caller_s_own_error_passes_and_the_file_goes(media, tmp_path):
    with pytest.raises(ZeroDivisionError), fetch(media.url("voice.wav"), folder=tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not say which files are open")
@pytest.mark.parametrize("name", ["voice.wav", "voice.webm"])
def test_no_file_is_open_any_more_though_somebody_holds_the_blocks(media, tmp_path, name):
    """On Windows an open file cannot be deleted. Here it can, and stays listed as open."""

    def opened() -> list[str]:
        names = []
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # of the server, closed meanwhile
                names.append(os.readlink(link))
        return [one for one in names if one.startswith(str(tmp_path))]

    media.files["/voice.webm"] = as_webm(20.0)
    with fetch(media.url(name), folder=tmp_path) as download:
        blocks, other = download.blocks(), download.blocks()
        next(blocks)
        assert opened()
    assert opened() == [] and list(blocks) == list(other) == [] and list(tmp_path.iterdir()) == []


def as_webm(seconds: float) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="webm") as container:
        track = container.add_stream("libopus", rate=48_000, layout="mono")
        sound = np.random.default_rng(0).normal(0, 3000, (1, round(48_000 * seconds))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000, frame_size=960)
        for part in (*resampler.resample(frame), None):
            container.mux(track.encode(part))
    return target.getvalue()
