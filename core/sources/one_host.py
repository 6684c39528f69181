"""yt-dlp that talks to the hosts it was given and to no other: neither by a link in a page nor by a redirect.

Imports yt_dlp. To YouTube only by https: its certificate is checked, so a name server that lies about YouTube's
address leads into no local network either.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import yt_dlp
from yt_dlp.networking._urllib import UrllibRH
from yt_dlp.networking.exceptions import RequestError

from core.sources.link import host_of

YOUTUBE_DOMAINS = (  # what YouTube's pages, players and media live on, with everything below
    "youtube.com",
    "youtube-nocookie.com",
    "youtu.be",
    "googlevideo.com",
    "ytimg.com",
    "youtubei.googleapis.com",
    "consent.google.com",
    "accounts.google.com",
)


class GuardedDL(yt_dlp.YoutubeDL):
    """A downloader for the addresses that `allowed(url)` says yes to; others raise yt-dlp's `RequestError`."""

    def __init__(self, settings: dict, allowed: Callable[[str], bool]):
        self._allowed = allowed
        super().__init__(settings)

    def urlopen(self, request):
        """As in yt-dlp, after a look at where it goes."""
        url = request if isinstance(request, str) else request.url
        if not self._allowed(url):
            raise RequestError(refusal(url))
        return super().urlopen(request)

    def build_request_director(self, handlers, preferences=None):
        """Only the handler below, so that no other can follow a redirect."""
        allowed = self._allowed

        class GuardedRH(UrllibRH):
            def _create_instance(self, *arguments, **options):
                opener = super()._create_instance(*arguments, **options)
                opener.add_handler(_LookFirst(allowed))
                return opener

        return super().build_request_director([GuardedRH], [])


class _LookFirst(urllib.request.BaseHandler):
    """Looks at a redirect before yt-dlp's own handler follows it."""

    handler_order = 100  # before the redirect handler's 500

    def __init__(self, allowed: Callable[[str], bool]):
        self._allowed = allowed

    def http_error_302(self, request, _response, _code, _message, headers):
        target = urljoin(request.full_url, headers.get("Location") or "")
        if not self._allowed(target):
            raise urllib.error.URLError(refusal(target))
        return None  # let the redirect handler go on

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def one_host(host: str) -> Callable[[str], bool]:
    """Allows `host` ("name:port") by http or https."""
    return lambda url: host_of(url) == host


def youtube_only(url: str) -> bool:
    """Is it one of YouTube's own hosts, by https?"""
    try:
        parts = urlsplit(url)
        name = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    return parts.scheme == "https" and any(name == one or name.endswith(f".{one}") for one in YOUTUBE_DOMAINS)


def refusal(url: str) -> str:
    """What is said about a request that is not made; `core.sources.link_trouble` knows these words."""
    return f"leads to another host that is not allowed: {url[:200]}"
