"""What `numpy.polynomial` evaluates: its functions, and its classes, of traced values.

They are Python that asks for real arrays. Of known values they run as they are.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.polynomial import (
    Chebyshev,
    Hermite,
    HermiteE,
    Laguerre,
    Legendre,
    Polynomial,
    chebyshev,
    hermite,
    hermite_e,
    laguerre,
    legendre,
    polynomial,
)
from numpy.polynomial.polyutils import mapparms

from ...ir.errors import TraceError
from ..lower.polynomials import series
from ..tracing.known import real
from ..tracing.running import active_trace, as_array, find_trace
from .calls import CALLED, INSTEAD

__all__ = ["Series", "array_of", "refuse"]

_CLASSES: dict[str, Any] = {
    "poly": (Polynomial, polynomial.polyval),
    "cheb": (Chebyshev, chebyshev.chebval),
    "leg": (Legendre, legendre.legval),
    "herm": (Hermite, hermite.hermval),
    "herme": (HermiteE, hermite_e.hermeval),
    "lag": (Laguerre, laguerre.lagval),
}
_KINDS = {made: kind for kind, (made, _) in _CLASSES.items()}


def array_of(x: Any) -> Any:
    """A traced array, or one of NumPy's."""
    trace = active_trace()
    assert trace is not None, "the table is used while a trace is made"
    return as_array(trace.array(x))


class Series:
    """A polynomial of which something is traced: it can be evaluated."""

    def __init__(self, kind: str, coef: Any, domain: Any, window: Any) -> None:
        self.kind = kind
        self.coef = coef
        self.domain = domain
        self.window = window

    def __call__(self, x: Any) -> Any:
        x = array_of(x)
        if self.domain is not None:
            start, scale = mapparms(self.domain, self.window)
            x = start + scale * x
        return series(self.kind, x, self.coef)

    def _with(self, function: Any, other: Any) -> Series:
        """Of this and another one, powers both and of one domain, or a number."""
        of_series = isinstance(other, (Series, Polynomial))
        one = other.domain if isinstance(other, Series) else None
        if isinstance(other, Polynomial):
            one = None if np.array_equal(other.domain, other.window) else other.domain
        if self.kind != "poly" or self.domain is not None or one is not None:
            refuse("arithmetic")
        value = np.atleast_1d(array_of(other.coef if of_series else other)) * 1.0
        return Series("poly", function(self.coef[::-1], value[::-1])[::-1], None, None)

    def __add__(self, other: Any) -> Series:
        return self._with(np.polyadd, other)

    def __sub__(self, other: Any) -> Series:
        return self._with(np.polysub, other)

    def __mul__(self, other: Any) -> Series:
        return self._with(np.polymul, other)

    def __rsub__(self, other: Any) -> Series:
        return self * -1.0 + other

    def __neg__(self) -> Series:
        return Series(self.kind, -self.coef, self.domain, self.window)

    def __pow__(self, times: int) -> Series:
        made = Series(self.kind, np.ones_like(self.coef[:1]), self.domain, self.window)
        for _ in range(times):
            made = made * self
        return made

    __radd__, __rmul__ = __add__, __mul__

    def deriv(self, m: int = 1) -> Series:
        """The derivative number ``m``, of powers."""
        return self._mapped("deriv", np.polyder, m)

    def integ(self, m: int = 1, k: Any = 0) -> Series:
        """The integral number ``m`` from 0, of powers."""
        return self._mapped("integ", np.polyint, m, k)

    def _mapped(self, name: str, function: Any, *args: Any) -> Series:
        if self.kind != "poly" or self.domain is not None:
            refuse(f".{name}")
        return Series("poly", function(self.coef[::-1], *args)[::-1], None, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.polynomial.Polynomial, name):
            raise AttributeError(f"a polynomial has no attribute {name!r}")
        refuse(f".{name}")


def refuse(what: str) -> NoReturn:
    """Raise `TraceError` for what polynomials with traced coefficients lack."""
    trace = active_trace()
    if trace is not None:
        trace.enter()
    raise TraceError(
        f"{what} of a polynomial with traced coefficients is not supported",
        source=trace and trace.builder.source,
        hint="evaluations are, and of powers with the usual domain sums, products, "
        ".deriv and .integ; np.polyder, np.polyint and np.polymul take traced ones",
    )


def evaluated(made: Any, x: Any) -> Any:
    """``made(x)`` of one of NumPy's polynomials, at what may be traced."""
    if find_trace(x) is None:
        return made(real(x))
    return Series(_KINDS[type(made)], made.coef, made.domain, made.window)(x)


def _evaluation(kind: str, function: Any) -> None:
    def evaluate(x: Any, c: Any, tensor: bool = True) -> Any:
        if find_trace((x, c)) is None:
            return function(real(x), real(c), tensor)
        return series(kind, array_of(x), np.atleast_1d(array_of(c)) * 1.0, tensor)

    INSTEAD[function] = evaluate


def _construction(kind: str, made: Any) -> None:
    def construct(
        coef: Any, domain: Any = None, window: Any = None, symbol: str = "x"
    ) -> Any:
        if find_trace((coef, domain, window)) is None:
            return made(real(coef), real(domain), real(window), symbol)
        if domain is not None:
            domain = array_of(domain)
            window = made.window if window is None else array_of(window)
        return Series(kind, np.atleast_1d(array_of(coef)) * 1.0, domain, window)

    INSTEAD[made] = construct


for _kind, (_class, _function) in _CLASSES.items():
    _evaluation(_kind, _function)
    _construction(_kind, _class)
    CALLED[_class] = evaluated
