"""How long calls take, as the command line says it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["steady_call", "timed"]

WARM_UP, MAX_CALLS, MAX_SECONDS = 2, 1000, 0.5


def timed(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[float, Any]:
    """The seconds that one call takes, and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def steady_call(
    function: Callable[..., Any], arguments: Sequence[Any]
) -> tuple[float, int]:
    """The median seconds of calls after the first, and how many these were.

    The second call of a signature makes its fast path, and the third one is the first
    to take it, so the median is of later ones. Half a second is spent, or one call.
    """
    end = time.perf_counter() + MAX_SECONDS
    for _ in range(WARM_UP):
        if time.perf_counter() < end:
            function(*arguments)
    spent: list[float] = []
    while not spent or (len(spent) < MAX_CALLS and time.perf_counter() < end):
        spent.append(timed(function, arguments)[0])
    return statistics.median(spent), len(spent)
