"""Random numbers and clocks: a trace would keep what they gave once, for all calls.

Drawing from a generator that a traced function got from outside, and asking for the
time, is an error at the line. A generator that it makes of a seed gives the same
numbers at each call, as it does in Python.
"""

from __future__ import annotations

import datetime
import os
import random
import secrets
import time
import uuid
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ...ir.errors import TraceError
from ..source import calling_frame, user_line

__all__ = ["allowing", "check_chance", "is_maker", "seeded"]

_GENERATORS = (
    *(np.random.Generator, np.random.RandomState, np.random.BitGenerator),
    random.Random,
)
_MAKERS: set[Any] = {np.random.default_rng, *_GENERATORS}
_CLOCKS: set[Any] = {
    *(time.time, time.time_ns, time.perf_counter, time.perf_counter_ns),
    *(time.monotonic, time.monotonic_ns, time.process_time, time.process_time_ns),
    *(os.urandom, uuid.uuid1, uuid.uuid4),
    *(secrets.token_bytes, secrets.token_hex, secrets.token_urlsafe),
    *(secrets.randbelow, secrets.randbits, secrets.choice),
}
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


def is_maker(function: Any) -> bool:
    """Whether a function makes generators of random numbers."""
    return isinstance(function, Hashable) and function in _MAKERS


def seeded(maker: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A generator; where it is made of a seed, its numbers are no chance."""
    made = maker(*args, **kwargs)
    found = _seeded.get()
    if found is not None and any(one is not None for one in (*args, *kwargs.values())):
        found.append(made)
    return made


def check_chance(function: Callable[..., Any]) -> None:
    """Raise `TraceError` for a function that gives something else at each call."""
    made = _seeded.get()
    if made is None:
        return
    owner = getattr(function, "__self__", None)
    if isinstance(owner, _GENERATORS):
        if any(owner is one for one in made):
            return
        what, values = "a random number", "numbers"
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
        "np.random.default_rng(seed) inside of the function, with a static seed; "
        "jit(f, allow_random=True) keeps what came first",
    )


def _is_clock(function: Any, owner: Any) -> bool:
    if isinstance(owner, type) and issubclass(owner, datetime.date):
        return function.__name__ in _NOW
    return isinstance(function, Hashable) and function in _CLOCKS
