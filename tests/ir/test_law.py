"""The law of sum nodes: what it asks for, and that planted defects are caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Graph, Node, Output, Read, TensorType, parse
from anabranch.ir.errors import VerifyError
from anabranch.ir.law import contributing_reads

SCALAR = TensorType("f64", ())
Nodes: TypeAlias = dict[str, Node]


def shared() -> Graph:
    """The adjoint of w·x·w + sin(w): %w has three reads, %x one."""
    b = Builder("f")
    x, w = b.input("x", SCALAR), b.input("w", SCALAR)
    y = b.add(b.mul(b.mul(w, x), w), b.sin(w))
    return adjoint(b.build([Output(y.name)]), wrt=("x", "w"), seeded=True).verify()


def rebuilt(nodes: Nodes) -> Graph:
    graph = shared()
    return Graph(graph.name, list(nodes.values()), graph.outputs, graph.sections)


def drop(nodes: Nodes) -> None:
    found = nodes["w.bar"]
    nodes["w.bar"] = found._replace(operands=found.operands[:2])


def drop_with_its_label(nodes: Nodes) -> None:
    drop(nodes)
    relabel(nodes, lambda reads: reads[:2])


def swap(nodes: Nodes) -> None:
    found = nodes["w.bar"]
    first, second, third = found.operands
    nodes["w.bar"] = found._replace(operands=(second, first, third))


def swap_with_their_labels(nodes: Nodes) -> None:
    swap(nodes)
    relabel(nodes, lambda reads: (reads[1], reads[0], reads[2]))


def duplicate(nodes: Nodes) -> None:
    found = nodes["w.bar"]
    first, second, _ = found.operands
    nodes["w.bar"] = found._replace(operands=(first, second, second))


def count_twice(nodes: Nodes) -> None:
    found = nodes["w.bar"]
    nodes["w.bar"] = found._replace(operands=(*found.operands, found.operands[0]))


def relabel(nodes: Nodes, change: Callable[[Any], Any]) -> None:
    found = nodes["w.bar"]
    reads = change(found.reads)
    nodes["w.bar"] = found._replace(reads=tuple(Read(*read) for read in reads))


def label_another_slot(nodes: Nodes) -> None:
    relabel(nodes, lambda reads: ((reads[0][0], 1), *reads[1:]))


def label_another_consumer(nodes: Nodes) -> None:
    relabel(nodes, lambda reads: (("x", 0), *reads[1:]))


def take_the_labels_off(nodes: Nodes) -> None:
    nodes["w.bar"] = nodes["w.bar"]._replace(reads=())


def add_pairwise(nodes: Nodes) -> None:
    """The right number by two plain additions."""
    first, second, third = nodes["w.bar"].operands
    partial = Node("partial", "add", (first, second), SCALAR, section=1)
    del nodes["w.bar"]
    nodes["partial"] = partial
    nodes["w.bar"] = Node("w.bar", "add", ("partial", third), SCALAR, section=1)


def keep_the_first_contribution_only(nodes: Nodes) -> None:
    first = nodes["w.bar"].operands[0]
    nodes["w.bar"] = Node("w.bar", "identity", (first,), SCALAR, section=1)


def sum_a_single_read(nodes: Nodes) -> None:
    found = nodes.pop("x.bar")
    nodes["x.bar.0"] = found._replace(name="x.bar.0")
    made = Node("x.bar", "add_n", ("x.bar.0",), SCALAR, section=1)
    nodes["x.bar"] = made._replace(reads=(Read("mul.0", 1),))


def sum_again(nodes: Nodes) -> None:
    nodes["extra"] = nodes["w.bar"]._replace(name="extra")


DEFECTS = [
    drop,
    drop_with_its_label,
    swap,
    swap_with_their_labels,
    duplicate,
    count_twice,
    label_another_slot,
    label_another_consumer,
    take_the_labels_off,
    add_pairwise,
    keep_the_first_contribution_only,
    sum_a_single_read,
    sum_again,
]


@pytest.mark.parametrize("plant", DEFECTS)
def test_a_planted_defect_is_caught(plant: Callable[[Nodes], None]) -> None:
    nodes = dict(shared().nodes)
    assert rebuilt(dict(nodes)).verify()
    plant(nodes)
    broken = rebuilt(nodes)
    with pytest.raises(VerifyError, match=r"sum"):
        broken.verify()
    with pytest.raises(VerifyError, match=r"sum"):
        parse(broken.as_text())


def test_the_reads_of_a_shared_weight() -> None:
    reads = contributing_reads(shared(), 1)
    assert reads["w"] == (Read("mul.0", 0), Read("mul.1", 1), Read("sin.0", 0))
    assert reads["x"] == (Read("mul.0", 1),)


def test_a_result_is_a_last_read() -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    y = b.exp(x)
    graph = adjoint(
        b.build([Output(y.name), Output(b.sin(y).name), Output(y.name)]),
        wrt=("x",),
        seeded=True,
    )
    expected = (Read("sin.0", 0), Read("return", 0), Read("return", 2))
    assert contributing_reads(graph, 1)["exp.0"] == expected


def test_reads_that_do_not_contribute() -> None:
    """A mask, an index, a constant slot, a consumer without a cotangent."""
    graph = parse("""
        graph f(%x: f64[3], %i: i64[2]) {
          %m = lt(%x, %x)                                   : bool[3]
          %s = stop_gradient(%x)                            : f64[3]
          %dead = exp(%x)                                   : f64[3]
          %c = copysign(%s, %x)                             : f64[3]
          %p = select(%m, %x, %c)                           : f64[3]
          %t = take(%p, %i) {axis=0}                        : f64[2]
          %y = reduce_sum(%t) {axes=(0,)}                   : f64[]
          return %y
        }""")
    made = adjoint(graph, wrt=("x",)).verify()
    assert contributing_reads(made, 1)["x"] == (Read("p", 1),)
    assert not any(node.reads for node in made)


@pytest.mark.parametrize("claim", ["of (%y) wrt (%nope)", "of (%y.bar) wrt (%x)"])
def test_a_claim_about_other_values_is_refused(claim: str) -> None:
    with pytest.raises(VerifyError, match="is not a forward value"):
        parse(f"""
            graph f(%x: f64[]) {{
              %y = exp(%x) : f64[]
            backward bar {claim}:
              %y.bar = exp(%y) : f64[]
              return %y.bar
            }}""")


def test_contributions_name_value_consumer_and_slot() -> None:
    found = shared().contributions("w")
    assert [(c.value, c.consumer, c.slot) for c in found] == [
        ("w.bar.0", "mul.0", 0),
        ("w.bar.1", "mul.1", 1),
        ("w.bar.2", "sin.0", 0),
    ]
    assert str(found[1]) == "%w.bar.1 from %mul.1, slot 1"


def test_a_single_contribution_is_the_cotangent_itself() -> None:
    (found,) = shared().contributions("x")
    assert (found.value, found.consumer, found.slot) == ("x.bar", "mul.0", 1)


def test_a_value_without_reads_has_no_contributions() -> None:
    b = Builder("f")
    x, unused = b.input("x", SCALAR), b.input("unused", SCALAR)
    graph = adjoint(b.build([Output(b.exp(x).name)]), wrt=(x.name, unused.name))
    assert graph.contributions("unused") == ()


@pytest.mark.parametrize(("value", "section"), [("nope", 1), ("w", 0), ("w", 2)])
def test_contributions_that_do_not_exist(value: str, section: int) -> None:
    with pytest.raises(VerifyError, match="has no adjoint"):
        shared().contributions(value, section)


def test_a_rewritten_graph_has_no_contributions_to_tell() -> None:
    """Its sections gave up their claim, so nothing is known about reads."""
    graph = shared()
    weakened = graph.with_nodes(list(graph))
    with pytest.raises(VerifyError, match="has no adjoint"):
        weakened.contributions("w")
