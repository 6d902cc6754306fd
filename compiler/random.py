"""Random numbers from a key: traced, compiled, and the same wherever they are drawn.

A key is two words, an array ``uint32[2]``. What is drawn depends on the key and on the
shape alone: the same key gives the same numbers, so each key is used once, and `split`
and `fold_in` make new ones. Nothing is remembered, so nothing of it is frozen in a
compiled function, and loops draw new numbers in each turn: ``fold_in(key, turn)``.

The bits are those of Threefry-2x32 with 20 rounds, a function of key and counter that
is made of additions, rotations and exclusive ors: J. K. Salmon, M. A. Moraes, R. O.
Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). They are the
same on every backend and machine; what goes through a logarithm or a cosine is so to
rounding. Numbers that are drawn have no derivative by the key. By ``loc``, ``scale``
and the like they have that of ``loc + scale * z``.

All functions take plain values too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.errors import ArgumentError
from .tracing.running import as_array, find_trace, is_traced

__all__ = [
    "bernoulli",
    "bits",
    "choice",
    "exponential",
    "fold_in",
    "gumbel",
    "integers",
    "key",
    "normal",
    "permutation",
    "split",
    "uniform",
]

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = np.uint32(0x1BD11BDA)
_ROUNDS = 20
# The second word of a counter: what is drawn, and new keys, never share one.
_DRAWN, _SPLIT, _FOLDED = np.uint32(0), np.uint32(1), np.uint32(2)


def _block(key: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """The two words of Threefry-2x32 for a counter of two words."""
    key = as_array(key)
    if key.shape != (2,) or key.dtype != np.uint32:
        raise ArgumentError(
            f"a key is uint32[2], not {key.dtype}{list(key.shape)}",
            hint="anabranch.random.key(seed) makes one",
        )
    with np.errstate(over="ignore"):
        words = key[0], key[1], key[0] ^ key[1] ^ _PARITY
        x, y = low + words[0], high + words[1]
        for turn in range(_ROUNDS):
            x = x + y
            by = _ROTATIONS[turn % 8]
            y = np.left_shift(y, np.uint32(by)) | np.right_shift(y, np.uint32(32 - by))
            y = y ^ x
            if turn % 4 == 3:
                number = turn // 4 + 1
                x = x + words[number % 3]
                y = y + words[(number + 1) % 3] + np.uint32(number)
    return x, y


def _word(value: Any) -> Any:
    """The low 32 bits of an integer, which may be negative."""
    if is_traced(value):
        return value.astype(np.uint64).astype(np.uint32)
    return np.asarray(value).astype(np.int64).astype(np.uint32)


def _shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, Sequence) else (shape,)
    found = tuple(operator.index(size) for size in sizes)
    if min(found, default=0) < 0:
        raise ArgumentError(f"shape={shape!r} has a negative size")
    return found


def key(seed: Any) -> Any:
    """The key of a seed, an integer of up to 64 bits.

    >>> key(1).tolist()
    [0, 1]
    """
    if is_traced(seed):
        wide = seed.astype(np.int64).astype(np.uint64)
        high = np.right_shift(wide, np.uint64(32))
        return np.stack([high.astype(np.uint32), wide.astype(np.uint32)])
    number = operator.index(seed)
    return np.array([number >> 32 & 0xFFFFFFFF, number & 0xFFFFFFFF], np.uint32)


def split(key: Any, n: int = 2) -> Any:
    """New keys, as the rows of an array of ``n``."""
    counter = np.arange(operator.index(n), dtype=np.uint32)
    return np.stack(_block(key, counter, np.full_like(counter, _SPLIT)), axis=-1)


def fold_in(key: Any, i: Any) -> Any:
    """A new key for an integer, of which 32 bits count: the turn of a loop, say."""
    word = np.reshape(_word(i), ())
    return np.stack(_block(key, word, _FOLDED))


def bits(key: Any, shape: int | Sequence[int] = (), dtype: Any = np.uint32) -> Any:
    """Random bits as ``uint32`` or ``uint64``."""
    sizes, kind = _shape(shape), np.dtype(dtype)
    if kind not in (np.dtype("u4"), np.dtype("u8")):
        raise ArgumentError(f"bits are uint32 or uint64, not {kind}")
    size = math.prod(sizes)
    wide = kind == np.uint64
    counter = np.arange(size if wide else -(-size // 2), dtype=np.uint32)
    x, y = _block(key, counter, np.full_like(counter, _DRAWN))
    if wide:
        high = np.left_shift(x.astype(np.uint64), np.uint64(32))
        return np.reshape(high | y.astype(np.uint64), sizes)
    return np.reshape(np.concatenate((x, y))[:size], sizes)


def _unit(key: Any, shape: int | Sequence[int], dtype: Any) -> Any:
    """Numbers from 0 to 1, which is not among them, all equally far apart."""
    kind = np.dtype(dtype)
    if kind == np.float64:
        drawn = np.right_shift(bits(key, shape, np.uint64), np.uint64(11))
        return drawn.astype(kind) * 2.0**-53
    if kind == np.float32:
        drawn = np.right_shift(bits(key, shape), np.uint32(8))
        return drawn.astype(kind) * np.float32(2.0**-24)
    raise ArgumentError(f"random numbers are float32 or float64, not {kind}")


def uniform(
    key: Any,
    shape: int | Sequence[int] = (),
    low: Any = 0.0,
    high: Any = 1.0,
    dtype: Any = np.float64,
) -> Any:
    """Numbers from ``low`` to ``high``, which is not among them but for rounding.

    >>> uniform(key(0), 3).round(3).tolist()
    [0.418, 0.315, 0.393]
    """
    drawn = _unit(key, shape, dtype)
    if type(low) is float and type(high) is float and (low, high) == (0.0, 1.0):
        return drawn
    return low + (high - low) * drawn


def normal(
    key: Any,
    shape: int | Sequence[int] = (),
    loc: Any = 0.0,
    scale: Any = 1.0,
    dtype: Any = np.float64,
) -> Any:
    """``loc + scale * z``, z standard normal: by two numbers for two, on a circle.

    G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates"
    (1958).
    """
    sizes = _shape(shape)
    size = math.prod(sizes)
    kind = np.dtype(dtype)
    drawn = _unit(key, (2, -(-size // 2)), kind)
    radius = np.sqrt(kind.type(-2.0) * np.log1p(-drawn[0]))
    angle = kind.type(2 * math.pi) * drawn[1]
    both = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))
    z = np.reshape(both[:size], sizes)
    if type(loc) is float and type(scale) is float and (loc, scale) == (0.0, 1.0):
        return z
    return loc + scale * z


def exponential(
    key: Any,
    shape: int | Sequence[int] = (),
    scale: Any = 1.0,
    dtype: Any = np.float64,
) -> Any:
    """``scale * e``, e with the density exp(-e)."""
    return scale * -np.log1p(-_unit(key, shape, dtype))


def gumbel(key: Any, shape: int | Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """``-log(e)``, e exponential: the largest of ``log(p) + gumbel`` is a draw of p."""
    kind = np.dtype(dtype)
    tiny = np.finfo(kind).tiny
    return -np.log(np.maximum(exponential(key, shape, dtype=kind), tiny))


def bernoulli(key: Any, p: Any = 0.5, shape: int | Sequence[int] | None = None) -> Any:
    """True with probability ``p``; the shape is that of ``p`` where none is given.

    A mask of dropout: ``np.where(bernoulli(key, 0.9, x.shape), x / 0.9, 0.0)``.
    """
    sizes = np.shape(p) if shape is None else shape
    return np.less(_unit(key, sizes, np.float64), p)


def integers(
    key: Any,
    shape: int | Sequence[int],
    low: Any,
    high: Any | None = None,
) -> Any:
    """``int64`` from ``low`` to ``high``, which is not among them; from 0 with one.

    They are remainders of 64 bits: of r numbers each is as likely as another but for a
    part of r / 2^64.
    """
    if high is None:
        low, high = 0, low
    count = as_array(high - low)
    if not is_traced(count) and np.any(count <= 0):
        raise ArgumentError(f"integers from {low} to {high}: there are none")
    drawn = bits(key, shape, np.uint64)
    return np.remainder(drawn, count.astype(np.uint64)).astype(np.int64) + low


def _taken(values: Any, places: Any) -> Any:
    """The entries at places along the first axis; either may be traced."""
    trace = find_trace((values, places))
    if trace is None:
        return np.take(values, places, axis=0)
    return trace.apply(np.take, (values, places), {"axis": 0})


def permutation(key: Any, x: Any) -> Any:
    """The entries of ``x`` along its first axis in random order, or ``0 .. x - 1``."""
    values = np.arange(operator.index(x)) if np.ndim(x) == 0 else as_array(x)
    order = np.argsort(bits(key, values.shape[0], np.uint64), stable=True)
    return _taken(values, order)


def choice(
    key: Any,
    a: Any,
    shape: int | Sequence[int] = (),
    replace: bool = True,
    p: Any = None,
) -> Any:
    """Entries of ``a`` along its first axis, or of ``0 .. a - 1``.

    Args:
        key: What they are drawn by.
        a: An array, or how many numbers there are to choose from.
        shape: Of the draws.
        replace: Whether an entry may be drawn more than once.
        p: How likely each is, in any unit; all alike where it is None.

    Raises:
        ArgumentError: Where there are too few entries, or ``p`` has another size.
    """
    values = np.arange(operator.index(a)) if np.ndim(a) == 0 else as_array(a)
    sizes, count = _shape(shape), values.shape[0]
    size = math.prod(sizes)
    if p is not None and np.shape(p) != (count,):
        raise ArgumentError(f"p has the shape {np.shape(p)}, for {count} entries")
    if not replace and size > count:
        raise ArgumentError(f"{size} of {count} entries cannot be drawn once each")
    if replace and p is None:
        places = integers(key, sizes, count)
    elif replace:
        weights: Any = p
        total = np.cumsum(weights)
        drawn = _unit(key, sizes, np.float64) * total[-1]
        places = np.searchsorted(total, drawn, "right")
        places = np.minimum(places, count - 1)
    elif p is None:
        places = np.reshape(permutation(key, count)[:size], sizes)
    else:
        with np.errstate(divide="ignore"):
            keen = np.log(p) + gumbel(key, count)
        places = np.reshape(np.argsort(-keen, stable=True)[:size], sizes)
    return _taken(values, places)
