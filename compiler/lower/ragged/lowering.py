"""What is done to arrays whose sizes are known only when running; see `Ragged`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...tracing.trace import Trace
from ...tracing.tracer import GETITEM, SETITEM
from .elements import each, is_ragged, refuse
from .rules import RULES
from .views import part_of, set_part

__all__ = ["lower_ragged"]


def lower_ragged(trace: Trace, function: Any, args: Sequence[Any], kwargs: Any) -> Any:
    """A call with arrays of unknown sizes among its arguments."""
    options = {k: v for k, v in kwargs.items() if k != "operator"}
    if function is GETITEM and is_ragged(args[0]):
        return part_of(trace, *args)
    if function is SETITEM and is_ragged(args[0]):
        return set_part(trace, *args)
    made: Callable[..., Any] | None = RULES.get(function)
    if made is not None:
        try:
            return made(trace, *args, **options)
        except TypeError as error:  # an argument that the rule does not have
            if error.__traceback__ and error.__traceback__.tb_next:
                raise
            refuse(args)
    is_plain = isinstance(function, np.ufunc) and function.nout == 1
    if is_plain and function.signature is None and not options:
        return each(trace, function, args)
    refuse(args)
