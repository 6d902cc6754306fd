"""The array that a user's function sees while it is traced.

In-place writes make new values. Tracers of one memory (an array and its views) share
a `Memory`, which has the newest; each reads it, and writes to it, through its path.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ...ir.errors import TraceError
from ...ir.graph import Node
from ...ir.types import DTYPES, TensorType
from .array_methods import ArrayMethods
from .casts import check_same_kind
from .flat import Flat
from .layout import is_contiguous
from .paths import Path, path_to
from .python_values import PythonValues
from .views import Memory

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Tracer", "Unsized", "plain_index"]


class Unsized:
    """What a traced mask chose, whose size is known only when running."""

    @property
    def chosen_by(self) -> list[Any]:
        """What stands for this in an index."""
        raise NotImplementedError("each kind says what it can do")


class MissingAttribute(TraceError, AttributeError):
    """An attribute of `numpy.ndarray` that traced arrays lack."""


class Tracer(PythonValues, ArrayMethods):
    """A traced array: shape and dtype are known, values are not.

    ``weak`` marks a Python scalar, which adapts its dtype to the arrays it meets.
    ``path`` is the way from ``memory`` to what this array shows of it. Of an array that
    the function made itself the values are ``known`` until something traced is stored.
    Of a variable that may have no value, ``bound`` says whether it has, and the message
    where it is read without.
    """

    __slots__ = (
        "_node",
        "_real",
        "_seen",
        "bound",
        "memory",
        "owner",
        "path",
        "type",
        "weak",
    )
    __array_priority__ = 1000.0

    def __init__(
        self, trace: Trace, node: Node, weak: bool = False, memory: Memory | None = None
    ) -> None:
        self.owner = trace
        self.weak = weak
        self.memory = memory or Memory(node)
        self.type = node.type
        self.path = path_to(node.type.shape)
        self._seen = self.memory.version
        self._node: Node | None = node
        self._real: np.ndarray[Any, Any] | None = None
        self.bound: tuple[Tracer, str] | None = None

    @classmethod
    def of_known(
        cls,
        trace: Trace,
        real: np.ndarray[Any, Any],
        type: TensorType,
        memory: Memory,
        path: Path,
    ) -> Tracer:
        """A view of a memory that is known, or all of it."""
        made = cls.__new__(cls)
        made.owner, made.weak, made.memory, made.path = trace, False, memory, path
        made.type, made._node, made._real = type, None, real
        made._seen, made.bound = memory.version, None
        return made

    @property
    def known(self) -> np.ndarray[Any, Any] | None:
        """The real array, as long as nothing traced was stored where it is."""
        return None if self.memory.known is None else self._real

    @classmethod
    def unread(
        cls,
        trace: Trace,
        type: TensorType,
        memory: Memory,
        path: Path | None = None,
        weak: bool = False,
    ) -> Tracer:
        """All of a memory, or a view of it, whose value is made when it is read."""
        made = cls.__new__(cls)
        made.owner, made.weak, made.memory, made.type = trace, weak, memory, type
        made.path, made._node, made._real = path or path_to(type.shape), None, None
        made._seen, made.bound = memory.version, None
        return made

    def become_view(self, base: Tracer, path: Path) -> None:
        """Share the memory that the value was made from."""
        maker = self.owner
        self.owner, self.memory, self.path = base.owner, base.memory, path
        self._seen = base.memory.version
        if self.reader is not maker:  # a branch made the value
            self._node = None

    @property
    def is_known(self) -> bool:
        """Whether ``node`` can be read."""
        return self.memory.knows(self.path.reach(self.memory.shape))

    @property
    def here(self) -> Trace:
        """The trace that the memory belongs to: a branch, once that wrote it."""
        return self.memory.home or self.owner

    @property
    def reader(self) -> Trace:
        """The trace that ``node`` belongs to: where the positions of a view are known.

        The memory's own, for other views.
        """
        moves = self.path.all_moves
        if not moves:
            return self.here
        traces = [self.here, *(move.trace for move in moves)]
        return max(traces, key=lambda trace: trace.level)

    def read(self, path: Path) -> Node:
        """What another path shows of the memory; no other part need be known."""
        self._check(path)
        return path.read(self.here, self.memory.node)

    def read_in(self, trace: Trace, path: Path) -> Node:
        """The same, as a node of a trace in which the positions are known."""
        self._check(path)
        return path.read(trace, self._memory_in(trace))

    @property
    def is_view(self) -> bool:
        """Whether this shows a part of a memory, or shows it in another way."""
        return self.path != path_to(self.memory.shape)

    @property
    def is_current(self) -> bool:
        """Whether nothing was written since the value was read."""
        return self._seen == self.memory.version

    @property
    def node(self) -> Node:
        """The node that makes the value now; `TraceError` where that is not known."""
        if self.known is not None:
            return self.owner.node(self.known)
        if self.bound is not None:
            return self.owner.innermost.node(self)
        return self.unchecked_node

    @property
    def unchecked_node(self) -> Node:
        """The node, whether the variable has a value or not."""
        self._check(self.path)
        stays = self.is_current and self.memory.known is None
        if self._node is None or not stays:
            self._node = self.path.read(self.reader, self._memory_in(self.reader))
            self._seen = self.memory.version
        return self._node

    def _memory_in(self, trace: Trace) -> Node:
        """All of the memory, as a node of ``trace``."""
        if self.memory.known is not None:
            return trace.node(self.memory.known)
        node, here = self.memory.node, self.here
        return node if here is trace else trace.node(Tracer(here, node))

    def _check(self, path: Path) -> None:
        if not self.memory.knows(path.reach(self.memory.shape)):
            self.owner.enter()
            raise TraceError(
                "this array was written through another name (a view of it, or the "
                f"array that it is a view of)\n  {self.memory.written_at() or ''}",
                source=self.owner.builder.source,
                hint="make the view again after the write, or copy before it",
            )

    def write(self, value: Any) -> Tracer:
        """Become ``value``, cast and broadcast to this array's type."""
        trace, type_ = self._writer(), self.type
        refused = self.memory.argument is not None and not self.owner.writes_arguments
        if not refused:
            check_same_kind(value, self, trace.builder.source)
        made = trace.node(value, type_.dtype)
        self.store(self.path, trace.wrap(trace.builder.broadcast(made, type_)))
        return self

    def check_alone(self) -> None:
        """Raise `TraceError` where another name may refer to what is written."""
        other = self.memory.other_name()
        if other is not None:
            self.owner.enter()
            raise TraceError(
                "this array is written while another name may refer to it, by the "
                f"branch that was taken\n  {other.line}",
                source=self.owner.builder.source,
                hint="copy the array in both branches",
            )

    def _writer(self) -> Trace:
        """The trace that writes the memory now: a branch has the value before."""
        self.check_alone()
        self.forget()
        return self.owner.writer(self.memory)

    def forget(self) -> None:
        """Have a node for the memory: what is stored is not known."""
        if self.memory.known is not None:
            self.memory.forget(self.owner)

    def store(self, path: Path, value: Tracer) -> None:
        """Write ``value`` to what ``path`` shows of the memory."""
        trace = self._writer()
        if self.memory.argument is not None and not self.owner.writes_arguments:
            raise TraceError(
                f"writing into {self.memory.argument} would change the caller's array",
                source=trace.builder.source,
                hint="copy it first: x = x.copy(), or write x = x + ...",
            )
        if path.frozen:
            raise TraceError(
                "writing into a broadcast array, whose elements share memory",
                source=trace.builder.source,
                hint="copy it first: x = x.copy()",
            )
        self._check(path)
        self.memory.write(trace, path, trace.node(value))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @shape.setter
    def shape(self, value: Any) -> NoReturn:
        self._lack("shape that can be set", "write x = x.reshape(shape)")

    @property
    def ndim(self) -> int:
        return self.type.rank

    @property
    def size(self) -> int:
        return self.type.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return DTYPES[self.type.dtype]

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def T(self) -> Any:
        return self.owner.apply(np.transpose, (self,), {})

    @property
    def mT(self) -> Any:
        return self.owner.apply(np.matrix_transpose, (self,), {})

    @property
    def real(self) -> Any:
        return self.owner.apply(np.real, (self,), {})

    @real.setter
    def real(self, value: Any) -> None:
        self.owner.apply(SET_REAL, (self, value), {})

    @property
    def imag(self) -> Any:
        return self.owner.apply(np.imag, (self,), {})

    @imag.setter
    def imag(self, value: Any) -> None:
        self.owner.apply(SET_IMAG, (self, value), {})

    @property
    def flat(self) -> Any:
        return Flat(self) if self.known is None else self.known.flat

    @flat.setter
    def flat(self, value: Any) -> None:
        self[...] = np.resize(self.owner.innermost.array(value), self.shape)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        return self.owner.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        return self.owner.apply(function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in Tracer.__slots__:
            raise AttributeError(name)
        if self.known is not None:
            return getattr(self.known, name)
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        self._lack(f".{name}", _INSTEAD.get(name, _LISTED))

    def _lack(self, what: str, hint: str) -> NoReturn:
        self.owner.enter()
        raise MissingAttribute(
            f"traced arrays have no {what}",
            source=self.owner.builder.source,
            hint=hint,
        )

    def __getitem__(self, index: Any) -> Any:
        return self.owner.apply(GETITEM, (self, plain_index(index)), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.owner.apply(SETITEM, (self, plain_index(index), value), {})

    @property
    def strides(self) -> tuple[int, ...]:
        """Of an array in C order; `AttributeError` where that is not known."""
        if self.known is not None:
            return self.known.strides
        if not is_contiguous(self.path, self.memory):
            self._lack(".strides", _LAYOUT)
        item = self.dtype.itemsize
        behind = (self.shape[axis + 1 :] for axis in range(self.ndim))
        return tuple([item * math.prod(max(n, 1) for n in rest) for rest in behind])

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[index] for index in range(self.shape[0]))

    def __repr__(self) -> str:
        if self.known is not None:
            return repr(self.known)
        return f"<traced {self.type} %{self._node.name if self._node else '?'}>"


_LISTED = "`anabranch docs numpy` lists what they have"
_AFTERWARDS = "return the array, and do it after the call"
_LAYOUT = "the layout of an argument is not known while tracing; x.copy() is in C order"
_INSTEAD = {
    **dict.fromkeys(("tobytes", "tofile", "dump", "dumps"), _AFTERWARDS),
    **dict.fromkeys(("strides", "flags", "setflags"), _LAYOUT),
    **dict.fromkeys(
        ("ctypes", "data"),
        "anabranch.callback gives a function of Python or C the real array",
    ),
    **dict.fromkeys(
        ("byteswap", "getfield", "setfield"), "convert the array before the call"
    ),
    "resize": "np.resize(x, shape) makes an array of another size",
    "base": "copy what is written and should stay: y = x.copy()",
}


def plain_index(index: Any) -> Any:
    """An index with the mask in the place of the positions that a mask chose."""
    parts: tuple[Any, ...] = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(part, Unsized) for part in parts):
        return index
    made: list[Any] = []
    for part in parts:
        made += part.chosen_by if isinstance(part, Unsized) else [part]
    return tuple(made)


def _getitem(x: Any, index: Any) -> Any:
    """``x[index]``: the key of its lowering."""
    return x[index]


def _setitem(x: Any, index: Any, value: Any) -> None:
    """``x[index] = value``: the key of its lowering."""
    x[index] = value


def _set_real(x: Any, value: Any) -> None:
    """``x.real = value``: the key of its lowering."""
    x.real = value


def _set_imag(x: Any, value: Any) -> None:
    """``x.imag = value``: the key of its lowering."""
    x.imag = value


GETITEM, SETITEM = _getitem, _setitem
SET_REAL, SET_IMAG = _set_real, _set_imag
