"""The machine that code is made for, as one value.

``ANABRANCH_CPU`` names its processor: ``native``, which is the one at hand and the
default, or one of x86-64's levels. Code for a lesser processor runs on a greater one,
so that kernels of narrow vectors can be looked at, and run, on a machine with wide
ones. Code for a greater one would die of an illegal instruction, and is refused.

``ANABRANCH_THREADS`` is the number of threads that share work, by default that of the
cores that this process may use.

Both are read when something is planned or compiled; what was compiled before stays as
it is. Whatever depends on the machine asks `current`, and whatever keeps code keeps it
by its processor.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import NamedTuple

import llvmlite.binding as llvm

from ...ir.errors import AnabranchError
from ...ir.settings import complain, setting

__all__ = ["LEVELS", "Machine", "Processor", "current", "find_machine", "using"]

_SECOND = ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3")
_THIRD = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave")
_FOURTH = ("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
# The x86-64 psABI, section 3.1.1: each level has all that those before it have.
LEVELS = {
    "x86-64-v2": _SECOND,
    "x86-64-v3": (*_SECOND, *_THIRD),
    "x86-64-v4": (*_SECOND, *_THIRD, *_FOURTH),
}
NATIVE = "native"
MAX_TASKS = 16  # that a step is cut into


class Processor(NamedTuple):
    """A processor as LLVM is told of it: all of a machine that decides object code."""

    name: str
    features: str  # "+avx,-avx2", on top of those that the name implies


class Machine(NamedTuple):
    """What plans and kernels are made for."""

    processor: Processor
    vector_bytes: int  # of a vector register
    threads: int = 1  # that share work

    @property
    def vector_registers(self) -> int:
        """How many there are."""
        return 32 if self.vector_bytes == 64 else 16

    @property
    def is_x86(self) -> bool:
        """Whether it has the instructions of x86-64."""
        return "+sse2" in self.processor.features or self.processor.name in LEVELS


def find_machine(wanted: str, host: str, features: Mapping[str, bool]) -> Machine:
    """The machine called ``wanted``, for a host of this name and these features.

    Raises `AnabranchError` where the host could not run its code.

    >>> host = "znver2", dict.fromkeys(LEVELS["x86-64-v3"], True)
    >>> find_machine("x86-64-v2", *host).processor
    Processor(name='x86-64-v2', features='')
    >>> find_machine("native", *host).vector_bytes
    32
    """
    if wanted == NATIVE:
        listed = [f"{'-+'[has]}{name}" for name, has in sorted(features.items())]
        had = {name for name, has in features.items() if has}
        return Machine(Processor(host, ",".join(listed)), _vector_bytes(had))
    setting = f"ANABRANCH_CPU={wanted}"
    if wanted not in LEVELS:
        known = ", ".join((NATIVE, *LEVELS))
        raise AnabranchError(f"{setting}: no such processor", hint=f"it may be {known}")
    missing = [name for name in LEVELS[wanted] if not features.get(name)]
    if missing:
        raise AnabranchError(
            f"{setting}: this processor ({host}) has no {', '.join(missing)}",
            hint=f"{NATIVE} is all that it has",
        )
    return Machine(Processor(wanted, ""), _vector_bytes(set(LEVELS[wanted])))


def _vector_bytes(features: set[str]) -> int:
    return 64 if "avx512f" in features else 32 if "avx" in features else 16


_chosen: ContextVar[Machine | None] = ContextVar("machine", default=None)


@contextmanager
def using(machine: Machine) -> Generator[Machine, None, None]:
    """Make code for another machine in the body, which has to run here all the same."""
    token = _chosen.set(machine)
    try:
        yield machine
    finally:
        _chosen.reset(token)


def current() -> Machine:
    """The machine of `using`, or the one that the environment asks for."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    wanted = setting("ANABRANCH_CPU", "the name of a processor", str) or NATIVE
    return _here(wanted)._replace(threads=_threads())


@cache
def _here(wanted: str) -> Machine:
    """The machine called ``wanted``, where the processor at hand can run its code."""
    return find_machine(wanted, llvm.get_host_cpu_name(), llvm.get_host_cpu_features())


def _threads() -> int:
    """The threads that share work: those of ``ANABRANCH_THREADS``, or the cores.

    No step has more than `MAX_TASKS` tasks, so there are never more threads than that.
    """
    wanted = setting("ANABRANCH_THREADS", "a whole number of at least 1", _count)
    if wanted is None:
        return min(_cores(), MAX_TASKS)
    if wanted > MAX_TASKS:
        complain(f"ANABRANCH_THREADS={wanted} means {MAX_TASKS}: no more share work")
    return min(wanted, MAX_TASKS)


def _count(text: str) -> int | None:
    """A number of threads, None for what is none."""
    text = text.strip()
    short = text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) or None if short else None


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
