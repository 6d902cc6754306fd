"""Fourier transforms: the inner loops of NumPy's own, see `backends.ufuncs`."""

from __future__ import annotations

import math

from ....ir.graph import Node
from ...ufuncs import fft_ufunc
from ..plan.planner import Planner, emits
from ..plan.view import View
from .ufunc import call_ufunc

__all__: list[str] = []


def _transform(p: Planner, node: Node, x: View, size: int) -> View:
    target = p.allocate(node.type, node.name)
    factor = p.constant(1.0, x.type.part.dtype)
    rows = x.type.shape[:-1]
    factors = factor.moved(rows, (0,) * len(rows))
    time = 2.0 * size * max(math.log2(size), 1.0) + 200.0
    call_ufunc(p, node, fft_ufunc(node.op, size), [x, factors], [target], time)
    return target


@emits("fft", "ifft", "rfft")
def fft(p: Planner, node: Node, x: View) -> View:
    """One call for all rows, without the GIL."""
    return _transform(p, node, x, x.type.shape[-1])


@emits("irfft")
def irfft(p: Planner, node: Node, x: View, *, size: int) -> View:
    """Likewise."""
    return _transform(p, node, x, size)
