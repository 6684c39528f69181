"""What was chosen, before any work starts: title, length and picture of a link, name and length of a file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path

from core.errors import LinkError, SourceError
from core.segments import clock
from core.sources import file, youtube
from core.sources.thumbnail import fetch_thumbnail
from demo import texts
from demo.notice_view import trouble

PICTURE_WIDTH = 320  # pixels
MAX_PIXELS = 20_000_000  # of a picture that is opened


@dataclass(frozen=True)
class Looked:
    """What is known of a link, so that it is asked for once: the text pasted, and the video."""

    address: str = ""
    video: youtube.Video | None = None


def readable(address: str) -> bool:
    """Is it the address of one video already, or still being typed?"""
    try:
        youtube.parse_link((address or "").strip())
    except LinkError:
        return False
    return True


def look_up(address: str, before: Looked = Looked()) -> tuple[str, Looked]:
    """The card of a link as HTML; '' for what is no link yet (Run says why). Never raises."""
    address = (address or "").strip()
    if not readable(address):
        return "", Looked()
    try:
        link = youtube.parse_link(address)
        video = before.video if before.video and before.address == address else youtube.probe(link)
        youtube.check_video(video)
        picture = _picture(fetch_thumbnail(link, video.thumbnail))
        return _card(video.title, _facts(video, link.start), picture), Looked(address, video)
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error), Looked()


def look_at_file(path: str | None) -> str:
    """The card of an uploaded file: its length, or what is wrong with it."""
    if not path:
        return ""
    try:
        seconds = file.duration(path)
        if seconds is None and not _sounds(path):
            raise SourceError(texts.NO_SOUND_IN.format(name=Path(path).name))
        facts = [clock(seconds)] if seconds else []
        return _card(Path(path).name, facts, "")
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error)


def waiting() -> str:
    """The card while the link is being asked for."""
    return (
        f'<div class="link-card is-waiting" role="status"><div class="link-picture"></div><p>{texts.ASKING}</p></div>'
    )


def _sounds(path: str) -> bool:
    return next(file.blocks(path, block_seconds=1.0), None) is not None


def _facts(video: youtube.Video, start: float | None) -> list[str]:
    facts = [video.uploader] if video.uploader else []
    facts += [clock(video.duration)] if video.duration else []
    return facts + ([texts.STARTS_AT.format(clock=clock(start))] if start else [])


def _card(title: str, facts: list[str], picture: str) -> str:
    image = f'<img class="link-picture" alt="" src="{picture}">' if picture else ""
    about = " &middot; ".join(escape(fact) for fact in facts)
    return f'<div class="link-card">{image}<div><b>{escape(title)}</b><p class="quiet">{about}</p></div></div>'


def _picture(found: bytes | None) -> str:
    """A small JPEG as a data address; '' for what is no picture."""
    if not found:
        return ""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(found), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                return ""
            image = image.convert("RGB")
            image.thumbnail((PICTURE_WIDTH, PICTURE_WIDTH))
            target = io.BytesIO()
            image.save(target, format="JPEG", quality=80)
    except (OSError, ValueError, SyntaxError):
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(target.getvalue()).decode()}"
