"""Functions outside of graphs that graphs call by name: Python's, and C's by address.

A graph is text, and a text has no functions. So a `callback` node has the name of one,
which this table has for as long as the process lives. A text that is read in another
process may be looked at there, and cannot be run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .errors import ArgumentError

__all__ = ["Host", "host_called", "register_host"]

Arrays: TypeAlias = "Sequence[np.ndarray[Any, Any]]"


class Host(NamedTuple):
    """One function: ``fill(inputs, outputs)`` computes arrays from arrays.

    ``address`` is that of the same function for C, where it has one:

        int f(const void *const *inputs, void *const *outputs);
    """

    fill: Callable[[Arrays, Arrays], None]
    address: int | None = None


_hosts: dict[str, Host] = {}
_names: dict[object, str] = {}


def register_host(name: str, identity: object, make: Callable[[], Host]) -> str:
    """The name of a function in the table; it begins with ``name``.

    One of the same ``identity`` is one function; a new one is made. What an identity
    speaks of lives as long as the function.
    """
    if identity not in _names:
        key, number = name, 0
        while key in _hosts:
            number += 1
            key = f"{name}.{number}"
        _hosts[key] = make()
        _names[identity] = key
    return _names[identity]


def host_called(name: str) -> Host:
    """The function of a name; `ArgumentError` where this process has none."""
    try:
        return _hosts[name]
    except KeyError:
        raise ArgumentError(
            f"the graph calls the function {name}, which this process does not have",
            hint="a graph with a callback runs in the process that traced it",
        ) from None
