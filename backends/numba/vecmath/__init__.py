"""Transcendental functions that LLVM can vectorise: no branches, no calls.

libm's functions are calls, one element at a time. These are straight-line arithmetic
and selections, so a loop over them becomes vector instructions, and an element has the
same bits wherever in the loop it stands: products are fused with sums where ``fma``
says so, and nowhere else.

A name that ends in ``_f64`` or ``_f32`` is the function for that dtype; a function
without a version for float32 widens, and rounds its result once. Every module says what
its errors are, against the exact value, as the tests measure them.

Coefficients without another source are near-minimax: least squares at Chebyshev's
nodes, reweighted until the error is level (Lawson 1961), in 250 bits, then rounded.
"""

from __future__ import annotations

from . import circular, error, exponential, logarithm, power

__all__ = ["CONSTANTS", "SOURCE"]

_FAMILIES = (exponential, logarithm, power, circular, error)

SOURCE = "".join(family.SOURCE for family in _FAMILIES)
CONSTANTS: dict[str, int | float | tuple[float, ...]] = {
    name: value for family in _FAMILIES for name, value in family.CONSTANTS.items()
}
