"""What becomes of the threads where a system has none, or no more of them."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from typing import Any

import numpy as np
import pytest

from anabranch import jit
from anabranch.backends.llvm.machine import current, using
from anabranch.backends.llvm.run import threads as pool
from anabranch.backends.llvm.run.threads import CONSTANTS, NoThreads, Pool, pthreads

X = np.random.default_rng(0).normal(size=(700, 300))


class NoSymbols:
    """A library with nothing in it."""

    def __getitem__(self, name: str) -> object:
        raise AttributeError(f"undefined symbol: {name}")


@pytest.fixture(params=[OSError, TypeError, NoSymbols, "signals", "forks"])
def lack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a system lacks."""
    if request.param == "signals":
        monkeypatch.delattr(signal, "pthread_sigmask")
        return "no thread here can block signals"
    if request.param == "forks":
        monkeypatch.delattr(os, "register_at_fork")
        return "a child could not be told that it has no threads"
    load = ctypes.CDLL

    def process(name: str | None) -> object:
        """Windows for one knows no library without a name."""
        if name is not None:
            return load(name)
        if request.param is NoSymbols:
            return NoSymbols()
        raise request.param

    monkeypatch.setattr(ctypes, "CDLL", process)
    return "the C library of this process has no POSIX threads"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """The pool of a process that has had no threads yet."""
    made = Pool()
    monkeypatch.setattr(pool, "_pool", lambda: made)
    return made


def large(x: Any) -> Any:
    return np.sum(np.exp(x), axis=0), np.max(x), np.tanh(x) * x


def check_large(threads: int) -> None:
    """Large steps give the same bits, however many threads are wanted."""
    with using(current()._replace(threads=1)):
        expected = jit(large)(X)
    with using(current()._replace(threads=threads)):
        compiled = jit(large)
        for one, other in zip(compiled(X), expected, strict=True):
            np.testing.assert_array_equal(one, other)
        executable: Any = compiled._newest().runner("llvm")
        assert any(step.tasks for step in executable.plan.steps)


def test_without_threads_the_caller_computes_alone_and_says_so(
    lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoThreads, match=lack):
        pthreads()
    made = Pool()
    monkeypatch.setattr(pool, "_pool", lambda: made)
    said = f"large steps are computed on 1 core: {lack}"
    with pytest.warns(RuntimeWarning, match=said) as warned:
        check_large(3)
    assert len(warned) == 1
    assert made.words[CONSTANTS["WORKERS"]] == 0


def test_who_wants_no_threads_is_not_warned(
    lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Pool()
    monkeypatch.setattr(pool, "_pool", lambda: made)
    check_large(1)


@pytest.mark.parametrize("given", [0, 1])
def test_a_system_that_gives_no_more_threads_is_believed(
    given: int, fresh: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    routines, asked = dict(pthreads()), []

    def create(*arguments: Any) -> int:
        asked.append(arguments)
        refused = len(asked) > given
        return errno.EAGAIN if refused else routines["create"](*arguments)

    monkeypatch.setattr(fresh, "_routines", {**routines, "create": create})
    share = ["1 core", "2 cores"][given]
    said = f"{share}: the system gives no more threads, {os.strerror(errno.EAGAIN)}"
    with pytest.warns(RuntimeWarning, match=said) as warned:
        check_large(5)
    assert len(warned) == 1
    assert fresh.words[CONSTANTS["WORKERS"]] == given
