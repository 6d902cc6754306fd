"""The adjoint pass on the smallest graphs that can go wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.fuse import fuse
from anabranch.compiler.pipeline import PASSES, optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Graph, Node, Output, TensorType, parse
from anabranch.ir.errors import GradientError
from tests.laws.test_passes import check_kernels

SCALAR = TensorType("f64", ())
VECTOR = TensorType("f64", (3,))


def sums(graph: Graph, section: int = 1) -> list[Node]:
    return [n for n in graph if n.reads and n.section == section]


def gradients(graph: Graph, wrt: tuple[str, ...], *point: Any) -> list[Any]:
    """The cotangents of ``wrt`` from a scalar result."""
    made = adjoint(graph, wrt=wrt).verify()
    results = interpret(made, [np.asarray(value) for value in point])
    return [value.tolist() for value in results[len(graph.outputs) :]]


@pytest.mark.parametrize("reads", [1, 2, 3, 7, 50])
def test_a_weight_with_many_reads(reads: int) -> None:
    """d/dw Σ_k x_k w = Σ_k x_k: one sum node with an operand for each read."""
    b = Builder("f")
    w = b.input("w", SCALAR)
    xs = [b.input(f"x{k}", SCALAR) for k in range(reads)]
    terms = [b.mul(x, w) for x in xs]
    total = terms[0] if reads == 1 else b.add_n(*terms)
    graph = b.build([Output(total.name)])
    values = [float(k + 1) for k in range(reads)]
    assert gradients(graph, ("w",), 2.0, *values) == [sum(values)]
    found = sums(adjoint(graph, wrt=("w",)))
    assert len(found) == (reads > 1)
    if found:
        assert found[0].name == "w.bar"
        assert found[0].operands == tuple(f"w.bar.{k}" for k in range(reads))
        expected = tuple((term.name, 1) for term in terms)
        assert found[0].reads == expected


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("mul", 6.0),
        ("add", 2.0),
        ("sub", 0.0),
        ("div", 0.0),
        ("power", 27 * (1 + np.log(3))),
    ],
)
def test_a_value_read_twice_by_one_node(op: str, expected: float) -> None:
    """f(x, x) at 3: the total derivative is the sum over both slots."""
    b = Builder("f")
    x = b.input("x", SCALAR)
    graph = b.build([Output(b.add_node(op, x, x).name)])
    (made,) = gradients(graph, ("x",), 3.0)
    assert made == pytest.approx(expected, rel=1e-14)
    (found,) = sums(adjoint(graph, wrt=("x",)))
    assert found.reads == ((f"{op}.0", 0), (f"{op}.0", 1))


def test_two_equal_inputs_keep_their_own_gradients() -> None:
    b = Builder("f")
    x, y = b.input("x", SCALAR), b.input("y", SCALAR)
    graph = b.build([Output(b.mul(x, y).name)])
    assert gradients(graph, ("x", "y"), 3.0, 3.0) == [3.0, 3.0]
    assert not sums(adjoint(graph, wrt=("x", "y")))
    made = optimise(adjoint(graph, wrt=("x", "y")))
    assert [node.name for node in made.inputs] == ["x", "y"]


def test_a_diamond() -> None:
    """y = sin(x²) x²: x has two reads by one node, x² has two by two."""
    b = Builder("f")
    x = b.input("x", SCALAR)
    square = b.mul(x, x)
    graph = b.build([Output(b.mul(b.sin(square), square).name)])
    (made,) = gradients(graph, ("x",), 0.7)
    q = 0.49
    assert made == pytest.approx(2 * 0.7 * (np.cos(q) * q + np.sin(q)), rel=1e-14)
    assert {node.name for node in sums(adjoint(graph, wrt=("x",)))} == {
        "x.bar",
        "mul.0.bar",
    }


def test_a_value_that_is_also_a_result() -> None:
    """Its cotangent is the seed of the result and what its reader sends."""
    b = Builder("f")
    x = b.input("x", VECTOR)
    y = b.exp(x)
    z = b.mul(y, y)
    graph = b.build([Output(y.name), Output(z.name)])
    made = adjoint(graph, wrt=("x",), seeded=True).verify()
    found = {node.name: node for node in sums(made)}
    expected = (("mul.0", 0), ("mul.0", 1), ("return", 0))
    assert found["exp.0.bar"].reads == expected
    point, u, v = np.array([[0.1, -0.4, 2.0], [1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
    bar = interpret(made, [point, u, v])[-1]
    y_ = np.exp(point)
    np.testing.assert_allclose(bar, (u + 2 * v * y_) * y_, rtol=1e-14)


def test_a_result_that_is_returned_twice() -> None:
    b = Builder("f")
    y = b.sin(b.input("x", SCALAR))
    graph = b.build([Output(y.name), Output(y.name)])
    made = adjoint(graph, wrt=("x",), seeded=True).verify()
    (found,) = sums(made)
    assert found.reads == (("return", 0), ("return", 1))
    results = interpret(made, [np.array(0.3), np.array(2.0), np.array(5.0)])
    assert results[-1] == pytest.approx(7 * np.cos(0.3))


def test_a_result_that_is_an_input() -> None:
    graph = parse("graph f(%x: f64[]) {\nreturn %x\n}")
    assert gradients(graph, ("x",), 4.0) == [1.0]


def test_a_result_that_is_a_constant() -> None:
    graph = parse("""
        graph f(%x: f64[3]) {
          %c = const() {value=2.0} : f64[]
          return %c
        }""")
    assert gradients(graph, ("x",), np.ones(3)) == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_an_unused_input_has_an_explicit_zero(dtype: str) -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    b.input("unused", TensorType(dtype, (2, 0, 3)))
    graph = b.build([Output(b.exp(x).name)])
    made = adjoint(graph, wrt=("x", "unused")).verify()
    zero = made["unused.bar"]
    assert zero.type == TensorType(dtype, (2, 0, 3))
    assert zero.op == "broadcast_to"


@pytest.mark.parametrize("op", ["floor", "sign", "rint", "stop_gradient"])
def test_an_op_without_derivative_sends_nothing(op: str) -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    graph = b.build([Output(b.mul(x, b.add_node(op, x)).name)])
    value = {"floor": 2.0, "sign": 1.0, "rint": 3.0, "stop_gradient": 2.6}[op]
    assert gradients(graph, ("x",), 2.6) == [value]


def test_integers_and_masks_carry_nothing() -> None:
    graph = parse("""
        graph f(%x: f64[3]) {
          %z = const() {value=0.0}                : f64[]
          %o = broadcast_to(%z) {shape=(3,)}      : f64[3]
          %m = gt(%x, %o)                         : bool[3]
          %c = cast(%m) {dtype="f64"}             : f64[3]
          %p = mul(%x, %c)                        : f64[3]
          %s = reduce_sum(%p) {axes=(0,)}         : f64[]
          return %s
        }""")
    assert gradients(graph, ("x",), [1.0, -2.0, 3.0]) == [[1.0, 0.0, 1.0]]
    assert not sums(adjoint(graph, wrt=("x",)))


@pytest.mark.parametrize("empty", [True, False])
def test_slices_of_nothing_are_read_as_any_others(empty: bool) -> None:
    """x[0:0] read twice has a sum node, and its cotangent reaches x."""
    count = 0 if empty else 2
    graph = parse(f"""
        graph f(%x: f64[3]) {{
          %s = slice(%x) {{start=(0,), shape=({count},), step=(1,)}} : f64[{count}]
          %q = mul(%s, %s)                                           : f64[{count}]
          %y = reduce_sum(%q) {{axes=(0,)}}                          : f64[]
          return %y
        }}""")
    expected = [0.0, 0.0, 0.0] if empty else [2.0, 4.0, 0.0]
    assert gradients(graph, ("x",), [1.0, 2.0, 3.0]) == [expected]
    second = adjoint(adjoint(graph, wrt=("x",)), wrt=("x",), of=("x.bar",), seeded=True)
    assert len(sums(second.verify(), 2)) > 0


def test_the_pad_of_nothing_sends_its_cotangent_back() -> None:
    graph = parse("""
        graph f(%x: f64[0]) {
          %p = pad(%x) {low=(2,), high=(1,), interior=(0,), value=1.5} : f64[3]
          %q = mul(%p, %p)                                             : f64[3]
          %y = reduce_sum(%q) {axes=(0,)}                              : f64[]
          return %y
        }""")
    assert gradients(graph, ("x",), np.zeros(0)) == [[]]


def test_names_follow_reads_and_sections() -> None:
    b = Builder("f")
    x = b.input("x", SCALAR)
    graph = b.build([Output(b.mul(b.mul(x, x), x).name)])
    first = adjoint(graph, wrt=("x",))
    assert first.name == "f.grad"
    assert {"x.bar", "x.bar.0", "x.bar.1", "x.bar.2"} <= set(first.nodes)
    second = adjoint(first, wrt=("x",), of=("x.bar",)).verify()
    assert {"x.bar2", "x.bar2.0"} <= set(second.nodes)
    third = adjoint(second, wrt=("x",), of=("x.bar2",)).verify()
    bars = interpret(third, [np.array(2.0)])
    assert [bar.item() for bar in bars] == [8.0, 12.0, 12.0, 6.0]


def test_a_user_value_called_like_a_cotangent() -> None:
    b = Builder("f")
    w, bar = b.input("w", SCALAR), b.input("w.bar", SCALAR)
    graph = b.build([Output(b.mul(b.mul(w, w), bar).name)])
    made = adjoint(graph, wrt=("w", "w.bar")).verify()
    assert made.sections[0].suffix == "bar2"
    assert gradients(graph, ("w", "w.bar"), 3.0, 5.0) == [30.0, 9.0]


def test_a_value_called_like_a_seed() -> None:
    graph = parse("""
        graph f(%x: f64[]) {
          %seed.0 = exp(%x)    : f64[]
          %y = sin(%seed.0)    : f64[]
          return %y
        }""")
    made = adjoint(graph, wrt=("x",), seeded=True).verify()
    results = interpret(made, [np.array(0.5), np.array(2.0)])
    assert results[1] == pytest.approx(2 * np.cos(np.exp(0.5)) * np.exp(0.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wrt": ("nope",)}, "graph f has no input %nope"),
        ({"wrt": ("y",)}, "graph f has no input %y"),
        ({"wrt": ("i",)}, "it is i64"),
        ({"wrt": ("x",), "of": ("nope",)}, "graph f has no value %nope"),
        ({"wrt": ("x",), "of": ("i",)}, "no gradient of %i: it is i64"),
        ({"wrt": ("x",)}, "starts from a scalar"),
    ],
)
def test_gradients_that_do_not_exist(arguments: dict[str, Any], message: str) -> None:
    graph = parse("""
        graph f(%x: f64[3], %i: i64[3]) {
          %y = exp(%x) : f64[3]
          return %y
        }""")
    with pytest.raises(GradientError, match=message):
        adjoint(graph, **arguments)


def test_the_forward_part_is_unchanged() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    graph = b.build([Output(b.reduce_sum(b.mul(x, x), axes=(0,)).name)])
    before = graph.as_text()
    made = adjoint(graph, wrt=("x",))
    assert [node for node in made if node.section == 0] == list(graph)
    assert made.outputs[:1] == graph.outputs
    assert graph.as_text() == before


def test_the_labels_of_an_inlined_gradient_name_its_own_consumers() -> None:
    """A gradient that is used twice is copied twice, each copy with its labels."""
    slope = anabranch.grad(lambda w: np.sin(w) * w * w)
    graph = anabranch.make_ir(lambda w: slope(w) + slope(w * 2.0))(1.0)
    found = [node for node in graph if node.reads]
    shared: list[set[str]] = []
    for node in found:
        labels: Any = node.reads
        shared.append({graph[consumer].operands[slot] for consumer, slot in labels})
    assert shared == [{"w"}, {"mul.2"}]


def deep(count: int) -> Graph:
    """A chain that reads its input in every step."""
    b = Builder("deep")
    x = b.input("x", SCALAR)
    node = x
    for _ in range(count // 2):
        node = b.sin(b.add(node, x))
    return b.build([Output(node.name)])


STAGES: dict[str, Callable[[Graph], object]] = {
    "print": Graph.as_text,
    "parse": lambda graph: parse(graph.as_text()),
    "verify": Graph.verify,
    "adjoint": lambda graph: adjoint(graph, wrt=("x",)).verify(),
    "second order": lambda graph: adjoint(
        adjoint(graph, wrt=("x",)), wrt=("x",), of=("x.bar",)
    ),
    "dot": Graph.to_dot,
    "hash": Graph.structural_hash,
    **PASSES,
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_linear_in_the_depth(stage: str) -> None:
    """Ten times the nodes make ten times the work; and no recursion."""
    small, large = (steps(STAGES[stage], deep(count)) for count in (200, 2_000))
    assert large <= 12 * small


def steps(run: Callable[[Graph], object], graph: Graph) -> int:
    """How many lines of Python a run executes."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        run(graph)
    finally:
        sys.settrace(None)
    return count


def test_the_gradient_of_a_deep_graph() -> None:
    """10,000 nodes, and a sum node with 5,000 operands."""
    graph = adjoint(deep(10_000), wrt=("x",))
    assert max(len(node.operands) for node in graph) > 4_000
    made = optimise(graph).verify()
    point = [np.array(0.25)]
    value, slope = 0.25, 1.0
    for _ in range(5_000):
        inner = value + 0.25
        value, slope = np.sin(inner), np.cos(inner) * (slope + 1.0)
    for found in (graph, made):
        results = interpret(found, point)
        assert results[0] == pytest.approx(value, rel=1e-12)
        assert results[1] == pytest.approx(slope, rel=1e-12)
    check_kernels(fuse(graph))


def test_a_chain_of_views_is_optimised_in_linear_time() -> None:
    """Each reader of a reshaped constant looks for the number behind it."""

    def views(count: int) -> Graph:
        b = Builder("views")
        x = b.input("x", TensorType("f64", (1,)))
        node = b.like(x, 1.0)
        for k in range(count):
            node = b.add_node("reshape", node, shape=(1,) * (1 + k % 2))
            if k % 2:
                x = b.mul(x, b.reshape(node, (1,)))
        return b.build([Output(x.name)])

    small, large = (steps(optimise, views(count)) for count in (200, 2_000))
    assert large <= 12 * small


def test_derivatives_of_a_pullback_keep_what_is_constant(backend: str) -> None:
    """A backward pass inside of a function has lost no rule for its own derivative."""

    def held(x: Any) -> Any:
        return anabranch.stop_gradient(x) * np.sin(x)

    @anabranch.custom_vjp
    def ruled(x: Any) -> Any:
        return np.floor(x)

    ruled.defvjp(lambda x: (np.floor(x), x), lambda x, g: (g * x**2,))
    cases: list[Any] = [
        (held, -3 * np.sin(3.0)),
        (lambda x: ruled(x) ** 2, 81 * 2 + 36),
    ]
    for function, expected in cases:
        assert np.isclose(
            anabranch.grad(anabranch.grad(function), backend=backend)(3.0), expected
        )

        def slope(x: Any, function: Any = function) -> Any:
            return anabranch.vjp(function, x, backend=backend)[1](1.0)[0]

        made = anabranch.grad(slope, backend=backend)(3.0)
        assert np.isclose(made, expected)
