"""``np.zeros(i + 1)``: new arrays whose sizes are known only when running.

They are views of a box, an array that is as large as they may get.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ....ir.errors import TraceError
from ...tracing.known import as_known
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from .cuts import axis_of_size, between, is_integer
from .nests import finished

__all__ = ["allocated", "counted"]


def allocated(trace: Trace, shape: Any, make: Callable[[Any], Any]) -> Any:
    """A new array of a shape of which some sizes are traced.

    ``make`` is what makes it of numbers.
    """
    sizes = cast("Any", shape) if isinstance(shape, (tuple, list)) else (shape,)
    axes = [axis_of_size(trace, size) for size in sizes]
    made = make(tuple(axis.most for axis in axes))
    if isinstance(made, np.ndarray):
        trace.note_full(made)
    return finished(trace, axes, as_known(trace, made, ()))


def counted(trace: Trace, args: Sequence[Any], dtype: Any) -> Any:
    """``np.arange(*args)`` of integers of which some are traced."""
    if len(args) > 3 or not all(map(is_integer, args)):
        raise TraceError(
            "np.arange of traced floats has a size that only its values tell",
            hint="say how many: start + step * np.arange(n), or np.linspace(start, "
            "stop, n)",
        )
    start, stop, step = (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
    step = operator.index(step)
    if step == 0:
        raise ZeroDivisionError("division by zero")
    apart = stop - start if step > 0 else start - stop
    count = apart if abs(step) == 1 else (apart + (abs(step) - 1)) // abs(step)
    if between(trace, count).low < 0:
        count = np.maximum(count, 0)
    made = allocated(trace, count, lambda shape: step * np.arange(*shape, dtype=dtype))
    return made if not is_traced(start) and start == 0 else made + start
