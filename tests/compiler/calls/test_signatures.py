"""Signatures of call are kept up to a limit, and what goes is gone."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

from anabranch import ArgumentError, jit, make_ir, spec
from anabranch.compiler.calls import signatures
from anabranch.compiler.calls.signatures import Signatures

LIMIT = 4


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "MAX_SIGNATURES", LIMIT)


class Item:
    def __init__(self, scratch: int = 0) -> None:
        self.used = False
        self.scratch = scratch

    def scratch_bytes(self) -> int:
        return self.scratch

    def was_used(self) -> bool:
        used, self.used = self.used, False
        return used


class TestTable:
    def test_the_oldest_goes(self) -> None:
        gone: list[Item] = []
        table = Signatures(gone.append)
        items = [table.keep(number, Item()) for number in range(LIMIT + 2)]
        assert gone == items[:2]
        assert table.values() == items[2:]
        assert (len(table), table.made) == (LIMIT, LIMIT + 2)
        assert table.get(0) is None
        assert table.get(2) is items[2]

    def test_what_was_used_gets_another_turn(self) -> None:
        gone: list[Item] = []
        table = Signatures(gone.append)
        items = [table.keep(number, Item()) for number in range(LIMIT)]
        for number in range(100, 200):
            items[1].used = True
            table.keep(number, Item())
        assert table.get(1) is items[1]
        assert items[1] not in gone
        assert len(table) == LIMIT

    def test_much_scratch_memory_is_kept_of_a_few_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signatures, "MAX_BYTES", 100)
        monkeypatch.setattr(signatures, "FEW", 2)
        gone: list[Item] = []
        table = Signatures(gone.append)
        items = [table.keep(number, Item(40)) for number in range(3)]
        assert gone == items[:1]
        table.keep(3, Item(1000))
        assert gone == items[:2]
        assert table.values()[0] is items[2]

    def test_all_used_at_once(self) -> None:
        table = Signatures(lambda item: None)
        for number in range(50):
            table.keep(number, Item()).used = True
        assert len(table) == LIMIT
        assert table.get(49) is not None

    def test_the_first_thread_is_kept(self) -> None:
        table = Signatures(lambda item: None)
        first = table.keep("key", Item())
        assert table.keep("key", Item()) is first
        assert table.made == 1

    def test_clear(self) -> None:
        gone: list[Item] = []
        table = Signatures(gone.append)
        items = [table.keep(number, Item()) for number in range(3)]
        table.clear()
        assert set(gone) == set(items)
        assert len(table) == 0
        for number in range(20):  # and it works as before
            table.keep(number, Item())
        assert len(table) == LIMIT


def executables(compiled: Any) -> list[Any]:
    """What the signatures that are kept run, weakly."""
    entries = compiled._entries.values()
    return [weakref.ref(entry.runner("llvm")) for entry in entries]


def alive(references: list[Any]) -> int:
    gc.collect()
    return sum(reference() is not None for reference in references)


def called(compiled: Any, sizes: range) -> list[Any]:
    """Call with arrays of these sizes until each has its fast path."""
    seen: list[Any] = []
    for size in sizes:
        for _ in range(3):
            np.testing.assert_array_equal(compiled(np.ones(size)), np.full(size, 2.0))
        seen += [r for r in executables(compiled) if r not in seen]
    return seen


def test_memory_is_freed() -> None:
    compiled = jit(lambda x: x + 1)
    seen = called(compiled, range(60))
    assert len(seen) == 60
    assert alive(seen) == LIMIT
    assert len(compiled.signatures) == LIMIT
    assert compiled.compile_count == 60
    compiled.cache_clear()
    assert alive(seen) == 0
    assert compiled.signatures == []
    called(compiled, range(3))
    assert compiled.compile_count == 63


def test_the_short_way_counts_as_use() -> None:
    compiled = jit(lambda x: x + 1)
    x = np.ones(1000)
    for size in range(40):
        compiled(x)
        compiled(np.ones(size))
    assert compiled.compile_count == 41
    entries = compiled._entries.values()
    assert entries[0].program.graph.inputs[0].type.shape == (1000,)


def test_what_comes_back_gets_a_short_way_again() -> None:
    compiled = jit(lambda x: x + 1)
    for _ in range(3):
        called(compiled, range(2 * LIMIT))
    pair = ((np.ones(2 * LIMIT - 1),), {})
    assert compiled._fast_path(pair) is not NotImplemented
    assert compiled._fast_path(((np.ones(0),), {})) is NotImplemented


def test_signatures_may_go_while_they_are_computed() -> None:
    """Other threads are inside of what one thread discards, the GIL released."""
    compiled = jit(lambda x: np.sin(x) * 2)
    x = np.linspace(0, 1, 60_000)
    expected = np.sin(x) * 2
    wrong: list[int] = []
    done = threading.Event()

    def work(number: int) -> None:
        while not done.is_set():
            if not np.array_equal(compiled(x), compiled(x)):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(60):
            if turn % 3:
                compiled.cache_clear()
            for size in range(LIMIT + 1):
                compiled(np.ones(size))
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert not wrong
    np.testing.assert_allclose(compiled(x), expected, rtol=1e-12)


def test_a_kind_that_goes_while_its_short_way_is_made() -> None:
    """Whoever comes second, the maker or the one that drops it, takes it away."""
    compiled = jit(lambda x: x + 1)
    compiled(np.ones(3))
    entry = compiled._newest()
    compiled.cache_clear()
    call = compiled._call((np.ones(3),), {})
    signature = entry.signature(call, [], None)
    compiled(np.ones(1))
    compiled(np.ones(1))
    caller: Any = next(iter(compiled._callers.values()))
    before = list(caller._recipes)
    entry.add_recipe(caller, "llvm", signature)
    assert list(caller._recipes) == before


def test_types_stand_for_the_arrays_of_a_kind() -> None:
    """What `make_ir` or `save` traced is there when a call comes."""
    function = jit(lambda x: x * 2.0)
    graph = make_ir(function)(spec("f64[3]"))
    assert function(np.ones(3)).sum() == 6.0
    assert function.compile_count == 1
    assert make_ir(function)(np.ones(3)) is graph
    with pytest.raises(ArgumentError, match="only make_ir and save take types"):
        function(spec("f64[3]"))
