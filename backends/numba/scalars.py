"""The scalar language in Numba's Python: casts, literals, what reductions start from.

A cast that changes nothing is left out: arithmetic of float64 is float64, and so is
that of float32. Integers of less than 64 bits are computed in 64 and cast; unsigned
ones of 64 bits wrap by themselves.
"""

from __future__ import annotations

import math
import re

from ...ir.ops import OPS
from ...ir.types import DTYPES
from ..scalars import Spelling, combination
from ..scalars import expression as common_expression
from .functions import find_function

__all__ = ["combined", "dtype_text", "expression", "initial", "literal"]


def dtype_text(dtype: str) -> str:
    """What NumPy calls a dtype."""
    return f"np.{DTYPES[dtype].name}" if dtype != "bool" else "np.bool_"


def literal(value: bool | int | float, dtype: str) -> str:
    """A constant of a dtype; int and float are int64 and float64."""
    if dtype == "bool":
        return str(bool(value))
    if dtype[0] != "f":
        return str(value) if dtype == "i64" else f"{dtype_text(dtype)}({value})"
    number = float(value)
    text = repr(number)
    if not math.isfinite(number):
        text = "np.nan" if number != number else "np.inf" if number > 0 else "-np.inf"
    return text if dtype == "f64" else f"{dtype_text(dtype)}({text})"


def _cast(text: str, dtype: str) -> str:
    return f"{dtype_text(dtype)}({text})"


def _result(text: str, op: str, dtype: str) -> str:
    """The value of an op, cast unless it has the dtype anyhow."""
    template = OPS[op].scalar or ""
    if template == "{0}":
        return text
    whole = re.search(r"(?<![\w.{])\d+(?![\w.}])", template)
    if dtype[0] == "f" and not whole and (dtype == "f64" or "(" not in template):
        return text
    if template[0] == "(" and template[-1] == ")":
        text = text[1:-1]
    return _cast(text, dtype)


_SIGNS = {"add": "+", "subtract": "-", "multiply": "*"}


def _wrapping(name: str, a: str, b: str, dtype: str) -> str:
    if dtype == "i64":
        return f"wrapping_{name}({a}, {b})"
    text = f"{a} {_SIGNS[name]} {b}"
    return f"({text})" if dtype == "u64" else _cast(text, dtype)


SPELLING = Spelling(
    cast=_cast,
    result=_result,
    literal=lambda text, dtype: literal(float(text), dtype),
    call=find_function,
    wrapping=_wrapping,
)


def expression(op: str, names: list[str], dtype: str, result: str) -> str:
    """One scalar operation on operands of ``dtype``, of the dtype ``result``."""
    return common_expression(op, names, dtype, result, SPELLING)


def initial(op: str, dtype: str) -> str:
    """The value that a reduction in this dtype starts from."""
    return literal(combination(op).start(dtype), dtype)


_OF_BOOLS = {
    **dict.fromkeys(("maximum", "logical_or"), "or"),
    **dict.fromkeys(("minimum", "logical_and"), "and"),
}
_OF_FLOATS = {"add": "+", "mul": "*"}


def combined(op: str, total: str, value: str, dtype: str) -> str:
    """The statement that combines a total, kept in ``dtype``, with one more value."""
    by = combination(op).op
    if dtype == "bool":
        return f"{total} = {total} {_OF_BOOLS[by]} {value}"
    if dtype[0] == "f" and by in _OF_FLOATS:
        return f"{total} {_OF_FLOATS[by]}= {value}"
    return f"{total} = {expression(by, [total, value], dtype, dtype)}"
