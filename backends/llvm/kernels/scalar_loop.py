"""Scalar loops: a whole `loop` of scalars and elements as one kernel.

The form is a list of statements, in the order in which they run. Each makes a value and
gives it a number, or writes an element. A carried value has one number: it is what it
was at first, then what each iteration makes of it, and in the end the result.

Words, in order: for each memory its buffer, its byte offset, and its stride along each
axis for which `Memory` names none; then the numbers of `ScalarLoop.words`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from ....ir.types import DTYPES
from ...scalars import CASTS, expression
from ..language.values import MAX_LANES
from ..machine import current

__all__ = [
    "Carried",
    "Check",
    "Choice",
    "Compute",
    "Index",
    "Literal",
    "Load",
    "Loop",
    "Memory",
    "ScalarLoop",
    "Statement",
    "Store",
    "Sweep",
    "Total",
    "Word",
    "scalar_loop_source",
]

Index: TypeAlias = tuple[tuple[int, ...], ...]
"""A position for each axis of a memory, each a sum of values."""


class Memory(NamedTuple):
    """An array: its dtype, and its strides where they are small; None is a word.

    Those that may overlap have one ``label``.
    """

    dtype: str
    strides: tuple[int | None, ...]
    label: int


class Word(NamedTuple):
    """A number that a step gives."""

    value: int
    dtype: str


class Literal(NamedTuple):
    """A small i64, which is part of the form."""

    value: int
    number: int


class Compute(NamedTuple):
    """``value = op(operands)``, an elementwise op whose operands have ``dtype``."""

    value: int
    op: str
    operands: tuple[int, ...]
    dtype: str
    result: str


class Load(NamedTuple):
    """``value = memory[where]``; in lanes the axes ``growth`` times the counter on."""

    value: int
    memory: int
    where: Index
    growth: tuple[int, ...] = ()


class Store(NamedTuple):
    """``memory[where] = value``, in lanes as for `Load`."""

    memory: int
    where: Index
    value: int
    growth: tuple[int, ...] = ()


class Check(NamedTuple):
    """Leave the kernel with a status unless ``low <= value <= last``."""

    value: int
    low: int
    last: int
    status: int


class Carried(NamedTuple):
    """A value that a loop begins with ``start`` and goes on with as ``end``."""

    value: int
    start: int
    end: int


class Loop(NamedTuple):
    """``trips`` iterations, at most so many with a ``test``; None is no number.

    The counter goes down in ``reverse``. The test is the first carried value.
    """

    counter: int
    trips: int | None
    test: bool
    reverse: bool
    carried: tuple[Carried, ...]
    body: tuple[Statement, ...]


class Total(NamedTuple):
    """``value`` is ``start`` and what all lanes add to it, or take away."""

    value: int
    start: int
    item: int
    dtype: str
    away: bool


class Sweep(NamedTuple):
    """A loop whose iterations are computed in lanes, so many ``vectors`` at once."""

    counter: int
    trips: int
    body: tuple[Statement, ...]
    totals: tuple[Total, ...]
    vectors: int


class Choice(NamedTuple):
    """One of two lists of statements; ``results`` are a value, and what it is in each.

    Only one of the lists runs.
    """

    condition: int
    then: tuple[Statement, ...]
    other: tuple[Statement, ...]
    results: tuple[tuple[int, int, int], ...]


# As tuples, no two kinds can be equal: numbers, texts and tuples stand elsewhere.
Statement: TypeAlias = "Compute | Load | Store | Check | Loop | Sweep | Choice"


class ScalarLoop(NamedTuple):
    """The kernel: its memories, numbers given and known, and what it does."""

    memories: tuple[Memory, ...]
    words: tuple[Word, ...]
    literals: tuple[Literal, ...]
    body: tuple[Statement, ...]


def scalar_loop_source(kernel: ScalarLoop) -> str:
    """The source of the function ``kernel(buffers, words)``."""
    lines = ["@written_out", "def kernel(buffers, words):"]
    printer = _Printer(kernel)
    lines += [f"    {line}" for line in printer.prologue()]
    lines += [f"    {line}" for line in printer.block(kernel.body)]
    return "\n".join([*lines, "    return 0", ""])


class _Printer:
    """Prints statements; ``names`` has what stands for each value in the text."""

    def __init__(self, kernel: ScalarLoop) -> None:
        self.kernel = kernel
        self.names = {one.value: str(one.number) for one in kernel.literals}

    def prologue(self) -> Iterator[str]:
        """The pointers, their strides, and the numbers."""
        word = 0
        for number, memory in enumerate(self.kernel.memories):
            where = f"buffers[words[{word}]] + words[{word + 1}]"
            yield f"m{number} = {memory.dtype}_pointer({where}, {memory.label})"
            word += 2
            for axis, stride in enumerate(memory.strides):
                if stride is None:
                    yield f"m{number}_{axis} = words[{word}]"
                    word += 1
        for value, dtype in self.kernel.words:
            yield f"{self.name(value)} = {_number(word, dtype)}"
            word += 1

    def name(self, value: int) -> str:
        """A name for a value."""
        return self.names.setdefault(value, f"v{value}")

    def block(self, statements: Sequence[Statement]) -> Iterator[str]:
        """The lines of statements."""
        for statement in statements:
            match statement:
                case Compute(value):
                    names = [self.name(operand) for operand in statement.operands]
                    yield from _computed(self.name(value), statement, names)
                case Load(value, memory, where):
                    yield f"{self.name(value)} = {self._element(memory, where)}"
                case Store(memory, where, value):
                    yield f"{self._element(memory, where)} = {self.name(value)}"
                case Sweep():
                    yield from self._sweep(statement)
                case Check(value, low, last, status):
                    x, a, b = map(self.name, (value, low, last))
                    yield f"if {x} < {a} or {x} > {b}:"
                    yield f"    return {self.name(status)}"
                case Loop():
                    yield from self._loop(statement)
                case Choice():
                    yield from self._choice(statement)

    def _loop(self, loop: Loop) -> Iterator[str]:
        t = self.name(loop.counter)
        n = None if loop.trips is None else self.name(loop.trips)
        yield from self._assigned([(x.value, x.start) for x in loop.carried])
        if loop.test:
            go = self.name(loop.carried[0].value)
            yield f"{t} = 0"
            yield f"while {go}:" if n is None else f"while {go} and {t} < {n}:"
        elif loop.reverse:
            yield f"for {t}_ in range({n}):"
            yield f"    {t} = {n} - 1 - {t}_"
        else:
            yield f"for {t} in range({n}):"
        body = list(self.block(loop.body))
        body += self._assigned([(x.value, x.end) for x in loop.carried])
        if loop.test:
            body.append(f"{t} = {t} + 1")
        yield from (f"    {line}" for line in body or [f"{t}"])

    def _sweep(self, sweep: Sweep) -> Iterator[str]:
        t, n = self.name(sweep.counter), self.name(sweep.trips)
        widest = 1
        lines: list[str] = []
        for one in sweep.body:
            match one:
                case Compute(value, op, operands, dtype, result):
                    names = [self.name(operand) for operand in operands]
                    lines.append(
                        f"{self.name(value)} = {expression(op, names, dtype, result)}"
                    )
                    widest = max(widest, DTYPES[result].itemsize)
                case Load() | Store():
                    dtype = self.kernel.memories[one.memory].dtype
                    widest = max(widest, DTYPES[dtype].itemsize)
                    along, element = self._along(one, t)
                    yield from along
                    name = self.name(one.value)
                    pair = (name, element) if isinstance(one, Load) else (element, name)
                    lines.append(" = ".join(pair))
                case _:
                    raise AssertionError("a statement that is not for lanes")
        for number, total in enumerate(sweep.totals):
            kept, item = f"a{total.value}", self.name(total.item)
            yield f"{kept} = {CASTS[total.dtype]}(0)"
            if total.away:
                lines.append(f"{kept}_{number} = -{item}")
                item = f"{kept}_{number}"
            lines.append(f"{kept} = reassociated_add({kept}, {item})")
        lanes = min(MAX_LANES, sweep.vectors * current().vector_bytes // widest)
        yield f"for {t} in lanes({n}, {lanes}):"
        yield from (f"    {line}" for line in lines)
        for total in sweep.totals:
            value, start = self.name(total.value), self.name(total.start)
            yield f"{value} = {start} + a{total.value}"

    def _along(self, access: Load | Store, counter: str) -> tuple[list[str], str]:
        """An element in lanes, and lines in front of the loop that it needs."""
        memory = access.memory
        place = self._element(memory, access.where)
        known = self.kernel.memories[memory].strides
        moving = [
            (axis, factor)
            for axis, factor in enumerate(access.growth)
            if factor and known[axis] != 0
        ]
        if not moving:
            return [], place
        ((axis, factor),) = moving
        stride = known[axis]
        if stride is None:
            name = f"g{memory}_{access.value}"
            along = [f"{name} = {factor} * m{memory}_{axis}"]
            return along, f"{place[:-1]} + {counter} * {name}]"
        by = factor * stride
        step = counter if by == 1 else f"{counter} * {by}"
        return [], f"{place[:-1]} + {step}]"

    def _choice(self, choice: Choice) -> Iterator[str]:
        yield f"if {self.name(choice.condition)}:"
        sides = (
            (choice.then, [(x, then) for x, then, _ in choice.results]),
            (choice.other, [(x, other) for x, _, other in choice.results]),
        )
        for number, (statements, results) in enumerate(sides):
            lines = [*self.block(statements), *self._assigned(results)]
            if number and lines:
                yield "else:"
            if not number and not lines:
                lines = [self.name(choice.condition)]
            yield from (f"    {line}" for line in lines)

    def _assigned(self, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
        """Values that take on others, all at once."""
        moved = [(a, b) for a, b in pairs if a != b]
        if moved:
            targets = ", ".join(self.name(a) for a, _ in moved)
            yield f"{targets} = {', '.join(self.name(b) for _, b in moved)}"

    def _element(self, memory: int, where: Index) -> str:
        """An element of a memory."""
        terms: list[str] = []
        strides = self.kernel.memories[memory].strides
        for axis, (position, stride) in enumerate(zip(where, strides, strict=True)):
            names = [self.name(value) for value in position]
            if not names or stride == 0:
                continue
            place = " + ".join(names)
            if stride != 1:
                place = f"({place})" if len(names) > 1 else place
                by = f"m{memory}_{axis}" if stride is None else str(stride)
                place = f"{place} * {by}"
            terms.append(place)
        return f"m{memory}[{' + '.join(terms) or '0'}]"


# The usual case of an op on floats, and when it is not: a branch that is hardly ever
# taken costs nothing, and what waits for the value need not wait for comparisons.
_USUAL = {
    "chain": ("{0} * {1}", "{value} != {value}"),
    "chain_both": ("{0} * {1}", "{value} != {value}"),
    "maximum": ("{1} if {1} > {0} else {0}", "{1} != {1}"),
    "minimum": ("{1} if {1} < {0} else {0}", "{1} != {1}"),
}


def _computed(name: str, item: Compute, operands: Sequence[str]) -> Iterator[str]:
    """The lines of an op."""
    text = expression(item.op, [*operands], item.dtype, item.result)
    usual = _USUAL.get(item.op) if item.dtype[0] == "f" else None
    if usual is None:
        yield f"{name} = {text}"
        return
    short, unusual = (line.format(*operands, value=name) for line in usual)
    yield f"{name} = {short}"
    yield f"if {unusual}:"
    yield f"    {name} = {text}"


def _number(word: int, dtype: str) -> str:
    """A word as a number of a dtype."""
    text = f"words[{word}]"
    if dtype == "bool":
        return f"{text} != 0"
    if dtype == "f64":
        return f"from_bits({text})"
    if dtype == "f32":
        return f"from_bits(int32({text}))"
    return f"{CASTS[dtype]}({text})"
