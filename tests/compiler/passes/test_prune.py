"""Dead code goes; inputs, and what is alive, stay."""

from __future__ import annotations

import numpy as np

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.pipeline import optimise
from anabranch.ir import parse


def test_chains_of_dead_nodes_go_at_once() -> None:
    graph = parse("""
        graph f(%x: f64[4]) {
          %a = exp(%x)  : f64[4]
          %b = sin(%a)  : f64[4]
          %c = cos(%b)  : f64[4]
          return %x
        }""")
    assert [node.name for node in prune(graph)] == ["x"]


def test_what_had_nothing_to_drop_has_something_with_fewer_outputs() -> None:
    graph = parse("""
        graph f(%x: f64[4]) {
          %a = exp(%x)  : f64[4]
          %b = sin(%x)  : f64[4]
          return %a, %b
        }""")
    assert prune(prune(graph)) is graph
    less = graph.returning(graph.outputs[:1])
    assert [node.name for node in prune(less)] == ["x", "a"]


def test_unused_inputs_stay() -> None:
    graph = parse("graph f(%x: f64[], %unused: i64[3]) {\n  return %x\n}")
    assert prune(graph) is graph


def test_a_graph_without_results_keeps_its_inputs() -> None:
    graph = parse("graph f(%x: f64[]) {\n  %y = exp(%x) : f64[]\n  return\n}")
    assert [node.name for node in prune(graph)] == ["x"]


def test_a_check_of_a_value_that_is_not_used_goes() -> None:
    graph = parse("""
        graph f(%x: f64[], %i: i64[1]) {
          %c = check(%i) {low=0, high=2, error="index", message="out"} : i64[1]
          return %x
        }""")
    out_of_bounds = np.array([9])
    assert interpret(optimise(graph), [np.array(1.5), out_of_bounds]) == [1.5]
