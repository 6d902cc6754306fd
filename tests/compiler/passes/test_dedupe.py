"""Which nodes are one value, and which only look like it."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.dedupe import dedupe
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Output, TensorType, parse

SCALAR = TensorType("f64", ())


def test_zero_and_negative_zero_stay_apart() -> None:
    graph = parse("""
        graph f(%x: f64[]) {
          %p = const() {value=0.0}   : f64[]
          %n = const() {value=-0.0}  : f64[]
          %a = add(%x, %p)           : f64[]
          %b = add(%x, %n)           : f64[]
          return %a, %b
        }""")
    first, second = interpret(optimise(graph), [np.array(-0.0)])
    assert not np.signbit(first)
    assert np.signbit(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("value=1", 'value=1, dtype="i32"'),
        ("value=1", "value=1.0"),
        ("value=1", "value=True"),
        ("value=0.0", "value=False"),
        ("value=inf", "value=-inf"),
    ],
)
def test_constants_of_different_types_or_bits_stay_apart(one: str, other: str) -> None:
    types = [
        "i32" if "i32" in text else "bool" if "True" in text or "False" in text else
        "f64" if "." in text or "inf" in text else "i64"
        for text in (one, other)
    ]  # fmt: skip
    graph = parse(f"""
        graph f() {{
          %a = const() {{{one}}} : {types[0]}[]
          %b = const() {{{other}}} : {types[1]}[]
          return %a, %b
        }}""")
    assert dedupe(graph) is graph


def test_nan_is_one_constant() -> None:
    graph = parse("""
        graph f() {
          %a = const() {value=nan} : f64[]
          %b = const() {value=nan} : f64[]
          return %a, %b
        }""")
    assert dedupe(graph).results == ("a", "a")


def test_inputs_are_never_merged() -> None:
    graph = parse("graph f(%x: f64[], %y: f64[]) {\n  return %x, %y\n}")
    assert dedupe(graph) is graph


def test_the_operands_of_a_commutative_op_keep_their_order() -> None:
    """x + y and y + x differ in the payload of a NaN, so both stay."""
    b = Builder("f")
    x, y = b.input("x", SCALAR), b.input("y", SCALAR)
    graph = b.build([Output(b.add(x, y).name), Output(b.add(y, x).name)])
    assert dedupe(graph) is graph


def test_equal_trees_merge_from_the_leaves_up() -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    tops = [b.sin(b.exp(b.mul(x, x))) for _ in range(3)]
    made = dedupe(b.build([Output(node.name) for node in tops]))
    assert [node.op for node in made] == ["input", "mul", "exp", "sin"]
    assert len(set(made.results)) == 1


def test_attributes_are_part_of_a_value() -> None:
    b = Builder("f")
    x = b.input("x", TensorType("f64", (2, 2)))
    sums = [b.reduce_sum(x, axes=(axis,)) for axis in (0, 1)]
    graph = b.build([Output(node.name) for node in sums])
    assert dedupe(graph) is graph


def test_sum_nodes_with_equal_operands_merge() -> None:
    """Their labels say where the contributions came from, not what they are."""
    b = Builder("f")
    x, w = b.input("x", SCALAR), b.input("w", SCALAR)
    y = b.add(b.add(x, w), b.add(x, w))
    made = adjoint(b.build([Output(y.name)]), wrt=("x", "w"), seeded=True)
    assert sum(bool(node.reads) for node in made) == 2
    assert sum(node.op == "add_n" for node in optimise(made)) == 1


def test_a_merged_graph_gives_up_the_claim_of_one_sum_node_per_value() -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    graph = adjoint(
        b.build([Output(b.mul(b.exp(x), b.exp(x)).name)]), wrt=("x",), seeded=True
    )
    assert graph.verify().sections[0].lawful
    made = dedupe(graph)
    assert len(made) < len(graph)
    assert not made.verify().sections[0].lawful
