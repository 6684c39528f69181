"""One SQLite file in the user's data folder: opened safely, changed whole or not at all, erased for good.

A connection lives as long as one call, so any thread and any process may use the file. Erasing is real: pages are
zeroed (`secure_delete`), the file is rewritten (`VACUUM`) and the write-ahead log emptied; a program killed in between
leaves a mark, and the next one finishes the work. A damaged file, also one with values that cannot be (`core.misfits`),
is set aside (`core.set_aside`) and what is whole in it is saved (`core.salvage`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path

from core.errors import StoreError, reason
from core.misfits import misfit, text_of
from core.names import listed, shortened
from core.salvage import Saved, salvage, told
from core.set_aside import alone, call_saved, complete_move, moved_aside, name_when_saved, put_back, unsaved

APP_NAME = "who-is-speaking"
HOME_VARIABLE = "SPEAKERS_HOME"  # environment: the folder, where --home does not say
DATABASE = "speakers.db"
SCHEMA_VERSION = 2  # kept in PRAGMA user_version
ERASING = 0x65726173  # "eras", kept in PRAGMA application_id: something was removed and is not yet erased for good
BUSY_SECONDS = 10.0  # s to wait for another process before giving up

_SCHEMA = """
CREATE TABLE speakers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL, consent_at TEXT NOT NULL);
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL, source TEXT NOT NULL,
    speaker_id INTEGER NOT NULL REFERENCES speakers(id) ON DELETE CASCADE, model_id TEXT NOT NULL);
CREATE INDEX sessions_of_speaker ON sessions(speaker_id);
CREATE TABLE segments (session_id INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    position INTEGER NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('segment', 'window')),
    start REAL NOT NULL, speech REAL NOT NULL, level REAL NOT NULL, clipped REAL NOT NULL, snr REAL NOT NULL,
    cnn BLOB NOT NULL, cnn_dims INTEGER NOT NULL CHECK (length(cnn) = 4 * cnn_dims),
    ann BLOB NOT NULL, ann_dims INTEGER NOT NULL CHECK (length(ann) = 4 * ann_dims),
    PRIMARY KEY (session_id, position));
CREATE TABLE changes (revision INTEGER NOT NULL);
"""
# Layout 2: consent and remarks of each session; bandwidth of each segment (0: not measured); the speech itself where
# the person wishes it to be kept; corrections ("this was wrong, it was X": the decision and the truth, NULL for
# somebody who is not enrolled, never the sound); settings chosen by the user.
_SCHEMA_2 = """
ALTER TABLE sessions ADD COLUMN consent_at TEXT NOT NULL DEFAULT '';
UPDATE sessions SET consent_at = (SELECT consent_at FROM speakers WHERE id = speaker_id);
ALTER TABLE sessions ADD COLUMN remark TEXT NOT NULL DEFAULT '';
ALTER TABLE segments ADD COLUMN bandwidth REAL NOT NULL DEFAULT 0;
CREATE TABLE recordings (session_id INTEGER PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE, flac BLOB NOT NULL);
CREATE TABLE corrections (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL, model_id TEXT NOT NULL,
    likeliest INTEGER NOT NULL REFERENCES speakers(id) ON DELETE CASCADE,
    probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1), named INTEGER NOT NULL,
    truth INTEGER REFERENCES speakers(id) ON DELETE CASCADE);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_LAYOUTS = (_SCHEMA, _SCHEMA_2)  # one after the other, from the layout found to `SCHEMA_VERSION`
assert len(_LAYOUTS) == SCHEMA_VERSION
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_making = threading.Lock()  # held while a new file is open, so that no other thread has SQLite open it meanwhile


def home_folder(home: str | os.PathLike | None = None) -> Path:
    """Where profiles live: `home` if given, else SPEAKERS_HOME, else the user's data folder. Raises `StoreError` for
    the folder of a user (~name) that there is not."""
    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise StoreError(
                f"{chosen} cannot be found ({error}): write the folder out in full after --home or in {HOME_VARIABLE}"
            ) from error
    import platformdirs

    return platformdirs.user_data_path(APP_NAME, appauthor=False)


class Database:
    """The file `speakers.db` in one folder.

    `home`: see `home_folder`; made with mode 0700. `notice`: a sentence for the user when the database was damaged
    and a new one begun, else None. Raises `StoreError` when the folder or file cannot be used.
    """

    def __init__(self, home: str | os.PathLike | None = None):
        self.home = home_folder(home)
        self.path = self.home / DATABASE
        self.notice: str | None = None
        complete_move(self.path)
        self._make_folder()
        identity = self._identity()
        try:
            self._begin()
        except StoreError as error:
            if not isinstance(error, _Damaged) and self._identity() == identity:
                raise  # else another program moved the file meanwhile
            with alone(self.home, patience=6 * BUSY_SECONDS):
                self._rescue()

    def _rescue(self) -> None:
        """Set the damaged file aside and begin anew, which takes over whom it gives back; unless another program has
        just done so."""
        complete_move(self.path)
        self._make_folder()
        try:
            self._begin()
        except _Damaged as damage:
            aside = moved_aside(self.path)
            try:
                self._make_folder()
                self._begin(damage.found)
            except BaseException:  # a full disk
                put_back(aside, self.path)
                raise

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call; what SQLite complains about becomes a `StoreError`."""
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                for pragma in ("foreign_keys = ON", "secure_delete = ON", "temp_store = MEMORY", "synchronous = FULL"):
                    db.execute(f"PRAGMA {pragma}")
                yield db
        except sqlite3.OperationalError as error:
            if _kind(error) in _UNWRITABLE and not self._writable():
                raise StoreError(_unwritable(self.path, error)) from error
            raise StoreError(
                f"{self.path} cannot be used ({error}): close other programs that use it, check that the folder can be "
                f"written and the disk is not full, or choose another with --home DIR or {HOME_VARIABLE}"
            ) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise StoreError(f"{self.path} refused this ({error}); nothing was changed") from error
            raise _Damaged(f"{self.path} is damaged ({error}): start again, it will be set aside") from error
        except UnicodeDecodeError as error:  # SQLite's own complaint, which quotes what it found
            raise _Damaged(
                f"{self.path} is damaged (its tables have no names): start again, it will be set aside"
            ) from error

    @contextmanager
    def change(self, *, scrub: bool = False, people: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction, undone by any exception. `scrub`: afterwards leave no byte of what was removed. `people`:
        does it change how anybody is recognised, so that others must look again?"""
        with self.connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                if people:
                    db.execute("UPDATE changes SET revision = revision + 1")
                if scrub:
                    db.execute(f"PRAGMA application_id = {ERASING}")
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            if scrub:
                self._scrub(db)

    def _make_folder(self) -> None:
        try:
            self.home.mkdir(parents=True, mode=0o700, exist_ok=True)  # two processes may begin at the same moment
            with _making, suppress(FileExistsError):
                # SQLite gives -wal and -shm the same mode. A file that is there is never opened but by SQLite: closing
                # any descriptor of it drops the locks of all connections that this process has (POSIX).
                os.close(os.open(os.path.realpath(self.path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError as error:
            why = OSError(error.errno, f"{self.home.name} is a file, not a folder")
            raise StoreError(_unwritable(self.path, why)) from error
        except (OSError, ValueError) as error:  # the latter: a name that no folder can have
            raise StoreError(_unwritable(self.path, error)) from error

    def _writable(self) -> bool:
        as_we_are = os.access in os.supports_effective_ids
        return all(os.access(path, os.W_OK, effective_ids=as_we_are) for path in (self.path, self.home))

    def _identity(self) -> tuple[int, int]:
        try:
            state = self.path.stat()
        except FileNotFoundError:  # another process is just putting it right
            return 0, 0
        except OSError as error:  # a link that leads to itself
            raise StoreError(_unwritable(self.path, error)) from error
        return state.st_dev, state.st_ino

    def _begin(self, found: str = "") -> None:
        """Make the file usable: tables where there are none, and then whom damaged databases give back that were set
        aside (`found`: what was odd in the last). Raises `_Damaged` for a file that is no sound database."""
        with self.connection() as db:
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _Damaged(f"{self.path} is damaged")
            _use_write_ahead_log(db)
            db.execute("PRAGMA foreign_keys = OFF")  # for `salvage`
            db.execute("BEGIN IMMEDIATE")
            damaged = unsaved(self.path)
            new = self._bring_up_to_date(db) == 0
            saved = _salvaged(damaged, db) if new else None  # else by a program that was killed before `call_saved`
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")
            if db.execute("PRAGMA application_id").fetchone()[0] == ERASING:
                with suppress(StoreError):  # a full disk, another program; the mark stays until somebody succeeds
                    self._scrub(db)
        if damaged:
            names = listed([name_when_saved(one) for one in damaged])
            self.notice = told(saved, found, f"kept as {names} in {self.home}")
        for one in damaged:
            call_saved(one)  # last, so that a program killed before it leaves it to the next to tell

    def _bring_up_to_date(self, db: sqlite3.Connection) -> int:
        """Lay the tables out as `SCHEMA_VERSION` has them; the number of the layout that was there, 0 in a new file.
        Raises `_Damaged` where something cannot be, and `StoreError` for a layout of a newer program."""
        version = max(0, db.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was made by a newer version of this program (layout {version}, this one knows "
                f"{SCHEMA_VERSION}): update the program, or use another folder with --home DIR"
            )
        if odd := _another_layout(db, version):
            raise _Damaged(f"{self.path} is damaged ({odd})", odd)
        _lay_out(db, version)
        if db.execute("SELECT COUNT(*) FROM changes").fetchone()[0] != 1:  # a new file, or one that lost it
            db.execute("DELETE FROM changes")
            db.execute("INSERT INTO changes VALUES (?)", (time.time_ns() // 1000,))  # never a number used before
        if odd := misfit(db):
            raise _Damaged(f"{self.path} is damaged ({odd})", odd)
        return version

    def _scrub(self, db: sqlite3.Connection) -> None:
        try:
            db.execute("VACUUM")
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                db.execute("PRAGMA application_id = 0")
        except sqlite3.OperationalError as error:
            if _kind(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreError(
                    f"the change was made, but old bytes of what was removed may stay in {self.path} ({error}): free "
                    "some space if the disk is full, then start this program again"
                ) from error
            busy = 1
        if busy:
            raise StoreError(
                f"the change was made, but another program keeps {self.path} open and old bytes may stay in "
                f"{DATABASE}-wal until it closes: close it, then start this program again"
            )


class _Damaged(StoreError):
    """The file is no sound database. `found`: whose values cannot be, where SQLite itself sees no damage."""

    def __init__(self, text: str, found: str = ""):
        super().__init__(text)
        self.found = found


def _lay_out(db: sqlite3.Connection, version: int, wanted: int = SCHEMA_VERSION) -> None:
    """Bring the tables from the layout of one number to that of another."""
    for layout in _LAYOUTS[version:wanted]:
        for statement in layout.split(";\n"):
            db.execute(statement)


def _another_layout(db: sqlite3.Connection, version: int) -> str:
    """Which table is not as the layout of that number has it, in a file made by hand or by another program, as the end
    of a sentence; '' where all are."""
    made, wanted = _tables(db), _tables_of(version)
    if made and not version:
        return f"it has the table {shortened(min(made))} and no number of its layout"
    odd = min((name for name in wanted if made.get(name) != wanted[name]), default=None)
    return f"the table {odd} is not as this program makes it" if odd else ""


@cache
def _tables_of(version: int) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _lay_out(db, 0, version)
        return _tables(db)


def _tables(db: sqlite3.Connection) -> dict[str, str]:
    """Name -> how it was made, without blanks."""
    own = "name NOT LIKE 'sqlite!_%' ESCAPE '!'"  # not SQLite's
    rows = db.execute(f"SELECT CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_master WHERE type = 'table' AND {own}")
    return {text_of(name or b""): "".join(text_of(made or b"").split()) for name, made in rows}


def _salvaged(damaged: list[Path], db: sqlite3.Connection) -> Saved | None:
    """The first of these databases that gives anybody back, copied into the empty `db`; None where there are none."""
    saved = None
    for one in damaged:
        saved = saved if saved and saved.names else salvage(one, db)
    return saved


def _kind(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the complaint is Python's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _unwritable(path: Path, error: Exception) -> str:
    return f"{path} cannot be written ({reason(error)}): choose a folder of your own with --home DIR or {HOME_VARIABLE}"


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch once; SQLite does not wait by itself when another process is switching at the same moment."""
    deadline = time.monotonic() + BUSY_SECONDS
    while db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _kind(error) == sqlite3.SQLITE_READONLY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
