"""The floating-point numbers beside a number: `np.nextafter` and `np.spacing`.

By arithmetic in rounding to nearest, after Rump, Zimmermann, Boldo, Melquiond 2009,
"Computing predecessor and successor in rounding to nearest", algorithm 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .ufuncs import resolve

__all__: list[str] = []


def _beside(x: Any, up: Any) -> Any:
    """The number above ``x``, or below it."""
    info = np.finfo(x.dtype)
    unit = float(info.eps) / 2
    least, most = float(info.smallest_subnormal), float(info.max)
    size = np.abs(x)
    sign = np.where(up, 1.0, -1.0).astype(x.dtype)
    part = unit * (1 + 2 * unit)
    far = x + sign * (size * part)
    scaled = x / unit
    near = (scaled + sign * (np.abs(scaled) * part)) * unit
    made = np.where(size < least / unit, x + sign * least, near)
    made = np.where(size < least / unit**2, made, far)
    made = np.where(made == 0, np.copysign(0.0, x).astype(x.dtype), made)
    return np.where(np.isinf(x), np.where(up == (x > 0), x, -sign * most), made)


@lowers(np.nextafter)
def _nextafter(trace: Trace, x1: Any, x2: Any) -> Any:
    """Its derivative is 1 by the first, for between numbers there are none."""
    to = resolve(np.nextafter, x1, x2)[-1]
    x, y = (trace.wrap(trace.node(x, to)) for x in (x1, x2))
    b = trace.builder
    made = np.where(np.equal(x, y), y, _beside(x, x < y))
    made = np.where(np.isnan(x) | np.isnan(y), x + y, made)
    x = np.broadcast_to(x, made.shape)
    return trace.wrap(b.straight_through(trace.node(made), trace.node(x)))


@lowers(np.spacing)
def _spacing(trace: Trace, x: Any) -> Any:
    """The step to the number that is farther from 0, below 0 a negative one."""
    x = trace.wrap(trace.node(x, resolve(np.spacing, x)[-1]))
    size = trace.wrap(trace.builder.stop_gradient(trace.node(np.abs(x))))
    step = _beside(size, np.isfinite(size)) - size
    return np.where(np.isinf(x), np.nan, np.where(x < 0, -step, step))
