"""The machine as a value: which one is meant, and what it decides."""

from __future__ import annotations

from itertools import pairwise

import llvmlite.binding as llvm
import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.engine import codegen, engine
from anabranch.backends.llvm.kernels.correlation import dots_tile, tile
from anabranch.backends.llvm.kernels.products import product_source
from anabranch.backends.llvm.machine import (
    LEVELS,
    Processor,
    current,
    find_machine,
    using,
)
from tests.machines import MACHINES, WIDTHS, with_vectors


def host(*features: str) -> tuple[str, dict[str, bool]]:
    """A processor that has some features."""
    return "some-cpu", {**dict.fromkeys(features, True), "xop": False}


NEWEST = LEVELS["x86-64-v4"]


@pytest.mark.parametrize(
    ("level", "vector_bytes", "registers"),
    [("x86-64-v2", 16, 16), ("x86-64-v3", 32, 16), ("x86-64-v4", 64, 32)],
)
def test_a_level_is_the_same_on_every_host(
    level: str, vector_bytes: int, registers: int
) -> None:
    machine = find_machine(level, *host(*NEWEST, "avx512bf16"))
    assert machine == find_machine(level, *host(*LEVELS[level]))
    assert machine.processor == Processor(level, "")
    assert machine.vector_bytes == vector_bytes
    assert machine.vector_registers == registers


def test_levels_are_nested() -> None:
    assert all(set(low) < set(high) for low, high in pairwise(LEVELS.values()))


def test_llvm_knows_the_features_of_a_level() -> None:
    """Else every processor would be said to lack them."""
    if not llvm.get_default_triple().startswith("x86_64"):
        pytest.skip("the names are those of x86-64's features")
    assert set(NEWEST) <= set(llvm.get_host_cpu_features())


@pytest.mark.parametrize(
    ("features", "vector_bytes"), [((), 16), (("avx",), 32), (("avx", "avx512f"), 64)]
)
def test_native_is_all_that_the_host_has(
    features: tuple[str, ...], vector_bytes: int
) -> None:
    machine = find_machine("native", *host(*features, "adx"))
    assert machine.vector_bytes == vector_bytes
    listed = sorted(f"+{name}" for name in (*features, "adx"))
    assert machine.processor.name == "some-cpu"
    assert set(machine.processor.features.split(",")) == {*listed, "-xop"}


def test_native_is_what_llvm_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANABRANCH_CPU", raising=False)
    features = llvm.get_host_cpu_features().flatten()
    assert current().processor == (llvm.get_host_cpu_name(), features)


@pytest.mark.parametrize("level", LEVELS)
def test_more_than_the_host_has_is_refused(level: str) -> None:
    """Its code would die of an illegal instruction."""
    for missing in LEVELS[level]:
        name, features = host(*LEVELS[level])
        known = rf"CPU={level}: this processor \(some-cpu\) has no {missing}\n"
        with pytest.raises(anabranch.AnabranchError, match=known) as caught:
            find_machine(level, name, {**features, missing: False})
        assert caught.value.hint == "native is all that it has"
        del features[missing]
        with pytest.raises(anabranch.AnabranchError, match=known):
            find_machine(level, name, features)


@pytest.mark.parametrize("wanted", ["x86-64", "x86-64-v5", "NATIVE", "skylake", " "])
def test_an_unknown_processor_is_refused(wanted: str) -> None:
    with pytest.raises(anabranch.AnabranchError) as caught:
        find_machine(wanted, *host(*NEWEST))
    assert str(caught.value) == (
        f"ANABRANCH_CPU={wanted}: no such processor\n"
        "  hint: it may be native, x86-64-v2, x86-64-v3, x86-64-v4"
    )


def test_the_environment_is_asked_by_whoever_compiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    narrow = with_vectors(16)
    monkeypatch.setenv("ANABRANCH_CPU", "pentium")
    with pytest.raises(anabranch.AnabranchError, match="ANABRANCH_CPU=pentium"):
        anabranch.jit(np.negative)(np.ones(3))
    interpreted = anabranch.jit(np.negative, backend="reference")
    assert interpreted(np.ones(3)).tolist() == [-1, -1, -1]
    with using(narrow):
        assert anabranch.jit(np.negative)(np.ones(3)).tolist() == [-1, -1, -1]
    monkeypatch.setenv("ANABRANCH_CPU", "")
    assert current().processor.name == llvm.get_host_cpu_name()


def test_the_environment_names_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the processor at hand has; its code runs like any other."""
    for level in MACHINES.keys() & LEVELS.keys():
        monkeypatch.setenv("ANABRANCH_CPU", level)
        assert current().processor == Processor(level, "")
        assert anabranch.jit(np.negative)(np.ones(3)).tolist() == [-1, -1, -1]


def test_threads_are_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_THREADS", "3")
    assert current().threads == 3


def test_a_machine_is_used_for_a_while() -> None:
    before = current()
    for name, machine in MACHINES.items():
        with using(machine):
            assert current() is machine, name
            with using(before):
                assert current() == before, name
            assert current() is machine, name
        assert current() == before, name


# What it decides.


@pytest.mark.parametrize("vector_bytes", WIDTHS)
def test_a_loop_has_as_many_lanes_as_four_vectors(vector_bytes: int) -> None:
    for dtype in (np.float32, np.float64):
        with using(with_vectors(vector_bytes)):
            compiled = anabranch.jit(lambda x: np.exp(x) * x)
            compiled(np.ones(9, dtype))
        lanes = 4 * vector_bytes // np.dtype(dtype).itemsize
        assert f"lanes(n0, {lanes})" in compiled.inspect_source()


def test_tiles_fill_the_registers() -> None:
    found = {}
    for vector_bytes in WIDTHS:
        with using(with_vectors(vector_bytes)):
            text = product_source("product", "f32")
            rows = sum(f"s{row}_0 = multiply_add" in text for row in range(20))
            found[vector_bytes] = rows, tile(8, 12), dots_tile()
    assert found == {
        16: (6, (4, 3), (2, 4)),
        32: (6, (4, 3), (2, 4)),
        64: (8, (8, 3), (4, 6)),
    }


@pytest.mark.parametrize(
    ("level", "registers"),
    [("x86-64-v2", "xmm"), ("x86-64-v3", "ymm"), ("x86-64-v4", "zmm")],
)
def test_code_is_made_for_a_level(level: str, registers: str) -> None:
    """For any of them on any host: it is not run here."""
    if not llvm.get_default_triple().startswith("x86_64"):
        pytest.skip("code for x86-64 only")
    machine = find_machine(level, *host(*NEWEST))
    text = product_source("product", "f32", machine.vector_bytes)
    code = codegen.assembly(engine.kernel_llvm(text), machine.processor)
    assert max(name for name in ("xmm", "ymm", "zmm") if name in code) == registers
    assert ("vfmadd" in code) == (level != "x86-64-v2")


def test_a_process_keeps_the_code_of_each_processor_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANABRANCH_CPU", raising=False)
    name, features = current().processor
    text = "def kernel(buffers, words):\n    return 11\n"
    machines = [
        current(),
        current()._replace(processor=Processor(name, f"{features},-bmi")),
    ]
    addresses = []
    for machine in machines * 2:
        with using(machine):
            addresses.append(engine.compile_kernel(text))
    assert addresses[:2] == addresses[2:]
    assert len(set(addresses)) == 2
