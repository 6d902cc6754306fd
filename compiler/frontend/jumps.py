"""`break`, `continue` and early `return` as assignments and tests of flags.

A block that becomes a function cannot jump out of the one that it stood in. What
follows a branch that jumps moves into the other branch; where that does not say it all,
flags tell what was asked for, and what follows is run if none of them is set:

    for x in xs:                       broke = False
        if x > 2: break                for x in xs while not broke:
        total += x                         if x > 2: broke = True
                                           else: total += x
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from .definition import NoSource
from .nodes import FUNCTIONS, assign, at, call, constant, name

__all__ = ["Flags", "Loop", "lower_jumps"]

RETURNED, VALUE = "$returned", "$value"
_WITHOUT_BLOCKS = (*FUNCTIONS, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)

Block: TypeAlias = "list[ast.stmt]"


class Loop(NamedTuple):
    """The flags of a loop."""

    broke: str
    skipped: str


class Flags(NamedTuple):
    """What `lower_jumps` found: the flags that are read, and when a loop goes on."""

    read: set[str]
    stops: dict[ast.stmt, list[str]]


def lower_jumps(node: ast.FunctionDef) -> Flags:
    """Rewrite the body of a function in its place.

    A flag that is nowhere read need not be set. Of each loop ``stops`` has the flags
    that end it; no loop has an ``else`` afterwards.
    """
    work = _Lowering()
    body = node.body
    last = body[-1:] if not isinstance(body[-1], ast.Return) else []
    early = _jumps([*body[:-1], *last], loop=False, returns=True)
    if not early:
        node.body = work.block(body, None, returns=False)
        return work.flags
    end = body[-1]
    if not _always_jumps(body):
        body = [*body, at(end, ast.Return(constant(end, None)))]
    node.body = [
        assign(end, RETURNED, constant(end, False)),
        assign(end, VALUE, call(end, "unset")),
        *work.block(body, None, returns=True),
        at(end, ast.Return(call(end, "result", name(end, VALUE)))),
    ]
    return work.flags


def _jumps(statements: Sequence[Any], loop: bool, returns: bool) -> set[type]:
    """How a block may jump: out of the loop around it, or of the function."""
    found: set[type] = set()
    for one in statements:
        if isinstance(one, ast.Return):
            found |= {ast.Return} if returns else set()
        elif isinstance(one, (ast.Break, ast.Continue)):
            found |= {type(one)} if loop else set()
        elif not isinstance(one, _WITHOUT_BLOCKS):
            is_loop = isinstance(one, (ast.For, ast.While))
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                inner = loop and not (is_loop and part == "body")
                found |= _jumps(getattr(one, part, ()), inner, returns)
    return found


def _always_jumps(statements: Sequence[ast.stmt]) -> bool:
    """Whether what stands behind a block is never reached from it."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.If):
        return _always_jumps(last.body) and _always_jumps(last.orelse)
    return isinstance(last, (ast.Return, ast.Break, ast.Continue, ast.Raise))


class _Lowering:
    def __init__(self) -> None:
        self.flags = Flags(set(), {})
        self._count = 0

    def block(self, statements: Block, loop: Loop | None, returns: bool) -> Block:
        """A block inside of ``loop``; with ``returns`` those are lowered as well."""
        done: Block = []
        for i, one in enumerate(statements):
            if isinstance(one, (ast.Break, ast.Continue)) and loop:
                flag = loop[isinstance(one, ast.Continue)]
                return [*done, assign(one, flag, constant(one, True))]
            if isinstance(one, ast.Return) and returns:
                value = one.value or constant(one, None)
                done.append(assign(one, VALUE, value))
                return [*done, assign(one, RETURNED, constant(one, True))]
            rest = statements[i + 1 :]
            how = _jumps([one], loop is not None, returns)
            if isinstance(one, ast.If) and how:
                rest = _move_into_branch(one, rest)
            done += self._compound(one, loop, returns)
            if len(rest) < len(statements) - i - 1:
                return done
            if how and rest:
                return [*done, self._guarded(one, how, rest, loop, returns)]
        return done

    def _guarded(
        self, place: ast.stmt, how: set[type], rest: Block, loop: Any, returns: bool
    ) -> ast.stmt:
        """The rest of a block, run where the statement before it did not jump."""
        flags = [RETURNED] if ast.Return in how else []
        flags += [loop.broke] if ast.Break in how else []
        flags += [loop.skipped] if ast.Continue in how else []
        body = self.block(rest, loop, returns)
        return self._unless(place, flags, body)

    def _unless(self, place: ast.stmt, flags: list[str], body: Block) -> ast.stmt:
        self.flags.read.update(flags)
        return at(place, ast.If(_none_of(place, flags), body, []))

    def _compound(self, one: Any, loop: Loop | None, returns: bool) -> Block:
        """A statement with the blocks in it lowered."""
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return [one]
        if isinstance(one, (ast.For, ast.While)):
            return self._loop(one, loop, returns)
        if isinstance(one, ast.Try):
            if _jumps(one.finalbody, loop is not None, returns):
                raise NoSource("it jumps out of a finally block")
            how = _jumps(one.body, loop is not None, returns)
            if how and one.orelse:
                one.orelse = [self._guarded(one, how, one.orelse, loop, returns)]
                one.body = self.block(one.body, loop, returns)
        for part in ("body", "orelse", "finalbody"):
            if getattr(one, part, None):
                setattr(one, part, self.block(getattr(one, part), loop, returns))
        for inner in (*getattr(one, "handlers", ()), *getattr(one, "cases", ())):
            inner.body = self.block(inner.body, loop, returns)
        return [one]

    def _loop(self, one: Any, outer: Loop | None, returns: bool) -> Block:
        self._count += 1
        loop = Loop(f"$broke{self._count}", f"$skipped{self._count}")
        how = _jumps(one.body, True, returns)
        stops = [RETURNED] if ast.Return in how else []
        before: Block = []
        if ast.Break in how:
            stops.append(loop.broke)
            before.append(assign(one, loop.broke, constant(one, False)))
        body = self.block(one.body, loop, returns)
        if ast.Continue in how:
            body.insert(0, assign(one, loop.skipped, constant(one, False)))
        orelse = self.block(one.orelse, outer, returns)
        one.body, one.orelse = body, []
        self.flags.stops[one] = stops
        self.flags.read.update(stops)
        if orelse and stops:
            orelse = [self._unless(one, stops, orelse)]
        return [*before, one, *orelse]


def _move_into_branch(one: ast.If, rest: Block) -> Block:
    """Move what follows into the branch that comes there; what is left behind."""
    first, second = _always_jumps(one.body), _always_jumps(one.orelse)
    if rest and first and not second:
        one.orelse = [*one.orelse, *rest]
        return []
    if rest and second and not first:
        one.body = [*one.body, *rest]
        return []
    return rest


def _none_of(place: ast.AST, flags: Sequence[str]) -> ast.expr:
    parts: list[ast.expr] = [
        at(place, ast.UnaryOp(ast.Not(), name(place, flag))) for flag in flags
    ]
    return parts[0] if len(parts) == 1 else at(place, ast.BoolOp(ast.And(), parts))
