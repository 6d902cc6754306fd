"""What the loops of a graph keep for the loops back."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..ir.errors import SourceLine
from ..ir.graph import Graph, Node
from ..ir.ops.parts import split_operands

__all__ = ["Tape", "tapes", "warn_of_large"]

LARGE = 2**30  # bytes of all tapes


class Tape(NamedTuple):
    """One value for each turn of a loop, which only the backward pass reads.

    ``readers`` are the ops that read it there. ``source`` is the line of the value, or
    of the loop where the value is what a turn began with. ``times`` is how many loops
    of the line keep it.
    """

    source: SourceLine | None
    name: str
    turns: int
    nbytes: int
    readers: tuple[str, ...]

    times: int = 1

    def __str__(self) -> str:
        at = self.source.brief if self.source else "no line"
        often = "" if self.times == 1 else f" {self.times:,} times"
        return (
            f"{at}  # %{self.name} of each of {self.turns:,} turns{often}, "
            f"{self.nbytes * self.times:,} bytes, for {', '.join(self.readers)}"
        )


def tapes(graph: Graph) -> Sequence[Tape]:
    """The tapes of a graph; those of a line that are alike count as one."""
    found = Counter(_tapes(graph))
    return [tape._replace(times=times) for tape, times in found.items()]


def warn_of_large(graph: Graph) -> None:
    """Warn of tapes that are `LARGE`, at the line that keeps the most."""
    found = tapes(graph)
    total = sum(tape.nbytes * tape.times for tape in found)
    if total < LARGE:
        return
    most = max(found, key=lambda tape: tape.nbytes * tape.times)
    at = most.source or SourceLine("<no line>", 0)
    warnings.warn_explicit(
        f"the gradient of {graph.name} keeps {total / 2**30:,.1f} GiB of its loops, "
        "the most of them here; a loop over anabranch.checkpointed(...) keeps less",
        RuntimeWarning,
        *at,
    )


def _tapes(graph: Graph) -> Iterator[Tape]:
    """The tapes of a graph and of the bodies in it, one by one."""
    for node in graph:
        for region in node.regions:
            yield from _tapes(region)
    loops = [node for node in graph if node.op == "loop"]
    if not loops:
        return
    readers: Mapping[str, list[tuple[Node, int]]] = defaultdict(list)
    for node in graph:
        for slot, name in enumerate(node.operands):
            readers[name].append((node, slot))
    results = set(graph.results)
    for node in loops:
        (body,) = node.regions
        carried: Any = node.attrs.get("carried", 0)
        stacked = zip(node.values[carried:], body.results[carried:], strict=True)
        for value, made in stacked:
            reads = readers[value.name]
            back = all(reader.section > node.section for reader, _ in reads)
            if reads and back and value.name not in results:
                ops = dict.fromkeys(op for read in reads for op in _ops(*read))
                yield Tape(
                    body[made].source or node.source,
                    made,
                    value.type.shape[0],
                    value.type.nbytes,
                    tuple(ops),
                )


def _ops(reader: Node, slot: int) -> Iterator[str]:
    """The ops that read an operand: those in the body, where the reader is a loop."""
    if reader.op != "loop":
        yield reader.op
        return
    (body,) = reader.regions
    operands = split_operands(reader.attrs, range(len(reader.operands)))
    name = body.inputs[1 + operands.taken.index(slot)].name
    yield from (node.op for node in body if name in node.operands)
