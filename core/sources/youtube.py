"""A YouTube link as a source (yt-dlp as a library): the best audio track, in a private folder that is gone afterwards.

Only YouTube's own extractors run, and no request goes to any but YouTube's hosts. A host named in
SPEAKERS_ALLOW_HOSTS ("127.0.0.1:1234,media.example.org") passes through yt-dlp's generic extractor instead, and then
no request goes anywhere but to that host.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.audio import SEGMENT_SECONDS, Audio
from core.errors import AudioError, Cancelled, LinkError, SourceError
from core.segments import clock
from core.sources import file
from core.sources.link import Link, host_of, parse_link
from core.sources.link_trouble import BROKE_OFF, UNREACHABLE, explain

__all__ = ["Download", "Link", "Video", "check_video", "explain", "fetch", "parse_link", "probe"]

MAX_SECONDS = 3 * 3600.0  # s: the longest video taken
MAX_BYTES = 1024**3  # bytes: the largest file taken
TIMEOUT_SECONDS = 20.0  # s without an answer before a try counts as failed
RETRIES = 3
LIVE = "this is a live stream or has not begun: give a video that is finished"

Progress = Callable[[float], None]  # the fraction done, 0 to 1


@dataclass(frozen=True)
class Video:
    """What a link leads to. `duration`: s, None where unknown. `thumbnail`: address of a picture, or None."""

    title: str
    duration: float | None
    uploader: str | None
    thumbnail: str | None
    is_live: bool


@dataclass(frozen=True)
class Download:
    """A downloaded file while it exists; usable as a path. `start`, `end`: the range asked for, s or None. `partial`:
    the download broke off, this is its beginning."""

    path: Path
    video: Video
    start: float | None = None
    end: float | None = None
    partial: bool = False
    _given: list[Iterator[Audio]] = field(default_factory=list, repr=False, compare=False)

    def __fspath__(self) -> str:
        return str(self.path)

    def blocks(self, *, note: file.Note = file.silently) -> Iterator[Audio]:
        """16 kHz mono pieces of the range asked for (see `core.sources.file.blocks`). `note` hears of a recording or a
        download that breaks off before its end; `LinkError` where it breaks off before the start of the range."""
        self._given.append(self._blocks(note))
        return self._given[-1]

    def close(self) -> None:
        """End what `blocks` gave: a file that is open cannot be deleted on Windows."""
        for blocks in self._given:
            blocks.close()

    def _blocks(self, note: file.Note) -> Iterator[Audio]:
        if not self.partial:
            yield from file.blocks(self.path, self.start, self.end, note=note)
            return
        heard = self.start or 0.0
        try:
            for block in file.blocks(self.path, self.start, self.end):
                heard += block.duration
                yield block
        except SourceError as error:  # nothing of the range has come
            raise LinkError(BROKE_OFF) from error
        if self.end is None or heard < self.end:
            note(f"the download broke off at {clock(heard)}: what came before that was used; try again for the rest")


def probe(link: str | Link) -> Video:
    """Title, length and so on, without downloading. Raises `LinkError`."""
    link = parse_link(link) if isinstance(link, str) else link
    return _video(_run(link, {"skip_download": True}, download=False))


def check_video(video: Video, *, start: float | None = None, end: float | None = None) -> None:
    """Raise `LinkError` for a video that `fetch` would refuse, and `SourceError` for a range outside it."""
    if video.is_live:
        raise LinkError(LIVE)
    if video.duration is not None:
        _check_length(video.duration, MAX_SECONDS)
        file.check_range(start, end, video.duration)


@contextmanager
def fetch(
    link: str | Link,
    *,
    start: float | None = None,
    end: float | None = None,
    max_seconds: float = MAX_SECONDS,
    folder: Path | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Download]:
    """Download the best audio track; the file is deleted when the `with` statement ends, however it ends.

    `start` (default: where the link points, t=), `end`: s; the whole track is downloaded and cut when decoding.
    `max_seconds`: refuse a longer video. `folder`: where the private temporary folder is made (default: the system's).
    A download that breaks off is used where 5 s of sound have come, see `Download.blocks`.
    Raises `LinkError`, `Cancelled` when `cancelled()` turns true, `SourceError` for a range outside the video.

        with fetch("https://youtu.be/...") as download:
            for block in download.blocks(): ...
    """
    link = parse_link(link) if isinstance(link, str) else link
    start = link.start if start is None else start
    file.check_range(start, end)

    def stop_if_cancelled() -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("the download was stopped; nothing was kept")

    seen: list[dict] = []  # what is known of the video, also when its download breaks off

    def check(info: dict, *, incomplete: bool = False) -> None:
        stop_if_cancelled()
        seen[:] = [info]
        if _is_live(info):
            raise LinkError(LIVE)
        seconds = info.get("duration")
        if seconds is not None:
            _check_length(seconds, max_seconds)
            file.check_range(start, end, seconds)

    def follow(state: dict) -> None:
        stop_if_cancelled()
        done, total = state.get("downloaded_bytes") or 0, state.get("total_bytes") or state.get("total_bytes_estimate")
        if max(done, total or 0) > MAX_BYTES:
            raise LinkError(_too_large())
        if progress is not None and total:
            progress(min(1.0, done / total))

    stop_if_cancelled()
    with tempfile.TemporaryDirectory(prefix="who-is-speaking-", dir=folder, ignore_cleanup_errors=True) as private:
        settings = {
            "paths": {"home": private, "temp": private},
            "outtmpl": {"default": "audio.%(ext)s"},
            "match_filter": check,
            "progress_hooks": [follow],
        }
        partial = False
        try:
            video = _video(_run(link, settings, download=True))
        except LinkError as error:
            partial = str(error) in (BROKE_OFF, UNREACHABLE) and bool(seen) and _some_sound(Path(private))
            if not partial:
                raise
            video = _video(seen[0])
        files = [path for path in Path(private).iterdir() if path.is_file() and (partial or path.suffix != ".part")]
        if not files:
            raise LinkError(_too_large())  # the one reason for which yt-dlp downloads nothing and does not say so
        path = max(files, key=lambda found: found.stat().st_size)
        if video.duration is None and (seconds := file.duration(path)) is not None:
            _check_length(seconds, max_seconds)
        if progress is not None:
            progress(1.0)
        with closing(Download(path, video, start, end, partial)) as download:
            yield download


def _some_sound(folder: Path) -> bool:
    """Did a download that broke off leave enough to judge?"""
    return any(_seconds_of(path) >= SEGMENT_SECONDS for path in folder.iterdir() if path.is_file())


def _seconds_of(path: Path) -> float:
    heard = 0.0
    with suppress(AudioError), closing(file.blocks(path, block_seconds=SEGMENT_SECONDS)) as blocks:
        for block in blocks:
            heard += block.duration
            if heard >= SEGMENT_SECONDS:
                break
    return heard


def _run(link: Link, settings: dict, *, download: bool) -> dict:
    """yt-dlp's information about the one video at `link`; every failure as a `LinkError`."""
    try:
        import yt_dlp
    except ImportError as error:
        raise LinkError('the package yt-dlp is missing: `pip install "yt-dlp[default,deno]"`') from error
    from core.sources.one_host import GuardedDL, one_host, youtube_only

    log = _Log()
    common = {
        "format": "bestaudio/best",
        "noplaylist": True,
        "allowed_extractors": ["youtube.*"],
        "max_filesize": MAX_BYTES,
        "socket_timeout": TIMEOUT_SECONDS,
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": 1,
        "quiet": True,
        "no_warnings": False,  # they go to the log, which helps to explain what failed
        "noprogress": True,
        "logger": log,
        "cachedir": False,
        "ignoreconfig": True,
        "fixup": "never",  # would call ffmpeg, which is not needed to decode
        "writethumbnail": False,
        "color": "never",
    }
    allowed = youtube_only
    if link.video is None:
        common["allowed_extractors"] = ["generic"]
        common["format"] = "bestaudio[protocol^=http]/best[protocol^=http]"  # nothing that calls another program
        common["proxy"] = ""
        allowed = one_host(host_of(link.url))
    try:
        with GuardedDL(common | settings, allowed) as downloader:
            info = downloader.extract_info(link.url, download=download)
    except yt_dlp.utils.DownloadCancelled as error:
        raise Cancelled("the download was stopped; nothing was kept") from error
    except (yt_dlp.utils.YoutubeDLError, OSError) as error:
        raise LinkError(explain(error, warnings=log.warnings)) from error
    if not info or info.get("_type", "video") != "video":
        raise LinkError("the link leads to a list or to no video at all: give the link of one video")
    return info


class _Log:
    """Takes what yt-dlp says; prints nothing."""

    def __init__(self):
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        pass

    info = error = debug  # errors come as exceptions

    def warning(self, message: str, **_) -> None:
        self.warnings.append(message)


def _video(info: dict) -> Video:
    seconds = info.get("duration")
    return Video(
        title=info.get("title") or "untitled",
        duration=None if seconds is None else float(seconds),
        uploader=info.get("uploader") or info.get("channel"),
        thumbnail=info.get("thumbnail"),
        is_live=_is_live(info),
    )


def _is_live(info: dict) -> bool:
    return bool(info.get("is_live")) or info.get("live_status") in ("is_live", "is_upcoming", "post_live")


def _check_length(seconds: float, most: float) -> None:
    if seconds > most:
        raise LinkError(f"the video is {clock(seconds)} long, the limit is {clock(most)}: give a shorter one")


def _too_large() -> str:
    return f"the audio is larger than {MAX_BYTES // 1024**2} MiB: give a shorter video"
