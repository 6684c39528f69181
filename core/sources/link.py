"""Reading a link: which YouTube video, from which second; or a host that a setting allows; or why it is refused."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit

from core.errors import LinkError

ALLOW_VARIABLE = "SPEAKERS_ALLOW_HOSTS"  # environment: hosts besides YouTube, "name:port" or "name", by commas
MAX_LINK = 2000  # characters
YOUTUBE_HOSTS = frozenset(
    f"{prefix}{name}" for name in ("youtube.com", "youtube-nocookie.com") for prefix in ("", "www.", "m.", "music.")
)
SHORT_HOSTS = frozenset(("youtu.be", "www.youtu.be"))
_ID = re.compile(r"[0-9A-Za-z_-]{11}")
_TIME = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Link:
    """`url`: where to go. `video`: YouTube's id, None on an allowed host. `start`: s, from t= or start=, else None."""

    url: str
    video: str | None = None
    start: float | None = None


def parse_link(url: str) -> Link:
    """Read a link as people paste it (https:// may be missing). Raises `LinkError` that says what it is instead."""
    text = url.strip() if isinstance(url, str) else ""
    shown = text[:80]
    if not text or len(text) > MAX_LINK or re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise LinkError("this is no link: paste the address of a YouTube video, like https://youtu.be/...")
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d+(?:/|$))", text):
        text = f"https://{text.lstrip('/')}"
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise LinkError(f"{shown} is no link that can be read ({error}): copy it again") from error
    if parts.scheme not in _PORTS:
        raise LinkError(f"{parts.scheme}: links are not opened: give the link of a YouTube video, or choose a file")
    if parts.username is not None or parts.password is not None:
        raise LinkError("a link with a user name or password in it is not opened: give a public one")
    query = parse_qs(parts.query)
    if host in YOUTUBE_HOSTS or host in SHORT_HOSTS:
        video = _video_id(parts, host, query)
        return Link(f"https://www.youtube.com/watch?v={video}", video, _start(parts, query))
    if _allowed(text):
        return Link(text, None, _start(parts, query))
    if _private(host):
        raise LinkError(f"{host} is an address in a private network and is not opened: give a YouTube link")
    if "." not in host:
        raise LinkError(f"{shown} is no link: paste the address of one YouTube video")
    raise LinkError(f"{host[:80]} is not YouTube: give a YouTube link, or download the sound and choose the file")


def host_of(url: str) -> str:
    """ "name:port" of a link, lower case, with the port that the scheme implies; "" for what is no web link."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{(parts.hostname or '').rstrip('.')}:{port}" if parts.scheme in _PORTS and parts.hostname else ""


def _allowed(url: str) -> bool:
    hosts = [entry.strip().lower() for entry in os.environ.get(ALLOW_VARIABLE, "").split(",") if entry.strip()]
    implied = _PORTS[urlsplit(url).scheme]
    return host_of(url) in [entry if re.search(r":\d+$", entry) else f"{entry}:{implied}" for entry in hosts]


def _private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+))*", host))  # 127.1, 2130706433 and the like


def _video_id(parts: SplitResult, host: str, query: dict[str, list[str]]) -> str:
    words = [word for word in parts.path.split("/") if word]
    if host in SHORT_HOSTS:
        found = words[0] if words else ""
    elif words[:1] == ["watch"] and len(words) > 1:
        found = words[1]
    elif words[:1] in (["watch"], []) and "v" in query:
        found = query["v"][0]
    elif len(words) > 1 and words[0] in ("shorts", "embed", "live", "v", "e") and words[1] != "videoseries":
        found = words[1]
    elif "list" in query or words[:1] == ["playlist"]:
        raise LinkError("this link is a playlist: open one video of it and give that link")
    elif words and (words[0].startswith("@") or words[0] in ("channel", "c", "user", "results", "feed", "hashtag")):
        raise LinkError("this link is a channel or a search, not a video: open one video and give that link")
    else:
        raise LinkError("this YouTube link names no video: open the video and copy its address again")
    if not _ID.fullmatch(found):
        raise LinkError(f"{found[:40]!r} is no YouTube video (a video has 11 characters): copy the whole link again")
    return found


def _start(parts: SplitResult, query: dict[str, list[str]]) -> float | None:
    """Seconds from t=90, t=90s, t=1h2m3s, t=1:30, start=90 or #t=90; None where there is nothing readable."""
    fragment = parse_qs(parts.fragment)
    for text in (*query.get("t", ()), *query.get("start", ()), *fragment.get("t", ())):
        if re.fullmatch(r"\d{1,4}(:\d{1,2}){1,2}", text):
            total = 0
            for number in text.split(":"):
                total = total * 60 + int(number)
            return float(total)
        if text and (match := _TIME.fullmatch(text.lower())):
            hours, minutes, seconds = (int(group or 0) for group in match.groups())
            return float(hours * 3600 + minutes * 60 + seconds)
    return None
