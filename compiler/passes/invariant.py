"""Checks of loops in loops that every iteration would make alike."""

from __future__ import annotations

from ...ir.graph import Graph, Node
from ...ir.iterations import is_static
from ...ir.ops import OPS, Kind
from .bodies import parts_of, take_name, with_inputs

__all__ = ["invariant"]


def invariant(graph: Graph) -> Graph:
    """Check in front of a loop what no iteration of it changes.

    before:
        graph f(%x: f64[3,4], %i: i64[3]) {
          %a = loop(%x, %i) {trips=3, stacked=2} : f64[3,4]:
            body(%t: i64[], %r: f64[4], %k: i64[]) {
              %b = loop(%k, %r) {trips=4, stacked=1} : f64[4]:
                body(%s: i64[], %k: i64[], %u: f64[]) {
                  %c = check(%k) {low=0, high=9, error="index", message="out"} : i64[]
                  %d = cast(%c) {dtype="f64"} : f64[]
                  %v = mul(%u, %d) : f64[]
                  return %v
                }
              return %b
            }
          return %a
        }
    after:
        graph f(%x: f64[3,4], %i: i64[3]) {
          %a = loop(%x, %i) {trips=3, stacked=2} : f64[3,4]:
            body(%t: i64[], %r: f64[4], %k: i64[]) {
              %c = check(%k) {low=0, high=9, error="index", message="out"} : i64[]
              %b = loop(%k, %c, %r) {trips=4, stacked=1} : f64[4]:
                body(%s: i64[], %k: i64[], %c: i64[], %u: f64[]) {
                  %d = cast(%c) {dtype="f64"} : f64[]
                  %v = mul(%u, %d) : f64[]
                  return %v
                }
              return %b
            }
          return %a
        }

    The integers that are made of what was checked come along. Loops that run once at
    least are looked at, and checks that no other one stands before in the body, so the
    one that fails first does so as before. A loop that is in no other loop keeps its
    checks: in its kernel they cost nothing. Keeps results bit for bit.
    """
    nodes = [_outer(node) if node.op == "loop" else node for node in graph]
    changed = any(made is not node for made, node in zip(nodes, graph, strict=True))
    return graph.with_nodes(nodes) if changed else graph


def _outer(loop: Node) -> Node:
    """The loop whose body checks in front of the loops in it."""
    (body,) = loop.regions
    for inner in body:
        made = _moved(body, inner) if inner.op == "loop" and is_static(inner) else None
        if made is not None:
            return _outer(loop._replace(regions=(made,)))
    return loop


def _moved(body: Graph, loop: Node) -> Graph | None:
    """The body with checks in front of a loop; None where it has none to move."""
    (region,) = loop.regions
    inputs = [x.name for x in region.inputs[1:]]
    names = dict(zip(inputs, parts_of(loop).invariants, strict=False))
    moving = _movable(region, set(names))
    if not moving:
        return None
    front: list[Node] = []
    taken = set(body.nodes)
    for name in moving:
        node = region[name]
        operands = tuple([names[x] for x in node.operands])
        names[name] = take_name(name, taken)
        front.append(
            node._replace(name=names[name], operands=operands, section=loop.section)
        )
    constants = {name for name in moving if region[name].op == "const"}
    nodes = [
        node
        for node in region
        if node.op != "input" and (node.name not in moving or node.name in constants)
    ]
    taken = [
        (names[name], Node(name, "input", (), region[name].type))
        for name in moving
        if name not in constants
    ]
    made = with_inputs(loop, taken, (), nodes, region.outputs)
    after: list[Node] = []
    for node in body:
        after += [*front, made] if node is loop else [node]
    return body.with_nodes(after)


def _movable(region: Graph, known: set[str]) -> list[str]:
    """The checks that may go in front, what they need, and what is made of them."""
    fits = set(known)
    checked: set[str] = set()
    blocked = False
    for node in region:
        inside = fits.issuperset(node.operands) and _is_integer(node)
        if node.op == "check":
            inside = inside and not blocked
            if inside:
                checked.add(node.name)
            blocked = not inside
        elif inside and not checked.isdisjoint(node.operands):
            checked.add(node.name)
        elif any(map(_may_fail, node.regions)):
            blocked = True
        if inside:
            fits.add(node.name)
    needed = set(checked)
    for node in reversed(list(region)):
        if node.name in needed:
            needed.update(node.operands)
    return [node.name for node in region if node.name in needed - known]


def _is_integer(node: Node) -> bool:
    """Whether it is an op on an integer or two, or shows one."""
    kinds = (Kind.ELEMENTWISE, Kind.VIEW, Kind.SOURCE)
    cheap = node.op in ("check", "slice_at") or OPS[node.op].kind in kinds
    whole = node.op != "input" and not node.several and not node.regions
    return cheap and whole and node.type.size == 1 and not node.type.is_float


def _may_fail(region: Graph) -> bool:
    return any(x.op == "check" or any(map(_may_fail, x.regions)) for x in region)
