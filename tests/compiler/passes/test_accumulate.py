"""Sums of products, each added to the one before it, and where they lie."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from anabranch import jit, value_and_grad
from anabranch.backends.llvm.kernels.products import ProductWords
from anabranch.backends.llvm.machine import current, using
from anabranch.backends.llvm.run import threads as pool
from anabranch.backends.llvm.run.executable import prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.accumulate import accumulate
from anabranch.compiler.passes.fuse import fuse
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse
from tests.machines import WIDTHS, with_vectors
from tests.oracles.bits import assert_same_bits

RNG = np.random.default_rng(5)
PRODUCTS = """
  %p = matmul(%a, %b) : f64[2,4]
  %q = matmul(%c, %d) : f64[2,4]
"""
TURNED = """
  %p = matmul(%a, %b) : f64[2,4]
  %r = matmul(%d, %c) : f64[4,2]
"""


def graph(*body: str) -> Graph:
    """A graph of four matrices and one of the shape of their products."""
    inputs = "%a: f64[2,3], %b: f64[3,4], %c: f64[2,2], %d: f64[2,4], %e: f64[2,4]"
    if TURNED in body:
        inputs = "%a: f64[2,3], %b: f64[3,4], %c: f64[5,2], %d: f64[4,5]"
    lines = "\n".join(body)
    return parse(f"graph f({inputs}) {{\n{lines}\n}}")


def made(before: Graph) -> list[str]:
    """The ops of the products and sums after the pass; the results are right."""
    after = prune(accumulate(before).verify())
    point = [RNG.normal(size=node.type.shape) for node in before.inputs]
    expected = interpret(before, point)
    for results in interpret(after, point), prepare(fuse(after))(point):
        for one, other in zip(results, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    counted = ("matmul", "matmul_add", "add", "add_n")
    return sorted(node.op for node in after if node.op in counted)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("%s = add(%p, %q) : f64[2,4]\n return %s", ["matmul", "matmul_add"]),
        (
            "%s = add_n(%q, %e, %p) : f64[2,4]\n return %s",
            ["add_n", "matmul", "matmul_add"],
        ),
        (
            "%r = matmul(%a, %b) : f64[2,4]\n %s = add(%p, %q) : f64[2,4]\n"
            "%t = add(%r, %s) : f64[2,4]\n return %t",
            ["matmul", "matmul_add", "matmul_add"],
        ),
        (
            "%s = add(%e, %p) : f64[2,4]\n %t = add(%s, %q) : f64[2,4]\n return %t",
            ["add", "matmul", "matmul_add"],
        ),
    ],
)
def test_what_a_sum_becomes(body: str, expected: list[str]) -> None:
    assert made(graph(PRODUCTS, body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        "%s = add(%p, %q) : f64[2,4]\n return %s, %q",
        "%s = add(%p, %q) : f64[2,4]\n %t = mul(%s, %p) : f64[2,4]\n return %t",
        "%s = add(%p, %p) : f64[2,4]\n return %s, %q",
        "%s = add(%p, %e) : f64[2,4]\n return %s, %q",
    ],
)
def test_what_is_read_elsewhere_keeps_its_value(body: str) -> None:
    before = graph(PRODUCTS, body)
    assert accumulate(before) is before


def test_a_sum_that_is_read_twice_is_one_of_its_own() -> None:
    body = (
        "%s = add(%p, %q) : f64[2,4]\n %r = matmul(%a, %b) : f64[2,4]\n"
        "%t = add(%s, %r) : f64[2,4]\n return %t, %s"
    )
    assert made(graph(PRODUCTS, body)) == ["add", "matmul", "matmul", "matmul_add"]


def test_transposed_and_reshaped_products() -> None:
    turn = "%t = transpose(%r) {perm=(1, 0)} : f64[2,4]"
    plain = "%s = add(%t, %p) : f64[2,4]\n return %s"
    assert made(graph(TURNED, turn, plain)) == ["matmul", "matmul_add"]
    shaped = (
        "%u = reshape(%t) {shape=(8,)} : f64[8]",
        "%v = reshape(%p) {shape=(8,)} : f64[8]",
        "%s = add(%u, %v) : f64[8]\n return %s",
    )
    assert made(graph(TURNED, turn, *shaped)) == ["matmul", "matmul_add"]


def test_products_of_other_shapes_stay_as_they_are() -> None:
    before = graph(
        TURNED,
        "%u = reshape(%r) {shape=(8,)} : f64[8]",
        "%v = reshape(%p) {shape=(8,)} : f64[8]",
        "%s = add(%u, %v) : f64[8]\n return %s",
    )
    assert accumulate(before) is before


def test_inner_products_and_integers_stay_as_they_are() -> None:
    for dtype, rows in ("f64", 1), ("i64", 2):
        text = (
            f"graph f(%a: {dtype}[{rows},3], %b: {dtype}[3,{rows}]) {{\n"
            f"%p = matmul(%a, %b) : {dtype}[{rows},{rows}]\n"
            f"%q = matmul(%a, %b) : {dtype}[{rows},{rows}]\n"
            f"%s = add(%p, %q) : {dtype}[{rows},{rows}]\nreturn %s\n}}"
        )
        before = parse(text)
        assert accumulate(before) is before


def siamese(w: Any, x: Any, y: Any) -> Any:
    """A weight read by two branches of many rows."""
    distance = np.tanh(x @ w) - np.tanh(y @ w)
    return np.sum(distance * distance)


def branches(rows: int = 160, width: int = 48) -> list[Any]:
    shapes = (width, width), (rows, width), (rows, width)
    return [0.1 * RNG.normal(size=shape) for shape in shapes]


def gradient(point: list[Any]) -> Graph:
    return value_and_grad(siamese).program(*point).graph


@pytest.mark.parametrize("vector_bytes", WIDTHS)
def test_a_weight_with_many_rows_is_accumulated_where_its_gradient_lies(
    vector_bytes: int,
) -> None:
    """By kernels of our own as by BLAS, to which narrow vectors leave it."""
    point = branches()
    before = gradient(point)
    with using(with_vectors(vector_bytes)):
        executable = prepare(optimise(before))
    steps = executable.plan.steps
    labels = Counter(step.label for step in steps)
    assert (labels["copy"], labels["product"] + labels["gemm"]) == (0, 4)
    (added,) = (step for step in steps if step.node.op == "matmul_add")
    words = ProductWords._make(added.words[: len(ProductWords._fields)])
    assert words.c == len(before.inputs) + 1
    assert words.accumulate == 1
    for one, other in zip(executable(point), interpret(before, point), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_bits_do_not_depend_on_threads_or_on_the_arena(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANABRANCH_THREADS", "2")
    point = branches(300, 130)
    executable = prepare(optimise(gradient(point)))
    results: list[list[Any]] = []
    count = current().threads
    for number in (1, 2):
        pool.set_threads(number)
        frame = executable.frame()
        frame.arena[:] = 0xFF
        executable._frames.append(frame)
        results.append(executable(point))
    pool.set_threads(count)
    assert_same_bits(*results)


@pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5)])
def test_anything_may_be_added_to(shape: tuple[int, ...]) -> None:
    """Inputs, views and values with other readers are copied, not overwritten."""
    *lead, rows, columns = shape
    sizes = ",".join(map(str, (*lead, rows, columns)))
    left = ",".join(map(str, (*lead, rows, 4)))
    right = ",".join(map(str, (*lead, 4, columns)))
    square = ",".join(map(str, (*lead, columns, columns)))
    inputs = f"%x: f64[{left}], %y: f64[{right}], %z: f64[{sizes}], %c: f64[], "
    inputs += f"%f: f64[{square}]"
    text = f"""graph f({inputs}) {{
      %w = broadcast_to(%c) {{shape=({sizes})}} : f64[{sizes}]
      %e = exp(%z) : f64[{sizes}]
      %p = matmul(%x, %y) : f64[{sizes}]
      %q = matmul_add(%x, %y, %z) : f64[{sizes}]
      %r = matmul_add(%x, %y, %w) : f64[{sizes}]
      %s = matmul_add(%x, %y, %e) : f64[{sizes}]
      %t = matmul_add(%x, %y, %p) : f64[{sizes}]
      %u = matmul_add(%x, %y, %t) : f64[{sizes}]
      %v = matmul_add(%z, %f, %z) : f64[{sizes}]
      return %q, %r, %s, %t, %u, %e, %p, %v
    }}"""
    before = parse(text)
    point = [RNG.normal(size=node.type.shape) for node in before.inputs]
    kept = [np.copy(x) for x in point]
    results = prepare(fuse(before))(point)
    for one, other in zip(results, interpret(before, point), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert_same_bits(point, kept)


def test_a_sum_of_products_is_made_in_its_place() -> None:
    """Where a concatenation or a transpose reads it, with nothing copied."""

    def function(a: Any, b: Any, c: Any, d: Any) -> Any:
        total = a @ b + c @ d
        return np.concatenate([np.exp(a), total]), (d @ a + b @ c).T * 2

    point = [RNG.normal(size=(6, 6)) for _ in range(4)]
    compiled = jit(function)
    for one, other in zip(compiled(*point), function(*point), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert "copy" not in compiled.inspect_ir("plan")
