"""The inner loops of ufuncs, called at their addresses: see `backends.ufuncs`.

Each is printed as a function beside the graph's. It takes rows, of the operands and
then of the results: along the first axes of arrays in C order. An operand that has one
row is read again for each.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir.graph import Node
from ...ir.types import dtype_name
from ..ufuncs import core_names, loop_of
from .access import Access
from .printer import Printer, shape_text
from .scalars import dtype_text

__all__ = [
    "DECORATOR",
    "INNER_LOOP",
    "MODULES",
    "InnerLoop",
    "call_each",
    "call_ufunc",
    "inner_loop",
]

DECORATOR = '@njit(error_model="numpy", nogil=True)'
MODULES = {
    "objmode(": "from numba import objmode",
    "fft_loops.": "from numpy.fft import _pocketfft_umath as fft_loops",
    "scipy_linalg.": "from scipy import linalg as scipy_linalg",
    "special.": "from scipy import special",
}
"""What is imported where printed code has such a name."""

INNER_LOOP = '''\
def inner_loop(ufunc, types):
    """The C function of a ufunc on these types, and its data.

    NumPy's ``PyUFuncObject`` begins with four numbers and the tables of both.
    """
    known = [ufunc.nin, ufunc.nout, ufunc.nargs]
    numbers = id(ufunc) + object.__basicsize__
    if list((ctypes.c_int * 3).from_address(numbers)) != known:
        raise ImportError("this NumPy lays out its ufuncs in another way")
    tables = numbers + 4 * ctypes.sizeof(ctypes.c_int)
    functions, data = (ctypes.POINTER(ctypes.c_size_t) * 2).from_address(tables)
    place = ufunc.types.index(types)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_size_t)
    return call(functions[place]), data[place] if data else 0
'''

_CALL = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_size_t)


class InnerLoop(NamedTuple):
    """The loop of a ufunc on types, as NumPy writes them.

    ``ufunc`` is how printed code reaches it: ``"special.jv"``.
    """

    ufunc: str
    types: str
    cores: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """The function that calls it; no value has a name that begins so."""
        stem = self.ufunc.rpartition(".")[2].lstrip("_")
        return f"_{stem}_{self.types.replace('->', '')}"

    @property
    def text(self) -> str:
        """The definition of that function."""
        arrays = [f"x{k}" for k in range(self.types.index("->"))]
        arrays += [f"y{k}" for k in range(len(self.cores) - len(arrays))]
        sizes: dict[str, str] = {}
        inner: list[str] = []
        for array, core in zip(arrays, self.cores, strict=True):
            for axis, size in enumerate(core, 1):
                sizes.setdefault(size, f"{array}.shape[{axis}]")
                inner.append(f"{array}.strides[{axis}]")
        table = ", ".join(f"{array}.ctypes.data" for array in arrays)
        counts = ", ".join([f"len({arrays[-1]})", *sizes.values()])
        steps = ", ".join([*(f"row_step({array})" for array in arrays), *inner])
        loop, data = f"{self.name}_loop", f"{self.name}_data"
        return "\n".join(
            [
                f'{loop}, {data} = inner_loop({self.ufunc}, "{self.types}")',
                "",
                "",
                DECORATOR,
                f"def {self.name}({', '.join(arrays)}):",
                f"    table = np.array([{table}])",
                f"    sizes = np.array([{counts}])",
                f"    steps = np.array([{steps}])",
                f"    {loop}(table.ctypes, sizes.ctypes, steps.ctypes, {data})",
                "",
            ]
        )


def inner_loop(ufunc: Any, types: str) -> tuple[Any, int]:
    """What the printed function of this name returns, for any layout of ufuncs."""
    dtypes = (dtype_name(np.dtype(char)) for char in types.replace("->", ""))
    loop = loop_of(ufunc, tuple(dtypes))
    return _CALL(loop.address), loop.data


def call_ufunc(
    p: Printer, node: Node, path: str, ufunc: Any, operands: Sequence[tuple[str, Any]]
) -> list[Access]:
    """Print the call of a ufunc, which the text reaches by ``path``.

    ``operands`` are numbers and arrays, as text each with its type; a number may stand
    beside arrays.
    """
    types = [type_ for _, type_ in operands]
    made = [value.type for value in node.values]
    cores = core_names(ufunc)
    chars = "".join(type_.numpy.char for type_ in types)
    results = "".join(type_.numpy.char for type_ in made)
    loop = InnerLoop(path, f"{chars}->{results}", tuple(cores))
    arguments = [
        _rows(text, type_.shape, len(core))
        if type_.rank
        else f"np.full(1, {text}, {dtype_text(type_.dtype)})"
        for (text, type_), core in zip(operands, cores, strict=False)
    ]
    targets: list[Access] = []
    for value, core in zip(node.values, cores[len(operands) :], strict=True):
        name, type_ = p.name(value), value.type
        if type_.rank:
            targets.append(p.new(name, type_))
        else:
            name = p.lines.names.new(f"{name}_row")
            targets.append(p.new(name, type_.with_shape((1,))))
        arguments.append(_rows(name, targets[-1].sizes, len(core)))
    p.lines.inner_loops[loop.name] = loop
    p.lines.add(f"{loop.name}({', '.join(arguments)})")
    return [
        target if value.type.rank else Access(f"{target.array}[0]")
        for target, value in zip(targets, node.values, strict=True)
    ]


def call_each(
    p: Printer, node: Node, path: str, ufunc: Any, operands: Sequence[Access]
) -> list[Access]:
    """Print the call of a ufunc on all elements of the operands."""
    types = p.types(node)
    taken = [
        (p.array(name, access, type_), type_)
        if access.terms
        else (access.array, type_.with_shape(()))
        for name, access, type_ in zip(node.operands, operands, types, strict=True)
    ]
    return call_ufunc(p, node, path, ufunc, taken)


def _rows(array: str, shape: Sequence[int], inner: int) -> str:
    """The array as rows, its last ``inner`` axes within one."""
    outer = len(shape) - inner
    if outer == 1:
        return array
    rows = (math.prod(shape[:outer]), *shape[outer:])
    return f"{array}.reshape({shape_text(rows)})"
