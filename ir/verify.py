"""The verifier: every invariant of the IR, checked from the graph alone."""

from __future__ import annotations

from collections.abc import Mapping

from .collection import paused_collection
from .errors import AnabranchError, VerifyError
from .graph import Graph, Node
from .law import RETURN, contributing_reads
from .ops import OPS
from .ops.spec import Types
from .text import format_node, is_name
from .types import TensorType

__all__ = ["verify"]


def verify(graph: Graph) -> Graph:
    """Return ``graph`` if it is sound, else raise `VerifyError` naming the node."""
    with paused_collection():
        _verify(graph)
    return graph


def _verify(graph: Graph) -> None:
    made: dict[str, TensorType] = {}
    section = 0
    _verify_names(graph)
    for node in graph:
        try:
            _verify_node(graph, node, made)
        except AnabranchError as error:
            what = f"graph {graph.name}: {error.what}"
            raise VerifyError(
                what, source=node.source, node=format_node(node)
            ) from None
        if not section <= node.section <= len(graph.sections):
            raise VerifyError(f"%{node.name} stands in the wrong section")
        section = node.section
        made[node.name] = node.type
        if node.several:
            made.update(node.several)
    for result in graph.results:
        if result not in made:
            raise VerifyError(f"graph {graph.name}: no value %{result} to return")
    _verify_edges(graph)
    for number, claim in enumerate(graph.sections, 1):
        if claim.lawful:
            _verify_law(graph, number)


def _verify_names(graph: Graph) -> None:
    """What is printed must be read back as the same name."""
    labels = [output.label for output in graph.outputs if output.label]
    suffixes = [section.suffix for section in graph.sections]
    for name in (graph.name, *graph.nodes, *labels, *suffixes):
        if not is_name(name):
            raise VerifyError(f"not a name: {name[:80]!r}")
    if RETURN in graph or any("." in suffix for suffix in suffixes):
        raise VerifyError(f"a value called {RETURN}, or a dot in a suffix")
    if len(set(suffixes)) < len(suffixes):
        raise VerifyError("two sections have one suffix")


def _verify_node(graph: Graph, node: Node, made: Mapping[str, TensorType]) -> None:
    """Check a node against the types of the values that were made before it."""
    op = OPS.get(node.op)
    if op is None:
        raise VerifyError(f"unknown op {node.op!r}")
    if node.op == "input":
        plain = Node(node.name, "input", (), node.type)
        if node != plain or len(made) >= len(graph.inputs):
            raise VerifyError("inputs stand first and have a type only")
        return
    try:
        types = tuple([made[operand] for operand in node.operands])
    except KeyError as error:
        what = f"%{error.args[0]} is read before it is made, or never made"
        raise VerifyError(what) from None
    for region in node.regions:
        _verify(region)
    inferred = op.infer(types, node.attrs, node.regions)
    declared = node.type
    if node.several:
        declared = tuple([value.type for value in node.several])
        if node.several[0] != (node.name, node.type):
            raise VerifyError(f"%{node.name} is not the first value of its node")
    if inferred is not declared and inferred != declared:
        raise VerifyError(f"the type is {_text(inferred)}, not {_text(declared)}")
    if node.reads and node.op != "add_n":
        raise VerifyError("only a sum node has labels of reads")


def _text(types: Types) -> str:
    text = ", ".join(map(str, types)) if isinstance(types, tuple) else str(types)
    return text[:200]


def _verify_edges(graph: Graph) -> None:
    """Where the edges were made already: they are made from the operands."""
    if "graph" not in vars(graph):
        return
    edges = graph.graph.edges(keys=True)
    expected = {
        (graph.maker(operand), node.name, slot)
        for node in graph
        for slot, operand in enumerate(node.operands)
    }
    if set(edges) != expected or len(edges) != len(expected):
        raise VerifyError(f"graph {graph.name}: edges and operands disagree")


def _verify_law(graph: Graph, number: int) -> None:
    """Each value with k >= 2 contributing reads has one sum node with k operands."""
    claim = graph.sections[number - 1]
    for name in (*claim.of, *claim.wrt):
        if name not in graph or graph[name].section >= number:
            raise VerifyError(f"%{name} is not a forward value of section {number}")
    sums = {node.name: node for node in graph if node.section == number and node.reads}
    for value, reads in contributing_reads(graph, number).items():
        if len(reads) < 2:
            continue
        found = sums.pop(claim.cotangent(value), None)
        if found is None:
            raise VerifyError(f"%{value} has {len(reads)} reads and no sum node")
        if len(found.operands) != len(reads) or found.reads != reads:
            labels = tuple((read.consumer, read.slot) for read in reads)
            raise VerifyError(
                f"the sum node of %{value} should add the reads {labels}",
                node=format_node(found),
            )
        terms = tuple([claim.contribution(value, k) for k in range(len(reads))])
        if found.operands != terms:
            raise VerifyError(
                f"the sum node of %{value} should add {terms} in this order",
                node=format_node(found),
            )
    if sums:
        raise VerifyError(f"%{next(iter(sums))} sums for a value read less than twice")
