"""demo.page: what goes wrong in an event reaches who pressed."""

import pytest

from core.errors import StoreError
from demo import texts
from tests.demo.browserless import Page


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("/home/jo/secret.wav"), texts.INTERNAL), (StoreError("the disk is full"), "the disk is full")],
    ids=["of no kind of ours", "of ours"],
)
def test_what_an_event_does_not_catch_is_said_in_a_sentence(server, monkeypatch, error, said):
    """Gradio alone would show nothing: a button that does nothing."""
    blocks, url = server

    def fails() -> None:
        raise error

    with Page(url) as page:
        event = page.event("live-devices", "click")
        monkeypatch.setattr(blocks.fns[event["id"]], "fn", fails)
        *_, last = page.run(event, [])
    assert not last["success"] and "secret" not in str(last)
    assert last["output"] == {"error": said, "duration": 10, "visible": True, "title": texts.TROUBLE}
