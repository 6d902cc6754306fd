"""Constants computed at compile time are those NumPy would compute."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.fold import fold
from anabranch.compiler.pipeline import optimise
from anabranch.ir import OPS, Builder, Output, TensorType, parse
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.oracles.bits import EDGES, assert_same_bits

FUNCTIONS = [
    name
    for name, op in OPS.items()
    if op.scalar is not None
    and op.arity == 1
    and not op.variadic
    and not op.attrs
    and op.adjoint is not NONDIFFERENTIABLE
]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", FUNCTIONS)
def test_a_folded_function_has_the_bits_of_the_interpreted_one(
    op: str, dtype: str
) -> None:
    b = Builder("f")
    values = [*EDGES, 0.3, -0.7, 1.7]
    type_ = TensorType(dtype, (5,))
    outputs = [Output(b.add_node(op, b.full(type_, value)).name) for value in values]
    graph = b.build(outputs)
    folded = fold(graph)
    assert {folded[name].op for name in folded.results} == {"broadcast_to"}
    assert_same_bits(interpret(folded, []), interpret(graph, []))


@pytest.mark.parametrize("op", "add sub mul div power hypot chain".split())
def test_a_folded_operation_has_the_bits_of_the_interpreted_one(op: str) -> None:
    b = Builder("f")
    type_ = TensorType("f64", (3,))
    outputs = [
        Output(b.add_node(op, b.full(type_, x), b.full(type_, y)).name)
        for x in EDGES
        for y in EDGES
    ]
    graph = b.build(outputs)
    assert_same_bits(interpret(fold(graph), []), interpret(graph, []))


def test_folding_warns_of_nothing() -> None:
    graph = parse("""
        graph f() {
          %z = const() {value=0}                 : i64[]
          %o = const() {value=7}                 : i64[]
          %q = floor_divide(%o, %z)              : i64[]
          %e = const() {value=1000.0}            : f64[]
          %h = exp(%e)                           : f64[]
          %i = cast(%h) {dtype="i32"}            : i32[]
          return %q, %h
        }""")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = fold(graph)
    assert [result.item() for result in interpret(made, [])] == [0, np.inf]


def test_what_raises_is_left_for_the_run() -> None:
    """NumPy refuses integers to negative powers; dead code must not raise."""
    graph = parse("""
        graph f(%x: f64[]) {
          %two = const() {value=2}     : i64[]
          %neg = const() {value=-1}    : i64[]
          %bad = power(%two, %neg)     : i64[]
          return %x
        }""")
    assert fold(graph) is graph
    assert interpret(optimise(graph), [np.array(1.5)]) == [1.5]


def test_a_constant_keeps_its_dtype() -> None:
    graph = parse("""
        graph f() {
          %a = const() {value=0.10000000149011612, dtype="f32"}  : f32[]
          %b = add(%a, %a)                       : f32[]
          return %b
        }""")
    expected = np.float32(0.1) + np.float32(0.1)
    made = fold(graph)
    assert made[made.results[0]].op == "const"
    assert_same_bits(interpret(made, []), [np.asarray(expected)])


def test_an_input_is_never_folded() -> None:
    graph = parse("graph f(%x: f64[]) {\n  %y = exp(%x) : f64[]\n  return %y\n}")
    assert fold(graph) is graph
