"""Speaking to the running app as a browser does, but by hand: raw requests, events, live slices."""

import http.client
import io
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import soundfile

PATIENCE = 60  # s for one answer on a busy machine


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(url: str, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str) -> Reply:
    """One request, sent as it is: no path is tidied. Header names are written with `_`."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as line:
        line.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        if body is not None:
            line.putheader("Content-Length", str(len(body)))
        line.endheaders(body)
        answer = line.getresponse()
        streamed = "event-stream" in answer.headers.get("content-type", "")
        content = answer.readline() if streamed else answer.read()
        return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, content)


class Page:
    """One open page: a session with its heartbeat. `events` by name of the endpoint's target, see `Page.find`."""

    def __init__(self, url: str):
        self.url, self.session = url.rstrip("/"), uuid.uuid4().hex
        self.config = json.loads(ask(url, "/config").body)
        self._beat = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
        self._beat.request("GET", f"/gradio_api/heartbeat/{self.session}")
        self._beat.getresponse().readline()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """As when the tab is closed."""
        self._beat.close()

    def component(self, elem_id: str) -> int:
        return next(c["id"] for c in self.config["components"] if c["props"].get("elem_id") == elem_id)

    def event(self, elem_id: str, name: str) -> dict:
        """The event `name` ("click", "stream", ...) of the component with that elem_id."""
        return next(d for d in self.config["dependencies"] if [self.component(elem_id), name] in d["targets"])

    def upload(self, name: str, content: bytes) -> str:
        """Send a file; its path on the server."""
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        reply = ask(self.url, "/gradio_api/upload", "POST", body=body, Content_Type=kind)
        assert reply.status == 200, reply
        return json.loads(reply.body)[0]

    def join(self, event: dict, data: list) -> tuple[int, dict]:
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "trigger_id": None}
        reply = ask(
            self.url, "/gradio_api/queue/join", "POST", body=json.dumps(body).encode(), Content_Type="application/json"
        )
        return reply.status, json.loads(reply.body) if reply.body[:1] in b"{[" else {}

    @contextmanager
    def listening(self) -> Iterator[Iterator[dict]]:
        """The messages of this session's events, as they come."""
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)) as line:
            line.request("GET", f"/gradio_api/queue/data?session_hash={self.session}")
            answer = line.getresponse()

            def messages() -> Iterator[dict]:
                while text := answer.readline():
                    if text.startswith(b"data:"):
                        yield json.loads(text[5:])

            yield messages()

    def run(self, event: dict, data: list) -> list[dict]:
        """Start an event and wait for its end: all messages; [] where it is refused."""
        status, _ = self.join(event, data)
        if status != 200:
            return []
        found = []
        with self.listening() as messages:
            for message in messages:
                found.append(message)
                if message["msg"] in ("process_completed", "unexpected_error", "close_stream"):
                    break
        return found


def file_data(path: str, **more) -> dict:
    return {"path": path, "orig_name": "voice.wav", "meta": {"_type": "gradio.FileData"}, **more}


def wav(samples: np.ndarray, rate: int) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, rate, format="WAV", subtype="PCM_16")
    return target.getvalue()


def in_background(work, *arguments) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread
