"""How solvers are called: in a trace they are built into it, else compiled and held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..calls.function import Compiled
from ..calls.held import held
from ..calls.tracebacks import shows_users_frames
from ..tracing.lowerings import lowers
from ..tracing.running import active_trace
from ..tracing.trace import Trace
from .constants import here

__all__ = ["require", "solver"]

_SOLVER = "anabranch solver"


@shows_users_frames
def solver(
    public: Callable[..., Any],
    lower: Callable[..., Any],
    function: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
    /,
    **named: Any,
) -> Any:
    """What a solver makes of a function, which ``lower`` builds into a trace.

    Without a trace the ``public`` function is compiled, and held for the next call.
    ``options`` are not traced, and ``named`` may be.
    """
    trace = active_trace()
    if trace is not None:
        given = {**named, **options}
        return trace.apply(_SOLVER, (lower, function, *args), given)

    functions = (function,) if callable(function) else ()
    key = public, *options.items()
    users = [x for x in (*functions, *options.values()) if _may_change(x)]
    if users:
        make = partial(_compiled, key, *functions)
        others = tuple([x for x in functions if x is not users[0]])
        made = held(users[0], (len(functions), others, *key), make)
    else:
        made = _kept(key, *functions)
    return made(*args, **named) if functions else made(function, *args, **named)


def _may_change(value: Any) -> bool:
    """Whether a value is a function, which may read what changes."""
    if isinstance(value, tuple):
        return any(map(_may_change, value))
    return callable(value) and not isinstance(value, np.ufunc)


def _compiled(key: tuple[Any, ...], *functions: Any) -> Compiled:
    public, *options = key
    return Compiled(partial(public, *functions, **dict(options)))


_kept = lru_cache(maxsize=64)(_compiled)


@lowers(_SOLVER)
def _lower(trace: Trace, lower: Any, /, *args: Any, **given: Any) -> Any:
    return lower(*args, **given)


def require(value: Any, holds: Any, message: str) -> Any:
    """``value``, but a `DomainError` when running where a condition does not hold."""
    trace = here()
    b = trace.builder
    flag = b.cast(trace.node(holds), "i64")
    passed = trace.wrap(b.check(flag, low=1, high=2, error="value", message=message))
    return np.where(passed == 1, value, value.dtype.type(np.nan))
