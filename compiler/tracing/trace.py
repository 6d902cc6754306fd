"""Tracing: the user's NumPy function runs once on `Tracer` values, which build IR.

NumPy hands every call on a tracer to `__array_ufunc__` or `__array_function__`; the
lowering registered for the function turns it into nodes. Python scalars stay weak, as
in NumPy 2. Arrays that the function closes over become captured inputs, copied when
they are first met.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import numpy as np

from ...ir.errors import (
    AnabranchError,
    ConcretizationError,
    SourceLine,
    TraceError,
    UnsupportedError,
)
from ...ir.extent import Extent
from ...ir.graph import Node
from ...ir.ops.elementwise import REALS
from ...ir.text import format_node
from ...ir.types import COMPLEX, DEFAULT_DTYPES, INEXACT, TensorType, dtype_name
from ..frontend.twins import why_not
from .captures import Captures, leaked
from .known import answer, stored_to, without_known
from .lost_parts import complex_refused
from .lowerings import is_view, lowering_of, without_out
from .paths import Move, follow
from .ragged import Ragged
from .running import begin, end, find_trace, innermost, is_traced, region, survey
from .source import (
    assigned_name,
    calling_frame,
    frame_line,
    is_installed,
    last_line,
    library_call,
    user_line,
)
from .stacked import Stack
from .tracer import GETITEM, SETITEM, Tracer, Unsized
from .unsupported import Unsupported, function_name, what_to_write
from .views import Memory

__all__ = ["Trace", "origin_of", "share"]


_NUMBERS = bool, int, float, complex


class Trace(Captures):
    """One run of a user's function: the builder, the captured arrays, the complaints.

    ``positions`` has the integers that are inside of an axis, by index and size, and
    ``limits`` what the counter of a loop stays below, by its name.
    """

    def __init__(self, name: str, level: int = 0) -> None:
        super().__init__(name, level)
        self.finished = False
        self.writes_arguments = False
        self.written: dict[Memory, tuple[Trace, Node, Trace | None]] | None = None
        self.unsupported = Unsupported(name)
        self._refused: ConcretizationError | None = None
        self._refused_at: SourceLine | None = None
        self._depth = 0
        self.region = ""
        self.failures: Memory | None = None  # see `frontend.failures`
        self.positions: dict[tuple[str, int], Node] = {}
        self.limits: dict[str, Tracer] = {}
        self.containers: dict[int, Any] = {}  # see `frontend.shared`
        self.numbers: dict[str, int] = {}  # inputs whose values may be asked for

    def __enter__(self) -> None:
        """The user's function runs inside; afterwards its tracers are dead."""
        begin(self)

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        self.finished = True
        end()
        if error is None or isinstance(error, Exception):
            if not isinstance(error, UnsupportedError):
                self.unsupported.complain()
            self._uncover(error)

    def _uncover(self, error: Exception | None) -> None:
        """Raise a refusal of ours that a library replaced by an error of its own.

        NumPy does so where it was called, others from what they caught, and libraries
        in C by an error of any kind.
        """
        hidden = self._refused
        if hidden is None or error is None:
            return
        line = last_line(error)
        in_library = line is not None and is_installed(line.file)
        if not (in_library or isinstance(error, (TypeError, ValueError))):
            return
        caught = error.__cause__ or error.__context__
        if error is not hidden and (
            line == self._refused_at or (caught is hidden and in_library)
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
        trace, known = survey((args, kwargs))
        if known is not None:
            targets = stored_to(function, args, without_out(function, args, kwargs)[2])
            for target in targets:
                target.check_alone()
            at_home = all(target.owner.is_running for target in targets)
            if trace is None and at_home and not isinstance(function, str):
                return answer(innermost(known.owner), function, args, kwargs)
            for target in targets:
                target.forget()
            viewed = args[:1] if function is GETITEM else ()
            args, kwargs = without_known(args, kwargs, targets or viewed)
        trace = trace or innermost(self)
        if trace.finished:
            trace.enter()
            raise leaked(trace).at(trace.builder.source)
        return trace.lower(function, args, kwargs)

    @property
    def innermost(self) -> Trace:
        """The branch that what happens now belongs to, or this."""
        return innermost(self)

    @property
    def is_running(self) -> bool:
        """Whether what happens now happens here, and in no branch inside of this."""
        return innermost(self) is self

    def lower(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Lower a call whose newest tracer belongs to this trace."""
        outermost = self._depth == 0
        frame = self.enter() if outermost else None
        self._depth += 1
        try:
            result = self._lower(function, args, kwargs)
        except AnabranchError as error:
            raise error.at(self.builder.source) from None
        except Exception as error:
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
            from ..lower.ragged.lowering import lower_ragged

            return lower_ragged(self, function, args, kwargs)
        if any(isinstance(arg, Unsized) for arg in taken):
            from ..lower.selected.selected import lower_selected

            return lower_selected(function, args, kwargs)
        lowering = lowering_of(function)
        if lowering is None:
            return self._stand_in(function, args, kwargs)
        args, kwargs, out = without_out(function, args, kwargs)
        targets: tuple[Any, ...] = out if isinstance(out, tuple) else (out,)
        where = kwargs.pop("where", True) if isinstance(function, np.ufunc) else True
        if where is not True and any(target is None for target in targets):
            raise UnsupportedError(
                f"{function_name(function)} with where= leaves the rest of its result "
                "undetermined",
                hint="say what stands there: np.where(mask, f(x), other), or out=",
            )
        try:
            result = lowering(self, *args, **kwargs)
        except TypeError as error:
            if error.__traceback__ and error.__traceback__.tb_next:
                raise
            raise UnsupportedError(
                f"{function_name(function)} is not supported with all of its "
                f"arguments: {', '.join(kwargs)}",
            ) from None
        if is_view(function):
            share(result, args[0] if args else next(iter(kwargs.values())))
        if len(targets) == 1:
            return _stored(result, targets[0], where)
        pairs = zip(result, targets, strict=True)
        return tuple([_stored(part, target, where) for part, target in pairs])

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
        with region(self):
            yield

    def written_by(self, memory: Memory) -> Trace | None:
        """The trace around this that made a memory, if this wrote it."""
        found = (self.written or {}).get(memory)
        return found and found[0]

    def check_write(self) -> None:
        """Raise `TraceError` where a region would write an array of this trace."""
        region = innermost(self)
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
        region = innermost(self)
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
        if isinstance(value, _NUMBERS) and not isinstance(value, np.generic):
            found = dtype or DEFAULT_DTYPES[type(value)]
            if isinstance(value, complex) and found not in COMPLEX:
                return self._as(self.builder.const(value, "c128"), found)
            if isinstance(value, float) and found not in INEXACT:
                return self.builder.cast(self.builder.const(value, "f64"), found)
            return self.builder.const(value, found)
        if isinstance(value, Tracer) and value.known is not None:
            return self._as(self.capture(value.known), dtype)
        if isinstance(value, Tracer):
            made = self.unchecked(value) if value.bound is None else self._bound(value)
        elif isinstance(value, np.generic):
            made = self.builder.const(value.item(), dtype_name(value.dtype))
        elif isinstance(value, np.ndarray):
            made = self.capture(value)
        elif isinstance(value, (list, tuple)):
            made = self.node(self.array(cast("Sequence[Any]", value)))
        else:
            refuse = getattr(type(value), "refuse", None)
            if refuse is not None:  # it says itself why it is no value
                refuse(value)
            raise TraceError(
                f"a {type(value).__name__} cannot take part in a traced expression",
                hint="np.asarray makes an array of it"
                if hasattr(value, "__array__")
                else None,
            )
        return self._as(made, dtype)

    def unchecked(self, value: Tracer) -> Node:
        """The node of a tracer here, whether it has a value or not."""
        return value.unchecked_node if value.reader is self else self.capture(value)

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
        if node.type.is_complex and dtype in REALS:
            raise complex_refused(node)
        return self.builder.cast(node, dtype) if dtype else node

    @property
    def is_nested(self) -> bool:
        """Whether a lowering calls what is lowered now, and not the user."""
        return self._depth > 1

    def array(self, value: Any) -> Any:
        """A (nested) list as an array, traced where anything in it is."""
        if not isinstance(value, (list, tuple)):
            return value
        items = cast("Sequence[Any]", value)
        if find_trace(items) is None:
            return np.asarray(items)
        if (stack := Stack.of(items)) is not None:
            return stack.array
        return np.stack([self.array(item) for item in items])

    def refuse(self, what: str, node: Node, hint: str) -> NoReturn:
        """Raise `ConcretizationError`, after all unsupported calls met so far."""
        if (branch := innermost(self)) is not self:
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


def share(result: Any, base: Any) -> None:
    """Let ``result`` (or each of a list) be a view of ``base``, if that is traced."""
    if not is_traced(base):
        return
    for view in result if isinstance(result, (list, tuple)) else [result]:
        if not is_traced(view) or view.memory.is_part_of(base.memory):
            continue
        if view.memory.ordered:  # a copy, as the layout says
            continue
        path, trace = None, view.owner
        if trace is base.owner or trace.written is not None:
            path = follow(
                trace.builder, view.node, trace.node(base), base.path, base.memory
            )
        if path is not None:
            view.become_view(base, path)
        else:
            view.memory = Memory(view.node, origin=origin_of(base))


def _stored(result: Any, target: Any, where: Any) -> Any:
    """A result in the array of ``out``, if there is one, at the places of a mask."""
    if target is None:
        return result
    if where is not True:
        result = np.where(where, result, target)
    if not is_traced(target):
        raise TraceError("out= would write a traced value into a real array")
    return target.write(result)


def origin_of(base: Tracer) -> tuple[Memory, Extent]:
    """What is noted of an array that may be a part of what ``base`` shows."""
    return base.memory, base.path.reach(base.memory.shape)
