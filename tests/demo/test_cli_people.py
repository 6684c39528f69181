"""`python -m demo speakers show, export, import, renew, sure`, and an enrolment that is put in doubt."""

import os
import stat

import pytest

from core import people_file
from core.speakers import SpeakerStore
from tests.core.voices import enrol
from tests.demo.command_line import SAMPLES, command, refused


@pytest.fixture
def jo(home):
    """Jo is enrolled, the speech kept."""
    done = command("enrol", "Jo", SAMPLES / "jo_enrol.opus", "--yes-consent", "--keep-audio")
    assert done.code == 0, done
    return home


def test_a_voice_in_doubt_needs_a_second_word(jo):
    arguments = ("enrol", "Robin", SAMPLES / "jo_test.opus", SAMPLES / "jo_enrol.opus", "--to", "30", "--yes-consent")
    refused(command(*arguments), 'sounds like "Jo", who is enrolled already')
    refused(command(*arguments), "insist with --sure")
    assert command("speakers", "list").out.count("\n") == 2
    assert command(*arguments, "--sure").code == 0


def test_a_person_is_shown(jo):
    done = command("speakers", "show", "jo")
    assert done.code == 0 and done.out.startswith("Jo: enrolled 20") and "speech kept" in done.out, done
    assert "kHz" in done.out and "most alike" not in done.out
    refused(command("speakers", "show", "Mei"), 'no one is called "Mei"')


@pytest.mark.skipif(os.name != "posix", reason="no limit of a file's size to stand for a full disk")
def test_half_an_export_is_not_left_on_a_full_disk(jo, tmp_path):
    """It could not be imported, and the next try would have met its name."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        done = command("speakers", "export", tmp_path / "people.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    refused(done, "people.json cannot be written")
    assert list(tmp_path.iterdir()) == []
    assert "1 person written" in command("speakers", "export", tmp_path / "people.json").out


def test_people_are_taken_along(jo, tmp_path):
    file, secret, other = tmp_path / "people.json", tmp_path / "secret", tmp_path / "other"
    secret.write_text("correct horse\n")
    assert "1 person written" in command("speakers", "export", file).out
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    refused(command("speakers", "export", file), "exists already")
    refused(
        command("speakers", "import", file), 'enrolled already: "Jo"; nothing was imported. Say --skip or --replace'
    )
    assert command("speakers", "import", file, "--skip").out == "0 people imported, 1 skipped\n"
    assert command("speakers", "import", file, "--replace").out == "1 person imported\n"
    sealed = tmp_path / "sealed.json"
    assert "(encrypted)" in command("speakers", "export", sealed, "jo", "--encrypt", "--passphrase-file", secret).out
    refused(command("speakers", "import", sealed, "--home", other), "a passphrase is needed")
    done = command("speakers", "import", sealed, "--home", other, "--passphrase-file", secret)
    assert done.out == "1 person imported\n"
    mine, theirs = (SpeakerStore(folder).records() for folder in (jo, other))
    assert mine[0].sessions[0].flac == theirs[0].sessions[0].flac
    refused(command("speakers", "import", SAMPLES / "README.md", "--home", other), "no export of this program")
    refused(command("speakers", "import", tmp_path / "none", "--home", other), "cannot be read")
    refused(command("speakers", "export", tmp_path / "x", "--home", tmp_path / "empty"), "nobody is enrolled")


def test_profiles_that_are_up_to_date_are_not_renewed(jo):
    assert (
        command("speakers", "renew", "Jo").out
        == "Jo: 0 sessions renewed (none is of other weights with its speech kept)\n"
    )


def test_how_sure_to_be(jo):
    done = command("speakers", "sure")
    assert done.code == 0 and "recommended for these people: 0." in done.out and "trials" in done.out, done
    assert command("speakers", "sure", "0.9").out == "a person is named from 0.90 on\n"
    assert SpeakerStore(jo).sureness() == 0.9
    assert command("speakers", "sure", "0").out == "a person is named when likelier than a stranger\n"
    refused(command("speakers", "sure", "2"), "is no probability")


def test_a_passphrase_is_the_same_typed_or_from_a_file_of_notepad(jo, tmp_path, monkeypatch):
    marked, plain = tmp_path / "notepad.txt", tmp_path / "plain.txt"
    marked.write_bytes("\ufeffcorrect horse\r\n".encode())
    plain.write_bytes(b"correct horse")
    file, there = tmp_path / "people.json", tmp_path / "there"
    command("speakers", "export", file, "--encrypt", "--passphrase-file", marked, "--home", jo)
    done = command("speakers", "import", file, "--passphrase-file", plain, "--home", there)
    assert done.code == 0 and "1 person" in done.out + done.err, done


@pytest.mark.parametrize("words", [("export", "x.json", "--encrypt"), ("import", "people.json")])
def test_ctrl_d_at_the_passphrase_is_one_line(words, jo, tmp_path, monkeypatch):
    command("speakers", "export", tmp_path / "people.json", "--encrypt", "--passphrase-file", __file__, "--home", jo)

    def closed(*_, **__):
        raise EOFError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("demo.cli_people.asked_at_a_terminal", lambda: True)
    monkeypatch.setattr("getpass.getpass", closed)
    refused(command("speakers", *words, "--home", jo), "no passphrase was given")


@pytest.mark.parametrize(
    "action",
    ["list", "rename P0 P1", "delete P0 --yes", "show P0", "renew P0", "export x", "import people.json", "sure .9"],
)
def test_whichever_command_finds_the_store_damaged_says_so(action, home, tmp_path, monkeypatch):
    """The next one knows nothing of it."""
    monkeypatch.chdir(tmp_path)
    other = SpeakerStore(tmp_path / "other")
    enrol(other, "Jo", 1)
    (tmp_path / "people.json").write_bytes(people_file.write(other.records()))
    store = SpeakerStore(home)
    for seed in range(4):
        enrol(store, f"P{seed}", seed, windows=20)
    good = store.path.read_bytes()
    store.path.write_bytes(good[:-9000] + b"\xff" * 5000 + good[-4000:])
    said = command("speakers", *action.split()).err
    assert said.startswith("note: The speaker database was damaged. It was kept as speakers.db.corrupt-"), said
    assert "these people were saved from it: P0" in said
    assert SpeakerStore(home).notice is None


def test_after_a_deletion_is_told_what_may_still_hold_the_voice(home):
    store = SpeakerStore(home)
    for name in ("Amina", "Kofi", "Jo"):
        enrol(store, name)
    assert command("speakers", "delete", "Amina", "--yes").err == ""
    (home / "speakers.db.corrupt-20260101T000000Z").touch()
    done = command("speakers", "delete", "Kofi", "--yes")
    assert done.out == "deleted Kofi\n" and f"speakers.db.corrupt-20260101T000000Z in {home}; delete them" in done.err
    command("speakers", "delete", "--all", "--yes")
    assert not list(home.glob("*corrupt*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(home, tmp_path):
    """Neither for people nor for a passphrase; what another program writes is read."""
    os.mkfifo(tmp_path / "pipe")
    store = SpeakerStore(home)
    enrol(store, "Jo", 1)
    refused(command("speakers", "import", tmp_path / "pipe"), "not valid JSON")
    secret = ("--encrypt", "--passphrase-file", tmp_path / "pipe")
    refused(command("speakers", "export", tmp_path / "people.json", *secret), "the passphrase has 0 characters")
    refused(command("speakers", "import", ""), "FILE is empty")
    refused(command("speakers", "import", "a\0b"), "cannot be read")
    read, write = os.pipe()
    with os.fdopen(write, "wb") as pipe:
        pipe.write(people_file.write(store.records()))
    store.delete_all()
    done = command("speakers", "import", f"/dev/fd/{read}")  # as bash's <(...)
    os.close(read)
    assert (done.code, done.out) == (0, "1 person imported\n"), done
