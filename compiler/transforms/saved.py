"""`saved_residuals`: what a gradient keeps of the way forwards, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ...backends import DEFAULT
from ...ir.errors import SourceLine
from ...ir.graph import Graph, Node
from ...ir.ops import OPS, Kind
from ...ir.ops.parts import split_operands
from ..calls.function import Function
from ..calls.tracebacks import shows_users_frames
from ..tree import unflatten
from .gradient import Argnums, with_residuals
from .residuals import Residuals

__all__ = ["SavedResidual", "SavedResiduals", "saved_residuals"]


class SavedResidual(NamedTuple):
    """A value of the way forwards that the way back reads.

    ``formula`` is its bytes as a product of the bytes of an element and the sizes of
    its axes, and ``source`` the line that computes it. It is ``kept``, or else computed
    again. ``why`` says what reads it, and how it came to be kept.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: SourceLine | None
    kept: bool
    why: str

    @property
    def formula(self) -> str:
        """Its bytes, such as ``8*64*128``."""
        return "*".join(map(str, (self._itemsize, *self.shape)))

    @property
    def nbytes(self) -> int:
        """Its bytes."""
        size = self._itemsize
        for length in self.shape:
            size *= length
        return size

    @property
    def _itemsize(self) -> int:
        return 1 if self.dtype == "bool" else int(self.dtype[1:]) // 8


class SavedResiduals(tuple[SavedResidual, ...]):
    """The residuals of a function, those that are kept first, the largest first.

    Printed, they are a table, in which those of a line that are alike are one row.
    """

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """The bytes of those that are kept."""
        return sum(row.nbytes for row in self if row.kept)

    def __str__(self) -> str:
        times = Counter(row[1:] for row in self)
        first = {row[1:]: row for row in reversed(self)}
        rows = [("", "value", "bytes", "", "line", "why")]
        for alike in dict.fromkeys(row[1:] for row in self):
            row, often = first[alike], times[alike]
            name, total = f"%{row.name}", row.nbytes * often
            if often > 1:
                name += f" and {often - 1:,} like it"
            at = row.source.brief if row.source else ""
            kept = "kept" if row.kept else "again"
            rows.append((kept, name, row.formula, f"{total:,}", at, row.why))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                text.rjust(width) if place == 3 else text.ljust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        kept = sum(row.kept for row in self)
        told = f"{kept} kept, {self.nbytes:,} bytes; {len(self) - kept} computed again"
        return "\n".join([*lines, told])

    __repr__ = __str__


def saved_residuals(
    function: Function,
    argnums: Argnums = 0,
    *,
    memory_limit: int | str | None = None,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
) -> Callable[..., SavedResiduals]:
    """What a gradient of a function keeps for its way back, and what it computes again.

    These are the residuals of `fwd_and_bwd`, whose options they are. Nothing is run:
    arguments may be types, such as ``spec("f32[8,4]")``. What is computed again is that
    of `checkpoint`, ``memory_limit`` and `checkpointed`, and what loops in loops would
    keep of all turns. In a loop, it is what one turn of the way back has.

    Returns:
        A function of the arguments. Its result is a tuple of `SavedResidual`, which is
        a table when it is printed: for each value its name, bytes as a formula of its
        shape, the user's line, and which ops read it on the way back.

    >>> import numpy as np, anabranch
    >>> def loss(w, x):
    ...     return np.sum(np.tanh(x @ w))
    >>> [r.formula for r in anabranch.saved_residuals(loss)(np.eye(3), np.ones((5, 3)))]
    ['8*5*3', '8*5*3', '8*5*3']
    """
    static = static_argnums, static_argnames
    compiled = with_residuals(function, argnums, DEFAULT, static, memory_limit)

    @shows_users_frames
    def table(*args: Any, **kwargs: Any) -> SavedResiduals:
        program = compiled.program(*args, **kwargs)
        graph = program.graph
        _, residuals = unflatten(program.result, range(len(graph.outputs)))
        assert isinstance(residuals, Residuals)
        back = residuals.backward.entry.program.graph
        kept = [_kept(graph, name, back) for name in residuals]
        kept.sort(key=lambda row: -row.nbytes)
        return SavedResiduals([*kept, *_again(back)])

    return table


def _kept(
    graph: Graph, name: str, back: Graph, again: str | None = None
) -> SavedResidual:
    """A value that both graphs have under one name; computed ``again`` for a reason."""
    node, kept = graph[name], again is None
    why = f"for {_readers(back, name)}"
    if node.op == "input":
        return _row(node, True, f"an argument, {why}")
    source = node.source
    if node.op == "loop":
        (body,) = node.regions
        place = node.names.index(name)
        carried: Any = node.attrs.get("carried", 0)
        if place >= carried:
            inner = body[body.results[place]]
            why = f"%{inner.name} of each of {node.attrs['trips']} turns, {why}"
            source = inner.source or node.source
    made = _row(node, kept, why if kept else f"{again}, {why}")
    return made._replace(source=source)


def _again(back: Graph, reason: str = "checkpoint") -> Iterator[SavedResidual]:
    """The values that a way back computes again.

    Those of a `recompute`, and rows that a loop inside of a loop back makes for another
    one there. ``reason`` is why a `recompute` with an adjoint is there.
    """
    for node in back:
        if node.op == "loop":
            (body,) = node.regions
            is_segment = bool(node.attrs.get("segments"))
            why = "checkpointed" if is_segment else "a loop in a loop"
            yield from _in_turn(body, why, every=is_segment)
            yield from _again(body, why if node.attrs.get("held") else reason)
        elif node.op == "recompute":
            (body,) = node.regions
            yield from _inside(back, node, body, reason)
            yield from _again(body, reason)


def _inside(
    back: Graph, node: Node, body: Graph, reason: str
) -> Iterator[SavedResidual]:
    """The values that a `recompute` computes again."""
    last = len(body.sections)
    read = {x for inner in body if inner.section == last for x in inner.operands}
    for inner in body:
        for value in inner.values:
            if inner.op == "input" or inner.section == last > 0:
                continue
            if last and value.name in read:
                yield _kept(body, value.name, body, reason)
            elif not last and value.name in body.results:
                made = node.names[body.results.index(value.name)]
                yield _row(value, False, f"memory_limit, for {_readers(back, made)}")


def _in_turn(body: Graph, why: str, *, every: bool) -> Iterator[SavedResidual]:
    """What a turn of a way back runs forwards for: rows, or ``every`` value."""
    for node in body:
        carried: Any = node.attrs.get("carried", 0)
        rows = node.names[carried:] if node.op == "loop" else ()
        is_source = OPS[node.op].kind is Kind.SOURCE
        for name in node.names if every and not is_source else rows:
            sections = [body[read.consumer].section for read in body.reads[name]]
            if any(section > node.section for section in sections):
                yield _kept(body, name, body, why)


def _row(value: Node, kept: bool, why: str) -> SavedResidual:
    type_ = value.type
    return SavedResidual(value.name, type_.dtype, type_.shape, value.source, kept, why)


def _readers(graph: Graph, name: str) -> str:
    """The ops that read a value, those of the last section where there are some."""
    last = len(graph.sections)
    found: dict[str, None] = {}
    for read in graph.reads[name]:
        node = graph[read.consumer]
        if node.section != last:
            continue
        if node.op == "loop":
            (body,) = node.regions
            taken = split_operands(node.attrs, range(len(node.operands))).taken
            if read.slot in taken:
                inner = body.inputs[1 + taken.index(read.slot)].name
                found.update(dict.fromkeys(x.op for x in body if inner in x.operands))
                continue
        found[node.op] = None
    return ", ".join(found) or "the result"
