"""The Link or file tab, the Speakers tab and the page as a whole, without a browser, with real voices."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.errors import SourceError, SpeakerError
from core.heads import UNKNOWN
from core.recognizer import Recognizer
from demo import app, compare_texts, enrolling, job_view, link_or_file, person, speakers, texts
from demo.app import build, launch
from demo.examples import clip, missing_examples
from demo.gauge import speech_in
from demo.job import Job, Work
from demo.sight import AWAY, HIDDEN, layout, visibility
from demo.take import Take
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("text, seconds", [("", None), ("90", 90.0), ("1:30", 90.0), ("0:01:30.5", 90.5), (" 7 ", 7.0)])
def test_times_as_people_write_them(text, seconds):
    assert link_or_file.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["-1", "1:99", "soon", "1:2:3:4", "1e9", "nan", "٣"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SourceError, match="no time"):
        link_or_file.seconds_of(text)


@pytest.mark.parametrize(
    "path, link, said",
    [
        (None, "", "nothing to listen to"),
        ("a.wav", "https://youtu.be/aaaaaaaaaaa", "clear one of them"),
        (None, "hello", "no link"),
        (None, "https://example.com/a", "not YouTube"),
        (None, "http://127.0.0.1/a", "private network"),
    ],
)
def test_a_form_that_does_not_say_what_is_refused(path, link, said):
    with pytest.raises(SpeakerError, match=said):
        link_or_file.work_of(path, link, "", "")


def test_a_recording_is_judged_while_it_is_shown(recognizer, samples, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    job = Job()
    steps = list(link_or_file.listen(recognizer, job, Work(path=str(clip("conversation")), start=0.0, end=30.0)))
    status, lanes, html, player = steps[-1]
    assert "notice-good" in status and "6 segments" in status
    assert player == str(clip("conversation"))
    assert [one.both.name for one in job.answers] == ["Amina", "Kofi", "Kofi", UNKNOWN, "Kofi", "Amina"]  # Mei is not
    assert texts.TALK_TIME in html and html.count("<tr>") == 7
    assert lanes.count('class="lane-track"') == 3 and 'data-start="5.00"' in lanes
    assert any(texts.LISTENING_TO.format(title="conversation.opus") in said for said, *_ in steps)
    files = link_or_file.exports(job, tmp_path)
    assert sorted(files) == ["csv", "json", "rttm"]
    assert Path(files["rttm"]).read_text().startswith("SPEAKER conversation.opus 1 0.000 5.000 <NA> <NA> Amina")
    assert Path(files["csv"]).read_text().count("\n") == 7


def test_a_job_can_be_stopped_and_keeps_what_it_has(recognizer, samples, tmp_path, voice):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(voice("conversation").samples, 30), SAMPLE_RATE)
    job = Job()
    for _ in link_or_file.listen(recognizer, job, Work(path=str(path))):
        if job.answers:
            job.cancel()
    assert job.cancelled and 0 < len(job.answers) < 240
    assert texts.CANCELLED in job_view.outcome(job, True)


def test_another_recording_is_not_mixed_with_the_one_it_replaces(recognizer, tmp_path, voice):
    """The button of an example is pressed while a long recording is being judged."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(voice("conversation").samples, 30), SAMPLE_RATE)
    before, after = Job(), Job()
    looks = link_or_file.listen(recognizer, before, Work(path=str(path)))
    while not before.answers:
        next(looks)
    before.leave()
    *_, (status, *_) = link_or_file.listen(recognizer, after, Work(path=str(clip("amina_test"))))
    assert "notice-good" in status and after.title == "amina_test.opus"
    assert {one.both.name for one in after.answers} == {"Amina"} and after.answers[-1].segment.end < 30
    assert before.left and path.is_file()  # an upload stays, to be judged again


def test_a_file_without_sound_is_one_sentence(recognizer, tmp_path):
    path = tmp_path / "nothing.mp3"
    path.touch()
    *_, (status, lanes, html, heard) = link_or_file.listen(recognizer, Job(), Work(path=str(path)))
    assert status.count("notice-error") == 1 and "nothing.mp3 is empty" in status
    assert texts.RESULTS_EMPTY in lanes and html == "" and heard is None  # nor is there anything to play


def test_a_link_is_fetched_judged_and_can_be_played(recognizer, media, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    job = Job()
    work = link_or_file.work_of(None, media.url("voice.wav"), "0:01", "")
    *_, (status, _, _, player) = link_or_file.listen(recognizer, job, work)
    assert "notice-good" in status and job.title == "voice"
    assert [(one.segment.start, one.segment.end) for one in job.answers] == [(1.0, pytest.approx(3.0, abs=0.05))]
    assert not job.answers[0].both.is_person  # tones
    assert Path(player).is_file() and [path for path in tmp_path.rglob("*") if path.is_file()] == [Path(player)]
    job.leave()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    *_, (status, _, _, player) = link_or_file.listen(recognizer, Job(), Work(link=media.url("nothing-here")))
    assert status.count("notice-error") == 1 and player is None


def test_a_recording_that_breaks_off_is_judged_and_it_is_said(recognizer, tmp_path, samples):
    whole = (samples / "kofi_test.opus").read_bytes()
    (tmp_path / "half.opus").write_bytes(whole[: len(whole) * 6 // 10])
    *_, (status, *_) = link_or_file.listen(recognizer, Job(), Work(path=str(tmp_path / "half.opus")))
    assert "notice-good" in status and "The recording breaks off at 00:" in status


def test_of_a_link_the_part_that_is_asked_for_is_learned(empty, media, voice, tmp_path):
    """First Kofi, then Mei: from 0:20 on it is Mei alone; all of it is two voices."""
    talk = np.concatenate([voice("kofi_enrol").samples[: 20 * SAMPLE_RATE], voice("mei_enrol").samples])
    soundfile.write(tmp_path / "talk.wav", talk, SAMPLE_RATE)
    media.files["/talk.wav"] = (tmp_path / "talk.wav").read_bytes()
    form = (empty, Take(), "Mei", True, False, texts.FROM_LINK, None, media.url("talk.wav"), False, False)
    for span, said in (
        (("0:20", "0:10"), "an end after the start"),
        (("soon", ""), "no time"),
        (("", ""), "voice"),
    ):
        html, _, done = list(enrolling.enrol(*form, *span))[-1]
        assert not done and html.count("notice-error") == 1 and said in html
    html, _, done = list(enrolling.enrol(*form, "0:20", ""))[-1]
    assert done and "Mei is enrolled" in html
    assert {one.both.name for one in empty.identify(voice("mei_test"))} == {"Mei"}


def test_with_nobody_enrolled_the_result_says_what_to_do(empty, samples):
    *_, (status, *_) = link_or_file.listen(empty, Job(), Work(path=str(clip("amina_test"))))
    assert texts.DONE_NOBODY[:20] in status


def enrol(recognizer, path=None, *, name="Robin", consent=True, again=False, where=texts.FROM_FILE, link=""):
    paths = None if path is None else [str(path)]
    return list(enrolling.enrol(recognizer, Take(), name, consent, again, where, paths, link))[-1]


@pytest.mark.parametrize(
    "options, said",
    [
        ({"name": " "}, texts.NO_NAME[:20]),
        ({"consent": False}, texts.NO_CONSENT[:20]),
        ({"name": "<b>"}, "the name holds"),
        ({"name": "a" * 300}, "300 characters"),
        ({}, texts.NO_SOUND[:20]),
        ({"where": texts.COMPUTER_MICROPHONE}, texts.NO_SOUND[:20]),
        ({"where": texts.FROM_LINK, "link": "https://example.com"}, "not YouTube"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_stored(empty, options, said):
    html, _, done = enrol(empty, **options)
    assert not done and html.count("notice-error") == 1 and said.lower() in html.lower()
    assert empty.store.profiles() == []


def test_too_little_speech_is_refused_with_what_was_found(empty, tmp_path, voice):
    path = tmp_path / "short.wav"
    soundfile.write(path, voice("jo_test").samples[: 6 * SAMPLE_RATE], SAMPLE_RATE)
    html, _, done = enrol(empty, path)
    assert not done and "s of speech in 6 s of sound" in html
    assert empty.store.profiles() == []


def test_enrol_rename_and_delete(empty, samples):
    html, lights, done = enrol(empty, samples / "jo_enrol.opus", name="Ann & Co")
    assert done and "Ann &amp; Co is enrolled" in html and lights.count("is-good") >= 6
    assert "Ann &amp; Co" in speakers.listed(empty)
    html, _, done = enrol(empty, samples / "jo_enrol.opus", name="ANN & CO")
    assert not done and "enrolled already" in html
    assert "notice-error" in person.renamed(empty, None, "Jo")
    assert "notice-error" in person.renamed(empty, "Ann & Co", "")
    assert "is now called Jo" in person.renamed(empty, "Ann & Co", "Jo")
    assert missing_examples(empty) == ["Amina", "Kofi", "Sven", "Mei"]
    assert "Jo is gone" in person.deleted(empty, "Jo")
    assert "notice-error" in person.deleted(empty, "Jo")
    assert texts.EMPTY_TITLE in speakers.listed(empty)
    assert texts.DELETED_ALL in person.deleted_all(empty)


def test_the_gauge_counts_speech_as_enrolment_does(empty, voice, samples):
    speech, found = speech_in([voice("mei_enrol")])
    done = empty.enrol("Mei", voice("mei_enrol"), consent=True)
    assert tuple(found) == done.qualities
    assert len(found) == int(speech / 5.0)
    html, said = enrolling.check([str(samples / "mei_enrol.opus")])
    assert said == "" and html.count("is-good") == len(found)


def test_profiles_of_other_weights_are_flagged(empty, voice):
    segments = empty.enrolment_segments([voice("jo_enrol")])
    empty.store.add("Old", segments=segments, model_id="other weights", source="file", consent=True)
    empty.store.add("New", segments=segments, model_id=empty.model_id, source="file", consent=True)
    rows = speakers.listed(empty).split("<tr ")
    assert [texts.OUTDATED in row for row in rows if ">Old<" in row or ">New<" in row] == [True, False]


def test_a_notice_of_the_store_is_shown(home, embedder):
    Recognizer(home, embedder=embedder)
    database = next(path for path in home.iterdir() if path.is_file())
    for path in list(home.iterdir()):
        path.unlink()
    database.write_bytes(b"this is no database" * 500)
    assert "database was damaged" in speakers.listed(Recognizer(home, embedder=embedder))


def test_the_page_has_one_streaming_microphone_and_three_public_endpoints(recognizer):
    page = build(recognizer)
    config = page.get_config_file()
    streams = [one for one in config["components"] if one["type"] == "audio" and one["props"].get("streaming")]
    assert len(streams) == 1
    labels = [one["props"]["label"] for one in config["components"] if one["type"] == "tabitem"]
    assert labels == [texts.LIVE, texts.LINK_OR_FILE, texts.SPEAKERS, compare_texts.COMPARE]
    public = [one["api_name"] for one in config["dependencies"] if one["api_visibility"] != "private"]
    assert sorted(public) == ["enrol", "identify", "speakers"]  # `demo.api`; all else is for the page
    ids = [one["props"]["elem_id"] for one in config["components"] if one["props"].get("elem_id")]
    assert sorted(ids) == sorted(set(ids))
    buttons = [one["props"]["value"] for one in config["components"] if one["type"] == "button"]
    assert "Run" not in buttons  # Gradio's own word: a button made by mistake


def test_everything_is_in_the_page_from_the_start_shown_or_not(recognizer):
    """What Gradio has yet to build may miss what is said to it; and its columns and rows know no "hidden"."""
    components = build(recognizer).get_config_file()["components"]
    told = {(one["type"], one["props"].get("visible", True)) for one in components}
    assert not [kind for kind, visible in told if visible is False]
    assert {"button", "checkbox", "dropdown"} <= {kind for kind, visible in told if visible == HIDDEN}
    assert not {"column", "row"} & {kind for kind, visible in told if visible == HIDDEN}
    said = [path.name for path in (ROOT / "demo").glob("*.py") if "visible=False" in path.read_text("utf-8")]
    assert said == ["sight.py"]  # which says why


def test_a_place_is_shown_and_hidden_with_the_classes_it_was_made_with():
    import gradio as gr

    with gr.Blocks():
        place, plain = gr.Column(**layout(False, "sure", "pair")), gr.Row()
    assert place.elem_classes == ["sure", "pair", AWAY]
    assert visibility(place, True)["elem_classes"] == ["sure", "pair"]
    assert visibility(place, [])["elem_classes"] == ["sure", "pair", AWAY]
    assert visibility(plain, False)["elem_classes"] == [AWAY] and visibility(plain, True)["elem_classes"] == []


def test_the_app_starts_without_tensorflow(home):
    code = "import sys; from core.recognizer import Recognizer; from demo.app import build; build(Recognizer());"
    code += "print(sorted({'tensorflow', 'keras', 'librosa', 'torch', 'yt_dlp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_port_that_is_taken_is_said_and_nothing_is_left(home, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(SpeakerError, match=f"port {port} on 127.0.0.1 cannot be used"):
            launch(home=home, host="127.0.0.1", port=port, open_browser=False)
    assert "GRADIO_TEMP_DIR" not in os.environ
    assert not list(tmp_path.glob("who-is-speaking-*"))


def test_a_proxy_does_not_hear_that_the_app_starts(recognizer, monkeypatch):
    """Gradio asks itself over HTTP: where all must go through a proxy it would not start."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def accept() -> None:
            with suppress(OSError):  # closed at the end
                asked.append(proxy.accept())

        threading.Thread(target=accept, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, address)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NO_PROXY", "example.org")  # on Windows both are one
        page = build(recognizer)
        url = app._serve(page, recognizer, host="127.0.0.1", port=free_port(), open_browser=False, password=None)
        page.close(verbose=False)
        assert url.startswith("http://127.0.0.1:") and not asked
        assert {name: os.environ[name] for name in os.environ if name.upper() == "NO_PROXY"} == {
            "NO_PROXY": "example.org"
        }
