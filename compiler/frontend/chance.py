"""Random numbers and clocks: a trace would keep what they gave once, for all calls.

Drawing from a generator that a traced function got from outside, and asking for the
time, is an error at the line. A generator that it makes of a seed gives the same
numbers at each call, as it does in Python.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ...ir.errors import TraceError
from ..tracing.source import calling_frame, user_line

__all__ = ["allowing", "check_chance", "is_generator", "is_maker", "seeded"]

# By name, since a module that is not loaded has given nobody a generator or a clock.
_GENERATORS = {
    "numpy.random": ("Generator", "RandomState", "BitGenerator"),
    "random": ("Random",),
}
_CLOCKS = {
    *(
        ("time", f"{name}{ending}")
        for name in ("time", "perf_counter", "monotonic", "process_time")
        for ending in ("", "_ns")
    ),
    *((module, "urandom") for module in ("os", "posix", "nt")),
    *(("uuid", name) for name in ("uuid1", "uuid4")),
    *(("secrets", f"token_{name}") for name in ("bytes", "hex", "urlsafe")),
    ("secrets", "randbelow"),
}
_DRAWS = {"resample", "rvs"}
_NOW = {"now", "today", "utcnow"}

# The generators that the function made of seeds; None where all are allowed.
_seeded: ContextVar[list[Any] | None] = ContextVar("seeded", default=None)


@contextmanager
def allowing(anything: bool) -> Generator[None, None, None]:
    """Allow the function that is traced in the block seeds only, or ``anything``."""
    token = _seeded.set(None if anything else list(_seeded.get() or []))
    try:
        yield
    finally:
        _seeded.reset(token)


def _generators() -> tuple[type, ...]:
    """The classes of generators, of the modules that are loaded."""
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in _GENERATORS.items()
        if module in sys.modules
        for name in names
    )


def is_generator(value: Any) -> bool:
    """Whether a value is a generator of random numbers."""
    return isinstance(value, _generators())


def is_maker(function: Any) -> bool:
    """Whether a function makes generators of random numbers."""
    if isinstance(function, type):
        return issubclass(function, _generators())
    numpy_random: Any = sys.modules.get("numpy.random")
    return numpy_random is not None and function is numpy_random.default_rng


def seeded(maker: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A generator; where it is made of a seed, its numbers are no chance."""
    made = maker(*args, **kwargs)
    found = _seeded.get()
    if found is not None and any(one is not None for one in (*args, *kwargs.values())):
        found.append(made)
    return made


def check_chance(function: Callable[..., Any], named: Mapping[str, Any]) -> None:
    """Raise `TraceError` for a function that gives something else at each call.

    One of SciPy's that takes a seed by name does not.
    """
    made = _seeded.get()
    if made is None:
        return
    owner = getattr(function, "__self__", None)
    if isinstance(owner, _generators()):
        if any(owner is one for one in made):
            return
        what, values = "a random number", "numbers"
    elif _draws(function, owner):
        if any(named.get(name) is not None for name in ("random_state", "seed")):
            return
        what, values = "random numbers", "numbers"
    elif _is_clock(function, owner):
        what, values = "another value", "value"
    else:
        return
    name = getattr(function, "__qualname__", repr(function))
    raise TraceError(
        f"{name} gives {what} at each call, and the compiled function would keep that "
        "of its first",
        source=user_line(calling_frame()),
        hint=f"pass the {values} as an argument, or a seed: rng = "
        "np.random.default_rng(seed) inside of the function, with a static seed; or "
        "a key: anabranch.random.normal(key, shape) draws when the function runs; "
        "jit(f, allow_random=True) keeps what came first",
    )


def _draws(function: Any, owner: Any) -> bool:
    """Whether this is a method of a distribution of SciPy's that draws from it."""
    name = getattr(function, "__name__", "")
    return name in _DRAWS and type(owner).__module__.startswith("scipy.stats.")


def _is_clock(function: Any, owner: Any) -> bool:
    name = getattr(function, "__name__", "")
    dates: Any = sys.modules.get("datetime")
    if dates is not None and isinstance(owner, type) and issubclass(owner, dates.date):
        return name in _NOW
    return (getattr(function, "__module__", ""), name) in _CLOCKS
