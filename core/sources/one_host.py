"""yt-dlp that talks to one host and no other: neither by a link in a page nor by a redirect. Imports yt_dlp."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import urljoin

import yt_dlp
from yt_dlp.networking._urllib import UrllibRH
from yt_dlp.networking.exceptions import RequestError

from core.sources.link import host_of


class OneHostDL(yt_dlp.YoutubeDL):
    """A downloader for `host` ("name:port") only; a request for another raises yt-dlp's `RequestError`."""

    def __init__(self, settings: dict, host: str):
        self._host = host
        super().__init__(settings)

    def urlopen(self, request):
        """As in yt-dlp, after a look at where it goes."""
        url = request if isinstance(request, str) else request.url
        if host_of(url) != self._host:
            raise RequestError(refusal(url))
        return super().urlopen(request)

    def build_request_director(self, handlers, preferences=None):
        """Only the handler below, so that no other can follow a redirect."""
        host = self._host

        class OneHostRH(UrllibRH):
            def _create_instance(self, *arguments, **options):
                opener = super()._create_instance(*arguments, **options)
                opener.add_handler(_StayOnHost(host))
                return opener

        return super().build_request_director([OneHostRH], [])


class _StayOnHost(urllib.request.BaseHandler):
    """Looks at a redirect before yt-dlp's own handler follows it."""

    handler_order = 100  # before the redirect handler's 500

    def __init__(self, host: str):
        self._host = host

    def http_error_302(self, request, _response, _code, _message, headers):
        target = urljoin(request.full_url, headers.get("Location") or "")
        if host_of(target) != self._host:
            raise urllib.error.URLError(refusal(target))
        return None  # let the redirect handler go on

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def refusal(url: str) -> str:
    """What is said about a request that is not made; `core.sources.link_trouble` knows these words."""
    return f"leads to another host that is not allowed: {url[:200]}"
