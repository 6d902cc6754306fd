"""Calls of objects of SciPy's as calls of functions that have lowerings."""

from __future__ import annotations

import sys
from typing import Any

from ..tracing.lowerings import lowering_of

__all__ = ["thawed"]

# What frozen distributions of vectors keep, in the order of the methods' arguments.
_PARAMETERS: dict[str, Any] = {
    "multivariate_normal": lambda it: (it.mean, it.cov_object.covariance),
    "multivariate_t": lambda it: (it.loc, it.shape, it.df),
    "dirichlet": lambda it: (it.alpha,),
    "multinomial": lambda it: (it.n, it.p),
}


def thawed(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A method of a frozen distribution as that of the distribution, and arguments.

    The method of another object becomes the function of its class, and the object the
    first argument; an object that is called, a spline say, as well.
    """
    owner: Any = getattr(function, "__self__", None)
    if not _is_scipys(type(function if owner is None else owner)):
        return function, args, kwargs
    if hasattr(owner, "kwds") and hasattr(owner, "dist"):
        return _of_numbers(function, owner, args, kwargs)
    kind, is_frozen, _ = type(owner).__name__.partition("_frozen")
    if is_frozen and kind in _PARAMETERS:
        found = getattr(sys.modules["scipy.stats"], kind)
        method = getattr(found, function.__name__, None)
        if method is not None:
            return method, (*args, *_PARAMETERS[kind](owner)), kwargs
    inner: Any = getattr(function, "__func__", None)
    if owner is None:
        inner, owner = getattr(type(function), "__call__", None), function  # noqa: B004
    if inner is not None and lowering_of(inner) is not None:
        return inner, (owner, *args), kwargs
    return function, args, kwargs


def _is_scipys(kind: type) -> bool:
    return str(kind.__module__).startswith("scipy.")


def _of_numbers(
    function: Any, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    module: Any = sys.modules["scipy.stats"]
    dist = getattr(module, str(getattr(owner.dist, "name", "")), None)
    found = getattr(dist, function.__name__, None)
    if found is None or type(dist) is not type(owner.dist):
        return function, args, kwargs
    return found, (*args, *owner.args), {**kwargs, **owner.kwds}
