"""Compiled functions in other processes, and in threads that meet."""

import copy
import dataclasses
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.calls import entry as calls
from anabranch.compiler.tree import flatten
from tests.oracles.work import HANGS


@anabranch.jit
def decorated(x):
    return np.sum(x * x)


slope = anabranch.grad(np.sum)


@pytest.mark.parametrize("function", [decorated, slope])
def test_pickled_by_name_or_by_what_it_compiles(function) -> None:
    twin = pickle.loads(pickle.dumps(function))
    np.testing.assert_array_equal(twin(np.ones(3)), function(np.ones(3)))
    assert copy.deepcopy(function) is function


def test_in_a_spawned_pool() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        [made] = pool.map(slope, [np.ones(2)])
    np.testing.assert_array_equal(made, [1.0, 1.0])


def joined(*threads: threading.Thread) -> bool:
    """Whether all threads ended in time."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS)
    return not any(thread.is_alive() for thread in threads)


def test_two_functions_that_call_each_other_in_two_threads() -> None:
    gate = threading.Barrier(2)

    @anabranch.jit
    def first(x):
        if x.shape[0] == 3:
            gate.wait(HANGS)
        return x[0] if x.shape[0] == 1 else second(x[1:])

    @anabranch.jit
    def second(x):
        if x.shape[0] == 3:
            gate.wait(HANGS)
        return x[0] if x.shape[0] == 1 else first(x[1:])

    x = np.arange(3.0)
    assert joined(
        threading.Thread(target=first, args=(x,), daemon=True),
        threading.Thread(target=second, args=(x,), daemon=True),
    )
    assert first(x) == second(x) == 2.0


def test_a_dataclass_that_many_threads_meet() -> None:
    gate = threading.Barrier(8)
    kinds = [dataclasses.make_dataclass(f"Kind{n}", ["w"]) for n in range(50)]
    found: list[Any] = []

    def meet() -> None:
        for kind in kinds:
            gate.wait(HANGS)
            found.append(flatten(kind(1.0))[0])

    assert joined(*[threading.Thread(target=meet, daemon=True) for _ in range(8)])
    assert found == [[1.0]] * 400


FIRST_CALLS = """
import sys, threading, numpy as np, anabranch
sys.setswitchinterval(1e-5)
x, gate, right = np.arange(6.0), threading.Barrier(8), []

def work(k):
    f = shared if k % 2 else anabranch.jit(lambda x: x * k + 1)
    for call in range(50):
        if call < 3:
            gate.wait()
        right.append(np.array_equal(f(x), x * (1 if k % 2 else k) + 1))

shared = anabranch.jit(lambda x: x + 1)
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(right) == 400 and all(right) and shared.compile_count == 1
"""


@pytest.mark.parametrize("tries", [2, pytest.param(50, marks=pytest.mark.fuzz)])
def test_first_calls_of_many_threads(tries: int) -> None:
    """Of one function and of several, in a process that has compiled nothing."""
    for _ in range(tries):
        subprocess.run([sys.executable, "-c", FIRST_CALLS], check=True, timeout=HANGS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("stage", ["trace", "passes"])
def test_a_fork_in_the_middle_of_another_thread(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = threading.Event(), threading.Event()
    optimise = calls.optimise

    def wait(at: str) -> None:
        main = threading.current_thread() is threading.main_thread()
        if at == stage and not main:
            reached.set()
            go.wait(HANGS)

    def slow_passes(*arguments: Any) -> Any:
        wait("passes")
        return optimise(*arguments)

    @anabranch.jit
    def slow(x):
        wait("trace")
        return x + 1

    monkeypatch.setattr(calls, "optimise", slow_passes)
    thread = threading.Thread(target=slow, args=(np.ones(2),), daemon=True)
    thread.start()
    assert reached.wait(HANGS)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if slow(np.ones(2))[0] == 2.0 else 1)
        finally:
            os._exit(2)
    deadline = time.monotonic() + HANGS
    status = os.waitpid(child, os.WNOHANG)
    while status == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
        status = os.waitpid(child, os.WNOHANG)
    go.set()
    thread.join(HANGS)
    if status == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert status == (child, 0)
