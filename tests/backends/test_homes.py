"""The parts of a concatenation are made in their place, and copied only where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch import jit
from anabranch.backends.llvm.run.executable import prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.ir import parse

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 3))
# Sums of products of numbers of about 1 may cancel: relative to their terms.
CLOSE: dict[str, Any] = {"rtol": 1e-13, "atol": 1e-13}


def copies(function: Callable[[Any], Any]) -> int:
    """How many copies the plan makes, after the result was held against NumPy's."""
    made = jit(function)
    np.testing.assert_allclose(made(X), function(X), **CLOSE)
    return made.inspect_ir("plan").count("  copy ")


def test_values_of_kernels_and_products_are_made_in_their_place() -> None:
    def joined(x: Any) -> Any:
        return np.cos(np.concatenate([np.exp(x), x.T @ x, np.sum(x, 0)[None]]))

    assert copies(joined) == 0


def test_kernels_write_their_columns_of_a_whole() -> None:
    def gates(x: Any) -> Any:
        return np.cos(np.concatenate([np.exp(x), np.sin(x) * x, np.tanh(x)], 1)).T @ x

    def nested(x: Any) -> Any:
        pair = np.concatenate([np.exp(x), np.sin(x)], 1)
        return np.concatenate([np.tanh(x), pair, np.cos(x)], 1)

    assert copies(gates) == 0
    assert copies(nested) == 0


def test_a_product_that_lies_across_the_rows_is_copied() -> None:
    assert copies(lambda x: np.concatenate([x @ x.T, np.exp(x)], 1)) == 1


def test_a_result_that_is_joined_is_made_in_the_result() -> None:
    assert copies(lambda x: np.stack([np.exp(x), np.tanh(x)])) == 0


def test_inputs_are_copied_into_their_place() -> None:
    assert copies(lambda x: np.cos(np.concatenate([x, np.exp(x)]))) == 1


def test_a_value_has_one_home() -> None:
    def twice(x: Any) -> Any:
        y, z = np.exp(x), np.tanh(x)
        return np.cos(np.concatenate([y, z])), np.sin(np.concatenate([z, y]))

    made = jit(twice)
    for one, other in zip(made(X), twice(X), strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)
    assert made.inspect_ir("plan").count("  copy ") == 2


def test_a_value_beside_itself_is_copied() -> None:
    def doubled(x: Any) -> Any:
        y = np.exp(x)
        return np.concatenate([y, y])

    assert copies(doubled) == 1


def test_a_run_of_a_larger_concatenation_is_a_view_of_it() -> None:
    def runs(x: Any) -> Any:
        parts = [np.exp(x) * k for k in range(4)]
        return np.concatenate(parts[1:3]).sum() + np.cos(np.concatenate(parts)).sum()

    assert copies(runs) == 0


def test_a_concatenation_of_concatenations_has_one_memory() -> None:
    def history(x: Any) -> Any:
        h = np.exp(x[:1])
        for _ in range(50):
            h = np.concatenate([h, np.tanh(h[-1:])])
        return h

    made = jit(history)
    assert copies(history) == 0
    made(X)
    assert "arena 0 bytes" in made.inspect_ir("plan")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_consecutive_slices_are_the_array_again(axis: int) -> None:
    def cut(x: Any) -> Any:
        cube = np.reshape(x, (2, 2, 3))
        rows = np.moveaxis(cube, axis, 0)
        slices = [np.moveaxis(rows[k : k + 1], 0, axis) for k in range(len(rows))]
        return np.cos(np.concatenate(slices, axis))

    assert copies(cut) == 0


def test_reversed_slices_are_a_view_with_negative_strides() -> None:
    assert copies(lambda x: np.cos(np.concatenate([x[3:], x[2:3], x[1:2]]))) == 0


def test_slices_with_gaps_that_differ_are_copied() -> None:
    assert copies(lambda x: np.cos(np.concatenate([x[:1], x[1:2], x[3:]]))) == 3


def test_a_view_of_an_input_is_no_result() -> None:
    def whole(x: Any) -> Any:
        return np.concatenate([x[:2], x[2:]])

    made = jit(whole)(X)
    assert not np.shares_memory(made, X)
    assert np.array_equal(made, X)


def test_empty_parts_take_no_place() -> None:
    def some(x: Any) -> Any:
        return np.cos(np.concatenate([np.exp(x[:0]), np.exp(x), x[:0]]))

    assert copies(some) == 0


def test_a_part_that_is_a_result_as_well_is_copied() -> None:
    graph = parse("""
        graph f(%x: f64[2]) {
          %a = exp(%x)                       : f64[2]
          %b = tanh(%x)                      : f64[2]
          %c = concatenate(%a, %b) {axis=0}  : f64[4]
          return %a, %c
        }""")
    run = prepare(optimise(graph))
    point = [np.array([0.5, -2.0])]
    for one, other in zip(run(point), interpret(graph, point), strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)
    assert [step.label for step in run.plan.steps].count("copy") == 1


@pytest.mark.parametrize("limit", [False, True])
@pytest.mark.parametrize("result", ["%b", "%c", "%d"])
@pytest.mark.parametrize("by", ["scalar loop", "driver loop"])
def test_rows_that_are_shown_from_the_last_one_on_are_made_in_that_order(
    by: str, result: str, limit: bool
) -> None:
    """They are a result, or read, or stored into."""
    body = "%s = exp(%r) : f64[5]"
    if by == "driver loop":
        body = """%k = reshape(%r) {shape=(5, 1)} : f64[5,1]
              %l = matmul(%w, %k) : f64[5,1]
              %s = reshape(%l) {shape=(5,)} : f64[5]"""
    given, flag = ("%n, ", "limit=True, ") if limit else ("", "")
    graph = parse(f"""
        graph f(%x: f64[7,5], %w: f64[5,5], %n: i64[], %q: f64[1,5]) {{
          %a = loop({given}%w, %x) {{trips=7, {flag}stacked=1}} : f64[7,5]:
            body(%t: i64[], %w: f64[5,5], %r: f64[5]) {{
              {body}
              return %s
            }}
          %b = slice(%a) {{start=(6, 0), shape=(7, 5), step=(-1, 1)}} : f64[7,5]
          %c = neg(%b) : f64[7,5]
          %d = update_at(%b, %q, %n) {{axes=(0,), start=(0, 0), step=(1, 1)}} : f64[7,5]
          return {result}
        }}""")
    run = prepare(optimise(graph))
    point: list[Any] = [RNG.normal(size=x.type.shape) for x in graph.inputs]
    point[2] = np.array(4)
    np.testing.assert_allclose(run(point)[0], interpret(graph, point)[0], **CLOSE)
    labels = [step.label for step in run.plan.steps]
    if by == "scalar loop":
        assert labels.count("copy") == (2 if result == "%d" else 0)
