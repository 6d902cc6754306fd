"""Transcendental functions that LLVM can vectorise: no branches, no calls.

libm's functions are calls, one element at a time. These are straight-line arithmetic
and selections, so a loop over them becomes vector instructions, and an element has the
same bits wherever in the loop it stands: products are fused with sums where ``fma``
says so, and nowhere else.

The same text serves float64 and float32; a constant is a pair, one number for each.
Every module says what its errors are, against the exact value, as the tests measure.

Coefficients without another source are near-minimax: least squares at Chebyshev's
nodes, reweighted until the error is level (Lawson 1961), in 250 bits, then rounded.
"""

from __future__ import annotations

from typing import Any

from . import circular, error, exponential, logarithm, power, root, slopes

__all__ = ["CONSTANTS", "SOURCE"]

_FAMILIES = (exponential, logarithm, power, root, circular, error, slopes)

SOURCE = "".join(family.SOURCE for family in _FAMILIES)
CONSTANTS: dict[str, tuple[Any, Any]] = {
    name: value for family in _FAMILIES for name, value in family.CONSTANTS.items()
}
