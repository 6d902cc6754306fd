"""Kernels that are written as text: values, which read the words of their records."""

import re
from typing import Any

import pytest

from anabranch.backends.llvm.kernels import cond, index, linalg, loop, running, shape
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
# The kernel, how much memory it works on, and the record of its numbers.
KERNELS: dict[str, tuple[Source, int, Any]] = {
    "ramp": (Source.of(shape.ramp_source, dtype="i64"), 1, shape.RampWords),
    "take": (Source.of(index.take_source, dtype="f32"), 3, index.RowWords),
    "scatter": (Source.of(index.scatter_source, dtype="i32"), 3, index.RowWords),
    "put": (Source.of(index.put_source, dtype="bool"), 3, index.RowWords),
    "check": (Source.of(index.check_source), 2, index.CheckWords),
    "position": (
        Source.of(running.position_source, dtype="f64", sign=">"),
        2,
        running.PositionWords,
    ),
    "cumsum": (Source.of(running.cumsum_source, dtype="i8"), 2, running.WalkWords),
    "recurrence": (
        Source.of(running.recurrence_source, dtype="f32"),
        3,
        running.WalkWords,
    ),
    "matmul": (Source.of(linalg.matmul_source, dtype="i8"), 3, linalg.MatmulWords),
    "branch": (Source.of(cond.branch_source), 1, cond.BranchWords),
    "loop": (Source.of(loop.loop_source), 0, loop.LoopWords),
    "product": (
        Source.of(product_source, kind="product", dtype="f64", width=64),
        0,
        ProductWords,
    ),
    "max_pool": (Source.of(max_pool_source, **WINDOW), 0, PoolWords),
    "max_pool_input": (Source.of(max_pool_input_source, **WINDOW), 0, PoolWords),
    **{
        kind: (Source.of(correlation_source, kind=kind, **TILE), 5, CorrelationWords)
        for kind in ("correlate", "spread", "dots")
    },
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_reads_each_of_its_words_and_no_other(name: str) -> None:
    source, memory, numbers = KERNELS[name]
    found = {int(number) for number in re.findall(r"words\[(\d+)\]", source.text)}
    assert found == set(range(2 * memory + len(numbers._fields)))


@pytest.mark.parametrize(
    ("place", "records"),
    [("w", [loop.MovingWords, loop.CarriedWords]), ("p", [loop.ProgramWords])],
)
def test_a_loop_reads_the_records_behind_its_header(
    place: str, records: list[Any]
) -> None:
    text = loop.loop_source()
    found = re.findall(rf"words\[{place} \+ (\d+)\]", text)
    longest = max(len(numbers._fields) for numbers in records)
    assert {int(number) for number in found} == set(range(longest))


def test_sources_are_one_kernel_where_function_and_arguments_are_equal() -> None:
    made = [source for source, *_ in KERNELS.values()]
    assert len(set(made)) == len(made)
    turned = Source.of(correlation_source, vectors=3, rows=2, dtype="f64", kind="dots")
    assert {turned} == {KERNELS["dots"][0]}
    assert turned != Source.of(correlation_source, kind="dots", **TILE | {"rows": 4})
