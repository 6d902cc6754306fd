"""The functions of `scipy.special`: ufuncs are ops, the others are made of these."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....ir.errors import TraceError, UnsupportedError
from ....ir.graph import Node
from ....ir.ops import OPS
from ....ir.ops.special import ufunc_of
from ....ir.types import FLOATS
from ... import functions
from ...tracing.lowerings import lowers_in
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..ufuncs import broadcast_nodes, reject, resolve

MODULE = "scipy.special"

# Ufuncs whose op has another name: NumPy's, or that of the same function of reals.
_OTHER_NAME = {
    "psi": "digamma",
    "erf": "erf",
    "expit": "sigmoid",
    "expm1": "expm1",
    "log1p": "log1p",
    "cbrt": "cbrt",
    "exp2": "exp2",
    "jve": "jv",
    "yve": "yv",
    "kn": "kv",
    "yn": "yv",
}


def op_of(trace: Trace, op: str, *operands: Any, dtype: str) -> Node:
    """The node of an op on operands in one dtype, broadcast."""
    nodes = [trace.node(trace.array(operand), dtype) for operand in operands]
    return trace.builder.add_node(op, *broadcast_nodes(trace, *nodes))


def _lower(name: str, op: str) -> None:
    """Register an op as the lowering of a ufunc."""
    orders = OPS[op].constant_slots

    @lowers_in(MODULE, name)
    def lower(trace: Trace, *operands: Any, **unknown: Any) -> Any:
        reject(unknown)
        arrays = [trace.array(operand) for operand in operands]
        dtype = resolve(ufunc_of(name), *arrays)[-1]
        if dtype not in FLOATS:
            raise UnsupportedError(f"scipy.special.{name} of {dtype} is not supported")
        if orders and not _is_float(arrays[0]):
            dtype = "f64"  # which comes first among SciPy's loops
        work = "f64" if orders else dtype
        nodes = [
            _order(trace, name, array) if slot in orders else trace.node(array, work)
            for slot, array in enumerate(arrays)
        ]
        b = trace.builder
        node = b.add_node(op, *broadcast_nodes(trace, *nodes))
        made = tuple(trace.wrap(b.cast(value, dtype)) for value in node.values)
        return made if node.several else made[0]


def _is_float(value: Any) -> bool:
    return np.dtype(getattr(value, "dtype", type(value))).kind == "f"


def _order(trace: Trace, name: str, order: Any) -> Node:
    """An order as i64; a whole float that is known counts as one."""
    if not is_traced(order) and np.all(np.equal(np.mod(order, 1), 0)):
        order = np.asarray(order).astype(np.int64)
    if np.dtype(getattr(order, "dtype", type(order))).kind not in "iu":
        raise UnsupportedError(
            f"scipy.special.{name} of an order that is no integer is not supported",
            hint="pass integers",
        )
    return trace.node(trace.array(order), "i64")


_BY_HAND = ("lambertw", "wofz", "zeta")

for _op in OPS.values():
    if _op.ufunc is not None and _op.name not in _BY_HAND:
        _lower(_op.name, _op.name)
for _name, _op in _OTHER_NAME.items():
    _lower(_name, _op)


@lowers_in(MODULE, "zeta")
def _zeta(trace: Trace, x: Any, q: Any = None) -> Any:
    """Riemann's with one argument, Hurwitz's with two."""
    if q is None:
        return trace.apply(ufunc_of("zetac"), (trace.array(x),), {}) + 1.0
    arrays = trace.array(x), trace.array(q)
    dtype = resolve(ufunc_of("zeta"), *arrays)[-1]
    return trace.wrap(op_of(trace, "zeta", *arrays, dtype=dtype))


@lowers_in(MODULE, "wofz")
def _wofz(trace: Trace, z: Any, **unknown: Any) -> Any:
    reject(unknown)
    z = trace.array(z)
    dtype = resolve(ufunc_of("wofz"), z)[-1]
    return trace.wrap(trace.builder.add_node("wofz", trace.node(z, dtype)))


@lowers_in(MODULE, "lambertw")
def _lambertw(trace: Trace, z: Any, k: Any = 0, tol: Any = 1e-8) -> Any:
    """Complex also where the branch is real: ``lambertw(x).real``."""
    number = trace.node(trace.array(z), "c128")
    order = _order(trace, "lambertw", trace.array(k))
    nodes = (number, order, trace.node(trace.array(tol), "f64"))
    b = trace.builder
    return trace.wrap(b.add_node("lambertw", *broadcast_nodes(trace, *nodes)))


def whole(value: Any, what: str) -> int:
    """A parameter that is a number when the function is traced, and whole."""
    if is_traced(value) or np.ndim(value) or value != int(value):
        raise TraceError(
            f"{what} is one whole number that is known while tracing, not {value!r}",
            hint="pass a Python integer, or a static argument",
        )
    return int(value)


@lowers_in(MODULE, "polygamma")
def _polygamma(trace: Trace, n: Any, x: Any) -> Any:
    """``(-1)^(n+1) n! zeta(n + 1, x)``, in f64 as SciPy has it."""
    order = whole(n, "the order of polygamma")
    if order == 0:
        return trace.wrap(op_of(trace, "digamma", x, dtype="f64"))
    node = op_of(trace, "zeta", float(order + 1), x, dtype="f64")
    factor = math.copysign(math.gamma(order + 1), -((-1.0) ** order))
    return trace.wrap(trace.builder.mul(node, trace.builder.like(node, factor)))


@lowers_in(MODULE, "multigammaln")
def _multigammaln(trace: Trace, a: Any, d: Any) -> Any:
    """NaN where SciPy raises `ValueError`: where 2 a is not above d - 1."""
    size, x = whole(d, "the dimension"), trace.array(a)
    terms = [np.log(np.pi) * (size * (size - 1) * 0.25)]
    terms += [_gammaln(trace, x - (j - 1.0) / 2) for j in range(1, size + 1)]
    return np.where(x > 0.5 * (size - 1), sum(terms[1:], terms[0]), np.nan)


def _gammaln(trace: Trace, x: Any) -> Any:
    """``scipy.special.gammaln`` of a traced array."""
    return trace.apply(ufunc_of("gammaln"), (x,), {})


def _counts(trace: Trace, *values: Any) -> list[Any]:
    """Arrays of numbers that are not weak."""
    return [trace.array(np.asarray(v)[()] if np.isscalar(v) else v) for v in values]


@lowers_in(MODULE, "comb")
def _comb(
    trace: Trace, N: Any, k: Any, *, exact: bool = False, repetition: bool = False
) -> Any:
    reject({"exact": exact or None})
    n, k = _counts(trace, N, k)
    if repetition:
        made = trace.apply(ufunc_of("binom"), (n + k - 1, k), {})
        return np.where((k == 0) & (n >= 0), 1.0, made)
    made = trace.apply(ufunc_of("binom"), (n, k), {})
    return np.where((k <= n) & (n >= 0) & (k >= 0), made, 0.0)


@lowers_in(MODULE, "perm")
def _perm(trace: Trace, N: Any, k: Any, exact: bool = False) -> Any:
    reject({"exact": exact or None})
    n, k = _counts(trace, N, k)
    made = trace.apply(ufunc_of("poch"), (n - k + 1, k), {})
    return np.where((k <= n) & (n >= 0) & (k >= 0), made, 0.0)


@lowers_in(MODULE, "softplus")
def _softplus(trace: Trace, x: Any, **unknown: Any) -> Any:
    reject(unknown)
    return np.logaddexp(0, trace.array(x))


@lowers_in(MODULE, "softmax")
def _softmax(trace: Trace, x: Any, axis: Any = None) -> Any:
    return functions.softmax(trace.array(x), axis)


@lowers_in(MODULE, "log_softmax")
def _log_softmax(trace: Trace, x: Any, axis: Any = None) -> Any:
    return functions.log_softmax(trace.array(x), axis)


@lowers_in(MODULE, "logsumexp")
def _logsumexp(
    trace: Trace,
    a: Any,
    axis: Any = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """With weights ``b`` the logarithm of ``sum(b exp(a))``, NaN where that is less.

    With ``return_sign`` of its magnitude, and its sign.
    """
    a = trace.array(a)
    if b is None and not return_sign:
        return functions.logsumexp(a, axis, keepdims)
    weights = trace.array(1.0 if b is None else b)
    top = np.max(a, axis=axis, keepdims=True)
    top = functions.stop_gradient(np.where(np.isfinite(top), top, 0.0))
    total = np.sum(weights * np.exp(a - top), axis=axis, keepdims=True)
    made = np.log(np.abs(total) if return_sign else total) + top
    results = [made, np.sign(total)] if return_sign else [made]
    if not keepdims:
        results = [np.squeeze(result, axis=axis) for result in results]
    return tuple(results) if return_sign else results[0]
