"""Threads that share the parts of a large step.

A large step is cut into *tasks* by its sizes alone, so that results do not depend on
who computes them. The kernel `parallel` hands the tasks out: to the calling thread and
to whichever workers are free. The workers are threads of the C library that never touch
Python: they need no GIL, take no signals, and sleep while there is nothing to do.

One call has the workers at a time. Others meanwhile, calls from inside of a task, and
the children of a fork, which have no threads, compute their tasks themselves.

Where the system has no threads of this signature, or gives no more of them, the calling
thread computes alone, and a warning says why.
"""

from __future__ import annotations

import ctypes
import os
import signal
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from ..engine.engine import compile_kernel, exclusive, executor
from ..machine import current

__all__ = ["parallel_address", "pool_address", "pool_sources", "set_threads"]

ROUTINES = (
    *("mutex_init", "mutex_lock", "mutex_trylock", "mutex_unlock"),
    *("cond_init", "cond_wait", "cond_broadcast", "cond_signal"),
)
NAMES = (
    *("SELF", "RUN", *(name.upper() for name in ROUTINES)),
    *("WORKERS", "LIMIT"),  # how many there are, and how many may help
    *(
        "OPEN",
        "GENERATION",
        "ACTIVE",
        "NEXT",
    ),  # the job: is there one, which, who, what
    *("TASKS", "SPAN", "PROGRAM", "BUFFERS", "STATUS"),
)
ROOM = 16  # words for a mutex or a condition
LOCKS = ("OWNER", "MUTEX", "WORK", "DONE")
CONSTANTS = {
    **{name: number for number, name in enumerate(NAMES)},
    **{name: ROOM * (2 + number) for number, name in enumerate(LOCKS)},
    "SPINS": 60_000,  # some 50 us, which a thread waits before it sleeps
}

SHARE = """
def share(pool):
    # Take tasks until none is left.
    job = i64_pointer(pool)
    task = atomic_add(job, NEXT, 1)
    while task < job[TASKS]:
        start = job[PROGRAM] + 16 * job[SPAN] * task
        status = invoke(job[RUN], start, job[SPAN], job[BUFFERS], 0, 0)
        if status != 0:
            job[STATUS] = status
        task = atomic_add(job, NEXT, 1)
    return 0
"""

WORKER = """
@written_out
def kernel(pool, unused):
    job = i64_pointer(pool[SELF])
    mutex = pool[SELF] + 8 * MUTEX
    seen = atomic_load(job, GENERATION)
    while True:
        spins = 0
        while atomic_load(job, GENERATION) == seen and spins < SPINS:
            spins += 1
        invoke(job[MUTEX_LOCK], mutex)
        while job[GENERATION] == seen:
            invoke(job[COND_WAIT], pool[SELF] + 8 * WORK, mutex)
        seen = job[GENERATION]
        if job[OPEN] != 0 and job[ACTIVE] < job[LIMIT]:
            job[ACTIVE] = job[ACTIVE] + 1
            invoke(job[MUTEX_UNLOCK], mutex)
            share(pool[SELF])
            invoke(job[MUTEX_LOCK], mutex)
            job[ACTIVE] = job[ACTIVE] - 1
            if job[ACTIVE] == 0:
                invoke(job[COND_SIGNAL], pool[SELF] + 8 * DONE)
        invoke(job[MUTEX_UNLOCK], mutex)
    return 0
"""

PARALLEL = """
@written_out
def kernel(buffers, words):
    # pool, program, tasks, steps of each task
    pool, program, tasks, span = words[0], words[1], words[2], words[3]
    job = i64_pointer(pool)
    table = address(buffers)
    mutex = pool + 8 * MUTEX
    alone = job[WORKERS] == 0 or job[LIMIT] == 0
    if not alone:
        alone = invoke(job[MUTEX_TRYLOCK], pool + 8 * OWNER) & 0xFFFFFFFF != 0
    if alone:
        return invoke(job[RUN], program, tasks * span, table, 0, 0)
    invoke(job[MUTEX_LOCK], mutex)
    job[PROGRAM] = program
    job[TASKS] = tasks
    job[SPAN] = span
    job[BUFFERS] = table
    job[STATUS] = 0
    job[NEXT] = 0
    job[OPEN] = 1
    atomic_add(job, GENERATION, 1)
    invoke(job[COND_BROADCAST], pool + 8 * WORK)
    invoke(job[MUTEX_UNLOCK], mutex)
    share(pool)
    spins = 0
    while atomic_load(job, ACTIVE) != 0 and spins < SPINS:
        spins += 1
    invoke(job[MUTEX_LOCK], mutex)
    job[OPEN] = 0
    while job[ACTIVE] != 0:
        invoke(job[COND_WAIT], pool + 8 * DONE, mutex)
    status = job[STATUS]
    invoke(job[MUTEX_UNLOCK], mutex)
    invoke(job[MUTEX_UNLOCK], pool + 8 * OWNER)
    return status
"""


@cache
def pool_sources() -> tuple[str, str]:
    """The kernel that hands tasks out, and the one that a worker runs."""
    names = "\n".join(f"{name} = {number}" for name, number in CONSTANTS.items())
    return f"{names}\n{SHARE}{PARALLEL}", f"{names}\n{SHARE}{WORKER}"


def parallel_address() -> int:
    """The address of the kernel that hands tasks out."""
    return compile_kernel(pool_sources()[0])


class NoThreads(Exception):
    """Why this system cannot have workers."""


def pthreads() -> Mapping[str, Any]:
    """The routines of the C library's threads, by their names without ``pthread_``.

    Raises `NoThreads` where they, or what workers need besides them, are missing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        raise NoThreads("no thread here can block signals")
    if hasattr(os, "fork") and not hasattr(os, "register_at_fork"):
        raise NoThreads("a child could not be told that it has no threads")
    names = *ROUTINES, "create", "detach"
    # Without a C library there is none to open, or none that is the process's own.
    with suppress(OSError, TypeError, AttributeError):
        library = ctypes.CDLL(None)
        return {name: library[f"pthread_{name}"] for name in names}
    raise NoThreads("the C library of this process has no POSIX threads")


class Pool:
    """The memory that the threads share, and the workers."""

    def __init__(self) -> None:
        self.words = np.zeros(ROOM * (2 + len(LOCKS)), np.int64)
        self.address = self.words.ctypes.data
        execute: Any = executor()
        self._set("SELF", self.address)
        self._set("RUN", ctypes.cast(execute, ctypes.c_void_p).value or 0)
        self._routines: Mapping[str, Any] = {}
        self._lacking = ""  # why there cannot be workers
        self._has_warned = False
        try:
            self._routines = pthreads()
        except NoThreads as reason:
            self._lacking = str(reason)
            return
        for name in ROUTINES:
            routine = ctypes.cast(self._routines[name], ctypes.c_void_p)
            self._set(name.upper(), routine.value or 0)
        self.reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.reset)

    def _set(self, name: str, value: int) -> None:
        self.words[CONSTANTS[name]] = value

    def reset(self) -> None:
        """No workers, no job, all locks open."""
        for name in NAMES[NAMES.index("WORKERS") :]:
            self._set(name, 0)
        for name in LOCKS:
            start = CONSTANTS[name]
            self.words[start : start + ROOM] = 0
            kind = "mutex" if name in ("OWNER", "MUTEX") else "cond"
            init = self._routines[f"{kind}_init"]
            init(ctypes.c_void_p(self.address + 8 * start), None)

    def start(self, workers: int) -> None:
        """Have this many workers help, and start those that are missing."""
        missing = workers - int(self.words[CONSTANTS["WORKERS"]])
        if self._lacking:
            if missing > 0:
                self._warn(self._lacking)
            return
        self._set("LIMIT", workers)
        if missing <= 0:
            return
        work = compile_kernel(pool_sources()[1])
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        refusal = 0
        try:
            while missing > 0 and refusal == 0:
                refusal = self._start_one(work)
                missing -= 1
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if refusal:
            self._warn(f"the system gives no more threads, {os.strerror(refusal)}")

    def _start_one(self, work: int) -> int:
        """Start a worker that runs the kernel at ``work``; 0, or the error's number."""
        thread = ctypes.c_ulong()
        arguments = [ctypes.c_void_p(word) for word in (work, self.address)]
        status = self._routines["create"](ctypes.byref(thread), None, *arguments)
        if status == 0:
            self._routines["detach"](thread)
            self.words[CONSTANTS["WORKERS"]] += 1
        return status

    def _warn(self, reason: str) -> None:
        """Say once why there are fewer threads than wanted."""
        if not self._has_warned:
            self._has_warned = True
            count = 1 + int(self.words[CONSTANTS["WORKERS"]])
            share = "1 core" if count == 1 else f"{count} cores"
            text = f"large steps are computed on {share}: {reason}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)


@cache
def _pool() -> Pool:
    return Pool()


def pool_address() -> int:
    """The address of the pool's memory; starts the workers that are missing."""
    with exclusive():  # threads that compile at once share one pool and its workers
        pool = _pool()
        pool.start(current().threads - 1)
    return pool.address


def set_threads(count: int) -> None:
    """Let this many threads share work from now on."""
    _pool().start(count - 1)
