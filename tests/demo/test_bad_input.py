"""What people give by mistake: each gets one clear line (or an honest answer), and the store is as it was before."""

import io
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE, resample
from tests.demo.command_line import (
    PATIENCE,
    ROOT,
    SAMPLES,
    command,
    missing,
    process,
    refused,
    rows,
    spoken,
)

SPEECH = SAMPLES / "amina_enrol.opus"
MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def nothing_half_written(home):
    """After each test the store holds whole enrolments, or nothing, and no file beside it."""
    yield
    assert {path.name for path in home.iterdir()} <= {"speakers.db", "speakers.db-wal", "speakers.db-shm"}
    if (home / "speakers.db").exists():
        db = sqlite3.connect(home / "speakers.db")
        people, sessions = (db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES)
        bare = db.execute("SELECT COUNT(*) FROM sessions WHERE id NOT IN (SELECT session_id FROM segments)").fetchone()
        db.close()
        assert people == sessions and bare == (0,)


TABLES = ("speakers", "sessions")


def nobody(home) -> bool:
    """Is the store empty?"""
    listed = command("speakers", "list")
    return listed.code == 0 and listed.out == ""


def written(path, samples, rate=SAMPLE_RATE, subtype="PCM_16"):
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def truncated_flac(path, voice):
    """The first 200 bytes of a FLAC file: a header, no sound."""
    whole = io.BytesIO()
    soundfile.write(whole, voice("amina_test").samples, SAMPLE_RATE, format="FLAC")
    path.write_bytes(whole.getvalue()[:200])


def only_a_header(path, voice):
    soundfile.write(path, np.zeros(0, np.float32), SAMPLE_RATE, format="WAV")


FILES = {
    "empty.wav": (lambda path, voice: path.write_bytes(b""), "empty.wav is empty (0 bytes)"),
    "zero.wav": (only_a_header, "zero.wav holds no sound: zero samples were decoded"),
    "cut.flac": (truncated_flac, "cut.flac"),
    "cut.opus": (lambda path, voice: path.write_bytes(SPEECH.read_bytes()[:60]), "cut.opus"),
    "letter.mp3": (lambda path, voice: path.write_text("Dear Amina, " * 500), "letter.mp3 is not audio that can be"),
    "x.bin": (lambda path, voice: path.write_bytes(np.random.default_rng(1).bytes(50_000)), "x.bin is not audio that"),
    "a.png": (lambda path, voice: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20), "a.png"),
    "folder.wav": (lambda path, voice: path.mkdir(), "folder.wav is a folder, not an audio file"),
    "nothing here.wav": (lambda path, voice: None, f"nothing here.wav cannot be read: {missing()}"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_without_sound(name, home, voice, tmp_path):
    make, says = FILES[name]
    make(tmp_path / name, voice)
    refused(command("identify", tmp_path / name), says)
    refused(command("enrol", "Amina", tmp_path / name, "--yes-consent"), says)
    refused(command("enrol", "Amina", SPEECH, tmp_path / name, "--yes-consent"), says)  # the first one alone would do
    assert nobody(home)


def test_names_that_are_empty_are_said_to_be(everybody, tmp_path):
    """A variable of the shell that is not set: "" was a file without a name, or the folder of now."""
    for empty in ("", " "):
        refused(command("identify", empty), "a SOURCE is empty: give a file, a link or mic")
        refused(command("enrol", "Amina", SPEECH, empty, "--yes-consent"), "a SOURCE is empty")
    refused(command("speakers", "export", ""), "FILE is empty: say where")
    secret = ("--encrypt", "--passphrase-file", tmp_path, "--home", everybody)
    done = command("speakers", "export", tmp_path / "x", *secret)
    refused(done, "cannot be read as a passphrase (")
    assert "Errno" not in done.err and done.err.count(str(tmp_path)) == 1
    (tmp_path / "file").write_text("")
    refused(command("speakers", "list", "--home", tmp_path / "file"), "(file is a file, not a folder)")


def test_no_traceback_from_a_process_either(home, tmp_path):
    (tmp_path / "letter.mp3").write_text("Dear Amina")
    refused(process("identify", tmp_path / "letter.mp3"), "use WAV, FLAC, OGG, Opus, MP3, M4A or WebM")


def test_a_file_that_breaks_off_is_used_as_far_as_it_goes(everybody, tmp_path):
    path = tmp_path / "half.opus"
    whole = (SAMPLES / "kofi_test.opus").read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    done = command("identify", path, "--csv", "--home", everybody)
    found = rows(done)
    assert 5.0 < float(found[-1]["end"]) < 12.0 and set(spoken(found)) == {"Kofi"}
    assert re.search(r"note: the recording breaks off at 00:\d\d: what came before that was used", done.err)
    refused(command("enrol", "Kofi", path, "--yes-consent"), "s of speech in")


def silence() -> np.ndarray:
    return np.zeros(40 * SAMPLE_RATE, np.float32)


def hiss() -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.1, 40 * SAMPLE_RATE).astype(np.float32)


def hum() -> np.ndarray:
    """Mains hum with harmonics and a little hiss."""
    t = np.arange(40 * SAMPLE_RATE) / SAMPLE_RATE
    tone = sum(0.1 / n * np.sin(2 * np.pi * 50 * n * t) for n in (1, 2, 3, 5))
    return (tone + np.random.default_rng(4).normal(0, 0.005, len(t))).astype(np.float32)


def music() -> np.ndarray:
    """A tune of plucked chords: harmonics that decay, a new one every 0.4 s."""
    chance, beat = np.random.default_rng(5), 0.4
    t = np.arange(round(beat * SAMPLE_RATE)) / SAMPLE_RATE
    notes = []
    for _ in range(100):
        roots = 220 * 2 ** (chance.choice([0, 2, 4, 5, 7, 9, 11, 12], 3, replace=False) / 12)
        chord = sum(np.sin(2 * np.pi * root * n * t) / n**1.5 for root in roots for n in range(1, 9))
        notes.append(0.08 * chord * np.exp(-4 * t))
    return np.concatenate(notes).astype(np.float32)


def test_a_name_too_long_for_a_file(home):
    name = "a" * 300
    refused(command("identify", f"{name}.wav"), "cannot be read")
    refused(command("enrol", "Amina", f"{name}.wav", "--yes-consent"), "cannot be read")
    refused(command("live", "--save", f"{name}.csv"), "choose another place")
    refused(command("speakers", "list", "--home", name), "choose a folder of your own")


@pytest.mark.parametrize("sound", [silence, hiss, hum, music], ids=lambda sound: sound.__name__)
def test_what_is_no_voice_is_nobody(everybody, home, tmp_path, sound):
    path = written(tmp_path / f"{sound.__name__}.wav", sound())
    found = rows(command("identify", path, "--csv", "--home", everybody))
    assert len(found) == 8
    named = [(row["start"], row["both"], row["both_probability"]) for row in found]
    assert {row["both"] for row in found} <= {"Unknown", "not enough speech"}, named
    if sound is not music:  # what tunes are is for the networks to know
        assert spoken(found) == []
        refused(
            command("enrol", "Amina", path, "--yes-consent"), "only 0.0 s of speech in 40 s of sound; 30 s are want"
        )
        assert nobody(home)


def test_two_people_talking_over_each_other_are_no_third(everybody, home, voice, tmp_path):
    """One of the two, or nobody: and such sound is not enough to enrol somebody with, for the two are known."""
    first, second = voice("amina_test").samples, voice("kofi_test").samples
    length = min(len(first), len(second))
    path = written(tmp_path / "both.wav", 0.5 * (first[:length] + second[:length]))
    done = command("identify", path, "--csv", "--home", everybody)
    assert done.code == 0 and {row["both"] for row in rows(done)} <= {"Amina", "Kofi", "Unknown"}


def test_more_than_twelve_hours_are_refused_before_any_work(everybody, tmp_path):
    """A stream that was recorded for ever: the file itself says how long it is (sparse: it takes no room)."""
    size = 13 * 3600 * 8_000
    fields = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 8_000, 8_000, 1, 8, b"data", size)
    with (tmp_path / "stream.wav").open("wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", *fields))
        file.truncate(44 + size)
    refused(
        command("identify", tmp_path / "stream.wav", "--home", everybody), "longer than 12 hours: give a shorter part"
    )


def test_silence_says_so(everybody, tmp_path):
    done = command("identify", written(tmp_path / "silence.wav", silence()[: 10 * SAMPLE_RATE]), "--home", everybody)
    assert done.code == 0
    assert done.out.splitlines() == [
        "00:00-00:05  not enough speech (0.0 s of 5 s)",
        "00:05-00:10  not enough speech (0.0 s of 5 s)",
        "",
        "no speech was found",
    ]


def test_half_a_second_of_speech(everybody, home, voice, tmp_path):
    path = written(tmp_path / "short.wav", voice("amina_test").between(1.0, 1.5).samples)
    done = command("identify", path, "--home", everybody)
    assert done.code == 0
    assert re.match(r"00:00-00:0[01]  not enough speech \(0\.[0-5] s of 0\.5 s\)\n\nno speech was found\n", done.out)
    refused(command("enrol", "Amina", path, "--yes-consent"), "20 s needed: go on speaking, closer to the microphone")
    assert nobody(home)


def test_192_khz_24_bit_stereo(everybody, home, voice, tmp_path):
    for name, sound in (("enrol", voice("jo_enrol")), ("test", voice("jo_test"))):
        fine = resample(sound, 192_000).samples
        written(tmp_path / f"{name}.wav", np.stack([fine, 0.5 * fine], axis=1), 192_000, "PCM_24")
    assert command("enrol", "Joanna", tmp_path / "enrol.wav", "--yes-consent").code == 0
    for folder, name in ((home, "Joanna"), (everybody, "Jo")):
        found = spoken(rows(command("identify", tmp_path / "test.wav", "--csv", "--home", folder)))
        assert found.count(name) > len(found) / 2, found


MEASURE = """
import resource, sys
from demo.cli import main
def most(path, start):
    sys.stdout = open(sys.argv[3], "w")
    assert main(["identify", path, "--csv", "--from", start]) == 0
    sys.stdout.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
short = most(sys.argv[1], "0")
print(short, most(sys.argv[2], "0"), file=sys.__stdout__)
"""


@pytest.mark.slow
def test_three_hours_in_bounded_memory(everybody, voice, tmp_path):
    """Speech, three hours of nothing (a sparse file), speech again: all is heard in the memory that 15 s take."""
    hours, speech = 3, (voice("sven_test").samples * 32767).astype("<i2").tobytes()
    size = hours * 3600 * SAMPLE_RATE * 2
    fields = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16, b"data", size)
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", *fields))
        file.write(speech)
        file.seek(44 + size - len(speech))
        file.write(speech)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, SAMPLES / "sven_test.opus", tmp_path / "long.wav", tmp_path / "out.csv"],
        **{"cwd": ROOT, "env": {**os.environ, "SPEAKERS_HOME": str(everybody), "PYTHONPATH": str(ROOT)}},
        **{"capture_output": True, "text": True, "timeout": PATIENCE},
    )
    assert done.returncode == 0, done.stderr
    short, long = (int(kibibytes) * 1024 for kibibytes in done.stdout.split())
    assert long - short < 64 * MEBIBYTE, f"{short / MEBIBYTE:.0f} -> {long / MEBIBYTE:.0f} MiB"
    lines = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert len(lines) == hours * 720
    names = [line.split(",")[11] for line in lines]
    assert names[0] == names[1] == names[-2] == "Sven" and set(names[5:-5]) == {"not enough speech"}


NAMES = {
    "": "the name is empty: type one",
    "   ": "the name is empty: type one",
    "x" * 300: "the name has 300 characters: use at most 60",
    "Amina\nKofi": "the name holds a line break or control character (U+000A)",
    "<b>Amina</b>": "the name holds < , which is not allowed",
    "../../etc/passwd": "the name holds / , which is not allowed",
    "C:\\Amina": "the name holds \\ , which is not allowed",
    "=1+1": "which spreadsheets take for a formula",
    "unknown": "is an answer of this program",
    "\udcff": "the name holds a line break or control character (U+DCFF)",
}


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name)[:20] for name in NAMES])
def test_names_that_cannot_be(name, home, everybody):
    refused(command("enrol", name, SPEECH, "--yes-consent"), NAMES[name])
    assert nobody(home)
    shutil.copytree(everybody, home, dirs_exist_ok=True)
    refused(command("speakers", "rename", "Amina", name), NAMES[name])
    assert "Amina" in command("speakers", "list").out


def test_emoji_work_and_names_are_taken_once(home):
    assert command("enrol", "  Amina 🎤 ", SPEECH, "--yes-consent").out.startswith("Amina 🎤 is enrolled: ")
    for same in ("Amina 🎤", "AMINA  🎤"):
        done = command("enrol", same, SAMPLES / "nothing-there.opus", "--yes-consent")
        refused(done, '"Amina 🎤" is enrolled already: add a session with --again')  # said before any work
    found = rows(command("identify", SAMPLES / "amina_test.opus", "--csv"))
    assert set(spoken(found)) == {"Amina 🎤"}
    assert len(command("speakers", "list").out.splitlines()) == 2


LINKS = {
    "https://": "is no link",
    "https://[broken": "is no link that can be read",
    "https://youtu.be/dQw4": "'dQw4' is no YouTube video (a video has 11 characters)",
    "youtube.com/@someone": "this link is a channel or a search, not a video",
    "https://www.youtube.com/playlist?list=PL123": "this link is a playlist",
    "https://vimeo.com/1234": "vimeo.com is not YouTube: give a YouTube link",
    "file:///etc/passwd": "file: links are not opened",
    "http://192.168.0.1/a.mp3": "192.168.0.1 is an address in a private network",
    "https://youtu.be/two words": "this is no link",
}


@pytest.mark.parametrize("link", LINKS)
def test_links_that_lead_nowhere(link, home):
    refused(command("identify", link), LINKS[link])
    refused(command("enrol", "Amina", link, "--yes-consent"), LINKS[link])
    assert nobody(home)


def test_a_server_that_fails(home, media, monkeypatch, tmp_path):
    """Not there, nothing there, a page without sound, a download that breaks off: nothing stays in the temp folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refused(command("identify", media.url("missing.wav")), "nothing to be had at this link")
    refused(command("identify", media.url("page.html")), "no sound or video behind this link")
    refused(command("enrol", "Amina", media.url("cut.wav"), "--yes-consent"), "the connection broke off")
    refused(command("identify", media.url("voice.wav"), "--from", "10"), "a start of 00:10 lies behind it")
    media.close()
    refused(command("identify", media.url("voice.wav")), "the server cannot be reached: check the network connection")
    assert list(tmp_path.iterdir()) == [] and nobody(home)


def test_no_input_device(home, tmp_path):
    environment = {**os.environ, "PULSE_SERVER": f"unix:{tmp_path}/none", "PULSE_RUNTIME_PATH": str(tmp_path)}
    if process("devices", env=environment).out:
        pytest.skip("this machine has a microphone; where there is none (CI) this test runs")
    says = "no microphone was found: plug one in, or give a file or a link instead"
    for arguments in (("identify", "mic"), ("live",), ("enrol", "Amina", "mic", "--yes-consent")):
        refused(process(*arguments, env=environment), says)
    assert nobody(home)
