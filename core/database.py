"""One SQLite file in the user's data folder: opened safely, changed whole or not at all, erased for good.

A connection lives as long as one call, so any thread and any process may use the file. Erasing is real: pages are
zeroed (`secure_delete`), the file is rewritten (`VACUUM`) and the write-ahead log emptied; a program killed in between
leaves a mark, and the next one finishes the work. A damaged file, also one with values that cannot be, is set aside and
what is whole in it is saved.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from core.errors import StoreError, reason
from core.misfits import misfit
from core.names import listed
from core.salvage import salvage

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
        self._make_folder()
        identity = self._identity()
        try:
            self._begin()
        except _Damaged as damage:
            if self._identity() == identity:  # else another process has just put it right
                aside = self._set_aside()
                try:
                    self._make_folder()
                    self._begin()
                    self._save_from(aside, damage.found)
                except BaseException:  # a full disk: the next start would find nobody, and say nothing
                    self._put_back(aside)
                    raise
            else:
                self._begin()

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
        except OSError as error:  # a link that leads to itself
            raise StoreError(_unwritable(self.path, error)) from error
        return state.st_dev, state.st_ino

    def _begin(self) -> None:
        """Make the tables where there are none; raises `_Damaged` for a file that is no sound database."""
        with self.connection() as db:
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _Damaged(f"{self.path} is damaged")
            _use_write_ahead_log(db)
            db.execute("BEGIN IMMEDIATE")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path} was made by a newer version of this program (layout {version}, this one knows "
                    f"{SCHEMA_VERSION}): update the program, or use another folder with --home DIR"
                )
            for layout in _LAYOUTS[version:]:
                for statement in layout.split(";\n"):
                    db.execute(statement)
            if db.execute("SELECT COUNT(*) FROM changes").fetchone()[0] != 1:  # a new file, or one that lost it
                db.execute("DELETE FROM changes")
                db.execute("INSERT INTO changes VALUES (?)", (time.time_ns() // 1000,))  # never a number used before
            if odd := misfit(db):
                raise _Damaged(f"{self.path} is damaged ({odd})", odd)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")
            if db.execute("PRAGMA application_id").fetchone()[0] == ERASING:
                with suppress(StoreError):  # a full disk, another program; the mark stays until somebody succeeds
                    self._scrub(db)

    def _set_aside(self) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self.path.with_name(f"{DATABASE}.corrupt-{stamp}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}-more")
        try:
            self.path.rename(aside)
            for tail in ("-wal", "-shm"):
                rest = self.path.with_name(DATABASE + tail)
                if rest.exists():
                    rest.rename(f"{aside}{tail}")
        except OSError as error:
            raise StoreError(f"{self.path} is damaged and cannot be moved ({error.strerror}): move it away") from error
        return aside

    def _put_back(self, aside: Path) -> None:
        with suppress(OSError):
            for tail in ("-wal", "-shm", ""):
                self.path.with_name(DATABASE + tail).unlink(missing_ok=True)
            for tail in ("-wal", "-shm", ""):
                if (rest := Path(f"{aside}{tail}")).exists():
                    rest.rename(self.path.with_name(DATABASE + tail))

    def _save_from(self, aside: Path, found: str) -> None:
        with self.connection() as db:
            saved = salvage(aside, db)
        what = f"these people were saved from it: {listed(saved)}; enrol the others" if saved else "enrol everybody"
        self.notice = (
            f"The speaker database was damaged{f' ({found})' if found else ''}. It was kept as {aside.name} in "
            f"{self.home} and a new one was begun: {what} again. Delete the old file when you do not need it; it may "
            "hold voices."
        )

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
