"""The modules `math` and `cmath`, and what else Python computes of numbers.

Where they raise, for a root of a negative number say, the result is NumPy's: nan or
inf.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ...ir.ops.special import ufunc_of
from ..lower.complex import with_imaginary
from ..tracing.known import real
from ..tracing.running import find_trace, is_traced
from .folds import total
from .table import instead_of, python_float, python_int, unknown

__all__: list[str] = []

_MATH = {
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "copysign": np.copysign,
    "cos": np.cos,
    "cosh": np.cosh,
    "degrees": np.degrees,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "fabs": np.fabs,
    "fmod": np.fmod,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "pow": np.power,
    "radians": np.radians,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    "trunc": np.trunc,
    "floor": np.floor,
    "ceil": np.ceil,
}


def _of_math(function: Any, ufunc: Any) -> None:
    @instead_of(function)
    def compute(*args: Any) -> Any:
        if not any(map(unknown, args)):
            return function(*map(real, args))
        if len(args) != ufunc.nin:
            raise TypeError(f"{function.__name__} takes {ufunc.nin}, not {len(args)}")
        made = ufunc(*map(python_float, args))
        whole = function in (math.floor, math.ceil, math.trunc)
        return python_int(made) if whole else made


for _name, _ufunc in _MATH.items():
    _of_math(getattr(math, _name), _ufunc)


@instead_of(math.log)
def _log(value: Any, base: Any = None) -> Any:
    if not any(map(unknown, (value, base))):
        return math.log(real(value)) if base is None else math.log(value, base)
    made = np.log(python_float(value))
    return made if base is None else made / np.log(python_float(base))


def _formula(function: Any) -> Callable[[Callable[..., Any]], Any]:
    """Have what a formula says of traced numbers computed in the place of a function.

    It is given floats of Python's, but for what is no number.
    """

    def add(formula: Callable[..., Any]) -> Any:
        @instead_of(function)
        def compute(*args: Any, **named: Any) -> Any:
            if find_trace((args, named)) is None:
                return function(*map(real, args), **real(named))
            floats = [python_float(x) if _is_number(x) else x for x in args]
            return formula(*floats, **named)

        return formula

    return add


def _is_number(value: Any) -> bool:
    return value.ndim == 0 if is_traced(value) else np.isscalar(value)


def _special(name: str) -> Callable[[Any], Any]:
    return lambda x: ufunc_of(name)(x)


_formula(math.erf)(_special("erf"))
_formula(math.erfc)(_special("erfc"))
_formula(math.gamma)(_special("gamma"))
_formula(math.lgamma)(_special("gammaln"))
_formula(math.modf)(np.modf)


@_formula(math.hypot)
def _hypot(*values: Any) -> Any:
    return reduce(np.hypot, values, 0.0)


@_formula(math.dist)
def _dist(p: Any, q: Any) -> Any:
    if len(p) != len(q):
        raise ValueError("both points must have the same number of dimensions")
    return reduce(np.hypot, [a - b for a, b in zip(p, q, strict=True)], 0.0)


@_formula(math.isclose)
def _isclose(a: Any, b: Any, *, rel_tol: Any = 1e-09, abs_tol: Any = 0.0) -> Any:
    most = np.maximum(rel_tol * np.maximum(abs(a), abs(b)), abs_tol)
    finite = np.isfinite(a) & np.isfinite(b)
    return (a == b) | (finite & (abs(a - b) <= most))


@_formula(math.fsum)
def _fsum(values: Any) -> Any:
    return python_float(total(list(values)))


@_formula(math.ldexp)
def _ldexp(x: Any, power: Any) -> Any:
    return x * 2.0**power


@instead_of(math.prod)
def _prod(values: Any, *, start: Any = 1) -> Any:
    return reduce(lambda one, other: one * other, values, start)


@instead_of(round)
def _round(number: Any, ndigits: Any = None) -> Any:
    if ndigits is not None or not unknown(number) or number.ndim:
        return round(number, ndigits)
    whole = number.dtype.kind in "biu"
    return python_int(number if whole else np.rint(number))


# Complex numbers.


def _complex(value: Any) -> Any:
    return value.astype(complex) if is_traced(value) else complex(value)


def _of_cmath(function: Any, ufunc: Any) -> None:
    @instead_of(function)
    def compute(value: Any) -> Any:
        return ufunc(_complex(value)) if unknown(value) else function(real(value))


for (
    _name
) in "exp log log10 sqrt sin cos tan sinh cosh tanh isnan isinf isfinite".split():
    _of_cmath(getattr(cmath, _name), getattr(np, _name))
for _name in "asin acos atan asinh acosh atanh".split():
    _of_cmath(getattr(cmath, _name), getattr(np, f"arc{_name[1:]}"))
_of_cmath(cmath.phase, np.angle)
_of_cmath(cmath.polar, lambda z: (abs(z), np.angle(z)))


@_formula(cmath.rect)
def _rect(r: Any, phi: Any) -> Any:
    return with_imaginary(r * np.cos(phi), r * np.sin(phi))
