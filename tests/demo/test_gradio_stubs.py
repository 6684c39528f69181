"""Importing Gradio for the app reads no source of its components and writes nothing beside it."""

import subprocess
import sys

import pytest

LOOK = """
import sys
parsed = []
sys.addaudithook(lambda event, told: parsed.append(told) if event == "compile" and told[1] == "<unknown>" else None)
{before}
import gradio as gr
seen = len(parsed)
with gr.Blocks() as page:
    gr.Button("Go").click(lambda: None)
    gr.Audio(streaming=True).stream(lambda: None)
print(seen, len(page.fns), sum(type(one).__name__ == "_Finder" for one in sys.meta_path))
"""


def imported(before: str) -> tuple[int, ...]:
    """Texts parsed during the import (`ast.parse` compiles them as `<unknown>`), events afterwards, finders left."""
    code = LOOK.format(before=before)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split()))


@pytest.fixture(scope="module")
def with_stubs() -> int:
    """What Gradio does by itself: none would mean that this module of ours is not needed any more."""
    return imported("")[0]


def test_no_stubs_are_made_and_events_work(with_stubs):
    parsed, events, finders = imported("from demo.gradio_stubs import leave_out; leave_out(); leave_out()")
    assert with_stubs >= 50 and parsed < with_stubs / 5
    assert events == 2
    assert finders == 1


def test_too_late_it_does_nothing():
    assert imported("import gradio; from demo.gradio_stubs import leave_out; leave_out()")[1:] == (2, 0)


def test_a_thread_that_looks_for_a_module_meanwhile_misses_no_finder():
    """PathFinder was passed over when ours went away: SciPy, imported beside Gradio, was said not to be there."""
    code = "import sys; from demo.gradio_stubs import WRITER, leave_out; leave_out(); before = list(sys.meta_path)\n"
    code += "asked = [one for one in sys.meta_path if one.find_spec(WRITER, []) or True]\n"
    code += "print(asked == before == sys.meta_path)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
