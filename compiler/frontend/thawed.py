"""Calls of objects of SciPy's as calls of functions that have lowerings."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["thawed"]


def thawed(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A method of a frozen distribution as that of the distribution, and arguments.

    An object that is called, a spline say, becomes its first argument.
    """
    pieces: Any = sys.modules.get("scipy.interpolate")
    if pieces is not None and isinstance(function, pieces.PPoly):
        return pieces.PPoly.__call__, (function, *args), kwargs
    module: Any = sys.modules.get("scipy.stats")
    owner: Any = getattr(function, "__self__", None)
    if module is None or not hasattr(owner, "dist") or not hasattr(owner, "kwds"):
        return function, args, kwargs
    dist = getattr(module, str(getattr(owner.dist, "name", "")), None)
    found = getattr(dist, function.__name__, None)
    if found is None or type(dist) is not type(owner.dist):
        return function, args, kwargs
    return found, (*args, *owner.args), {**kwargs, **owner.kwds}
