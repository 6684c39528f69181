"""Where a dataset lies: a local folder or any fsspec URL (s3://bucket/dataset, memory://dataset, ...).

A file appears whole or not at all. Locally it grows in `.scratch/<host>-<pid>/` and is renamed into its place; what a
killed process left there is removed by the next run (`tidy`). Stores of objects are whole by nature.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from core.errors import DatasetError

SCRATCH = ".scratch"
FORGOTTEN_SECONDS = 48 * 3600.0  # s: scratch that is older belongs to nobody, where no process can be asked
WINDOWS = os.name == "nt"


@cache
def _file_system(root: str):
    """fsspec's file system of a URL and the path of `root` in it."""
    try:
        import fsspec
    except ImportError as error:
        raise DatasetError(f"{root} needs the package fsspec: `pip install fsspec`") from error
    try:
        return fsspec.url_to_fs(root)
    except (ImportError, ValueError) as error:
        raise DatasetError(f"{root} cannot be opened: {error}") from error


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What the operating system refuses, in words of what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        number = error.errno or (errno.ENOSPC if reason.endswith("written") else 0)  # as NumPy says it
        todo = {
            errno.ENOSPC: "the disk is full: free some space and run again; what is finished is kept",
            errno.EDQUOT: "your quota is used up: free some space and run again; what is finished is kept",
            errno.EFBIG: "the limit on the size of a file is too low: raise it (ulimit -f) and run again",
            errno.EACCES: "this folder may not be written: choose another --output or change its permissions",
            errno.EPERM: "this folder may not be written: choose another --output or change its permissions",
            errno.EROFS: "this disk can only be read: choose another --output",
            errno.ENOTDIR: "a file lies where a folder is needed: choose another --output",
            errno.EEXIST: "a file lies where a folder is needed: choose another --output",
        }.get(number, "see that it exists and can be written, then run again")
        raise DatasetError(f"{what} cannot be written ({reason}): {todo}") from error


@dataclass(frozen=True)
class Storage:
    """A folder of files with names like `parts/amina.json`; `root` is an absolute path or a URL."""

    root: str

    @classmethod
    def of(cls, folder: str | Path | Storage) -> Storage:
        """The storage of a path or URL."""
        if isinstance(folder, Storage):
            return folder
        text = str(folder)
        return cls(text.rstrip("/") if "://" in text else str(Path(text).absolute()))

    @property
    def local(self) -> bool:
        """Does it lie in this machine's own file system?"""
        return "://" not in self.root

    def __str__(self) -> str:
        return self.root

    def path(self, name: str) -> str:
        """Full path or URL of a file."""
        return f"{self.root}/{name}"

    def _remote(self, name: str):
        system, root = _file_system(self.root)
        return system, f"{root}/{name}" if name else root

    def exists(self, name: str) -> bool:
        """Is there a whole file of that name?"""
        if self.local:
            return os.path.isfile(self.path(name))
        system, path = self._remote(name)
        return system.isfile(path)

    def size(self, name: str) -> int:
        """Bytes of a file; -1 when there is none."""
        if not self.exists(name):
            return -1
        if self.local:
            return os.path.getsize(self.path(name))
        system, path = self._remote(name)
        return system.size(path)

    def open(self, name: str) -> BinaryIO:
        """A seekable handle for reading; raises `FileNotFoundError`."""
        if self.local:
            return open(self.path(name), "rb")
        system, path = self._remote(name)
        return system.open(path, "rb")

    def read(self, name: str) -> bytes:
        """A whole file; raises `FileNotFoundError`."""
        with self.open(name) as file:
            return file.read()

    def names(self, under: str) -> list[str]:
        """Names of all files below a folder, sorted; none when it is missing."""
        if self.local:
            top = Path(self.root) / under
            found = [Path(at) / name for at, _, names in os.walk(top) for name in names]
            return sorted(path.relative_to(self.root).as_posix() for path in found)
        system, root = self._remote("")
        try:
            return sorted(path[len(root) + 1 :] for path in system.find(f"{root}/{under}"))
        except FileNotFoundError:
            return []

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        with _told(self.path(name)):
            if not self.local:
                system, path = self._remote(name)
                system.makedirs(os.path.dirname(path), exist_ok=True)
                system.pipe_file(path, content)
                return
            handle, partial = tempfile.mkstemp(dir=self._own_scratch(), prefix="write-")  # threads write at once
            with open(handle, "wb") as file:
                file.write(content)
            self._into_place(Path(partial), name)

    def put(self, name: str, file: Path) -> None:
        """Move a finished file of `scratch()` to its place, whole or not at all."""
        with _told(self.path(name)):
            if self.local:
                self._into_place(file, name)
                return
            system, path = self._remote(name)
            system.makedirs(os.path.dirname(path), exist_ok=True)
            system.put_file(str(file), path)
            file.unlink()

    def put_folder(self, name: str, folder: Path) -> None:
        """Move a finished folder of `scratch()` to its place, instead of all that is there."""
        with _told(self.path(name)):
            if not self.local:
                self.remove(name)
                for file in sorted(folder.iterdir()):
                    self.put(f"{name}/{file.name}", file)
                return
            place = Path(self.path(name))
            if place.exists():
                os.replace(place, folder.with_name(f"{folder.name}.before"))
            os.replace(folder, place)

    def _into_place(self, partial: Path, name: str) -> None:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, target)

    def remove(self, name: str) -> None:
        """Remove a file or a folder with all that is in it; nothing happens when there is none."""
        with _told(self.path(name)):
            if self.local:
                path = Path(self.path(name))
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                return
            system, path = self._remote(name)
            if system.exists(path):
                system.rm(path, recursive=True)

    def free(self) -> int | None:
        """Bytes free on the disk; None where that has no meaning."""
        if not self.local:
            return None
        return shutil.disk_usage(
            next(path for path in (Path(self.root), *Path(self.root).parents) if path.exists())
        ).free

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A local folder for what grows, gone afterwards; with a local storage on the same disk."""
        with _told(self.root):
            if not self.local:
                with tempfile.TemporaryDirectory(prefix="dataset-") as folder:
                    yield Path(folder)
                return
            folder = Path(tempfile.mkdtemp(dir=self._own_scratch()))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _own_scratch(self) -> Path:
        folder = Path(self.root) / SCRATCH / f"{socket.gethostname()}-{os.getpid()}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def tidy(self, *, all_mine: bool = False) -> None:
        """Remove what killed processes of this machine left growing; with `all_mine` this process's own scratch too."""
        if not self.local:
            return
        top = Path(self.root) / SCRATCH
        for folder in top.glob("*-*"):
            host, _, pid = folder.name.rpartition("-")
            here = host == socket.gethostname() and pid.isdigit()
            if here and int(pid) == os.getpid():
                dead = all_mine
            elif here and not WINDOWS:  # there kill(pid, 0) would end the process
                dead = not _alive(int(pid))
            else:
                dead = time.time() - folder.stat().st_mtime > FORGOTTEN_SECONDS
            if dead:
                shutil.rmtree(folder, ignore_errors=True)
        if top.is_dir() and not any(top.iterdir()):
            top.rmdir()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
