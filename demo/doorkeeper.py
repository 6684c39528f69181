"""Who may come in: other web sites never, other computers with the password only, and nobody where the app has no door.

A browser visits hostile pages while the app runs, and such a page can send requests to 127.0.0.1. It is kept out three
ways: a request must name this server as it is known (else a page could point its own name at 127.0.0.1: DNS
rebinding), must not come from another site, and gets no routes that the app itself does not use. The page in turn is
told to load nothing from anywhere else, and not to be framed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, unquote, urlsplit

from core.errors import SpeakerError
from demo import texts

PASSWORD_VARIABLE = "SPEAKERS_PASSWORD"  # environment: what other computers must say; not an option, which `ps` shows
MIN_PASSWORD = 10  # characters
WRONG_PASSWORD_SECONDS = 1.0  # s between two answers to wrong passwords, whoever asks
ENDPOINTS = ("identify", "enrol", "speakers")  # what other programs may call, see `demo.api`
UPLOAD = "/gradio_api/upload"
MAX_BODY = 8_000_000  # bytes of any other request
UNUSED = re.compile(  # routes of Gradio that this app never needs
    r"(/gradio_api)?/(dev/|vibe-|undo-vibe|process_recording|proxy=|file=[a-z][a-z0-9+.-]+:(?!\\)|run-history|runs\b|"
    r"profiling|monitoring|deep_link|openapi|mcp|run/|api/|"
    rf"call/(?!({'|'.join(ENDPOINTS)})(/|$)))",
    re.IGNORECASE,
)
ANSWER = re.compile(rf"(?:/gradio_api)?/call/(?:{'|'.join(ENDPOINTS)})/([^/]+)/?", re.IGNORECASE)  # of an event
JOIN = re.compile(r"(?:/gradio_api)?/queue/join/?", re.IGNORECASE)
MESSAGES = re.compile(r"(?:/gradio_api)?/queue/data/?", re.IGNORECASE)  # of the events of a page
HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Can only this computer reach a server that listens on `host`?"""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(entry[4][0].split("%")[0]).is_loopback for entry in found)


def password_for(host: str, *, ask: Callable[[str], str] | None = None) -> str | None:
    """None where only this computer can reach `host`; else the password that others must say.

    From `SPEAKERS_PASSWORD`, or from `ask(question)` where somebody can be asked. Raises `SpeakerError` when there is
    none or it is too short.
    """
    if is_loopback(host):
        return None
    given = os.environ.get(PASSWORD_VARIABLE) or (ask(texts.PASSWORD_ASK.format(count=MIN_PASSWORD)) if ask else "")
    if len(given) < MIN_PASSWORD:
        raise SpeakerError(texts.PASSWORD_NEEDED.format(host=host[:60], variable=PASSWORD_VARIABLE, count=MIN_PASSWORD))
    return given


def login(password: str) -> Callable[[str, str], Awaitable[bool]]:
    """Gradio's `auth`: any name with this password. Wrong ones are answered one a second."""
    one_at_a_time = asyncio.Lock()

    async def check(_name: str, said: str) -> bool:
        if secrets.compare_digest(said.encode(), password.encode()):
            return True
        async with one_at_a_time:
            await asyncio.sleep(WRONG_PASSWORD_SECONDS)
        return False

    return check


class Doorkeeper:
    """ASGI middleware before the whole app. `local`: does it listen on this computer only? `host`: on what. `awaited`:
    is the answer of an event still to be fetched? `asked`: was anything asked in this session? Gradio answers others
    with a stack trace on the terminal."""

    def __init__(
        self,
        app,
        *,
        local: bool,
        host: str = "localhost",
        awaited: Callable[[str], bool] = lambda event: True,
        asked: Callable[[str], bool] = lambda session: True,
    ):
        self._app = app
        self._local, self._host, self._awaited, self._asked = local, host.lower(), awaited, asked

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] != "http":
            refusal = refusal or (404, texts.NO_DOOR)  # no web sockets here
        if refusal:
            await _say(send, scope["type"], *refusal)
            return
        if scope["method"] == "GET" and self._nothing_waits(scope):
            said = {"title": "UnknownEvent", "error": texts.API_NO_EVENT}
            await _say(send, "http", 404, json.dumps(said), media="application/json")
            return

        begun = False

        async def send_with_headers(message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                taken = {name.lower() for name, _ in message.get("headers", ())}
                extra = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in taken]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except TypeError:  # Gradio's of a form whose "files" are text, or have no name
            if begun or not unquote(scope["path"]).startswith(UPLOAD):
                raise
            await _say(send, "http", 400, texts.API_NO_UPLOAD)
        except KeyError:  # Gradio's of an event that this app does not have
            if begun or not JOIN.fullmatch(unquote(scope["path"])):
                raise
            said = {"title": "UnknownEvent", "error": texts.PAGE_OLD, "detail": texts.PAGE_OLD}
            await _say(send, "http", 404, json.dumps(said), media="application/json")

    def _nothing_waits(self, scope) -> bool:
        path = unquote(scope["path"])
        if event := ANSWER.fullmatch(path):
            return not self._awaited(event[1])
        sessions = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("session_hash")
        return bool(MESSAGES.fullmatch(path) and sessions and not self._asked(sessions[-1]))

    def _refusal(self, scope) -> tuple[int, str] | None:
        """Status and sentence for a request that gets no further."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self._local and not _names_this_computer(host, self._host):
            return 403, texts.WRONG_HOST
        if (origin := headers.get("origin")) is not None and urlsplit(origin).netloc != host:
            return 403, texts.OTHER_SITE
        followed_a_link = scope.get("method") == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not followed_a_link:
            return 403, texts.OTHER_SITE
        path = unquote(scope["path"])
        if UNUSED.match(path):
            return 404, texts.NO_DOOR
        if scope.get("method") == "POST" and not path.startswith(UPLOAD):  # all of it is read before it is known whose
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers or not length.isdecimal() or int(length) > MAX_BODY:
                return 413, texts.TOO_LARGE.format(count=MAX_BODY)
        return None


def _names_this_computer(host: str, own: str) -> bool:
    """Is it localhost, the name that the app was given or a loopback address, with or without a port? Names are not
    looked up: they may lie."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in ("localhost", own) or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _say(send, kind: str, status: int, text: str, *, media: str = "text/plain; charset=utf-8") -> None:
    if kind != "http":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", media.encode()), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
