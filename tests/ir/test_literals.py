"""Literals: exact bits and exact Python types through the text."""

from __future__ import annotations

import math
import struct
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.ir.errors import ParseError
from anabranch.ir.literals import Attrs, format_literal, parse_attrs
from tests.oracles.work import executed_lines

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats()
    | st.text()
)
literals = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4).map(tuple))


def read(text: str) -> Any:
    return parse_attrs(f"a={text}")["a"]


def bits(value: float) -> bytes:
    return struct.pack("d", value)


@given(literals)
def test_any_literal_survives(value: Any) -> None:
    text = format_literal(value)
    assert format_literal(read(text)) == text
    assert text.isascii()
    assert "\n" not in text
    assert Attrs({"a": read(text)}) == Attrs({"a": value})


@given(st.floats(allow_nan=False))
def test_any_float_keeps_its_bits(value: float) -> None:
    assert bits(read(format_literal(value))) == bits(value)


FLOATS = [
    (0.1, "0.1"),
    (5e-324, "5e-324"),
    (sys.float_info.max, "1.7976931348623157e+308"),
    (-0.0, "-0.0"),
    (math.inf, "inf"),
    (-math.inf, "-inf"),
    (1e16, "1e+16"),
    (0.10000000149011612, "0.10000000149011612"),
]


@pytest.mark.parametrize(("value", "text"), FLOATS)
def test_the_text_of_a_float(value: float, text: str) -> None:
    assert format_literal(value) == text
    made = read(text)
    assert type(made) is float
    assert bits(made) == bits(value)


def test_nan_is_a_float() -> None:
    assert math.isnan(read("nan"))
    assert format_literal(-math.nan) == "nan"


@pytest.mark.parametrize("value", [0, 1, -1, 2**63, -(2**63), 10**399])
def test_integers_of_any_size(value: int) -> None:
    assert type(read(str(value))) is int
    assert read(str(value)) == value


@pytest.mark.parametrize(("text", "value"), [("True", True), ("False", False)])
def test_booleans_are_not_integers(text: str, value: bool) -> None:
    assert read(text) is value
    assert format_literal(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("()", ()),
        ("(1,)", (1,)),
        ("(1)", (1,)),
        ("(1, 2)", (1, 2)),
        ("(1, 2,)", (1, 2)),
        ('((1, 0.5), (None, "a"))', ((1, 0.5), (None, "a"))),
    ],
)
def test_tuples(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        '"',
        "\\",
        "\n",
        "\0",
        "\x7f",
        "é",
        "\u2028",
        "\N{GRINNING FACE}",
        "\ud800",
        "</script>",
        "%s",
        "{{}}",
        "a, b=1",
        "#",
    ],
)
def test_strings(value: str) -> None:
    assert read(format_literal(value)) == value


NOT_LITERALS = [
    "",
    "1 2",
    "0x10",
    "1_000",
    "1j",
    "1.e",
    "+1",
    "--1",
    "Inf",
    "NaN",
    "infinity",
    "true",
    "null",
    "none",
    "x",
    "print(1)",
    "__import__",
    "[1]",
    "{}",
    '{"__class__": 1}',
    "'a'",
    '"a',
    '"\\x41"',
    '"\\u00"',
    '"a\nb"',
    "(",
    "(1",
    "(1 2)",
    "(,)",
    "(1,,)",
    ")",
    "1)",
    "1;",
    "1 # one",
    "lambda: 0",
    "\N{ARABIC-INDIC DIGIT THREE}",
    "9" * 401,
    "9" * 100_000,
    "(" * 100_000,
    "(" * 40 + ")" * 40,
]


@pytest.mark.parametrize("text", NOT_LITERALS, ids=lambda text: text[:12])
def test_what_is_no_literal_is_refused_at_once(text: str) -> None:
    def refuse() -> None:
        with pytest.raises(ParseError):
            read(text)

    assert executed_lines(refuse) < 2_000


@pytest.mark.parametrize(
    "text", ["a", "a=", "=1", "a=1 b=2", "a=1, a=1", "1=1", ",", "a=1,,"]
)
def test_lists_of_attributes_that_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_attrs(text)


def test_many_attributes_are_read_in_linear_time() -> None:
    def work(count: int) -> int:
        text = ", ".join(f"a{i}={i}" for i in range(count))
        assert len(parse_attrs(text)) == count
        return executed_lines(lambda: parse_attrs(text))

    assert work(2_000) <= 11 * work(200)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0, False),
        (0.0, -0.0),
        ((1,), (1.0,)),
        ("1", 1),
        (None, "None"),
    ],
)
def test_attributes_that_python_mixes_up_differ(one: Any, other: Any) -> None:
    assert Attrs({"a": one}) != Attrs({"a": other})


def test_equal_attributes_have_equal_hashes() -> None:
    one, other = Attrs({"a": math.nan, "b": 1}), Attrs({"a": math.nan, "b": 1})
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("value", [[1], {1: 2}, b"a", object()])
def test_other_values_are_no_attributes(value: Any) -> None:
    with pytest.raises(TypeError, match="is not a literal of the IR"):
        Attrs({"a": value})
