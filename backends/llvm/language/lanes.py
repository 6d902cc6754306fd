"""Loops over lanes: ``for i in lanes(n, 16)`` is `range`, sixteen values of i at once.

What stands in such a loop is computed lane by lane, in vectors. We write them, for
LLVM's vectoriser costs more than the rest of a kernel's compilation, and cannot be
told how wide to go. The body is a list of assignments:

    name = expression                   made before the loop if i has no part in it
    name, name = expression             the same for a function with several results
    pointer[index] = expression         the index is a sum of terms, i times something
    total = f(total, name)              total has a value before the loop that changes
                                        no other (0 of a sum); f combines in any order

The last round may have less than sixteen values. Elements of no value are not accessed,
except behind pointers like ``f64_room``, and leave totals as they are. Only statements
that access memory or totals exist twice, for a whole round and for the last one, and
what is short between them; so functions such as tanh stand in the code once.
"""

from __future__ import annotations

import ast
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .primitives import is_short
from .values import (
    LANES,
    MAX_LANES,
    REGISTERS,
    LanguageError,
    Slot,
    Value,
    constant,
    literal,
)
from .vectors import Memory, numbered

if TYPE_CHECKING:
    from .expressions import Expressions
    from .syntax import Function

__all__ = ["Round", "emit_lanes", "totals_in_lanes"]

MANY = 48  # statements that stand in the code once


class Round(NamedTuple):
    """Values of ``name`` that are computed at once, from ``first`` on.

    ``mask`` says which lanes have a value; None is all.
    """

    name: str
    first: Value
    lanes: int
    mask: Value | None = None

    def load(self, function: Expressions, node: ast.Subscript) -> Value:
        """The elements of an access."""
        memory = self._memory(function, node)
        if memory.stride.number == 0:
            return function.load(memory.pointer, memory.place)
        return memory.load(self.lanes, self._mask(memory))

    def store(self, function: Expressions, node: ast.Subscript, value: Value) -> None:
        """Write the elements of an access."""
        memory = self._memory(function, node)
        if memory.stride.number == 0:
            raise LanguageError(f"all lanes have one place in {ast.unparse(node)}")
        value = function.settled(value, memory.pointer.dtype)
        memory.store(function.widened(value, self.lanes), self._mask(memory))

    def _mask(self, memory: Memory) -> Value | None:
        return None if memory.pointer.whole else self.mask

    def numbers(self, function: Expressions) -> Value:
        """The values themselves, in i64."""
        return function.binary("Add", self.first, numbered("i64", self.lanes))

    def _memory(self, function: Expressions, node: ast.Subscript) -> Memory:
        """Where the first lane is, and how far apart lanes are."""
        pointer = function.value(node.value)
        stride = _growth(node.slice, self.name)
        apart = literal(stride) if isinstance(stride, int) else function.value(stride)
        with function.one_lane(self.name, self.first):
            place = function.typed(function.value(node.slice), "i64")
        return Memory(function, pointer, place, apart)


def _growth(index: ast.expr, name: str) -> ast.expr | int:
    """By what a sum of products grows when ``name`` does by 1."""
    match index:
        case ast.Name(id=found) if found == name:
            return 1
        case _ if name not in _names(index):
            return 0
        case ast.BinOp(left, ast.Add(), right):
            parts = [_growth(part, name) for part in (left, right)]
            if 0 in parts:
                return next((part for part in parts if part != 0), 0)
        case ast.BinOp(left, ast.Mult(), right):
            for one, other in ((left, right), (right, left)):
                if _growth(one, name) == 1 and _growth(other, name) == 0:
                    return other
        case _:
            pass
    raise LanguageError(f"{ast.unparse(index)} is no index of lanes")


def emit_lanes(function: Function, node: ast.For) -> None:
    """Emit one loop over lanes."""
    name, end, lanes = _parts(node)
    stop = function.typed(function.value(end), "i64")
    totals = _totals(function, node)
    body = list(_varying(function, node.body, name))
    with function.loop(constant(0, "i64"), stop, lanes) as first:
        for statements, twice in _grouped(body, totals):
            round_ = Round(name, first, lanes)
            if twice and statements:
                _emit_twice(function, statements, round_, stop, totals)
            else:
                _emit(function, statements, round_, totals)


@contextmanager
def totals_in_lanes(function: Function, loop: ast.For) -> Generator[None]:
    """Keep the totals of all loops over lanes in a loop in as many lanes meanwhile."""
    kept: dict[str, tuple[ast.Assign, Slot]] = {}
    for inner in _inside(loop):
        for name, statement in _totals(function, inner).items():
            slot: Slot = function.names[name]
            if slot.dtype not in LANES:
                _open(function, name, _parts(inner)[-1])
                kept[name] = statement, slot
    yield
    for name, (statement, slot) in kept.items():
        _close(function, name, statement, slot)


def _inside(loop: ast.For) -> Iterator[ast.For]:
    """The loops over lanes in a nest of loops."""
    if isinstance(loop.iter, ast.Call) and ast.unparse(loop.iter.func) == "lanes":
        yield loop
    for statement in loop.body:
        if isinstance(statement, ast.For):
            yield from _inside(statement)


def _totals(function: Function, loop: ast.For) -> dict[str, ast.Assign]:
    """What has a value before the loop and is given another, and how."""
    return {
        statement.targets[0].id: statement
        for statement in loop.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id in function.names
    }


def _parts(loop: ast.For) -> tuple[str, ast.expr, int]:
    """The name, the end, and the number of lanes."""
    match loop:
        case ast.For(
            ast.Name(id=name), ast.Call(args=[end, ast.Constant(int() as lanes)])
        ):
            if 1 < lanes <= MAX_LANES and not lanes & (lanes - 1):
                return name, end, lanes
        case _:
            pass
    raise LanguageError(f"not in the language: for {ast.unparse(loop.iter)}")


def _varying(
    function: Function, body: Sequence[ast.stmt], name: str
) -> Iterator[ast.Assign]:
    """The statements that stay in the loop; the others are emitted before it."""
    names = {name}
    for statement in body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise LanguageError(f"not in a loop over lanes: {ast.unparse(statement)}")
        target = statement.targets[0]
        made = set[str]() if isinstance(target, ast.Subscript) else _names(target)
        if _names(statement) & names or made & function.names.keys():
            names |= made
            yield statement
        else:
            function.block([statement])


def _names(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def _grouped(
    body: Sequence[ast.Assign], totals: dict[str, ast.Assign]
) -> Iterator[tuple[list[ast.Assign], bool]]:
    """Statements, none perhaps, and whether they are emitted twice."""
    group: list[ast.Assign] = []
    between: list[ast.Assign] = []
    for statement in body:
        if not (_names(statement) & totals.keys() or _accesses_memory(statement)):
            between.append(statement)
        elif group and not _is_lengthy([*between, statement]):
            group += [*between, statement]
            between = []
        else:
            yield group, True
            yield between, False
            group, between = [statement], []
    yield group, True
    yield between, False


def _is_lengthy(statements: Sequence[ast.Assign]) -> bool:
    """Whether statements had better stand in the code once."""
    return len(statements) > MANY or any(map(_is_long, statements))


def _accesses_memory(statement: ast.Assign) -> bool:
    return any(isinstance(found, ast.Subscript) for found in ast.walk(statement))


def _is_long(statement: ast.Assign) -> bool:
    """Whether it calls a function of more than an instruction or two.

    That stands in the code once, which is right for all functions; for one that is
    short it costs a little speed.
    """
    return any(
        isinstance(found, ast.Call) and not is_short(ast.unparse(found.func))
        for found in ast.walk(statement)
    )


def _emit(
    function: Function,
    statements: Sequence[ast.Assign],
    round_: Round,
    totals: dict[str, ast.Assign],
) -> None:
    """Emit statements for one round."""
    function.round = round_
    for statement in statements:
        target = statement.targets[0]
        value = function.value(statement.value)
        if isinstance(target, ast.Name) and target.id in totals and round_.mask:
            value = function.select(round_.mask, value, function.value(target))
        function.assign(target, value)
    function.round = None


def _emit_twice(
    function: Function,
    statements: Sequence[ast.Assign],
    round_: Round,
    stop: Value,
    totals: dict[str, ast.Assign],
) -> None:
    """Emit statements for a round with a value in every lane, and for one without."""
    then, other, end = (function.fresh(hint) for hint in ("whole", "last", "end"))
    left = function.binary("Sub", stop, round_.first)
    whole = function.compare("GtE", left, literal(round_.lanes))
    function.jump(f"br i1 {whole.text}, label %{then}, label %{other}")
    before = dict(function.names)
    made: list[tuple[str, dict[str, Any]]] = []
    for label in (then, other):
        function.start(label)
        function.names = dict(before)
        if label == other:
            short = function.cast(left, "i32")
            mask = function.compare("Lt", numbered("i32", round_.lanes), short)
            round_ = round_._replace(mask=mask)
        _emit(function, statements, round_, totals)
        made.append((function.label, function.names))
        function.jump(f"br label %{end}")
    function.start(end)
    function.names = before
    (first, names), (second, others) = made
    for name, value in names.items():
        if name not in before and isinstance(value, Value):
            function.names[name] = function.either(value, first, others[name], second)


def _open(function: Function, name: str, lanes: int) -> None:
    """Give a total as many lanes, each with what it holds."""
    value = function.widened(function.value(ast.Name(name)), lanes)
    function.names[name] = function.slot(name, value.dtype)
    function.assign(ast.Name(name), value)


def _close(function: Function, name: str, statement: ast.Assign, slot: Slot) -> None:
    """Combine the lanes of a total, always one half with the other."""
    (other,) = (_names(statement.value) & function.names.keys()) - {name}
    total = function.value(ast.Name(name))
    before = dict(function.names)
    while total.lanes > 1:
        low, high = _halves(function, total)
        function.names = before | {name: low, other: high}
        total = function.value(statement.value)
    function.names = before | {name: slot}
    function.assign(ast.Name(name), total)


def _halves(function: Function, value: Value) -> tuple[Value, Value]:
    half = value.lanes // 2
    if half > 1:
        low, high = range(half), range(half, value.lanes)
        return function.shuffle(value, value, low), function.shuffle(value, value, high)
    kind = REGISTERS[value.dtype]
    low, high = (
        function.emit(value.element, f"extractelement {kind} {value.text}, i64 {lane}")
        for lane in range(2)
    )
    return low, high
