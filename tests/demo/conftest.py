"""What tests of the app share: the weights, loaded once, and a recognizer that knows Amina and Kofi."""

import pytest

from core.embedder import Embedder
from core.recognizer import Recognizer
from tests.conftest import SAMPLES, free_port
from tests.demo.command_line import PEOPLE, command

GRACE = 0.5  # s
IDLE = 2.5  # s


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


@pytest.fixture(scope="session")
def everybody(tmp_path_factory):
    """The folder of a store with the five example people, by the command line; who changes it takes a copy."""
    home = tmp_path_factory.mktemp("everybody")
    for name in PEOPLE:
        done = command("enrol", name, SAMPLES / f"{name.lower()}_enrol.opus", "--yes-consent", "--sure", "--home", home)
        assert done.code == 0, done.err
    return home


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where Gradio puts what pages send."""
    folder = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def server(recognizer, folder):
    """(page, address) of the app as it is served; a page that went away is forgotten after `GRACE` s."""
    from demo import app, leavings
    from demo.allocator import few_arenas

    few_arenas()  # as `app.launch` does
    usual = dict(leavings.Leavings.__init__.__kwdefaults__)
    leavings.Leavings.__init__.__kwdefaults__ |= {"grace": GRACE, "idle": IDLE}
    page = app.build(recognizer)
    port = free_port()
    url = app._serve(page, recognizer, host="127.0.0.1", port=port, open_browser=False, password=None)
    yield page, url
    page.close(verbose=False)
    leavings.Leavings.__init__.__kwdefaults__ |= usual
