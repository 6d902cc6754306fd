"""Entries that move elements: shapes, joins, splits, indices."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import scipy.linalg

__all__ = ["SHAPES"]


def _shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    return sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple) else sizes


def _expand(x: Any, *sizes: Any) -> Any:
    shape = _shape(sizes)
    known = (1,) * (len(shape) - x.ndim) + x.shape
    new = [old if size == -1 else size for size, old in zip(shape, known, strict=True)]
    return np.broadcast_to(x, new)


def _sum_to_size(x: Any, *sizes: Any) -> Any:
    shape = tuple(sizes[0]) if isinstance(sizes[0], (tuple, list)) else sizes
    lead = x.ndim - len(shape)
    kept = tuple(i for i in range(lead, x.ndim) if shape[i - lead] == 1)
    return x.sum(axis=kept, keepdims=True).sum(axis=tuple(range(lead)))


def _chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    return _split(x, -(-x.shape[dim] // chunks), dim)


def _split(x: Any, size: Any, dim: int = 0) -> Any:
    if isinstance(size, int):
        return np.split(x, range(size, x.shape[dim], size), axis=dim)
    return np.split(x, np.cumsum(size)[:-1], axis=dim)


def _tensor_split(x: Any, parts: Any, dim: int = 0) -> Any:
    parts = parts.tolist() if isinstance(parts, np.ndarray) else parts
    return np.array_split(x, parts, axis=dim)


def _part(x: Any, dim: int, index: Any) -> tuple[Any, ...]:
    """The index of ``x`` that has ``index`` along ``dim``, and all of the others."""
    return (slice(None),) * (dim % max(x.ndim, 1)) + (index,)


def _written(x: Any, place: Any, value: Any) -> Any:
    y = x.copy()
    y[place] = value
    return y


def _strided(x: Any, size: Any, stride: Any, storage_offset: int = 0) -> Any:
    places = np.full(size, storage_offset or 0)
    for axis, step in enumerate(stride):
        along = [1] * len(size)
        along[axis] = -1
        places = places + step * np.arange(size[axis]).reshape(along)
    return np.ravel(x)[places]


def _diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    count = x.shape[-1] + abs(offset)
    y = np.zeros((*x.shape[:-1], count, count))
    at = np.arange(x.shape[-1])
    y[..., at + max(-offset, 0), at + max(offset, 0)] = x
    return np.moveaxis(y, (-2, -1), (dim1, dim2))


def _diagonal_scatter(
    x: Any, source: Any, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Any:
    y = np.moveaxis(x.copy(), (dim1, dim2), (-2, -1))
    at = np.arange(source.shape[-1])
    y[..., at + max(-offset, 0), at + max(offset, 0)] = source
    return np.moveaxis(y, (-2, -1), (dim1, dim2))


def _combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    choose = combinations_with_replacement if with_replacement else combinations
    places = np.array(list(choose(range(x.size), r)), int).reshape(-1, r)
    return x[places]


def _cat(xs: Any, dim: int = 0) -> Any:
    """Vectors without elements count as nothing, whatever the others are."""
    return np.concatenate([x for x in xs if x.shape != (0,)] or xs, axis=dim)


def _atleast(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda xs: function(*xs) if isinstance(xs, list) else function(xs)


def _cartesian(first: Any, *others: Any) -> Any:
    if not others:
        return np.copy(first)
    grids = np.meshgrid(first, *others, indexing="ij")
    return np.stack([g.ravel() for g in grids], -1)


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if x.ndim == 0:
        return x.reshape(1)
    end = end_dim % x.ndim + 1
    return x.reshape(*x.shape[:start_dim], -1, *x.shape[end:])


def _unflatten(x: Any, dim: int, sizes: Any) -> Any:
    dim = dim % x.ndim
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def _narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    start = int(start) % max(x.shape[dim], 1)
    return x[_part(x, dim, slice(start, start + length))]


def _slice(
    x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    return x[_part(x, dim, slice(start, end, step))]


def _repeat(x: Any, *sizes: Any) -> Any:
    return np.tile(x, _shape(sizes))


def _roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    return np.roll(x, shifts, dims if dims != () else None)


def _squeeze(x: Any, dim: Any = None) -> Any:
    if dim is None or x.ndim == 0:
        return np.squeeze(x)
    dims = dim if isinstance(dim, tuple) else (dim,)
    return np.squeeze(x, tuple(d for d in dims if x.shape[d] == 1))


def _transposed(x: Any, dim0: int, dim1: int) -> Any:
    return np.swapaxes(x, dim0, dim1) if x.ndim else np.copy(x)


def _unbind(x: Any, dim: int = 0) -> Any:
    return [x[_part(x, dim, i)] for i in range(x.shape[dim])]


def _unfold(x: Any, dim: int, size: int, step: int) -> Any:
    if x.ndim == 0:
        return x.reshape(1)
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim)
    return windows[_part(windows, dim % x.ndim, slice(None, None, step))]


def _pad(x: Any, pad: Any, mode: Any = "constant", value: Any = None) -> Any:
    widths = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        widths[-1 - i] = (pad[2 * i], pad[2 * i + 1])
    grown = [(max(a, 0), max(b, 0)) for a, b in widths]
    cut = [slice(max(-a, 0), min(b, 0) or None) for a, b in widths]
    if mode == "circular":
        return np.pad(x[tuple(cut)], grown, "wrap")
    if mode == "constant":
        x = np.pad(x, grown, constant_values=value or 0)
    else:
        x = np.pad(x, grown, "edge" if mode == "replicate" else mode)
    return x[tuple(cut)]


def _pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    r, (*lead, c, h, w) = upscale_factor, x.shape
    y = x.reshape(*lead, c // (r * r), r, r, h, w)
    y = np.moveaxis(y, (-4, -3), (-3, -1))
    return y.reshape(*lead, c // (r * r), h * r, w * r)


def _pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    r, (*lead, c, h, w) = downscale_factor, x.shape
    y = x.reshape(*lead, c, h // r, r, w // r, r)
    y = np.moveaxis(y, (-3, -1), (-4, -3))
    return y.reshape(*lead, c * r * r, h // r, w // r)


def _channel_shuffle(x: Any, groups: int) -> Any:
    n, c, *rest = x.shape
    y = x.reshape(n, groups, c // groups, *rest)
    return np.swapaxes(y, 1, 2).reshape(x.shape)


SHAPES: dict[str, Callable[..., Any]] = {
    "H": lambda x: np.conj(x).T,
    "T": lambda x: x.T,
    "as_strided": _strided,
    "as_strided_copy": _strided,
    "atleast_1d": _atleast(np.atleast_1d),
    "atleast_2d": _atleast(np.atleast_2d),
    "atleast_3d": _atleast(np.atleast_3d),
    "block_diag": scipy.linalg.block_diag,
    "broadcast_tensors": np.broadcast_arrays,
    "broadcast_to": np.broadcast_to,
    "cartesian_prod": _cartesian,
    "cat": _cat,
    "chunk": _chunk,
    "column_stack": np.column_stack,
    "combinations": _combinations,
    "constant_pad_nd": lambda x, pad, value=0: _pad(x, pad, value=value),
    "diag": np.diag,
    "diag_embed": _diag_embed,
    "diagflat": lambda x, offset=0: np.diagflat(x, offset),
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2),
    "diagonal_copy": lambda x, offset=0, dim1=0, dim2=1: x.diagonal(offset, dim1, dim2),
    "diagonal_scatter": _diagonal_scatter,
    "dsplit": np.dsplit,
    "dstack": np.dstack,
    "expand": _expand,
    "expand_as": lambda x, other: np.broadcast_to(x, other.shape),
    "expand_copy": _expand,
    "flatten": _flatten,
    "flip": lambda x, dims: np.flip(x, dims),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "hsplit": np.hsplit,
    "hstack": np.hstack,
    "linalg.diagonal": lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(
        x, offset, dim1, dim2
    ),
    "mH": lambda x: np.conj(x).mT,
    "mT": lambda x: x.mT,
    "meshgrid.list_of_tensors": lambda xs, indexing: np.meshgrid(
        *(np.atleast_1d(x) for x in xs), indexing=indexing
    ),
    "meshgrid.variadic_tensors": lambda *xs, indexing: np.meshgrid(
        *(np.atleast_1d(x) for x in xs), indexing=indexing
    ),
    "movedim": np.moveaxis,
    "narrow": _narrow,
    "narrow_copy": _narrow,
    "nn.functional.channel_shuffle": _channel_shuffle,
    "nn.functional.pad.circular": _pad,
    "nn.functional.pad.constant": _pad,
    "nn.functional.pad.reflect": _pad,
    "nn.functional.pad.replicate": _pad,
    "nn.functional.pad.replicate_negative": _pad,
    "nn.functional.pixel_shuffle": _pixel_shuffle,
    "nn.functional.pixel_unshuffle": _pixel_unshuffle,
    "permute": lambda x, *dims: np.transpose(x, _shape(dims)),
    "permute_copy": lambda x, dims: x.transpose(dims),
    "ravel": np.ravel,
    "repeat": _repeat,
    "reshape": lambda x, *sizes: np.reshape(x, _shape(sizes)),
    "reshape_as": lambda x, other: x.reshape(other.shape),
    "roll": _roll,
    "rot90": lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims),
    "select": lambda x, dim, index: x[_part(x, dim, index)],
    "select_scatter": lambda x, source, dim, index: _written(
        x, _part(x, dim, index), source
    ),
    "slice": _slice,
    "slice_scatter": lambda x, source, dim=0, start=None, end=None, step=1: _written(
        x, _part(x, dim, slice(start, end, step)), source
    ),
    "split": _split,
    "split.list_args": _split,
    "split_with_sizes": _split,
    "split_with_sizes_copy": _split,
    "squeeze": _squeeze,
    "squeeze.multiple": _squeeze,
    "squeeze_copy": _squeeze,
    "stack": lambda xs, dim=0: np.stack(xs, axis=dim),
    "sum_to_size": _sum_to_size,
    "t": lambda x: x.T,
    "t_copy": np.transpose,
    "tensor_split": _tensor_split,
    "tile": _repeat,
    "transpose": _transposed,
    "transpose_copy": _transposed,
    "tril": np.tril,
    "triu": np.triu,
    "unbind": _unbind,
    "unbind_copy": _unbind,
    "unflatten": _unflatten,
    "unfold": _unfold,
    "unfold_copy": _unfold,
    "unsafe_chunk": _chunk,
    "unsafe_split": _split,
    "unsqueeze": np.expand_dims,
    "unsqueeze_copy": np.expand_dims,
    "view": lambda x, *sizes: np.reshape(x, _shape(sizes)),
    "view_as": lambda x, other: np.reshape(x, other.shape),
    "view_copy": lambda x, size: np.reshape(x, size),
    "vsplit": np.vsplit,
    "vstack": np.vstack,
}
