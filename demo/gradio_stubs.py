"""Gradio without the stubs that it writes.

Each time Gradio is imported it parses the source of its components and writes type stubs (.pyi) beside itself: half of
the time of the import, in files that an installer owns. Editors read them, programs do not.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

WRITER = "gradio.component_meta"  # the module, and its function
FUNCTION = "create_or_modify_pyi"


def leave_out() -> None:
    """From now on importing Gradio writes no stubs; nothing happens where it was imported already. Before threads."""
    if WRITER not in sys.modules and not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _nothing(*_) -> None:
    """In the place of `FUNCTION`."""


class _Finder(MetaPathFinder):
    """Finds `WRITER` where the path has it. It stays: a thread that looks through the finders while one goes misses the
    next, and says that a module is not there which is."""

    def find_spec(self, name: str, path=None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != WRITER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Without(spec.loader)
        return spec


class _Without(Loader):
    """Another loader's module, with `FUNCTION` doing nothing."""

    def __init__(self, loader: Loader):
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        setattr(module, FUNCTION, _nothing)
