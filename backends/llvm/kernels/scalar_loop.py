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

from ...scalars import CASTS, expression

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
    "Word",
    "scalar_loop_source",
]

Index: TypeAlias = tuple[tuple[int, ...], ...]
"""A position for each axis of a memory, each a sum of values."""


class Memory(NamedTuple):
    """An array: its dtype, and its strides where they are 0 or 1; None is a word."""

    dtype: str
    strides: tuple[int | None, ...]


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
    """``value = memory[where]``."""

    value: int
    memory: int
    where: Index


class Store(NamedTuple):
    """``memory[where] = value``."""

    memory: int
    where: Index
    value: int


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


class Choice(NamedTuple):
    """One of two lists of statements; ``results`` are a value, and what it is in each.

    Only one of the lists runs.
    """

    condition: int
    then: tuple[Statement, ...]
    other: tuple[Statement, ...]
    results: tuple[tuple[int, int, int], ...]


# As tuples, no two kinds can be equal: numbers, texts and tuples stand elsewhere.
Statement: TypeAlias = "Literal | Compute | Load | Store | Check | Loop | Choice"


class ScalarLoop(NamedTuple):
    """The kernel: its memories, the numbers that it is given, what it does."""

    memories: tuple[Memory, ...]
    words: tuple[Word, ...]
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
        self.names: dict[int, str] = {}

    def prologue(self) -> Iterator[str]:
        """The pointers, their strides, and the numbers."""
        word = 0
        for label, memory in enumerate(self.kernel.memories):
            where = f"buffers[words[{word}]] + words[{word + 1}]"
            yield f"m{label} = {memory.dtype}_pointer({where}, {label})"
            word += 2
            for axis, stride in enumerate(memory.strides):
                if stride is None:
                    yield f"m{label}_{axis} = words[{word}]"
                    word += 1
        for number in self.kernel.words:
            yield f"{self.name(number.value)} = {_number(word, number.dtype)}"
            word += 1

    def name(self, value: int) -> str:
        """A name for a value."""
        return self.names.setdefault(value, f"v{value}")

    def block(self, statements: Sequence[Statement]) -> Iterator[str]:
        """The lines of statements."""
        for statement in statements:
            match statement:
                case Literal(value, number):
                    self.names[value] = str(number)
                case Compute(value, op, operands, dtype, result):
                    names = [self.name(operand) for operand in operands]
                    text = expression(op, names, dtype, result)
                    yield from _computed(self.name(value), op, names, text)
                case Load(value, memory, where):
                    yield f"{self.name(value)} = {self._element(memory, where)}"
                case Store(memory, where, value):
                    yield f"{self._element(memory, where)} = {self.name(value)}"
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
            if stride is None:
                place = f"({place})" if len(names) > 1 else place
                place = f"{place} * m{memory}_{axis}"
            terms.append(place)
        return f"m{memory}[{' + '.join(terms) or '0'}]"


def _computed(name: str, op: str, operands: Sequence[str], text: str) -> Iterator[str]:
    """The lines of an op.

    Products of the chain rule are only looked at again where they are NaN: a branch
    that is never taken costs nothing, and what waits for the product need not wait for
    comparisons.
    """
    if op not in ("chain", "chain_both"):
        yield f"{name} = {text}"
        return
    yield f"{name} = {' * '.join(operands)}"
    yield f"if {name} != {name}:"
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
