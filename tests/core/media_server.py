"""A real web server on 127.0.0.1 that serves sound well, badly, slowly, or leads away. No network is needed."""

import contextlib
import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import soundfile

SECONDS, RATE = 3.0, 16_000  # of the sound served


def tone() -> np.ndarray:
    """3 s: 300 Hz, then 600 Hz, then 1200 Hz, one second each."""
    t = np.arange(RATE) / RATE
    return np.concatenate([0.3 * np.sin(2 * np.pi * hz * t) for hz in (300, 600, 1200)]).astype(np.float32)


def encoded(kind: str) -> bytes:
    target = io.BytesIO()
    subtype = {"WAV": "PCM_16", "OGG": "OPUS"}[kind]
    soundfile.write(target, tone(), RATE, format=kind, subtype=subtype)
    return target.getvalue()


class MediaServer:
    """`url(path)`: voice.wav, voice.ogg, cut.wav, slow.wav, endless.wav, page.html, frame.html, away, forbidden."""

    def __init__(self):
        self.asked: list[str] = []
        self.files = {"/voice.wav": encoded("WAV"), "/voice.ogg": encoded("OGG")}
        self.broken: dict[str, bytes] = {}  # of these 60 % come, then the connection breaks, however often it is tried
        self.elsewhere = ""  # what /away redirects to and /frame.html embeds
        self.picture = ""  # the thumbnail that /frame.html names
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.asked.append(self.path)
                with contextlib.suppress(OSError):  # the client went away, as some tests want
                    self.answer()

            do_HEAD = do_GET

            def begin(self, kind: str, length: int | None = None, status: int = 200, **headers: str):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def answer(self):
                path = self.path.split("?")[0]
                sound = outer.files["/voice.wav"]
                if path in outer.files:
                    self.begin("audio/wav" if path.endswith("wav") else "audio/ogg", len(outer.files[path]))
                    self.wfile.write(outer.files[path])
                elif path in outer.broken:
                    whole = outer.broken[path]
                    self.begin("audio/wav", len(whole))
                    self.wfile.write(whole[: round(0.6 * len(whole))])
                elif path == "/cut.wav":
                    self.begin("audio/wav", len(sound) * 10)
                    self.wfile.write(sound[:20_000])
                elif path == "/slow.wav":
                    self.begin("audio/wav", len(sound))
                    for index in range(0, len(sound), 1024):
                        self.wfile.write(sound[index : index + 1024])
                        time.sleep(0.1)
                elif path == "/endless.wav":
                    self.begin("audio/wav")
                    for _ in range(2000):
                        self.wfile.write(sound)
                elif path == "/page.html":
                    self.page("<html><title>A page</title><p>No sound here.</p></html>")
                elif path == "/frame.html":
                    shown = f'<meta property="og:image" content="{outer.picture}">' if outer.picture else ""
                    self.page(f'<title>A page</title><meta property="og:video" content="{outer.elsewhere}">{shown}')
                elif path == "/away":
                    self.begin("text/plain", 0, 302, Location=outer.elsewhere)
                elif path == "/forbidden":
                    self.page("no", 403)
                else:
                    self.page("nothing", 404)

            def page(self, text: str, status: int = 200):
                self.begin("text/html", len(text.encode()), status)
                self.wfile.write(text.encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
