"""What a browser leaves behind goes when its page is gone: files and sound, on disk and in memory."""

import asyncio
import http.client
import json
import logging
import os
import shutil
import time
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from core.audio import SAMPLE_RATE, resample
from demo import leavings, slices, texts
from demo.live_ear import LiveEar
from tests.demo.browserless import Page, ask, file_data, wav
from tests.demo.conftest import GRACE, IDLE


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def until(truth, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not truth():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_a_page_that_goes_away_takes_its_files_and_its_voice_along(server, folder, voice):
    blocks, url = server
    sound = resample(voice("kofi_test"), 48_000)
    with Page(url) as page:
        recording = page.upload("recording.wav", wav(voice("jo_test").samples, SAMPLE_RATE))
        lights = page.run(page.event("enrol-microphone", "input"), [None, file_data(recording)])
        assert "light" in str(lights) and os.path.exists(recording)
        judged = page.run(page.event("example-kofi_test", "click"), [None])
        assert "notice-good" in str(judged)
        for second in range(3):
            piece = sound.between(second, second + 1.0)
            path = page.upload("recording.wav", wav(piece.samples, piece.rate))
            ear = held(blocks, page.session)
            (ear or LiveEar()).hear(piece.samples, piece.rate)
            assert os.path.exists(path)
            page.run(page.event("enrol-microphone", "input"), [None, file_data(path)])
        assert len(files(folder)) >= 5, files(folder)
    assert until(lambda: not files(folder)), files(folder)
    assert until(lambda: ear is None or not len(ear._ring))


def held(blocks, session: str) -> LiveEar | None:
    holder = blocks.app.state_holder
    if session not in holder.session_data:
        return None
    return next((v for v in holder.session_data[session].state_data.values() if isinstance(v, LiveEar)), None)


def test_calls_of_programs_and_pages_that_are_gone_take_no_place(server):
    blocks, url = server
    sessions = blocks.app.state_holder.session_data
    with Page(url) as page:
        page.run(page.event("enrol-microphone", "input"), [None, None])
        assert page.session in sessions
        before = set(sessions)
        for _ in range(3):
            call = ask(url, "/gradio_api/call/speakers", "POST", body=b'{"data": []}', Content_Type="application/json")
            number = json.loads(call.body)["event_id"]
            assert b"complete" in ask(url, f"/gradio_api/call/speakers/{number}").body
        assert until(lambda: set(sessions) <= before)
        page.run(next(one for one in page.config["dependencies"] if one["api_name"] == "speakers"), [])
        assert page.session in sessions
    assert until(lambda: page.session not in sessions)


def test_the_oldest_of_too_many_pages_takes_its_files_along(server, folder, monkeypatch):
    blocks, url = server
    with Page(url) as first, Page(url) as second:
        first.run(first.event("example-kofi_test", "click"), [None])
        assert list(folder.glob("example-*/*")) and list(folder.glob("export-*/*"))
        monkeypatch.setattr(blocks.app.state_holder, "capacity", 1)

        def gone() -> bool:
            second.run(second.event("enrol-microphone", "input"), [None, None])  # each puts one page out
            return not list(folder.glob("example-*/*")) and not list(folder.glob("export-*/*"))

        assert until(gone)


def test_a_page_that_comes_back_in_time_keeps_its_files(server, folder, voice):
    _, url = server
    page = Page(url)
    path = page.upload("recording.wav", wav(voice("mei_test").samples, SAMPLE_RATE))
    page.run(page.event("enrol-microphone", "input"), [None, file_data(path)])
    again = Page(url)  # another page, which stays open all the while
    page.close()
    assert until(lambda: not os.path.exists(path))
    mine = again.upload("recording.wav", wav(voice("sven_test").samples, SAMPLE_RATE))
    again.run(again.event("enrol-microphone", "input"), [None, file_data(mine)])
    time.sleep(2 * GRACE)
    assert os.path.exists(mine)
    again.close()
    assert until(lambda: not os.path.exists(mine))


def test_a_page_whose_heartbeat_broke_is_followed_by_what_it_sends(server, folder, voice):
    """Gradio's page begins no other heartbeat: a telephone that was locked for a minute."""
    _, url = server
    page = Page(url)
    page.close()
    time.sleep(2 * GRACE)  # forgotten
    for _ in range(3):  # it is used again, for longer than it may be idle
        path = page.upload("recording.wav", wav(voice("kofi_test").samples, SAMPLE_RATE))
        page.run(page.event("enrol-microphone", "input"), [None, file_data(path)])
        time.sleep(IDLE / 2)
        assert os.path.exists(path)
    assert until(lambda: not os.path.exists(path))


def test_a_live_session_of_a_page_whose_heartbeat_broke_may_last(server, voice):
    """Its slices are no events, but the page waits for answers. (Gradio itself ends a session in which it breaks.)"""
    blocks, url = server
    page, sound = Page(url), resample(voice("kofi_test"), 16_000)
    page.close()
    time.sleep(2 * GRACE)
    piece = wav(sound.between(0.0, 1.0).samples, sound.rate)

    def slice_of(second: int) -> dict:
        return file_data(page.upload(f"audio-{second}000.wav", piece))

    event = page.join(page.event("live-microphone", "stream"), [slice_of(1), None])[1]["event_id"]
    with page.listening() as messages:
        ear, began = None, time.monotonic()
        for second in range(2, 100):
            while next(messages)["msg"] != "process_streaming":
                pass
            ear = ear or held(blocks, page.session)
            if time.monotonic() - began > IDLE + 3 * GRACE:
                break
            time.sleep(0.5)
            stream(page, event, "", {"data": [slice_of(second), None], "session_hash": page.session})
        assert held(blocks, page.session) is ear and ear.moment.at >= 2
        stream(page, event, "/close", {})
    assert until(lambda: held(blocks, page.session) is not ear)  # it is over, and the page idle


def stream(page: Page, event: str, tail: str, body: dict) -> None:
    path, sent = f"/gradio_api/stream/{event}{tail}", json.dumps(body).encode()
    assert ask(page.url, path, "POST", body=sent, Content_Type="application/json").status == 200


def sent_by_two(server, sound) -> tuple[list[Page], str]:
    """The same recording, sent by two pages; where it is."""
    _, url = server
    pages = [Page(url), Page(url)]
    for page in pages:
        path = page.upload("recording.wav", wav(sound.samples, SAMPLE_RATE))
        page.run(page.event("enrol-microphone", "input"), [None, file_data(path)])
    return pages, path


def press(page: Page, button: str, data: list) -> None:
    """The event of that button alone."""
    mine = [[page.component(button), "click"]]
    assert page.run(next(one for one in page.config["dependencies"] if one["targets"] == mine), data)[-1]["success"]


def test_a_take_that_is_removed_is_gone_from_the_disk_unless_another_page_needs_it(server, voice):
    pages, path = sent_by_two(server, voice("jo_test"))
    press(pages[0], "enrol-drop", [None, texts.FROM_BROWSER])
    assert os.path.exists(path)
    pages[0].run(pages[0].event("enrol-microphone", "input"), [None, file_data(path)])  # said again, word for word
    press(pages[1], "enrol-over", [None, texts.FROM_BROWSER])
    assert os.path.exists(path)
    press(pages[0], "enrol-over", [None, texts.FROM_BROWSER])
    assert not os.path.exists(path)
    for page in pages:
        page.close()


def test_the_same_recording_sent_by_two_pages_stays_until_both_are_gone(server, voice):
    """What is alike is one file."""
    pages, path = sent_by_two(server, voice("amina_test"))
    pages[0].close()
    time.sleep(3 * GRACE)
    assert os.path.exists(path)
    pages[1].close()
    assert until(lambda: not os.path.exists(path))


def test_only_files_of_the_private_folder_are_discarded(folder, tmp_path):
    outside = tmp_path / "precious.wav"
    outside.write_bytes(b"keep")
    if os.name != "nt":  # where it is a privilege
        (folder / "link.wav").symlink_to(outside)
    inside = folder / "inside.wav"
    inside.write_bytes(b"gone")
    said = [
        str(outside),
        str(folder / "link.wav"),
        f"{folder}/../{outside.name}",
        None,
        "",
        "a\0b",
        str(folder),
        str(inside),
    ]
    assert leavings.discard(said) == 1
    assert outside.read_bytes() == b"keep" and not inside.exists()
    (folder / "link.wav").unlink(missing_ok=os.name == "nt")


def test_what_is_open_when_it_is_to_go_goes_when_it_is_closed(folder, monkeypatch):
    """Windows deletes no such file: a player waits with the recording before, a browser fetches a file of people."""
    paths = [folder / name / "voice.wav" for name in ("link-1", "people-1", "kept-1")]

    def refused(*_, **__):
        raise PermissionError(13, "it is open")

    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"a voice")
    with ExitStack() as reading, monkeypatch.context() as patch:
        for path in paths:
            reading.enter_context(path.open("rb"))
        if os.name != "nt":
            patch.setattr(Path, "unlink", refused)
        assert leavings.discard(paths) == 0
    leavings.hold(paths[2], "page")  # what is alike is one file, and another page needs it now
    assert leavings.sweep_strays() == 2 and [path.parent.exists() for path in paths] == [False, False, True]
    leavings.let_go(paths[2], "page")
    assert not paths[2].exists() and leavings.sweep_strays() == 0


def test_without_the_app_nothing_is_discarded(tmp_path, monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    mine = tmp_path / "mine.wav"
    mine.write_bytes(b"mine")
    assert leavings.discard([mine]) == 0 and mine.exists()


def test_slices_that_nobody_took_are_swept_and_nothing_else(folder):
    """Those from the future too: the clock was put back."""
    (folder / "slice").mkdir()
    names = ("audio-1500.wav", "audio.wav", "audio-of-mine.wav", "audio-2500.wav", "audio-3500.wav")
    swept, *_, needed, fresh = paths = [folder / "slice" / name for name in names]
    for path in paths:
        path.write_bytes(wav(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE))
        os.utime(path, (time.time() + 86_400,) * 2)
    os.utime(fresh)
    leavings.hold(needed, "page")  # a recording to enrol with that was made while the other microphone listened
    assert slices.sweep() == 1 and not swept.exists()
    assert all(path.exists() for path in paths[1:])
    leavings.let_go(needed, "page")
    assert not needed.exists()


def test_what_a_page_had_sent_that_went_away_meanwhile_is_swept_and_nothing_else(server, folder, voice, monkeypatch):
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "disabled", True)  # what pytest notes holds the file open
    _, url = server
    sound = wav(voice("jo_test").samples, SAMPLE_RATE)
    with closing(http.client.HTTPConnection(urlsplit(url).netloc)) as line:  # the tab is closed in the middle
        line.putrequest("POST", "/gradio_api/upload")
        line.putheader("Content-Type", "multipart/form-data; boundary=edge")
        line.putheader("Content-Length", str(2 * len(sound)))
        head = b'--edge\r\nContent-Disposition: form-data; name="files"; filename="whole.wav"\r\n\r\n'
        line.endheaders(head + sound)
        assert until(lambda: list(folder.glob("tmp*")))
    with Page(url) as page:
        whole = Path(page.upload("whole.wav", sound))
        needed = page.upload("needed.wav", wav(voice("mei_test").samples, SAMPLE_RATE))
        page.run(page.event("enrol-microphone", "input"), [None, file_data(needed)])
        (folder / "export-1").mkdir()
        other = [folder / ".in-use", folder / "export-1" / "talk.json"]
        for path in other:
            path.write_bytes(b"no sound")
        assert leavings.sweep_strays() == 0 and whole.exists()
        for path in [*folder.glob("tmp*"), whole, Path(needed), *other, whole.parent, Path(needed).parent]:
            os.utime(path, (time.time() - leavings.STRAY_SECONDS,) * 2)
        assert leavings.sweep_strays() >= 2
        assert not list(folder.glob("tmp*")) and not whole.parent.exists()
        assert os.path.exists(needed) and all(path.exists() for path in other)
    leavings.discard(other)


def test_nothing_is_kept_of_who_is_not_logged_in_or_sent_nothing(folder):
    sent = folder / ("b2" * 32) / "a.wav"
    sent.parent.mkdir()
    sent.write_bytes(b"a voice")
    body = {"session_hash": "s", "fn_index": 0, "data": [{"path": str(sent)}, {"path": "nowhere"}] * 300}

    async def run(status: int) -> leavings.Leavings:
        async def app(scope, receive, send) -> None:
            await receive()
            await send({"type": "http.response.start", "status": status})

        async def receive() -> dict:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message) -> None:
            pass

        doors = leavings.Leavings(app, forget=print)
        await doors({"type": "http", "path": leavings.JOIN}, receive, send)
        return doors

    refused, taken = asyncio.run(run(401)), asyncio.run(run(200))
    assert not refused._files and not refused._alarms
    assert taken._files == {"s": {str(sent)}} and leavings.held(sent)
    leavings.let_go(sent, "s")
    assert not sent.exists()


def test_several_files_that_are_sent_at_once_wait_for_the_last(folder):
    first, last = folder / "tmp1", folder / "tmp2"
    for path in (first, last):
        path.write_bytes(b"a voice")
    os.utime(first, (time.time() - 2 * leavings.STRAY_SECONDS,) * 2)
    assert leavings.sweep_strays() == 0
    os.utime(last, (time.time() - 2 * leavings.STRAY_SECONDS,) * 2)
    assert leavings.sweep_strays() == 2
    for path, times in ((first, 7), (last, 0)):  # but not for ever, as something else may always be sent
        path.write_bytes(b"a voice")
        os.utime(path, (time.time() - times * leavings.STRAY_SECONDS,) * 2)
    assert leavings.sweep_strays() == 1 and last.exists()
    last.unlink()


def test_a_file_that_came_whole_long_after_its_last_byte_waits_for_its_event(folder):
    """Others of the same request took longer; only then it gets its name."""
    sent = folder / ("a1" * 32) / "whole.wav"
    sent.parent.mkdir()
    sent.write_bytes(b"a voice")
    long_ago = time.time() - 2 * leavings.STRAY_SECONDS
    os.utime(sent, (long_ago,) * 2)
    assert leavings.sweep_strays() == 0
    os.utime(sent.parent, (long_ago,) * 2)
    assert leavings.sweep_strays() == 1 and not sent.parent.exists()


def test_nothing_is_swept_while_a_call_waits_for_its_turn(folder):
    stray, asked = folder / "tmp1234", []
    stray.write_bytes(b"a voice")

    def waiting() -> bool:
        asked.append(stray.exists())
        return len(asked) < 3

    async def app(*_) -> None:
        pass

    async def run() -> None:
        doors = leavings.Leavings(app, forget=print, stray=0.05, queued=waiting)
        await doors({"type": "http", "path": "/"}, None, None)
        while stray.exists():
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert asked[:3] == [True] * 3


def test_it_is_swept_while_the_app_runs(folder):
    stray = folder / "tmp1234"
    stray.write_bytes(b"a voice")

    async def app(*_) -> None:
        pass

    async def run() -> None:
        await leavings.Leavings(app, forget=print, stray=0.05)({"type": "http", "path": "/"}, None, None)
        while stray.exists():
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_folder_that_goes_while_slices_are_swept_stops_nothing(tmp_path, monkeypatch):
    """Whoever takes a slice deletes it with its folder; Path.rglob of Python 3.11 ends there."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    places = [tmp_path / f"slice{number}" for number in range(4)]
    for place in places:
        place.mkdir()
        (place / "audio-1000.wav").write_bytes(b"a slice")

    def taken_meanwhile(path: Path, seconds: float) -> bool:
        for other in places:
            if other != path.parent:
                shutil.rmtree(other, ignore_errors=True)
        return leavings.old(path, seconds)

    monkeypatch.setattr(slices, "old", taken_meanwhile)
    assert slices.sweep(older_than=0.0) == 1
    assert not any(place.exists() for place in places)


def test_folders_of_slices_that_were_taken_are_swept(folder):
    """Gradio makes one for every slice, and each look at them takes longer the more there are."""
    empty, young, full = (folder / name for name in ("empty", "young", "full"))
    for place in (empty, young, full):
        place.mkdir()
    (full / "recording.wav").write_bytes(b"sound")
    for place in (empty, full):
        os.utime(place, (time.time() - 60,) * 2)
    slices.sweep()
    assert not empty.exists() and young.exists() and (full / "recording.wav").exists()
    leavings.discard([full / "recording.wav"])
    young.rmdir()
    in_the_root = folder / "recording.wav"
    in_the_root.write_bytes(b"sound")
    assert leavings.discard([in_the_root]) == 1 and folder.exists()
