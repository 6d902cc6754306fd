"""How a graph is run: one backend a folder, found by its name."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ..ir.collection import imports_at_once
from ..ir.errors import ArgumentError
from .base import Backend

__all__ = ["DEFAULT", "NAMES", "find_backend"]

NAMES = ("llvm", "numba", "reference")
DEFAULT = "llvm"


def find_backend(name: str) -> Backend:
    """The backend of this name, imported when it is first asked for.

    Raises `ArgumentError` where no backend has the name.
    """
    if name not in NAMES:
        raise ArgumentError(
            f"no backend is called {name!r}", hint=f"one of {', '.join(NAMES)}"
        )
    return _imported(name)


@cache
def _imported(name: str) -> Backend:
    with imports_at_once():
        return import_module(f".{name}.backend", __name__).BACKEND
