"""Rows that a loop keeps of arrays that it stores into: as they were when kept."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.llvm.run.executable import prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.ir import parse

KEPT = """
graph f(%x: f64[]) {{
  %last, %rows = loop(%x) {{trips=3, carried=1}} : f64[], f64[3,20]:
    body(%t: i64[], %now: f64[]) {{
      %two = const() {{value=2.0}}                : f64[]
      %more = mul(%now, %two)                   : f64[]
      %one = reshape(%more) {{shape=(1,)}}        : f64[1]
      %all = broadcast_to({of}) {{shape=(20,)}}   : f64[20]
      %row = update_at(%all, %one, %t) {{axes=(0,), start=(0,), step=(1,)}} : f64[20]
{behind}
      return %next, %row
    }}
  return %last, %rows
}}
"""
WRITTEN_BY_A_LOOP = """
      %made = loop(%one, %row) {trips=4, carried=1} : f64[20]:
        body(%k: i64[], %by: f64[1], %whole: f64[20]) {
          %added = add_at(%whole, %by, %k) {axes=(0,), start=(1,), step=(1,)} : f64[20]
          return %added
        }
      %part = slice(%made) {start=(2,), shape=(1,), step=(1,)} : f64[1]
      %next = reshape(%part) {shape=()} : f64[]
"""
ONLY_KEPT = """
      %next = add(%more, %more) : f64[]
"""


@pytest.mark.parametrize("behind", [WRITTEN_BY_A_LOOP, ONLY_KEPT])
@pytest.mark.parametrize("of", ["%now", "%more"])
def test_a_row_is_kept_as_it_was(of: str, behind: str) -> None:
    """Later stores do not show in it, nor one store in what repeats its element."""
    graph = optimise(parse(KEPT.format(of=of, behind=behind)))
    x = np.array(1.5)
    for found, expected in zip(prepare(graph)([x]), interpret(graph, [x]), strict=True):
        np.testing.assert_array_equal(found, expected)
