"""The builder: names, constants, and checks while it builds."""

from __future__ import annotations

import math

import pytest

from anabranch.ir import Builder, Node, Output, TensorType
from anabranch.ir.errors import (
    AnabranchError,
    DTypeError,
    ShapeError,
    SourceLine,
    VerifyError,
)

VECTOR = TensorType("f64", (3,))


def test_names_are_unique() -> None:
    b = Builder("f")
    names = [b.input("x", VECTOR).name for _ in range(3)]
    assert names == ["x", "x_1", "x_2"]
    made = [b.exp(b["x"]).name for _ in range(2)]
    assert made == ["exp.0", "exp.1"]


def test_a_taken_name_is_refused() -> None:
    b = Builder("f")
    b.input("x", VECTOR)
    with pytest.raises(VerifyError, match="two nodes are called %x"):
        b.append(Node("x", "input", (), VECTOR))


def test_reserved_names_are_left_free() -> None:
    b = Builder("f", reserved={"exp.0", "exp.1"})
    assert b.exp(b.input("x", VECTOR)).name == "exp.2"


def test_inputs_stand_first() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    y = b.exp(x)
    z = b.input("z", VECTOR)
    graph = b.build([Output(b.add(y, z).name)])
    assert [node.name for node in graph][:2] == ["x", "z"]
    graph.verify()


def test_an_unknown_op_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no op is called 'frobnicate'"):
        _ = Builder("f").frobnicate


@pytest.mark.parametrize(
    ("op", "kinds", "error"),
    [
        ("add", ("f64[3]", "f64[4]"), ShapeError),
        ("add", ("f64[3]", "f32[3]"), DTypeError),
        ("exp", ("i64[3]",), DTypeError),
        ("exp", (), VerifyError),
        ("add", ("f64[3]",), VerifyError),
    ],
)
def test_a_wrong_node_is_never_built(
    op: str, kinds: tuple[str, ...], error: type[AnabranchError]
) -> None:
    from anabranch.ir import spec

    b = Builder("f")
    b.source = SourceLine("model.py", 7)
    operands = [b.input("x", spec(kind)) for kind in kinds]
    before = list(b.nodes)
    with pytest.raises(error) as caught:
        b.add_node(op, *operands)
    assert list(b.nodes) == before
    assert caught.value.source == SourceLine("model.py", 7)


def test_constants_of_one_bit_pattern_are_one_node() -> None:
    b = Builder("f")
    assert b.const(1.0, "f64") is b.const(1, "f64")
    assert b.const(math.nan, "f64") is b.const(-math.nan, "f64")
    assert b.const(0.0, "f64") is not b.const(-0.0, "f64")
    assert b.const(1, "i64") is not b.const(1, "i32")
    assert b.const(True, "bool") is not b.const(1, "i64")
    b.build([]).verify()


def test_a_constant_is_rounded_to_its_dtype() -> None:
    b = Builder("f")
    assert b.const(0.1, "f32").attrs["value"] == 0.10000000149011612
    assert b.const(1e300, "f32").attrs["value"] == math.inf
    with pytest.raises(OverflowError):
        b.const(300, "i8")


def test_the_literal_behind_a_value() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    assert b.literal(b.like(x, 2.5)) == 2.5
    assert b.literal(b.reshape(b.full(VECTOR, 1.0), (3, 1))) == 1.0
    assert b.literal(x) is None
    assert b.literal(b.exp(b.like(x, 0.0))) is None


def test_identities_are_not_built() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    assert b.broadcast(x, VECTOR) is x
    assert b.cast(x, "f64") is x
    assert b.reshape(x, (3,)) is x
    assert b.transpose(x, (0,)) is x


def test_suggested_names_are_given_at_the_end() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    y, z = b.exp(x), b.sin(x)
    b.suggest(y, "h")
    b.suggest(z, "h")
    b.suggest(z, "other")
    graph = b.build([Output(y.name), Output(z.name)])
    assert graph.results == ("h", "h_1")


def test_dead_nodes_of_a_section_can_be_dropped() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    kept_before = b.exp(x)
    b.section = 1
    b.sin(b.cos(x))
    used = b.tan(kept_before)
    b.keep_read([Output(used.name)])
    assert [node.name for node in b.nodes] == ["x", "exp.0", "tan.0"]


def test_every_node_carries_section_and_source() -> None:
    b = Builder("f")
    x = b.input("x", VECTOR)
    b.section, b.source = 2, SourceLine("model.py", 1)
    made = b.exp(x)
    assert (made.section, made.source) == (2, SourceLine("model.py", 1))
