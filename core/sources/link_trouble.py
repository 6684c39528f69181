"""What yt-dlp says when a link cannot be had, in words that help. The left column is yt-dlp's or YouTube's wording."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UPDATE = 'update it with `pip install --upgrade "yt-dlp[default,deno]"`'

BROKE_OFF = "the connection broke off before everything was there: try again"
UNREACHABLE = "the server cannot be reached: check the network connection and try again"

# (pattern in the message, sentence); the first that fits counts, so the special stand before the general
TROUBLES: tuple[tuple[str, str], ...] = (
    (r"leads to another host", "the link leads to another host, which is not allowed: give the sound's direct link"),
    (r"not a bot", "YouTube wants proof that no bot is asking: wait an hour, try another network, or choose a file"),
    (r"captcha", "YouTube asks for a captcha: wait an hour, try another network, or choose a file"),
    (
        r"rate.?limited|HTTP Error 429|too many requests",
        "YouTube has limited this network for asking too often: wait an hour",
    ),
    (
        r"confirm your age|age.?restricted|inappropriate for some users",
        "the video is age-restricted, and YouTube shows it only to people signed in: give another",
    ),
    (
        r"members-only|members on level|available to this channel's members|join this channel",
        "the video is for members of the channel only: give a public one",
    ),
    (r"requires payment|music premium|purchase|rent this", "the video must be paid for: give a free one"),
    (r"private video|video is private|private\. ", "the video is private: ask its owner or give another"),
    (
        r"live event|premieres? (in|will)|not currently live|live stream|has not (started|begun)|offline\.",
        "this is a live stream or has not begun: give a video that is finished",
    ),
    (
        r"in your country|from your location|geo.?restrict|not available in your (region|location)",
        "the video is not available in your country: give another",
    ),
    (
        r"No supported JavaScript runtime|JS runtime",
        "YouTube needs a JavaScript runtime that is missing: `pip install deno` (on Alpine Linux: `apk add deno`)",
    ),
    (
        r"challenge solving failed|Signature solving failed|Requested format is not available|Only images are",
        f"YouTube has changed and yt-dlp cannot read it: {_UPDATE}",
    ),
    (r"DRM", "the video is copy-protected (DRM) and cannot be read: give another"),
    (
        r"has been removed|been terminated|no longer available|copyright|video unavailable|not available|does not exist"
        r"|isn.t available|HTTP Error (404|410)",
        "there is nothing to be had at this link, it was removed or never existed: open it in a browser to see",
    ),
    (
        r"Incomplete YouTube ID|looks truncated|is not a valid URL|URL could be a",
        "the link is not complete: copy it again, all of it",
    ),
    (
        r"Unsupported URL|No suitable extractor|No video formats found|no media",
        "there is no sound or video behind this link: give the link of one video",
    ),
    (r"No space left|Errno 28", "the disk is full: free some space and try again"),
    (r"HTTP Error 403", f"the download was refused (HTTP 403); mostly yt-dlp is too old: {_UPDATE}"),
    (r"HTTP Error 5\d\d", "the server has trouble of its own (HTTP 5xx): try again later"),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify",
        "the connection is not trustworthy (certificate): check the clock and the proxy",
    ),
    (
        r"name resolution|getaddrinfo|Name or service not known|nodename nor servname|Network is unreachable"
        r"|No route to host|Connection refused|Failed to resolve|proxy",
        UNREACHABLE,
    ),
    (
        r"timed out|timeout|bytes read|more expected|bytes, expected|IncompleteRead|Connection (was )?(reset|aborted)"
        r"|RemoteDisconnected|without response|Did not get any data|file is empty",
        BROKE_OFF,
    ),
    (
        r"Failed to extract|Unable to extract|report this issue|Failed to parse|Cannot identify player",
        f"YouTube has changed and yt-dlp cannot read it: {_UPDATE}",
    ),
)
_SAYS_LITTLE = re.compile(r"Requested format is not available|Only images|No video formats|HTTP Error 403", re.I)
_DECORATION = re.compile(
    r"^(ERROR: )?(\[[^\]]+\] )?([0-9A-Za-z_-]{11}: )?|; please report this issue.*|\x1b\[[\d;]*m", re.S
)


def explain(error: BaseException | str, *, warnings: Sequence[str] = ()) -> str:
    """One sentence for the person at the screen about a yt-dlp failure.

    `error`: what yt-dlp raised. `warnings`: what it said before; used where the error itself says little.
    """
    text = error if isinstance(error, str) else f"{error} {_original(error)}"
    if _SAYS_LITTLE.search(text):
        for warning in warnings:
            if re.search(r"No supported JavaScript runtime", warning):
                text = warning
    for pattern, sentence in TROUBLES:
        if re.search(pattern, text, re.IGNORECASE):
            return sentence
    plain = " ".join(_DECORATION.sub("", str(error)).split())[:160] or type(error).__name__
    return f"the link could not be had ({plain}): open it in a browser to see, or {_UPDATE}"


def _original(error: BaseException) -> str:
    """What lies under a DownloadError (`exc_info`), as text."""
    inner = getattr(error, "exc_info", None)
    return f"{type(inner[1]).__name__} {inner[1]}" if inner and inner[1] is not None else ""
