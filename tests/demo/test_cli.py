"""`python -m demo` on the example voices: enrol, identify, live, speakers; formats, exit codes, Ctrl-C, pipes."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, Audio, concatenate
from demo import texts
from demo.cli import free_port, seconds
from demo.cli_source import kind, with_silence
from demo.cli_text import padded, width
from tests.demo.command_line import (
    PATIENCE,
    PEOPLE,
    ROOT,
    SAMPLES,
    command,
    interruptible,
    process,
    refused,
    rows,
    spoken,
)

LINE = re.compile(
    r"\d\d:\d\d-\d\d:\d\d  CNN  (\S+) [01]\.\d\d \(next: \S+ [01]\.\d\d\) +ANN  \S+ [01]\.\d\d \(next: .*\)"
    r" +both  (\S+) [01]\.\d\d \(next: \S+ [01]\.\d\d\)"
)
NO_SIGINT = pytest.mark.skipif(os.name == "nt", reason="Windows has no Ctrl+C for one program alone")


@pytest.fixture
def people(everybody, home):
    """A copy of it as this test's own store."""
    shutil.copytree(everybody, home, dirs_exist_ok=True)
    return home


def test_help_is_quick_and_loads_nothing_heavy():
    script = (
        "import sys; from demo.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'gradio', 'sklearn', 'numpy', 'scipy', 'onnxruntime', 'sounddevice', 'yt_dlp', 'rich'}\n"
        "print('loaded:', heavy & set(sys.modules))"
    )
    script += "; import time; print('worked:', time.process_time())"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert "loaded: set()" in done.stdout, done.stdout + done.stderr
    for word in ("enrol", "identify", "live", "speakers", "devices", "--home", "--port", "--no-browser"):
        assert word in done.stdout
    worked = float(done.stdout.rsplit("worked: ", 1)[1])
    assert worked < 0.5  # s of processor time: other work on the machine does not count


def test_enrol_and_identify_as_processes(home):
    done = process("enrol", "Amina", SAMPLES / "amina_enrol.opus", "--yes-consent")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"Amina is enrolled: [6-9] segments, (30|35|40|45) s of speech\n", done.out)
    done = process("identify", SAMPLES / "amina_test.opus")
    assert (done.code, done.err) == (0, "")
    *lines, blank, heading, total = done.out.splitlines()
    named = [LINE.fullmatch(line).group(2) for line in lines]
    assert len(named) == 3 and named.count("Amina") >= 2
    assert (blank, heading) == ("", "talk time") and re.fullmatch(r"Amina +00:1\d +\d+%", total)


@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_is_named(everybody, name):
    found = spoken(rows(command("identify", SAMPLES / f"{name.lower()}_test.opus", "--csv", "--home", everybody)))
    assert len(found) >= 2
    assert found.count(name) > len(found) / 2, found


def test_a_conversation(everybody):
    found = rows(command("identify", SAMPLES / "conversation.opus", "--csv", "--home", everybody))
    lines = (SAMPLES / "conversation.csv").read_text().splitlines()[1:]
    turns = [(float(start), float(end), name) for start, end, name in (line.split(",") for line in lines)]
    true = [next(name for start, end, name in turns if start <= float(row["start"]) + 2.5 < end) for row in found]
    right = sum(row["both"] == name for row, name in zip(found, true, strict=True))
    assert len(found) == 8 and right >= 7, [row["both"] for row in found]


def test_a_stranger_is_unknown(everybody):
    found = rows(command("identify", SAMPLES / "stranger_test.opus", "--csv", "--home", everybody))
    names = spoken(found)
    assert names.count("Unknown") > len(names) / 2, [(row["both"], row["both_probability"]) for row in found]


def test_nobody_enrolled_still_answers(home):
    done = command("identify", SAMPLES / "jo_test.opus", "--csv")
    assert set(spoken(rows(done))) == {"Unknown"}
    assert done.err == "note: nobody is enrolled, so every voice is Unknown: python -m demo enrol NAME SOURCE\n"


def test_the_formats_agree(everybody):
    arguments = ("identify", SAMPLES / "conversation.opus", "--home", everybody)
    table = rows(command(*arguments, "--csv"))
    tree = json.loads(command(*arguments, "--json").out)
    marked = [line.split() for line in command(*arguments, "--rttm").out.splitlines()]
    assert tree["source"] == "conversation.opus" and len(tree["segments"]) == len(table) == 8
    for row, segment in zip(table, tree["segments"], strict=True):
        assert float(row["start"]) == segment["segment"]["start"]
        for answer in ("cnn", "ann", "both"):
            assert row[answer] == segment[answer]["name"]
            assert float(row[f"{answer}_probability"]) == pytest.approx(segment[answer]["probability"], abs=1e-4)
            assert row[f"{answer}_runner_up"] == segment[answer]["runner_up"]
    turns = [(turn["segment"]["start"], turn["segment"]["end"], turn["name"]) for turn in tree["turns"]]
    assert [(float(words[3]), float(words[3]) + float(words[4]), words[7]) for words in marked] == turns
    assert all(words[:3] == ["SPEAKER", "conversation.opus", "1"] for words in marked)
    assert sum(tree["talk_time"].values()) == pytest.approx(40.0, abs=0.5)
    assert command(*arguments, "--json", "--csv").code == 2


def test_a_part_keeps_the_time_of_the_recording(everybody):
    arguments = ("identify", SAMPLES / "conversation.opus", "--csv", "--home", everybody)
    found = rows(command(*arguments, "--from", "0:05", "--to", "15"))
    assert [(row["start"], row["end"], row["both"]) for row in found] == [
        ("5.00", "10.00", "Kofi"),
        ("10.00", "15.00", "Kofi"),
    ]
    refused(command(*arguments, "--from", "1:30"), "00:40 long: a start of 01:30 lies behind it")
    refused(command(*arguments, "--from", "20", "--to", "10"), "give an end after the start")
    refused(command(*arguments, "--to", "soon"), "'soon' is no time: give seconds or minutes:seconds")


def test_times_as_people_write_them():
    assert [seconds(text) for text in ("90", "1:30", "1:02:03.5", "0.25")] == [90.0, 90.0, 3723.5, 0.25]


def test_several_sources_and_another_session(people):
    done = command(
        *("enrol", "Ada", SAMPLES / "amina_test.opus", SAMPLES / "amina_enrol.opus", "--to", "12", "--yes-consent"),
        "--sure",
    )
    assert done.code == 0 and re.search(r"Ada is enrolled: 4 segments", done.out), done
    refused(command("enrol", "Ana", SAMPLES / "jo_enrol.opus", "--again", "--yes-consent"), 'no one is called "Ana"')
    done = command("enrol", "jo", SAMPLES / "jo_test.opus", SAMPLES / "jo_enrol.opus", "--again", "--yes-consent")
    assert done.code == 0 and done.out.startswith("Jo has another session: "), done
    listed = command("speakers", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["name", *PEOPLE, "Ada"]
    assert listed[4].split()[2] == "2"  # Jo's sessions


def test_an_embedding_that_is_no_numbers_is_told_and_costs_its_person_only(people):
    with sqlite3.connect(people / "speakers.db") as db:
        db.execute("UPDATE segments SET cnn = ? WHERE rowid = 1", (np.full(192, np.nan, "<f4").tobytes(),))
    db.close()
    done = command("identify", SAMPLES / "kofi_test.opus", "--csv")
    assert 'damaged ("Amina": an embedding of the CNN is not finite numbers)' in done.err and done.err.count("\n") == 1
    assert "were saved from it: Kofi, Sven, Jo, Mei; enrol the others again" in done.err
    assert spoken(rows(done)).count("Kofi") >= 2


def test_rename_and_delete(people):
    assert command("speakers", "rename", "kofi", "Dr. Kofi ☂").out == "Kofi is now Dr. Kofi ☂\n"
    found = spoken(rows(command("identify", SAMPLES / "kofi_test.opus", "--csv")))
    assert found.count("Dr. Kofi ☂") > len(found) / 2
    refused(command("speakers", "rename", "Amina", "MEI"), '"Mei" is enrolled already')
    refused(command("speakers", "delete", "Nobody", "--yes"), 'no one is called "Nobody"')
    refused(process("speakers", "delete", "Mei"), "nothing was deleted: ask, then say so with --yes")
    refused(command("speakers", "delete"), "delete whom?")
    refused(command("speakers", "delete", "Mei", "--all", "--yes"), "delete whom?")
    assert command("speakers", "delete", "Mei", "--yes").out == "deleted Mei\n"
    assert "Mei" not in spoken(rows(command("identify", SAMPLES / "mei_test.opus", "--csv")))
    assert command("speakers", "delete", "--all", "--yes").out == "deleted everybody: 4 people\n"
    done = command("speakers", "list")
    assert (done.code, done.out) == (0, "") and "nobody is enrolled yet" in done.err


def test_a_home_of_its_own(everybody, home):
    assert command("--home", everybody, "speakers", "list").out == command("speakers", "list", "--home", everybody).out
    assert command("speakers", "list").out == ""
    refused(command("speakers", "list", "--home", SAMPLES / "README.md"), "choose a folder of your own with --home")


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("identify",),
        ("enrol", "Amina"),
        ("speakers",),
        ("speakers", "rename", "Amina"),
        ("identify", "a.wav", "--xml"),
        ("identify", "a.wav", "two\nlines"),
        ("live", "--seconds", "-3"),
        ("--port", "70000"),
        ("--port", "http"),
        ("--host", "no such host.invalid"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line(arguments):
    done = command(*arguments)
    assert done.code == 2 and done.out == ""
    assert done.err.startswith("error: ") and done.err.count("\n") == 1


def test_consent_is_asked_on_a_terminal(home):
    arguments = ("enrol", "Kofi", SAMPLES / "kofi_enrol.opus")
    refused(process(*arguments), "no consent was given, nothing was stored: ask, then say so with --yes-consent")
    pty = pytest.importorskip("pty", reason="Windows has no terminal that a program can play")
    for reply, code in ((b"\n", 2), (b"y\n", 0)):
        master, slave = pty.openpty()
        os.write(master, reply)
        done = process(*arguments, stdin=slave)
        os.close(master)
        os.close(slave)
        assert "Does Kofi agree" in done.err and done.code == code, done
    assert "Kofi" in command("speakers", "list").out


def test_a_link(everybody, media):
    media.files["/sven.ogg"] = (SAMPLES / "sven_test.opus").read_bytes()
    found = rows(command("identify", media.url("sven.ogg#t=2"), "--csv", "--home", everybody))
    assert found[0]["start"] == "2.00"
    assert spoken(found).count("Sven") > len(found) / 2


def test_what_is_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    links = ("https://youtu.be/x", "HTTP://a", "youtube.com/watch?v=1", "www.youtube.com", "youtu.be/abc", "file:///x")
    assert {kind(link) for link in links} == {"link"}
    assert {kind(path) for path in ("a.wav", "C:/a.wav", "youtube.wav", "./mic", "a/youtu.be/x")} == {"file"}
    assert kind("mic") == "microphone"
    (tmp_path / "youtu.be").mkdir()
    (tmp_path / "youtu.be" / "x").touch()
    assert kind("youtu.be/x") == "file"


def long_recording(path, voice, minutes: int):
    samples = np.resize(voice("amina_test").samples, minutes * 60 * SAMPLE_RATE)
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return path


def test_a_closed_pipe_ends_quietly(everybody):
    reading, writing = os.pipe()
    os.close(reading)
    done = process(
        *("identify", SAMPLES / "conversation.opus", "--home", everybody),
        capture_output=False,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (done.code, done.err) == (0, "")


@NO_SIGINT
def test_ctrl_c_stops(everybody, voice, tmp_path):
    path = long_recording(tmp_path / "long.wav", voice, 30)
    with interruptible("identify", path, "--home", everybody) as running:
        assert "Amina" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, err) == (130, "stopped\n")


def test_the_next_free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) < port + 100
    assert free_port("127.0.0.1", port) == port


@NO_SIGINT
def test_the_app_starts_on_the_next_free_port(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with interruptible("--no-browser", "--port", str(port), "--home", home) as running:
            assert running.stdout.readline().strip() == texts.STARTING
            url = re.search(r"http://127\.0\.0\.1:\d+", running.stdout.readline()).group()
            with urllib.request.urlopen(url, timeout=PATIENCE) as page:
                assert page.status == 200 and b"gradio" in page.read()
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    assert err == f"note: port {port} is taken, using {url.rsplit(':', 1)[1]}\n"


def test_columns_stand_under_each_other():
    assert [width(text) for text in ("Jo", "美", "é", "e\u0301", "🎤")] == [2, 2, 1, 1, 2]
    assert {width(padded(text, 6)) for text in ("", "美美", "e\u0301")} == {6}


def test_lost_sound_is_silence_in_its_place():
    """`identify mic`: what follows a hole keeps its time, and no segment joins what lies on both sides."""
    blocks, gaps = [Audio(np.ones(8_000, np.float32))] * 3, iter([0.0, 61.0, 0.0])
    heard = list(with_silence(blocks, lambda: next(gaps)))
    sound = concatenate(heard).samples
    assert len(sound) == 3 * 8_000 + 61 * SAMPLE_RATE and max(map(len, heard)) <= 60 * SAMPLE_RATE
    assert sound[:8_000].all() and not sound[8_000 : -2 * 8_000].any() and sound[-2 * 8_000 :].all()
