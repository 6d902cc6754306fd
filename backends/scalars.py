"""The scalar language: how a backend reads ``OpDef.scalar``.

A template is Python arithmetic, comparisons and conditional expressions over the
operands ``{0}``, ``{1}``, ..., and calls of functions by their names. Those with a
meaning of their own are in `FUNCTIONS`; the others are NumPy's.

Every value has the dtype of its node, so each operation ends in a cast. Integers wrap.
Floats become integers as `ir.ops.elementwise` says. How casts, calls and wrapping
arithmetic are spelled is up to the backend.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ..ir.ops import OPS, Combination
from ..ir.ops.slopes import RATIOS
from . import special

__all__ = [
    "BY_CALL",
    "CASTS",
    "FUNCTIONS",
    "Spelling",
    "accumulator",
    "combination",
    "expression",
]

# What dtypes are called in the kernel language, where the name is a cast as well.
CASTS = {
    **{f"f{bits}": f"float{bits}" for bits in (32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "bool": "boolean",
}

# Functions of templates that are not NumPy's, or not for all dtypes.
FUNCTIONS = frozenset(
    {
        *("chain", "chain_both", "cosine", "erf", "tanh_slope", "sigmoid_slope"),
        *("absolute", "floor_divide", "remainder", "fmod", "power"),
        *("left_shift", "right_shift", "to_i32", "to_i64", "to_u64"),
        *(f"bessel_ratio{k}" for k in range(1, RATIOS + 1)),
        *special.NAMES,
    }
)

_WRAPPING = {"add": "add", "sub": "subtract", "mul": "multiply"}
# Floats become these integers by way of wider ones, as `ir.ops.elementwise` says.
_BY_WAY_OF = {**dict.fromkeys(("i8", "i16", "u8", "u16"), "i32"), "u32": "i64"}
_FLOAT = re.compile(r"(?<![\w.])\d+\.\d+")
_CALL = re.compile(r"\b[a-z]\w*(?=\()")


class Spelling(NamedTuple):
    """How a backend writes what the scalar language says.

    ``cast(text, dtype)`` casts; ``result(text, op, dtype)`` casts the value of an op;
    ``literal(text, dtype)`` is a float of a template. ``call(name, dtype)`` is what a
    function on operands of ``dtype`` is called. ``wrapping(name, a, b, dtype)`` adds,
    subtracts or multiplies integers.
    """

    cast: Callable[[str, str], str]
    result: Callable[[str, str, str], str]
    literal: Callable[[str, str], str]
    call: Callable[[str, str], str]
    wrapping: Callable[[str, str, str, str], str]


def _cast_by_call(text: str, dtype: str) -> str:
    return f"{CASTS[dtype]}({text})"


BY_CALL = Spelling(
    cast=_cast_by_call,
    result=lambda text, op, dtype: _cast_by_call(text, dtype),
    literal=_cast_by_call,
    call=lambda name, dtype: name,
    wrapping=lambda name, a, b, dtype: f"wrapping_{name}({a}, {b})",
)


def expression(
    op: str, names: list[str], dtype: str, result: str, spelling: Spelling = BY_CALL
) -> str:
    """One scalar operation on operands of ``dtype``, cast to ``result``."""
    if op == "cast":
        return _cast(names[0], dtype, result, spelling)
    if result[0] in "iu":
        if op in _WRAPPING:
            return spelling.wrapping(_WRAPPING[op], names[0], names[1], result)
        if op == "neg":
            zero = spelling.cast("0", result)
            return spelling.wrapping("subtract", zero, names[0], result)
        if op == "add_n":
            total = names[0]
            for name in names[1:]:
                total = spelling.wrapping("add", total, name, result)
            return total
    template = OPS[op].scalar or ""
    if OPS[op].variadic:
        text = template.join(names)
    else:
        called = _CALL.sub(lambda found: spelling.call(found[0], dtype), template)
        typed = _FLOAT.sub(lambda found: spelling.literal(found[0], dtype), called)
        text = typed.format(*names)
    return text if result == "bool" else spelling.result(text, op, result)


def _cast(name: str, dtype: str, result: str, spelling: Spelling) -> str:
    if result == "bool":
        return f"{name} != 0"
    if dtype[0] == "f" and result[0] in "iu":
        wide = _BY_WAY_OF.get(result, result)
        made = f"{spelling.call(f'to_{wide}', dtype)}({name})"
        return made if wide == result else spelling.cast(made, result)
    return spelling.cast(name, result)


def combination(op: str) -> Combination:
    """How a reduction combines."""
    found = OPS[op].combine
    if found is None:
        raise AssertionError(f"{op} is no reduction")
    return found


def accumulator(op: str, dtype: str) -> str:
    """The dtype that a reduction of ``dtype`` is kept in: f32 sums are made in f64."""
    return "f64" if dtype == "f32" and combination(op).op == "add" else dtype
