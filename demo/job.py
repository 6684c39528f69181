"""One recording being judged by a thread of the server, from a file or a link; a page looks at it and may stop it."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.audio import Audio
from core.errors import Cancelled
from core.recognizer import Recognizer
from core.segments import Segment
from core.sources import file, youtube
from core.timeline import Answer, Timeline
from demo.leavings import discard
from demo.turns import Turns

LOOK_SECONDS = 0.3  # s between looks at a job; grows with the number of answers, which all have to be drawn
LOOK_SECONDS_PER_ANSWER = 0.003
STOP_SECONDS = 10  # s of sound judged between two looks at whether to stop
REMAINING_FROM = 0.05  # of the work done, from which the time that remains is worth saying
AT_ONCE = 2  # recordings judged at the same time, those that programs send among them
TURNS = Turns(AT_ONCE)
WAIT = "wait"  # the stage before all others
ASK, FETCH, JUDGE = "ask", "fetch", "judge"  # the stages of a link; a file has the last one only


@dataclass(frozen=True)
class Work:
    """What to listen to: a file or a link, from `start` to `end` seconds (None: all of it). `video`: what is known of
    the link already. `copied`: is the file a copy made for this, to be deleted with it?"""

    path: str | None = None
    link: str | None = None
    start: float | None = None
    end: float | None = None
    video: youtube.Video | None = None
    copied: bool = False


class Job:
    """Judged once. A copy is always a fresh one, as `gr.State` copies its first value for each session."""

    def __init__(self):
        self._stop = threading.Event()
        self._since = 0.0
        self.stage, self.fraction = "", None
        self.before = 0  # recordings that are judged first
        self.answers: list[Answer] = []
        self.title, self.player, self.model_id = "", None, ""
        self.is_link = False
        self.start = 0.0  # s in the recording at which the judging began
        self.written: list[str] = []  # files made for it: a copy to play, exports
        self.notes: list[str] = []  # what was odd about the recording
        self.error: Exception | None = None
        self.cancelled = False
        self.left = False  # nobody looks at it any more
        self.followed = False  # the page has another one

    def __deepcopy__(self, _memo) -> Job:
        return Job()

    def cancel(self) -> None:
        """Stop at the next opportunity."""
        self._stop.set()

    def leave(self) -> None:
        """The page is gone, or has another recording now: stop, and delete what was fetched, copied or written."""
        self.left = True
        self.cancel()
        discard(self.written)
        self.answers, self.player, self.written = [], None, []

    @property
    def remaining(self) -> float | None:
        """Seconds that this stage will still take; None where nobody knows."""
        if self.fraction is None or self.fraction < REMAINING_FROM:
            return None
        return (time.monotonic() - self._since) * (1.0 - self.fraction) / self.fraction

    def run(self, recognizer: Recognizer, work: Work, folder: Path) -> Iterator[None]:
        """Do `work`; yields whenever there may be something new to draw. `folder`: where a download is kept to play."""
        self.model_id, self.is_link = recognizer.model_id, work.link is not None
        thread = threading.Thread(target=self._work, args=(recognizer, work, folder), name="job", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(LOOK_SECONDS + LOOK_SECONDS_PER_ANSWER * len(self.answers))
                yield
        finally:
            self.cancel()  # the page went away, or all is done

    def timeline(self) -> Timeline:
        """All answers until now."""
        return Timeline(self.title, self.model_id, tuple(self.answers))

    def _work(self, recognizer: Recognizer, work: Work, folder: Path) -> None:
        try:
            self._keep(work)
            with TURNS.turn(tell=self._waits, stopped=self._stop.is_set):
                if work.link is None:
                    self._file(recognizer, work)
                else:
                    self._link(recognizer, work, folder)
        except Cancelled:
            self.cancelled = True
        except Exception as error:  # noqa: BLE001 - shown by the page that looks
            self.error = error

    def _keep(self, work: Work) -> None:
        """A copy that was made for this goes with it, however it ends."""
        if work.copied:
            self.written.append(work.path)
        if self.left:  # meanwhile
            self.leave()

    def _waits(self, before: int) -> None:
        self.before = before
        self._begin(WAIT, None)

    def _begin(self, stage: str, fraction: float | None) -> None:
        self.stage, self.fraction, self._since = stage, fraction, time.monotonic()

    def _file(self, recognizer: Recognizer, work: Work) -> None:
        path = Path(work.path)
        file.check_range(work.start, work.end)
        self.title = path.name
        self.player = str(path)
        self._judge(
            recognizer, file.blocks(path, work.start, work.end, note=self.notes.append), file.duration(path), work
        )

    def _link(self, recognizer: Recognizer, work: Work, folder: Path) -> None:
        link = youtube.parse_link(work.link)
        self._begin(ASK, None)
        video = work.video or youtube.probe(link)
        self.title = video.title
        youtube.check_video(video, start=work.start, end=work.end)
        self._begin(FETCH, 0.0)
        asked = {"start": work.start, "end": work.end, "progress": self._fetched, "cancelled": self._stop.is_set}
        with youtube.fetch(link, **asked, folder=folder) as download:
            kept = Path(tempfile.mkdtemp(prefix="link-", dir=folder)) / download.path.name
            shutil.copyfile(download.path, kept)  # the download itself is gone after this block; the player needs it
            self.player = str(kept)
            self.written.append(self.player)
            if self.left:  # meanwhile
                self.leave()
            ranged = replace(work, start=download.start)
            self._judge(recognizer, download.blocks(note=self.notes.append), file.duration(download.path), ranged)

    def _fetched(self, fraction: float) -> None:
        self.fraction = fraction

    def _judge(self, recognizer: Recognizer, blocks: Iterator[Audio], seconds: float | None, work: Work) -> None:
        self._begin(JUDGE, None)
        self.start = work.start or 0.0
        last = min(work.end or float("inf"), seconds or float("inf"))
        for one in recognizer.identify(self._stoppable(blocks)):
            span = Segment(one.segment.start + self.start, one.segment.end + self.start)
            self.answers.append(replace(one, segment=span))
            if last != float("inf"):
                self.fraction = min((span.end - self.start) / max(last - self.start, 1e-6), 1.0)

    def _stoppable(self, blocks: Iterator[Audio]) -> Iterator[Audio]:
        for block in blocks:
            for first in range(0, len(block), block.rate * STOP_SECONDS):
                if self._stop.is_set():
                    raise Cancelled("stopped")
                yield Audio(block.samples[first : first + block.rate * STOP_SECONDS], block.rate)
