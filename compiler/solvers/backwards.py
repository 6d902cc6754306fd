"""The continuous adjoint of an initial value problem.

With dy/dt = f(t, y, p) and a = ∂L/∂y(t), going back from the last time

    da/dt = -(∂f/∂y)ᵀ a,        dp̄/dt = -(∂f/∂p)ᵀ a,

and where a result was taken, its cotangent is added to a (Chen et al., Neural Ordinary
Differential Equations, 2018, appendix B). The states come along, from each result anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ir.errors import ArgumentError
from ..loop import scan
from ..transforms.custom import custom_vjp
from .closed import Closed, Layout, layout
from .constants import full, here
from .entry import require

__all__ = ["with_continuous_adjoint"]

_FAILED = "the adjoint of an initial value problem does not reach the beginning"


def with_continuous_adjoint(
    integrate: Callable[..., Any],
    integrate_back: Callable[..., Any],
    slope: Closed,
    y: Any,
    t: Any,
    times: Any,
) -> tuple[Any, ...]:
    """What ``integrate(slope, reads, y, t, times)`` makes, y at the times first.

    ``integrate_back`` does so for states of other sizes.
    """
    if any(read.dtype.kind == "c" for read in slope.reads):
        raise ArgumentError(
            "gradient='adjoint': the function reads complex numbers",
            hint="take gradient='steps', or pass their real and imaginary parts",
        )

    def run(y: Any, t: Any, times: Any, *reads: Any) -> Any:
        return integrate(slope, reads, y, t, times)

    solve = custom_vjp(run)
    solve.through = True

    def forward(y: Any, t: Any, times: Any, *reads: Any) -> Any:
        made = solve(y, t, times, *reads)
        return made, (made[0], y, t, times, reads)

    def backward(kept: Any, bars: Any) -> Any:
        rows, y, t, times, reads = kept
        smooth = [i for i, read in enumerate(reads) if here().node(read).type.is_float]
        back = _Backwards(integrate_back, slope, reads, smooth, y)
        before = np.concatenate([np.reshape(t, (1,)), times[:-1]])
        start = np.zeros_like(y), full((back.size,), 0.0, y.dtype)
        elements = times, before, rows, bars[0]
        (a, p), times_bar = scan(back.step, start, elements, reverse=True)
        t_bar = -np.sum(a * slope(t, y, *reads))
        reads_bar: list[Any] = [None] * len(reads)
        for i, bar in zip(smooth, back.reads_of(p), strict=True):
            reads_bar[i] = bar
        return a, t_bar, times_bar, *reads_bar

    solve.defvjp(forward, backward)
    return solve(y, t, times, *slope.reads)


class _Backwards:
    """The way back from one result to the one before."""

    def __init__(
        self,
        integrate: Callable[..., Any],
        slope: Closed,
        reads: Sequence[Any],
        smooth: Sequence[int],
        y: Any,
    ) -> None:
        self.integrate, self.slope = integrate, slope
        self.reads, self.smooth = reads, smooth
        self.lay: Layout | None = None
        if smooth:
            chosen = [reads[i] for i in smooth]
            self.lay = layout("what the function reads", chosen)._replace(dtype=y.dtype)
        self.size = self.lay.size if self.lay else 0
        self.n = y.shape[0]

    def reads_of(self, p: Any) -> list[Any]:
        """The cotangents of what is read, which lie behind one another in ``p``."""
        return self.lay.unravel(p) if self.lay else []

    def step(self, carry: Any, element: Any) -> Any:
        a, p = carry
        t, before, y, bar = element
        t_bar = np.sum(bar * self.slope(t, y, *self.reads))
        n = self.n
        start = np.concatenate([y, a + bar, p])
        whole = here().node(start).type
        closed = Closed.of(
            "an adjoint", self._slope, [whole.with_shape(()), whole], self._slope
        )
        ends, done, _ = self.integrate(
            closed, closed.reads, start, t, np.reshape(before, (1,))
        )
        end = require(ends[0], done, _FAILED)
        return (end[n : 2 * n], end[2 * n :]), t_bar

    def _slope(self, t: Any, state: Any) -> Any:
        y, a = state[: self.n], state[self.n : 2 * self.n]
        of = [1, *(2 + i for i in self.smooth)]
        bars = self.slope.pull(t, y, *self.reads, -a, of=of)
        rest = [self.lay.ravel("", bars[1:])] if self.lay else []
        return np.concatenate([self.slope(t, y, *self.reads), bars[0], *rest])
