"""The picture of a video, fetched by this program and not by the browser: nobody else learns who looks."""

from __future__ import annotations

from core.sources.link import Link, host_of

MAX_BYTES = 4 * 1024**2  # bytes of a picture
TIMEOUT_SECONDS = 8.0  # s: a card without a picture is better than a wait
PICTURE_HOSTS = (".ytimg.com:443", ".ggpht.com:443")  # where YouTube keeps them


def fetch_thumbnail(link: Link, address: str | None) -> bytes | None:
    """The picture at `address` as it comes (JPEG, WebP, PNG); None where there is none or it cannot be had.

    Only from YouTube's own picture hosts, or for a `link` on an allowed host from that host.
    """
    if not address:
        return None
    host = host_of(address)
    if not (host == host_of(link.url) if link.video is None else f".{host}".endswith(PICTURE_HOSTS)):
        return None
    try:
        import yt_dlp
    except ImportError:
        return None
    from core.sources.one_host import GuardedDL, one_host

    settings = {"quiet": True, "no_warnings": True, "socket_timeout": TIMEOUT_SECONDS, "ignoreconfig": True}
    try:
        with GuardedDL(settings, one_host(host)) as downloader, downloader.urlopen(address) as answer:
            found = answer.read(MAX_BYTES + 1)
    except (yt_dlp.utils.YoutubeDLError, OSError):
        return None
    return found if 0 < len(found) <= MAX_BYTES else None
