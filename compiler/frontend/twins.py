"""The twin of a function: its rewritten code with its own globals, cells and defaults.

Nothing is added to the user's modules. The operators are cells of the twin.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any

from ...ir.collection import paused_collection
from ..tracing.source import BLOCK, is_standard
from .definition import WRAPPED, NoSource, class_name, compiled, definition
from .rewriter import rewritten

__all__ = ["is_outside", "is_twin", "is_users", "register_operators", "twin", "why_not"]

_ROOT = __name__.split(".")[0]
_OUTSIDE = {_ROOT, "autograd", "jax", "numba", "numpy", "optree", "scipy", "torch"}

_operators: dict[str, CellType] = {}
_codes: dict[
    int, CodeType | str
] = {}  # by the id of the original: or why there is none
_made: set[int] = set()  # ids of the codes that are ours


def register_operators(operators: Mapping[str, Callable[..., Any]]) -> None:
    """Say what the names with a dollar sign mean."""
    _operators.update({f"${k}": CellType(v) for k, v in operators.items()})


def twin(function: FunctionType) -> FunctionType:
    """The twin of a function of the user's; any other one itself."""
    code = _code(function)
    if isinstance(code, str):
        return function
    cells = dict(
        zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    made = FunctionType(
        code,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(cells.get(n) or _operators[n] for n in code.co_freevars),
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__dict__.update(function.__dict__)
    return made


def is_users(function: FunctionType) -> bool:
    """Whether a function is rewritten, or would be if it had a source."""
    return is_twin(function.__code__) or _code(function) != ""


def is_outside(module: str) -> bool:
    """Whether a module is of a library that works on arrays, ours not counted."""
    root = module.split(".")[0]
    return root in _OUTSIDE and root != _ROOT


def why_not(code: CodeType) -> str | None:
    """A sentence on why a function that was called runs as it is, if it does."""
    found = _codes.get(id(code))
    if not isinstance(found, str) or not found:
        return None
    return f"{code.co_name} was not rewritten: {found}"


def is_twin(code: CodeType) -> bool:
    """Whether a code came out of the rewriting."""
    return id(code) in _made


def _code(function: FunctionType) -> CodeType | str:
    """The code of the twin; else why there is none, empty where none is wanted."""
    original = function.__code__
    known = _codes.get(id(original))
    if known is None:
        known = _make_code(function)
        _codes[id(original)] = known
        weakref.finalize(original, _codes.pop, id(original), None)
    return known


def _make_code(function: FunctionType) -> CodeType | str:
    original = function.__code__
    root = str(function.__globals__.get("__name__", "")).split(".")[0]
    if root in _OUTSIDE or is_twin(original) or is_standard(original.co_filename):
        return ""
    try:
        with paused_collection():
            source = definition(function)
            tree = rewritten(source, class_name(original.co_qualname))
            free = [*original.co_freevars, *_operators]
            return _marked(compiled(tree, original, free), original)
    except NoSource as why:
        return str(why)


def _marked(code: CodeType, original: CodeType) -> CodeType:
    """The code with the user's names for the functions that blocks became."""
    made = code.replace(
        co_name=original.co_name,
        co_qualname=original.co_qualname,
        co_consts=tuple(
            _inner(c, original) if isinstance(c, CodeType) else c
            for c in code.co_consts
        ),
    )
    return _remember(made)


def _inner(code: CodeType, around: CodeType) -> CodeType:
    first = "".join(code.co_varnames[:1])
    block = code.co_name.startswith("$") or first.startswith("$")
    name, qualname = code.co_name, code.co_qualname
    if block:
        name = around.co_name
        qualname = around.co_qualname.removesuffix(BLOCK) + BLOCK
    else:
        qualname = f"{around.co_qualname.removesuffix(BLOCK)}.<locals>.{name}"
    made = code.replace(co_name=name, co_qualname=qualname)
    consts = [
        _inner(c, made)
        if isinstance(c, CodeType)
        else qualname  # of a class, which its body stores
        if isinstance(c, str) and c.startswith(WRAPPED)
        else c
        for c in code.co_consts
    ]
    return _remember(made.replace(co_consts=tuple(consts)))


def _remember(code: CodeType) -> CodeType:
    _made.add(id(code))
    weakref.finalize(code, _made.discard, id(code))
    return code
