"""Random graphs with `cond`, each beside the graphs that its choices come to.

The regions are random graphs of `strategies`, and one of them has another `cond`. A
graph is grown by one function from conditions that are inputs, or that are known: then
the nodes of the chosen region stand in the place of the `cond`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from anabranch.ir import Builder, Graph, Node, Output, TensorType
from tests.strategies import Sample, random_sample

__all__ = ["CHOICES", "Branching", "branching"]

CHOICES = ((True, True), (True, False), (False, True))
"""The conditions of the outer and of the inner `cond`, which the last one has not."""

BOOL = TensorType("bool", ())
Body: TypeAlias = "Callable[[Builder, Sequence[Any]], Sequence[Node]]"


class Branching(NamedTuple):
    """A graph whose first inputs are two conditions, and what it is for each choice.

    ``sample`` has the point and the direction of the other inputs.
    """

    graph: Graph
    straight: dict[tuple[bool, bool], Graph]
    sample: Sample

    def arrays(self, choice: tuple[bool, bool]) -> list[Any]:
        """The inputs of ``graph``."""
        return [*map(np.asarray, choice), *self.sample.point]


def branching(seed: int, *, mixed: bool = False) -> Branching:
    """The random graph of a seed."""
    sample = random_sample(seed, mixed=mixed)
    types = [node.type for node in sample.graph.inputs]
    bodies = [_copying(_turned(sample.graph, op)) for op in ("identity", "sin", "neg")]

    def known(p: bool, q: bool) -> Body:
        return lambda b, xs: _whole(b, p, q, xs, *bodies)

    return Branching(
        _grown(
            "branching",
            [BOOL, BOOL, *types],
            lambda b, xs: _whole(b, xs[0], xs[1], xs[2:], *bodies),
        ),
        {choice: _grown("straight", types, known(*choice)) for choice in CHOICES},
        sample,
    )


def _whole(
    b: Builder, p: Any, q: Any, xs: Sequence[Node], *bodies: Body
) -> Sequence[Node]:
    """Values that the choice reads, and that are read again; so are its results."""

    def inner(b: Builder, operands: Sequence[Any]) -> Sequence[Node]:
        q, *xs = operands
        return _choice(b, q, xs, bodies[0], bodies[1])

    def other(b: Builder, operands: Sequence[Any]) -> Sequence[Node]:
        return bodies[2](b, operands[1:])

    made = _choice(b, p, [q, *(b.identity(x) for x in xs)], inner, other)
    found: list[Node] = []
    for x in made:
        found += [b.sin(x), b.mul(x, x)] if x.type.is_float else [x]
    return [*found, *(b.tanh(x) for x in xs if x.type.is_float)]


def _choice(
    b: Builder, p: Any, operands: Sequence[Any], then: Body, other: Body
) -> Sequence[Node]:
    if isinstance(p, bool):
        return (then if p else other)(b, operands)
    types = [operand.type for operand in operands]
    regions = _grown("then", types, then), _grown("else", types, other)
    return b.add_node("cond", p, *operands, regions=regions).values


def _grown(name: str, types: Sequence[TensorType], body: Body) -> Graph:
    b = Builder(name)
    inputs = [b.input(f"x{number}", type_) for number, type_ in enumerate(types)]
    return b.build([Output(value.name) for value in body(b, inputs)]).verify()


def _copying(graph: Graph) -> Body:
    """Adds the nodes of a graph."""

    def body(b: Builder, operands: Sequence[Any]) -> Sequence[Node]:
        made = dict(zip([x.name for x in graph.inputs], operands, strict=True))
        for node in graph:
            if node.op != "input":
                made[node.name] = b.copy(node, [made[x] for x in node.operands], {})
        return [made[name] for name in graph.results]

    return body


def _turned(graph: Graph, op: str) -> Graph:
    """The graph with another function behind each of its results that are floats."""
    b = Builder(graph.name, graph)
    results = [graph[name] for name in graph.results]
    made = [b.add_node(op, x) if x.type.is_float else x for x in results]
    return b.build([Output(value.name) for value in made])
