"""Attributes that are computed when they are first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["lazy"]

T = TypeVar("T")


class lazy(Generic[T]):
    """A method as an attribute, computed once and kept in the instance.

    Unlike `functools.cached_property` before Python 3.12 it holds no lock, which a fork
    meanwhile would leave held in the child. Threads may both compute what they read.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> T:
        if instance is None:
            raise AttributeError(self._function.__name__)
        value = self._function(instance)
        instance.__dict__[self._function.__name__] = value
        return value
