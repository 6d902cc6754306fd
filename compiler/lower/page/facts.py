"""What is true of each function with a lowering: found by tracing a call of it.

The graph of a sample call says which dtypes the function takes; the paths in it, and
in its gradient, over which a cotangent can go (`OpDef.is_differentiable`) say whether
there are derivatives.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from ....ir.errors import AnabranchError, GradientError
from ....ir.graph import Graph
from ....ir.ops import OPS
from ....ir.types import DTYPES
from ...api import grad, make_ir
from ...tracing.lowerings import lowered_functions
from ...tracing.running import find_trace
from ...tracing.tracer import GETITEM, SET_IMAG, SET_REAL, SETITEM
from ...tracing.unsupported import function_name
from ..refused import REFUSED
from .calls import MATRIX, calls_of
from .differences import DIFFERENCES

__all__ = ["Facts", "facts_of", "public_functions"]

_MODULES = "fft integrate interpolate linalg ndimage signal spatial.distance special"
_DTYPES = ("f32", "f64", "c64", "c128", "i64", "bool")
YES, ZERO, NONE = "yes", "zero", "none"
_SYNTAX = (GETITEM, SETITEM, SET_REAL, SET_IMAG)


class Facts(NamedTuple):
    """What a page says of a function.

    ``gradient`` and ``second`` are "yes", "zero" (of constant pieces, or of what is
    linear) or "none" (no float comes out), and name the arguments that are refused.
    """

    dtypes: str
    gradient: str
    second: str
    differs: str


def public_functions() -> Iterator[tuple[str, Any]]:
    """The functions of NumPy and SciPy that have a lowering, by their names."""
    for module in (*_MODULES.split(), "stats"):
        import_module(f"scipy.{module}")
    for function in lowered_functions():
        if isinstance(function, str) or function in _SYNTAX or function in REFUSED:
            continue
        name = function_name(function)
        if hasattr(function, "pdf") or hasattr(function, "pmf"):
            continue  # a distribution, which is frozen by a call; its methods follow
        if name.startswith(("np.", "scipy.")):
            yield name, function


def facts_of(name: str, function: Any) -> Facts:
    """What is true of a function; `AnabranchError` where no sample call is known."""
    called = _as_rewritten(name, function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls_of(name):
            run = _closed(call, called)
            count = call.__code__.co_argcount - 1
            dtypes = [dtype for dtype in _DTYPES if _graph(run, dtype, count)]
            if dtypes:
                gradient, second = _derivatives(run, dtypes, count)
                differs = DIFFERENCES.get(name, "")
                return Facts(" ".join(dtypes), gradient, second, differs)
    raise AnabranchError(f"{name}: no sample call works", hint="add one to calls.py")


def _as_rewritten(name: str, function: Any) -> Callable[..., Any]:
    """The function as rewritten code calls it; NumPy dispatches the others."""
    if name.startswith("np.") and not isinstance(function, FunctionType):
        return getattr(*function) if isinstance(function, tuple) else function

    def called(*args: Any, **named: Any) -> Any:
        trace = find_trace((args, named))
        return trace.apply(function, args, named) if trace else function(*args, **named)

    return called


def _closed(call: Callable[..., Any], function: Any) -> Callable[..., Any]:
    return lambda *args: call(function, *args)


def _samples(dtype: str, count: int) -> list[Any]:
    return [MATRIX.astype(DTYPES[dtype])] * count


def _graph(run: Callable[..., Any], dtype: str, count: int) -> Graph | None:
    """The graph of a call with arguments of a dtype; None where it is refused."""
    try:
        return make_ir(run)(*_samples(dtype, count))
    except Exception:  # what a wrong call raises is NumPy's or ours
        return None


def _derivatives(
    run: Callable[..., Any], dtypes: list[str], count: int
) -> tuple[str, str]:
    """What the page says of the first derivative, and of the second."""

    def loss(*args: Any) -> Any:
        made = run(*args)
        parts = made if isinstance(made, (tuple, list)) else (made,)
        return sum((np.sum(np.real(p)) for p in parts if _is_inexact(p)), start=0.0)

    def slope(*args: Any) -> Any:
        slopes = grad(loss, smooth)(*args)
        return sum((np.sum(np.sin(slope)) for slope in slopes), start=0.0)

    graph = _graph(run, "f64", count) if "f64" in dtypes else None
    if graph is None or not any(
        graph[name].type.has_gradient for name in graph.results
    ):
        return NONE, NONE
    samples, refused = _samples("f64", count), {}
    for slot in range(count):
        try:
            make_ir(grad(loss, slot))(*samples)
        except GradientError as error:
            refused[slot] = error.what
    smooth = [slot for slot in range(count) if slot not in refused]
    if not _carries(make_ir(loss)(*samples), count):
        return ZERO, ZERO
    return _but(refused), YES if _carries(make_ir(slope)(*samples), count) else ZERO


def _but(refused: dict[int, str]) -> str:
    """Which parameters there is no gradient by, as the errors have it."""
    texts = [what.partition(" with respect to the ")[2] for what in refused.values()]
    named = [
        " of ".join(part for part in text.split(" of ") if part not in OPS)
        for text in texts
    ]
    named[:-1] = [text.removesuffix(" parameter") for text in named[:-1]]
    return f"{YES}, not by the {', '.join(named)}" if named else YES


def _is_inexact(part: Any) -> bool:
    return getattr(part, "dtype", np.dtype(bool)).kind in "fc"


def _carries(graph: Graph, count: int) -> bool:
    """Whether a cotangent of the results can come to one of the first inputs."""
    active = {node.name for node in graph.inputs[:count]}
    for node in graph:
        op = OPS[node.op]
        if any(
            name in active and op.is_differentiable(slot)
            for slot, name in enumerate(node.operands)
        ):
            active.update(node.floats)
    return not active.isdisjoint(graph.results)
