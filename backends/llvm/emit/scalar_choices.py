"""Choices in loops over elements: both sides computed, and one of them selected.

Lanes cannot take different branches. A side that is not taken stores what is there, and
adds -0.0, so no bit changes. That needs places that are inside whichever is taken, and
is not worth it where what is seldom taken may be most of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ....ir.ops import OPS
from ..kernels.scalar_loop import Choice, Compute, Load, Loop, Statement, Store
from .linear import Linear
from .scalar_builder import Builder
from .scalar_sums import Places, places_of

__all__ = ["is_inside", "unchosen", "wanted", "work"]

Made: TypeAlias = "Mapping[int, Compute | Load]"

_NEUTRAL = {"add": -0.0, "sub": 0.0}
MOST_WORK = 8  # times what runs whichever side is taken
CALL = 32  # operations that take as long as one exp
OVERHEAD = 4  # operations that take as long as going on to the next iteration


def is_inside(b: Builder, memory: int, places: Places) -> bool:
    """Whether positions are in a memory, as bounds show."""
    return all(
        b.sums.bounded(x)
        and b.sums.holds(x)
        and b.sums.holds(Linear(size - 1).plus(x, -1))
        for x, size in zip(places, b.memories[memory].shape, strict=True)
    )


def unchosen(b: Builder, loop: Loop) -> Loop | None:
    """The loop without choices; None where a side had better not run if not taken."""
    if not any(isinstance(one, Choice) for one in loop.body):
        return loop
    flat = _flat(b, loop.body)
    if flat is None:
        return None
    body = wanted(flat, [one.end for one in loop.carried])
    if work(body) > (1 + MOST_WORK) * _least(b, loop):
        return None
    return loop._replace(body=tuple(body))


def work(statements: Sequence[Statement]) -> int:
    """How long statements take."""
    return sum(
        CALL if isinstance(one, Compute) and _is_call(one.op) else 1
        for one in statements
    )


def _is_call(op: str) -> bool:
    """Whether an op is a function of more than an instruction or two."""
    from ..language.primitives import is_short  # which a warm process can do without

    name, called, _ = (OPS[op].scalar or "").partition("(")
    return bool(called) and name.isidentifier() and not is_short(name)


def _least(b: Builder, loop: Loop) -> int:
    """How long an iteration takes at least, but for one of them."""
    flags = {x.value: x for x in loop.body if isinstance(x, Compute)}
    least = OVERHEAD + work(loop.body)
    for one in loop.body:
        if isinstance(one, Choice):
            sides = [_inner(side) for side in (one.then, one.other)]
            usual = _usual(b, loop, flags.get(one.condition))
            least += min(sides) if usual is None else sides[usual]
    return least


def _inner(side: Sequence[Statement]) -> int:
    """How long a side takes at least."""
    inner = (x for x in side if isinstance(x, Choice))
    return work(side) + sum(min(_inner(x.then), _inner(x.other)) for x in inner)


def _usual(b: Builder, loop: Loop, flag: Compute | None) -> int | None:
    """The side that all iterations but one take, if the counter is compared."""
    if flag is None or flag.op not in ("eq", "ne") or flag.dtype != "i64":
        return None
    x, y = (b.sums.of(value) for value in flag.operands)
    away = x.plus(y, -1)
    if not away.factor(loop.counter):
        return None
    return 1 if flag.op == "eq" else 0


def wanted(statements: Sequence[Statement], values: Iterable[int]) -> list[Statement]:
    """The statements that stores and these values are made of."""
    needed = set(values)
    kept: list[Statement] = []
    for one in reversed(statements):
        match one:
            case Store(value=value):
                needed.add(value)
            case Compute(value=value, operands=operands) if value in needed:
                needed.update(operands)
            case Load(value=value) if value in needed:
                pass
            case _:
                continue
        kept.append(one)
    return kept[::-1]


def _flat(b: Builder, statements: Sequence[Statement]) -> list[Statement] | None:
    """The statements, with those of both sides in place of a choice."""
    with b.inside() as block:
        for one in statements:
            match one:
                case Compute() | Load() | Store():
                    block.append(one)
                case Choice():
                    sides = [_flat(b, side) for side in (one.then, one.other)]
                    if not all(
                        side is not None and _is_safe(b, side) for side in sides
                    ):
                        return None
                    _select(b, one, *(side or [] for side in sides))
                case _:
                    return None
    return block


def _is_safe(b: Builder, side: Sequence[Statement]) -> bool:
    """Whether what a side accesses is there if it is not taken."""
    return all(
        is_inside(b, one.memory, places_of(b, one.where))
        for one in side
        if isinstance(one, (Load, Store))
    )


def _select(
    b: Builder, choice: Choice, then: Sequence[Statement], other: Sequence[Statement]
) -> None:
    """Append both sides of a choice, and its results."""
    made: dict[int, Compute | Load] = {}
    for side, taken in ((then, True), (other, False)):
        made |= {x.value: x for x in side if isinstance(x, (Compute, Load))}
        for one in side:
            if isinstance(one, Store):
                before = _before(b, made, one)
                op, operands = _one_of(
                    b, made, choice.condition, taken, one.value, before
                )
                value = b.compute(op, operands, b.types[one.value])
                one = one._replace(value=value)
            b.block.append(one)
    for value, x, y in choice.results:
        more, less, taken = (x, y, True)
        if _added(made, x, y) is None and _added(made, y, x) is not None:
            more, less, taken = (y, x, False)
        op, operands = _one_of(b, made, choice.condition, taken, more, less)
        dtype = b.types[operands[0]]
        b.block.append(Compute(value, op, operands, dtype, b.types[value]))


def _before(b: Builder, made: Made, store: Store) -> int:
    """What is in a place before a store: what the store adds to, or it is loaded."""
    here = store.memory, places_of(b, store.where)
    sum_ = made.get(store.value)
    for value in sum_.operands if isinstance(sum_, Compute) else ():
        one = made.get(value)
        if isinstance(one, Load) and (one.memory, places_of(b, one.where)) == here:
            return value
    value = b.fresh(b.types[store.value])
    b.block.append(Load(value, store.memory, store.where))
    return value


def _one_of(
    b: Builder, made: Made, flag: int, taken: bool, value: int, rest: int
) -> tuple[str, tuple[int, ...]]:
    """The op that makes a value if a flag is ``taken``, else the rest.

    Of a sum with the rest it selects what is added: so it still adds up.
    """
    found = _added(made, value, rest)
    if found is None:
        pair = (value, rest) if taken else (rest, value)
        return "select", (flag, *pair)
    op, item = found
    dtype = b.types[item]
    nothing = b.word(_NEUTRAL[op] if dtype[0] == "f" else 0, dtype)
    pair = (item, nothing) if taken else (nothing, item)
    return op, (rest, b.compute("select", (flag, *pair), dtype))


def _added(made: Made, value: int, rest: int) -> tuple[str, int] | None:
    """The op by which a value is a sum with the rest, and what is added."""
    match made.get(value):
        case Compute(op="add" | "sub" as op, operands=(x, y)) if x == rest:
            return op, y
        case Compute(op="add", operands=(x, y)) if y == rest:
            return "add", x
        case _:
            return None
