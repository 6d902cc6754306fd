"""Functions of `scipy.special` that are others in disguise: a table of formulas.

Cephes, the library under these, has the same formulas for the integrals of
distributions. What a formula has no derivative by is refused by the name of the
function that it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ....ir.ops.special import ufunc_of
from ....ir.types import DTYPES
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..complex import with_imaginary
from ..ufuncs import reject, resolve
from .distributions import sp
from .special import MODULE, whole

# Of arrays of floats, by the name of the ufunc.
_FORMULAS: dict[str, Callable[..., Any]] = {
    "chdtr": lambda v, x: sp.gammainc(v / 2, x / 2),
    "chdtrc": lambda v, x: sp.gammaincc(v / 2, x / 2),
    "chdtri": lambda v, p: 2 * sp.gammainccinv(v / 2, p),
    "gdtr": lambda a, b, x: sp.gammainc(b, a * x),
    "gdtrc": lambda a, b, x: sp.gammaincc(b, a * x),
    "gdtrix": lambda a, b, p: sp.gammaincinv(b, p) / a,
    "pdtr": lambda k, m: sp.gammaincc(np.floor(k) + 1, m),
    "pdtrc": lambda k, m: sp.gammainc(np.floor(k) + 1, m),
    "pdtri": lambda k, y: sp.gammainccinv(np.floor(k) + 1, y),
    "bdtr": lambda k, n, p: _binomial(k, n, p, sp.betaincc, 1.0),
    "bdtrc": lambda k, n, p: _binomial(k, n, p, sp.betainc, 0.0),
    "bdtri": lambda k, n, y: sp.betainccinv(np.floor(k) + 1, n - np.floor(k), y),
    "nbdtr": lambda k, n, p: sp.betainc(n, np.floor(k) + 1, p),
    "nbdtrc": lambda k, n, p: sp.betaincc(n, np.floor(k) + 1, p),
    "nbdtri": lambda k, n, y: sp.betaincinv(n, np.floor(k) + 1, y),
    "fdtr": lambda a, b, x: sp.betainc(a / 2, b / 2, a * x / (b + a * x)),
    "fdtrc": lambda a, b, x: sp.betainc(b / 2, a / 2, b / (b + a * x)),
    "fdtri": lambda a, b, p: f_quantile(a, b, p),
    "agm": lambda a, b: _agm(a, b),
}


def _binomial(k: Any, n: Any, p: Any, integral: Any, at_end: float) -> Any:
    """Of up to k, or of more than k, successes in n; none are more than n."""
    k = np.floor(k)
    inside = integral(k + 1, np.where(k < n, n - k, 1.0), p)
    known = (k >= 0) & (k <= n) & (p >= 0) & (p <= 1)
    return np.where(known, np.where(k == n, at_end, inside), np.nan)


def f_quantile(a: Any, b: Any, p: Any) -> Any:
    """Where F of a and b degrees of freedom has the integral p; digits at both ends."""
    below = sp.betaincinv(a / 2, b / 2, p)
    above = sp.betainccinv(b / 2, a / 2, p)
    return b / a * np.where(below < 0.5, below / (1 - below), (1 - above) / above)


def _agm(a: Any, b: Any) -> Any:
    """``π (a + b) / (4 K(m))``, ``1 - m = 4 a b / (a + b)^2`` (DLMF 19.8.5)."""
    both = a + b
    safe = np.where(both == 0, 1.0, both)
    ratio = 4 * a / safe * (b / safe)
    made = math.pi / 4 * both / sp.ellipkm1(ratio)
    made = np.where((a == 0) | (b == 0), 0.0, made)
    return np.where(a * b < 0, np.nan, made)


def _floats(trace: Trace, values: Any, dtype: Any = np.float64) -> list[Any]:
    """Arrays of a dtype; numbers of it too."""
    kind = np.dtype(dtype)
    arrays = [trace.array(value) for value in values]
    return [
        kind.type(array) if isinstance(array, (int, float)) else array.astype(kind)
        for array in arrays
    ]


def _dtype(trace: Trace, name: str, *operands: Any) -> Any:
    """The dtype that a ufunc of SciPy's has for these."""
    return DTYPES[resolve(ufunc_of(name), *map(trace.array, operands))[-1]]


def _register(name: str, formula: Callable[..., Any]) -> None:
    @lowers_in(MODULE, name)
    def lower(trace: Trace, *operands: Any, **unknown: Any) -> Any:
        reject(unknown)
        return formula(*_floats(trace, operands, _dtype(trace, name, *operands)))


for _name, _formula in _FORMULAS.items():
    _register(_name, _formula)

# Functions of a whole number that is known, which are no ufuncs.


@lowers_in(MODULE, "factorial")
def _factorial(trace: Trace, n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """``Γ(n + 1)``, 0 below 0."""
    reject({"exact": exact or None, "extend": None if extend == "zero" else extend})
    [x] = _floats(trace, [n])
    return np.where(x < 0, 0.0, sp.gamma(np.where(x < 0, 0.0, x) + 1))


def _derivatives_by_order(name: str, function: str, phase: float) -> None:
    """The n-th derivative of a Bessel function by those of the orders around."""

    @lowers_in(MODULE, name)
    def lower(trace: Trace, v: Any, z: Any, n: Any = 1) -> Any:
        count = whole(n, f"the number of derivatives of {name}")
        v, z = _floats(trace, [v, z])
        terms = [
            math.comb(count, k) * phase**k * getattr(sp, function)(v - count + 2 * k, z)
            for k in range(count + 1)
        ]
        made = sum(terms[1:], terms[0]) / 2.0**count
        return -made if function == "kv" and count % 2 else made


for _name, _function, _phase in (
    ("jvp", "jv", -1.0),
    ("yvp", "yv", -1.0),
    ("ivp", "iv", 1.0),
    ("kvp", "kv", 1.0),
):
    _derivatives_by_order(_name, _function, _phase)


def _hankel(name: str, sign: float) -> None:
    @lowers_in(MODULE, name)
    def lower(trace: Trace, v: Any, z: Any, **unknown: Any) -> Any:
        """``J ± i Y`` of real numbers."""
        reject(unknown)
        v, z = _floats(trace, [v, z], _dtype(trace, "jv", v, z))
        return with_imaginary(sp.jv(v, z), sign * sp.yv(v, z))


_hankel("hankel1", 1.0)
_hankel("hankel2", -1.0)
