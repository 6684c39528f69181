"""scripts/transfer_learning.py on example voices: the report says what was done, bad input is said before the work."""

import json
import shutil

import pytest

from scripts.transfer_learning import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory, samples):
    """Three voices of two recordings each."""
    root = tmp_path_factory.mktemp("newcomers")
    for name in ("amina", "kofi", "mei"):
        for session, part in (("1", "enrol"), ("2", "test")):
            (root / name / session).mkdir(parents=True)
            shutil.copy(samples / f"{name}_{part}.opus", root / name / session)
    return root


def test_the_report_says_what_was_asked_for(folder, tmp_path, capsys):
    words = (folder, "--speakers", "2", "--segments", "2", "--report", tmp_path, "--json", tmp_path / "numbers.json")
    assert main([str(word) for word in words]) == 0
    made = json.loads((tmp_path / "transfer.json").read_text())
    assert made["title"].startswith("Transfer to 2 new speakers")
    assert made["text"].startswith("2 speakers whom no network has heard learn with 2 segments of 5 s")
    assert "over 3 speakers in draws of 2." in made["text"]
    assert [table["title"] for table in made["tables"]] == ["Accuracy over draws of 2"]
    assert made["numbers"]["outcomes"] == json.loads((tmp_path / "numbers.json").read_text())
    assert "both, fused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--json", "{tmp}/missing/out.json"), "missing is not a folder: make it first"),
        (("--segments", "0"), "need at least 1"),
        (("--segments", "500"), "0 speakers with enough segments in"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, tmp_path, capsys, words, says):
    assert main([str(folder), *(word.format(tmp=tmp_path) for word in words)]) == 2
    heard = capsys.readouterr()
    assert heard.err.splitlines()[-1].startswith("transfer_learning: ") and says in heard.err and heard.out == ""
