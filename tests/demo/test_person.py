"""A person's page, without a browser: what is shown, another session and what it gains, renewing, deleting."""

import numpy as np
import pytest
import soundfile

from core.audio import to_flac
from core.channels import Surroundings, apply
from core.errors import UnknownSpeaker
from demo import enrolling, people_texts, person, texts
from demo.presses import Presses
from demo.take import Take


def last(recognizer, name):
    return list(person.shown(recognizer, name))[-1]


def test_the_page_is_there_at_once_and_then_checked(people):
    at_once, checked = person.shown(people, "amina")
    assert at_once.name == checked.name == "Amina" and "is-waiting" in at_once.page and "progress" in at_once.status
    count = people.store.get("Amina").segments
    assert people_texts.RECOGNISED_OF.format(count=count, segments=count) in checked.page
    assert ">Kofi</b>" in checked.page and people_texts.NEAREST_NOTES["apart"] in checked.page
    assert people_texts.OWN_NOTES["high"] in checked.page
    assert people.model_id in checked.page and "Agreed on 20" in checked.page
    assert checked.page.count("light is-") == count and "is-renewable" not in checked.page and checked.sessions == ()


def test_what_may_still_hold_the_voice_is_named_after_a_deletion(people):
    assert "Damaged databases" not in person.deleted(people, "Kofi")
    (people.store.home / "speakers.db.corrupt-20260101T000000Z").touch()
    said = person.deleted(people, "Amina")
    assert "Amina is gone" in said and "may still hold it: speakers.db.corrupt-20260101T000000Z in " in said
    assert "Damaged databases" not in person.deleted(people, "Amina")  # nobody of that name: nothing was deleted


def test_alone_there_is_nobody_to_be_like(people):
    people.store.delete("Kofi")
    page = last(people, "Amina").page
    assert people_texts.NEAREST_NONE in page and "Kofi" not in page


def test_a_second_session_and_what_it_gains(people, voice, tmp_path):
    path = tmp_path / "other microphone.wav"
    phone = apply("phone", voice("amina_enrol"), chance=np.random.default_rng(1), around=Surroundings((), []))
    soundfile.write(path, phone.samples, phone.rate)
    asked = (Take(), "Amina", True, True, texts.FROM_FILE, [str(path)], "", True)
    *_, (said, _, done) = enrolling.enrol(people, *asked)
    assert done and said.count("notice-good") == 1
    assert "was recognised before" in said or "of what was just said" in said
    found = last(people, "Amina")
    assert found.page.count('class="gain"') == 2 and [number for _, number in found.sessions] == [
        one.id for one in people.store.sessions("Amina")
    ]
    assert "notice-good" in person.session_deleted(people, "Amina", found.sessions[0][1])
    assert "notice-error" in person.session_deleted(people, "Amina", found.sessions[1][1])  # the last one
    assert last(people, "Amina").sessions == () and people.store.get("Amina").sessions == 1


def test_what_other_networks_made_is_flagged_and_renewed_where_speech_was_kept(people, voice):
    segments, flac = people.enrolment_segments([voice("jo_enrol")]), to_flac(voice("jo_enrol"))
    for name, kept in (("Renewable", flac), ("Gone", None)):
        people.store.add(name, segments=segments, model_id="older", source="file", consent=True, flac=kept)
    found, gone = last(people, "Renewable"), last(people, "Gone")
    assert "is-renewable" in found.page and people_texts.OLD_RENEW[1:] in found.page
    assert people_texts.CHECK_NONE in found.page
    assert "is-renewable" not in gone.page and people_texts.OLD_ENROL[1:] in gone.page
    assert "notice-good" in person.renewed(people, "Renewable") and "was not kept" in person.renewed(people, "Gone")
    found = last(people, "Renewable")
    assert "is-renewable" not in found.page and "older" not in found.page and people_texts.RECOGNISED in found.page


def test_people_who_change_while_nobody_is_open_close_nobodys_page(people):
    """The page's first look at the people ends after a quick press on one of them."""
    import gradio as gr

    from demo.app import build

    page = build(people)
    status = next(block for block in page.blocks.values() if block.elem_id == "person-status")
    follow = [
        event
        for event in page.fns.values()
        if status in event.outputs
        and any(name == "change" and isinstance(page.blocks[of], gr.State) for of, name in event.targets)
    ]
    assert len(follow) == 2  # after people changed, and after an enrolment
    for event in follow:
        (said,) = event.fn(None, Presses())
        assert len(said) == len(event.outputs) and all(one == gr.skip() for one in said)

    # nor does the page of somebody come back over the one that was pressed on meanwhile: deleting would ask about the
    # wrong person
    after_change = next(event.fn for event in follow if event.fn.__name__ == "again")
    drawn = after_change("Amina", presses := Presses())
    assert next(drawn)[0] == "Amina"
    presses.count += 1
    (rest,) = drawn
    assert all(one == gr.skip() for one in rest)
    assert [one[0] for one in after_change("Amina", presses)][0] == "Amina"

    # who was deleted has no page; and nothing is the last that is said, as Gradio says that once more when it ends
    (name, html, *_), rest = after_change("Nobody", presses)
    assert name is None and html == "" and all(one == gr.skip() for one in rest)


def test_who_is_deleted_while_their_page_is_checked_does_not_come_back(people):
    drawn = person.shown(people, "Amina")
    assert next(drawn).name == "Amina"
    people.store.delete("Amina")
    with pytest.raises(UnknownSpeaker):
        next(drawn)


def test_a_press_that_was_overtaken_is_not_the_last():
    presses = Presses()
    assert presses.is_last({"press": 2.5}) and not presses.is_last({"press": 2.0})
    assert presses.is_last({"press": 2.5}) and presses.is_last({"press": 7}) and presses.is_last({"name": "Kofi"})
    assert not presses.is_last({"press": 2.5}) and presses.is_last({"press": "now"})


def test_a_question_that_the_server_forgot_deletes_nobody(people):
    """The page was away for long, or the app was started again: what "yes" answers is not known any more."""
    from demo.app import build

    page = build(people)
    yes = next(block for block in page.blocks.values() if block.elem_id == "delete-yes")
    (confirm,) = [event for event in page.fns.values() if (yes._id, "click") in event.targets]
    (asked,) = confirm.inputs
    said, _ = confirm.fn(asked.value)
    assert "press Delete once more" in said
    assert [one.name for one in people.store.profiles()] == ["Amina", "Kofi"]
    said, _ = confirm.fn((person.PERSON, "Amina"))
    assert "notice-good" in said and [one.name for one in people.store.profiles()] == ["Kofi"]
