"""Sources of the command line: how much speech there is, while it is heard and from many files."""

import io
import tempfile
from argparse import Namespace

import numpy as np
import soundfile

from core.audio import SAMPLE_RATE, Audio, concatenate
from core.enrolment import gather
from core.segments import condense
from demo import cli_source
from demo.cli_commands import _enrolment_sound
from demo.cli_source import opened, speech_counted
from demo.cli_text import width
from demo.own_folder import LOCK
from demo.take import Take
from tests.demo.command_line import command, missing, refused


def test_speech_is_counted_as_it_comes_and_as_an_enrolment_counts_it(voice):
    """Half seconds of a microphone with a hum in its pauses: the pauses are no speech, and the number grows."""
    said, pause = voice("jo_enrol"), Audio(np.zeros(3 * SAMPLE_RATE, np.float32))
    sound = concatenate([part for start in range(0, 30, 3) for part in (said.between(start, start + 3), pause)])
    hum = 0.0045 * np.sin(2 * np.pi * 100 * np.arange(len(sound)) / SAMPLE_RATE)
    sound, told = Audio(sound.samples + hum.astype(np.float32)), []
    halves = [sound.between(half / 2, (half + 1) / 2) for half in range(120)]
    heard = list(speech_counted(halves, 15.0, told.append))
    speech = [gather([whole]).audio.duration for whole in (concatenate(heard), concatenate(heard[:-1]))]
    assert speech[1] < 15.0 <= speech[0] < 15.5 and told[-1] == 15.0
    assert len(told) == 2 * concatenate(heard).duration > 2 * 20.0
    heard = list(speech_counted([sound], 15.0, told.append, exactly=True))
    assert 14.5 < gather(heard).audio.duration <= 15.0
    assert 20.0 < concatenate(list(speech_counted([sound], 99.0, told.append))).duration == sound.duration


def test_a_pause_at_the_end_is_shortened_at_once(voice, monkeypatch):
    """Seconds of speech by a hair too much: the pause behind it holds none that could be taken away."""
    sound = concatenate([voice("jo_enrol").between(1, 4), Audio(np.zeros(6 * SAMPLE_RATE, np.float32))])
    speech, judged = gather([sound]).audio.duration, []

    def counting(audio: Audio):
        judged.append(audio)
        return condense(audio)

    monkeypatch.setattr(cli_source, "condense", counting)
    heard = list(speech_counted([sound], speech - 0.001, lambda _: None, exactly=True))
    assert speech - 0.1 < gather(heard).audio.duration <= speech - 0.001 and len(judged) < 20


def test_every_one_of_many_sources_is_heard(home, voice, tmp_path):
    files = [tmp_path / f"{number}.wav" for number in range(11)]
    for number, path in enumerate(files):  # a level of its own for each
        sound = voice("amina_enrol").between(1.5 * number, 1.5 * number + 21.0)
        soundfile.write(path, sound.samples, SAMPLE_RATE)
    options = Namespace(sources=list(map(str, files)), start=None, end=None, device=None)
    told = []
    speech = gather(_enrolment_sound(options, told.append, []), once=False)
    assert [any(line.startswith(f"{number}. source: ") for line in told) for number in range(1, 12)] == [True] * 11
    assert 110 < speech.audio.duration <= 120
    refused(
        command("enrol", "Amina", *files, tmp_path / "none.wav", "--yes-consent"),
        f"none.wav cannot be read: {missing()}",
    )


def test_a_line_of_progress_is_taken_away_without_codes(monkeypatch):
    """Windows' older terminals show them: "50 %" and an arrow."""
    monkeypatch.setattr("sys.stderr", terminal := io.StringIO())
    terminal.isatty = lambda: True
    progress = cli_source.Progress()
    progress("listened to 00:10")
    progress("王 done")
    progress.clear()
    progress.clear()
    shown, at = [" "] * 40, 0
    for letter in terminal.getvalue():
        assert letter == "\r" or letter.isprintable()
        at = 0 if letter == "\r" else at + width(letter)
        shown[at - width(letter) : at] = letter * width(letter) if letter != "\r" else ""
    assert "".join(shown).strip() == "" and at == 0


def test_a_download_lies_where_the_next_start_wipes_it_if_this_one_is_killed(media, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "app"))
    for folder in ("system", "app"):
        (tmp_path / folder).mkdir()
    with opened(media.url("voice.wav")) as sound:
        next(sound.blocks)
        [found] = (tmp_path / "system").rglob("audio.*")
        assert (found.parents[1] / LOCK).is_file()
    enrolling = Take().fetched(media.url("voice.wav"), [0.0])
    next(enrolling)
    assert [path.name for path in (tmp_path / "app").rglob("audio.*")] == ["audio.wav"]
    enrolling.close()
    assert list((tmp_path / "system").iterdir()) == [] == list((tmp_path / "app").iterdir())
