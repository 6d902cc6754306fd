"""What the tests know of a program in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

__all__ = ["Program", "copied", "every_program", "leaves", "loss_of", "program"]

FIELDS = (
    "linear_algebra pdes dynamics sequences learning statistics geometry scipy_users "
    "decompositions"
).split()


@dataclass(frozen=True)
class Program:
    """A function as somebody wrote it, and arguments for it.

    ``wrt`` are the positions of the arguments that it is differentiated by, arrays or
    trees of floats. ``second`` says that its Hessian is tested too.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    wrt: tuple[int, ...]
    second: bool


_programs: dict[str, Program] = {}


def program(
    *args: Any,
    wrt: int | tuple[int, ...] = 0,
    second: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep a function with these arguments, see `Program`."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        which = (wrt,) if isinstance(wrt, int) else wrt
        name = function.__name__
        assert name not in _programs, f"two programs are called {name}"
        _programs[name] = Program(function, args, which, second)
        return function

    return keep


def every_program() -> dict[str, Program]:
    """All of them, by name."""
    for field in FIELDS:
        import_module(f"tests.programs.{field}")
    return _programs


def leaves(tree: Any) -> list[Any]:
    """What a tree holds that is neither a container nor a text, in its order."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [] if isinstance(tree, str) else [tree]


def copied(tree: Any) -> Any:
    """A tree with arrays of its own, which the program may write."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(copied(part) for part in tree)
    return tree.copy() if isinstance(tree, np.ndarray) else tree


def loss_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """A number of all that a program returns and writes: its floats, weighted."""

    def loss(*args: Any) -> Any:
        args = copied(args)
        made = leaves((function(*args), args))
        total = 0.0
        for k, value in enumerate(made):
            if isinstance(value, (float, np.floating)) or (
                isinstance(value, np.ndarray) and value.dtype.kind == "f"
            ):
                weights = np.cos(np.arange(np.size(value)) + k)
                total = total + np.sum(weights * np.ravel(value))
        return total

    return loss
