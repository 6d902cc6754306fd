"""`np.vectorize`: a function of elements is traced once, and one loop runs it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...ir.errors import ShapeError
from ..loop import map as loop_map
from ..tracing.known import as_known, real
from ..tracing.running import active_trace, as_array, find_trace
from .calls import CALLED, call, closes_over_traced

__all__: list[str] = []


def _vectorized(made: Any, *args: Any, **kwargs: Any) -> Any:
    """``made(*args, **kwargs)``, for an instance of `np.vectorize`."""
    trace = active_trace()
    assert trace is not None, "the table is used while a trace is made"
    if find_trace((args, kwargs)) is None and not closes_over_traced(made.pyfunc):
        result = made(*map(real, args), **cast("dict[str, Any]", real(kwargs)))
        return as_known(trace, result, ())
    names = [*range(len(args)), *kwargs]
    values = dict(zip(names, [*args, *kwargs.values()], strict=True))
    moving = [name for name in names if name not in made.excluded]
    arrays = [as_array(trace.array(values[name])) for name in moving]

    def of_elements(elements: Sequence[Any]) -> Any:
        given = values | dict(zip(moving, elements, strict=True))
        positional = [given[k] for k in range(len(args))]
        found = call(made.pyfunc, *positional, **{key: given[key] for key in kwargs})
        several = isinstance(found, tuple)
        parts: Any = found if several else (found,)
        here = trace.innermost
        return tuple(as_array(here.array(part)) for part in parts), several

    ranks = [0] * len(arrays)
    if made.signature is not None:
        ranks = [len(dims) for dims in made._in_and_out_core_dims[0]]
    outer = _outer(arrays, ranks)
    rows = [_rows(a, rank, outer) for a, rank in zip(arrays, ranks, strict=True)]
    if 0 in outer:
        raise ValueError("cannot call `vectorize` on size 0 inputs of traced values")
    kinds: list[bool] = []

    def step(elements: Any) -> Any:
        parts, several = of_elements(elements)
        kinds.append(several)
        return parts

    results = [
        np.reshape(part, (*outer, *np.shape(part)[1:])) for part in loop_map(step, rows)
    ]
    if made.otypes is not None:
        results = [
            part.astype(kind) for part, kind in zip(results, made.otypes, strict=True)
        ]
    return tuple(results) if kinds[-1] else results[0]


def _outer(arrays: Sequence[Any], ranks: Sequence[int]) -> tuple[int, ...]:
    """The shape that the axes in front of the function's own broadcast to."""
    shapes = [np.shape(a) for a in arrays]
    if any(len(shape) < rank for shape, rank in zip(shapes, ranks, strict=True)):
        raise ShapeError(f"vectorize: {shapes} have fewer axes than the signature")
    fronts = [s[: len(s) - rank] for s, rank in zip(shapes, ranks, strict=True)]
    return np.broadcast_shapes(*fronts)


def _rows(array: Any, rank: int, outer: tuple[int, ...]) -> Any:
    """The operands of all calls along one axis."""
    own = np.shape(array)[np.ndim(array) - rank :]
    spread = np.broadcast_to(array, (*outer, *own))
    return np.reshape(spread, (math.prod(outer), *own))


CALLED[np.vectorize] = _vectorized
