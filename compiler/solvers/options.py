"""What solvers are given beside numbers to start from, checked before they run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import ArgumentError
from ..counts import check_counts
from ..functions import stop_gradient
from ..regions import check_functions
from ..tracing.running import is_traced
from ..tree import flatten
from .closed import array
from .entry import require

__all__ = [
    "behind",
    "check_gradient",
    "check_iterations",
    "check_lengths",
    "check_limits",
    "ends",
    "for_each",
    "in_order",
    "times_of",
]


_GRADIENTS = "steps", "adjoint"


def check_gradient(what: str, gradient: str) -> None:
    """Refuse a way to differentiate that there is not."""
    if gradient not in _GRADIENTS:
        raise ArgumentError(
            f"{what}: no gradient {gradient!r}", hint=f"one of {', '.join(_GRADIENTS)}"
        )


def check_limits(what: str, **given: Any) -> None:
    """Refuse tolerances that are no real numbers, or negative."""
    for name, limit in given.items():
        known = [part for part in flatten(limit)[0] if not is_traced(part)]
        if limit is None or not all(map(_is_limit, known)):
            raise ArgumentError(f"{what}: {name}={limit!r} is no number of at least 0")


def _is_limit(given: Any) -> bool:
    found = np.asarray(given)
    return found.dtype.kind in "iuf" and bool(np.all(found >= 0))


def check_lengths(what: str, **given: Any) -> None:
    """Refuse lengths of steps that are not positive; None is without."""
    for name, length in given.items():
        if length is None or (is_traced(length) and not length.shape):
            continue
        if np.shape(length) or not _is_limit(length) or not length > 0:
            raise ArgumentError(f"{what}: {name}={length!r} is no positive number")


def check_iterations(what: str, function: Any, tol: Any, most: Any) -> None:
    """Check the options of what iterates; a ``tol`` of None is the usual one."""
    check_functions(what, function)
    if tol is not None:
        check_limits(what, tol=tol)
    check_counts(what, 0, max_iterations=most)


def behind(what: str, args: Any) -> tuple[Any, ...]:
    """What a function takes behind its first arguments."""
    if not isinstance(args, (list, tuple)) and not np.ndim(args):
        raise ArgumentError(f"{what}: args is no tuple", hint="write args=(a,) for one")
    return tuple(args)


def ends(what: str, span: Any, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Where an integration begins, and where it ends."""
    several = isinstance(span, (list, tuple)) or np.ndim(span)
    found = [array(time, dtype) for time in span] if several else []
    if [np.shape(time) for time in found] != [(), ()]:
        raise ArgumentError(
            f"{what}: t_span is not two times", hint="write t_span=(begin, end)"
        )
    return found[0], found[1]


def times_of(what: str, name: str, times: Any, dtype: np.dtype[Any]) -> Any:
    """The times of the results."""
    found = array(times, dtype)
    if np.ndim(found) != 1 or not np.size(found):
        raise ArgumentError(f"{what}: {name} is an array of times, of one axis")
    return found


def in_order(what: str, t: Any, times: Any, end: Any) -> Any:
    """The times, but an error when running where one is in front of the one before."""
    way = np.sign(stop_gradient(end - t))
    whole = np.concatenate([np.reshape(t, (1,)), times, np.reshape(end, (1,))])
    apart = stop_gradient(whole[1:] - whole[:-1])
    message = f"{what}: the times do not go from the beginning to the end"
    return require(times, np.all(apart * way >= 0), message)


def for_each(what: str, atol: Any, size: int, dtype: np.dtype[Any]) -> Any:
    """A tolerance, of one number or of one for each that is solved for."""
    if not isinstance(atol, (list, tuple)) and not np.ndim(atol):
        return atol
    found = np.reshape(array(atol, dtype), (-1,))
    if np.size(found) not in (1, size):
        raise ArgumentError(
            f"{what}: atol has {np.size(found)} numbers, and y {size}",
            hint="pass one number, or one for each of y",
        )
    return found
