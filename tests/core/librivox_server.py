"""A web server on 127.0.0.1 that answers as LibriVox and archive.org do, well and badly. No network is needed.

    python -m tests.core.librivox_server DIR     # build a small dataset from it in DIR and train both networks on it

Its readers are the voices of demo/samples, as 64 kbit/s MP3 like LibriVox's. `faults[place]` lists what happens to the
next requests for a file: a status, "cut", "slow", "page", "long", "other"; a list that ends with "..." never ends.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import soundfile

from core.audio import SAMPLE_RATE, Audio, decode, resample

ROOT = Path(__file__).resolve().parents[2]
RATE = 22_050  # Hz, as LibriVox's 64 kbit/s files mostly are
LEVEL_64 = 0.6  # libsndfile's compression level that gives 64 kbit/s at that rate
FILLERS = 60  # rows of no use, so that there is more than one page
SOLO = {"101": ("amina", "English"), "102": ("kofi", "English"), "103": ("mei", "English"), "104": ("jo", "German")}
SOLO |= {"105": ("sven", "German")}


def mp3(sound: Audio) -> bytes:
    """64 kbit/s, constant."""
    target = io.BytesIO()
    made = resample(sound, RATE)
    soundfile.write(
        target, made.samples, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT",
        compression_level=LEVEL_64,
    )  # fmt: skip
    return target.getvalue()


def voice(name: str) -> Audio:
    return decode(ROOT / "demo" / "samples" / f"{name}.opus")


def narrow(sound: Audio) -> Audio:
    """As through a telephone: nothing above 3 kHz."""
    spectrum = np.fft.rfft(sound.samples)
    spectrum[np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) > 3000] = 0
    return Audio(np.fft.irfft(spectrum, len(sound)))


def noisy(sound: Audio) -> Audio:
    """With hiss 10 dB below the voice."""
    hiss = np.random.default_rng(0).standard_normal(len(sound)) * np.sqrt(np.mean(sound.samples**2) / 10)
    return Audio(np.clip(sound.samples + hiss, -1, 1))


class Shelf:
    """The catalogue's rows and archive.org's files; made once, shared by servers."""

    def __init__(self):
        self.rows: list[dict] = []
        self.files: dict[str, bytes] = {}
        for index in range(FILLERS):
            self.add(str(1 + index), "An unfinished book", "English", [], page="")
        for reader, (name, language) in SOLO.items():
            enrol, test = voice(f"{name}_enrol"), voice(f"{name}_test")
            half = enrol.duration / 2
            parts = [enrol.between(0, half), enrol.between(half, 99)]
            self.add(f"2{reader}", f"First book of {name}", language, parts, reader, f"{name.title()} *X*")
            self.add(f"3{reader}", f"Second book of {name}", language, [test], reader, f"{name.title()} *X*")
        two = voice("amina_enrol").between(0, 20)
        self.add("401", "A noisy book", "English", [noisy(voice("amina_enrol"))], "201", "Noisy")
        self.add("402", "A narrow book", "English", [narrow(voice("kofi_enrol"))], "202", "Narrow")
        self.add("403", "A short book", "English", [two.between(0, 9)], "203", "Short")
        self.add("404", "A book by two", "English", [two, two], "204", "One", second=("205", "Two"))
        self.add("405", "../../climbs", "English", [two], "206", "../../evil", file="../../../etc/passwd.mp3")
        self.add("406", "Un livre", "French", [two], "207", "Amélie")

    def add(self, number, title, language, sounds, reader="", name="", *, page=None, second=None, file=None):
        sections = []
        for index, sound in enumerate(sounds, start=1):
            place = f"item{number}_librivox/{file or f'part_{index:02d}_64kb.mp3'}"
            self.files[place] = mp3(sound)
            who = second if second and index == 2 else (reader, name)
            sections.append(
                {
                    "id": f"{number}{index}",
                    "section_number": str(index),
                    "title": f"Part {index}",
                    "listen_url": f"https://www.archive.org/download/{place}",
                    "language": language,
                    "playtime": str(round(sound.duration)),
                    "file_name": None,
                    "readers": [{"reader_id": who[0], "display_name": who[1]}],
                }
            )
        self.rows.append(
            {
                "id": number,
                "title": title,
                "description": "<p>About</p>",
                "language": language,
                "num_sections": str(len(sections)),
                "url_librivox": f"https://librivox.org/book-{number}/" if page is None else page,
                "totaltimesecs": 60,
                "authors": [{"id": "1", "first_name": "Jane", "last_name": "Austen"}],
                "sections": sections,
            }
        )


class LibriVoxServer:
    """`url` is both servers' address. `asked`: (seconds, path, range) of every request; `pause`: s before each answer;
    `down`: status that everything gets."""

    def __init__(self, shelf: Shelf):
        self.shelf, self.faults, self.asked = shelf, {}, []
        self.agents: set[str] = set()
        self.pause, self.down, self.busy, self.most_at_a_time = 0.0, None, 0, 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                with outer.lock:
                    outer.asked.append((time.monotonic(), self.path, self.headers.get("Range", "")))
                    outer.agents.add(self.headers.get("User-Agent", ""))
                    outer.busy += 1
                    outer.most_at_a_time = max(outer.most_at_a_time, outer.busy)
                try:
                    time.sleep(outer.pause)
                    with contextlib.suppress(OSError):  # the client went away, as some tests want
                        self.answer()
                finally:
                    with outer.lock:
                        outer.busy -= 1

            def answer(self):
                parts = urlsplit(self.path)
                if outer.down:
                    self.give(outer.down, b"down", "text/html")
                elif parts.path == "/api/feed/audiobooks":
                    self.books(parse_qs(parts.query))
                elif parts.path.startswith("/download/"):  # archive.org sends on to the machine that has the file
                    self.give(302, b"", "text/html", Location=f"/7/items/{parts.path[10:]}")
                elif parts.path.startswith("/7/items/"):
                    self.sound(parts.path[9:])
                else:
                    self.give(404, b"<html>nothing</html>", "text/html")

            def books(self, query):
                fault = outer.next_fault("catalogue")
                if fault == "sorry":
                    return self.give(200, b'{"error":"database busy"}', "application/json")
                if fault:
                    return self.trouble(fault, b'{"books": []}')
                first, count = int(query["offset"][0]), int(query["limit"][0])
                rows = outer.shelf.rows[first : first + count]
                if not rows:
                    return self.give(404, b'{"error":"Audiobooks could not be found"}', "application/json")
                self.give(200, json.dumps({"books": rows}).encode(), "application/json")

            def sound(self, place):
                content, fault = outer.shelf.files.get(place), outer.next_fault(place)
                if content is None:
                    return self.give(404, b"<html>no such item</html>", "text/html")
                first, last = 0, len(content) - 1
                if asked := self.headers.get("Range"):
                    first, last = (int(number) for number in asked.removeprefix("bytes=").split("-"))
                    last = min(last, len(content) - 1)
                    if first >= len(content):
                        return self.give(416, b"", "text/html", Content_Range=f"bytes */{len(content)}")
                if fault:
                    return self.trouble(fault, content, first, last)
                self.part(content, first, last)

            def part(self, content, first, last, length=None, say=0):
                self.send_response(206 if self.headers.get("Range") else 200)
                self.send_header("Content-Type", "audio/mpeg")
                self.send_header("Content-Range", f"bytes {first + say}-{last + say}/{len(content) + say}")
                self.send_header("Content-Length", str(length or last + 1 - first))
                self.end_headers()
                self.wfile.write(content[first : last + 1])

            def trouble(self, fault, content, first=0, last=0):
                if isinstance(fault, int):
                    self.give(fault, b"busy", "text/html", **({"Retry-After": "1"} if fault in (429, 503) else {}))
                elif fault == "page":
                    self.give(200, b"<html>This item is not available</html>", "text/html")
                elif fault == "text":
                    self.give(200, b"this is no sound " * 9000, "audio/mpeg")
                elif fault == "long":  # the size is wrong: more is promised than comes
                    self.part(content, first, last, length=2 * (last + 1 - first))
                    self.close_connection = True
                elif fault == "other":  # other bytes than were asked for
                    self.part(content, first, last, say=5)
                elif fault == "whole":  # a server that knows no ranges
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                elif fault == "away":
                    self.give(302, b"", "text/html", Location="http://example.org/else.mp3")
                elif fault == "slow":
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                    self.send_header("Content-Length", str(last + 1 - first))
                    self.end_headers()
                    for at in range(first, last + 1, 100):
                        self.wfile.write(content[at : min(at + 100, last + 1)])
                        time.sleep(0.1)
                else:  # "cut": half of it comes, then the line is dead
                    half = first + (last + 1 - first) // 2
                    self.part(content, first, half, length=last + 1 - first)
                    self.close_connection = True
                    self.connection.close()

            def give(self, status, content, kind, **headers):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def next_fault(self, place: str):
        with self.lock:
            waiting = self.faults.get(place)
            if not waiting:
                return None
            return waiting[0] if waiting[-1] == "..." and len(waiting) == 2 else waiting.pop(0)

    def count(self, what: str) -> int:
        """How many requests had this in their path."""
        return sum(what in path for _, path, _ in self.asked)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def environment(server: LibriVoxServer) -> dict[str, str]:
    """So that scripts/create_dataset.py asks this server and no other."""
    return {
        **os.environ,
        "SPEAKERS_LIBRIVOX": server.url,
        "SPEAKERS_ARCHIVE": server.url,
        "SPEAKERS_CONTACT": "me@test",
    }


SMALL = ("--speakers", "5", "--candidates", "8", "--minutes", "0.55", "--languages", "English:60,German:40")


def main(folder: Path) -> int:
    """The whole way on a small scale: catalogue, probes, sound, dataset, a few steps of both networks."""
    server = LibriVoxServer(Shelf())
    env = {**environment(server), "TF_CPP_MIN_LOG_LEVEL": "3"}
    dataset = str(folder / "dataset")
    for words in (
        ("create_dataset.py", *SMALL, "--interval", "0.1", "--output", dataset, "--dry-run"),
        ("create_dataset.py", *SMALL, "--interval", "0.1", "--output", dataset, "--copies", "1"),
        ("train_cnn.py", dataset, "--output", str(folder / "cnn"), "--batch", "8", "--crop", "100", "--steps", "4"),
        ("train_ann.py", dataset, "--output", str(folder / "ann"), "--batch", "16", "--hidden", "64", "--steps", "20"),
    ):
        print("$ python", f"scripts/{words[0]}", *words[1:], flush=True)
        code = subprocess.run([sys.executable, f"scripts/{words[0]}", *words[1:]], cwd=ROOT, env=env).returncode
        if code:
            return code
    server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
