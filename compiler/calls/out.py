"""``out=``: the caller's arrays, checked and filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ...backends.base import Array
from ...ir.errors import ArgumentError
from ..tracing.running import is_traced
from ..tree import flatten, outline, path_names

__all__ = ["write_arguments", "write_result"]

EFFORT = 10_000  # candidates that NumPy tries before we look at every element


def write_result(result: Any, out: Any) -> None:
    """Copy the leaves of a result into the arrays of ``out``, a tree like it.

    Nothing is written unless all of it can be.
    """
    leaves, structure = flatten(result)
    targets, other = flatten(out)
    if structure != other:
        raise ArgumentError(
            f"out is structured as {outline(other)}, the result as "
            f"{outline(structure)}",
            hint="out is a tree of arrays like the result, of rank 0 for scalars",
        )
    for leaf, target in zip(leaves, targets, strict=True):
        if is_traced(leaf):
            raise ArgumentError("a call that is being traced takes no out")
        wanted = leaf.dtype, np.shape(leaf)
        if not isinstance(target, np.ndarray):
            raise ArgumentError(f"out has a {type(target).__name__}, not an array")
        if (target.dtype, target.shape) != wanted or not target.flags.writeable:
            raise ArgumentError(
                f"out has {'an' if target.flags.writeable else 'a read-only'} array of "
                f"{target.dtype}{list(target.shape)} for {wanted[0]}{list(wanted[1])}"
            )
    _check_memory(targets, out)
    for leaf, target in zip(leaves, targets, strict=True):
        target[...] = leaf


def write_arguments(
    leaves: Sequence[Any], written: Sequence[int], contents: Sequence[Any]
) -> None:
    """Store what the arguments at these positions hold after a call.

    Raises `ArgumentError` where that cannot be what NumPy would leave there: for what
    is no writeable array, and for one that shares memory with another argument.
    """
    arrays = [(i, leaf) for i, leaf in enumerate(leaves) if _is_array(leaf)]
    for place, content in zip(written, contents, strict=True):
        target = leaves[place]
        if is_traced(target):
            _check_alone(place, leaves)
            target[...] = content
            continue
        if not isinstance(target, np.ndarray) or not target.flags.writeable:
            raise ArgumentError(
                "the function writes into an argument that is read-only"
            )
        if any(i != place and _share(target, other) for i, other in arrays):
            raise ArgumentError(
                "the function writes into an argument that shares memory with another",
                hint="pass a copy",
            )
        target[...] = content


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray)


def _check_alone(place: int, leaves: Sequence[Any]) -> None:
    """Raise `ArgumentError` where a traced array comes in as two arguments."""
    for i, other in enumerate(leaves):
        shared = is_traced(other) and other.memory is leaves[place].memory
        if i != place and shared:
            raise ArgumentError(
                "the function writes into an argument that shares memory with another",
                hint="pass a copy",
            )


def _check_memory(targets: Sequence[Array], out: Any) -> None:
    """Refuse arrays of which one result would overwrite another, or itself."""
    for number, target in enumerate(targets):
        if _overlaps_itself(target):
            raise ArgumentError(
                f"elements of {_name(out, number)} share memory",
                hint="a broadcast or strided view cannot hold a result",
            )
    for one, other in _near(targets):
        if _share(targets[one], targets[other]):
            first, second = sorted((one, other))
            raise ArgumentError(
                f"{_name(out, first)} and {_name(out, second)} share memory",
                hint="each result needs an array of its own",
            )


def _name(out: Any, number: int) -> str:
    """A leaf of ``out`` by its path."""
    path = path_names(out)[number]
    return f"out.{path}" if path else "out"


def _near(arrays: Sequence[Array]) -> Iterator[tuple[int, int]]:
    """The pairs of arrays whose ranges of addresses meet.

    In the order of where they begin, each is compared with those that go on: a sweep
    over a list of disjoint arrays finds none for each.
    """
    ranges = [(*byte_bounds(a), i) for i, a in enumerate(arrays) if a.size and a.nbytes]
    open_: list[tuple[int, int]] = []
    for start, end, number in sorted(ranges):
        open_ = [(last, other) for last, other in open_ if last > start]
        yield from ((other, number) for _, other in open_)
        open_.append((end, number))


def _share(one: Array, other: Array) -> bool:
    """Whether two arrays have a byte in common; exact, at a bounded cost."""
    try:
        work: Any = EFFORT  # which NumPy's stubs know as 0 or -1 only
        return np.shares_memory(one, other, max_work=work)
    except np.exceptions.TooHardError:
        bytes_ = np.concatenate([_addresses(one), _addresses(other)])
        return np.unique(bytes_).size < bytes_.size


def _overlaps_itself(array: Array) -> bool:
    """Whether two elements of an array have a byte in common."""
    steps = sorted(
        (abs(stride), size)
        for stride, size in zip(array.strides, array.shape, strict=True)
        if size > 1
    )
    span = array.itemsize
    apart = True  # so far, each axis steps over all that those below it reach
    for stride, size in steps:
        apart = apart and stride >= span
        span += stride * (size - 1)
    if apart or not array.size:
        return False
    if array.nbytes > span:  # a broadcast, say; what follows costs no more than span
        return True
    addresses = _addresses(array)
    return np.unique(addresses).size < addresses.size


def _addresses(array: Array) -> Array:
    """The address of every byte of an array."""
    total = np.arange(array.itemsize)
    for stride, size in zip(array.strides, array.shape, strict=True):
        total = np.add.outer(total, np.arange(size) * stride)
    return total.ravel() + array.__array_interface__["data"][0]
