"""The Compare tab: the exam of both models over the people enrolled, the map of voices, and what was listened to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from core.audio import SEGMENT_SECONDS, Audio, concatenate
from core.comparison import MIN_PEOPLE
from core.embedder import MODELS
from core.errors import AudioError, SourceError, SpeakerError
from core.explain import contributions, occlusion
from core.heads import UNKNOWN, Decision
from core.recognizer import Recognizer
from core.segments import prepare_judged
from demo import compare_texts as texts
from demo import compare_view, explain_view
from demo.exam import AS_IT_IS, Exam, menu, people_of, run, sound_of, unchanged
from demo.examples import enrol_examples
from demo.heard_clip import HeardClip
from demo.link_or_file import FILE_TYPES
from demo.live import names_of
from demo.notice_view import notice, progress, trouble
from demo.sight import HIDDEN, layout, seen, visibility
from demo.tab import Tab
from demo.texts import EXAMPLES_BUTTON
from demo.voice_map import VoiceMap, enough

if TYPE_CHECKING:
    import gradio as gr

LIVE_SECONDS = 1.0  # s between live points
EXAMS = 2  # at the same time
NOT_RUN = f'<div class="results-empty">{texts.RESULTS_EMPTY}</div>'


def from_file(path: str, start: float) -> Audio:
    """5 s of a recording from `start` seconds on. Raises `AudioError`."""
    from core.sources import file

    return concatenate(list(file.blocks(path, start, start + SEGMENT_SECONDS)))


def why(recognizer: Recognizer, sound: Audio | None) -> str:
    """What both models listened to in 5 s of sound, as HTML; the app's own heads answer, who know everybody."""
    if sound is None:
        raise SourceError(texts.WHY_NOTHING)
    samples, judged = prepare_judged(sound)
    if samples is None or not judged.enough:
        raise AudioError(texts.WHY_SILENT)
    heads = recognizer.heads()
    if not heads.names:
        raise SpeakerError(texts.WHY_NOBODY)
    image, row = recognizer.embedder.images([samples])[0], recognizer.embedder.rows([samples])[0]
    decided = heads.decide(recognizer.embedder.embed([samples]))[0]
    said = [explain_view.answered(model.upper(), decided[model].name, decided[model].probability) for model in MODELS]
    return explain_view.explained(
        occlusion(recognizer.embedder, heads, image, nearest(decided["cnn"])),
        contributions(recognizer.embedder, heads, row, nearest(decided["ann"])),
        cnn=said[0],
        ann=said[1],
    )


def nearest(decision: Decision) -> str:
    """The person to explain: who was named, or who came next to Unknown."""
    return decision.runner_up if decision.name == UNKNOWN else decision.name


def drawn(recognizer: Recognizer, kind: str) -> tuple[VoiceMap | None, str]:
    """The map of everybody, or a notice."""
    try:
        mark, people = recognizer.store.people_mark(), people_of(recognizer)
        if not enough(people):
            raise SpeakerError(texts.MAP_FEW)
        made = VoiceMap(people, names_of(recognizer), kind, mark=mark)
        html = made.html()
        unchanged(recognizer, mark)
        return made, html
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        return None, trouble(error)


def dropped(recognizer: Recognizer, voices: VoiceMap | None, ears: Sequence) -> str | None:
    """The map with what a microphone hears now; None where there is no map or nobody speaks."""
    if voices is None:
        return None
    for ear in ears:
        sound = ear.recent()
        if sound is not None and (samples := prepare_judged(sound)[0]) is not None:
            voices.drop(recognizer.embedder.embed([samples]))
            return voices.html()
    return None


def heard(exam: Exam | None, number: int | None, clip: HeardClip) -> tuple[str | None, str]:
    """A judged segment as a file for the player, and a sentence where its sound was not kept."""
    if exam is None or number is None:
        return clip.show(None), ""
    path = clip.show(sound_of(exam, number))
    return path, notice(texts.NO_SOUND) if path is None else ""


def _learn() -> str:
    cards = "".join(
        f'<div class="learn"><b>{escape(name)}</b><span>{escape(about)}</span></div>'
        for name, about in texts.EMPTY_LEARN
    )
    return f'<h2>{texts.EMPTY_TITLE}</h2><p>{texts.EMPTY_TEXT}</p><div class="learns">{cards}</div>'


def build_tab(recognizer: Recognizer, ears: Sequence[gr.State] = ()) -> Tab:
    """Inside `gr.Blocks`: the components and their events. `ears`: what the Live tab listens with."""
    import gradio as gr

    private = {"api_visibility": "private", "show_progress": "hidden"}
    exam, voices, mark, clip = gr.State(None), gr.State(None), gr.State(""), gr.State(HeardClip())
    with gr.Column(**layout(False, "empty-state")) as empty:
        gr.HTML(_learn())
        try_it = gr.Button(EXAMPLES_BUTTON, variant="primary", elem_id="compare-examples")
    said = gr.HTML("", elem_id="compare-notice")
    with gr.Column(**layout(False), elem_id="compare-ready") as ready:
        with gr.Row(elem_classes="exam-controls"):
            protocol = gr.Radio(
                [(text, key) for key, text in texts.PROTOCOLS.items()],
                value="segment",
                label=texts.PROTOCOL,
                info=texts.PROTOCOL_HINT,
                min_width=300,
                elem_id="compare-protocol",
            )
            channel = gr.Dropdown(
                [(text, key) for key, text in texts.CHANNELS.items()],
                value=AS_IT_IS,
                label=texts.CHANNEL,
                info=texts.CHANNEL_HINT,
                min_width=300,
                elem_id="compare-channel",
            )
        go = gr.Button(texts.RUN, variant="primary", elem_id="compare-run")
        status = gr.HTML("", elem_id="compare-status")
        results = gr.HTML(NOT_RUN, elem_id="compare-results")
        with gr.Column(elem_classes="exam-part"):
            gr.HTML(f'<h3>{texts.WHY_TITLE}</h3><p class="quiet">{texts.WHY_EMPTY}</p>')
            with gr.Row(equal_height=False):
                with gr.Column(min_width=280):
                    segment = gr.Dropdown([], label=texts.LISTEN, visible=HIDDEN, elem_id="compare-segment")
                    player = gr.Audio(
                        label=texts.LISTEN,
                        type="filepath",
                        interactive=False,
                        visible=HIDDEN,
                        buttons=["download"],  # else there is one that would send the sound to another site
                        elem_id="compare-player",
                    )
                    kept = gr.HTML(f'<p class="quiet">{texts.MENU_EMPTY}</p>')
                with gr.Column(min_width=280):
                    file = gr.File(label=texts.WHY_FILE, file_types=FILE_TYPES, height=150, elem_id="why-file")
                    at = gr.Number(0, label=texts.WHY_AT, minimum=0, maximum=36_000, elem_id="why-at")
            ask = gr.Button(texts.WHY_RUN, elem_id="why-run")
            reason = gr.HTML("", elem_id="compare-why")
        with gr.Column(elem_classes="exam-part"):
            gr.HTML(f"<h3>{texts.MAP}</h3>")
            with gr.Row(elem_classes="exam-controls"):
                kind = gr.Radio(
                    [(text, key) for key, text in texts.MAP_KINDS.items()],
                    value="pca",
                    label=texts.MAP_KIND,
                    elem_id="map-kind",
                )
                follow = gr.Checkbox(False, label=texts.MAP_FOLLOW, elem_id="map-live")
            draw = gr.Button(texts.MAP_DRAW, elem_id="map-draw")
            picture = gr.HTML("", elem_id="compare-map")
    timer = gr.Timer(LIVE_SECONDS, active=False)

    def learned() -> Iterator[str]:
        yield from enrol_examples(recognizer)

    def examined(which: str, through: str) -> Iterator[tuple]:
        before = "", None  # an explanation, and the recording that it was of
        for text, made in run(recognizer, which, through):
            if made is None:
                yield text, *(gr.skip(),) * 3, *before
                before = gr.skip(), gr.skip()
            else:
                html = compare_view.results(made.done, names_of(recognizer))
                choices = menu(made)
                yield text, html, made, gr.update(choices=choices, value=choices[0][1], visible=True), *before

    def stale(made: Exam | VoiceMap | None) -> bool:
        return made is not None and made.mark != recognizer.store.people_mark()

    def dismissed(latest: HeardClip) -> tuple:
        """Values of `exam_parts` after people have changed: an exam of before is of no use, and may be of somebody who
        wanted to be forgotten."""
        latest.leave()
        nothing = gr.update(value=None, visible=HIDDEN)
        nobody = gr.update(choices=[], value=None, visible=HIDDEN)
        return notice(texts.STALE), NOT_RUN, None, nobody, nothing, ""

    def shown(made: Exam | None, number: int | None, latest: HeardClip) -> tuple:
        if stale(made):
            return dismissed(latest)
        sound, sentence = heard(made, number, latest)
        return *(gr.skip(),) * 4, gr.update(value=sound, visible=seen(sound is not None)), sentence

    def first(made: Exam | None, number: int | None, latest: HeardClip, path: str | None) -> tuple:
        """After an exam its first segment, unless a recording was sent meanwhile."""
        if path is None or stale(made):
            return shown(made, number, latest)
        return *(gr.skip(),) * 3, gr.update(value=None), gr.skip(), gr.skip()

    def chosen(*given) -> tuple:
        """A segment takes the place of a recording; what was explained is of neither."""
        return *shown(*given), "", None

    def sent(_path: str | None, latest: HeardClip) -> tuple:
        """A recording takes the place of the segment."""
        latest.leave()
        return "", gr.update(value=None), gr.update(value=None, visible=HIDDEN), ""

    def explain(
        made: Exam | None, number: int | None, latest: HeardClip, path: str | None, second: float
    ) -> Iterator[tuple]:
        kept = (gr.skip(),) * 6
        yield progress(texts.WHY_WAIT, None), *kept
        try:
            people = recognizer.store.people_mark()
            source, sound = "", None
            if path:
                second = float(second or 0)
                source, sound = texts.WHY_FILE_AT.format(name=Path(path).name, second=second), from_file(path, second)
            elif stale(made):
                yield "", *dismissed(latest)
                return
            elif made is not None and number is not None:
                source, sound = compare_view.place(made.done, number), sound_of(made, number)
            html = f"<p>{escape(texts.WHY_OF.format(source=source))}</p>{why(recognizer, sound)}"
            unchanged(recognizer, people)
            yield html, *kept
        except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
            yield trouble(error), *kept

    def ticked(made: VoiceMap | None, *listening) -> tuple:
        if stale(made):
            return None, ""
        return gr.skip(), dropped(recognizer, made, listening) or gr.skip()

    def forgotten(made: Exam | None, map_made: VoiceMap | None, latest: HeardClip) -> tuple:
        """People have changed."""
        examined = dismissed(latest) if stale(made) else (gr.skip(),) * 6
        return *examined, *((None, "") if stale(map_made) else (gr.skip(),) * 2), ""

    exam_parts, a_segment = [status, results, exam, segment, player, kept], [exam, segment, clip]
    outcome = [status, results, exam, segment, reason, file]
    go.click(examined, [protocol, channel], outcome, concurrency_limit=EXAMS, **private).then(
        first, [*a_segment, file], exam_parts, **private
    )
    segment.input(chosen, a_segment, [*exam_parts, reason, file], **private)
    ask.click(explain, [*a_segment, file, at], [reason, *exam_parts], concurrency_limit=EXAMS, **private)
    draw.click(lambda which: drawn(recognizer, which), kind, [voices, picture], concurrency_limit=EXAMS, **private)
    follow.change(lambda on: gr.Timer(active=on), follow, timer, **private)
    # also an event that names it: `demo.leavings` follows those
    file.upload(sent, [file, clip], [reason, segment, player, kept], **private)
    gr.on([file.clear, at.input], lambda: "", None, reason, **private)
    timer.tick(ticked, [voices, *ears], [voices, picture], **private)
    mark.change(forgotten, [exam, voices, clip], [*exam_parts, voices, picture, reason], **private)
    enrolled = try_it.click(learned, None, said, concurrency_id="enrol", concurrency_limit=1, **private)

    def refresh() -> list:
        few = len(people_of(recognizer)) < MIN_PEOPLE
        left = "" if few else gr.skip()  # examples that are gone are not said to be there
        rooms = visibility(empty, few), visibility(ready, not few)
        return [*rooms, recognizer.store.people_mark(), left]

    return Tab([empty, ready, mark, said], refresh, [enrolled])
