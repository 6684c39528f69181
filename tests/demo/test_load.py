"""Eight pages stream at once: each hears its own speaker, memory stays flat, what is too much is dropped and counted.

Pages without a browser record second by second; what comes while the answer to the last is still due is sent joined, as
Gradio's page does, up to 5 s, and beyond that left out. `SOAK_MINUTES=30` makes it long; latencies are printed (`-s`).
"""

import json
import os
import re
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.audio import concatenate, resample
from core.heads import NOT_ENOUGH_SPEECH, UNKNOWN
from demo import texts
from demo.live_ear import RING_SAMPLES, LiveEar
from tests.demo.browserless import Page, ask, file_data, wav

PAGES = 8
SECONDS = float(os.environ.get("SOAK_MINUTES", 0)) * 60 or 15.0
ANSWERS, PATIENCE = 4, 200.0  # each page gets so many answers, however slow the machine is; s beyond `SECONDS`
FLOOD = 40  # slices
JOINED = 5  # seconds that a page sends at once
GROWTH_MB = 40.0 if SECONDS >= 300 else 200.0  # beyond the first third; a short run has hardly warmed up by then
RATE = 48_000  # Hz
SPEAKERS = ("Amina", "Kofi")  # those the shared recognizer knows
NOBODY = {UNKNOWN, NOT_ENOUGH_SPEECH, texts.NOT_ENOUGH, texts.WAITING_NAME}
NAMED = re.compile(r"card-both.*?card-name\\*\">([^<]*)<", re.S)


class Talker:
    """A page into which somebody speaks. `sent`: slices; `skipped`: those left out, the server being busy."""

    def __init__(self, url: str, sound: np.ndarray):
        self.page, self.sound = Page(url), sound
        self.sent = self.skipped = self.second = 0
        self.settled = self._skipped_then = 0  # left out before the last slice but one: the last hole may be none yet
        self.latencies: list[float] = []
        self.screens: Counter[str] = Counter()
        self.last = ""  # the newest screen as it came
        self.event: str | None = None
        self._answered = threading.Event()
        self._sent_at = 0.0

    def slice(self, seconds: int = 1) -> dict:
        """The last `seconds` until `second`, stamped as the page does."""
        places = [(at % (len(self.sound) // RATE)) * RATE for at in range(self.second - seconds, self.second)]
        piece = np.concatenate([self.sound[at : at + RATE] for at in places])
        name = f"audio-{1000 * self.second}.wav"
        return file_data(self.page.upload(name, wav(piece, RATE)), orig_name=name)

    def listen(self, messages) -> None:
        for message in messages:
            if message["msg"] == "unexpected_error" or message.get("success") is False:
                self.last = str(message)
                return
            if message["msg"] in ("process_streaming", "process_generating", "process_completed"):
                self.latencies.append(time.monotonic() - self._sent_at)
                said = str(message["output"])
                self.last = said if "card-both" in said else self.last
                self.screens.update(NAMED.findall(said)[:1])
                self._answered.set()
            if message["msg"] in ("process_completed", "unexpected_error", "close_stream"):
                return

    def talk(self, seconds: float) -> None:
        """In real time."""
        self.begin()
        began, held = time.monotonic() - 1.0, 0
        with self.page.listening() as messages:
            listener = threading.Thread(target=self.listen, args=(messages,), daemon=True)
            listener.start()
            while (elapsed := time.monotonic() - began) < seconds or (
                len(self.latencies) < ANSWERS and elapsed < seconds + PATIENCE
            ):
                time.sleep(max(0.0, self.second + 1 - elapsed))
                self.second, held = self.second + 1, held + 1
                if held > JOINED:
                    self.skipped, held = self.skipped + 1, JOINED
                if self._answered.is_set():
                    self._answered.clear()
                    self.send(self.slice(held))
                    held = 0
            self._answered.wait(PATIENCE)
            self.post("/close", {})
            listener.join(PATIENCE)

    def begin(self) -> None:
        """Press Record: the first second starts the stream."""
        self.second, self._sent_at = 1, time.monotonic()
        status, joined = self.page.join(self.page.event("live-microphone", "stream"), [self.slice(), None])
        assert status == 200, joined
        self.event = joined["event_id"]

    def send(self, piece: dict) -> None:
        self.sent += 1
        self.settled, self._skipped_then = self._skipped_then, self.skipped
        self._sent_at = time.monotonic()
        self.post("", {"data": [piece, None], "event_id": self.event, "session_hash": self.page.session})

    def post(self, tail: str, body: dict) -> None:
        path = f"/gradio_api/stream/{self.event}{tail}"
        reply = ask(self.page.url, path, "POST", body=json.dumps(body).encode(), Content_Type="application/json")
        assert reply.status == 200, reply


def ear_of(blocks, session: str) -> LiveEar:
    states = blocks.app.state_holder.session_data[session].state_data.values()
    return next(value for value in states if isinstance(value, LiveEar))


def memory_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def spoken(voice, name: str) -> np.ndarray:
    """The speaker's two recordings at the rate of a browser."""
    return resample(concatenate([voice(f"{name.lower()}_test"), voice(f"{name.lower()}_enrol")]), RATE).samples


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")  # Gradio counts its events with pandas
@pytest.mark.timeout(SECONDS + 3 * PATIENCE)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_eight_pages_each_hear_their_own_speaker(server, folder, voice, request):
    blocks, url = server
    sounds = {name: spoken(voice, name) for name in SPEAKERS}
    owners = [SPEAKERS[index % len(SPEAKERS)] for index in range(PAGES)]
    # each begins elsewhere: Gradio keeps equal files of equal name as one, and the first to take it deletes it
    talkers = [Talker(url, np.roll(sounds[owner], -9_001 * index)) for index, owner in enumerate(owners)]
    request.addfinalizer(lambda: [one.page.close() for one in talkers])
    threads = [threading.Thread(target=one.talk, args=(SECONDS,), daemon=True) for one in talkers]
    for thread in threads:
        thread.start()
    memory, most = [], 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(10.0, SECONDS / 5))
        memory.append(memory_mb())
        most = max(most, files(folder))
    latencies = np.array([value for one in talkers for value in one.latencies])
    sent, skipped = sum(one.sent for one in talkers), sum(one.skipped for one in talkers)
    print(
        f"\n{PAGES} pages, {SECONDS:.0f} s: {sent} slices answered, {skipped} left out; seconds to the screen: median "
        f"{np.median(latencies):.2f}, 95 % {np.percentile(latencies, 95):.2f}, worst {latencies.max():.2f}; memory "
        f"{', '.join(f'{value:.0f}' for value in memory[:: max(1, len(memory) // 12)])} MB; at most {most} files"
    )
    for owner, talker in zip(owners, talkers, strict=True):
        ear = ear_of(blocks, talker.page.session)
        closed = {answer.both.name for answer in ear.moment.closed}
        assert talker.sent > 0 and owner in set(talker.screens) | closed, (owner, talker.screens, talker.last[-500:])
        assert set(talker.screens) <= {owner, *NOBODY}, "another's voice on this screen"
        assert closed <= {owner, *NOBODY}, "another's voice in this session"
        slack = 2.0 + 0.1 * talker.skipped
        assert talker.settled - slack <= ear.moment.lost <= talker.skipped + slack, "what was left out is counted"
        assert len(ear._ring) <= RING_SAMPLES
    third = len(memory) // 3
    assert memory[-1] - memory[third] < GROWTH_MB, memory
    assert most < 12 * PAGES, "slices do not pile up on the disk"


def test_a_flood_is_dropped_and_counted(server, voice):
    """Many slices within a moment: some are judged, the rest is lost and said so; nothing queues."""
    blocks, url = server
    talker = Talker(url, spoken(voice, "Kofi"))
    talker.begin()
    with talker.page.listening() as messages:
        listener = threading.Thread(target=talker.listen, args=(messages,), daemon=True)
        listener.start()
        assert talker._answered.wait(60)
        pieces = []
        for talker.second in range(2, FLOOD + 1):
            pieces.append(talker.slice())
        for piece in pieces:
            talker.send(piece)
        deadline = (
            time.monotonic() + 60
        )  # the page goes on: only what comes next tells a hole from a page that stood still
        while ear_of(blocks, talker.page.session).moment.at < FLOOD and time.monotonic() < deadline:
            time.sleep(1.0)
            talker.second += 1
            talker.send(talker.slice())
        talker.post("/close", {})
        listener.join(60)
    moment, answers = ear_of(blocks, talker.page.session).moment, len(talker.latencies)
    assert FLOOD <= moment.at <= talker.second and moment.lost > FLOOD / 3, (moment.at, moment.lost)
    assert answers < talker.second, "not every slice of a flood has an answer"
    assert "of sound lost in" in talker.last
    talker.page.close()
