"""The Compare tab with real voices, without a browser: the exam, the map, the explanation, and what is forgotten."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import SAMPLE_RATE
from core.errors import SpeakerError
from core.heads import UNKNOWN, Decision
from core.recognizer import Recognizer
from core.segments import prepare
from demo import compare, compare_texts, compare_view
from demo.compare import nearest
from demo.exam import AS_IT_IS, menu, people_of, run, sound_of
from demo.examples import EXAMPLE_SOURCE
from demo.heard_clip import HeardClip
from demo.live_ear import LiveEar
from demo.voice_map import VoiceMap
from tests.conftest import SAMPLES


@pytest.fixture(scope="module")
def pair(embedder, voice, tmp_path_factory):
    """Amina and Kofi as the examples button enrols them."""
    made = Recognizer(tmp_path_factory.mktemp("pair"), embedder=embedder)
    for name in ("Amina", "Kofi"):
        made.enrol(name, voice(f"{name.lower()}_enrol"), consent=True, sure=True, source=EXAMPLE_SOURCE)
    return made


@pytest.fixture(scope="module")
def exam(pair):
    """The exam, one segment at a time, as they were enrolled."""
    *steps, (said, made) = run(pair, "segment", AS_IT_IS)
    assert "notice-good" in said, said
    assert len(steps) >= 4 and all(one is None and "progress" in text for text, one in steps)
    return made


def test_every_segment_is_asked_once_and_the_page_shows_all(exam, pair):
    segments = sum(kind == "segment" for one in exam.people for kind in one.kinds)
    assert len(exam.done.held) == segments
    html = compare_view.results(exam.done, {"Amina": "#0072b2", "Kofi": "#e69f00"})
    for wanted in (*compare_texts.METHOD_TITLES.values(), compare_texts.CONFUSION, compare_texts.DET_TITLE):
        assert wanted in html
    assert html.count("forest-row") == 4 and html.count("<svg") == 6
    assert f"{segments} of {segments}" in html  # synthetic voices are told apart
    assert compare_texts.VERDICT_FEW.format(people=2, enough=6) in html


def test_the_menu_names_every_segment_once(exam):
    choices = menu(exam)
    assert sorted(number for _, number in choices) == list(range(len(exam.done.held)))
    assert choices[0][0].startswith(("Amina", "Kofi"))


def test_the_sound_of_a_segment_is_the_one_that_was_enrolled(exam, pair, folder):
    sound = sound_of(exam, 0)
    assert sound.rate == SAMPLE_RATE and 4.9 < sound.duration <= 5.0
    person = exam.people[exam.done.held[0].person]
    heard = pair.embedder.embed([prepare(sound)])
    assert float(heard.cnn[0] @ person.cnn[0]) > 0.99
    path, sentence = compare.heard(exam, 0, clip := HeardClip())
    played, rate = soundfile.read(path, dtype="float32")
    assert (rate, sentence) == (SAMPLE_RATE, "") and np.abs(played - sound.samples).max() < 1e-4
    another, _ = compare.heard(exam, 1, clip)
    assert folder in Path(another).parents and not Path(path).exists()
    clip.leave()
    assert list(folder.iterdir()) == []


def test_through_a_telephone_every_piece_is_heard_again(pair):
    *_, (said, made) = run(pair, "segment", "phone")
    assert "notice-good" in said and "telephone" in said
    clean = people_of(pair)
    assert made.sound.through(0, 0, "phone").cnn[0] @ clean[0].cnn[0] < 0.999
    heard = np.abs(np.fft.rfft(sound_of(made, 0).samples))
    assert heard[6 * len(heard) // 8 :].mean() < 0.02 * heard.mean()  # nothing above 6 kHz comes through a telephone
    assert made.sound.heard(0, 0, "phone+short").duration == 1.5
    assert len(made.done.held) > 4


def test_without_sound_a_channel_cannot_be_tried(recognizer):
    """Amina and Kofi of this recognizer came from files that were not kept."""
    *_, (said, made) = run(recognizer, "segment", "phone")
    assert made is None and "notice-error" in said and "sound is here" in said
    *_, (_, made) = run(recognizer, "segment", AS_IT_IS)
    player, sentence = compare.heard(made, 0, HeardClip())
    assert player is None and compare_texts.NO_SOUND in sentence


def test_a_borrowed_name_does_not_bring_the_wrong_sound(empty, voice):
    for name, clip in (("Mei", "kofi_enrol"), ("Jo", "jo_enrol")):
        empty.enrol(name, voice(clip), consent=True, source=EXAMPLE_SOURCE)
    *_, (_, made) = run(empty, "segment", AS_IT_IS)
    assert made.sound.of(0, 0) is None and made.sound.of(1, 0) is not None


@pytest.mark.parametrize(("protocol", "said"), [("session", "nobody has two sessions"), ("segment", "two people")])
def test_what_cannot_be_compared_is_one_sentence(protocol, said, pair, empty):
    *_, (text, made) = run(pair if protocol == "session" else empty, protocol, AS_IT_IS)
    assert made is None and said in text.lower() and text.count("notice-error") == 1


def test_an_explanation_shows_both_models(pair, voice):
    html = compare.why(pair, voice("kofi_test").between(0.0, 5.0))
    assert "CNN answered Kofi" in html and "ANN answered Kofi" in html
    assert html.count("data:image/png") == 2 and html.count("evidence-row") >= 6
    words = re.sub("<[^>]*>", " ", html)
    assert re.search(r"\u2212\d", words) and not re.search(r"(?<!\w)-\d", words)  # a minus sign, no hyphen


@pytest.mark.parametrize(("path", "said"), [(None, "no sound to explain"), ("quiet.wav", "not enough speech")])
def test_what_cannot_be_explained_is_said(path, said, pair, tmp_path):
    sound = None
    if path:
        soundfile.write(tmp_path / path, np.zeros(6 * SAMPLE_RATE), SAMPLE_RATE)
        sound = compare.from_file(str(tmp_path / path), 1.0)
        assert sound.duration == 5.0
    with pytest.raises(SpeakerError, match=said):
        compare.why(pair, sound)


def test_unknown_is_explained_by_who_came_next():
    assert nearest(Decision(UNKNOWN, 0.9, "Jo", 0.1)) == "Jo" and nearest(Decision("Amina", 0.9, "Jo", 0.1)) == "Amina"


def test_a_live_voice_drops_into_the_map(pair, voice):
    voices, html = compare.drawn(pair, "pca")
    assert isinstance(voices, VoiceMap) and html.count("<svg") == 2 and compare_texts.MAP_LIVE in html
    ear = LiveEar()
    assert compare.dropped(pair, voices, [ear]) is None
    ear.hear(voice("kofi_test").samples[: 5 * SAMPLE_RATE], SAMPLE_RATE)
    ear.look(pair)
    moved = compare.dropped(pair, voices, [ear])
    assert compare_texts.MAP_LISTENING in moved and moved.count("<title>now</title>") == 2
    assert compare.dropped(pair, None, [ear]) is None


def test_the_map_shows_segments_not_simulated_rooms(pair):
    voices, html = compare.drawn(pair, "pca")
    segments = sum(len(one.segments) for one in people_of(pair))
    assert html.count("<title>Amina</title>") + html.count("<title>Kofi</title>") == 2 * segments


def test_which_is_better_is_a_question_of_people(exam):
    class Counted:
        def __init__(self, people, chance):
            self.people, self.chance = people, chance

        def by_person(self, method):
            return np.ones(self.people)

        def better(self, first, second):
            return self.chance

    cnn, ann = exam.done.result("cnn"), exam.done.result("ann")
    worse = replace(ann, hits=0)
    assert "CNN is better than ANN for these 8 people" in compare_view.verdict(Counted(8, 0.01), cnn, worse)
    assert "too few" in compare_view.verdict(Counted(5, 0.06), cnn, worse)
    assert "nobody can say" in compare_view.verdict(Counted(8, 0.06), cnn, worse)


def test_nobody_is_no_map(empty):
    voices, said = compare.drawn(empty, "pca")
    assert voices is None and "three pieces" in said


def test_map_and_explanation_of_who_was_deleted_go_without_an_exam(people):
    from demo.app import build

    page = build(people)
    picture = next(block for block in page.blocks.values() if block.elem_id == "compare-map")
    (change,) = [event for event in page.fns.values() if picture in event.outputs and len(event.outputs) > 2]
    voices, _ = compare.drawn(people, "pca")
    *_, kept_map, kept_picture, _ = change.fn(None, voices, HeardClip())
    assert kept_map == kept_picture == {"__type__": "update"}
    people.store.delete("Amina")
    status, *_, gone_map, gone_picture, reason = change.fn(None, voices, HeardClip())
    assert status == {"__type__": "update"} and gone_map is None and gone_picture == reason == ""


def functions(recognizer, *names: str) -> list:
    """Functions behind events of the Compare tab."""
    from demo.app import build

    every = [event.fn for event in build(recognizer).fns.values()]
    ours = [one for one in every if getattr(one, "__module__", "") == "demo.compare"]
    return [next(one for one in ours if one.__name__ == name) for name in names]


def test_an_explanation_says_of_what_it_is_and_goes_with_the_choice(exam, pair, folder):
    explain, chosen, sent = functions(pair, "explain", "chosen", "sent")
    clip = HeardClip()
    of_segment = list(explain(exam, 1, clip, None, 0))[-1][0]
    assert f"<p>Explained: {compare_view.place(exam.done, 1)}.</p>" in of_segment
    of_file = list(explain(exam, None, clip, str(SAMPLES / "kofi_test.opus"), 2))[-1][0]
    assert "<p>Explained: kofi_test.opus, from second 2.</p>" in of_file
    *_, player, _, reason, file = chosen(exam, 1, clip)
    assert player["value"] == clip.path and (reason, file) == ("", None)  # one source at a time
    reason, segment, player, _ = sent("kofi_test.opus", clip)
    assert reason == "" and segment["value"] is None is player["value"] and not list(folder.glob("clip-*"))


def test_nothing_of_who_was_deleted_is_heard_explained_or_followed_though_the_page_knows_nothing_of_it(
    people, voice, folder
):
    for name in ("Mei", "Jo"):
        people.enrol(name, voice(f"{name.lower()}_enrol"), consent=True, sure=True, source=EXAMPLE_SOURCE)
    *_, (_, made) = run(people, "segment", AS_IT_IS)
    voices, _ = compare.drawn(people, "pca")
    mei = next(t for t, truth in enumerate(made.done.truth) if made.people[truth].profile.name == "Mei")
    shown, explain, ticked = functions(people, "chosen", "explain", "ticked")
    clip = HeardClip()
    assert shown(made, mei, clip)[2] == {"__type__": "update"} and Path(clip.path).exists()
    people.store.choose_sureness(0.9)
    assert people.store.choose_sureness(0.8) or shown(made, mei, clip)[2] == {"__type__": "update"}  # nobody changed
    people.store.delete("Mei")
    for status, results, exam, *_ in (shown(made, mei, clip), list(explain(made, mei, clip, None, 0))[-1][1:]):
        assert compare_texts.STALE in status and results == compare.NOT_RUN and exam is None
    assert not list(folder.glob("clip-*")) and ticked(voices) == (None, "")


def test_a_recording_that_is_sent_while_an_exam_runs_stays(people, voice, folder):
    for name in ("Mei", "Jo"):
        people.enrol(name, voice(f"{name.lower()}_enrol"), consent=True, sure=True, source=EXAMPLE_SOURCE)
    examined, first = functions(people, "examined", "first")
    begun, *_, done = list(examined("segment", AS_IT_IS))
    assert begun[-2:] == ("", None) and done[-2:] == ({"__type__": "update"},) * 2
    made, clip = done[2], HeardClip()
    mei = next(t for t, truth in enumerate(made.done.truth) if made.people[truth].profile.name == "Mei")
    assert first(made, mei, clip, None)[4]["visible"] is True
    *_, segment, player, _ = first(made, mei, clip, "talk.wav")
    assert segment["value"] is None and player == {"__type__": "update"}


def test_what_is_made_while_somebody_is_deleted_is_not_given_out(people, voice, monkeypatch):
    for name in ("Mei", "Jo"):
        people.enrol(name, voice(f"{name.lower()}_enrol"), consent=True, sure=True, source=EXAMPLE_SOURCE)
    steps = run(people, "segment", AS_IT_IS)
    next(steps)
    people.store.delete("Mei")
    *_, (said, made) = steps
    assert made is None and "have changed meanwhile" in said and "Mei" not in said
    usual = VoiceMap.html
    monkeypatch.setattr(VoiceMap, "html", lambda made: (people.store.delete("Jo"), usual(made))[1])
    voices, said = compare.drawn(people, "pca")
    assert voices is None and "have changed meanwhile" in said


def test_five_seconds_are_explained_across_a_full_minute(tmp_path):
    """Files are read minute by minute."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 70 * SAMPLE_RATE), SAMPLE_RATE)
    heard = compare.from_file(str(path), 57.0)
    assert heard.duration == pytest.approx(5.0, abs=0.01)
    assert (np.diff(heard.samples) > -1e-4).all()  # in one piece
    assert compare.from_file(str(path), 68.0).duration == pytest.approx(2.0, abs=0.01)
