"""Arrays that the traced function made itself: real until something traced is stored.

Such an array is a `Tracer` whose memory has a real array instead of a node. What is
asked of known arrays alone NumPy answers; views of them are views of the real memory,
with the paths that they have later. A store of a traced value, or one in a branch that
may not be taken, gives the memory a node, and with it all that shares its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...ir.errors import DTypeError
from ...ir.extent import whole
from ...ir.types import TensorType, dtype_name
from .paths import Path, path_of, path_to
from .tracer import GETITEM, SET_IMAG, SET_REAL, SETITEM, Tracer
from .views import Memory

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["answer", "as_known", "real", "stored_to", "without_known"]

_STORES: set[Any] = {
    SETITEM,
    SET_REAL,
    SET_IMAG,
    np.copyto,
    np.fill_diagonal,
    np.place,
    np.put,
    np.put_along_axis,
    np.putmask,
}


def real(value: Any) -> Any:
    """A value with real arrays for those that are known, in lists, tuples and dicts."""
    if isinstance(value, Tracer):
        return value if value.known is None else value.known
    if type(value) in (list, tuple):
        items = cast("Sequence[Any]", value)
        made = [real(item) for item in items]
        same = all(one is other for one, other in zip(made, items, strict=True))
        return value if same else type(value)(made)
    if type(value) is dict:
        pairs = cast("dict[Any, Any]", value)
        return {key: real(item) for key, item in pairs.items()}
    return value


def stored_to(function: Any, args: Sequence[Any], out: Any) -> list[Tracer]:
    """The arrays that a call writes; ``out`` is that argument."""
    targets: Sequence[Any] = out if isinstance(out, tuple) else (out,)
    is_at = isinstance(function, tuple) and function[1] == "at"
    if is_at or (function.__hash__ and function in _STORES):
        targets = args[:1]
    return [target for target in targets if isinstance(target, Tracer)]


def without_known(args: Any, kwargs: Any, kept: Sequence[Any]) -> tuple[Any, Any]:
    """The arguments with real arrays, but for those that are written or viewed."""
    ids = set(map(id, kept))

    def plain(value: Any) -> Any:
        parts = value if type(value) is tuple else (value,)
        own = {id(part) for part in parts if part is not None}
        return value if own and own <= ids else real(value)

    return [plain(arg) for arg in args], {k: plain(v) for k, v in kwargs.items()}


def answer(trace: Trace, function: Any, args: Sequence[Any], kwargs: Any) -> Any:
    """What NumPy says of known arrays; what it makes of them is known as well."""
    rest = {key: real(value) for key, value in kwargs.items() if key != "operator"}
    values = [real(arg) for arg in args]
    if function is GETITEM:
        result = values[0][values[1]]
    elif function is SETITEM:
        values[0][values[1]] = values[2]
        result = None
    else:
        called = getattr(*function) if isinstance(function, tuple) else function
        result = called(*values, **rest)
    return as_known(trace, result, (args, kwargs))


def as_known(trace: Trace, result: Any, given: Any) -> Any:
    """Arrays that NumPy made of known arrays, or of none, as known ones.

    ``given`` are the arguments: the result may be a view of one of them, or it itself.
    """
    if isinstance(result, (list, tuple)):
        items = [as_known(trace, item, given) for item in cast("Iterable[Any]", result)]
        if type(result) in (list, tuple):
            return type(result)(items)
        return type(result)(*items) if hasattr(result, "_fields") else result
    if type(result) is not np.ndarray:
        return result
    try:
        type_ = TensorType(dtype_name(result.dtype), result.shape)
    except DTypeError:
        return result
    for source in _arrays(given):
        if isinstance(source, Tracer):
            if source.known is result:
                return source
            shared: Any = source.memory.known
            if result.size and np.may_share_memory(result, shared):
                return _view(source, result, type_)
        elif source is result or np.may_share_memory(result, source):
            return result
    kept: Any = (
        result if result.flags.forc and result.dtype.isnative else np.array(result)
    )
    memory = Memory(None, known=kept)
    return Tracer.of_known(trace, kept, type_, memory, path_to(kept.shape))


def _view(source: Tracer, view: Any, type: TensorType) -> Tracer:
    """A view of the memory of ``source``, of which NumPy made it."""
    memory = source.memory
    base: Any = memory.known
    path = _path(view, base) or _path_through(view, source)
    if path is None:
        origin = memory, whole(base.shape)
        memory, path = Memory(None, origin=origin, known=view), path_to(view.shape)
    return Tracer.of_known(source.owner, view, type, memory, path)


def _path(view: Any, base: Any) -> Path | None:
    """The path from an array to a view of it, or of a part of its complex numbers."""
    if view.dtype == base.dtype:
        return path_of(view, base)
    if base.dtype.kind != "c" or view.dtype != base.real.dtype:
        return None
    behind = (view.ctypes.data - base.ctypes.data) % base.itemsize
    part = "imag" if behind else "real"
    found = path_of(view, getattr(base, part))
    return found and found._replace(part=part)


def _path_through(view: Any, source: Tracer) -> Path | None:
    """The path from what ``source`` shows, in the shape of the view or in its own."""
    shown: Any = source.known
    if not shown.flags.c_contiguous or view.dtype != shown.dtype:
        return None
    same = view.ctypes.data == shown.ctypes.data and view.size == shown.size
    if same and view.flags.c_contiguous:
        return source.path.viewed_as(view.shape)
    found = path_of(view, shown)
    return found and found._replace(through=(source.path, shown.shape))


def _arrays(values: Any) -> Iterable[Any]:
    """The known and the real arrays in nested arguments."""
    if isinstance(values, Tracer):
        if values.known is not None:
            yield values
    elif isinstance(values, np.ndarray):
        yield values
    elif isinstance(values, dict):
        for item in cast("dict[Any, Any]", values).values():
            yield from _arrays(item)
    elif isinstance(values, (list, tuple)):
        for item in cast("Iterable[Any]", values):
            yield from _arrays(item)
