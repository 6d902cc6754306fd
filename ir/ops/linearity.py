"""Whether a graph is linear in some inputs, as the rule of a derivative has to be.

A value is a sum of terms. What is known of it is which kinds of them there may be, as
bits: terms that do not depend on the seeds (`CONSTANT`), those that are linear in them
(`LINEAR`), and all else (`OTHER`). A value without terms is zero, a sum has the terms
of both, and a product of a constant and a linear one is linear. What a loop carries is
a fixed point.

It is what can be told from the graph: ``(g + x) - x`` counts as more than linear. An
array that a rule captures is an input, and so constant whatever it holds: a rule that
was judged stays so when the array changes. A number is a literal, of which 0 is no
term; a graph is traced anew where a captured number is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from ..errors import GradientError, SourceLine
from .parts import split_operands
from .spec import EVERY, OPS, Kind

if TYPE_CHECKING:
    from ..graph import Graph, Node

__all__ = ["may_add", "require_linear"]

CONSTANT, LINEAR, OTHER = 1, 2, 4

Terms = Sequence[int]


def require_linear(
    rule: Graph, seeds: Iterable[str], what: str, hint: str, source: SourceLine | None
) -> None:
    """Raise `GradientError` unless the results of a rule are linear in the ``seeds``.

    ``what`` says what it is not; the line at which it ceases to be is added.
    """
    found = _walk(rule, dict.fromkeys(seeds, LINEAR))
    for name in rule.results:
        if found[name] & ~LINEAR:
            line = _culprit(rule, name, found).source
            at = f": {line.brief}" if line else ""
            raise GradientError(f"{what}{at}", source=source, hint=hint)


def may_add(graph: Graph, seeds: Iterable[str]) -> bool:
    """Whether results of a graph may have terms that do not depend on the ``seeds``."""
    found = _walk(graph, dict.fromkeys(seeds, LINEAR))
    return any(found[name] & CONSTANT for name in graph.results)


def _culprit(graph: Graph, name: str, found: Mapping[str, int]) -> Node:
    """The node that first makes what is neither constant nor linear of what is."""
    while True:
        node = graph[name]
        worse = [x for x in node.operands if found[x] not in (0, CONSTANT, LINEAR)]
        if not worse:
            return node
        name = worse[0]


def _walk(graph: Graph, given: Mapping[str, int]) -> dict[str, int]:
    """The terms of each value, where other inputs than the ``given`` are constant."""
    found = dict(given)
    for node in graph:
        if node.op == "input":
            found.setdefault(node.name, CONSTANT)
            continue
        taken = [found[name] for name in node.operands]
        rule = _RULES.get(node.op, _by_groups)
        made = rule(node, *taken, **node.attrs)
        for value, terms in zip(node.values, made, strict=True):
            real = value.type.has_gradient or not terms & ~CONSTANT
            found[value.name] = terms if real else OTHER
    return found


def _through(region: Graph, taken: Terms) -> list[int]:
    """The terms of a region's results, of those of what it takes."""
    names = [node.name for node in region.inputs]
    found = _walk(region, dict(zip(names, taken, strict=True)))
    return [found[name] for name in region.results]


def _all(terms: Terms) -> int:
    return reduce(or_, terms, 0)


def _product(x: int, y: int) -> int:
    """The terms of a product: the degrees of its factors add up."""
    if not x or not y:
        return 0
    if CONSTANT in (x, y):
        return x if y == CONSTANT else y
    return OTHER


def _by_groups(node: Node, *taken: int, **attrs: Any) -> list[int]:
    """A product of what the op makes of each group that it is linear in."""
    op = OPS[node.op]
    groups = ((0,),) if op.kind is Kind.VIEW else op.linear
    if EVERY in groups:
        groups = (range(len(taken)),)
    made = reduce(
        _product, [_all([taken[k] for k in group]) for group in groups], CONSTANT
    )
    inside = {slot for group in groups for slot in group}
    held = _all([x for slot, x in enumerate(taken) if slot not in inside])
    return [OTHER if held & ~CONSTANT else made] * len(node.values)


def _const(node: Node, *, value: complex, **attrs: Any) -> list[int]:
    return [CONSTANT if value != 0 else 0]


def _pad(node: Node, x: int, *, value: complex, **attrs: Any) -> list[int]:
    """Beside the operand there is a number, which may be 0."""
    return [x | (CONSTANT if value != 0 else 0)]


def _handed_on(node: Node, *taken: int) -> list[int]:
    """The last operand is the value, which is not how the op depends on the others."""
    *matrices, c, _ = taken
    return [OTHER if _all(matrices) & ~CONSTANT else c]


def _cond(node: Node, p: int, *taken: int) -> list[int]:
    """The terms of both branches, between which a constant has to choose."""
    if p & ~CONSTANT:
        return [OTHER] * len(node.values)
    then, other = [_through(region, taken) for region in node.regions]
    return [a | b for a, b in zip(then, other, strict=True)]


def _loop(node: Node, *taken: int, **attrs: Any) -> list[int]:
    """What iterations make of the carried values until no kind of term is new."""
    parts = split_operands(attrs, taken)
    (body,) = node.regions
    count, carried = len(parts.carried), list(parts.carried)
    while True:
        given = [CONSTANT, *parts.invariants, *carried, *parts.stacked]
        made = _through(body, given)
        more = [a | b for a, b in zip(carried, made[:count], strict=True)]
        if more == carried:
            break
        carried = more
    ends = [*parts.limit, *(carried[:1] if attrs.get("test") else ())]
    if _all(ends) & ~CONSTANT:
        return [OTHER] * len(node.values)
    return [*carried, *made[count:]]


def _body(node: Node, *taken: int, **attrs: Any) -> list[int]:
    (body,) = node.regions
    return _through(body, taken[: len(body.inputs)])


def _linear_solve(node: Node, rhs: int, *closed: int) -> list[int]:
    return [OTHER if _all(closed) & ~CONSTANT else rhs] * len(node.values)


def _held(terms: Terms) -> list[int]:
    """Those of what a rule is not to read where it depends on the seeds."""
    return [x if x in (0, CONSTANT) else OTHER for x in terms]


def _custom_vjp(node: Node, *taken: int, arguments: int, **attrs: Any) -> list[int]:
    """The function's own, if its rule is linear in the cotangents as well."""
    value, forward, backward = node.regions
    made = _through(value, taken)
    first, behind = _held(taken[:arguments]), _held(taken[arguments:])
    residuals = _held(_through(forward, [*first, *_held(made), *behind]))
    seeds = [LINEAR] * (len(backward.inputs) - len(residuals) - len(behind))
    bars = _through(backward, [*residuals, *seeds, *behind])
    return made if not _all(bars) & ~LINEAR else [OTHER] * len(made)


def _custom_jvp(node: Node, *taken: int, arguments: int) -> list[int]:
    """The function's own, if its rule is linear in the tangents as well."""
    value, tangent = node.regions
    made = _through(value, taken)
    first, behind = _held(taken[:arguments]), _held(taken[arguments:])
    before = [*first, *_held(made)]
    seeds = [LINEAR] * (len(tangent.inputs) - len(before) - len(behind))
    dots = _through(tangent, [*before, *seeds, *behind])
    return made if not _all(dots) & ~LINEAR else [OTHER] * len(made)


_RULES: dict[str, Callable[..., list[int]]] = {
    "const": _const,
    "pad": _pad,
    "sylvester": _handed_on,
    "cond": _cond,
    "loop": _loop,
    "checkpoint": _body,
    "recompute": _body,
    "linear_solve": _linear_solve,
    "custom_vjp": _custom_vjp,
    "custom_jvp": _custom_jvp,
}
