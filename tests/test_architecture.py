"""How the house is built: who imports whom, how long files are, what loading costs."""

import ast
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from core import errors
from tests.conftest import ROOT

MAX_LINES = 330
CORE = sorted((ROOT / "core").rglob("*.py"))
DEMO = sorted((ROOT / "demo").rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# What app users never load, and what it stands for.
TRAINING_ONLY = (
    *("core.networks", "core.network_layers", "core.augment", "core.dataset", "core.training", "core.examples"),
    *("core.calibration", "core.exchange", "core.held_out", "core.rival", "core.contest", "core.ceilings"),
    *("core.compensation", "core.network_campplus"),
)
# Heavy packages: inside functions only, but for four modules that are themselves loaded inside functions only.
AT_LOAD = dict.fromkeys(("core.networks", "core.network_layers", "core.network_campplus"), {"keras"})
AT_LOAD["core.sources.one_host"] = {"yt_dlp"}
MAY_LOAD = {
    "core.networks": {"core.network_layers", "core.network_campplus"},
    "core.network_campplus": {"core.network_layers"},
}
HEAVY = "tensorflow keras torch librosa sklearn gradio av sounddevice yt_dlp matplotlib onnxruntime scipy soxr PIL tqdm"
PICKLERS = {"pickle", "cPickle", "joblib", "dill", "shelve", "marshal", "cloudpickle"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(nodes) -> set[str]:
    """Full names: `from core.dataset import build` gives core.dataset and core.dataset.build."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def at_load(tree: ast.Module) -> set[str]:
    """What importing the module imports: all but functions' bodies and `if TYPE_CHECKING`."""

    def walk(nodes):
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield node
            yield from walk(ast.iter_child_nodes(node))

    return imported(walk(tree.body))


def anywhere(tree: ast.Module) -> set[str]:
    return imported(ast.walk(tree))


def tops(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def under(names: set[str], packages) -> set[str]:
    return {name for name in names for package in packages if name == package or name.startswith(package + ".")}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_library_knows_neither_app_nor_scripts(path):
    assert not tops(anywhere(tree_of(path))) & {"gradio", "demo", "scripts", "tests", "argparse", "typer"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_library_does_not_print(path):
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_heavy_packages_load_where_they_are_used(path):
    names = at_load(tree_of(path))
    assert tops(names) & set(HEAVY.split()) == AT_LOAD.get(name_of(path), set())
    assert not under(names, set(AT_LOAD) - MAY_LOAD.get(name_of(path), set()))


@pytest.mark.parametrize("path", DEMO, ids=name_of)
def test_the_app_knows_no_scripts_and_no_training(path):
    names = anywhere(tree_of(path))
    assert not tops(names) & {"scripts", "tests", "tensorflow", "keras", "torch", "librosa"}
    assert not under(names, TRAINING_ONLY)


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_scripts_do_not_know_the_tests(path):
    assert "tests" not in tops(anywhere(tree_of(path)))


def reached(start: str) -> dict[str, str]:
    """Every module of core that `start` can reach, also from inside functions, and from where."""
    modules = {name_of(path): path for path in CORE}
    found, waiting = {start: "here"}, [start]
    while waiting:
        here = waiting.pop()
        for name in anywhere(tree_of(modules[here])) & set(modules):
            if name not in found:
                found[name] = here
                waiting.append(name)
    return found


@pytest.mark.parametrize("start", ["core.recognizer", "core.timeline", "core.speakers", "core.sources.microphone"])
def test_nothing_of_training_lies_on_the_apps_path(start):
    found = reached(start)
    assert not {name: found[name] for name in under(set(found), TRAINING_ONLY)}
    if start == "core.recognizer":
        assert {"core.embedder", "core.heads", "core.segments", "core.spectrogram", "core.spectral"} <= set(found)


@cache
def of_the_app() -> set[str]:
    """Every module of core that some part of the app can reach."""
    modules = {name_of(path) for path in CORE}
    begun = set().union(*(anywhere(tree_of(path)) & modules for path in DEMO))
    return set().union(*(reached(name) for name in begun))


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_what_the_app_does_without_is_told_as_it_is(path):
    said = " ".join((ast.get_docstring(tree_of(path)) or "").split())
    assert "Not imported by the app" not in said or name_of(path) not in of_the_app()


def test_the_map_of_the_library_names_every_module_once():
    app, rest = ast.get_docstring(tree_of(ROOT / "core" / "__init__.py")).split("The app does without the rest")
    named = {part: re.findall(r"`(\w+)/?`", text) for part, text in (("app", app), ("rest", rest))}
    there, reachable = (
        {name.split(".")[1] for name in some if "." in name} for some in (map(name_of, CORE), of_the_app())
    )
    assert sorted(named["app"]) == sorted(reachable)
    assert sorted(named["rest"]) == sorted(there - reachable)


# A module may load those above it in this list, never one below.
ORDER = [
    "core.errors",
    "core.audio",
    "core.activity",
    "core.segments",
    "core.spectrogram",
    "core.spectral",
    "core.embedder",
    "core.heads",
    "core.recognizer",
]


@pytest.mark.parametrize("name", ORDER)
def test_imports_run_one_way(name):
    above = ORDER[ORDER.index(name) + 1 :]
    assert not under(anywhere(tree_of(ROOT / (name.replace(".", "/") + ".py"))), above)


@pytest.mark.parametrize("path", [*CORE, *DEMO, *SCRIPTS], ids=name_of)
def test_no_pickle(path):
    tree = tree_of(path)
    assert not tops(anywhere(tree)) & PICKLERS
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg == "allow_pickle":
                assert ast.unparse(keyword.value) == "False", f"line {call.lineno}"
        if ast.unparse(call.func) in ("np.load", "numpy.load"):
            assert "allow_pickle" in {keyword.arg for keyword in call.keywords}, f"line {call.lineno}: say it"


@pytest.mark.parametrize("path", [*CORE, *DEMO, *SCRIPTS, *TESTS], ids=name_of)
def test_a_file_is_one_noun_of_moderate_length(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= (MAX_LINES if path not in TESTS else 450)
    assert not {"utils", "util", "helpers", "helper", "misc", "common", "manager"} & set(path.stem.split("_"))


@pytest.mark.parametrize("path", [path for path in [*CORE, *DEMO, *SCRIPTS] if path.stat().st_size], ids=name_of)
def test_a_file_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path)), "a module begins with what it is for"


def test_every_error_is_in_the_tree():
    """The drawing at the top of core/errors.py shows every class below its parent, and no other."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        if drawn := re.match(r"^    ((?:│   |    )*)(?:├── |└── )?([A-Z]\w+)  +\S", line):
            depth = len(drawn[1]) // 4 + (("── " in line[: drawn.start(2)]) and 1)
            above[depth:] = [drawn[2]]
            parents[drawn[2]] = above[depth - 1] if depth else None
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    assert set(parents) == set(classes) and len(classes) > 10
    for name, parent in parents.items():
        assert classes[name].__bases__ == ((classes[parent],) if parent else (Exception,)), name
        assert classes[name].__doc__ and classes[name].__doc__.endswith("."), name


def raised() -> set[tuple[str, str]]:
    """(module, error) of every `raise` in core; one_host speaks to yt-dlp in yt-dlp's own errors."""
    found = set()
    for path in CORE:
        if name_of(path) == "core.sources.one_host":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                found.add((name_of(path), ast.unparse(node.exc.func)))
    return found


def test_only_own_errors_and_programming_errors_are_raised():
    """`ValueError` says that the caller's program is wrong; what a user can cause has a class in the tree."""
    own = set(dict(inspect.getmembers(errors, inspect.isclass)))
    others = {(module, error) for module, error in raised() if error.split(".")[-1] not in own}
    programming = {"ValueError", "TypeError"}
    assert not {(module, error) for module, error in others if error not in programming and error[0] != "_"}


CHEAP = f"""
import sys
import core.recognizer, core.timeline, core.sources.file
heavy = "{HEAVY} numba pandas matplotlib tf2onnx"
print([name for name in heavy.split() if name in sys.modules])
"""


def test_importing_the_library_is_cheap():
    done = subprocess.run([sys.executable, "-c", CHEAP], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr[-2000:]
