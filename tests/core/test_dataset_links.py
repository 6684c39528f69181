"""core.dataset.links: lists whose recordings are links, against a real server on this machine."""

import re
import shutil

import pytest

from core.audio import decode
from core.dataset.build import plan
from core.dataset.links import Links, kept_as, make_speaker
from core.dataset.manifest import read_rows
from core.dataset.recordings import listed_speakers
from core.dataset.storage import Storage
from core.errors import Cancelled, DatasetError
from core.protocol import find_people
from core.transfer import newcomers
from scripts.create_dataset import main
from tests.conftest import SAMPLES


@pytest.fixture
def server(media):
    for name in ("amina_enrol", "amina_test", "kofi_enrol", "kofi_test"):
        media.files[f"/{name}.ogg"] = (SAMPLES / f"{name}.opus").read_bytes()
    return media


@pytest.fixture
def create():
    """scripts/create_dataset.py in this process."""
    return lambda *words: main([*map(str, words), "--workers", "1", "--interval", "0"])


def written(folder, *lines: str):
    (folder / "list.csv").write_text("\n".join(("path,speaker,session,start,end,licence", *lines)) + "\n")
    return folder / "list.csv"


def test_links_of_a_list_become_a_dataset_and_a_transfer_set(server, create, tmp_path, capsys):
    """Two people, two links each, one of which is not there at first and has the same name as one of the other's."""
    held = server.files.pop("/kofi_test.ogg")
    listed = written(
        tmp_path,
        f"{server.url('amina_enrol.ogg')},amina,first,2,27,CC0",
        f"{server.url('amina_test.ogg')},amina,second,,,CC0",
        f"{server.url('kofi_enrol.ogg#t=3')},kofi,first,,28,CC0",
        f"{server.url('kofi_test.ogg')},kofi,second,,,CC0",
        f"{server.url('kofi_enrol.ogg')},kofi,late,900,930,CC0",
    )
    out = tmp_path / "out"
    assert create("--from-manifest", listed, "--output", out) == 0
    told = re.findall("skipped (line .*)", capsys.readouterr().err)
    assert [line.split(", http")[0] for line in told] == ["line 5", "line 6"]
    assert "there is nothing to be had at this link" in told[0] and "a start of 15:00 lies behind it" in told[1]
    rows = read_rows(out)
    assert {(row.speaker, row.session) for row in rows} == {("amina", "first"), ("amina", "second"), ("kofi", "first")}
    assert {row.source for row in rows} == {
        server.url(f"{name}.ogg") for name in ("amina_enrol", "amina_test", "kofi_enrol")
    }
    assert sum(row.session == "first" for row in rows) <= 2 * 5  # 25 s of each
    assert server.asked.count("/kofi_enrol.ogg") == server.asked.count("/amina_enrol.ogg")  # once for two lines

    kept = {
        path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".sound", ".png", ".npy", ".wav")
    }
    server.files["/kofi_test.ogg"] = held
    server.asked.clear()
    assert create("--from-manifest", listed, "--output", out) == 0
    assert set(server.asked) == {"/kofi_test.ogg"} and not list(out.rglob("*.refused"))
    assert all(
        path.stat().st_mtime_ns == when
        for path, when in kept.items()
        if "kofi" not in str(path) or path.suffix == ".sound"
    )
    assert ("kofi", "second") in {(row.speaker, row.session) for row in read_rows(out)}

    trouble: list[str] = []
    people = {one.name: one for one in newcomers(find_people(out / "wav"), trouble, segments=2)}
    assert set(people) == {"amina", "kofi"} and trouble == []
    (part,) = out.glob("wav/amina/first/*_2-27.wav")
    assert decode(part).duration == pytest.approx(25.0, abs=0.01)


def test_parts_that_a_list_means_no_longer_are_removed(create, tmp_path, capsys):
    """Moved to another session it would enrol and be tested. What somebody else put there stays."""
    for name in ("amina_enrol", "kofi_enrol"):
        (tmp_path / f"{name}.opus").write_bytes((SAMPLES / f"{name}.opus").read_bytes())
    lines = "amina_enrol.opus,amina,monday,0,12,", "kofi_enrol.opus,kofi,monday,0,12,"
    out = tmp_path / "out"
    assert create("--from-manifest", written(tmp_path, *lines), "--output", out) == 0
    mine = out / "wav" / "amina" / "monday" / "my own.wav"
    mine.write_bytes(b"RIFF")
    lines = "amina_enrol.opus,amina,friday,0,12,", "amina_enrol.opus,amina,sunday,12,,"
    assert create("--from-manifest", written(tmp_path, *lines), "--output", out) == 0
    assert {path.relative_to(out / "wav").as_posix() for path in out.glob("wav/amina/*/*")} == {
        "amina/friday/amina_enrol_0-12.wav",
        "amina/sunday/amina_enrol_12-end.wav",
        "amina/monday/my own.wav",
    }
    said = [line for line in capsys.readouterr().err.splitlines() if "wav" in line]
    assert said == [
        f"removed {out}/wav/amina/monday/amina_enrol_0-12.wav: the list no longer means it",
        f"{out}/wav/kofi is of nobody in this list: remove it before wav/ is evaluated",
    ]


def test_links_that_are_here_are_not_asked_for_again_and_there_is_a_limit(server, tmp_path):
    listed = listed_speakers(
        written(tmp_path, *(f"{server.url(f'{name}.ogg')},{name},,,," for name in ("amina_test", "kofi_test")))
    )
    storage, tasks = Storage.of(tmp_path / "out"), plan(listed, split="book")
    links = Links(storage, interval=0.0, most=10)
    links.fetch(tasks[0])
    asked = len(server.asked)
    links.fetch(tasks[0])
    assert len(server.asked) == asked and make_speaker(tasks[0], storage, keep_wav=False) == ""
    assert storage.names("wav") == [] and len(storage.names("parts")) == 2
    with pytest.raises(DatasetError, match="were fetched from links, --max-gb is 1e-08: raise it"):
        links.fetch(tasks[1])
    links.stop()
    with pytest.raises(Cancelled):
        links.fetch(tasks[1])
    assert make_speaker(tasks[1], storage).endswith("kofi_test.ogg: it is not there")


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("http://10.0.0.1/voice.wav", "line 2: 10.0.0.1 is an address in a private network"),
        ("https://example.org/voice.wav", "line 2: example.org is not YouTube"),
        ("https://www.youtube.com/playlist?list=PL1", "line 2: this link is a playlist"),
        ("https://youtu.be/abcdefghijk?t=40", "line 2: from 40 to 30 s there is nothing"),
    ],
)
def test_what_is_no_usable_link_is_told_before_anything_is_fetched(tmp_path, link, says):
    with pytest.raises(DatasetError, match=says):
        listed_speakers(written(tmp_path, f"{link},x,,,30,"))


def test_links_of_one_video_are_kept_once_whatever_they_look_like(tmp_path):
    links = (
        "https://youtu.be/abcdefghijk?t=3",
        "https://www.youtube.com/watch?v=abcdefghijk&t=9",
        "https://youtu.be/abcdefghijK",
    )
    listed = listed_speakers(written(tmp_path, *(f"{link},x,,,30," for link in links)))["x"]
    assert [one.start for one in listed] == [3.0, 9.0, 0.0] and listed[0].session == "abcdefghijk"
    one, same, other = (kept_as(recording.path) for recording in listed)
    assert one == same != other and one.startswith("downloads/links/abcdefghijk-")


def test_a_download_that_breaks_off_is_not_taken_for_the_whole(server, create, tmp_path, capsys):
    server.broken["/kofi_enrol.ogg"] = whole = server.files.pop("/kofi_enrol.ogg")
    lines = [f"{server.url(f'{name}.ogg')},{name[:4]},first,,,CC0" for name in ("amina_enrol", "kofi_enrol")]
    listed, out = written(tmp_path, *lines), tmp_path / "out"
    assert create("--from-manifest", listed, "--output", out) == 0
    assert "the download broke off" in capsys.readouterr().err
    assert {row.speaker for row in read_rows(out)} == {"amin"}
    server.files["/kofi_enrol.ogg"], server.broken = whole, {}
    assert create("--from-manifest", listed, "--output", out) == 0
    assert {row.speaker for row in read_rows(out)} == {"amin", "kofi"}

    parts = sorted(out.glob("wav/*/*/*.wav"))
    shutil.rmtree(out / "downloads")  # as one may; then nothing can be had
    server.files.pop("/kofi_enrol.ogg")
    assert create("--from-manifest", listed, "--output", out) == 0
    assert sorted(out.glob("wav/*/*/*.wav")) == parts and len(parts) == 2
