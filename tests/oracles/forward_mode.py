"""Forward-mode derivatives of a graph, by rules that share nothing with the adjoint's.

Each value gets a tangent beside it: how it moves when the inputs move along a
direction. The rules are NumPy, written down from the calculus of each function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy.linalg import expm_frechet
from scipy.special import spherical_jn

from anabranch.backends.reference.interpreter import evaluate
from anabranch.ir import OPS, Graph, Node

__all__ = ["TANGENTS", "push_forward", "pushed_slots"]

Rule: TypeAlias = Callable[..., Any]


def _ratio_slope(k: int) -> Callable[[Any], Any]:
    """The slope of j(t) / t^k, which is even, with the spherical Bessel function j."""

    def slope(t: Any) -> Any:
        size = np.abs(t)
        moved = spherical_jn(k, size, derivative=True) / size**k
        return np.sign(t) * (moved - k * spherical_jn(k, size) / size ** (k + 1))

    return slope


def _power_log_slopes(k: int) -> tuple[Callable[[Any, Any], Any], ...]:
    """Those of x^y log(x)^k."""
    return (
        lambda x, y: x ** (y - 1) * np.log(x) ** (k - 1) * (y * np.log(x) + k),
        lambda x, y: x**y * np.log(x) ** (k + 1),
    )


LINEAR = (
    "neg identity cast reshape transpose broadcast_to slice update concatenate "
    "reduce_sum cumsum windows fold add_n add sub"
).split()
BILINEAR = "mul matmul conv conv_input conv_kernel".split()
SLOPES: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "exp2": lambda x: np.log(2.0) * np.exp2(x),
    "expm1": np.exp,
    "log": lambda x: 1 / x,
    "log2": lambda x: 1 / (x * np.log(2.0)),
    "log10": lambda x: 1 / (x * np.log(10.0)),
    "log1p": lambda x: 1 / (1 + x),
    "sqrt": lambda x: 0.5 * x**-0.5,
    "root": lambda x: 0.5 * x**-0.5,
    **{f"bessel_ratio{k}": _ratio_slope(k) for k in range(6)},
    "cbrt": lambda x: np.cbrt(x) / (3 * x),
    "sin": np.cos,
    "cos": lambda x: -np.sin(x),
    "tan": lambda x: np.cos(x) ** -2,
    "arcsin": lambda x: ((1 - x) * (1 + x)) ** -0.5,
    "arccos": lambda x: -(((1 - x) * (1 + x)) ** -0.5),
    "arctan": lambda x: 1 / (1 + x * x),
    "sinh": np.cosh,
    "cosh": np.sinh,
    "tanh": lambda x: np.cosh(x) ** -2,
    "arcsinh": lambda x: 1 / np.hypot(1.0, x),
    "arccosh": lambda x: ((x - 1) * (x + 1)) ** -0.5,
    "arctanh": lambda x: 1 / ((1 - x) * (1 + x)),
    "erf": lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x),
    "sigmoid": lambda x: 0.25 * np.cosh(x / 2) ** -2,
    "abs": np.sign,
}
PARTIALS: dict[str, tuple[Callable[[Any, Any], Any], ...]] = {
    "chain": (lambda g, d: d, lambda g, d: g),
    "chain_both": (lambda g, h: h, lambda g, h: g),
    "tanh_slope": (lambda y, x: -2 * y, lambda y, x: 0 * x),
    "sigmoid_slope": (lambda y, x: 1 - 2 * y, lambda y, x: 0 * x),
    **{f"power_log{k}": _power_log_slopes(k) for k in range(1, 5)},
    "div": (lambda x, y: 1 / y, lambda x, y: -x / y**2),
    **dict.fromkeys(
        ("power", "float_power"),
        (lambda x, y: x**y * y / x, lambda x, y: np.log(x) * x**y),
    ),
    "arctan2": (
        lambda y, x: x / np.hypot(x, y) ** 2,
        lambda y, x: -y / np.hypot(x, y) ** 2,
    ),
    "hypot": (
        lambda x, y: np.cos(np.arctan2(y, x)),
        lambda x, y: np.sin(np.arctan2(y, x)),
    ),
    "cosine": (
        lambda x, y: y**2 / np.hypot(x, y) ** 3,
        lambda x, y: -x * y / np.hypot(x, y) ** 3,
    ),
    "logaddexp": (
        lambda x, y: 1 / (1 + np.exp(y - x)),
        lambda x, y: 1 / (1 + np.exp(x - y)),
    ),
    "logaddexp2": (
        lambda x, y: 1 / (1 + np.exp2(y - x)),
        lambda x, y: 1 / (1 + np.exp2(x - y)),
    ),
    "remainder": (lambda x, y: 1.0 + 0 * x, lambda x, y: -np.floor(x / y)),
    "fmod": (lambda x, y: 1.0 + 0 * x, lambda x, y: -np.trunc(x / y)),
    "maximum": (lambda x, y: 1.0 * (x > y), lambda x, y: 1.0 * (x < y)),
    "minimum": (lambda x, y: 1.0 * (x < y), lambda x, y: 1.0 * (x > y)),
}
PARTIALS["fmax"], PARTIALS["fmin"] = PARTIALS["maximum"], PARTIALS["minimum"]


def _linear(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return OPS[node.op].reference(*ts, **node.attrs)


def _bilinear(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    (x, y), (tx, ty), apply = xs, ts, OPS[node.op].reference
    return apply(tx, y, **node.attrs) + apply(x, ty, **node.attrs)


def _product_added(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    (x, y, _), (tx, ty, tz) = xs, ts
    return tx @ y + x @ ty + tz


def _elementwise(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    if node.op in SLOPES:
        return SLOPES[node.op](xs[0]) * ts[0]
    return sum(part(*xs) * t for part, t in zip(PARTIALS[node.op], ts, strict=True))


def _pad(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return OPS["pad"].reference(ts[0], **{**node.attrs, "value": 0.0})


def _indexed(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return OPS[node.op].reference(ts[0], xs[1], **node.attrs)


def _sorted(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return np.take_along_axis(ts[0], np.argsort(xs[0], axis=-1, kind="stable"), -1)


def _ranked(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    places: Any = node.attrs["places"]
    return _sorted(node, xs, ts)[..., list(places)]


def _stored(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return OPS[node.op].reference(ts[0], ts[1], xs[2], **node.attrs)


def _moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """Linear in the arrays; the positions stay."""
    arrays = 1 if node.op == "slice_at" else 2
    return OPS[node.op].reference(*ts[:arrays], *xs[arrays:], **node.attrs)


def _chosen(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return np.where(xs[0], ts[1], ts[2])


def _picked(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return ts[0] * (xs[1] > xs[2]) + 0.5 * ts[0] * (xs[1] == xs[2])


def _signed(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return ts[0] * np.sign(xs[0]) * np.sign(xs[1])


def _stepped(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return np.where(xs[0] == 0, ts[1], 0.0)


def _beside_mean(node: Node, p: Any, t: Any) -> Any:
    """t less its mean, weighted by the shares p."""
    axes: Any = node.attrs["axes"]
    return t - np.sum(p * t, axis=axes, keepdims=True)


def _winning(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    axes: Any = node.attrs["axes"]
    best = np.max if node.op == "reduce_max" else np.min
    hit = xs[0] == best(xs[0], axis=axes, keepdims=True)
    return np.sum(ts[0] * hit, axis=axes) / np.sum(hit, axis=axes)


def _pooled(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """The mean of what moves the maxima of each window."""
    x, t = (OPS["windows"].reference(v, **node.attrs) for v in (xs[0], ts[0]))
    axes = tuple(range(xs[0].ndim, x.ndim))
    hit = x == np.max(x, axis=axes, keepdims=True)
    return np.sum(t * hit, axis=axes) / np.sum(hit, axis=axes)


def _multiplied(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """Σ_i t_i Π_{j≠i} x_j, one term at a time."""
    axes: Any = node.attrs["axes"]
    rest = [axis for axis in range(xs[0].ndim) if axis not in axes]
    shape = (*(xs[0].shape[axis] for axis in rest), -1)
    x, t = (np.transpose(v, (*rest, *axes)).reshape(shape) for v in (xs[0], ts[0]))
    total = np.zeros(shape[:-1])
    for i in range(x.shape[-1]):
        replaced = x.copy()
        replaced[..., i] = t[..., i]
        total = total + np.prod(replaced, axis=-1)
    return total


def _running(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    axis, reverse = int(str(node.attrs["axis"])), bool(node.attrs["reverse"])
    a, x, ta, tx = (np.moveaxis(v, axis, 0) for v in (*xs, *ts))
    order = range(len(x))
    state, moving, made = 0.0 * x[:1].sum(0), 0.0 * x[:1].sum(0), np.empty_like(x)
    for count, k in enumerate(reversed(order) if reverse else order):
        moving = ta[k] * state + a[k] * moving + tx[k] if count else tx[k]
        state = a[k] * state + x[k] if count else x[k]
        made[k] = moving
    return np.moveaxis(made, 0, axis)


def _swapped(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _half(x: Any) -> Any:
    """The lower triangle, with half of the diagonal."""
    return np.tril(x) - 0.5 * np.eye(x.shape[-1]) * x


def _factor_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """dL = L half(L^-1 dA L^-T), of a symmetric dA."""
    factor = OPS["cholesky"].reference(xs[0])
    moved = 0.5 * (ts[0] + _swapped(ts[0]))
    inverse = np.linalg.inv(factor)
    return factor @ _half(inverse @ moved @ _swapped(inverse))


def _factor_pulled(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """dX = L^-T (dP - dL^T X L - L^T X dL) L^-1, P the symmetric half(L^T G)."""
    pulled = OPS["cholesky_input"].reference(*xs)
    (low, bar), (tl, tbar) = map(np.tril, xs), map(np.tril, ts)
    half = _half(_swapped(tl) @ bar + _swapped(low) @ tbar)
    turned = _swapped(tl) @ pulled @ low
    inverse = np.linalg.inv(low)
    inner = 0.5 * (half + _swapped(half)) - turned - _swapped(turned)
    return _swapped(inverse) @ inner @ inverse


def _factors_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """dL = L tril(F) and dU = triu(F) U, with F = L^-1 P dA U^-1."""
    factors, order, _ = OPS["lu"].reference(xs[0])
    lower = np.tril(factors, -1) + np.eye(factors.shape[-1])
    upper = np.triu(factors)
    moved = np.take_along_axis(ts[0], order[..., None], -2)
    inner = np.linalg.inv(lower) @ moved @ np.linalg.inv(upper)
    return lower @ np.tril(inner, -1) + np.triu(inner) @ upper


def _solution_moved(a: Any, y: Any, ta: Any, tx: Any) -> Any:
    """dy = A^-1 (dx - dA y)."""
    return np.linalg.solve(a, tx - ta @ y)


def _triangle_solved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    a, ta = (np.tril(v) if node.attrs["lower"] else np.triu(v) for v in (xs[0], ts[0]))
    if node.attrs["unit"]:
        eye = np.eye(a.shape[-1])
        a, ta = a * (1 - eye) + eye, ta * (1 - eye)
    if node.attrs["transposed"]:
        a, ta = _swapped(a), _swapped(ta)
    return _solution_moved(a, np.linalg.solve(a, xs[1]), ta, ts[1])


def _lu_solved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    a, ta = xs[0], ts[0]
    if node.attrs["transposed"]:
        a, ta = _swapped(a), _swapped(ta)
    return _solution_moved(a, np.linalg.solve(a, xs[3]), ta, ts[3])


def _determinant_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    relative = np.trace(np.linalg.solve(xs[0], ts[0]), axis1=-2, axis2=-1)
    return relative * (xs[3] if node.op == "det" else 1.0)


def _which(node: Node) -> int:
    """Which of its values a node is seen as."""
    return node.names.index(node.name) if node.name in node.names else 0


def _qr_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """dQ = Q S + (1 - Q Q^T) dX R^-1 and dR = Q^T dA - S R, of the first columns X.

    S is the skew matrix with the lower triangle of Q^T dX R^-1.
    """
    k = min(xs[0].shape[-2:])
    q, r = np.linalg.qr(xs[0])
    inner = ts[0][..., :k] @ np.linalg.inv(r[..., :k])
    low = np.tril(_swapped(q) @ inner, -1)
    skew = low - _swapped(low)
    if _which(node) == 0:
        return q @ skew + inner - q @ _swapped(q) @ inner
    return _swapped(q) @ ts[0] - skew @ r


def _reciprocal_distances(w: Any) -> Any:
    apart = w[..., None, :] - w[..., :, None]
    return np.where(apart == 0, 0.0, 1 / np.where(apart == 0, 1.0, apart))


def _eigen_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """dw = diag(V^T dA V), dV = V (F * V^T dA V)."""
    w, v = np.linalg.eigh(xs[0])
    inner = _swapped(v) @ (np.tril(ts[0]) + _swapped(np.tril(ts[0], -1))) @ v
    if _which(node) == 0:
        return np.diagonal(inner, axis1=-2, axis2=-1)
    return v @ (_reciprocal_distances(w) * inner)


def _singular_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """With K = U^T dA V: ds = diag(K), dU = U (F * (K S + S K^T)) and the rest."""
    u, s, vt = np.linalg.svd(xs[0], full_matrices=False)
    v, factor = _swapped(vt), _reciprocal_distances(s**2)
    k = _swapped(u) @ ts[0] @ v
    row, column = s[..., None, :], s[..., :, None]
    if _which(node) == 1:
        return np.diagonal(k, axis1=-2, axis2=-1)
    if _which(node) == 0:
        out = ts[0] @ v - u @ k
        return u @ (factor * (k * row + column * _swapped(k))) + out / row
    out = _swapped(ts[0]) @ u - v @ _swapped(k)
    return _swapped(v @ (factor * (column * k + _swapped(k) * row)) + out / row)


def _pseudo_inverse_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """From (A^T A) A^+ = A^T for a tall matrix of full rank, else of the transpose."""
    a, n, t = xs[0], xs[1], ts[0]
    if a.shape[-2] < a.shape[-1]:
        return _swapped(
            _pseudo_inverse_moved(node, [_swapped(a), _swapped(n)], [_swapped(t)])
        )
    square = _swapped(t) @ a + _swapped(a) @ t
    return np.linalg.solve(_swapped(a) @ a, _swapped(t) - square @ n)


def _exponential_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """One matrix after the other, by SciPy."""
    made = np.zeros(xs[0].shape)
    for place in np.ndindex(xs[0].shape[:-2]):
        if made[place].size:
            made[place] = expm_frechet(xs[0][place], ts[0][place], compute_expm=False)
    return made


def _sylvester_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """``p dx + dx q = dc - dp x - x dq``, by the Kronecker product."""
    (p, q, _, x), (tp, tq, tc, _) = xs, ts
    return _by_kronecker(p, q, tc - tp @ x - x @ tq)


def _by_kronecker(p: Any, q: Any, c: Any) -> Any:
    made = np.zeros(c.shape)
    for k in np.ndindex(c.shape[:-2]):
        left = np.kron(p[k], np.eye(len(q[k]))) + np.kron(np.eye(len(p[k])), q[k].T)
        made[k] = np.linalg.solve(left, c[k].ravel()).reshape(c[k].shape)
    return made


def _root_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    return _by_kronecker(xs[1], xs[1], ts[0])


def _logarithm_moved(node: Node, xs: Sequence[Any], ts: Sequence[Any]) -> Any:
    """What the derivative of the exponential makes the tangent of."""
    made = np.zeros(xs[0].shape)
    for k in np.ndindex(made.shape[:-2]) if made.size else ():
        n = made.shape[-1]
        units = np.eye(n * n).reshape(-1, n, n)
        columns = [expm_frechet(xs[1][k], e, compute_expm=False) for e in units]
        slope = np.reshape(columns, (n * n, n * n)).T
        made[k] = np.linalg.solve(slope, ts[0][k].ravel()).reshape(n, n)
    return made


TANGENTS: dict[str, Rule] = {
    **dict.fromkeys(LINEAR, _linear),
    **dict.fromkeys(BILINEAR, _bilinear),
    **dict.fromkeys((*SLOPES, *PARTIALS), _elementwise),
    "matmul_add": _product_added,
    "pad": _pad,
    "take": _indexed,
    "scatter_add": _indexed,
    "put": _stored,
    "sort": _sorted,
    "ranked": _ranked,
    **dict.fromkeys(("slice_at", "update_at", "add_at"), _moved),
    "select": _chosen,
    "pick": _picked,
    "copysign": _signed,
    "heaviside": _stepped,
    "straight_through": lambda node, xs, ts: ts[1],
    "with_slope": lambda node, xs, ts: ts[0] * xs[1],
    "share": lambda node, xs, ts: xs[0] * _beside_mean(node, xs[0], ts[1]),
    "log_share": lambda node, xs, ts: _beside_mean(node, xs[1], ts[3]),
    "reduce_max": _winning,
    "reduce_min": _winning,
    "max_pool": _pooled,
    "max_pool_input": _indexed,
    "reduce_prod": _multiplied,
    "recurrence": _running,
    "cholesky": _factor_moved,
    "cholesky_input": _factor_pulled,
    "lu": _factors_moved,
    "expm": _exponential_moved,
    "sqrtm": _root_moved,
    "logm": _logarithm_moved,
    "sylvester": _sylvester_moved,
    "pinv": _pseudo_inverse_moved,
    "qr": _qr_moved,
    "eigh": _eigen_moved,
    "svd": _singular_moved,
    "solve_triangular": _triangle_solved,
    "solve_lu": _lu_solved,
    "det": _determinant_moved,
    "logdet": _determinant_moved,
}
STILL = {
    ("take", 1),
    ("scatter_add", 1),
    ("put", 2),
    ("select", 0),
    ("straight_through", 0),
    ("with_slope", 1),
    ("share", 0),
    ("log_share", 0),
    ("log_share", 1),
    ("log_share", 2),
    ("tanh_slope", 1),
    ("sigmoid_slope", 1),
    ("pick", 1),
    ("pick", 2),
    ("copysign", 1),
    ("heaviside", 0),
    ("max_pool_input", 1),
    *((op, slot) for op in ("solve_lu", "det", "logdet") for slot in (1, 2)),
    ("pinv", 1),
    ("sqrtm", 1),
    ("logm", 1),
    ("sylvester", 3),
    ("expm", 1),
    ("expm", 2),
    ("det", 3),
    ("logdet", 3),
}
"""The operands that a tangent does not pass through."""


def pushed_slots(graph: Graph, node: Node) -> list[int]:
    """The slots of ``node`` whose tangent reaches its value's."""
    return [
        slot
        for slot, operand in enumerate(node.operands)
        if node.op in TANGENTS
        and (node.op, slot) not in STILL
        and node.type.is_float
        and graph[operand].type.is_float
    ]


def push_forward(
    graph: Graph, point: Sequence[Any], direction: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """The outputs at ``point``, and their tangents along ``direction``."""
    values: dict[str, Any] = {}
    tangents: dict[str, Any] = {}
    moves = iter(direction)
    for node, value in evaluate(graph, point):
        values[node.name] = value
        if node.op == "input":
            move = next(moves)
            tangent = np.zeros(value.shape) if move is None else move
        elif pushed_slots(graph, node):
            with np.errstate(all="ignore"):
                tangent = TANGENTS[node.op](
                    node,
                    [values[name] for name in node.operands],
                    [tangents[name] for name in node.operands],
                )
        else:
            tangent = np.zeros(value.shape)
        tangents[node.name] = np.asarray(tangent)
    return [values[n] for n in graph.results], [tangents[n] for n in graph.results]
