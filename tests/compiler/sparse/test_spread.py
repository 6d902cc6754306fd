"""Loops from which is taken what their turns do not need each other for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch import parse
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.sparse import spread as module
from anabranch.compiler.sparse.spread import spread
from tests.laws.test_sparsity import assert_covers
from tests.looping import looping
from tests.storing import storing

SHORT = """
graph f(%x: f64[8]) {
  %z = const() {value=0.0} : f64[]
  %s = loop(%z, %x) {trips=8, carried=1, stacked=1} : f64[]:
    body(%t: i64[], %c: f64[], %row: f64[]) {
      %v = sin(%row)   : f64[]
      %r = add(%c, %v) : f64[]
      return %r
    }
  return %s
}
"""


@pytest.mark.skipif(sys.flags.optimize > 1, reason="Python has dropped docstrings")
def test_the_docstring_is_what_it_does():
    doc = inspect.cleandoc(spread.__doc__ or "")
    before, rest = doc.split("before:\n")[1].split("after:\n")
    after = rest.split("A loop of few")[0]
    made = spread(parse(before)).verify()
    assert made.same_structure(parse(after))


def test_few_turns_stay_as_they_are(monkeypatch: pytest.MonkeyPatch):
    graph = parse(SHORT)
    assert spread(graph).same_structure(graph)
    monkeypatch.setattr(module, "FEW", 8)
    assert not spread(graph).same_structure(graph)
    monkeypatch.setattr(module, "MOST", 7)
    assert spread(graph).same_structure(graph)


@pytest.mark.parametrize("grow", [looping, storing])
@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(6), id="default"),
        pytest.param(range(6, 200), id="fuzz", marks=pytest.mark.fuzz),
    ],
)
def test_random_loops_compute_the_same(
    grow: Callable[[int], Any], seeds: range, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "FEW", 1)
    changed = 0
    for seed in seeds:
        sample = grow(seed)
        made = spread(sample.graph).verify()
        changed += not made.same_structure(sample.graph)
        wanted = interpret(sample.graph, sample.point)
        for one, other in zip(interpret(made, sample.point), wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
        assert_covers(made, sample.point)
    assert changed > len(seeds) // 4
