"""`identify`, `enrol` and `live` with a real microphone: PulseAudio plays an example voice, PortAudio hears it."""

import json
import os
import pty
import re
import select
import signal
import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.errors import StoreError
from core.recognizer import Recognizer
from demo import cli_live
from demo.cli_live import judged
from demo.cli_live_view import picture
from demo.take import COMPUTER, Take
from tests.core.sound_server import serving
from tests.demo.command_line import (
    PATIENCE,
    ROOT,
    SAMPLES,
    command,
    interruptible,
    refused,
    rows,
    spoken,
)


@pytest.fixture
def playing(sound_server, voice, tmp_path):
    """`playing("amina_test")`: that voice is heard by the microphone "pulse" again and again until the test ends."""
    players = []

    def play(name: str) -> None:
        samples = np.resize(voice(name).samples, 90 * SAMPLE_RATE)
        soundfile.write(tmp_path / "loop.wav", samples, SAMPLE_RATE, subtype="PCM_16")
        players.append(sound_server.play(tmp_path / "loop.wav"))

    yield play
    for player in players:
        player.kill()
        player.wait()


def test_the_microphone_until_ctrl_c(everybody, playing):
    playing("kofi_test")
    with interruptible("identify", "mic", "--device", "pulse", "--home", everybody) as running:
        first = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, err) == (0, "")
    assert first.startswith("00:00-00:05  CNN  ") and "both  Kofi " in first
    assert re.search(r"talk time\nKofi +00:0[5-9]", out), out
    refused(command("identify", "mic", "--from", "3", "--home", everybody), "a microphone has no past")


def test_enrol_by_microphone(home, playing):
    playing("mei_enrol")
    done = command("enrol", "Mei", "mic", "--device", "pulse", "--yes-consent", "--to", "24")
    assert done.code == 0 and re.match(r"Mei is enrolled: 4 segments", done.out), done
    found = spoken(rows(command("identify", SAMPLES / "mei_test.opus", "--csv")))
    assert found.count("Mei") > len(found) / 2


def test_live_in_a_terminal(everybody, playing):
    """The picture every second, the closed segment, and after Ctrl-C the summary."""
    playing("sven_test")
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "150"}
    shown = b""
    with interruptible("live", "--home", everybody, "--device", "pulse", stdout=slave, env=environment) as running:
        os.close(slave)
        deadline = time.monotonic() + PATIENCE
        while not re.search(rb"00:00-00:05  CNN", shown) and time.monotonic() < deadline:
            shown += _read(master)
        running.send_signal(signal.SIGINT)
        while running.poll() is None or select.select([master], [], [], 0.2)[0]:
            try:
                shown += _read(master)
            except OSError:  # the other end is closed
                break
        _, err = running.communicate(timeout=PATIENCE)
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert running.returncode == 0, err
    assert re.search(r"both +Sven +━+ [01]\.\d\d  next: ", text), text
    assert re.search(r"talk time\s+Sven +00:0[5-9]", text), text


def test_live_for_some_seconds(everybody, playing):
    playing("jo_test")
    done = command("live", "--seconds", "3", "--home", everybody, "--device", "pulse")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("00:00-00:03  ")
    assert "talk time" in lines or "no speech was found" in lines  # a null sink may take 2 s to wake


def test_live_judges_every_second_and_closes_every_five(everybody, voice):
    sound = voice("jo_test")
    blocks = (sound.between(index / 2, (index + 1) / 2) for index in range(26))  # 13 s
    found = list(judged(Recognizer(everybody), blocks))
    assert [round(moment.current.segment.end) for moment, _ in found] == [*range(1, 14), 13]
    closed = [answer for _, fresh in found for answer in fresh]
    assert [(one.segment.start, one.segment.end) for one in closed] == [(0.0, 5.0), (5.0, 10.0), (10.0, 13.0)]
    assert {one.both.name for one in closed} == {"Jo"}
    blocks = (sound.between(index / 2, (index + 1) / 2) for index in range(13))  # 6.5 s: a rest of 1.5 s is dropped
    assert [len(fresh) for _, fresh in judged(Recognizer(everybody), blocks)] == [0] * 4 + [1] + [0] * 2
    blocks = iter([sound.between(3.0, 4.5)])  # all there is
    *_, (moment, fresh) = judged(Recognizer(everybody), blocks)
    assert [one.both.name for one in fresh] == ["Jo"]
    text = str(picture(moment, ["Jo"]))
    assert "both  Jo" in text and "no sound lost" in text and "speech" in text and "dBFS" in text


def test_live_is_saved_on_request(everybody, playing, tmp_path):
    playing("jo_test")
    files = [tmp_path / name for name in ("a.json", "b.rttm", "c.wav", "d.wav")]
    save = [part for path in files for part in ("--save", path)]
    done = command("live", "--seconds", "4", "--home", everybody, "--device", "pulse", *save)
    assert done.code == 0 and done.err.count("saved ") == 4, done
    assert files[2].read_bytes() == files[3].read_bytes()
    assert json.loads(files[0].read_text())["segments"] and soundfile.info(files[2]).duration == pytest.approx(4.0)
    assert sorted(tmp_path.glob("*")) == sorted([*files, tmp_path / "loop.wav"])
    refused(command("live", "--home", everybody, "--save", tmp_path / "x.mp3"), "must end in .json")
    refused(command("live", "--home", everybody, "--save", tmp_path / "no" / "x.csv"), "no such folder")
    for name in ("x.wav", "x.csv"):  # not even by root
        refused(command("live", "--home", everybody, "--save", f"/proc/{name}"), "choose another place")


@pytest.mark.skipif(os.name != "posix", reason="needs limits of file size")
def test_a_full_disk_leaves_what_was_there_and_all_that_was_heard(everybody, voice, tmp_path, monkeypatch, capsys):
    """Whole or not at all, the sound as far as the disk took it; an earlier file of the name stays."""
    import resource

    sound = voice("jo_test")
    blocks = [sound.between(index / 2, (index + 1) / 2) for index in range(20)]  # 10 s
    microphone = nullcontext(SimpleNamespace(blocks=blocks, gap=lambda: 0.0))
    monkeypatch.setattr(cli_live, "opened", lambda *source, **options: microphone)
    files = [tmp_path / name for name in ("old.json", "new.json", "a.csv", "a.wav")]
    files[0].write_text("of yesterday")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def now_full(moment):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, unlimited[1]))
        return ()

    monkeypatch.setattr(cli_live, "session_full", now_full)  # asked when all is heard
    try:
        with pytest.raises(StoreError, match=r"new\.json could not be written \(File too large\)"):
            cli_live.live(Recognizer(everybody), save=tuple(map(str, files)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert "old.json could not be written" in capsys.readouterr().err and files[0].read_text() == "of yesterday"
    assert sorted(tmp_path.iterdir()) == sorted([files[0], *files[2:]])
    assert files[2].read_text().count("\n") == 3 and soundfile.info(files[3]).duration == pytest.approx(10.0)


def test_no_name_of_a_file_to_save_is_harmed_or_waited_for(everybody, tmp_path):
    """A pipe has no reader, a link leads to itself, or to a file that is not there yet."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "later.csv")
    for name, says in (
        ("pipe.csv", "a pipe or a device"),
        ("loop.csv", "choose another place"),
        ("a\0.csv", "choose another place"),
        (f"{'a' * 300}.csv", "choose another place"),
    ):
        refused(command("live", "--home", everybody, "--save", f"{tmp_path}/{name}"), says)
    refused(command("live", "--home", everybody, "--save", tmp_path / "link.csv", "--device", "nosuch"), "nosuch")
    assert (tmp_path / "link.csv").is_symlink() and not (tmp_path / "later.csv").exists()


@pytest.mark.slow
def test_a_microphone_that_fails_loses_nothing_of_what_was_heard(everybody, voice, need_program, tmp_path):
    """The sound server goes away in the middle, and one of the places to save at is gone at the end."""
    (tmp_path / "pulse").mkdir()
    soundfile.write(tmp_path / "clip.wav", np.resize(voice("jo_test").samples, 60 * SAMPLE_RATE), SAMPLE_RATE)
    files = [tmp_path / name for name in ("gone.csv", "a.json", "b.wav")]
    save = [part for path in files for part in ("--save", path)]
    with serving(tmp_path / "pulse", need_program) as server:
        player = server.play(tmp_path / "clip.wav")
        asked = ("--device", "pulse", "--home", everybody)
        with (
            interruptible("live", *asked, *save) as running,
            interruptible("identify", "mic", *asked, "--json") as other,
        ):
            first = running.stdout.readline()
            time.sleep(5)  # the other one, which began at the same time, has a segment too
            files[0].mkdir()
            server.stop()
            player.kill()
            player.wait()
            out, err = running.communicate(timeout=PATIENCE)
            told, complaint = other.communicate(timeout=PATIENCE)
    assert first.startswith("00:00-00:05  ") and "talk time" in out
    assert (running.returncode, other.returncode) == (2, 2)
    assert "has sent nothing" in err and "gone.csv could not be written" in err and err.count("saved ") == 2, err
    segments = json.loads(files[1].read_text())["segments"]
    assert len(segments) >= 1 and soundfile.info(files[2]).duration >= segments[-1]["segment"]["end"] - 0.1
    assert "has sent nothing" in complaint and len(json.loads(told)["segments"]) >= 1


def test_devices(sound_server):
    done = command("devices")
    assert done.code == 0 and re.search(r"^\d+ +pulse +\d+ Hz +\d+", done.out, re.MULTILINE), done


def _read(master: int) -> bytes:
    return os.read(master, 65536) if select.select([master], [], [], 0.5)[0] else b""


@pytest.mark.slow
def test_the_form_of_the_app_records_from_this_computer_and_takes_add_up(playing):
    playing("mei_enrol")
    take, told = Take(), []
    for _ in range(2):
        for one in take.record("pulse"):
            told.append(one)
            if len(one[1]) > len(take.of(COMPUTER)):
                take.stop()
    lights = [len(found) for _, found in told]
    assert len(take.of(COMPUTER)) == 2 and lights == sorted(lights) and lights[-1] >= 2
    assert take.speech(COMPUTER)[0] == pytest.approx(told[-1][0], abs=3.0)
