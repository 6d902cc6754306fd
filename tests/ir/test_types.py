"""Types: what there is, what is refused, and the spelling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anabranch.ir.errors import DTypeError, ParseError, ShapeError
from anabranch.ir.types import DTYPES, MAX_RANK, TensorType, dtype_name, spec


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 4), (2,) * MAX_RANK])
def test_a_type_reads_back(dtype: str, shape: tuple[Any, ...]) -> None:
    type_ = TensorType(dtype, shape)
    assert spec(str(type_)) == type_


@pytest.mark.parametrize(("name", "dtype"), DTYPES.items())
def test_names_of_dtypes(name: str, dtype: np.dtype[Any]) -> None:
    assert dtype_name(dtype) == name
    assert dtype_name(dtype.newbyteorder()) == name


@pytest.mark.parametrize("dtype", ["f2", "O", "S3", "U3", "M8[s]", "V8", "g"])
def test_dtypes_without_a_place(dtype: str) -> None:
    with pytest.raises(DTypeError):
        dtype_name(dtype)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f64",
        "f64[",
        "f64[]]",
        "f64[,]",
        "f64[1,]",
        "f64[-1]",
        "f64[1.0]",
        "f64[a b]",
        "float64[1]",
        "f16[1]",
        "O[1]",
        "V1000000000[1]",
        "M8[1]",
        "f64');1;('[1]",
        "f64[9223372036854775808]",
        "f64[4294967296,4294967296]",
        "f64[" + "9" * 100_000 + "]",
        "f64[\N{ARABIC-INDIC DIGIT THREE}]",
        "f64[" + ",".join("1" * 33) + "]",
        "f64[1][1]",
    ],
    ids=lambda text: text[:20],
)
def test_texts_that_are_no_type(text: str) -> None:
    with pytest.raises(ParseError):
        spec(text)


@pytest.mark.parametrize("dim", [-1, 1.0, True, None, "", "B", "1", (1,)])
def test_dimensions_that_are_refused(dim: Any) -> None:
    with pytest.raises(ShapeError):
        TensorType("f64", (dim,))


@pytest.mark.parametrize(
    "shape", [(2**32, 2**32), (2**31,) * 3, (10**9,) * 6, (0, 2**62, 2**62), (2**60,)]
)
def test_sizes_that_no_machine_has(shape: tuple[int, ...]) -> None:
    """An empty array of them is refused as well: its strides would not fit."""
    with pytest.raises(ShapeError, match="bytes"):
        TensorType("f64", shape)


@pytest.mark.parametrize("text", ["f64[B,4]", "f64[4, B]", "bool[n]"])
def test_a_symbol_is_no_size_and_the_error_says_what_is(text: str) -> None:
    with pytest.raises(ParseError, match=r"a dimension is a number, not '[Bn]'") as e:
        spec(text)
    assert e.value.hint
    assert "write the size" in e.value.hint


def test_facts_of_a_type() -> None:
    type_ = spec("f32[2,3]")
    assert (type_.rank, type_.size, type_.shape, type_.shape) == (2, 6, (2, 3), (2, 3))
    assert type_.is_float
    assert not spec("i64[]").is_float
    assert type_.with_shape((4,)) == spec("f32[4]")
    assert type_.with_dtype("bool") == spec("bool[2,3]")
