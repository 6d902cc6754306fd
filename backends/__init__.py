"""How a graph is run: one backend a folder, found by its name."""

from __future__ import annotations

from importlib import import_module

from ..ir.errors import ArgumentError
from .base import Backend

__all__ = ["DEFAULT", "NAMES", "check_backend", "find_backend"]

NAMES = ("llvm", "numba", "reference")
DEFAULT = "llvm"


def check_backend(name: str) -> str:
    """The name itself; raises `ArgumentError` where no backend has it."""
    if name not in NAMES:
        raise ArgumentError(
            f"no backend is called {name!r}", hint=f"one of {', '.join(NAMES)}"
        )
    return name


def find_backend(name: str) -> Backend:
    """The backend of this name, imported when it is first asked for."""
    check_backend(name)
    return import_module(f".{name}.backend", __name__).BACKEND
