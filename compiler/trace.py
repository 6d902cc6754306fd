"""Tracing: the user's NumPy function runs once on `Tracer` values, which build IR.

NumPy hands every call on a tracer to `__array_ufunc__` or `__array_function__`; the
lowering registered for the function turns it into nodes. Python scalars stay weak, as
in NumPy 2. Arrays that the function closes over become captured inputs, copied when
they are first met.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NoReturn, TypeGuard, cast
from weakref import WeakValueDictionary

import numpy as np

from ..ir.builder import Builder
from ..ir.errors import (
    AnabranchError,
    ConcretizationError,
    DTypeError,
    SourceLine,
    TraceError,
    UnsupportedError,
)
from ..ir.extent import Extent
from ..ir.graph import Node
from ..ir.text import format_node
from ..ir.types import DEFAULT_DTYPES, FLOATS, TensorType, dtype_name
from .frontend.twins import why_not
from .intervals import Intervals
from .known import answer, real, stored_to
from .paths import Move, follow
from .ragged import Ragged
from .source import (
    assigned_name,
    calling_frame,
    frame_line,
    is_installed,
    last_line,
    library_call,
    user_line,
)
from .tracer import GETITEM, SETITEM, Tracer
from .unsupported import Unsupported, function_name, what_to_write
from .views import Memory

__all__ = [
    "Trace",
    "active_trace",
    "find_trace",
    "is_traced",
    "lowered_functions",
    "lowering_of",
    "lowers",
    "origin_of",
    "outermost_trace",
    "program_trace",
]

_LOWERINGS: dict[Any, Callable[..., Any]] = {}
_VIEWS: set[Any] = set()
# branch: the trace of the innermost region; running: those whose functions run
_state = threading.local()


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


def lowering_of(function: Any) -> Callable[..., Any]:
    """The lowering of a function; `KeyError` where it has none."""
    return _LOWERINGS[function]


def is_traced(value: Any) -> TypeGuard[Tracer]:
    """Whether ``value`` is a traced array."""
    return isinstance(value, Tracer)


def find_trace(values: Any) -> Trace | None:
    """The newest trace among the tracers in nested lists, tuples and dicts.

    Inside a region (a branch of `cond`, the body of a loop) that is the region's, if
    the tracers are of traces around it: what the region computes belongs to it.
    """
    return _survey(values)[0]


def _survey(values: Any) -> tuple[Trace | None, Tracer | None]:
    """The newest trace among the traced arrays, and one of those that are known."""
    found: Trace | None = None
    known: Tracer | None = None
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tracer):
            if value.known is not None:
                known = value
            elif found is None or value.owner.level > found.level:
                found = value.owner
        elif isinstance(value, (list, tuple)):
            waiting.extend(cast("Iterable[Any]", value))
        elif isinstance(value, Ragged):
            waiting.append(value.length)
        elif isinstance(value, slice):
            parts = cast("slice[Any, Any, Any]", value)
            waiting += [parts.start, parts.stop, parts.step]
        elif isinstance(value, dict):
            waiting.extend(cast("Mapping[Any, Any]", value).values())
    return found and _inside(found), known


def active_trace() -> Trace | None:
    """The trace whose function runs in this thread, the innermost if there are some."""
    running: list[Trace] = getattr(_state, "running", [])
    return running[-1] if running else None


def outermost_trace() -> Trace:
    """The trace in this thread that stands in no other."""
    return _state.running[0]


def program_trace() -> Trace:
    """The trace of the function whose regions are being traced here."""
    running: list[Trace] = _state.running
    return next(trace for trace in reversed(running) if not trace.region)


def _inside(trace: Trace) -> Trace:
    """The innermost region that is being traced inside of ``trace``, or that itself."""
    branch: Trace | None = getattr(_state, "branch", None)
    return branch if branch is not None and branch.level > trace.level else trace


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
    trace to the ones inside it. ``intervals`` knows between which numbers integers are,
    and ``positions`` has those that are inside of an axis, by index and size.
    """

    def __init__(self, name: str, level: int = 0) -> None:
        self.builder = Builder(name)
        self.level = level
        self.captured: list[Any] = []
        self.captured_inputs: list[Node] = []
        self._captures: dict[Any, tuple[Any, Any, Node]] = {}
        self._constants: dict[tuple[object, ...], Node] = {}
        self.finished = False
        self.writes_arguments = False
        self.written: dict[Memory, tuple[Trace, Node, Trace | None]] | None = None
        self.unsupported = Unsupported(name)
        self._refused: ConcretizationError | None = None
        self._refused_at: SourceLine | None = None
        self._depth = 0
        self._full: WeakValueDictionary[int, np.ndarray[Any, Any]]
        self._full = WeakValueDictionary()
        self.region = ""
        self.failures: Memory | None = None  # see `frontend.failures`
        self.intervals = Intervals(self.builder.values)
        self.positions: dict[tuple[str, int], Node] = {}
        self.numbers: dict[str, int] = {}  # inputs whose values may be asked for

    def __enter__(self) -> None:
        """The user's function runs inside; afterwards its tracers are dead."""
        _state.running = [*getattr(_state, "running", []), self]

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        self.finished = True
        _state.running = _state.running[:-1]
        if error is None or isinstance(error, Exception):
            if not isinstance(error, UnsupportedError):
                self.unsupported.complain()
            self._uncover(error)

    def _uncover(self, error: Exception | None) -> None:
        """Raise a refusal of ours that a library replaced by an error of its own.

        NumPy does so where it was called, others from what they caught.
        """
        hidden = self._refused
        if hidden is None or not isinstance(error, (TypeError, ValueError)):
            return
        line = last_line(error)
        caught = error.__cause__ or error.__context__
        if error is not hidden and (
            line == self._refused_at
            or (caught is hidden and line is not None and is_installed(line.file))
        ):
            raise hidden from None

    # What the user's function does.

    def argument(self, name: str, type: TensorType, weak: bool) -> Tracer:
        """A named input; ``weak`` for a Python scalar."""
        node = self.builder.input(name, type)
        return Tracer(self, node, weak, Memory(node, None if weak else name))

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
        trace, known = _survey((args, kwargs))
        if known is not None:
            target = stored_to(function, args, _without_out(function, args, kwargs)[2])
            if target is not None:
                target.check_alone()
            at_home = target is None or target.owner.is_running
            if trace is None and at_home and not isinstance(function, str):
                return answer(_inside(known.owner), function, args, kwargs)
            if target is not None:
                target.forget()
            viewed = args[0] if function is GETITEM else None
            args, kwargs = _without_known(
                args, kwargs, viewed if target is None else target
            )
        trace = trace or _inside(self)
        if trace.finished:
            trace.enter()
            raise _leaked(trace).at(trace.builder.source)
        return trace.lower(function, args, kwargs)

    @property
    def innermost(self) -> Trace:
        """The branch that what happens now belongs to, or this."""
        return _inside(self)

    @property
    def is_running(self) -> bool:
        """Whether what happens now happens here, and in no branch inside of this."""
        return _inside(self) is self

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
        taken = args[:1] if function is SETITEM else args
        if any(isinstance(arg, Ragged) for arg in taken):
            from .lower.ragged import lower_ragged

            return lower_ragged(self, function, args, kwargs)
        lowering = _LOWERINGS.get(function)
        if lowering is None and isinstance(function, np.ufunc):
            from .lower.ufuncs import lower_special

            lower_special()
            lowering = _LOWERINGS.get(function)
        if lowering is None:
            return self._stand_in(function, args, kwargs)
        args, kwargs, out = _without_out(function, args, kwargs)
        try:
            result = lowering(self, *args, **kwargs)
        except TypeError as error:
            if error.__traceback__ and error.__traceback__.tb_next:
                raise
            raise UnsupportedError(
                f"{function_name(function)} is not supported with all of its "
                f"arguments: {', '.join(kwargs)}",
            ) from None
        if function in _VIEWS:
            share(result, args[0] if args else next(iter(kwargs.values())))
        if out is None:
            return result
        target = out[0] if isinstance(out, tuple) else out
        if not is_traced(target):
            raise TraceError("out= would write a traced value into a real array")
        return target.write(result)

    def _stand_in(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Zeros in the place of a result that nothing can compute."""
        self.unsupported.note(function, self.builder.source)
        types = self.unsupported.result_types(function, args, kwargs)
        if isinstance(types, tuple):
            return tuple(self._zeros(part) for part in cast("tuple[Any, ...]", types))
        return self._zeros(types)

    def _zeros(self, type: TensorType) -> Tracer:
        return self.wrap(self.builder.full(type, type.numpy.type(0).item()))

    # What lowerings use.

    @contextmanager
    def as_region(self, what: str) -> Generator[None, None, None]:
        """Lower here what the block does with values of the traces around this.

        ``what`` says what it is: "a branch of cond".
        """
        self.region = what
        outer = getattr(_state, "branch", None)
        _state.branch = self
        try:
            yield
        finally:
            _state.branch = outer

    def written_by(self, memory: Memory) -> Trace | None:
        """The trace around this that made a memory, if this wrote it."""
        found = (self.written or {}).get(memory)
        return found and found[0]

    def closed_over(self) -> list[Any]:
        """What each captured input is: the object, or what it was if that changed."""
        same = {
            id(kept): value
            for value, kept, _ in self._captures.values()
            if not is_traced(value) and _is_unchanged(value, kept)
        }
        return [same.get(id(kept), kept) for kept in self.captured]

    def captured_as(self, node: Node) -> Tracer | None:
        """The value of a trace around this that an input of it is, if it is one."""
        for kept, made in zip(self.captured, self.captured_inputs, strict=True):
            if made is node:
                return kept if is_traced(kept) else None
        return None

    def live(self) -> list[Any]:
        """What each captured input is from now on: the object, read at each call.

        It is a copy of what was met where the object has changed since, or has another
        layout than inputs.
        """
        return [
            value if value is kept or is_traced(value) or _is_input(value) else kept
            for value, kept in zip(self.closed_over(), self.captured, strict=True)
        ]

    def check_write(self) -> None:
        """Raise `TraceError` where a region would write an array of this trace."""
        region = _inside(self)
        if region is not self and region.written is None:
            raise TraceError(
                f"{region.region} writes into an array of the function around it",
                source=region.builder.source,
                hint="return the new value instead, or copy the array first",
            )

    def writer(self, memory: Memory) -> Trace:
        """The trace that writes a memory of this one now.

        A region takes the value before as an input, and ``written`` has what to give
        back at its end.
        """
        self.check_write()
        region = _inside(self)
        if region.written is None or region is self or memory.home is region:
            return region
        region.written[memory] = self, memory.node, memory.home
        before = Tracer(memory.home or self, memory.node)
        memory.swap(region.node(before), region)
        return region

    def enter(self) -> Any:
        """Note the user's line for the nodes made next; returns the calling frame."""
        frame = calling_frame()
        self.builder.source = user_line(frame)
        return frame

    def progress(self) -> str:
        """How far the trace is: nodes, and the user's line that it is at."""
        at = self.builder.source
        return f"{len(self.builder):,} nodes, at {at.brief if at else 'no line'}"

    def wrap(self, node: Node, weak: bool = False) -> Tracer:
        """A tracer for a value in memory of its own."""
        return Tracer(self, node, weak)

    def node(self, value: Any, dtype: str | None = None) -> Node:
        """The node of a tracer, an array, a scalar or a list, cast to ``dtype``."""
        if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
            found = dtype or DEFAULT_DTYPES[type(value)]
            if isinstance(value, float) and found not in FLOATS:
                return self.builder.cast(self.builder.const(value, "f64"), found)
            return self.builder.const(value, found)
        if isinstance(value, Tracer) and value.known is not None:
            return self._as(self._capture(value.known), dtype)
        if isinstance(value, Tracer):
            made = self.unchecked(value) if value.bound is None else self._bound(value)
        elif isinstance(value, np.generic):
            made = self.builder.const(value.item(), dtype_name(value.dtype))
        elif isinstance(value, np.ndarray):
            made = self._capture(value)
        elif isinstance(value, (list, tuple)):
            made = self.node(self.array(cast("Sequence[Any]", value)))
        else:
            refuse = getattr(type(value), "refuse", None)
            if refuse is not None:  # it says itself why it is no value
                refuse(value)
            raise TraceError(
                f"a {type(value).__name__} cannot take part in a traced expression"
            )
        return self._as(made, dtype)

    def unchecked(self, value: Tracer) -> Node:
        """The node of a tracer here, whether it has a value or not."""
        return value.unchecked_node if value.reader is self else self._capture(value)

    def position(self, move: Move) -> Node:
        """The position of a view, as a node of this trace."""
        return self.node(Tracer(move.trace, move.node))

    def _bound(self, value: Tracer) -> Node:
        """The value of a variable, after a check that it has one."""
        assert value.bound is not None, "it is asked for a variable that may have none"
        bound, message = value.bound
        b = self.builder
        has = b.cast(self.node(bound), "i64")
        has = b.check(has, low=1, high=2, error="unbound", message=message)
        raw = self.unchecked(value)
        mask = b.broadcast(b.cast(has, "bool"), raw.type.with_dtype("bool"))
        return b.select(mask, raw, b.like(raw, 0))

    def _as(self, node: Node, dtype: str | None) -> Node:
        return self.builder.cast(node, dtype) if dtype else node

    def constant(self, value: np.ndarray[Any, Any]) -> Node:
        """The input for an array that a lowering made; equal ones have the same."""
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._constants:
            self._constants[key] = self._capture(value)
        return self._constants[key]

    def initial(self, value: np.ndarray[Any, Any]) -> Node:
        """What an array that the function made holds, as a constant if it is one."""
        filled = self._filled(value)
        return self._capture(value) if filled is None else filled

    def _filled(self, value: np.ndarray[Any, Any]) -> Node | None:
        """The constant for an array that is full of one number."""
        number = _number_in(value)
        if number is None:
            return None
        type_ = TensorType(dtype_name(value.dtype), value.shape)
        return self.builder.full(type_, number)

    def note_full(self, value: np.ndarray[Any, Any]) -> None:
        """Have a constant for this array, also where it is only read."""
        self._full[id(value)] = value

    def array(self, value: Any) -> Any:
        """A (nested) list as an array, traced where anything in it is."""
        if not isinstance(value, (list, tuple)):
            return value
        items = cast("Sequence[Any]", value)
        if find_trace(items) is None:
            return np.asarray(items)
        return np.stack([self.array(item) for item in items])

    def _capture(self, value: Any) -> Node:
        """The input for an array, or an enclosing trace's tracer, of the closure.

        An array that the function changed since it was met gets another input.
        """
        if id(value) in self._full and (filled := self._filled(value)) is not None:
            return filled
        if is_traced(value):
            return self._capture_traced(value)
        known = self._captures.get(id(value))
        if known is not None and _is_unchanged(value, known[1]):
            return known[2]
        check_array(value, "a captured array")
        type_ = TensorType(dtype_name(value.dtype), value.shape)
        kept = np.array(value, dtype=type_.numpy, order="C")
        return self._keep(id(value), value, kept, "captured", type_)

    def _capture_traced(self, value: Tracer) -> Node:
        """The input for a tracer of an enclosing trace, with the same interval."""
        where = value.reader
        dead = next((t for t in (value.owner, where) if t.finished), None)
        if dead is not None or where.level > self.level:
            raise _leaked(dead or where)
        found = value.unchecked_node
        key = id(where), found.name
        if key in self._captures:
            return self._captures[key][2]
        name = where.builder.called(found)
        name = name if "." not in name else "captured"
        node = self._keep(key, value, Tracer(where, found), name, found.type)
        interval = where.intervals.of(found)
        if interval is not None:
            self.intervals.note(node, interval)
        return node

    def _keep(
        self, key: Any, value: Any, kept: Any, name: str, type_: TensorType
    ) -> Node:
        node = self.builder.input(f"{name}.{len(self.captured)}", type_)
        self._captures[key] = value, kept, node
        self.captured.append(kept)
        self.captured_inputs.append(node)
        return node

    def refuse(self, what: str, node: Node, hint: str) -> NoReturn:
        """Raise `ConcretizationError`, after all unsupported calls met so far."""
        if (branch := _inside(self)) is not self:
            branch.refuse(what, node, hint)
        if self._depth == 0:
            self.enter()
        self.unsupported.complain()
        frame = calling_frame()
        called = library_call(frame)
        as_it_is = why_not(frame.f_code) if frame is not None else None
        self._refused_at = frame_line(frame)
        self._refused = ConcretizationError(
            f"{called or what} needs the value of a traced array",
            source=self.builder.source,
            node=format_node(node),
            hint="; ".join(
                filter(None, (what_to_write(called) if called else hint, as_it_is))
            ),
        )
        raise self._refused


def _without_known(args: Any, kwargs: Any, target: Any) -> tuple[Any, Any]:
    """The arguments with real arrays, but for the one that is written or viewed."""

    def plain(value: Any) -> Any:
        alone = value[0] if type(value) is tuple and len(value) == 1 else value
        return value if alone is target and target is not None else real(value)

    return [plain(arg) for arg in args], {k: plain(v) for k, v in kwargs.items()}


def _number_in(value: np.ndarray[Any, Any]) -> bool | int | float | None:
    """The number that an array is full of, bit for bit, if it is."""
    if not value.size:
        return None
    bits = value.view(f"u{value.itemsize}") if value.dtype.kind == "f" else value
    first = bits[(0,) * value.ndim]
    return value[(0,) * value.ndim].item() if (bits == first).all() else None


def _leaked(trace: Trace) -> TraceError:
    return TraceError(
        f"a traced value of {trace.builder.name} is used outside of its call",
        hint="return it instead of storing it in a global, an attribute or a list",
    )


def _is_unchanged(value: Any, kept: Any) -> bool:
    """Whether a captured value is still what was kept of it, bit for bit."""
    bits = f"u{kept.itemsize}"
    now = np.ascontiguousarray(value, kept.dtype).reshape(kept.shape)
    return np.array_equal(now.view(bits), kept.view(bits))


def _is_input(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array is laid out as inputs are."""
    flags = array.flags
    behaved = array.dtype.isnative and flags.c_contiguous and flags.aligned
    return type(array) is np.ndarray and behaved


def share(result: Any, base: Any) -> None:
    """Let ``result`` (or each of a list) be a view of ``base``, if that is traced."""
    if not is_traced(base):
        return
    for view in result if isinstance(result, (list, tuple)) else [result]:
        if not is_traced(view) or view.memory.is_part_of(base.memory):
            continue
        path, trace = None, view.owner
        if trace is base.owner or trace.written is not None:
            path = follow(trace.builder, view.node, trace.node(base), base.path)
        if path is not None:
            view.become_view(base, path)
        else:
            view.memory = Memory(view.node, origin=origin_of(base))


def origin_of(base: Tracer) -> tuple[Memory, Extent]:
    """What is noted of an array that may be a part of what ``base`` shows."""
    return base.memory, base.path.reach(base.memory.shape)


@lru_cache(maxsize=512)
def _after_out(function: Any) -> tuple[int, tuple[str, ...]] | None:
    """Where a NumPy function takes ``out``, and the names of what comes after it."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    out = parameters.get("out")
    if out is None or out.kind is not out.POSITIONAL_OR_KEYWORD:
        return None
    names = tuple(parameters)
    place = names.index("out")
    return place, names[place + 1 :]


def _without_out(
    function: Any, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any], Any]:
    """The arguments without ``out``, which lowerings do not take, and that."""
    named = {name: value for name, value in kwargs.items() if name != "out"}
    out = kwargs.get("out")
    found = _after_out(function) if len(args) > 1 else None
    if found is None or len(args) <= found[0]:
        return args, named, out
    place, names = found
    named |= dict(zip(names, args[place + 1 :], strict=False))
    return args[:place], named, args[place]
