"""Which rules of algebra hold for bits, and that no other is applied."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np
import pytest

from anabranch import make_ir
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.simplify import RULES, simplify
from anabranch.compiler.pipeline import optimise
from anabranch.ir import OPS, Builder, Graph, Node, Output, TensorType, parse
from tests.oracles.bits import EDGES, assert_same_bits

VECTOR = TensorType("f64", (len(EDGES),))


def with_literal(op: str, value: float, left: bool, dtype: str = "f64") -> Graph:
    """``op(x, value)``, or ``op(value, x)``."""
    b = Builder("f")
    x = b.input("x", VECTOR.with_dtype(dtype))
    operands = (b.like(x, value), x) if left else (x, b.like(x, value))
    return b.build([Output(b.add_node(op, *operands).name)])


def applied(op: str, x: Any, value: float, left: bool) -> Any:
    """What NumPy computes."""
    function = {"sub": "subtract", "mul": "multiply", "div": "divide"}.get(op, op)
    with np.errstate(all="ignore"):
        literal = np.asarray(value).astype(x.dtype)
        operands = (literal, x) if left else (x, literal)
        return getattr(np, function)(*operands)


@pytest.mark.parametrize("left", [False, True], ids=["x op c", "c op x"])
@pytest.mark.parametrize("value", EDGES)
@pytest.mark.parametrize("op", "add sub mul div power maximum remainder".split())
def test_an_operation_with_a_number_keeps_its_bits(
    op: str, value: float, left: bool
) -> None:
    x = np.array(EDGES)
    made = interpret(optimise(with_literal(op, value, left)), [x])
    assert_same_bits(made, [applied(op, x, value, left)])


@pytest.mark.parametrize("op", "add sub mul div power maximum hypot fmod".split())
def test_an_operation_of_a_value_with_itself_keeps_its_bits(op: str) -> None:
    """x - x and x / x are NaN for NaN and infinity; x / x is NaN for zero."""
    b = Builder("f")
    x = b.input("x", VECTOR)
    graph = b.build([Output(b.add_node(op, x, x).name)])
    name = {"sub": "subtract", "mul": "multiply", "div": "divide"}.get(op, op)
    values = np.array(EDGES)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(values, values)
    assert_same_bits(interpret(optimise(graph), [values]), [expected])


@pytest.mark.parametrize("dtype", ["f64", "i64", "bool"])
@pytest.mark.parametrize("op", ["lt", "gt", "le", "ge", "eq", "ne"])
def test_a_value_compared_with_itself_is_known_where_it_is_no_nan(
    op: str, dtype: str
) -> None:
    """Also where it was made twice, as by reading what was just stored."""
    b = Builder("f")
    x = b.input("x", TensorType(dtype, (1, 4)))
    rows = [b.slice(x, start=(0, 1), shape=(1, 3), step=(1, 1)) for _ in range(2)]
    one, other = (b.reshape(row, (3,)) for row in rows)
    made = simplify(b.build([Output(b.add_node(op, one, other).name)]))
    literal = Builder("f", made).literal(made[made.results[0]])
    assert (literal is None) == (dtype == "f64" and op not in ("lt", "gt"))
    some = [0.0, np.nan, -np.inf, 1.5] if dtype == "f64" else [0, 1, 0, 1]
    value = np.array([some], x.type.numpy)
    (found,) = interpret(made, [value])
    np.testing.assert_array_equal(found, getattr(operator, op)(value, value)[0, 1:])


def test_values_that_only_look_alike_are_compared() -> None:
    graph = parse("""
        graph f(%x: f64[4], %y: f64[4]) {
          %a = slice(%x) {start=(0,), shape=(2,), step=(1,)} : f64[2]
          %b = slice(%y) {start=(0,), shape=(2,), step=(1,)} : f64[2]
          %c = slice(%x) {start=(1,), shape=(2,), step=(1,)} : f64[2]
          %u = lt(%a, %b) : bool[2]
          %v = lt(%a, %c) : bool[2]
          return %u, %v
        }""")
    assert simplify(graph) is graph


@pytest.mark.parametrize(
    ("op", "value", "left"),
    [
        ("add", -0.0, False),
        ("add", -0.0, True),
        ("sub", 0.0, False),
        ("mul", 1.0, False),
        ("mul", 1.0, True),
        ("div", 1.0, False),
        ("power", 1.0, False),
    ],
)
def test_neutral_numbers_disappear(op: str, value: float, left: bool) -> None:
    assert simplify(with_literal(op, value, left)).results == ("x",)


@pytest.mark.parametrize(
    ("op", "value", "left"),
    [
        ("add", 0.0, False),
        ("add", 0.0, True),
        ("sub", -0.0, False),
        ("sub", 0.0, True),
        ("mul", 0.0, False),
        ("mul", -1.0, False),
        ("div", 1.0, True),
        ("power", 0.0, False),
        ("power", 1.0, True),
        ("power", 0.5, False),
    ],
)
def test_what_would_change_bits_stays(op: str, value: float, left: bool) -> None:
    graph = with_literal(op, value, left)
    assert simplify(graph) is graph


def test_a_difference_from_zero_is_no_negation() -> None:
    """0 - 0 is 0.0, while -(0.0) is -0.0."""
    made = interpret(optimise(with_literal("sub", 0.0, True)), [np.array(EDGES)])
    assert not np.signbit(made[0][0])


@pytest.mark.parametrize("dtype", ["i8", "u8", "i64"])
@pytest.mark.parametrize("op", ["add", "sub", "mul", "power"])
def test_integers_wrap_as_in_numpy(op: str, dtype: str) -> None:
    numbers = np.array([0, 1, 2, 3, 100, 120, 127, 5, 6, 7, 8, 9]).astype(
        TensorType(dtype, ()).numpy
    )
    for value in (0, 1, 2, 3):
        made = interpret(optimise(with_literal(op, value, False, dtype)), [numbers])
        assert_same_bits(made, [applied(op, numbers, value, False)])


def in_line(*ops: str) -> Graph:
    b = Builder("f")
    node = b.input("x", VECTOR)
    for op in ops:
        node = b.add_node(op, node)
    return b.build([Output(node.name)])


@pytest.mark.parametrize(
    "ops", [("exp", "log"), ("log", "exp"), ("sqrt", "sqrt"), ("neg", "neg"), ("abs",)]
)
def test_inverse_functions_do_not_cancel(ops: tuple[str, ...]) -> None:
    """log(exp(1000)) is inf; exp(log(-1)) is NaN. A double negation does cancel."""
    x = np.array(EDGES)
    expected = x
    with np.errstate(all="ignore"):
        for op in ops:
            expected = getattr(np, {"neg": "negative"}.get(op, op))(expected)
    assert_same_bits(interpret(optimise(in_line(*ops)), [x]), [expected])


def test_sums_are_not_reassociated() -> None:
    """(1e16 + 1) - 1e16 is 0 in float64."""
    graph = parse("""
        graph f(%a: f64[], %b: f64[]) {
          %s = add(%a, %b) : f64[]
          %d = sub(%s, %a) : f64[]
          return %d
        }""")
    assert interpret(optimise(graph), [np.array(1e16), np.array(1.0)]) == [0.0]


def test_the_square_root_of_a_square_overflows() -> None:
    b = Builder("f")
    x = b.input("x", TensorType("f64", ()))
    graph = b.build([Output(b.sqrt(b.mul(x, x)).name)])
    assert interpret(optimise(graph), [np.array(1e200)]) == [np.inf]


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        (("f32", "f64", "f32"), "x"),
        (("f64", "f32", "f64"), None),
        (("i32", "i64", "i32"), "x"),
        (("i64", "f64", "i64"), None),
        (("u8", "i16", "u8"), None),
        (("f64", "i64", "f64"), None),
        (("f64", "f64"), "x"),
    ],
)
def test_a_cast_and_back_cancels_where_nothing_is_lost(
    chain: tuple[str, ...], expected: str | None
) -> None:
    b = Builder("f")
    node = b.input("x", TensorType(chain[0], (3,)))
    for dtype in chain[1:]:
        node = b.add_node("cast", node, dtype=dtype)
    made = simplify(b.build([Output(node.name)]))
    assert (made.results == ("x",)) == (expected is not None)


def test_chain_stays_where_its_derivative_may_be_infinite() -> None:
    b = Builder("f")
    g, d = b.input("g", VECTOR), b.input("d", VECTOR)
    graph = b.build([Output(b.chain(g, d).name)])
    assert simplify(graph) is graph


@pytest.mark.parametrize("value", [2.0, 0.0, -3.0])
def test_chain_with_a_finite_derivative_is_a_product(value: float) -> None:
    made = simplify(with_literal("chain", value, False))
    assert [node.op for node in made][-1] == "mul"
    x = np.array(EDGES)
    graph = with_literal("chain", value, False)
    assert_same_bits(interpret(made, [x]), interpret(graph, [x]))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_chain_with_another_derivative_stays(value: float) -> None:
    graph = with_literal("chain", value, False)
    assert simplify(graph) is graph


def test_a_sum_over_no_axes_turns_a_negative_zero() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    graph = b.build([Output(b.reduce_sum(x, axes=()).name)])
    values = np.array(EDGES)
    made = interpret(optimise(graph), [values])
    assert_same_bits(made, [np.sum(values, axis=())])
    assert not np.signbit(made[0][1])


@pytest.mark.parametrize("kind", ["prod", "max", "min"])
def test_other_reductions_over_no_axes_disappear(kind: str) -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    graph = b.build([Output(b.add_node(f"reduce_{kind}", x, axes=()).name)])
    assert simplify(graph).results == ("x",)
    values = np.array(EDGES)
    assert_same_bits(interpret(graph, [values]), [values])


@pytest.mark.parametrize(
    "perms", [((1, 2, 0), (2, 0, 1)), ((1, 0, 2), (1, 2, 0)), ((0, 1, 2),)]
)
def test_transposes_compose(perms: tuple[tuple[int, ...], ...]) -> None:
    b = Builder("f")
    node: Node = b.input("x", TensorType("f64", (2, 3, 4)))
    x = np.arange(24.0).reshape(2, 3, 4)
    expected = x
    for perm in perms:
        node = b.add_node("transpose", node, perm=perm)
        expected = expected.transpose(perm)
    made = optimise(b.build([Output(node.name)]))
    assert sum(n.op == "transpose" for n in made) <= 1
    assert_same_bits(interpret(made, [x]), [np.ascontiguousarray(expected)])


@pytest.mark.parametrize(
    "cuts",
    [
        (np.s_[2:9:2, ::-1], np.s_[::-2, 1:3]),
        (np.s_[::-1, :], np.s_[::-1, :]),
        (np.s_[3:, 1:], np.s_[:0, :2], np.s_[:, ::-1]),
        (np.s_[:, :],),
    ],
)
def test_slices_compose(cuts: tuple[Any, ...]) -> None:
    def cut(x: Any) -> Any:
        for index in cuts:
            x = x[index]
        return x

    x = np.arange(36.0).reshape(9, 4)
    made = optimise(make_ir(cut)(x))
    whole = cut(x).shape == x.shape
    assert sum(n.op == "slice" for n in made) == (0 if whole else 1)
    assert simplify(made) is made
    assert_same_bits(interpret(made, [x]), [np.ascontiguousarray(cut(x))])


def test_the_rules_are_rules_of_ops() -> None:
    assert RULES.keys() <= OPS.keys()


@pytest.mark.skipif(sys.flags.optimize > 1, reason="Python has dropped docstrings")
def test_the_rules_say_what_they_do() -> None:
    assert all(rule.__doc__ for rule in RULES.values())
