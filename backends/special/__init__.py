"""Functions of `scipy.special` as text that both code generators read.

The text is Python that is also the kernel language of `llvm`: straight-line arithmetic
and selections, so loops over it become vector instructions. ``exp``, ``log``, ``sin``
and their kin are those of the backend. ``polynomial(x, NAME)`` is Horner's rule with
coefficients of `CONSTANTS`, that of the lowest power first.

A function whose name ends in ``_f64`` computes in float64 for every dtype. One whose
name ends in ``_far`` is that without, where ``abs(x)`` is above the second operand, and
x elsewhere: it need not be computed where no x is.

Every module says what its errors are in float64, against the exact value, as the tests
measure. Coefficients are near-minimax: least squares of the relative error at
Chebyshev's nodes, reweighted until it is level (Lawson 1961), in 250 bits.
"""

from __future__ import annotations

import re

from . import bessel, gamma, logarithms, normal, quantiles

__all__ = ["CONSTANTS", "FAR", "NAMES", "SOURCE"]

_FAMILIES = (logarithms, normal, quantiles, gamma, bessel)

SOURCE = "".join(family.SOURCE for family in _FAMILIES)
CONSTANTS: dict[str, float | tuple[float, ...]] = {
    name: value for family in _FAMILIES for name, value in family.CONSTANTS.items()
}
FAR = tuple(dict.fromkeys(re.findall(r"(\w+)_far\(", SOURCE)))
NAMES = frozenset(
    name.removesuffix("_f64")
    for name in re.findall(r"^def (\w+)", SOURCE, re.MULTILINE)
)
