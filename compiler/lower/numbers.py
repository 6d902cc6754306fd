"""Numbers taken apart and put together, NumPy's Bessel function and its window."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...ir.errors import TraceError
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from .scipy.special import op_of
from .ufuncs import resolve

__all__ = ["kaiser"]


@lowers(np.modf)
def _modf(trace: Trace, x: Any) -> Any:
    """The part behind the point and the whole part, both with the sign of x."""
    x = trace.array(x)
    x = trace.wrap(trace.node(x, resolve(np.modf, x)[-1]))
    whole = np.trunc(x)
    part = np.where(np.isinf(x), x.dtype.type(0), x - whole)
    return np.copysign(part, x), whole


@lowers(np.ldexp)
def _ldexp(trace: Trace, x1: Any, x2: Any) -> Any:
    """``x1 * 2**x2``, in four steps: each of these powers is a number."""
    x1, x2 = trace.array(x1), trace.array(x2)
    if np.result_type(x2.dtype if is_traced(x2) else x2).kind not in "iub":
        raise TypeError("ldexp: the exponent is an integer")
    kind = resolve(np.multiply, x1, np.float32(0))[-1]
    made = trace.wrap(trace.node(x1, kind))
    count = trace.wrap(trace.node(x2, "i64"))
    rest = np.clip(count, -4096, 4096)
    for parts in (4, 3, 2, 1):
        step = np.trunc(rest / parts).astype(np.int64)
        made = made * np.exp2(step.astype(made.dtype))
        rest = rest - step
    return made


@lowers(np.i0)
def _i0(trace: Trace, x: Any) -> Any:
    """The modified Bessel function of order 0, by SciPy's loops."""
    x = trace.array(x)
    if x.dtype.kind == "c":
        raise TypeError("i0 not supported for complex values")
    kind = "f32" if x.dtype == np.float32 else "f64"
    return trace.wrap(op_of(trace, "i0", x, dtype=kind))


def kaiser(trace: Trace, M: Any, beta: Any) -> Any:
    """``I0(beta sqrt(1 - t^2)) / I0(beta)`` for M points t from -1 to 1."""
    count = operator.index(M)
    beta = trace.array(beta).astype(np.float64)
    if count <= 1:
        return np.ones(max(count, 0)) + 0 * beta
    half = (count - 1) / 2
    t = (np.arange(count) - half) / half
    return np.i0(beta * np.sqrt(1 - t * t)) / np.i0(beta)


@lowers(np.real_if_close)
def _real_if_close(trace: Trace, a: Any, tol: float = 100) -> Any:
    a = trace.array(a)
    if np.iscomplexobj(a):
        raise TraceError(
            "np.real_if_close of complex numbers has a dtype that only the values tell",
            hint="take the part that is meant: z.real, or np.abs(z)",
        )
    return a
