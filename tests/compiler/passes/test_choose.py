"""Which branches are computed both, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.choose import choose
from anabranch.compiler.passes.prune import prune
from anabranch.ir import Graph, parse
from tests.oracles.bits import assert_same_bits

X = np.array([1.0, -0.0, np.inf, np.nan, 5.0, 0.0])
STORE = "{axes=(0,), start=(0,), step=(1,)}"
HEAD = """
graph f(%p: bool[], %x: f64[6], %y: f64[6], %i: i64[], %v: f64[1]) {
  %r = cond(%p, %x, %y, %i, %v) : f64[6]:
    then(%x: f64[6], %y: f64[6], %i: i64[], %v: f64[1]) {
      THEN
    }
    else(%x: f64[6], %y: f64[6], %i: i64[], %v: f64[1]) {
      ELSE
    }
  return %r
}"""
ADDED = f"%a = add_at(%x, %v, %i) {STORE} : f64[6]\n return %a"
STORED = f"%a = update_at(%x, %v, %i) {STORE} : f64[6]\n return %a"
CHANGED = f"""%w = mul(%v, %v) : f64[1]
      %a = update_at(%x, %w, %i) {STORE} : f64[6]
      return %a"""
FIRST = """%w = neg(%v) : f64[1]
      %a = update(%x, %w) {start=(0,), step=(1,)} : f64[6]
      return %a"""
TWICE = f"""%a = update_at(%x, %v, %i) {STORE} : f64[6]
      %b = add_at(%a, %v, %i) {STORE} : f64[6]
      return %b"""
SAME, OTHER = "return %x", "return %y"
CHECKED = f"""%j = check(%i) {{low=0, high=3, error="index", message="no"}} : i64[]
      %a = update_at(%x, %v, %j) {STORE} : f64[6]
      return %a"""
ALL = "%a = mul(%x, %x) : f64[6]\n return %a"


def branching(then: str, other: str) -> Graph:
    return parse(HEAD.replace("THEN", then).replace("ELSE", other))


def check(graph: Graph) -> Graph:
    """The graph after the pass, which has the bits of the one before."""
    made = prune(choose(graph)).verify()
    v: Any = np.array([-0.0])
    for p in (True, False):
        for value in (v, np.array([3.0]), np.array([np.nan])):
            for i in range(6):
                point = [np.array(p), X, X[::-1].copy(), np.array(i), value]
                found, expected = interpret(made, point), interpret(graph, point)
                assert_same_bits(found, expected)
    return made


@pytest.mark.parametrize("other", [SAME, STORED, CHANGED, ADDED, FIRST, TWICE])
@pytest.mark.parametrize("then", [SAME, STORED, CHANGED, ADDED, FIRST, TWICE])
def test_stores_into_one_array_are_chosen(then: str, other: str) -> None:
    made = check(branching(then, other))
    assert all(node.op != "cond" for node in made)


def test_two_stores_in_one_place_are_one() -> None:
    made = check(branching(STORED, CHANGED))
    assert [node.op for node in made].count("update_at") == 1
    assert [node.op for node in made].count("slice_at") == 0


@pytest.mark.parametrize(
    ("then", "other"),
    [(SAME, OTHER), (STORED, OTHER), (STORED, CHECKED)],
    ids=["two arrays", "stores into one", "a check"],
)
def test_other_branches_stay(then: str, other: str) -> None:
    text = HEAD.replace("THEN", then).replace("ELSE", other)
    made = prune(choose(parse(text.replace("f64[6]", "f64[99]"))))
    assert [node.op for node in made if node.op != "input"] == ["cond"]


def test_branches_that_cost_stay() -> None:
    costly = "".join(
        f"%a{k} = exp(%{f'a{k - 1}' if k else 'v'}) : f64[1]\n" for k in range(9)
    )
    graph = branching(
        f"{costly} %a = update_at(%x, %a8, %i) {STORE} : f64[6]\n return %a", SAME
    )
    assert [node.op for node in choose(graph) if node.op != "input"] == ["cond"]


def test_small_arrays_are_chosen_and_large_ones_not() -> None:
    assert all(node.op != "cond" for node in check(branching(ALL, SAME)))
    large = HEAD.replace("THEN", ALL).replace("ELSE", SAME).replace("f64[6]", "f64[99]")
    assert any(node.op == "cond" for node in choose(parse(large)))
