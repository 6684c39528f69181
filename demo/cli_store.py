"""The speaker store on the command line, opened so that nobody misses what was wrong with it."""

from __future__ import annotations

from argparse import Namespace

from core.recognizer import Recognizer
from core.speakers import SpeakerStore
from demo.cli_text import note


def opened_store(options: Namespace) -> SpeakerStore:
    """The store in the folder that was chosen. That it was damaged is told here, as no later start knows of it."""
    store = SpeakerStore(options.home)
    _tell_damage(store)
    return store


def opened_recognizer(options: Namespace) -> Recognizer:
    """As `opened_store`, with the networks."""
    recognizer = Recognizer(options.home)
    _tell_damage(recognizer.store)
    return recognizer


def _tell_damage(store: SpeakerStore) -> None:
    if store.notice:
        note(store.notice)
