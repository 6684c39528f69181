"""A person's page: what is known of a voice, renaming, another session, renewing, deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UnknownSpeaker
from core.names import listed
from core.person_check import check_person
from core.recognizer import Recognizer
from core.speakers import SpeakerStore
from demo import people_texts, person_view, texts
from demo.live import names_of
from demo.local_time import day
from demo.notice_view import notice, progress, trouble
from demo.presses import Presses
from demo.sight import HIDDEN, layout, seen, visibility

SCRIPT = Path(__file__).with_name("people.js")
PAGE_SCRIPT, QUESTION_SCRIPT = (Path(__file__).with_name(name) for name in ("person.js", "question.js"))
CHECKS = 4  # people checked at the same time
EVERYBODY, PERSON = -2, -1  # what a question is about; else the id of a session
MANY = 12  # people from which on one is looked for by name


def said(work: Callable[[], str]) -> str:
    """What came of `work`, as a notice."""
    try:
        return notice(work(), "good")
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error)


def chosen_name(person: str | None) -> str:
    """The person chosen; `UnknownSpeaker` where there is none."""
    if not person:
        raise UnknownSpeaker(texts.NOBODY_CHOSEN)
    return person


def renamed(recognizer: Recognizer, person: str | None, new: str) -> str:
    """Rename; the notice."""
    name = recognizer.store.rename
    return said(lambda: texts.RENAMED.format(old=chosen_name(person), new=name(chosen_name(person), new).name))


def deleted(recognizer: Recognizer, person: str | None) -> str:
    """Delete one person; the notice."""
    store = recognizer.store
    return said(lambda: texts.DELETED.format(name=store.delete(chosen_name(person)).name) + _set_aside(store))


def _set_aside(store: SpeakerStore) -> str:
    """What may still hold a voice that was deleted; '' where nothing does."""
    left = store.set_aside()
    return f" {texts.SET_ASIDE.format(files=listed(left), home=store.home)}." if left else ""


def deleted_all(recognizer: Recognizer) -> str:
    """Delete everybody; the notice."""

    def work() -> str:
        recognizer.store.delete_all()
        return texts.DELETED_ALL

    return said(work)


def session_deleted(recognizer: Recognizer, person: str | None, session: int) -> str:
    """Delete one session of somebody who has several; the notice."""
    store = recognizer.store
    removed = store.delete_session
    return said(
        lambda: people_texts.REMOVED.format(name=removed(chosen_name(person), session).name) + _set_aside(store)
    )


def renewed(recognizer: Recognizer, person: str | None) -> str:
    """Learn somebody anew from speech that was kept; the notice."""

    def work() -> str:
        count = texts.counted(recognizer.renew(chosen_name(person)), "session")
        return people_texts.RENEWED.format(name=person, count=count)

    return said(work)


@dataclass(frozen=True)
class Shown:
    """A person's page at one moment. `page`: HTML. `sessions`: (label, id) of those that can be deleted one by one,
    none where there is only one."""

    name: str
    page: str
    status: str
    sessions: tuple[tuple[str, int], ...]


def shown(recognizer: Recognizer, name: str) -> Iterator[Shown]:
    """The page at once, then with what the check found. Raises `UnknownSpeaker`, also of who is gone by then."""
    person, sessions = recognizer.store.get(name), recognizer.store.sessions(name)
    model, colours = recognizer.model_id, names_of(recognizer)
    labels = tuple(
        (people_texts.SESSION_CHOICE.format(number=number, date=day(one.created_at), source=one.source), one.id)
        for number, one in enumerate(sessions, 1)
    )
    several = labels if len(labels) > 1 else ()
    waiting = person_view.page(person, sessions, colours, model_id=model, checked=False)
    status = progress(people_texts.CHECKING.format(name=person.name), None)
    yield Shown(person.name, waiting, status, several)
    check = check_person(recognizer, person.name)
    recognizer.store.get(name)
    checked = person_view.page(person, sessions, colours, model_id=model, check=check)
    yield Shown(person.name, checked, "", several)


def build_page(recognizer: Recognizer, people: Any, form: Any) -> tuple[list[Any], Callable[[], list], list[Any]]:
    """Inside `gr.Blocks`. `people`: the list, whose `select` event says who was pressed on. `form`: the
    `demo.enrol_form.Form` that a session is added with. Returns what is watched, how it is refreshed, and the events
    after which people have changed."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    chosen, asked, revision, presses = gr.State(None), gr.State(None), gr.State(-1), gr.State(Presses())
    find = gr.Dropdown([], label=people_texts.FIND, visible=HIDDEN, elem_id="person")
    with gr.Column(elem_id="person-page"):  # in sight exactly when it says something: people.css
        page = gr.HTML("", js_on_load=PAGE_SCRIPT.read_text(encoding="utf-8"))
        status = gr.HTML("", elem_id="person-status")
        with gr.Row(elem_classes="pair"):
            new_name = gr.Textbox(label=texts.NEW_NAME, max_lines=1, scale=2, min_width=140, elem_id="new-name")
            rename = gr.Button(texts.RENAME, scale=1, min_width=90, elem_id="rename")
        with gr.Row(elem_classes="pair", elem_id="person-sessions"):  # in sight where there are several
            session = gr.Dropdown([], label=people_texts.REMOVE_SESSION, scale=2, min_width=140, elem_id="session")
            remove = gr.Button(people_texts.REMOVE, scale=1, min_width=90, elem_id="session-delete")
        renew = gr.Button(people_texts.RENEW, elem_id="renew")  # in sight where a session can be
        with gr.Row(elem_classes="pair"):
            add = gr.Button(people_texts.ADD_SESSION, variant="primary", min_width=120, elem_id="add-session")
            delete = gr.Button(texts.DELETE, min_width=80, elem_id="delete")
            close = gr.Button(people_texts.CLOSE, min_width=80, elem_id="person-close")
    with gr.Column(**layout(False, "sure")) as sure:
        question = gr.HTML("", js_on_load=QUESTION_SCRIPT.read_text(encoding="utf-8"))
        with gr.Row(elem_classes="pair"):
            yes = gr.Button(texts.DELETE_YES, variant="stop", min_width=90, elem_id="delete-yes")
            no = gr.Button(texts.KEEP, min_width=90, elem_id="delete-no")
    notices = gr.HTML("", elem_id="people-notice")
    delete_all = gr.Button(texts.DELETE_ALL, size="sm", visible=HIDDEN, elem_id="delete-all")

    # the page and the question below it
    view = [chosen, page, status, session]

    def closed() -> tuple:
        return None, "", "", gr.skip()

    def nothing() -> tuple:
        """What is said last: when a generator ends Gradio says its last update once more, maybe over another page that
        has come. What is shown or hidden may miss an update that is followed so soon: it follows from the page
        (people.css)."""
        return tuple(gr.skip() for _ in view)

    def opened(name: str | None) -> Iterator[tuple]:
        if not name:
            yield closed()
            return
        drawn = False
        try:
            for one in shown(recognizer, name):
                several = gr.update(choices=list(one.sessions), value=None)
                yield gr.skip() if drawn else one.name, one.page, one.status, several
                drawn = True
        except UnknownSpeaker:
            # who is renamed or deleted while the check goes on: `again` draws what is right
            yield nothing() if drawn else closed()
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield name, gr.skip(), trouble(error), gr.skip()

    def again(name: str | None, latest: Presses) -> Iterator[tuple]:
        """After people have changed. With nobody open nothing is to do: who was pressed on meanwhile stays open."""
        before = latest.count
        for update in opened(name) if name else ():
            if latest.count != before:
                break
            yield update
        yield nothing()

    def by_hand(name: str | None, latest: Presses) -> Iterator[tuple]:
        latest.count += 1
        mine = latest.count
        for update in opened(name):
            if latest.count != mine:
                break
            latest.count += 1
            mine = latest.count
            yield update
        yield nothing()

    def pressed(latest: Presses, event) -> Iterator[tuple]:
        told = event._data or {}
        if latest.is_last(told):
            yield from by_hand(str(told.get("name") or ""), latest)
        else:
            yield nothing()

    pressed.__annotations__["event"] = gr.EventData  # as a class: Gradio does not read it from text
    quietly = {"concurrency_limit": CHECKS, "trigger_mode": "always_last", **private}
    mark = "() => setTimeout(() => window.whoIsOpen && window.whoIsOpen.mark(), 50)"
    for event in (
        # every press, as "always_last" would say again whom the one before named
        people.select(pressed, presses, view, **{**quietly, "trigger_mode": "multiple"}),
        find.input(by_hand, [find, presses], view, **quietly),
        form.latest.change(
            lambda who, latest: (yield from again(who and who[0], latest)), [form.latest, presses], view, **quietly
        ),
        revision.change(again, [chosen, presses], view, **quietly),
        close.click(lambda latest: (yield from by_hand(None, latest)), presses, view, **private),
    ):
        event.then(None, None, None, js=mark, **private)

    # what was said of one person, and the name that was typed for them, are none of the next one's
    gr.on([people.select, find.input], lambda: ("", ""), None, [notices, new_name], **private)

    def unasked() -> Any:
        return visibility(sure, False)

    def ask(about: int, name: str | None, text: str) -> tuple:
        return visibility(sure, True), notice(text, "error"), (about, name), ""

    def ask_one(name: str | None) -> tuple:
        return ask(PERSON, name, texts.DELETE_SURE.format(name=name))

    def ask_all() -> tuple:
        return ask(EVERYBODY, None, texts.DELETE_ALL_SURE.format(count=len(recognizer.store.profiles())))

    def ask_session(name: str | None, number: int | None) -> tuple:
        if not number:
            return unasked(), "", None, notice(people_texts.REMOVE_NONE, "error")
        return ask(number, name, people_texts.REMOVE_SURE.format(name=name))

    def confirmed(question: tuple[int, str | None] | None) -> tuple:
        if question is None:  # the server was started again, or forgot a page that was away for long
            return notice(people_texts.ASK_AGAIN, "error"), unasked()
        about, name = question  # as it was asked, whoever has been chosen since
        if about == EVERYBODY:
            return deleted_all(recognizer), unasked()
        return (deleted(recognizer, name) if about == PERSON else session_deleted(recognizer, name, about)), unasked()

    def change_name(name: str | None, new: str) -> tuple:
        html = renamed(recognizer, name, new)
        done = "notice-good" in html
        return html, "" if done else gr.skip(), recognizer.store.get(new).name if done else gr.skip()

    def anew(name: str | None) -> Iterator[str]:
        yield progress(texts.ENROLLING.format(name=name), None)
        yield renewed(recognizer, name)

    questions = [sure, question, asked, notices]
    chosen.change(unasked, None, sure, **private)
    delete.click(ask_one, chosen, questions, **private)
    delete_all.click(ask_all, None, questions, **private)
    remove.click(ask_session, [chosen, session], questions, **private)
    no.click(unasked, None, sure, **private)
    add.click(
        lambda name: (
            name,
            True,
            gr.update(value=False, visible=HIDDEN),
            notice(people_texts.ADDING_TO.format(name=name)),
        ),
        chosen,
        [form.name, form.again, form.sure, form.said],
        **private,
    ).then(None, None, None, js="() => document.querySelector('#enrol-form').scrollIntoView()", **private)
    changes = [
        yes.click(confirmed, asked, [notices, sure], **private),
        rename.click(change_name, [chosen, new_name], [notices, new_name, chosen], **private),
        renew.click(anew, chosen, notices, concurrency_id="enrol", concurrency_limit=1, **private),
    ]

    def refresh() -> list:
        names = [profile.name for profile in recognizer.store.profiles()]
        return [
            gr.update(choices=names, value=None, visible=seen(len(names) > MANY)),
            gr.update(visible=seen(names)),
            recognizer.store.revision(),
        ]

    return [find, delete_all, revision], refresh, changes
