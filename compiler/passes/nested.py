"""Rows of loops in loops: what one body stacks, made by another one that runs alike."""

from __future__ import annotations

from ...ir.graph import Graph
from .bodies import Numbers, parts_of, with_rows

__all__ = ["stacking"]


def stacking(
    numbers: Numbers,
    body: Graph,
    known: dict[str, int],
    other: Graph,
    found: dict[str, int],
    name: str,
) -> tuple[Graph, str] | None:
    """``body`` with the value that ``name`` is in ``other``, and what it is called.

    ``known`` and ``found`` are the numbers of their values. Where ``name`` is a row of
    a loop, a loop that runs alike in ``body`` may stack it too. None if none does.
    """
    for place, number in known.items():
        if number == found[name]:
            return body, place
    theirs = other[name]
    if theirs.op != "loop":
        return None
    count = len(parts_of(theirs).carried)
    row = theirs.names.index(name)
    if row < count or count == 0:
        return None
    ours = next(
        (
            node
            for node in body
            if node.op == "loop"
            and len(parts_of(node).carried) == count
            and known[node.names[0]] == found[theirs.names[0]]
        ),
        None,
    )
    if ours is None:
        return None
    (inner,), (their_inner,) = ours.regions, theirs.regions
    made = stacking(
        numbers,
        inner,
        numbers.inside(ours),
        their_inner,
        numbers.inside(theirs),
        their_inner.results[row],
    )
    if made is None:
        return None
    inner, value = made
    fresh, times = name, 0
    while fresh in body:
        fresh, times = f"{name}_{times}", times + 1
    grown = with_rows(ours._replace(regions=(inner,)), [(fresh, value)])
    nodes = [grown if node is ours else node for node in body]
    return body.with_nodes(nodes), fresh
