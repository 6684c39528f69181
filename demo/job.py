"""One recording being judged by a thread of the server, from a file or a link; a page looks at it and may stop it."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.audio import Audio
from core.errors import Cancelled
from core.recognizer import Recognizer
from core.sources import file, youtube
from core.timeline import Answer, Timeline
from demo import texts

LOOK_SECONDS = 0.3  # s between looks at a job; grows with the number of answers, which all have to be drawn
LOOK_SECONDS_PER_ANSWER = 0.003


@dataclass(frozen=True)
class Work:
    """What to listen to: a file or a link, from `start` to `end` seconds (None: all of it)."""

    path: str | None = None
    link: str | None = None
    start: float | None = None
    end: float | None = None


class Job:
    """One per session; a copy is always a fresh one, as `gr.State` copies its first value for each session."""

    def __init__(self):
        self._stop = threading.Event()
        self.step, self.fraction = "", None
        self.answers: list[Answer] = []
        self.title, self.player, self.model_id = "", None, ""
        self.start = 0.0
        self.error: Exception | None = None
        self.cancelled = False

    def __deepcopy__(self, _memo) -> Job:
        return Job()

    def cancel(self) -> None:
        """Stop at the next opportunity."""
        self._stop.set()

    def run(self, recognizer: Recognizer, work: Work, folder: Path) -> Iterator[None]:
        """Do `work`; yields whenever there may be something new to draw. `folder`: where a download is kept to play."""
        self.cancel()
        self.__init__()
        stop = self._stop
        self.model_id = recognizer.model_id
        thread = threading.Thread(target=self._work, args=(recognizer, work, folder), name="job", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(LOOK_SECONDS + LOOK_SECONDS_PER_ANSWER * len(self.answers))
                yield
        finally:
            stop.set()  # the page went away, or all is done

    def timeline(self) -> Timeline:
        """All answers until now."""
        return Timeline(self.title, self.model_id, tuple(self.answers))

    def _work(self, recognizer: Recognizer, work: Work, folder: Path) -> None:
        try:
            if work.link is None:
                self._file(recognizer, work)
            else:
                self._link(recognizer, work, folder)
        except Cancelled:
            self.cancelled = True
        except Exception as error:  # noqa: BLE001 - shown by the page that looks
            self.error = error

    def _file(self, recognizer: Recognizer, work: Work) -> None:
        path = Path(work.path)
        file.check_range(work.start, work.end)
        self.title = path.name
        self.player = str(path)
        self._judge(recognizer, file.blocks(path, work.start, work.end), file.duration(path), work)

    def _link(self, recognizer: Recognizer, work: Work, folder: Path) -> None:
        link = youtube.parse_link(work.link)
        self.step = texts.LOOKING_UP
        self.title = youtube.probe(link).title
        self.step, self.fraction = texts.FETCHING.format(title=self.title), 0.0
        asked = {"start": work.start, "end": work.end, "progress": self._fetched, "cancelled": self._stop.is_set}
        with youtube.fetch(link, **asked, folder=folder) as download:
            kept = Path(tempfile.mkdtemp(prefix="link-", dir=folder)) / download.path.name
            shutil.copyfile(download.path, kept)  # the download itself is gone after this block; the player needs it
            self.player = str(kept)
            ranged = Work(start=download.start, end=work.end)
            self._judge(recognizer, download.blocks(), file.duration(download.path), ranged)

    def _fetched(self, fraction: float) -> None:
        self.fraction = fraction

    def _judge(self, recognizer: Recognizer, blocks: Iterator[Audio], seconds: float | None, work: Work) -> None:
        self.step, self.fraction = texts.LISTENING_TO.format(title=self.title), None
        self.start = work.start or 0.0
        last = min(work.end or float("inf"), seconds or float("inf"))
        for one in recognizer.identify(self._stoppable(blocks)):
            self.answers.append(one)
            if last != float("inf"):
                self.fraction = min(one.segment.end / max(last - self.start, 1e-6), 1.0)

    def _stoppable(self, blocks: Iterator[Audio]) -> Iterator[Audio]:
        for block in blocks:
            for first in range(0, len(block), block.rate * 10):
                if self._stop.is_set():
                    raise Cancelled("stopped")
                yield Audio(block.samples[first : first + block.rate * 10], block.rate)
