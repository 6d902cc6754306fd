"""Graphs as values: immutable, comparable, and open to networkx."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Graph, Output, Read, TensorType, parse
from anabranch.ir.errors import SourceLine
from anabranch.ir.graph import rename

VECTOR = TensorType("f64", (3,))


def square(name: str = "f", prefix: str = "") -> Graph:
    b = Builder(name)
    x = b.input(f"{prefix}x", VECTOR)
    y = b.mul(x, x)
    return b.build([Output(b.reduce_sum(y, axes=(0,)).name)])


def test_a_repeated_operand_has_two_edges() -> None:
    graph = square().graph
    assert isinstance(graph, nx.MultiDiGraph)
    assert sorted(graph.edges(keys=True)) == [
        ("mul.0", "reduce_sum.0", 0),
        ("x", "mul.0", 0),
        ("x", "mul.0", 1),
    ]
    assert graph.nodes["mul.0"]["node"].op == "mul"


def test_the_networkx_graph_is_frozen() -> None:
    with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
        square().graph.add_node("z")


def test_algorithms_of_networkx_apply() -> None:
    made = adjoint(square(), wrt=("x",))
    assert nx.is_directed_acyclic_graph(made.graph)
    assert nx.has_path(made.graph, "x", "x.bar")


def test_nodes_are_immutable() -> None:
    node: Any = square()["x"]
    with pytest.raises(AttributeError):
        node.op = "exp"


def test_the_mapping_of_attributes_is_read_only() -> None:
    attrs: Any = square()["reduce_sum.0"].attrs
    with pytest.raises(TypeError):
        attrs["axes"] = ()


def test_reads_are_in_program_order() -> None:
    assert square().reads == {
        "x": (Read("mul.0", 0), Read("mul.0", 1)),
        "mul.0": (Read("reduce_sum.0", 0),),
        "reduce_sum.0": (),
    }


def test_equality_is_that_of_the_text() -> None:
    graph = square()
    assert graph == square() == parse(graph.as_text())
    assert hash(graph) == hash(square())
    assert graph != square("g")
    assert graph != square(prefix="p.")
    assert graph != "a graph"


def test_the_source_line_is_not_compared() -> None:
    node = square()["x"]
    assert node._replace(source=SourceLine("file.py", 3)) == node


def test_structure_does_not_depend_on_names() -> None:
    one, other = square(), square("g", prefix="p.")
    assert one.same_structure(other)
    assert one.structural_hash() == other.structural_hash()


def test_structure_depends_on_everything_else() -> None:
    texts = [
        "%y = exp(%x) : f64[]\nreturn %y",
        "%y = sin(%x) : f64[]\nreturn %y",
        "%y = exp(%x) : f64[]\nreturn %x",
        "%y = exp(%x) : f64[]\nreturn %y, %y",
        "%y = exp(%x) : f64[] @k0\nreturn %y",
        "%y = exp(%x) : f64[]\n%z = const() {value=0.0} : f64[]\nreturn %y",
        "%y = exp(%x) : f64[]\n%z = const() {value=-0.0} : f64[]\nreturn %y",
        "%y = exp(%x) : f64[]\n%z = const() {value=0} : i64[]\nreturn %y",
    ]
    graphs = [parse(f"graph f(%x: f64[]) {{\n{text}\n}}") for text in texts]
    assert len({graph.structural_hash() for graph in graphs}) == len(graphs)
    for index, graph in enumerate(graphs):
        matches = [graph.same_structure(other) for other in graphs]
        assert matches == [index == k for k in range(len(graphs))]


def test_labels_of_sum_nodes_are_not_structure() -> None:
    b = Builder("f")
    x = b.input("long_name", VECTOR)
    y = b.reduce_sum(b.mul(x, x), axes=(0,))
    one = adjoint(b.build([Output(y.name)]), wrt=("long_name",))
    other = adjoint(square(), wrt=("x",))
    assert one.as_text() != other.as_text()
    assert one.structural_hash() == other.structural_hash()


def test_renaming_reaches_labels_and_sections() -> None:
    made = adjoint(square(), wrt=("x",))
    new = rename(made, {"x": "w", "mul.0": "q", "x.bar": "w.bar"})
    new = rename(new, {"x.bar.0": "w.bar.0", "x.bar.1": "w.bar.1"}).verify()
    assert new["w.bar"].reads == (("q", 0), ("q", 1))
    assert new.sections[0].wrt == ("w",)
    assert new.same_structure(made)


def test_a_graph_prints_itself() -> None:
    graph = square()
    assert str(graph) == graph.as_text()
    assert repr(graph) == "<Graph f: 3 nodes>"
    assert "x" in graph
    assert "y" not in graph
    assert len(graph) == 3


def test_an_annotated_text_tells_reads_and_sum_nodes() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    y = b.exp(x)
    total = b.reduce_sum(b.mul(y, y), axes=(0,))
    made = adjoint(b.build([Output(total.name)]), wrt=("x",))
    lines = {
        line.split()[0]: line for line in made.as_text(annotate=True).split("\n")[1:-2]
    }
    assert (
        "reads=5" in lines["%exp.0"]
    )  # two by mul, two by its rule, one by that of exp
    assert "sum node of 2 contributions" in lines["%exp.0.bar"]


def test_sixty_doublings_are_sixty_nodes() -> None:
    """A shared value is never expanded: each step would double the work."""
    b = Builder("f")
    node = b.input("x", TensorType("f64", ()))
    for _ in range(60):
        node = b.add(node, node)
    graph = b.build([Output(node.name)])
    made = adjoint(graph, wrt=("x",)).verify()
    assert len(made) < 400
    assert parse(made.as_text()) == made
    assert made.structural_hash()
    assert len(made.to_dot()) < 100_000


def test_operands_are_nodes() -> None:
    graph = square()
    assert graph.operands(graph["mul.0"]) == (graph["x"], graph["x"])
    assert [node.name for node in graph.inputs] == ["x"]
    assert next(iter(graph)).name == "x"
