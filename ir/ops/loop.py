"""A region that runs again and again: counted loops, loops with a test, backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import VerifyError
from ..types import TensorType
from .loop_adjoint import loop_adjoint
from .loop_tangent import loop_tangent
from .loop_vmap import loop_vmap
from .parts import split_operands
from .spec import FLAG, INT, OpDef, register, require_dtype

if TYPE_CHECKING:
    from ..graph import Graph

__all__ = ["LOOP"]

INDEX = TensorType("i64", ())


def _loop_type(
    *types: TensorType,
    regions: tuple[Graph, ...],
    trips: int | None = None,
    **attrs: Any,
) -> tuple[TensorType, ...]:
    """The carried values as they end, and what each iteration made, stacked."""
    (body,) = regions
    parts = split_operands({"trips": trips, **attrs}, types)
    _check_form(parts.carried, trips, attrs)
    require_dtype(list(parts.limit) in ([], [INDEX]), "loop", "the limit is no i64[]")
    rows: list[TensorType] = []
    for type_ in parts.stacked:
        if type_.shape[:1] != (trips,):
            raise VerifyError(f"loop: {type_} is not stacked for {trips} iterations")
        rows.append(type_.with_shape(type_.shape[1:]))
    wanted = [INDEX, *parts.invariants, *parts.carried, *rows]
    taken = [node.type for node in body.inputs]
    if taken != wanted:
        raise VerifyError(
            f"loop: body takes ({_list(taken)}), not ({_list(wanted)}): the counter, "
            f"invariants, carried values, rows of stacked ones"
        )
    made = [body[name].type for name in body.results]
    count = len(parts.carried)
    if made[:count] != list(parts.carried):
        raise VerifyError(
            f"loop: body returns ({_list(made[:count])}), "
            f"the carried values are ({_list(parts.carried)})"
        )
    if not made:
        raise VerifyError("loop: the body returns nothing")
    if trips is None and made[count:]:
        raise VerifyError("loop: values are stacked, but trips is not known")
    stacked = [x.with_shape((trips or 0, *x.shape)) for x in made[count:]]
    return (*made[:count], *stacked)


def _check_form(
    carried: Sequence[TensorType], trips: int | None, attrs: Mapping[str, Any]
) -> None:
    """What the attributes have to do with each other."""
    if trips is not None and trips < 0:
        raise VerifyError(f"loop: trips={trips} is negative")
    if attrs.get("held", 1) < 1:
        raise VerifyError(f"loop: its way back cannot hold {attrs['held']} states")
    if attrs.get("test"):
        if list(carried[:1]) != [TensorType("bool", ())]:
            raise VerifyError("loop: the first carried value is no bool[] to test")
        if attrs.get("reverse"):
            raise VerifyError("loop: a loop with a test cannot run in reverse")
    elif trips is None and not attrs.get("limit"):
        raise VerifyError("loop: there are neither trips, nor a limit, nor a test")


def _list(types: Sequence[TensorType]) -> str:
    return ", ".join(map(str, types))[:300]


class _Rows(NamedTuple):
    """Stacked values that are being made; rows that no iteration makes are zeros."""

    arrays: list[Any]

    def store(self, t: int, made: Sequence[Any]) -> None:
        for array, value in zip(self.arrays, made, strict=True):
            array[t] = value


def _loop(*operands: Any, regions: Sequence[Any], **attrs: Any) -> Any:
    (body,) = regions
    trips: int | None = attrs.get("trips")
    parts = split_operands(attrs, operands)
    carried = [np.array(x) for x in parts.carried]
    count, types = len(carried), body.types
    rows = _Rows([np.zeros((trips or 0, *t.shape), t.numpy) for t in types[count:]])
    limit = trips
    if parts.limit:
        limit = max(int(parts.limit[0]), 0)
        limit = limit if trips is None else min(limit, trips)
    done = 0
    while limit is None or done < limit:
        if attrs.get("test") and not carried[0]:
            break
        t = limit - 1 - done if attrs.get("reverse") and limit is not None else done
        elements = [x[t] for x in parts.stacked]
        made = body([np.asarray(t), *parts.invariants, *carried, *elements])
        carried = made[:count]
        rows.store(t, made[count:])
        done += 1
    return (*carried, *rows.arrays)


def _is_count(value: Any) -> bool:
    """A number, or a flag where the text is older than the numbers."""
    return INT(value) or FLAG(value)


LOOP = register(
    OpDef(
        "loop",
        1,
        _loop_type,
        _loop,
        loop_adjoint,
        {
            "trips": INT,
            "carried": INT,
            "stacked": INT,
            "limit": FLAG,
            "test": FLAG,
            "reverse": FLAG,
            "segments": _is_count,
            "held": INT,
        },
        optional=(
            "trips",
            "carried",
            "stacked",
            "limit",
            "test",
            "reverse",
            "segments",
            "held",
        ),
        variadic=True,
        regions=("body",),
        tangent=loop_tangent,
        vmap=loop_vmap,
    )
)
