"""`python -m demo identify` of several recordings: one after the other, and exports that hold them all."""

import json
from dataclasses import replace

from demo.cli_source import expanded
from tests.demo.command_line import SAMPLES, command, missing, refused, rows, spoken


def test_several_recordings_are_judged_one_after_the_other(everybody, tmp_path):
    (tmp_path / "jo_test.opus").write_bytes((SAMPLES / "jo_test.opus").read_bytes())
    paths = [str(SAMPLES / "mei_test.opus"), str(SAMPLES / "jo_test.opus"), str(tmp_path / "jo_test.opus")]
    arguments = ("identify", *paths, "--home", everybody)
    done = command(*arguments)
    parts = done.out.split("\n\n==> ")
    assert (done.code, done.err, len(parts)) == (0, "", 3)
    alone = command("identify", paths[1], "--home", everybody).out
    assert [f"==> {part}".strip() for part in parts][1:] == [f"==> {path} <==\n{alone}".strip() for path in paths[1:]]
    assert parts[0].startswith(f"==> {paths[0]} <==\n00:00-") and "talk time\nMei " in parts[0]
    tree = json.loads(command(*arguments, "--json").out)
    names = ["mei_test.opus", *paths[1:]]  # as given where two have the same
    assert [one["source"] for one in tree] == names
    table = rows(command(*arguments, "--csv"))
    assert list(dict.fromkeys(row["source"] for row in table)) == names
    assert [row.pop("source") for row in table].count(paths[2]) == len(tree[2]["segments"])
    assert table[-len(tree[2]["segments"]) :] == rows(command("identify", paths[2], "--csv", *arguments[-2:]))
    marked = [line.split()[1] for line in command(*arguments, "--rttm").out.splitlines()]
    assert list(dict.fromkeys(marked)) == names
    parts = rows(command(*arguments, "--csv", "--to", "5"))
    assert [row["end"] for row in parts] == ["5.00"] * 3


def test_several_recordings_one_of_which_cannot_be_judged(everybody, tmp_path):
    good, bad = SAMPLES / "mei_test.opus", tmp_path / "letter.mp3"
    bad.write_text("Dear reader")
    refused(
        command("identify", good, tmp_path / "none.wav", "--home", everybody), f"none.wav cannot be read: {missing()}"
    )
    for mixed in (("mic", good), (good, "mic")):
        refused(command("identify", *mixed, "--home", everybody), "mic listens until it is stopped: identify it alone")
    done = command("identify", good, bad, SAMPLES / "jo_test.opus", "--csv", "--home", everybody)
    assert done.code == 2 and "letter.mp3 is not audio" in done.err and done.err.count("\n") == 1
    assert spoken(rows(replace(done, code=0))).count("Mei") >= 2  # what was judged before is not lost
    assert {row["source"] for row in rows(replace(done, code=0))} == {"mei_test.opus"}


def test_files_are_found_where_the_shell_does_not_look_for_them(everybody, tmp_path):
    """cmd and PowerShell hand `FOLDER/*.opus` on as it is, and a bracket means itself there."""
    folder = tmp_path / "recordings [1]"
    folder.mkdir()
    for name in ("mei_test", "jo_test"):
        (folder / f"{name}.opus").write_bytes((SAMPLES / f"{name}.opus").read_bytes())
    pattern = str(folder / "*.opus")
    found = rows(command("identify", pattern, "--csv", "--to", "5", "--home", everybody))
    assert [row["source"] for row in found] == ["jo_test.opus", "mei_test.opus"]
    refused(command("identify", folder / "*.mp3", "--home", everybody), "no file fits")
    refused(command("enrol", "Ann", folder / "?.opus", "--yes-consent", "--home", everybody), "no file fits")
    as_they_are = ["mic", "https://youtu.be/x?t=*", str(folder / "jo_test.opus")]
    fitting = [str(folder / f"{one}_test.opus") for one in ("jo", "mei")]
    assert expanded([*as_they_are, pattern]) == [*as_they_are, *fitting]
