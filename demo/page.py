"""`gr.Blocks` that takes no file but those that were sent to it, says in a sentence what went wrong, and keeps nothing
of a session that is over.

Gradio itself fetches an address that an event names in the place of a file; this program makes no connection that
nobody asked for (SECURITY.md), so the address is refused before.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from itertools import islice
from typing import Any

import gradio as gr
from pydantic import ValidationError

from core.errors import SourceError, SpeakerError
from demo import texts
from demo.leavings import MAX_FILES, hold, let_go, paths_in, was_sent


class Page(gr.Blocks):
    """Whatever an event brings is looked at before Gradio does."""

    async def process_api(self, block_fn, *more, **settings) -> dict[str, Any]:
        """A call of another program is a session of its own to Gradio, and over with its answer."""
        try:
            return await super().process_api(block_fn, *more, **settings)
        finally:
            session = settings.get("session_hash")
            state = self.state_holder.session_data.get(session)
            if block_fn.api_visibility == "public" and state is not None and not state.state_data:
                self.forget(session)

    def awaited(self, event: str) -> bool:
        """Is there an event of this id whose answer has not been fetched yet?"""
        return any(event in waiting for waiting in self._queue.pending_event_ids_session.values())

    def asked(self, session: str) -> bool:
        """Was anything asked in this session, so that there are messages to be fetched?"""
        return session in self._queue.pending_messages_per_session

    def forget(self, session: str) -> None:
        """Let go of everything that a session holds: sound, pictures, jobs and their files."""
        holder = self.state_holder
        with holder.lock:
            state = holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)
        if state is not None:
            leave(state)

    async def preprocess_data(self, block_fn, inputs: list[Any], *more, **settings) -> list[Any]:
        """Raises `gr.Error` with the kind as its title for a file that was not sent or is described wrongly, and for a
        call with values too few or too many."""
        public = block_fn.api_visibility == "public"
        if len(list(islice(paths_in(inputs), MAX_FILES + 1))) > MAX_FILES:
            raise refusal(SourceError(texts.TOO_MANY_FILES.format(count=MAX_FILES)))
        if not all(map(was_sent, paths_in(inputs))):
            raise refusal(SourceError(texts.API_NOT_SENT if public else texts.FILE_GONE))
        if public and len(inputs) != len(block_fn.inputs):
            _drop(inputs)
            counts = {"name": block_fn.api_name, "wanted": len(block_fn.inputs), "given": len(inputs)}
            raise refusal(SourceError(texts.API_COUNT.format(**counts)))
        try:
            return await super().preprocess_data(block_fn, inputs, *more, **settings)
        except ValidationError as error:  # a size that is no number, a name that is no text
            if not public:
                raise
            _drop(inputs)
            raise refusal(SourceError(texts.API_FILE_TOLD_WRONG)) from error

    async def call_function(self, *event, **settings) -> dict[str, Any]:
        """Raises `gr.Error` for what an event does not catch itself: of anything else the page would show nothing."""
        try:
            return await super().call_function(*event, **settings)
        except gr.Error:
            raise
        except Exception as error:
            ours = isinstance(error, SpeakerError)
            if not ours:
                logging.getLogger("demo").error("unexpected", exc_info=error)
            raise gr.Error(
                str(error) if ours else texts.INTERNAL, title=texts.TROUBLE, print_exception=False
            ) from error


def _drop(inputs: list[Any]) -> None:
    """Delete what was sent with a call that is refused: the call itself would have looked after it."""
    call = object()
    for path in paths_in(inputs):
        hold(path, call)
        let_go(path, call)


class Sessions(OrderedDict):
    """What Gradio keeps of each session. With too many the one that was used longest ago goes, and what it holds."""

    def popitem(self, last: bool = True) -> tuple[str, Any]:
        """The newest or the oldest, taken out."""
        session, state = super().popitem(last)
        threading.Thread(
            target=leave, args=(state,), daemon=True
        ).start()  # it may wait, and Gradio holds its lock here
        return session, state


def leave(state: Any) -> None:
    """Let go of what the states of a session hold."""
    for value in list(state.state_data.values()):
        if hasattr(value, "leave"):
            value.leave()


def refusal(error: Exception, *, kind: str = "") -> gr.Error:
    """Gradio's error: what callers get. `kind`: the class of `error` where nothing is said."""
    return gr.Error(str(error), title=kind or type(error).__name__, print_exception=False)
