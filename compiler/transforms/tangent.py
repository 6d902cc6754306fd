"""The tangent pass: forward mode.

For a graph y = f(x), walking the nodes in order,

    tangent(n) = sum over the operands x of n of  dn/dx tangent(x)

where inputs that were asked for have the tangents that are given, and values that
depend on none of them have none. Where the term of an operand comes from:

- of an op that is ``linear`` in it, the op itself, run on the tangent;
- of an elementwise op, its adjoint rule: the Jacobian is diagonal, hence its own
  transpose, and what the rule does to a cotangent is what it does to a tangent;
- of an op with a rule of its own (``tangent``), that;
- of any other, the transpose of its adjoint rule. The contributions of the rule are
  linear in the cotangent, so the adjoint of the rule's graph by the cotangent, with the
  tangents as seeds, is the tangent.

So an op needs no rule that its adjoint does not say already. Names: ``%w.dot`` is the
tangent of ``%w``. The result is a graph like any other: it has an adjoint, and a
tangent whose names end in ``.dot2``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeAlias, cast

from ...ir.builder import Builder
from ...ir.collection import paused_collection
from ...ir.errors import GradientError, SourceLine
from ...ir.graph import Graph, Node, Output, Section
from ...ir.ops import OPS, Kind
from ...ir.ops.linearity import require_linear
from ...ir.ops.spec import EVERY, Adjoint
from ..passes.prune import prune
from .adjoint import adjoint, check_refused, free_suffix

__all__ = ["tangent"]

_ELEMENTWISE, _VIEW = Kind.ELEMENTWISE, Kind.VIEW

Dots = tuple[Node | None, ...]
Transposes: TypeAlias = "dict[tuple[object, ...], _Transpose]"


def tangent(
    graph: Graph, *, wrt: Sequence[str], of: Sequence[str] | None = None
) -> Graph:
    """The graph that also computes the tangents of the values ``of``.

    The result has one more input for each input of ``wrt``, its tangent, in that order
    and of its type. The outputs are those of ``graph`` and then the tangents of ``of``,
    by default all outputs of floats; that of a value which does not depend on ``wrt``
    is zero.

    Raises `GradientError` where an input of ``wrt`` or a value of ``of`` is not of
    floats.
    """
    kept = [name for name in graph.results if graph[name].type.has_gradient]
    of = kept if of is None else of
    for name in (*wrt, *of):
        if not graph[name].type.has_gradient:
            raise GradientError(
                f"no tangent of {name}: it is {graph[name].type}",
                source=graph[name].source,
                hint="only floats have tangents: pass 3.0 for 3, or x.astype(float)",
            )
    with paused_collection():
        return _tangent(graph, wrt, of)


def _tangent(graph: Graph, wrt: Sequence[str], of: Sequence[str]) -> Graph:
    b = Builder(f"{graph.name}.jvp", graph)
    suffix = free_suffix(graph, "dot")
    dots: dict[str, Node] = {}
    for name in wrt:
        b.source = graph[name].source
        dots[name] = b.input(f"{name}.{suffix}", graph[name].type)
    named = {*graph.nodes, *(dot.name for dot in dots.values())}
    known: Transposes = {}
    b.section = len(graph.sections) + 1
    for node in graph:
        if not node.operands or dots.keys().isdisjoint(node.operands):
            continue
        b.source = node.source
        given = tuple([dots.get(name) for name in node.operands])
        pushed = _pushed(b, graph, node, given, known)
        for value, dot in zip(node.values, pushed, strict=True):
            if dot is None:
                continue
            dots[value.name] = dot
            if dot.name not in named and dot.op != "const":
                named.add(dot.name)
                b.suggest(dot, f"{value.name}.{suffix}")
    ends = [dots.get(name) or b.like(graph[name], 0.0) for name in of]
    outputs = [*graph.outputs, *(Output(end.name) for end in ends)]
    b.keep_read(outputs)
    return b.build(outputs, [*graph.sections, Section((), (), suffix, lawful=False)])


def _pushed(
    b: Builder, graph: Graph, node: Node, dots: Dots, known: Transposes
) -> Dots:
    """The tangents of the values of a node, None for those that have none."""
    op, operands = OPS[node.op], graph.operands(node)
    slots = [
        slot
        for slot, dot in enumerate(dots)
        if dot is not None and op.is_differentiable(slot)
    ]
    if not slots or not node.floats:
        return (None,) * len(node.values)
    check_refused(op, slots, node)
    if op.tangent is not None:
        more = {"tangent": tangent} if op.regions else {}
        made = op.tangent(b, node, dots, *operands, **node.attrs, **more)
        if made is not None:
            return made
    if op.kind is _ELEMENTWISE and operands[slots[0]].type == node.type:
        each = [_diagonal(b, node, slot, dots, operands) for slot in slots]
        return (_sum(b, each),)
    terms: list[Dots] = []
    for group in ((0,),) if op.kind is _VIEW else op.linear:
        whole = range(len(operands)) if group is EVERY else group
        if not set(whole).isdisjoint(slots):
            terms.append(_linear(b, node, whole, dots, operands))
            slots = [slot for slot in slots if slot not in whole]
    if slots:
        terms.append(_transposed(b, node, slots, dots, operands, known))
    return tuple([_sum(b, column) for column in zip(*terms, strict=True)])


def _linear(
    b: Builder,
    node: Node,
    group: Collection[int],
    dots: Dots,
    operands: Sequence[Node],
) -> Dots:
    """What the op makes of the tangents in a group of slots."""
    taken = [
        (dots[slot] or b.like(operand, 0.0)) if slot in group else operand
        for slot, operand in enumerate(operands)
    ]
    attrs: Any = node.attrs
    return b.add_node(node.op, *taken, **attrs).values


def _diagonal(
    b: Builder, node: Node, slot: int, dots: Dots, operands: Sequence[Node]
) -> Node:
    """The term of one slot of an elementwise op, from its adjoint rule.

    The rule multiplies with the conjugate of the derivative.
    """
    rule = cast("Adjoint", OPS[node.op].adjoint)
    dot = b.conj(cast("Node", dots[slot]))
    made = rule(b, node, dot, *operands, **node.attrs)[slot]
    return b.conj(cast("Node", made))


class _Transpose(NamedTuple):
    """A rule's transpose as a graph: the tangents of values by those of operands.

    ``inputs`` are the names of the operands, of the values and of their cotangents
    there, then of the tangents in some slots; ``ends`` those of the tangents of values,
    None for a value that has none.
    """

    graph: Graph
    inputs: tuple[str, ...]
    ends: tuple[str | None, ...]


def _transposed(
    b: Builder,
    node: Node,
    slots: list[int],
    dots: Dots,
    operands: Sequence[Node],
    known: Transposes,
) -> Dots:
    """What the transpose of an adjoint rule makes of the tangents in ``slots``.

    ``known`` are those of nodes met before: all that are alike have one. The rule is
    linear, so its derivative is that at a cotangent of zeros.
    """
    names = [operand.name for operand in operands]
    types = tuple([x.type for x in (*operands, *node.values)])
    same = tuple(map(names.index, names))  # which operands are one value
    key = node.op, node.attrs.text, node.regions, types, same, tuple(slots)
    if key not in known:
        known[key] = _transpose(node, slots, operands, b.source)
    made = known[key]
    zeros = [b.like(value, 0.0) for value in node.values if value.type.has_gradient]
    seeds = [cast("Node", dots[slot]) for slot in slots]
    values = [*operands, *node.values, *zeros, *seeds]
    given = dict(zip(made.inputs, values, strict=True))
    found = b.graft(made.graph, given, filter(None, made.ends))
    return tuple([found[end] if end else None for end in made.ends])


def _transpose(
    node: Node,
    slots: Sequence[int],
    operands: Sequence[Node],
    source: SourceLine | None,
) -> _Transpose:
    """The transpose of the adjoint rule of a node, for its operands in ``slots``."""
    rule, node, bars = _rule_graph(node, slots, operands)
    require_linear(
        rule,
        bars,
        "a rule is not linear in its cotangent, so nothing follows from it for forward "
        "mode",
        "give the function a rule for tangents: custom_jvp",
        source,
    )
    made = adjoint(rule, wrt=list(bars), of=rule.results, seeded=True)
    # A loop may carry the cotangent beside what is read of it.
    made = prune(made.returning(made.outputs[len(slots) :]))
    seeds = [value.name for value in made.inputs[len(rule.inputs) :]]
    ends = dict(zip(bars.values(), made.results, strict=True))
    return _Transpose(
        made,
        (*node.operands, *node.names, *bars, *seeds),
        tuple([ends.get(name) for name in node.names]),
    )


def _rule_graph(
    node: Node, slots: Sequence[int], operands: Sequence[Node]
) -> tuple[Graph, Node, dict[str, str]]:
    """The adjoint rule of a node as a graph that returns the contributions to slots.

    With it the node that it is of, whose names say nothing of where it stands, and the
    inputs that are the cotangents of values, each with the value's name.
    """
    op = OPS[node.op]
    b = Builder("rule")
    b.source = node.source
    names = {x.name: f"x{slot}" for slot, x in reversed([*enumerate(operands)])}
    names |= {value.name: f"y{place}" for place, value in enumerate(node.values)}
    for operand in {x.name: x for x in operands}.values():
        b.append(Node(names[operand.name], "input", (), operand.type))
    node = b.append(node._replace(section=0, kernel=None, reads=()).renamed(names))
    floats = [value for value in node.values if value.type.has_gradient]
    bars = [b.input(f"{value.name}.bar", value.type) for value in floats]
    given = iter(bars)
    g = tuple([next(given) if v.type.has_gradient else None for v in node.values])
    more: dict[str, Any] = {}
    if op.regions:
        more = {"slots": slots, "adjoint": adjoint}
    rule = cast("Adjoint", op.adjoint)
    taken = [b[name] for name in node.operands]
    made = rule(b, node, g if node.several else g[0], *taken, **node.attrs, **more)
    outputs = [Output(cast("Node", made[slot]).name) for slot in slots]
    of = {bar.name: value.name for bar, value in zip(bars, floats, strict=True)}
    return b.build(outputs), node, of


def _sum(b: Builder, terms: Sequence[Node | None]) -> Node | None:
    """The sum of those terms that there are."""
    given = [term for term in terms if term is not None]
    if len(given) > 2:
        return b.add_n(*given)
    return reduce(b.add, given) if given else None
