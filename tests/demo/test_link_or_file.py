"""What the Link or file tab knows before, during and after the work, without a browser, with real sound and servers."""

import io
import mimetypes
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from gradio_client.utils import is_valid_file
from PIL import Image

from core.audio import SAMPLE_RATE
from core.segments import Segment
from core.sources import youtube
from core.sources.link import Link
from core.sources.thumbnail import fetch_thumbnail
from demo import enrol_here, job_view, link_card, link_or_file, texts
from demo.examples import clip
from demo.exporting import file_stem
from demo.job import AT_ONCE, FETCH, JUDGE, TURNS, Job, Work
from demo.link_card import Looked


@pytest.fixture
def server(media, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return media


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (640, 360), (200, 30, 60)).save(target, format="PNG")
    return target.getvalue()


def test_title_and_picture_before_the_work(server):
    server.elsewhere = server.url("voice.wav")
    server.files["/picture.png"] = picture()
    server.picture = server.url("picture.png")
    html, known = link_card.look_up(server.url("frame.html"))
    assert "<b>A page</b>" in html and 'src="data:image/jpeg;base64,' in html, html
    assert known.video.title == "A page"
    asked = len(server.asked)
    assert link_card.look_up(server.url("frame.html"), known)[1] == known
    assert len(server.asked) <= asked + 1  # the picture, not the link


@pytest.mark.parametrize("address", ["", "hello", "https://youtu.be/short", "https://example.com/x"])
def test_what_is_still_being_typed_says_nothing(address):
    assert link_card.look_up(address) == ("", Looked())


def test_a_link_that_leads_nowhere_is_said_before_the_work(server):
    html, known = link_card.look_up(server.url("missing.wav"))
    assert html.count("notice-error") == 1 and known == Looked()


@pytest.mark.parametrize(
    ("video", "said"),
    [
        (youtube.Video("x", None, None, None, True), "live stream"),
        (youtube.Video("x", 12 * 3600.0, None, None, False), "12:00:00 long, the limit is 3:00:00"),
    ],
)
def test_a_stream_that_is_live_or_lasts_twelve_hours_is_refused_before_the_work(video, said, server):
    html, _ = link_card.look_up(server.url("voice.wav"), Looked(server.url("voice.wav"), video))
    assert html.count("notice-error") == 1 and said in html


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x.png", "file:///etc/passwd", "https://i.evil.org/x.png", None]
)
def test_a_picture_from_elsewhere_is_not_fetched(address):
    assert fetch_thumbnail(Link("https://www.youtube.com/watch?v=aaaaaaaaaaa", "aaaaaaaaaaa"), address) is None


def test_what_is_no_picture_is_left_out():
    assert link_card._picture(b"GIF89a no") == "" and link_card._picture(None) == ""


def test_a_file_says_how_long_it_is_or_that_it_has_no_sound(samples, tmp_path):
    import av

    assert "00:40" in link_card.look_at_file(str(samples / "conversation.opus"))
    silent = tmp_path / "silent.mp4"
    with av.open(str(silent), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        for _ in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(video.encode())
    html = link_card.look_at_file(str(silent))
    assert html.count("notice-error") == 1 and "no sound track" in html


def test_music_only_names_nobody(recognizer, tmp_path):
    seconds = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hz * 2 ** (np.floor(seconds) % 4 / 12) * seconds) for hz in (220, 277, 330))
    soundfile.write(tmp_path / "music.wav", 0.1 * chord, SAMPLE_RATE)
    job = Job()
    *_, (status, *_) = link_or_file.listen(recognizer, job, Work(path=str(tmp_path / "music.wav")))
    assert "notice-good" in status and not any(one.both.is_person for one in job.answers)


def test_a_recording_without_speech_is_not_called_done_well(recognizer, tmp_path):
    soundfile.write(tmp_path / "empty room.wav", np.zeros(12 * SAMPLE_RATE), SAMPLE_RATE)
    job = Job()
    *_, (status, *_) = link_or_file.listen(recognizer, job, Work(path=str(tmp_path / "empty room.wav")))
    assert "notice-good" not in status and "no part of empty room.wav has enough speech" in status
    assert "1 s of five are needed" in status and job.answers


def test_the_two_stages_and_what_remains():
    job = Job()
    job.is_link, job.title = True, "A talk"
    job._begin(FETCH, 0.0)
    assert 'class="is-now">Download' in job_view.stages(job) and "left" not in job_view.stages(job)
    job._begin(JUDGE, 0.0)
    job.fraction, job._since = 0.25, job._since - 10.0
    html = job_view.stages(job)
    assert 'class="is-done">Download' in html and 'class="is-now">Recognise' in html
    assert "about 00:30 left" in html and "25 %" in html


def test_a_recording_waits_for_its_turn_and_says_so(recognizer, samples):
    job, said = Job(), []
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(TURNS.turn())
        for status, *_ in link_or_file.listen(recognizer, job, Work(path=str(samples / "kofi_test.opus"))):
            said.append(status)
            if len(said) == 2:
                assert "Waiting for its turn: 1 recording must be finished first" in status and not job.answers
                others.close()
            assert len(said) < 600
    assert "Done" in said[-1] and len(job.answers) == 3


def test_who_waits_can_be_stopped(recognizer, samples):
    job = Job()
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(TURNS.turn())
        for number, _ in enumerate(link_or_file.listen(recognizer, job, Work(path=str(samples / "kofi_test.opus")))):
            if number == 1:
                job.cancel()
            assert number < 100
    assert job.cancelled and not job.answers


def test_hours_are_drawn_in_bounded_size(recognizer, voice):
    """Three hours: an overview, a timeline to scroll, the latest rows of the table."""
    [one] = list(recognizer.identify(voice("amina_test").between(0, 5)))
    job, (shift,) = Job(), [5.0]
    job.title = "long"
    job.answers = [replace(one, segment=Segment(at * shift, (at + 1) * shift)) for at in range(3 * 720)]
    html = job_view.timeline(job, {"Amina": "#0072b2"})
    assert "lane-whole" in html and "lanes-scroll" in html and "--zoom:12.00" in html
    rows = job_view.details(job, {"Amina": "#0072b2"})
    assert rows.count("<tr>") == job_view.MAX_ROWS + 1
    assert texts.MORE_ROWS.format(shown=job_view.MAX_ROWS, count=2160) in rows


def test_a_name_in_a_path_does_not_break_the_player():
    html = job_view.player('/tmp/a "b" <c>&d.mp3')
    assert '"b"' not in html and "<c>" not in html and html.count("<audio") == 1


@pytest.mark.parametrize(
    "chosen",
    [None, "x", [None], [{}], [{"start": "a", "end": 1, "name": "x"}], [{"start": 5, "end": 1, "name": "x"}]]
    + [[{"start": float("nan"), "end": 1, "name": "x"}], [{"start": 0, "end": float("inf"), "name": "x"}]],
)
def test_nonsense_from_a_page_chooses_nothing(chosen):
    assert enrol_here.spans_of(chosen)[0] == []


def test_turns_of_a_recording_become_a_person(empty, voice):
    job = Job()
    for _ in link_or_file.listen(empty, job, Work(path=str(clip("amina_enrol")))):
        pass
    spans, name = enrol_here.spans_of(
        [{"start": 20, "end": 40, "name": "Unknown"}, {"start": 0, "end": 10, "name": "x"}]
    )
    assert [(one.start, one.end) for one in spans] == [(0, 10), (20, 40)]
    assert "00:30" in enrol_here.chosen_view(spans, name)
    *_, (said, done) = enrol_here.enrol(empty, job, spans, "Amina", True, False)
    assert done and "Amina is enrolled" in said, said
    job = Job()
    for _ in link_or_file.listen(empty, job, Work(path=str(clip("amina_test")))):
        pass
    assert {one.both.name for one in job.answers if one.quality.enough} == {"Amina"}


@pytest.mark.parametrize(
    ("name", "consent", "spans", "said"),
    [
        (" ", True, [(0, 30)], texts.NO_NAME),
        ("Jo", False, [(0, 30)], texts.NO_CONSENT),
        ("Jo", True, [], texts.NOTHING_CHOSEN),
        ("Jo", True, [(0, 6)], "s of speech"),
        ("Jo", True, [(500, 530)], "lies behind it"),
    ],
)
def test_what_is_missing_to_enrol_from_here_is_said(empty, name, consent, spans, said):
    job = Job()
    job.player = str(clip("jo_test"))
    found = [Segment(*span) for span in spans]
    *_, (html, done) = enrol_here.enrol(empty, job, found, name, consent, False)
    assert not done and html.count("notice-error") == 1 and said[:20].lower() in html.lower()
    assert empty.store.profiles() == []


def test_a_recording_that_another_one_replaced_has_no_last_word(recognizer, tmp_path, monkeypatch):
    """When a generator ends Gradio says its last update once more, over what the other has drawn meanwhile."""
    import gradio as gr

    from demo.app import build

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    page = build(recognizer)
    button = next(block for block in page.blocks.values() if block.elem_id == "example-conversation")
    (press,) = [event for event in page.fns.values() if event.fn and (button._id, "click") in event.targets]
    said = []
    for followed in (True, False):
        drawn = press.fn(Job())
        current = next(value for value in next(drawn).values() if isinstance(value, Job))
        current.followed = followed
        current.leave()
        said.append(list(drawn)[-1].values())
    replaced, forgotten = map(list, said)
    assert replaced == [gr.skip()] and gr.update(interactive=True) in forgotten  # Run, where no other one came


@pytest.mark.parametrize(
    ("title", "of_file", "stem"),
    [
        ("A talk, part 1.mp3", True, "A_talk_part_1"),
        ("Dr. Smith on whales", False, "Dr._Smith_on_whales"),
        ("AC/DC live at 3.5", False, "AC_DC_live_at_3.5"),
        ("../../etc/passwd", False, "etc_passwd"),
        ("...", False, "timeline"),
        ("Aux", False, "_Aux"),  # a device on Windows
        ("con.fusion.mp3", True, "_con.fusion"),
        ("Auxiliary", False, "Auxiliary"),
    ],
)
def test_exports_are_called_after_the_whole_title_of_a_video(title, of_file, stem):
    assert file_stem(title, of_file=of_file) == stem


def test_files_can_be_chosen_whatever_the_system_knows_of_their_types(monkeypatch):
    """Gradio asks the system: a slim container knows next to nothing, Debian takes .ts for a translator's file."""
    monkeypatch.setattr(mimetypes, "_db", mimetypes.MimeTypes(()))
    read = "wav flac ogg oga opus mp3 m4a aac caf amr wma aiff au webm mkv mka mp4 m4v mov avi ts mts m2ts 3gp wmv flv"
    refused = [name for name in read.split() if not is_valid_file(f"Talk.{name.upper()}", link_or_file.FILE_TYPES)]
    assert refused == []
    assert not is_valid_file("letter.txt", link_or_file.FILE_TYPES)
