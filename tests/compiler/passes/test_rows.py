"""Loops over arrays that were made before are those of scans over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.compiler.passes.rows import rows
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse

T, N = 40, 3


def filled(x: Any, w: Any, u: Any) -> Any:
    """A recurrent network that stores its states into an array."""

    def step(t: Any, carry: Any) -> Any:
        h, hs = carry
        h = np.tanh(x[t] @ w + h @ u)
        made = np.copy(hs)
        made[t] = h
        return h, made

    start = np.zeros_like(x[0]), np.zeros_like(x)
    return np.sum(ab.fori_loop(0, T, step, start)[1] ** 2)


def scanned(x: Any, w: Any, u: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        h = np.tanh(row @ w + h @ u)
        return h, h

    return np.sum(ab.scan(step, np.zeros_like(x[0]), x)[1] ** 2)


def ops(graph: Graph) -> list[str]:
    """The ops of the bodies of loops."""
    bodies = [region for node in graph for region in node.regions]
    return sorted(
        node.op for body in bodies for node in body if "reshape" not in node.op
    )


def test_a_filled_array_is_a_stacked_result() -> None:
    x, w = np.ones((T, 2, N)), np.eye(N)
    one, other = (
        optimise(ab.make_ir(ab.grad(f, argnums=(1, 2)))(x, w, w))
        for f in (filled, scanned)
    )
    assert ops(one) == ops(other)
    assert not {"slice_at", "update_at", "add_at"} & set(ops(one))
    assert ops(one).count("matmul") == 2  # one a step in each direction


def test_gradients(backend: str) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in ((T, 2, N), (N, N), (N, N))]
    found, expected = (
        ab.grad(f, argnums=(0, 1, 2), backend=backend)(*arrays)
        for f in (filled, scanned)
    )
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)


BODY = """
graph f(%x: f64[4,2], %v: f64[1,2], %k: i64[]) {{
  %y = loop(%v, %k, %x) {{trips=4, carried=1}} : f64[4,2]:
    body(%t: i64[], %v: f64[1,2], %k: i64[], %x: f64[4,2]) {{
      {lines}
    }}
  return %y
}}"""
READ = (
    "%r = slice_at(%x, {at}) {{axes=(0,), start=({s}, 0), shape=(1, 2), "
    "step=(1, 1)}} : f64[1,2]"
)
STORE = (
    "%z = update_at(%x, %w, {at}) {{axes=(0,), start=({s}, 0), step=(1, 1)}} : f64[4,2]"
)


@pytest.mark.parametrize(
    ("read", "store", "stacked"),
    [
        (("%t", 0), ("%t", 0), True),
        (("%t", -1), ("%t", 0), False),
        (("%k", 0), ("%t", 0), False),
        (("%t", 0), ("%k", 0), False),
    ],
)
def test_other_rows_stay(read: Any, store: Any, stacked: bool) -> None:
    lines = [
        READ.format(at=read[0], s=read[1]),
        "%w = add(%r, %v) : f64[1,2]",
        STORE.format(at=store[0], s=store[1]),
        "return %z",
    ]
    graph = parse(BODY.format(lines="\n      ".join(lines)))
    made = rows(graph).verify()
    assert (made is not graph) == stacked
