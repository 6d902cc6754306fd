"""What passes make of loops: one way forwards, products in front and behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise, run_passes
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, Node, parse

RNG = np.random.default_rng(3)
U, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 4)) / 2, RNG.normal(size=4)
H, XS = RNG.normal(size=(2, 4)), RNG.normal(size=(7, 2, 5))


def elman(u: Any, w: Any, b: Any, h: Any, xs: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = np.tanh(x @ u + h @ w + b)
        return h, h

    _, hs = anabranch.scan(step, h, xs)
    return np.sum(hs * hs)


def backward() -> tuple[Graph, list[Any]]:
    graph = anabranch.make_ir(elman)(U, W, B, H, XS)
    return adjoint(graph, wrt=["u", "w", "b"]), [U, W, B, H, XS]


def loops_of(graph: Graph) -> list[Node]:
    return [node for node in graph if node.op == "loop"]


def ops(node: Node) -> list[str]:
    return [inner.op for inner in node.regions[0]]


@pytest.mark.parametrize("target", ["llvm", "numba"])
def test_a_recurrent_network_has_one_product_a_step_each_way(target: str) -> None:
    graph, arrays = backward()
    made = optimise(graph, target).verify()
    forward, back = loops_of(made)
    assert [ops(forward).count("matmul"), ops(back).count("matmul")] == [1, 1]
    assert "tanh" not in ops(back)
    assert [node.op for node in made].count("matmul") == 3  # x u; u.bar, w.bar
    found, expected = interpret(made, arrays), interpret(graph, arrays)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_the_two_halves_share_what_the_loop_kept() -> None:
    forward, _ = anabranch.fwd_and_bwd(elman, argnums=1)
    _, residuals = forward(U, W, B, H, XS)
    graph = residuals.backward.entry.program.graph
    (back,) = loops_of(graph)
    assert back.attrs["reverse"] is True
    assert "tanh" not in ops(back)


def test_equal_loops_of_other_invariants_stay_apart() -> None:
    text = """
        graph f(%x: f64[], %y: f64[]) {{
          %a = loop(%x, %y) {{trips=4, carried=1}} : f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {{
              %w = mul(%u, %v) : f64[]
              return %w
            }}
          %b = loop({0}) {{trips={1}, carried=1}} : f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {{
              %w = {2}(%u, %v) : f64[]
              return %w
            }}
          return %a, %b
        }}"""
    for operands, trips, op, count in (
        ("%x, %y", 4, "mul", 1),
        ("%y, %y", 4, "mul", 2),
        ("%x, %x", 4, "mul", 2),
        ("%x, %y", 3, "mul", 2),
        ("%x, %y", 4, "add", 2),
    ):
        graph = parse(text.format(operands, trips, op))
        made = run_passes(graph, ("merge",), Graph.verify)
        assert len(loops_of(made)) == count
        point = [np.asarray(0.5), np.asarray(3.0)]
        assert interpret(made, point) == interpret(graph, point)


def test_a_loop_that_the_other_depends_on_is_not_merged() -> None:
    graph = parse("""
        graph f(%x: f64[], %y: f64[]) {
          %a = loop(%x, %y) {trips=4, carried=1} : f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w
            }
          %b, %c = loop(%x, %y, %a) {trips=4, carried=2} : f64[], f64[]:
            body(%t: i64[], %u: f64[], %v: f64[], %k: f64[]) {
              %w = mul(%u, %v) : f64[]
              %l = add(%k, %v) : f64[]
              return %w, %l
            }
          return %a, %b, %c
        }""")
    assert run_passes(graph, ("merge",)) is graph


def test_what_a_merged_loop_needs_moves_in_front_of_it() -> None:
    """Also where that is the second value of a node."""
    graph = parse("""
        graph f(%x: f64[], %y: f64[]) {
          %a = loop(%x, %y) {trips=4, carried=1} : f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w
            }
          %d, %e = loop(%x, %y) {trips=3, carried=2} : f64[], f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = add(%u, %v) : f64[]
              return %v, %w
            }
          %b, %c = loop(%x, %y, %e) {trips=4, carried=2} : f64[], f64[]:
            body(%t: i64[], %u: f64[], %v: f64[], %k: f64[]) {
              %w = mul(%u, %v) : f64[]
              %l = add(%k, %v) : f64[]
              return %w, %l
            }
          return %a, %b, %c, %d
        }""")
    made = run_passes(graph, ("merge",)).verify()
    assert len(loops_of(made)) == 2
    point = [np.asarray(0.5), np.asarray(3.0)]
    assert interpret(made, point) == interpret(graph, point)


def test_a_loop_that_may_end_early_is_left_alone() -> None:
    graph = parse("""
        graph f(%n: i64[], %xs: f64[9,2,3], %w: f64[3,4], %h: f64[2,4]) {
          %y = loop(%n, %w, %h, %xs) {trips=9, carried=1, stacked=1, limit=True} \
: f64[2,4]:
            body(%t: i64[], %w: f64[3,4], %h: f64[2,4], %x: f64[2,3]) {
              %p = matmul(%x, %w) : f64[2,4]
              %q = add(%p, %h)    : f64[2,4]
              return %q
            }
          return %y
        }""")
    assert run_passes(graph, ("hoist", "total")) is graph


def test_both_sides_of_a_product_are_hoisted() -> None:
    def run(w: Any, xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            return c + np.sum(w @ x.T) + np.sum(np.exp(w) * c), None

        return anabranch.scan(step, 0.0, xs)[0]

    graph = anabranch.make_ir(run)(U.T, XS)
    made = run_passes(graph, ("hoist", "prune"), Graph.verify)
    (loop,) = loops_of(made)
    assert {"matmul", "exp"}.isdisjoint(ops(loop))
    np.testing.assert_allclose(
        interpret(made, [U.T, XS]), interpret(graph, [U.T, XS]), rtol=1e-12
    )


def test_what_is_hoisted_reads_each_of_several_values() -> None:
    def run(a: Any, xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            q, r = np.linalg.qr(a)
            return c + np.sum((r @ r) @ x), np.sum((q @ q) @ x)

        return anabranch.scan(step, 0.0, xs)

    a, xs = np.arange(9.0).reshape(3, 3) + np.eye(3), np.ones((4, 3))
    graph = anabranch.make_ir(run)(a, xs)
    made = run_passes(graph, ("hoist", "prune"), Graph.verify)
    (loop,) = loops_of(made)
    assert {"qr", "matmul"}.isdisjoint(ops(loop))
    for one, other in zip(
        interpret(made, [a, xs]), interpret(graph, [a, xs]), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


PART = """anabranch 1
graph f(%x: f64[4], %y: f64[], %xs: f64[4,1], %k: i64[]) {
  %a = loop(%k, %x, %xs) {trips=4, carried=1, stacked=1, reverse=True} : f64[4]:
    body(%t: i64[], %k: i64[], %u: f64[4], %v: f64[1]) {
      %w = update_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
      return %w
    }
  %n = neg(%y) : f64[]
  %b, %c = loop(%k, %k, %n, %x, %xs, %xs) {trips=4, carried=2, stacked=2, \
reverse=True} : f64[], f64[4]:
    body(%t: i64[], %k: i64[], %l: i64[], %s: f64[], %u: f64[4], %r: f64[1], \
%v: f64[1]) {
      %w = update_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
      %p = slice_at(%w, %t) {axes=(0,), start=(0,), step=(1,), shape=(1,)} : f64[1]
      %q = reshape(%p) {shape=()} : f64[]
      %m = mul(%s, %q) : f64[]
      return %m, %ENDS
    }
  return %a, %b, %c
}
"""


def test_a_loop_that_does_a_part_of_another_goes_wherever_its_values_stand() -> None:
    graph = parse(PART.replace("ENDS", "w"))
    made = run_passes(graph, ["merge"]).verify()
    (loop,) = loops_of(made)
    assert made.results == (loop.names[1], loop.names[0], loop.names[1])
    point = [RNG.normal(size=4), np.array(2.0), RNG.normal(size=(4, 1)), np.array(1)]
    for one, other in zip(interpret(made, point), interpret(graph, point), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loop_that_begins_alike_and_does_something_else_stays() -> None:
    graph = parse(PART.replace("ENDS", "u"))
    assert run_passes(graph, ["merge"]) is graph
