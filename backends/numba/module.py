"""A graph as the text of a Python module, which needs NumPy and Numba alone."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import NamedTuple

from ...ir.graph import Graph, Node
from ...ir.types import TensorType
from . import (
    at,
    callback,
    checkpoint,
    complex,
    cond,
    conv,
    fft,
    index,
    lapack,
    linalg,
    loop,
    orthogonal,
    pooling,
    reduce,
    shape,
    sorting,
    source,
    special,
    update,
)
from .access import Access, whole
from .callback import callback_text, callbacks_of
from .functions import HELPERS, helpers_of
from .lines import Lines, Names
from .parts import in_parts
from .printer import Printer, shape_text
from .scalars import dtype_text
from .ufunc import DECORATOR, INNER_LOOP, MODULES, InnerLoop

__all__ = [
    "FAMILIES",
    "Text",
    "helper_text",
    "imports_of",
    "print_function",
    "print_module",
]

# Importing a family registers its printers.
FAMILIES = (
    at,
    callback,
    checkpoint,
    complex,
    cond,
    conv,
    fft,
    index,
    lapack,
    linalg,
    loop,
    orthogonal,
    pooling,
    reduce,
    shape,
    sorting,
    source,
    special,
    update,
)


class Text(NamedTuple):
    """The text of one function, behind those that are parts of it.

    ``nodes`` has the node of each line, None where there is none. ``results`` are
    names for what it returns, ``loops`` what it calls of ufuncs.
    """

    name: str
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    lines: tuple[str, ...]
    nodes: tuple[Node | None, ...]
    loops: tuple[InnerLoop, ...]

    def __str__(self) -> str:
        return "\n".join([*self.lines, ""])


def print_function(graph: Graph) -> Text:
    """The function of a graph: arrays in, a tuple of new arrays out.

    A single result is returned as it is, and values of rank 0 are numbers. The results
    share no memory, neither with each other nor with the arguments.
    """
    names = Names()
    name = names.new(graph.name)
    lines = Lines(names)
    p = Printer(lines, graph)
    parameters = tuple(map(p.name, graph.inputs))
    made = p.block(
        [
            whole(parameter, node.type.shape)
            for parameter, node in zip(parameters, graph.inputs, strict=True)
        ]
    )
    taken = set(parameters)
    returned: list[str] = []
    for value, access in zip(graph.results, made, strict=True):
        type_ = graph[value].type
        returned.append(_result(p, value, access, type_, taken))
    values = ", ".join(returned) if len(returned) != 1 else returned[0]
    texts: list[str] = []
    nodes: list[Node | None] = []
    end = f"    return {values or '()'}"
    for head, body, of_body in in_parts(name, parameters, lines, end):
        start = ["", "", DECORATOR, head] if texts else [DECORATOR, head]
        texts += [*start, *body]
        nodes += [*[None] * len(start), *of_body]
    return Text(
        name,
        parameters,
        tuple(p.name(graph[value]) for value in graph.results),
        tuple(texts),
        tuple(nodes),
        tuple(lines.inner_loops.values()),
    )


def _result(
    p: Printer, value: str, access: Access, type_: TensorType, taken: set[str]
) -> str:
    """An expression of a result; ``taken`` are the arrays that others have."""
    if not type_.rank:
        return access.at(())
    fits = access.is_whole(type_.shape) or access.is_reshaped(type_.shape)
    if not fits or p.memory(access.array) in taken:
        access = p.copy(p.lines.names.new(value), access, type_)
    taken.add(p.memory(access.array))
    return p.array(value, access, type_)


def helper_text(name: str) -> str:
    """The definition of one of the functions that printed code calls."""
    return f'@njit(error_model="numpy")\n{HELPERS[name]}'


def print_module(graph: Graph) -> str:
    """The module of a graph: its function, and those that it calls."""
    function = print_function(graph)
    text = str(function)
    loops = [loop.text for loop in function.loops]
    helpers = map(helper_text, helpers_of("".join([*loops, text])))
    parts = [*helpers, *([INNER_LOOP] if loops else []), *loops, text]
    if callbacks := callbacks_of(text):
        parts.insert(0, "".join(map(callback_text, callbacks)))
    imports = imports_of("".join(parts))
    return "\n\n".join([_docstring(graph, function) + f"\n{imports}", *parts])


def imports_of(text: str) -> str:
    """The imports that a text needs."""
    code = re.sub(r"(?m)^\s*#.*$", "", text)  # comments show lines of the user's

    def has(name: str) -> bool:
        return re.search(rf"(?<![\w.]){re.escape(name)}", code) is not None

    plain = [f"import {name}" for name in ("ctypes", "math") if has(f"{name}.")]
    modules = [line for name, line in MODULES.items() if has(name)]
    known = ["import numpy as np", "from numba import njit", *modules]
    return "\n".join([*plain, *([""] if plain else []), *known, ""])


def _docstring(graph: Graph, function: Text) -> str:
    pairs = zip(function.parameters, graph.inputs, strict=True)
    takes = [f"    {name}: {_described(node.type)}" for name, node in pairs]
    results = zip(function.results, graph.results, strict=True)
    gives = [f"    {name}: {_described(graph[value].type)}" for name, value in results]
    targets = ", ".join(_distinct(function.results)) or "_"
    arguments = ", ".join(_example(node.type) for node in graph.inputs)
    call = f"{targets} = {function.name}({arguments})"
    example = wrap(call, 84, break_long_words=False, break_on_hyphens=False)
    return "\n".join(
        [
            f'"""{function.name}, written by Anabranch. Arrays are C-contiguous.',
            *(["", "Takes", *takes] if takes else []),
            *(["", "Returns", *gives] if gives else []),
            "",
            "\n... ".join([f">>> {example[0]}", *example[1:]]),
            '"""',
            "",
        ]
    )


def _distinct(names: tuple[str, ...]) -> list[str]:
    """The names, numbered where one comes again."""
    return [
        name if name not in names[:place] else f"{name}_{place}"
        for place, name in enumerate(names)
    ]


def _described(type_: TensorType) -> str:
    """A type in words."""
    dtype = type_.numpy.name
    return f"{dtype}, shape {type_.shape}" if type_.rank else dtype


def _example(type_: TensorType) -> str:
    """An argument of a type."""
    cast = dtype_text(type_.dtype)
    if not type_.rank:
        return f"{cast}(1)" if type_.has_gradient else f"{cast}(0)"
    kind = "ones" if type_.has_gradient else "zeros"
    dtype = "" if type_.dtype == "f64" else f", {cast}"
    return f"np.{kind}({shape_text(type_.shape)}{dtype})"
