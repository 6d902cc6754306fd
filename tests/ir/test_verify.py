"""The verifier on graphs that a program put together wrongly."""

from __future__ import annotations

import networkx as nx
import pytest

from anabranch.ir import Builder, Graph, Node, Output, Section, TensorType
from anabranch.ir.errors import SourceLine, VerifyError
from anabranch.ir.literals import Attrs

SCALAR = TensorType("f64", ())
X = Node("x", "input", (), SCALAR)
Y = Node("y", "exp", ("x",), SCALAR)


def graph_of(*nodes: Node, result: str = "y") -> Graph:
    return Graph("f", nodes, [Output(result)])


def test_a_sound_graph_is_returned() -> None:
    graph = graph_of(X, Y)
    assert graph.verify() is graph


@pytest.mark.parametrize(
    "nodes",
    [
        (Y, X),
        (X, Y._replace(operands=("nope",))),
        (X, Y._replace(operands=("y",))),
        (X, Y._replace(operands=())),
        (X, Y._replace(operands=("x", "x"))),
        (X, Y._replace(op="frobnicate")),
        (X, Y._replace(type=TensorType("f32", ()))),
        (X, Y._replace(type=TensorType("f64", (1,)))),
        (X, Y._replace(attrs=Attrs({"axis": 0}))),
        (X, Y._replace(section=1)),
        (X, Y._replace(section=-1)),
        (X._replace(operands=("x",)), Y),
        (X._replace(attrs=Attrs({"a": 1})), Y),
        (X._replace(kernel=1), Y),
        (X, Y, X._replace(name="late")),
        (X, Y._replace(op="input", operands=("x",))),
    ],
)
def test_a_broken_node_is_refused(nodes: tuple[Node, ...]) -> None:
    with pytest.raises(VerifyError):
        graph_of(*nodes).verify()


def test_a_result_that_does_not_exist() -> None:
    with pytest.raises(VerifyError, match="no value %z to return"):
        graph_of(X, Y, result="z").verify()


def test_two_nodes_of_one_name() -> None:
    with pytest.raises(VerifyError, match="two values have one name"):
        graph_of(X, Y, Y)


def test_sections_stand_in_order() -> None:
    sections = [Section((), (), suffix, lawful=False) for suffix in ("bar", "bar2")]
    late, early = Y._replace(section=2), Y._replace(name="z", section=1)
    with pytest.raises(VerifyError, match="stands in the wrong section"):
        Graph("f", [X, late, early], [Output("y")], sections).verify()


def test_two_sections_of_one_suffix() -> None:
    sections = [Section((), (), "bar", lawful=False)] * 2
    with pytest.raises(VerifyError, match="one suffix"):
        Graph("f", [X, Y], [Output("y")], sections).verify()


def test_edges_that_disagree_with_the_operands() -> None:
    """``mul(%x, %x)`` with one edge only: what a ``DiGraph`` would have kept."""
    graph = graph_of(X, Node("y", "mul", ("x", "x"), SCALAR))
    thinner = nx.MultiDiGraph(graph.graph)
    thinner.remove_edge("x", "y", key=1)
    graph.__dict__["graph"] = thinner
    with pytest.raises(VerifyError, match="edges and operands disagree"):
        graph.verify()


def test_a_graph_without_edges_is_verified_without_making_them() -> None:
    """They take most of the memory of a large graph, and follow from the operands."""
    graph = graph_of(X, Y).verify()
    assert "graph" not in vars(graph)
    assert list(graph.graph.edges(keys=True)) == [("x", "y", 0)]
    assert graph.verify() is graph


def test_an_error_shows_the_line_and_the_node() -> None:
    source = SourceLine(__file__, 1)
    broken = Y._replace(type=TensorType("f32", ()), source=source)
    with pytest.raises(VerifyError) as caught:
        graph_of(X, broken).verify()
    assert caught.value.source == source
    assert caught.value.node == "%y = exp(%x) : f32[]"
    assert "the type is f64[], not f32[]" in str(caught.value)


def test_the_builder_refuses_at_once() -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    y = b.input("y", TensorType("f64", (2,)))
    with pytest.raises(ValueError, match="add") as caught:
        b.add(x, y)
    assert "%? = add(%x, %y)" in str(caught.value)
