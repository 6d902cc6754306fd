"""Kernels as text: readable source, one three-address line per instruction.

Words, in order: the size of each axis, then for each access (reads, writes, reductions,
workspace) its buffer, its byte offset and its stride along each axis in elements.
"""

from __future__ import annotations

from collections.abc import Iterator

from ....ir.ops import OPS
from ....ir.types import DTYPES
from ...scalars import CASTS, accumulator, combination, expression
from ..language.values import MAX_LANES
from ..machine import current
from .form import Access, Kernel, Reduction, accesses
from .source import plus

__all__ = ["print_kernel"]

# Combinations that are shorter where no NaN can be, or that may take any order.
_OF_BOOLS = {"maximum": "logical_or", "minimum": "logical_and"}
_OF_FLOATS = {"add": "reassociated_add", "maximum": "maximum", "minimum": "minimum"}
_OF_INTEGERS = {"maximum": ">=", "minimum": "<="}


def print_kernel(kernel: Kernel) -> str:
    """The source of the function ``kernel(buffers, words)``."""
    lines = ["@written_out", "def kernel(buffers, words):"]
    lines += [f"    n{axis} = words[{axis}]" for axis in range(kernel.rank)]
    lines += [f"    {line}" for line in _prologue(kernel)]
    lines += _loops(kernel)
    return "\n".join([*lines, "    return 0", ""])


def _prologue(kernel: Kernel) -> Iterator[str]:
    in_place = {f"y{i}" for i, w in enumerate(kernel.writes) if w.over is not None}
    for label, (name, access) in enumerate(accesses(kernel)):
        if name in in_place:
            continue
        word = kernel.rank + label * (2 + kernel.rank)
        address = f"buffers[words[{word}]] + words[{word + 1}]"
        kind = "room" if name[0] == "w" else "pointer"
        yield f"{name} = {access.dtype}_{kind}({address}, {label})"
        if not access.scalar:
            for axis in range(kernel.rank):
                if not (axis == kernel.rank - 1 and access.inner is not None):
                    yield f"{name}_{axis} = words[{word + 2 + axis}]"
    for i, access in enumerate(kernel.reads):
        if access.scalar:
            yield f"v{i} = x{i}[0]"


def _index(kernel: Kernel, name: str, access: Access) -> str:
    """The index expression of an access at the current point."""
    if access.scalar:
        return "0"
    terms: list[str] = []
    for axis in range(kernel.rank):
        if axis == kernel.rank - 1 and access.inner is not None:
            terms += _along(axis, access.inner)
        else:
            terms.append(f"i{axis} * {name}_{axis}")
    return " + ".join(terms) or "0"


def _along(axis: int, stride: int) -> list[str]:
    """The term of an axis whose stride is part of the form."""
    return [f"i{axis}" if stride == 1 else f"i{axis} * {stride}"] if stride else []


def _loops(kernel: Kernel) -> Iterator[str]:
    """The nest: open the loops, the body at the bottom, the reductions around it."""
    first_reduced = kernel.reduced.index(True) if any(kernel.reduced) else kernel.rank
    indent = "    "
    for axis in range(kernel.rank):
        if axis == first_reduced:
            yield from (indent + line for line in _start(kernel))
        yield f"{indent}for i{axis} in {_walk(kernel, axis)}:"
        indent += "    "
    if first_reduced == kernel.rank:
        yield from (indent + line for line in _start(kernel))
    yield from (indent + line for line in _body(kernel))
    outer = "    " * (1 + first_reduced)
    yield from (outer + line for line in _finish(kernel))


def _walk(kernel: Kernel, axis: int) -> str:
    """How an axis is walked: the innermost one in vectors, if order does not matter."""
    if axis < kernel.rank - 1 or (kernel.in_order and not kernel.row_wise):
        return f"range(n{axis})"
    written = [write.access.dtype for write in kernel.writes]
    widest = max(DTYPES[dtype].itemsize for dtype in (*kernel.dtypes(), *written))
    lanes = min(MAX_LANES, _vectors(kernel) * current().vector_bytes // widest)
    return f"lanes(n{axis}, {lanes})"


def _vectors(kernel: Kernel) -> int:
    """How many vectors are computed at once.

    Several hide each other's latency where a loop is long. But those of a total are
    combined at the end of each row, and lanes that are apart in memory cost as many
    accesses or shuffles anyway.
    """
    rows = bool(kernel.reductions) and not kernel.row_wise and not all(kernel.reduced)
    if rows or any(access.inner not in (0, 1) for _, access in accesses(kernel)):
        return 1
    return 4 if kernel.rank == 1 else 2


def _start(kernel: Kernel) -> Iterator[str]:
    last = kernel.rank - 1
    for i, item in enumerate(kernel.reductions):
        initial = _initial(item)
        if kernel.row_wise:
            yield f"for i{last} in {_walk(kernel, last)}:"
            yield f"    w{i}[i{last}] = {initial}"
        else:
            yield f"a{i} = {initial}"


def _finish(kernel: Kernel) -> Iterator[str]:
    last = kernel.rank - 1
    for i, item in enumerate(kernel.reductions):
        cast = CASTS[item.access.dtype]
        where = _result_index(kernel, i, item.access)
        if kernel.row_wise:
            yield f"for i{last} in {_walk(kernel, last)}:"
            yield f"    r{i}[{where}] = {cast}(w{i}[i{last}])"
        else:
            yield f"r{i}[{where}] = {cast}(a{i})"


def _result_index(kernel: Kernel, number: int, access: Access) -> str:
    """The index of a result: only the axes that are not reduced count."""
    terms: list[str] = []
    for axis in range(kernel.rank):
        if kernel.reduced[axis]:
            continue
        if axis == kernel.rank - 1 and access.inner is not None:
            terms += _along(axis, access.inner)
        else:
            terms.append(f"i{axis} * r{number}_{axis}")
    return " + ".join(terms) if terms and not access.scalar else "0"


def _body(kernel: Kernel) -> Iterator[str]:
    for i, access in enumerate(kernel.reads):
        if not access.scalar:
            yield f"v{i} = x{i}[{_index(kernel, f'x{i}', access)}]"
    dtypes = kernel.dtypes()
    slopes = _slopes(kernel)
    for number, item in enumerate(kernel.body, len(kernel.reads)):
        if number in slopes:
            both = f"v{number}, v{slopes[number]}"
            yield f"{both} = {item.op}_and_slope(v{item.operands[0]})"
            continue
        if number in slopes.values():
            continue
        names = [f"v{operand}" for operand in item.operands]
        dtype = dtypes[item.operands[0]]
        yield f"v{number} = {expression(item.op, names, dtype, item.dtype)}"
    for i, write in enumerate(kernel.writes):
        name = f"y{i}" if write.over is None else f"x{write.over}"
        target = f"{name}[{_index(kernel, name, write.access)}]"
        value = f"v{write.value}"
        if write.accumulate:
            value = plus(write.access.dtype, target, value)
        yield f"{target} = {value}"
    for i, item in enumerate(kernel.reductions):
        target = f"w{i}[i{kernel.rank - 1}]" if kernel.row_wise else f"a{i}"
        wide = accumulator(item.op, item.access.dtype)
        value = f"v{item.value}"
        if wide != item.access.dtype:
            yield f"t{i} = {CASTS[wide]}({value})"
            value = f"t{i}"
        yield f"{target} = {_combined(item, target, value)}"


def _slopes(kernel: Kernel) -> dict[int, int]:
    """The values whose slope is computed too, and where: they share an exponential."""
    first = len(kernel.reads)
    found: dict[int, int] = {}
    for number, item in enumerate(kernel.body, first):
        function = OPS[item.op].slope_of
        if function is not None and item.operands[0] >= first:
            value = kernel.body[item.operands[0] - first]
            if (value.op, value.operands) == (function, item.operands[1:]):
                found[item.operands[0]] = number
    return found


def _initial(item: Reduction) -> str:
    """The value a reduction starts from."""
    dtype = item.access.dtype
    start = combination(item.op).start(dtype)
    if isinstance(start, bool):
        return str(start)
    text = str(start).replace("inf", "math.inf")
    return f"{CASTS[accumulator(item.op, dtype)]}({text})"


def _combined(item: Reduction, kept: str, value: str) -> str:
    """What is kept, combined with one more value."""
    dtype, op = item.access.dtype, combination(item.op).op
    if dtype == "bool":
        op = _OF_BOOLS.get(op, op)
    elif dtype[0] == "f":
        if op == "mul":
            return f"{kept} * {value}"
        if op in _OF_FLOATS:
            return f"{_OF_FLOATS[op]}({kept}, {value})"
    elif op in _OF_INTEGERS:
        return f"{kept} if {kept} {_OF_INTEGERS[op]} {value} else {value}"
    return expression(op, [kept, value], dtype, dtype)
