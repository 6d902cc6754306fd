"""The collector of cycles is off inside of a stage on a graph, and only there."""

from __future__ import annotations

import gc
import multiprocessing
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.emit import make_plan
from anabranch.compiler.pipeline import optimise
from anabranch.ir.collection import imports_at_once, paused_collection


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


def test_the_outermost_pause_ends_it() -> None:
    with paused_collection():
        assert not gc.isenabled()
        with paused_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_ends_the_pause() -> None:
    with pytest.raises(ZeroDivisionError), paused_collection():
        _ = 1 // 0
    assert gc.isenabled()


def test_what_the_user_turned_off_stays_off() -> None:
    gc.disable()
    with paused_collection():
        pass
    assert not gc.isenabled()


def test_the_last_of_two_threads_ends_the_pause() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with paused_collection():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with paused_collection():
        thread.start()
        inside.wait()
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def _says_whether(results: Any) -> None:
    results.put(gc.isenabled())


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork"
)
def test_a_child_of_a_fork_collects() -> None:
    """Its parent's thread, which would end the pause, is not there."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    with paused_collection():
        child = context.Process(target=_says_whether, args=(results,))
        child.start()
        child.join()
    assert results.get()


@contextmanager
def collections() -> Generator[list[str], None, None]:
    """An entry for each time that the collector runs inside of the block."""
    begun: list[str] = []

    def count(phase: str, info: dict[str, int]) -> None:
        del info
        if phase == "start":
            begun.append(phase)

    gc.callbacks.append(count)
    try:
        yield begun
    finally:
        gc.callbacks.remove(count)


def test_what_is_imported_is_not_looked_at() -> None:
    with collections() as begun:
        with imports_at_once():
            kept = [[i] for i in range(10_000)]
        kept += [[i] for i in range(100)]
    assert begun == []
    assert gc.isenabled()


def test_what_the_user_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with imports_at_once():
            pass
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()


def stages(graph: anabranch.Graph) -> int:
    """How often the collector runs while a graph is optimised, checked and planned."""
    with collections() as begun:
        make_plan(optimise(graph).verify())
    return len(begun)


def test_the_stages_of_a_graph_are_not_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chain(x: Any) -> Any:
        for _ in range(300):
            x = np.sin(x) * x
        return np.sum(x)

    unrolled = anabranch.jit(chain, rewrite=False)
    graph = anabranch.make_ir(anabranch.value_and_grad(unrolled))(np.ones(3))
    paused = stages(graph)
    monkeypatch.setattr(gc, "isenabled", lambda: False)  # then nothing is paused
    assert 4 * paused < stages(graph)
