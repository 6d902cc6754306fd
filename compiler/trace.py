"""Tracing: the user's NumPy function runs once on `Tracer` values, which build IR.

NumPy hands every call on a tracer to `__array_ufunc__` or `__array_function__`; the
lowering registered for the function turns it into nodes. Python scalars stay weak, as
in NumPy 2. Arrays that the function closes over become captured inputs, copied when
they are first met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeGuard, cast

import numpy as np

from ..ir.builder import Builder
from ..ir.errors import (
    AnabranchError,
    ConcretizationError,
    DTypeError,
    TraceError,
    UnsupportedError,
)
from ..ir.graph import Node
from ..ir.text import format_node
from ..ir.types import TensorType, dtype_name
from .source import assigned_name, last_line, user_frame, user_line
from .tracer import Memory, Tracer

__all__ = ["Trace", "find_trace", "is_traced", "lowers"]

_LOWERINGS: dict[Any, Callable[..., Any]] = {}
_VIEWS: set[Any] = set()


def lowers(*functions: Any, view: bool = False) -> Callable[[Any], Any]:
    """Register the lowering of NumPy functions.

    A lowering takes the `Trace` and then the arguments of the function. With ``view``
    the result shares memory with the first argument, as it does in NumPy.
    """

    def add(lowering: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            _LOWERINGS[function] = lowering
            if view:
                _VIEWS.add(function)
        return lowering

    return add


def lowered_functions() -> list[Any]:
    """All functions that have a lowering."""
    return list(_LOWERINGS)


def is_traced(value: Any) -> TypeGuard[Tracer]:
    """Whether ``value`` is a traced array."""
    return isinstance(value, Tracer)


def find_trace(values: Any) -> Trace | None:
    """The newest trace among the tracers in nested lists, tuples and dicts."""
    found: Trace | None = None
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tracer):
            if found is None or value.owner.level > found.level:
                found = value.owner
        elif isinstance(value, (list, tuple)):
            waiting.extend(cast("Iterable[Any]", value))
        elif isinstance(value, dict):
            waiting.extend(cast("Mapping[Any, Any]", value).values())
    return found


def check_array(value: Any, what: str) -> None:
    """Raise `DTypeError` for subclasses of ndarray, whose meaning would be lost."""
    if type(value) not in (np.ndarray, np.memmap):
        raise DTypeError(
            f"{what} is a {type(value).__module__}.{type(value).__name__}",
            hint="convert it with np.asarray (a masked array: fill it first)",
        )


class Trace:
    """One run of a user's function: the builder, the captured arrays, the complaints.

    ``captured`` holds, in the order of their inputs, the arrays (or tracers of an
    enclosing trace) that the function closed over. ``level`` grows from an enclosing
    trace to the ones inside it.
    """

    def __init__(self, name: str, level: int = 0) -> None:
        self.builder = Builder(name)
        self.level = level
        self.captured: list[Any] = []
        self._captures: dict[int, tuple[Any, Node]] = {}
        self.finished = False
        self._unsupported: list[str] = []
        self._refused: ConcretizationError | None = None
        self._depth = 0

    def __enter__(self) -> None:
        """The user's function runs inside; afterwards its tracers are dead."""

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        self.finished = True
        self.complain()
        hidden = self._refused
        if hidden and isinstance(error, (TypeError, ValueError)) and error is not hidden:
            if last_line(error) == hidden.source:
                raise hidden from None  # NumPy put an error of its own in its place

    # What the user's function does.

    def argument(self, name: str, type: TensorType, weak: bool) -> Tracer:
        """A named input; ``weak`` for a Python scalar."""
        node = self.builder.input(name, type)
        return Tracer(self, node, weak, Memory(None if weak else name))

    def operator(self, function: Any, *operands: Any) -> Any:
        """A Python operator: the ufunc, with NumPy's fast paths for scalars."""
        return self.apply(function, operands, {"operator": True})

    def ufunc(self, ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
        """A call that came through ``__array_ufunc__``."""
        if method == "__call__":
            return self.apply(ufunc, inputs, kwargs)
        return self.apply((ufunc, method), inputs, kwargs)

    def apply(self, function: Any, args: Sequence[Any], kwargs: Any) -> Any:
        """Lower a call of ``function``; lowerings may call NumPy on tracers again."""
        trace = find_trace((args, kwargs)) or self
        if trace.finished:
            trace.enter()
            raise _leaked(trace).at(trace.builder.source)
        return trace.lower(function, args, kwargs)

    def lower(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Lower a call whose newest tracer belongs to this trace."""
        outermost = self._depth == 0
        frame = self.enter() if outermost else None
        self._depth += 1
        try:
            result = self._lower(function, args, kwargs)
        except AnabranchError as error:
            raise error.at(self.builder.source) from None
        except (TypeError, ValueError, IndexError, ArithmeticError) as error:
            if outermost and self.builder.source:
                error.add_note(f"  {self.builder.source}")
            raise
        finally:
            self._depth -= 1
        if outermost and isinstance(result, Tracer):
            name = assigned_name(frame)
            if name is not None and result.node.op not in ("input", "const"):
                self.builder.suggest(result.node, name)
        return result

    def _lower(self, function: Any, args: Any, kwargs: Any) -> Any:
        lowering = _LOWERINGS.get(function)
        out = kwargs.pop("out", None) if "out" in kwargs else None
        if lowering is None:
            return self._no_lowering(function, args, kwargs)
        result = lowering(self, *args, **kwargs)
        base = args[0] if args else next(iter(kwargs.values()))
        if function in _VIEWS and is_traced(base):
            share(result, base)
        if out is None:
            return result
        target = out[0] if isinstance(out, tuple) else out
        if not is_traced(target):
            raise TraceError("out= would write a traced value into a real array")
        return target.write(result)

    # What lowerings use.

    def enter(self) -> Any:
        """Note the user's line for the nodes made next; returns the user's frame."""
        frame = user_frame()
        self.builder.source = user_line(frame)
        return frame

    def wrap(self, node: Node, weak: bool = False) -> Tracer:
        """A tracer for a value in memory of its own."""
        return Tracer(self, node, weak)

    def node(self, value: Any, dtype: str | None = None) -> Node:
        """The node of a tracer, an array, a scalar or a list, cast to ``dtype``."""
        if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
            return self.builder.const(value, dtype or _weak_dtype(value))
        if isinstance(value, Tracer):
            made = value.node if value.owner is self else self._capture(value)
        elif isinstance(value, np.generic):
            made = self.builder.const(value.item(), dtype_name(value.dtype))
        elif isinstance(value, np.ndarray):
            made = self._capture(value)
        elif isinstance(value, (list, tuple)):
            made = self.node(self.array(cast("Sequence[Any]", value)))
        else:
            raise TraceError(
                f"a {type(value).__name__} cannot take part in a traced expression"
            )
        return self.builder.cast(made, dtype) if dtype else made

    def array(self, value: Any) -> Any:
        """A (nested) list as an array, traced where anything in it is."""
        if not isinstance(value, (list, tuple)):
            return value
        items = cast("Sequence[Any]", value)
        if find_trace(items) is None:
            return np.asarray(items)
        return np.stack([self.array(item) for item in items])

    def _capture(self, value: Any) -> Node:
        """The input for an array, or an enclosing trace's tracer, of the closure."""
        known = self._captures.get(id(value))
        if known is not None and (not is_traced(value) or known[0].seen == value.seen):
            return known[1]
        if is_traced(value):
            if value.owner.finished or value.owner.level > self.level:
                raise _leaked(value.owner)
            type_, kept = value.node.type, Tracer(value.owner, value.node)
            name = value.node.name if "." not in value.node.name else "captured"
        else:
            check_array(value, "a captured array")
            type_ = TensorType(dtype_name(value.dtype), value.shape)
            kept = np.array(value, dtype=type_.numpy, order="C")
            name = "captured"
        node = self.builder.input(f"{name}.{len(self.captured)}", type_)
        self._captures[id(value)] = (value, node)
        self.captured.append(kept)
        return node

    # What tracing cannot follow.

    def refuse(self, what: str, node: Node, hint: str) -> NoReturn:
        """Raise `ConcretizationError`, after all unsupported calls met so far."""
        if self._depth == 0:
            self.enter()
        self.complain()
        self._refused = ConcretizationError(
            f"{what} needs the value of a traced array",
            source=self.builder.source,
            node=format_node(node),
            hint=hint,
        )
        raise self._refused

    def _no_lowering(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Note the call and go on with zeros of the type that NumPy would return.

        That type is found by calling NumPy on ones; where it fails the trace ends.
        """
        line = f"{function_name(function)}   {self.builder.source or ''}".rstrip()
        if line not in self._unsupported:
            self._unsupported.append(line)
        try:
            with np.errstate(all="ignore"):
                result = _callable(function)(*concrete(args), **concrete(kwargs))
            if isinstance(result, tuple):
                parts = cast("tuple[Any, ...]", result)
                return tuple(self._zeros(np.asarray(part)) for part in parts)
            return self._zeros(np.asarray(result))
        except Exception:
            self.complain()
            raise

    def _zeros(self, like: np.ndarray[Any, Any]) -> Tracer:
        type_ = TensorType(dtype_name(like.dtype), like.shape)
        return self.wrap(self.builder.full(type_, type_.numpy.type(0).item()))

    def complain(self) -> None:
        """Raise one `UnsupportedError` for all calls that had no lowering."""
        if self._unsupported:
            calls = "".join(f"\n    {line}" for line in self._unsupported)
            raise UnsupportedError(
                f"{self.builder.name} calls what has no lowering to IR:{calls}",
                hint="write it with the supported functions (docs/numpy.md), or "
                "compute it outside and pass the result in",
            )


def _leaked(trace: Trace) -> TraceError:
    return TraceError(
        f"a traced value of {trace.builder.name} is used outside of its call",
        hint="return it instead of storing it in a global, an attribute or a list",
    )


def share(result: Any, base: Tracer) -> None:
    """Let ``result`` (or each of a list) be a view of ``base``."""
    for view in result if isinstance(result, (list, tuple)) else [result]:
        if is_traced(view) and view is not base:
            view.memory, view.seen = base.memory, base.memory.version


def function_name(function: Any) -> str:
    """How a user writes the function: ``np.linalg.svd``, ``np.add.accumulate``."""
    if isinstance(function, tuple):
        ufunc, method = cast("tuple[Any, str]", function)
        return f"{function_name(ufunc)}.{method}"
    module = str(getattr(function, "__module__", None) or "numpy")
    return f"{module}.{function.__name__}".replace("numpy", "np", 1)


def _callable(function: Any) -> Callable[..., Any]:
    return getattr(*function) if isinstance(function, tuple) else function


def concrete(values: Any) -> Any:
    """Nested arguments with arrays of ones in the place of tracers."""
    if isinstance(values, Tracer):
        return np.ones(values.shape, values.dtype)
    if isinstance(values, (list, tuple)):
        items = cast("Iterable[Any]", values)
        return type(values)(concrete(item) for item in items)  # type: ignore[call-arg]
    if isinstance(values, dict):
        pairs = cast("dict[Any, Any]", values)
        return {key: concrete(item) for key, item in pairs.items()}
    return values


def _weak_dtype(value: bool | int | float) -> str:
    return {bool: "bool", int: "i64", float: "f64"}[type(value)]
