""" "That was right", "That was wrong, it was X": said about an answer, kept as a correction without sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from core.audio import SEGMENT_SECONDS
from core.corrections import correct, corrections, likeliest
from core.errors import StoreError
from core.recognizer import Recognizer
from core.segments import Segment, clock
from core.sureness import ENOUGH_CORRECTIONS
from core.timeline import Answer
from demo import people_texts as texts
from demo.answer_view import percent, shown
from demo.computer_ear import ComputerEar
from demo.live_ear import LiveEar
from demo.notice_view import notice, trouble
from demo.sight import layout, visibility


class Verdicts:
    """One per session and row; a copy is always a fresh one. What was said already, so that it counts once."""

    def __init__(self, spacing: float = 0.0):
        """`spacing`: s between two verdicts; live answers follow each other each second and share their sound."""
        self.pinned: list[Answer] = []
        self._spacing, self._said, self._at = spacing, [], float("-inf")

    def __deepcopy__(self, _memo) -> Verdicts:
        return Verdicts(self._spacing)

    def leave(self) -> None:
        """The page is gone."""
        self.__init__(self._spacing)

    def pin(self, answers: Sequence[Answer]) -> list[Answer]:
        """Hold on to these answers, which may be gone from the screen when the user has chosen who it was. Raises
        `StoreError` where there is none, or all were judged before."""
        if not answers:
            raise StoreError(texts.NOTHING_YET)
        fresh = [one for one in answers if not any(one is known for known in self._said)]
        if not fresh or time.monotonic() - self._at < self._spacing:
            raise StoreError(texts.SAID_ALREADY)
        self.pinned = fresh
        return fresh

    def keep(self, recognizer: Recognizer, truth: str | None) -> None:
        """Keep as corrections that `truth` spoke (None: nobody enrolled). Raises `StoreError`, `UnknownSpeaker`."""
        for answer in self.pinned:
            correct(recognizer.store, answer, truth, model_id=recognizer.model_id)
            self._said.append(answer)
        self._at, self.pinned = time.monotonic(), []


def about_a_person(answer: Answer | None) -> bool:
    """Can it be right or wrong: did somebody speak, and is anybody enrolled?"""
    return answer is not None and likeliest(answer) is not None


def on_screen(browser: LiveEar, computer: ComputerEar) -> LiveEar:
    """Whose answers the Live tab shows: of the microphone that had something to show last."""
    return max(browser, computer.ear, key=lambda ear: ear.used)


def latest(ear: LiveEar) -> list[Answer]:
    """The answer that a live screen shows, or the last one about a person; [] where there is none."""
    moment = ear.moment
    return [one for one in (moment.current, *reversed(moment.closed)) if about_a_person(one)][:1]


def turns(answers: Sequence[Answer], spans: Sequence[Segment]) -> list[Answer]:
    """One answer for each turn, the one of middling probability: a turn is one verdict, however long it is."""
    found = []
    for span in spans:
        inside = [one for one in answers if one.segment & span and about_a_person(one)]
        inside.sort(key=lambda one: likeliest(one)[1])
        found += inside[len(inside) // 2 : len(inside) // 2 + 1]
    return found


@dataclass(frozen=True)
class Asked:
    """What is asked back after "That was wrong". `choices`: who else it may have been."""

    sentence: str
    choices: tuple[str, ...]


def asked(recognizer: Recognizer, answers: Sequence[Answer]) -> Asked:
    """About which answer, and who it may have been instead."""
    first = answers[0]
    said = first.both.name
    if len(answers) == 1:
        chance = unescape(percent(first.both.probability))
        sentence = texts.ANSWER_AT.format(clock=clock(first.segment.start), name=shown(first.both), chance=chance)
    else:
        sentence = texts.ANSWERS_AT.format(name=shown(first.both), count=_turns(len(answers)))
    names = [profile.name for profile in recognizer.store.profiles() if profile.name != said]
    return Asked(sentence, (*names, *([texts.STRANGER] if first.both.is_person else [])))


def right(recognizer: Recognizer, verdicts: Verdicts, answers: Sequence[Answer]) -> str:
    """These answers were right: a person named, or Unknown of somebody who is not enrolled. The notice."""
    try:
        pinned = verdicts.pin(answers)
        truth = pinned[0].both.name if pinned[0].both.is_person else None
        verdicts.keep(recognizer, truth)
        where = clock(pinned[0].segment.start)
        said = texts.KEPT_RIGHT.format(name=shown(pinned[0].both), clock=where)
        return notice(f"{said} {_count(recognizer)}", "good")
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error)


def wrong(recognizer: Recognizer, verdicts: Verdicts, choice: str | None) -> tuple[str, bool]:
    """The answers that were pinned were wrong, it was `choice`; the notice, and whether it is done."""
    try:
        if not choice:
            raise StoreError(texts.NOT_CHOSEN)
        if not verdicts.pinned:
            raise StoreError(texts.NOTHING_YET)
        pinned = verdicts.pinned
        verdicts.keep(recognizer, None if choice == texts.STRANGER else choice)
        truth = choice[0].lower() + choice[1:] if choice == texts.STRANGER else choice
        said = texts.KEPT_WRONG.format(clock=clock(pinned[0].segment.start), truth=truth, name=shown(pinned[0].both))
        said = said if len(pinned) == 1 else texts.KEPT_MANY.format(count=_turns(len(pinned)))
        return notice(f"{said} {_count(recognizer)}", "good"), True
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return trouble(error), False


def _turns(count: int) -> str:
    return f"{count} turns"


def _count(recognizer: Recognizer) -> str:
    count = len(corrections(recognizer.store, recognizer.model_id))
    return (texts.KEPT_ENOUGH if count >= ENOUGH_CORRECTIONS else texts.KEPT_COUNT).format(
        count=count, enough=ENOUGH_CORRECTIONS
    )


def build_row(
    recognizer: Recognizer,
    inputs: Sequence[Any],
    find: Callable[..., list[Answer]],
    *,
    place: str,
    spacing: float = 0.0,
) -> Any:
    """Inside `gr.Blocks`: the two buttons and what they ask. `find`: the values of `inputs` -> the answers meant.
    `place`: of the ids of elements. Returns the column, to be shown and hidden."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    verdicts = gr.State(Verdicts(spacing))
    with gr.Column(elem_classes="verdict", elem_id=f"{place}-verdict") as box:
        gr.HTML(f"<h3>{texts.VERDICT}</h3>" + (f'<p class="quiet">{texts.VERDICT_LIVE}</p>' if spacing else ""))
        with gr.Row(elem_classes="pair"):
            yes = gr.Button(texts.RIGHT, size="sm", min_width=110, elem_id=f"{place}-right")
            no = gr.Button(texts.WRONG, size="sm", min_width=110, elem_id=f"{place}-wrong")
        with gr.Column(**layout(False, "verdict-ask")) as question:
            sentence = gr.HTML("")
            who = gr.Dropdown([], label=texts.WHO_WAS_IT, elem_id=f"{place}-who")
            with gr.Row(elem_classes="pair"):
                keep = gr.Button(
                    texts.KEEP_VERDICT, variant="primary", size="sm", min_width=80, elem_id=f"{place}-verdict-keep"
                )
                leave = gr.Button(texts.NEVER_MIND, size="sm", min_width=80, elem_id=f"{place}-verdict-leave")
        said = gr.HTML("", elem_classes="verdict-said", elem_id=f"{place}-verdict-notice")

    def unasked() -> Any:
        return visibility(question, False)

    def was_right(current: Verdicts, *values) -> tuple:
        return right(recognizer, current, find(*values)), unasked()

    def was_wrong(current: Verdicts, *values) -> tuple:
        try:
            back = asked(recognizer, current.pin(find(*values)))
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            return trouble(error), unasked(), "", gr.skip()
        names = gr.update(choices=list(back.choices), value=None)
        return "", visibility(question, True), notice(back.sentence), names

    def kept(current: Verdicts, choice: str | None) -> tuple:
        html, done = wrong(recognizer, current, choice)
        return html, visibility(question, not done)

    yes.click(was_right, [verdicts, *inputs], [said, question], **private)
    no.click(was_wrong, [verdicts, *inputs], [said, question, sentence, who], **private)
    keep.click(kept, [verdicts, who], [said, question], **private)
    leave.click(unasked, None, question, **private)
    return box


def build_live_row(recognizer: Recognizer, ear: Any, computer: Any) -> Any:
    """The row of the Live tab. `ear`, `computer`: the states that listen."""

    def find(browser: LiveEar, here: ComputerEar) -> list[Answer]:
        return latest(on_screen(browser, here))

    return build_row(recognizer, [ear, computer], find, place="live", spacing=SEGMENT_SECONDS)
