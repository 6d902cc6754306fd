"""Whole powers as products: as near as a power is, at special values as well."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.powers import powers
from anabranch.ir import Graph, parse

VALUES = [0.0, -0.0, 1.0, -1.5, 1e-160, -1e160, 1e-200, np.inf, -np.inf, np.nan, 0.7]


def power(exponent: float, dtype: str = "f64") -> Graph:
    return parse(f"""
        graph f(%x: {dtype}[11]) {{
          %k = const() {{value={exponent!r}, dtype="{dtype}"}} : {dtype}[]
          %y = broadcast_to(%k) {{shape=(11,)}}               : {dtype}[11]
          %p = power(%x, %y)                                  : {dtype}[11]
          return %p
        }}""")


@pytest.mark.parametrize("exponent", [3.0, 4.0])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_a_product_has_the_value_of_the_power(exponent: float, dtype: str) -> None:
    graph = power(exponent, dtype)
    made = powers(graph)
    assert all(
        node.op != "power" for node in made.nodes.values() if node.name in made.results
    )
    with np.errstate(all="ignore"):
        x = np.array(VALUES).astype(graph.inputs[0].type.numpy)
        (found,), (expected,) = interpret(made, [x]), interpret(graph, [x])
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(found.dtype).eps)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("exponent", [2.0, 2.5, 5.0, -2.0, 0.0, 0.5])
def test_other_powers_stay(exponent: float) -> None:
    graph = power(exponent)
    assert powers(graph) is graph
