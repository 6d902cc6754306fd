"""Kernels that are written as text: values, which read the words of their records."""

import re
from typing import Any

import pytest

from anabranch.backends.llvm.kernels import cond, index, linalg, running, shape
from anabranch.backends.llvm.kernels.correlation import (
    CorrelationWords,
    correlation_source,
)
from anabranch.backends.llvm.kernels.pooling import (
    PoolWords,
    max_pool_input_source,
    max_pool_source,
)
from anabranch.backends.llvm.kernels.products import ProductWords, product_source
from anabranch.backends.llvm.kernels.source import Source

WINDOW: dict[str, Any] = {
    "dtype": "f32",
    "window": (1, 2, 2),
    "stride": (1, 2, 2),
}
TILE: dict[str, Any] = {"dtype": "f64", "rows": 2, "vectors": 3}
KERNELS = {
    "ramp": (Source.of(shape.ramp_source, dtype="i64"), shape.RampWords),
    "take": (Source.of(index.take_source, dtype="f32"), index.RowWords),
    "scatter": (Source.of(index.scatter_source, dtype="i32"), index.RowWords),
    "put": (Source.of(index.put_source, dtype="bool"), index.RowWords),
    "check": (Source.of(index.check_source), index.CheckWords),
    "position": (
        Source.of(running.position_source, dtype="f64", sign=">"),
        running.PositionWords,
    ),
    "cumsum": (Source.of(running.cumsum_source, dtype="bool"), running.CumsumWords),
    "recurrence": (
        Source.of(running.recurrence_source, dtype="u8"),
        running.RecurrenceWords,
    ),
    "matmul": (Source.of(linalg.matmul_source, dtype="i8"), linalg.MatmulWords),
    "branch": (Source.of(cond.branch_source), cond.BranchWords),
    "product": (
        Source.of(product_source, kind="product", dtype="f64", width=64),
        ProductWords,
    ),
    "max_pool": (Source.of(max_pool_source, **WINDOW), PoolWords),
    "max_pool_input": (Source.of(max_pool_input_source, **WINDOW), PoolWords),
    **{
        kind: (Source.of(correlation_source, kind=kind, **TILE), CorrelationWords)
        for kind in ("correlate", "spread", "dots")
    },
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_reads_each_word_of_its_record_and_no_other(name: str) -> None:
    source, words = KERNELS[name]
    found = {int(number) for number in re.findall(r"words\[(\d+)\]", source.text)}
    assert found == set(range(len(words._fields)))


def test_sources_are_one_kernel_where_function_and_arguments_are_equal() -> None:
    made = [source for source, _ in KERNELS.values()]
    assert len(set(made)) == len(made)
    turned = Source.of(correlation_source, vectors=3, rows=2, dtype="f64", kind="dots")
    assert {turned} == {KERNELS["dots"][0]}
    assert turned != Source.of(correlation_source, kind="dots", **TILE | {"rows": 4})
