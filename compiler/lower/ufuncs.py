"""Ufuncs: NumPy itself resolves the dtypes, the op does the rest."""

from __future__ import annotations

import inspect
import math
from functools import lru_cache
from typing import Any

import numpy as np

from ...ir.builder import Builder
from ...ir.errors import ShapeError, TraceError, UnsupportedError
from ...ir.graph import Node
from ...ir.types import DEFAULT_DTYPES, DTYPES, INEXACT, dtype_name
from ..peel import note_index
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from .complex import ON_COMPLEX, number
from .integers import compare_exactly, fitted, within_reach
from .square import square

# What NumPy passes for an argument that was not given.
UNSET: Any = inspect.signature(np.sum).parameters["initial"].default

_SAME_NAME = (
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan "
    "sinh cosh tanh arcsinh arccosh arctanh sign floor ceil trunc rint isnan isinf "
    "isfinite floor_divide remainder fmod power maximum minimum fmax fmin arctan2 "
    "hypot logaddexp logaddexp2 copysign heaviside bitwise_and bitwise_or bitwise_xor "
    "left_shift right_shift logical_and logical_or logical_xor logical_not invert "
    "float_power"
).split()
_OTHER_NAME = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.divide: "div",
    np.negative: "neg",
    np.absolute: "abs",
    np.fabs: "abs",
    np.positive: "identity",
    np.equal: "eq",
    np.not_equal: "ne",
    np.less: "lt",
    np.less_equal: "le",
    np.greater: "gt",
    np.greater_equal: "ge",
}
_OPS: dict[Any, str] = {}

# What an op on floats or integers is called where the operands are something else.
_ON_BOOL = {
    "add": "logical_or",
    "mul": "logical_and",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
    "invert": "logical_not",
    "abs": "identity",
}
_ON_NON_FLOATS = {
    "floor": "identity",
    "ceil": "identity",
    "trunc": "identity",
    "fmax": "maximum",
    "fmin": "minimum",
}
_WEAK = {np.dtype("i8"): int, np.dtype("f8"): float, np.dtype("c16"): complex}
_ALWAYS = {"isnan": False, "isinf": False, "isfinite": True}


@lru_cache(maxsize=4096)
def _resolve(ufunc: Any, kinds: tuple[Any, ...]) -> tuple[str, ...]:
    """The dtypes of the operands and the result, by NumPy's own rules.

    Numbers among themselves are not weak: NumPy would compare integers as objects.
    """
    if not any(isinstance(kind, np.dtype) for kind in kinds):
        kinds = tuple(map(np.dtype, kinds))
    slots = (*kinds, *(None,) * ufunc.nout)
    return tuple(dtype_name(dtype) for dtype in ufunc.resolve_dtypes(slots))


def _kind(value: Any) -> Any:
    """What NumPy's promotion looks at: a dtype, or a Python type if weak."""
    if is_traced(value):
        return _WEAK.get(value.dtype, value.dtype) if value.weak else value.dtype
    if type(value) in (int, float, complex):
        return type(value)
    return np.asarray(value).dtype


def resolve(ufunc: Any, *operands: Any) -> tuple[str, ...]:
    """The dtypes that NumPy would compute ``ufunc(*operands)`` in, result last."""
    return _resolve(ufunc, tuple(_kind(operand) for operand in operands))


def broadcast_nodes(trace: Trace, *nodes: Node) -> list[Node]:
    """The nodes in their common shape."""
    if len({node.type.shape for node in nodes}) == 1:
        return list(nodes)
    try:
        shape = np.broadcast_shapes(*(node.type.shape for node in nodes))
    except ValueError:
        types = " and ".join(str(node.type) for node in nodes)
        raise ShapeError(f"the shapes of {types} do not broadcast") from None
    return [
        trace.builder.broadcast(node, node.type.with_shape(shape)) for node in nodes
    ]


def lower_ufunc(trace: Trace, ufunc: Any, *operands: Any, dtype: Any = None) -> Node:
    """The node of ``ufunc(*operands)``, computed in ``dtype`` if that is given."""
    op = _OPS[ufunc]
    operands = tuple(trace.array(operand) for operand in operands)
    if op in _SWAPPED:
        operands = tuple(map(within_reach, operands, operands[::-1]))
        for compare in (_compare_arguments, _compare_signs):
            exact = compare(trace, op, *operands)
            if exact is not None:
                return exact
    if dtype is None:
        *types, _ = resolve(ufunc, *operands)
    else:
        signature = (*(None,) * ufunc.nin, np.dtype(dtype))
        kinds = (*(_kind(operand) for operand in operands), None)
        resolved = ufunc.resolve_dtypes(kinds, signature=signature)
        *types, _ = (dtype_name(found) for found in resolved)
    if op.startswith("logical"):
        types = ["bool"] * len(types)
    elif types[0] == "bool":
        op = _ON_BOOL.get(op) or _ON_NON_FLOATS.get(op, op)
    elif types[0] not in INEXACT:
        op = _ON_NON_FLOATS.get(op, op)
    if op == "power" and isinstance(operands[1], (np.generic, np.ndarray)):
        operands = operands[0], _one_number(operands[1], types[1])
    typed = [
        fitted(trace, value, type_)
        for value, type_ in zip(operands, types, strict=True)
    ]
    if op == "power":
        return _power(trace, *typed)
    if op == "remainder" and _is_below(trace, *typed):
        return typed[0]
    nodes = broadcast_nodes(trace, *typed)
    b = trace.builder
    first = nodes[0].type
    if first.is_complex and op in ON_COMPLEX:
        return ON_COMPLEX[op](b, *nodes)
    if op in _ALWAYS and not first.has_gradient:
        return b.full(first.with_dtype("bool"), _ALWAYS[op])
    if op == "mul" and nodes[0].name == nodes[1].name:
        return square(b, nodes[0])
    return b.add_node(op, *nodes)


def _is_below(trace: Trace, x: Node, y: Node) -> bool:
    """Whether an integer is known to be its own remainder."""
    size = trace.builder.literal(y)
    if x.type.has_gradient or x.type != y.type or not size or size < 0:
        return False
    found = trace.intervals.of(x)
    if found is not None and found.within(0, int(size) - 1):
        return True
    note_index(trace, x, int(size))
    return False


_SWAPPED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _compare_arguments(trace: Trace, op: str, x: Any, y: Any) -> Node | None:
    """Compare with a Python integer that is an argument, exactly."""
    exact = compare_exactly(trace, op, x, y)
    return exact or compare_exactly(trace, _SWAPPED[op], y, x)


def _compare_signs(trace: Trace, op: str, x: Any, y: Any) -> Node | None:
    """Compare i8..i64 with u64, which have no common integer dtype, exactly.

    A negative number is below every unsigned one; the others compare as u64.
    """
    a, b = _kind(x), _kind(y)
    signed = [isinstance(kind, np.dtype) and kind.kind == "i" for kind in (a, b)]
    if np.uint64 not in (a, b) or not any(signed):
        return None
    build = trace.builder
    nodes = broadcast_nodes(trace, trace.node(x), trace.node(y))
    signed_node = nodes[signed.index(True)]
    negative = build.lt(signed_node, build.like(signed_node, 0))
    order = build.add_node(op, *(build.cast(node, "u64") for node in nodes))
    if op == "ne" or op in (("lt", "le") if signed[0] else ("gt", "ge")):
        return build.logical_or(negative, order)
    return build.logical_and(build.logical_not(negative), order)


def _one_number(exponent: Any, dtype: str) -> Any:
    """An exponent without dimensions as a Python number."""
    return exponent.astype(DTYPES[dtype]).item() if exponent.ndim == 0 else exponent


def _power(trace: Trace, x: Node, y: Node) -> Node:
    """``x ** y``; by one number at less cost, as in NumPy from 2.3 on.

    Negative powers of integers are errors, as in NumPy.
    """
    b = trace.builder
    exponent = number(b, y)
    if x.type.numpy.kind == "i" and x.type.size:
        message = "Integers to negative integer powers are not allowed."
        if exponent is None:
            wide = b.cast(y, "i64")
            checked = b.check(wide, low=0, high=2**63, error="value", message=message)
            y = b.cast(checked, y.type.dtype)
        elif exponent < 0 and y.type.size:
            raise ValueError(message)
    fast = _FAST_POWERS.get(exponent) if y.type.rank == 0 else None
    if fast is not None and (x.type.has_gradient or exponent != -1):
        return fast(b, x)
    return b.power(*broadcast_nodes(trace, x, y))


def _inverse(b: Builder, x: Node) -> Node:
    return b.reciprocal(x) if x.type.is_complex else b.div(b.like(x, 1.0), x)


_FAST_POWERS: dict[Any, Any] = {
    2: square,
    1: lambda b, x: b.identity(x),
    0.5: lambda b, x: b.sqrt(x),
    -1: _inverse,
}


def _stays_weak(operands: tuple[Any, ...]) -> bool:
    """Python scalars among themselves make a Python scalar."""
    return all(
        value.weak if is_traced(value) else type(value) in DEFAULT_DTYPES
        for value in operands
    )


def _lowering(ufunc: Any) -> Any:
    def lower(
        trace: Trace,
        *operands: Any,
        operator: bool = False,
        dtype: Any = None,
        **unknown: Any,
    ) -> Any:
        reject(unknown)
        if operator and not all(map(_is_operand, operands)):
            return _not_an_operand(ufunc, operands)
        if operator and ufunc is np.power and _is_bool_squared(*operands):
            return np.square(operands[0])
        node = lower_ufunc(trace, ufunc, *operands, dtype=dtype)
        return trace.wrap(node, operator and _stays_weak(operands))

    return lower


def _is_bool_squared(x: Any, exponent: Any) -> bool:
    """Whether NumPy makes an int8 of a power of a bool, which else is an int64."""
    return type(exponent) is int and exponent == 2 and x.dtype == bool


def _is_operand(value: Any) -> bool:
    kinds = (bool, int, float, complex, np.generic, np.ndarray, list, tuple)
    return is_traced(value) or isinstance(value, kinds)


def _not_an_operand(ufunc: Any, operands: tuple[Any, ...]) -> Any:
    """Let Python raise its `TypeError`; == and != it would answer by identity."""
    if ufunc in (np.equal, np.not_equal):
        other = next(value for value in operands if not _is_operand(value))
        raise TraceError(
            f"a traced array is compared with a {type(other).__name__}",
            hint="to test for None write 'x is None'",
        )
    return NotImplemented


def reject(unknown: dict[str, Any]) -> None:
    """Raise `UnsupportedError` for keyword arguments that have no lowering."""
    for name, value in unknown.items():
        if value is not None and value is not UNSET:
            raise UnsupportedError(f"the argument {name}= is not supported")


def lower_as(ufunc: Any, op: str) -> None:
    """Register an op as the lowering of a ufunc."""
    _OPS[ufunc] = op
    lowers(ufunc)(_lowering(ufunc))


for _name in _SAME_NAME:
    lower_as(getattr(np, _name), _name)
for _ufunc, _op in _OTHER_NAME.items():
    lower_as(_ufunc, _op)


@lowers(np.square)
def _square(trace: Trace, x: Any) -> Any:
    x = trace.array(x)
    node = trace.node(x, resolve(np.square, x)[0])
    return trace.wrap(square(trace.builder, node))


@lowers(np.signbit)
def _signbit(trace: Trace, x: Any) -> Any:
    """The sign of integers too; NumPy sends the small ones through float16."""
    b = trace.builder
    node = trace.node(trace.array(x))
    if node.type.is_float:
        return trace.wrap(b.signbit(node))
    if node.type.numpy.kind == "i":
        return trace.wrap(b.lt(node, b.like(node, 0)))
    return trace.wrap(b.full(node.type.with_dtype("bool"), False))


@lowers(np.reciprocal)
def _reciprocal(trace: Trace, x: Any) -> Any:
    """``1 / x``; of integers its whole part, taken in float64 as NumPy does."""
    b = trace.builder
    to = resolve(np.reciprocal, x)[0]
    node = trace.node(x, to if to in INEXACT else "f64")
    if node.type.is_complex:
        return trace.wrap(b.reciprocal(node))
    return trace.wrap(b.cast(b.div(b.like(node, 1.0), node), to))


def _scaling(ufunc: Any, above: float, below: float) -> None:
    """``x * (above / below)``, the quotient rounded in the precision of x."""
    factor, single = above / below, float(np.float32(above) / np.float32(below))

    @lowers(ufunc)
    def _scaled(trace: Trace, x: Any) -> Any:
        node = trace.node(x, resolve(ufunc, x)[0])
        b = trace.builder
        exact = single if node.type.dtype == "f32" else factor
        return trace.wrap(b.mul(node, b.like(node, exact)))


for _ufunc in (np.deg2rad, np.radians):
    _scaling(_ufunc, math.pi, 180.0)
for _ufunc in (np.rad2deg, np.degrees):
    _scaling(_ufunc, 180.0, math.pi)


@lowers(np.divmod)
def _divmod(trace: Trace, x: Any, y: Any, operator: bool = False) -> Any:
    return np.floor_divide(x, y), np.remainder(x, y)
