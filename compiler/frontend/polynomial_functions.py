"""`numpy.poly1d` and the functions of `numpy.polynomial.polynomial`, of traced values.

Coefficients that cancel are not cut off at the end, which only the values tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import (
    chebyshev,
    hermite,
    hermite_e,
    laguerre,
    legendre,
    polynomial,
)

from ...ir.errors import TraceError
from ..lower.polynomials import series
from ..tracing.known import real
from ..tracing.running import find_trace
from .calls import CALLED, INSTEAD
from .polynomials import array_of, refuse  # whose own functions come first

__all__ = ["HighestFirst"]


class HighestFirst:
    """A `numpy.poly1d` with traced coefficients."""

    def __init__(self, coeffs: Any) -> None:
        self.coeffs = self.coef = self.coefficients = self.c = coeffs
        self.order = self.o = coeffs.shape[0] - 1

    def __call__(self, x: Any) -> Any:
        return np.polyval(self.coeffs, array_of(x))

    def deriv(self, m: int = 1) -> HighestFirst:
        """The derivative number ``m``."""
        return HighestFirst(np.polyder(self.coeffs, m))

    def integ(self, m: int = 1, k: Any = 0) -> HighestFirst:
        """The integral number ``m``, with the constants ``k``."""
        return HighestFirst(np.polyint(self.coeffs, m, k))

    def _with(self, function: Any, other: Any) -> HighestFirst:
        return HighestFirst(function(self.coeffs, _coefficients(other)))

    def __add__(self, other: Any) -> HighestFirst:
        return self._with(np.polyadd, other)

    def __sub__(self, other: Any) -> HighestFirst:
        return self._with(np.polysub, other)

    def __mul__(self, other: Any) -> HighestFirst:
        return self._with(np.polymul, other)

    def __rsub__(self, other: Any) -> HighestFirst:
        return -self + other

    def __neg__(self) -> HighestFirst:
        return HighestFirst(-self.coeffs)

    def __pow__(self, times: int) -> HighestFirst:
        made: Any = HighestFirst(np.ones_like(self.coeffs[:1]))
        for _ in range(times):
            made = made * self
        return made

    __radd__, __rmul__ = __add__, __mul__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.poly1d, name):
            raise AttributeError(f"a poly1d has no attribute {name!r}")
        refuse(f".{name}")


def _coefficients(value: Any) -> Any:
    if isinstance(value, HighestFirst):
        return value.coeffs
    return np.atleast_1d(value.coeffs if isinstance(value, np.poly1d) else value)


def _poly1d(c_or_r: Any, r: bool = False, variable: Any = None) -> Any:
    if find_trace(c_or_r) is None:
        return np.poly1d(real(c_or_r), r, variable)
    given = _coefficients(
        c_or_r if isinstance(c_or_r, HighestFirst) else array_of(c_or_r)
    )
    return HighestFirst(np.poly(given) if r else given)


def _evaluated(made: np.poly1d, x: Any) -> Any:
    return made(real(x)) if find_trace(x) is None else HighestFirst(made.coeffs)(x)


INSTEAD[np.poly1d] = _poly1d
CALLED[np.poly1d] = _evaluated


def _instead_of(function: Any) -> Callable[[Any], Any]:
    """Stand for a function of coefficients, the lowest first, where one is traced."""

    def add(lower: Any) -> Any:
        def called(*args: Any, **named: Any) -> Any:
            if find_trace((args, named)) is None:
                return function(*map(real, args), **real(named))
            return lower(*args, **named)

        INSTEAD[function] = called
        return lower

    return add


def _refused(module: Any) -> None:
    """The functions of a module that ask for real arrays, by name."""
    for name in module.__all__:
        function = getattr(module, name)
        of_ufuncs = name.endswith("weight")
        if isinstance(function, type) or not callable(function) or of_ufuncs:
            continue
        if function in INSTEAD:
            continue

        @_instead_of(function)
        def lower(*args: Any, name: str = name, **named: Any) -> Any:
            raise TraceError(
                f"numpy.polynomial's {name} of traced values is not supported",
                hint="polyval and its kin (chebval) are, and of powers polyadd, "
                "polymul, polyder, polyint, polyvander and polyfit; others run by "
                "anabranch.callback",
            )


def _reversed(function: Any, other: Any) -> None:
    """A function of two polynomials that NumPy has for the highest first."""

    @_instead_of(function)
    def lower(c1: Any, c2: Any) -> Any:
        rows = [np.atleast_1d(array_of(c))[::-1] * 1.0 for c in (c1, c2)]
        made = other(*rows)
        return tuple(p[::-1] for p in made) if isinstance(made, tuple) else made[::-1]


_reversed(polynomial.polyadd, np.polyadd)
_reversed(polynomial.polysub, np.polysub)
_reversed(polynomial.polymul, np.polymul)
_reversed(polynomial.polydiv, np.polydiv)


@_instead_of(polynomial.polymulx)
def _mulx(c: Any) -> Any:
    c = np.atleast_1d(array_of(c)) * 1.0
    return np.concatenate((np.zeros_like(c[:1]), c))


@_instead_of(polynomial.polypow)
def _pow(c: Any, pow: int, maxpower: Any = None) -> Any:
    c = np.atleast_1d(array_of(c)) * 1.0
    made = np.ones_like(c[:1])
    for _ in range(pow):
        made = np.convolve(made, c)
    return made


@_instead_of(polynomial.polyder)
def _der(c: Any, m: int = 1, scl: Any = 1, axis: int = 0) -> Any:
    c = np.moveaxis(array_of(c) * 1.0, axis, 0)
    for _ in range(m):
        count = np.arange(1, c.shape[0]).reshape(-1, *(1,) * (c.ndim - 1))
        c = c[1:] * count * scl if c.shape[0] > 1 else 0 * c[:1]
    return np.moveaxis(c, 0, axis)


@_instead_of(polynomial.polyint)
def _int(
    c: Any, m: int = 1, k: Any = (), lbnd: Any = 0, scl: Any = 1, axis: int = 0
) -> Any:
    c = np.moveaxis(array_of(c) * 1.0, axis, 0)
    given = np.atleast_1d(array_of(k)) if np.size(k) else np.zeros(0)
    for number in range(m):
        count = np.arange(1, c.shape[0] + 1).reshape(-1, *(1,) * (c.ndim - 1))
        risen = np.concatenate((np.zeros_like(c[:1]), c * scl / count))
        start = given[number] if number < given.shape[0] else 0.0
        first = risen[:1] + (start - series("poly", array_of(lbnd), risen))
        c = np.concatenate((first, risen[1:]))
    return np.moveaxis(c, 0, axis)


@_instead_of(polynomial.polyvander)
def _vander(x: Any, deg: int) -> Any:
    x = np.atleast_1d(array_of(x)) * 1.0
    powers = [np.ones_like(x)]
    while len(powers) <= deg:
        powers.append(powers[-1] * x)
    return np.stack(powers, axis=-1)


@_instead_of(polynomial.polyfit)
def _fit(
    x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None
) -> Any:
    return np.polyfit(x, y, deg, rcond, full, w)[::-1]


@_instead_of(polynomial.polyfromroots)
def _from_roots(roots: Any) -> Any:
    return np.poly(array_of(roots))[::-1]


@_instead_of(polynomial.polyvalfromroots)
def _value_from_roots(x: Any, r: Any, tensor: bool = True) -> Any:
    x, r = array_of(x), np.atleast_1d(array_of(r))
    if tensor:
        r = np.reshape(r, r.shape + (1,) * x.ndim)
    return np.prod(x - r, axis=0)


def _of_several(kind: str, points: Any, grid: Any) -> None:
    """Series of several variables: at points, and on the grid of all of them."""

    @_instead_of(points)
    def at_points(*args: Any) -> Any:
        first, *places, c = map(array_of, args)
        c = series(kind, first, c * 1.0)
        for x in places:
            c = series(kind, x, c, tensor=False)
        return c

    @_instead_of(grid)
    def on_grid(*args: Any) -> Any:
        *places, c = map(array_of, args)
        c = c * 1.0
        for x in places:
            c = series(kind, x, c)
        return c


_MODULES = {
    "poly": polynomial,
    "cheb": chebyshev,
    "leg": legendre,
    "herm": hermite,
    "herme": hermite_e,
    "lag": laguerre,
}
for _kind, _module in _MODULES.items():
    for _count in (2, 3):
        _of_several(
            _kind,
            getattr(_module, f"{_kind}val{_count}d"),
            getattr(_module, f"{_kind}grid{_count}d"),
        )
    _refused(_module)
