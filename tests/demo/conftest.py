"""What tests of the app share: the weights, loaded once, and a recognizer that knows Amina and Kofi."""

import pytest

from core.embedder import Embedder
from core.recognizer import Recognizer


@pytest.fixture(scope="session")
def embedder():
    return Embedder()


@pytest.fixture(scope="session")
def recognizer(embedder, voice, tmp_path_factory):
    """Amina and Kofi are enrolled. Tests that change who is enrolled use `empty`."""
    made = Recognizer(tmp_path_factory.mktemp("people"), embedder=embedder)
    for name in ("Amina", "Kofi"):
        made.enrol(name, voice(f"{name.lower()}_enrol"), consent=True)
    return made


@pytest.fixture
def empty(home, embedder):
    """Nobody is enrolled."""
    return Recognizer(home, embedder=embedder)


@pytest.fixture
def people(home, embedder, recognizer):
    """Amina and Kofi, in a store of their own that a test may change."""
    made = Recognizer(home, embedder=embedder)
    made.store.add_people(recognizer.store.records())
    return made
