"""How integers that are known only when running differ.

A `Form` is a number plus multiples of values of which nothing is known here. What a
program computes from the counter of a loop by sums and by products with numbers is one.
So it is seen that ``x[i:i + 3]`` has three elements, and which row ``x[n - 1 - i]`` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from ...ir.graph import Node

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Form", "Root", "form_of"]

MAX_DEPTH = 40


class Root(NamedTuple):
    """A value that is no sum or multiple of others, in the trace that made it."""

    trace: Trace
    node: Node


class Form(NamedTuple):
    """``constant`` and so many times each of some roots, by the trace and the name."""

    constant: int
    terms: Mapping[tuple[int, str], tuple[Root, int]]

    def plus(self, other: Form) -> Form:
        """The sum of two."""
        terms = dict(self.terms)
        for key, (root, times) in other.terms.items():
            total = times + (terms[key][1] if key in terms else 0)
            terms[key] = root, total
        left = {key: term for key, term in terms.items() if term[1]}
        return Form(self.constant + other.constant, left)

    def times(self, factor: int) -> Form:
        """A multiple."""
        terms = {key: (root, n * factor) for key, (root, n) in self.terms.items()}
        return Form(self.constant * factor, terms if factor else {})

    def minus(self, other: Form) -> Form:
        """The difference of two."""
        return self.plus(other.times(-1))


def form_of(trace: Trace, node: Node, depth: int = 0) -> Form:
    """The form of an i64[], a node of a trace."""
    found = _form(trace, node, depth + 1) if depth < MAX_DEPTH else None
    root = Root(trace, node)
    return found or Form(0, {(id(trace), node.name): (root, 1)})


def _form(trace: Trace, node: Node, depth: int) -> Form | None:
    if node.op == "const":
        return Form(cast("int", node.attrs["value"]), {})
    if node.op == "input":
        outer = trace.captured_as(node)
        if outer is None:
            return None
        return form_of(outer.here, outer.unchecked_node, depth)
    if node.op not in ("add", "sub", "mul", "neg"):
        return None
    operands = [trace.builder[name] for name in node.operands]
    one, *rest = [form_of(trace, operand, depth) for operand in operands]
    if node.op == "neg":
        return one.times(-1)
    (other,) = rest
    if node.op == "add":
        return one.plus(other)
    if node.op == "sub":
        return one.minus(other)
    if not other.terms:
        return one.times(other.constant)
    return other.times(one.constant) if not one.terms else None
