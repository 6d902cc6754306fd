"""What the tests know of a program in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["PROGRAMS", "Program", "program"]


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


PROGRAMS: dict[str, Program] = {}


def program(
    *args: Any,
    wrt: int | tuple[int, ...] = 0,
    second: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep a function with these arguments, see `Program`."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        which = (wrt,) if isinstance(wrt, int) else wrt
        name = function.__name__
        assert name not in PROGRAMS, f"two programs are called {name}"
        PROGRAMS[name] = Program(function, args, which, second)
        return function

    return keep
