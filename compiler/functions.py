"""Functions that NumPy lacks; they take ndarrays as well as traced arrays.

What NumPy can express is written in NumPy. The rest goes through `_apply`, which
builds a node for traced operands and calls the op's reference for plain ones.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ir.errors import ArgumentError, DTypeError, ShapeError
from ..ir.literals import Attrs
from ..ir.ops import OPS
from ..ir.ops.softmax import LARGE_SHARE
from ..ir.types import FLOATS, TensorType, dtype_name
from .lower.reductions import axes_of
from .tracing.lowerings import lowers
from .tracing.running import as_array, find_trace, is_traced
from .tracing.trace import Trace

__all__ = [
    "avg_pool",
    "conv",
    "gelu",
    "log_softmax",
    "logsumexp",
    "max_pool",
    "one_hot",
    "relu",
    "sigmoid",
    "softmax",
    "stop_gradient",
]


def _apply(op: str, operands: Sequence[Any], **attrs: Any) -> Any:
    """An op on arrays of one float dtype, traced or not."""
    trace = find_trace(list(operands))
    if trace is None:
        arrays = [np.asarray(operand) for operand in operands]
        dtype = np.result_type(*arrays)
        types = [TensorType(dtype_name(dtype), array.shape) for array in arrays]
        OPS[op].infer(tuple(types), Attrs(attrs))  # raises what tracing would raise
        return OPS[op].reference(*(a.astype(dtype) for a in arrays), **attrs)
    return trace.apply(_OP, (op, operands), attrs)


_OP = "anabranch op"


@lowers(_OP)
def _lower_op(trace: Trace, op: str, operands: Sequence[Any], **attrs: Any) -> Any:
    dtypes = [trace.node(value).type.numpy for value in operands]
    to = dtype_name(np.result_type(*dtypes))
    nodes = [trace.node(value, to) for value in operands]
    return trace.wrap(trace.builder.add_node(op, *nodes, **attrs))


def _floats(x: Any) -> Any:
    """``x`` as an array of floats: integers and bools become float64."""
    array = (
        x if is_traced(x) or isinstance(x, (np.ndarray, np.generic)) else np.asarray(x)
    )
    if array.dtype.kind == "f" and dtype_name(array.dtype) in FLOATS:
        return array
    if array.dtype.kind == "c":
        raise DTypeError("takes real numbers, not complex ones", hint="pass z.real")
    return array.astype(np.float64)


def stop_gradient(x: Any) -> Any:
    """``x``, as a constant for every gradient."""
    return _apply("stop_gradient", [x]) if is_traced(x) else x


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``, element by element, without overflow."""
    return _apply("sigmoid", [_floats(x)])


def relu(x: Any) -> Any:
    """``max(x, 0)``; the derivative at 0 is 1/2, as that of `maximum` at a tie."""
    return np.maximum(x, 0)


def gelu(x: Any, *, approximate: bool = False) -> Any:
    """``x Φ(x)`` with the normal distribution function Φ.

    With ``approximate`` Φ is taken by tanh (Hendrycks and Gimpel, arXiv:1606.08415).
    """
    x = _floats(x)
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1.0 + np.tanh(inner))
    return 0.5 * x * (1.0 + _apply("erf", [x * math.sqrt(0.5)]))


class _Exponentials(NamedTuple):
    """``exp(x - centre)`` along some axes, and the sum of all but one of the largest.

    That one is exp(0), so the logarithm of the whole sum is ``log1p(excess)`` with all
    its digits, however small the others are; ``scale`` is 1 over the whole sum.
    """

    shifted: Any
    centre: Any
    powers: Any
    excess: Any
    scale: Any


def _exponentials(x: Any, axis: Any) -> _Exponentials:
    shifted, centre = _shifted(x, axis)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    powers = np.exp(shifted)
    largest = np.equal(powers, one)
    rest = _total(np.where(largest, zero, powers), axis)
    ties = _total(np.where(largest, powers, zero), axis)
    excess = rest + (ties - one)
    with np.errstate(divide="ignore"):
        return _Exponentials(shifted, centre, powers, excess, one / (excess + one))


def _shifted(x: Any, axis: Any) -> tuple[Any, Any]:
    """``x`` minus its maximum along ``axis``, and that maximum; infinite rows stay."""
    highest = np.max(x, axis=axis, keepdims=True)
    centre = np.where(np.isfinite(highest), highest, x.dtype.type(0))
    return x - centre, centre


def _total(values: Any, axis: Any) -> Any:
    return np.sum(values, axis=axis, keepdims=True)


def _log1p(excess: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log1p(excess)


def _share(share: Any, x: Any, axis: Any) -> Any:
    """``share`` with the derivatives of softmax of ``x``."""
    return _apply("share", [share, x], axes=axes_of(np.ndim(x), axis))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` over ``axis``, without overflow.

    The value of rows of -inf is -inf; their gradient is NaN.
    """
    x = _floats(x)
    _, centre, powers, excess, scale = _exponentials(x, axis)
    total = _log1p(excess) + centre
    if is_traced(x):
        share = _share(powers * scale, x, axis)
        smooth = _total(_apply("with_slope", [x, share]), axis)
        total = _apply("straight_through", [total, smooth])
    return total if keepdims else np.squeeze(total, axis=axes_of(np.ndim(x), axis))


def softmax(x: Any, axis: Any = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along ``axis``, without overflow."""
    x = _floats(x)
    shifted, _ = _shifted(x, axis)
    powers = np.exp(shifted)
    share = powers / _total(powers, axis)
    return _share(share, x, axis) if is_traced(x) else share


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """``log(softmax(x))`` along ``axis``, without overflow."""
    x = _floats(x)
    shifted, _, powers, excess, scale = _exponentials(x, axis)
    made = shifted - _log1p(excess)
    if not is_traced(x):
        return made
    share = _share(powers * scale, x, axis)
    large = np.greater(share, x.dtype.type(LARGE_SHARE))
    rest = _total(np.where(large, x.dtype.type(0), share), axis)
    rest = _apply("straight_through", [excess * scale, rest])
    operands = [made, share, np.broadcast_to(rest, np.shape(x)), x]
    return _apply("log_share", operands, axes=axes_of(np.ndim(x), axis))


def one_hot(labels: Any, count: int, dtype: Any = np.float64) -> Any:
    """1 at the label and 0 elsewhere along a new last axis of ``count`` entries.

    Labels outside of ``0 .. count-1`` give a row of zeros.
    """
    hits = np.equal(np.expand_dims(as_array(labels), -1), np.arange(count))
    return hits.astype(np.dtype(dtype))


def conv(
    x: Any,
    w: Any,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
) -> Any:
    """Convolution over one or two trailing axes, as machine learning means it.

    Args:
        x: ``[N, C, L]`` or ``[N, C, H, W]``.
        w: ``[O, C, K]`` or ``[O, C, KH, KW]``; the kernel is not flipped.
        stride: The step of the window, for all axes or for each.
        padding: Zeros on both sides, for all axes or for each, or ``"valid"`` (none),
            or ``"same"`` (a result of ``ceil(size / stride)``).

    Returns:
        ``[N, O, ...]``, ``y[n,o,p] = sum over c,k of x[n,c,p*stride+k] w[o,c,k]``.

    Raises:
        ShapeError: Where ranks, channels or sizes do not fit.
    """
    rank = np.ndim(w) - 2
    if rank not in (1, 2) or np.ndim(x) != rank + 2:
        raise ShapeError(
            f"conv: {np.shape(x)} and {np.shape(w)} are not [N, C, L] and [O, C, K], "
            "nor [N, C, H, W] and [O, C, KH, KW]"
        )
    steps = _per_axis(stride, rank, "stride")
    window = np.shape(w)[2:]
    x = _padded(_floats(x), window, steps, padding, 0.0)
    return _apply("conv", [x, _floats(w)], stride=steps)


def max_pool(
    x: Any,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] | str = 0,
) -> Any:
    """The maximum over windows of the trailing axes of ``[N, C, ...]``.

    ``stride`` is ``size`` by default. Padding is -inf. Equal maxima share the gradient.
    """
    x, attrs = _pooling(x, size, stride, padding, -math.inf)
    return _apply("max_pool", [x], **attrs)


def avg_pool(
    x: Any,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] | str = 0,
) -> Any:
    """The mean over windows of the trailing axes of ``[N, C, ...]``; padding counts."""
    x, attrs = _pooling(x, size, stride, padding, 0.0)
    views = _apply("windows", [x], **attrs)
    return np.mean(views, axis=tuple(range(np.ndim(x), np.ndim(views))))


def _pooling(
    x: Any, size: Any, stride: Any, padding: Any, fill: float
) -> tuple[Any, dict[str, Any]]:
    """The padded ``x``, and the window and stride as attributes."""
    rank = np.ndim(x) - 2
    if rank not in (1, 2):
        raise ShapeError(f"pooling: {np.shape(x)} is not [N, C, L] or [N, C, H, W]")
    window = _per_axis(size, rank, "size")
    steps = window if stride is None else _per_axis(stride, rank, "stride")
    x = _padded(_floats(x), window, steps, padding, fill)
    return x, {"size": window, "stride": steps}


def _per_axis(value: Any, rank: int, what: str) -> tuple[int, ...]:
    values = (value,) * rank if np.ndim(value) == 0 else tuple(value)
    whole = all(hasattr(item, "__index__") for item in values)
    numbers = tuple(map(operator.index, values)) if whole else ()
    if len(numbers) != rank or min(numbers) < 0:
        raise ArgumentError(f"{what}={value!r} should be {rank} non-negative integers")
    return numbers


def _padded(x: Any, window: Any, steps: Any, padding: Any, fill: float) -> Any:
    """``x`` with ``fill`` around its trailing axes."""
    space = np.shape(x)[2:]
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ArgumentError(f"padding={padding!r} is neither 'same' nor 'valid'")
        widths = [
            _same(n, k, s) if padding == "same" else (0, 0)
            for n, k, s in zip(space, window, steps, strict=True)
        ]
    else:
        widths = [(width, width) for width in _per_axis(padding, len(space), "padding")]
    if not any(map(any, widths)):
        return x
    return np.pad(x, [(0, 0), (0, 0), *widths], constant_values=fill)


def _same(size: int, window: int, step: int) -> tuple[int, int]:
    """Padding that makes a result of ``ceil(size / step)``; the odd one goes behind."""
    total = max((-(-size // step) - 1) * step + window - size, 0)
    return total // 2, total - total // 2
