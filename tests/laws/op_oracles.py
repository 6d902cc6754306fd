"""What each op computes, a second time: the slow and obvious way.

An op whose record already names NumPy's own ufunc or function needs no entry. The
others are written here with loops over elements, in other words than the record's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from scipy.linalg import eigh, lu_factor, qr, schur, svd
from scipy.special import spherical_jn

from anabranch.ir import OPS
from anabranch.ir.literals import NO_ATTRS
from anabranch.ir.types import DTYPES, TensorType
from tests.oracles.special_functions import TRUTH, mp

__all__ = ["ORACLES", "each_matrix", "schur_form"]

Array: TypeAlias = "np.ndarray[Any, Any]"
Ints: TypeAlias = tuple[int, ...]


def _chain(g: float, d: float) -> float:
    """The product, but 0 where nothing arrives and the slope is no finite number."""
    if g == 0 and not math.isfinite(d):
        return 0.0
    return g * d


def _chain_both(g: float, h: float) -> float:
    """The product, but 0 where either is 0 and the other no finite number."""
    return 0.0 if 0 in (g, h) and not math.isfinite(g + h) else g * h


def _power_log(order: int) -> Callable[[float, float], float]:
    """The order-th derivative of x^y by y."""
    return lambda x, y: float(x**y * math.log(x) ** order)


def _bessel_ratio(order: int) -> Callable[[Array], Array]:
    """j(t) / t^order with the spherical Bessel function of that order; it is even."""
    return lambda t: np.asarray(
        spherical_jn(order, np.abs(t)) / np.abs(t) ** order, t.dtype
    )


def _pick(g: float, x: float, y: float) -> float:
    """All of g to the larger operand, half at a tie, NaN where there is no order."""
    if math.isnan(x) or math.isnan(y):
        return math.nan if g else 0.0
    return g if x > y else g / 2 if x == y else 0.0


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def elements(function: Callable[..., Any]) -> Callable[..., Array]:
    """A function of numbers, applied element by element."""

    def apply(*arrays: Array) -> Array:
        made = np.empty_like(arrays[-1], order="C")
        for place in np.ndindex(made.shape):
            made[place] = function(*(array[place] for array in arrays))
        return made

    return apply


def _several(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A function of numbers with several results."""

    def result(place: int) -> Callable[..., Array]:
        return elements(_exactly(lambda *given: function(*given)[place]))

    return lambda *arrays: tuple(result(place)(*arrays) for place in range(count))


def _special(name: str) -> Callable[..., Any]:
    one = TensorType("f64", ())
    orders = len(OPS[name].constant_slots)
    types = [one.with_dtype("i64")] * orders + [one] * (OPS[name].arity - orders)
    made = OPS[name].infer(tuple(types), NO_ATTRS)
    if isinstance(made, tuple):
        return _several(TRUTH[name], len(made))
    return elements(_exactly(TRUTH[name]))


def _exactly(function: Callable[..., Any]) -> Callable[..., float]:
    """A function of multiprecision numbers, as one of floats."""

    def value(*numbers: float) -> float:
        with mp.workdps(30):
            return float(function(*(mp.mpf(float(x)) for x in numbers)))

    return value


def lines(x: Array, axis: int, *, reverse: bool = False) -> Iterator[tuple[Any, ...]]:
    """The index of each element along one axis, a line at a time."""
    others = [range(size) for size in x.shape]
    others[axis] = range(1)
    steps = range(x.shape[axis])
    for place in product(*others):
        yield tuple(
            (*place[:axis], step, *place[axis + 1 :])
            for step in (reversed(steps) if reverse else steps)
        )


def _cumsum(x: Array, *, axis: int, reverse: bool) -> Array:
    return _recurrence(np.ones_like(x), x, axis=axis, reverse=reverse)


def _recurrence(a: Array, x: Array, *, axis: int, reverse: bool) -> Array:
    made = np.empty_like(x, order="C")
    for line in lines(x, axis, reverse=reverse):
        before = x.dtype.type(0)
        for step, place in enumerate(line):
            before = a[place] * before + x[place] if step else x[place]
            made[place] = before
    return made


def _groups(x: Array, axes: Ints) -> Iterator[tuple[Ints, list[Any]]]:
    """Each place of a reduced value, with the elements that it is made from."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    for place in np.ndindex(*(x.shape[axis] for axis in kept)):
        index: list[Any] = [slice(None)] * x.ndim
        for axis, position in zip(kept, place, strict=True):
            index[axis] = position
        yield place, list(x[tuple(index)].ravel() if axes else [x[place]])


def reduction(combine: Callable[[list[Any]], Any]) -> Callable[..., Array]:
    """A function of all elements of a group."""

    def apply(x: Array, *, axes: Ints) -> Array:
        kept = [size for axis, size in enumerate(x.shape) if axis not in axes]
        made = np.empty(kept, x.dtype)
        for place, group in _groups(x, axes):
            made[place] = combine(group)
        return made

    return apply


def _sum(group: list[Any]) -> Any:
    if group and group[0].dtype.kind == "f":
        return math.fsum(group)
    return _wrapped(group, sum(int(item) for item in group))


def _prod(group: list[Any]) -> Any:
    if group and group[0].dtype.kind == "f":
        return math.prod(float(item) for item in group)
    return _wrapped(group, math.prod(int(item) for item in group))


def _wrapped(group: list[Any], value: int) -> Any:
    """An integer modulo the range of the elements."""
    dtype = group[0].dtype if group else np.dtype(np.int64)
    return np.array(value % 2**64, np.uint64).astype(dtype)[()]


def position(better: Callable[[Any, Any], bool]) -> Callable[..., Array]:
    """The first index along an axis that no later element betters."""

    def apply(x: Array, *, axis: int) -> Array:
        made = np.empty(x.shape[:axis] + x.shape[axis + 1 :], np.int64)
        for line in lines(x, axis):
            best = 0
            for step, place in enumerate(line):
                if better(x[place], x[line[best]]):
                    best = step
            made[line[0][:axis] + line[0][axis + 1 :]] = best
        return made

    return apply


def _slice(x: Array, *, start: Ints, shape: Ints, step: Ints) -> Array:
    along = zip(start, shape, step, strict=True)
    picks = [[first + by * k for k in range(count)] for first, count, by in along]
    return x[np.ix_(*(np.array(pick, int) for pick in picks))] if picks else x


def _update(x: Array, v: Array, *, start: Ints, step: Ints) -> Array:
    made = np.array(x)
    for place in np.ndindex(v.shape):
        to = [s + by * k for s, by, k in zip(start, step, place, strict=True)]
        made[tuple(to)] = v[place]
    return made


def _from(axes: Ints, start: Ints, positions: Iterable[Array]) -> Ints:
    """Where a slice begins."""
    along = dict(zip(axes, map(int, positions), strict=True))
    return tuple(first + along.get(axis, 0) for axis, first in enumerate(start))


def _slice_at(
    x: Array, *positions: Array, axes: Ints, start: Ints, shape: Ints, step: Ints
) -> Array:
    return _slice(x, start=_from(axes, start, positions), shape=shape, step=step)


def _update_at(
    x: Array, v: Array, *positions: Array, axes: Ints, start: Ints, step: Ints
) -> Array:
    return _update(x, v, start=_from(axes, start, positions), step=step)


def _add_at(
    x: Array, v: Array, *positions: Array, axes: Ints, start: Ints, step: Ints
) -> Array:
    added = _update(np.zeros_like(x), v, start=_from(axes, start, positions), step=step)
    return np.asarray(x + added)


def _put(x: Array, v: Array, i: Array, *, axis: int) -> Array:
    made = np.array(x)
    for place in np.ndindex(v.shape):
        to = int(i[place[axis : axis + i.ndim]])
        made[(*place[:axis], to, *place[axis + i.ndim :])] = v[place]
    return made


def _pad(x: Array, *, low: Ints, high: Ints, interior: Ints, value: float) -> Array:
    for axis, gap in enumerate(interior):
        for place in range(x.shape[axis] - 1, 0, -1):
            x = np.insert(x, [place] * gap, value, axis)
    widths = list(zip(low, high, strict=True))
    return np.pad(x, widths, constant_values=value) if widths else x


def _take(x: Array, i: Array, *, axis: int) -> Array:
    return x[(*(slice(None),) * axis, i)]


def _scatter_add(x: Array, i: Array, *, axis: int, size: int) -> Array:
    made = np.zeros((*x.shape[:axis], size, *x.shape[axis + i.ndim :]), x.dtype)
    for place in np.ndindex(x.shape):
        to = int(i[place[axis : axis + i.ndim]])
        made[(*place[:axis], to, *place[axis + i.ndim :])] += x[place]
    return made


def _sort(x: Array) -> Array:
    return np.take_along_axis(x, _argsort(x), -1)


def _argsort(x: Array) -> Array:
    """By Python's own sort, which is stable; a NaN is after all numbers."""
    made = np.empty(x.shape, np.int64)
    for place in np.ndindex(x.shape[:-1]):
        row = x[place].tolist()
        made[place] = sorted(range(len(row)), key=lambda k: (row[k] != row[k], row[k]))
    return made


def _ranked(x: Array, *, places: tuple[int, ...]) -> Array:
    return _sort(x)[..., list(places)]


def _argranked(x: Array, values: Array, *, places: tuple[int, ...]) -> Array:
    return _argsort(x)[..., list(places)]


def _searchsorted(a: Array, v: Array, *, right: bool) -> Array:
    """The entries counted that come before."""
    counts = [
        sum(1 for entry in a if entry < one or (right and entry == one))
        for one in v.ravel()
    ]
    return np.array(counts, np.int64).reshape(v.shape)


def _windows(x: Array, *, size: Ints, stride: Ints) -> Array:
    rank = x.ndim - len(size)
    sizes = zip(x.shape[rank:], size, stride, strict=True)
    places = [(whole - part) // step + 1 for whole, part, step in sizes]
    made = np.empty((*x.shape[:rank], *places, *size), x.dtype)
    for place, inner in product(np.ndindex(*places), np.ndindex(*size)):
        at = tuple(p * s + k for p, s, k in zip(place, stride, inner, strict=True))
        made[(..., *place, *inner)] = x[(..., *at)]
    return made


def _fold(x: Array, *, shape: Ints, stride: Ints) -> Array:
    rank = len(shape)
    lead, places, size = (
        x.shape[: -2 * rank],
        x.shape[-2 * rank : -rank],
        x.shape[-rank:],
    )
    made = np.zeros((*lead, *shape), x.dtype)
    for place, inner in product(np.ndindex(*places), np.ndindex(*size)):
        at = tuple(p * s + k for p, s, k in zip(place, stride, inner, strict=True))
        made[(..., *at)] += x[(..., *place, *inner)]
    return made


def _max_pool(x: Array, *, size: Ints, stride: Ints) -> Array:
    seen = _windows(x, size=size, stride=stride)
    return np.sort(seen.reshape(*seen.shape[: x.ndim], math.prod(size)))[..., -1]


def _max_pool_input(g: Array, x: Array, *, size: Ints, stride: Ints) -> Array:
    made = np.zeros_like(x)
    rank = x.ndim - len(size)
    for place in np.ndindex(g.shape):
        parts = zip(place[rank:], size, stride, strict=True)
        window = (*place[:rank], *(slice(p * s, p * s + k) for p, k, s in parts))
        hit = x[window] == x[window].max()
        made[window] += hit * g[place] / hit.sum()
    return made


def _paths(
    x: Ints, w: Ints, y: Ints, stride: Ints
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]]:
    """The indices of x, w, y that meet in one term of a convolution."""
    for place, inner in product(np.ndindex(*y[2:]), np.ndindex(*w[2:])):
        at = (p * s + k for p, s, k in zip(place, stride, inner, strict=True))
        yield (..., *at), (..., *inner), (..., *place)


def _conv(x: Array, w: Array, *, stride: Ints) -> Array:
    sizes = zip(x.shape[2:], w.shape[2:], stride, strict=True)
    places = [(whole - part) // step + 1 for whole, part, step in sizes]
    y = np.zeros((x.shape[0], w.shape[0], *places), x.dtype)
    for i, k, p in _paths(x.shape, w.shape, y.shape, stride):
        y[p] += np.einsum("nc,oc->no", x[i], w[k])
    return y


def _conv_input(y: Array, w: Array, *, shape: Ints, stride: Ints) -> Array:
    x = np.zeros((y.shape[0], w.shape[1], *shape), y.dtype)
    for i, k, p in _paths(x.shape, w.shape, y.shape, stride):
        x[i] += np.einsum("no,oc->nc", y[p], w[k])
    return x


def _conv_kernel(x: Array, y: Array, *, shape: Ints, stride: Ints) -> Array:
    w = np.zeros((y.shape[1], x.shape[1], *shape), x.dtype)
    for i, k, p in _paths(x.shape, w.shape, y.shape, stride):
        w[k] += np.einsum("nc,no->oc", x[i], y[p])
    return w


def _iota(*, shape: Ints, axis: int, dtype: str) -> Array:
    return np.indices(shape)[axis].astype(DTYPES[dtype])


def _matmul(x: Array, y: Array) -> Array:
    made = np.zeros((*x.shape[:-1], y.shape[-1]), x.dtype)
    for k in range(x.shape[-1]):
        made += x[..., :, k, None] * y[..., None, k, :]
    return made


def _concatenate(*parts: Array, axis: int) -> Array:
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    made = np.empty(shape, parts[0].dtype)
    offset = 0
    for part in parts:
        for place in np.ndindex(part.shape):
            made[(*place[:axis], place[axis] + offset, *place[axis + 1 :])] = part[
                place
            ]
        offset += part.shape[axis]
    return made


def _reshape(x: Array, *, shape: Ints) -> Array:
    return np.fromiter(x.flat, x.dtype, x.size).reshape(shape)


def each_matrix(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of matrices, of the first of which there is a stack of them."""

    def apply(*stacks: Array, **attrs: Any) -> Any:
        lead = stacks[0].shape[:-2]
        count = math.prod(lead)
        if count == 0:  # one that is left out again
            like = [stack.shape[len(lead) :] for stack in stacks]
            given = [np.eye(*n) if len(n) == 2 else np.arange(*n) for n in like]
            alone = zip(given, stacks, strict=True)
            stacks = tuple(x.astype(s.dtype).reshape(1, *x.shape) for x, s in alone)
        places = np.ndindex(stacks[0].shape[:-2])
        made = [function(*(stack[k] for stack in stacks), **attrs) for k in places]
        several = isinstance(made[0], tuple)
        rows = list(zip(*made, strict=True)) if several else [made]
        values = [
            np.array(row)[:count].reshape((*lead, *np.shape(row[0]))) for row in rows
        ]
        return tuple(values) if several else values[0]

    return apply


def _cholesky(a: Array) -> Array:
    made = np.zeros_like(a)
    for i, j in np.ndindex(a.shape):
        if j <= i:
            rest = a[i, j] - made[i, :j] @ np.conj(made[j, :j])
            made[i, j] = np.sqrt(np.real(rest)) if i == j else rest / made[j, j]
    return made


def _cholesky_input(factor: Array, bar: Array) -> Array:
    """What each symmetric change of a matrix does to its factor, times ``bar``."""
    low, n = np.tril(factor), len(factor)
    inverse = np.linalg.inv(low)
    made = np.zeros_like(low)
    for i, j in np.ndindex(low.shape):
        change = np.zeros((n, n))
        change[i, j] += 0.5
        change[j, i] += 0.5
        inner = np.tril(inverse @ change @ inverse.T)
        np.fill_diagonal(inner, np.diag(inner) / 2)
        made[i, j] = np.sum(np.tril(bar) * (low @ inner))
    return made


def _lu(a: Array) -> tuple[Array, Array, np.int64]:
    """SciPy's, with its exchanges made an order."""
    order, sign = np.arange(len(a)), 1
    if not len(a):
        return a, order, np.int64(sign)
    factors, exchanged = lu_factor(a)
    for i, other in enumerate(exchanged.tolist()):
        order[[i, other]] = order[[other, i]]
        sign = -sign if i != other else sign
    return factors, order, np.int64(sign)


def _solve_triangular(
    a: Array,
    x: Array,
    *,
    lower: bool = True,
    transposed: bool = False,
    unit: bool = False,
    strict: bool = False,
) -> Array:
    t = np.tril(a) if lower else np.triu(a)
    if unit:
        np.fill_diagonal(t, 1)
    return np.linalg.solve(t.T if transposed else t, x)


def _solve_lu(
    a: Array,
    factors: Array,
    order: Array,
    x: Array,
    *,
    transposed: bool = False,
    strict: bool = False,
) -> Array:
    return np.linalg.solve(a.T if transposed else a, x)


def _qr(a: Array, *, complete: bool = False) -> Any:
    """SciPy's; there is nothing to turn in an empty matrix."""
    if not a.size:
        k = a.shape[0] if complete else min(a.shape)
        return np.eye(a.shape[0], k, dtype=a.dtype), np.zeros((k, a.shape[1]), a.dtype)
    return qr(a, mode="full" if complete else "economic")


def _eigh(a: Array) -> tuple[Array, Array]:
    return eigh(a, driver="evd") if a.size else (np.real(a).reshape(0), a)


def _svd(a: Array, *, complete: bool = False) -> tuple[Array, Array, Array]:
    if not a.size:
        m, n = a.shape if complete else (0, 0)
        left, right = np.eye(a.shape[0], m), np.eye(n, a.shape[1])
        return left.astype(a.dtype), np.zeros(0, a.real.dtype), right.astype(a.dtype)
    return svd(a, full_matrices=complete)


def schur_form(a: Array) -> tuple[Array, Array]:
    """SciPy's."""
    t, z = schur(a, output="complex")[:2] if a.size else (a, a)
    return t, z


ORACLES: dict[str, Callable[..., Any]] = {
    "chain": elements(_chain),
    "chain_both": elements(_chain_both),
    "straight_through": lambda x, y: x,
    "with_slope": lambda x, d: x,
    "share": lambda p, x, axes: p,
    "log_share": lambda y, p, rest, x, axes: y,
    "cosine": elements(lambda x, y: math.cos(math.atan2(y, x))),
    "tanh_slope": elements(lambda y, x: math.cosh(x) ** -2),
    "sigmoid_slope": elements(lambda y, x: _sigmoid(x) * _sigmoid(-x)),
    **{f"power_log{k}": elements(_power_log(k)) for k in range(1, 5)},
    **{f"bessel_ratio{k}": _bessel_ratio(k) for k in range(6)},
    "pick": elements(_pick),
    "sigmoid": elements(_sigmoid),
    "erf": elements(math.erf),
    "select": elements(lambda c, x, y: x if c else y),
    "identity": lambda x: x,
    "stop_gradient": lambda x: x,
    "check": lambda x, **_: x,
    "cast": lambda x, dtype: x.astype(DTYPES[dtype]),
    "add_n": lambda x, y, z: (x + y) + z,
    "reduce_sum": reduction(_sum),
    "reduce_prod": reduction(_prod),
    "reduce_max": reduction(max),
    "reduce_min": reduction(min),
    "reduce_any": reduction(any),
    "reduce_all": reduction(all),
    "argmax": position(lambda x, best: x > best),
    "argmin": position(lambda x, best: x < best),
    "cumsum": _cumsum,
    "recurrence": _recurrence,
    "reshape": _reshape,
    "transpose": lambda x, perm: np.moveaxis(x, perm, range(x.ndim)),
    "broadcast_to": lambda x, shape: x + np.zeros(shape, x.dtype),
    "slice": _slice,
    "update": _update,
    "pad": _pad,
    "concatenate": _concatenate,
    "matmul": _matmul,
    "matmul_add": lambda x, y, z: z + _matmul(x, y),
    "take": _take,
    "put": _put,
    "slice_at": _slice_at,
    "update_at": _update_at,
    "add_at": _add_at,
    "scatter_add": _scatter_add,
    "sort": _sort,
    "argsort": _argsort,
    "ranked": _ranked,
    "argranked": _argranked,
    "searchsorted": _searchsorted,
    "windows": _windows,
    "fold": _fold,
    "max_pool": _max_pool,
    "max_pool_input": _max_pool_input,
    "conv": _conv,
    "conv_input": _conv_input,
    "conv_kernel": _conv_kernel,
    "iota": _iota,
    **{name: _special(name) for name in TRUTH},
    "cholesky": each_matrix(_cholesky),
    "cholesky_input": each_matrix(_cholesky_input),
    "lu": each_matrix(_lu),
    "qr": each_matrix(_qr),
    "eigh": each_matrix(_eigh),
    "svd": each_matrix(_svd),
    "solve_triangular": each_matrix(_solve_triangular),
    "solve_lu": each_matrix(_solve_lu),
    "expm": lambda a, squarings, value: value,
    **dict.fromkeys(("sqrtm", "logm"), lambda a, value: value),
    "sylvester": lambda p, q, c, value: value,
    "pinv": lambda a, value: value,
    "det": lambda a, factors, order, value: value,
    "logdet": lambda a, factors, order, value: value,
}
