"""kill -9 at any moment of a change: afterwards the store is whole, holds what was there, and deleted is deleted.

One process stays, so that Python starts once; for each trial it makes a child that changes a copy of a store and is
killed after a random part of the time the change takes. TRIALS=N in the environment makes more of them.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

TRIALS = int(os.environ.get("TRIALS", 10))  # for each kind of change
PATIENCE = 100  # s

SCRIPT = r"""
import json, os, random, shutil, signal, sqlite3, sys, time
from pathlib import Path
from tests.core.voices import bytes_on_disk, enrol, voice
from core.speakers import SpeakerStore

base, work, change, trials = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
chance = random.Random(change)


def fresh():
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work)


def act():
    store = SpeakerStore(work)
    if change == "enrol":
        enrol(store, "New", 50, windows=5)
    elif change == "session":
        store.add_session("Person 3", segments=voice(51), model_id="m1", source="mic", consent=True)
    elif change == "rename":
        store.rename("Person 3", "Renamed")
    elif change == "delete":
        store.delete("Person 3")
    elif change == "delete_all":
        store.delete_all()
    elif change == "import":
        store.add_people(SpeakerStore(base).records(["Person 1", "Person 2"]), replace=["Person 1", "Person 2"])


def state():
    with sqlite3.connect(work / "speakers.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        counted = [db.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in ("speakers", "sessions", "segments")]
        names = sorted(name for (name,) in db.execute("SELECT name FROM speakers"))
        sound = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        sound = sound and not db.execute("PRAGMA foreign_key_check").fetchall()
    db.close()
    return counted, names, sound


fresh()
before = state()
began = time.perf_counter()
act()
whole = time.perf_counter() - began
after = state()
traces = [piece.cnn.tobytes()[:32] for piece in voice(3, windows=5)] + [voice(3)[0].ann.tobytes()[:32]]
found = {"killed": 0, "before": 0, "after": 0, "other": [], "unsound": 0, "traces": 0, "notices": 0}
for trial in range(trials):
    fresh()
    child = os.fork()
    if child == 0:
        act()
        os._exit(0)
    time.sleep(chance.uniform(0, 1.3 * whole))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    found["killed"] += os.WIFSIGNALED(status)
    store = SpeakerStore(work)  # what the next start does
    found["notices"] += store.notice is not None
    counted, names, sound = state()
    kind = "before" if (counted, names) == before[:2] else "after" if (counted, names) == after[:2] else "other"
    found[kind] = found[kind] + ([[counted, names]] if kind == "other" else 1)
    found["unsound"] += not sound
    if "Person 3" not in names and change.startswith("delete"):
        found["traces"] += any(trace in bytes_on_disk(work) for trace in traces)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    from core.speakers import SpeakerStore
    from tests.core.voices import enrol

    folder = tmp_path_factory.mktemp("base")
    store = SpeakerStore(folder)
    for seed in range(8):
        enrol(store, f"Person {seed}", seed, windows=5)
    return folder


def printed_by(script: str, *words) -> str:
    """What the script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *words],  # of a fork beside threads
        **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": PATIENCE + TRIALS * 2},
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs fork and kill")
@pytest.mark.parametrize("change", ["enrol", "session", "rename", "delete", "delete_all", "import"])
def test_killed_at_any_moment(base, tmp_path, change):
    found = json.loads(printed_by(SCRIPT, base, tmp_path / "work", change, str(TRIALS)))
    assert found["other"] == [] and found["unsound"] == found["traces"] == found["notices"] == 0, found
    assert found["before"] + found["after"] == TRIALS and found["killed"] > 0, found


AT_EACH_LINE = r"""
import json, os, shutil, signal, sqlite3, sys
from pathlib import Path
from core.speakers import SpeakerStore

base, work, spoilt = map(Path, sys.argv[1:4])
shutil.copytree(base, work)
with sqlite3.connect(work / "speakers.db") as db:  # the damage and a new name are in the log only
    db.execute("UPDATE sessions SET source = x'ff' WHERE id = 3")
    db.execute("UPDATE speakers SET name = 'Late', key = 'late' WHERE id = 5")
shutil.copytree(work, spoilt)  # as another program left it that was killed
db.close()
assert (spoilt / "speakers.db-wal").stat().st_size > 1000
lines = 0


def killer(at, names):
    def line(frame, event, argument):
        global lines
        lines += event == "line"
        if lines == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return line

    return lambda frame, event, argument: line if Path(frame.f_code.co_filename).name in names else None


found = {"killed": 0, "people": {}, "silent": 0, "left": {}, "lost": 0}
for names, step in ((("set_aside.py", "database.py"), 1), (("salvage.py",), 97)):
    at = 1
    while True:
        shutil.rmtree(work)
        shutil.copytree(spoilt, work)
        child = os.fork()
        if child == 0:
            sys.settrace(killer(at, names))
            SpeakerStore(work)
            sys.settrace(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        found["killed"] += 1
        store = SpeakerStore(work)  # what the next start does
        people = " ".join(one.name for one in store.profiles())
        found["people"][people] = found["people"].get(people, 0) + 1
        found["silent"] += store.notice is None
        left = [one for one in store.set_aside() if not one.endswith(("-wal", "-shm"))]
        found["left"][len(left)] = found["left"].get(len(left), 0) + 1
        found["lost"] += any(one.endswith("-unsaved") for one in left) or SpeakerStore(work).notice is not None
        at += step
print(json.dumps(found))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs fork and kill")
def test_killed_at_any_line_of_a_rescue_the_next_start_goes_on(base, tmp_path):
    """It would have begun with nobody, and have said nothing; nor may it forget the log of the damaged database."""
    found = json.loads(printed_by(AT_EACH_LINE, base, tmp_path / "work", tmp_path / "spoilt"))
    assert found["killed"] > 100, found
    assert list(found["people"]) == ["Person 0 Person 1 Person 3 Late Person 5 Person 6 Person 7"], found
    assert list(found["left"]) == ["1"] and found["lost"] == 0, found
    assert found["silent"] <= 6, found  # killed after it was settled, before it could be printed


AT_ONCE = r"""
import collections, os, shutil, sqlite3, sys
from pathlib import Path
from core.speakers import SpeakerStore

base, work = map(Path, sys.argv[1:3])
found = collections.Counter()
for trial in range(40):
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work)
    with sqlite3.connect(work / "speakers.db") as db:
        db.execute("UPDATE sessions SET source = x'ff' WHERE id = 3")
    db.close()
    gate, opens = os.pipe()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os.read(gate, 1)
            store = SpeakerStore(work)
            os._exit(len(store.profiles()) + 100 * (store.notice is not None))
        children.append(child)
    os.write(opens, b"1234")
    told = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    people = {one % 100 for one in told} | {len(SpeakerStore(work).profiles())}
    found[max(told) > 100, *sorted(people)] += 1
print(dict(found))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs fork")
def test_programs_that_find_the_damage_at_once_do_not_undo_each_others_rescue(base, tmp_path):
    """They saw an empty store, or wrote over the damaged file with the new one: everybody was lost."""
    assert printed_by(AT_ONCE, base, tmp_path / "work") == "{(True, 7): 40}\n"


FULL = r"""
import resource, sys
from tests.core.voices import enrol
from core.errors import StoreError
from core.speakers import SpeakerStore

store = SpeakerStore(sys.argv[1])
size = store.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))  # the file system gives no more
try:
    for seed in range(100, 140):
        enrol(store, f"More {seed}", seed, windows=5)
    print("never full")
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(sum(len(person.cnn) == 11 for person in SpeakerStore(sys.argv[1]).embeddings("m1")), len(store.profiles()))
enrol(store, "After all", 1)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits of file size")
def test_a_full_disk_is_said_and_nothing_is_half_stored(base, tmp_path):
    shutil.copytree(base, tmp_path / "home")
    said, counts = printed_by(FULL, tmp_path / "home").splitlines()
    whole, profiles = map(int, counts.split())
    assert "cannot be used" in said and "disk is not full" in said
    assert whole == profiles >= 8


FULL_AT_A_DELETION = r"""
import resource, sys
from tests.core.voices import bytes_on_disk, voice
from core.errors import StoreError
from core.speakers import SpeakerStore

store = SpeakerStore(sys.argv[1])
room = store.path.stat().st_size * 2 // 3  # enough for the deletion, too little to write the file anew
resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
try:
    store.delete("Person 3")
    print("never full")
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store = SpeakerStore(sys.argv[1])
traces = [piece.cnn.tobytes()[:32] for piece in voice(3, windows=5)]
print(len(store.profiles()), sum(trace in bytes_on_disk(store.home) for trace in traces))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits of file size")
def test_a_disk_too_full_to_erase_is_said_and_the_next_start_erases(base, tmp_path):
    shutil.copytree(base, tmp_path / "home")
    said, left = printed_by(FULL_AT_A_DELETION, tmp_path / "home").splitlines()
    assert said.startswith("the change was made, but old bytes of what was removed may stay in "), said
    assert "free some space if the disk is full" in said and "another program" not in said
    assert left == "7 0"


FULL_AT_A_RESCUE = r"""
import resource, sqlite3, sys
from core.errors import StoreError
from core.speakers import SpeakerStore

store = SpeakerStore(sys.argv[1])
with sqlite3.connect(store.path) as db:
    db.execute("UPDATE sessions SET source = x'ff' WHERE id = 3")
db.close()
before = store.path.read_bytes()
for room in (1_000, 60_000, store.path.stat().st_size * 2 // 3):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        print(SpeakerStore(sys.argv[1]).notice)
    except StoreError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(store.set_aside(), store.path.read_bytes() == before)
print(SpeakerStore(sys.argv[1]).notice)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits of file size")
def test_a_disk_too_full_to_save_people_from_damage_leaves_them_where_they_were(base, tmp_path):
    """The next start would have begun with nobody, and have said nothing."""
    shutil.copytree(base, tmp_path / "home")
    *tries, last = printed_by(FULL_AT_A_RESCUE, tmp_path / "home").splitlines()
    assert tries[1::2] == ["[] True"] * 3
    assert all("cannot be used" in said and "the disk is not full" in said for said in tries[::2]), tries
    assert not any("rollback" in said for said in tries)
    assert "Person 0, Person 1, Person 3" in last
