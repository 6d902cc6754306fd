"""Spectra of windows, and images that are read between their elements."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from tests.oracles.torch_ops.windows import cubic

__all__ = ["SIGNALS"]


def _stft(
    x: Any,
    n_fft: int,
    hop_length: Any = None,
    window: Any = None,
    center: bool = True,
    onesided: bool = True,
    return_complex: bool = True,
) -> Any:
    if center:
        sides = (n_fft // 2, n_fft // 2)
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [sides], "reflect")
    frames = np.lib.stride_tricks.sliding_window_view(x, n_fft, axis=-1)
    frames = frames[..., :: hop_length or n_fft // 4, :]
    if window is not None:
        frames = frames * window
    made = (np.fft.rfft if onesided else np.fft.fft)(frames).mT
    return made if return_complex else np.stack([made.real, made.imag], -1)


def _between(places: Any, size: int, padding: int, align_corners: bool) -> Any:
    """Places, moved into the image by its border (1) or a mirror at its ends (2)."""
    if padding == 2:
        low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
        if span == 0:
            return places * 0
        turned = np.abs(places - low) % (2 * span)
        places = np.where(turned > span, 2 * span - turned, turned) + low
    return np.clip(places, 0, size - 1) if padding else places


def _read(x: Any, index: list[Any], sizes: Any) -> Any:
    """The elements at whole places of each image, zeros outside of it."""
    inside = np.ones(index[0].shape, bool)
    for i, size in zip(index, sizes, strict=True):
        inside = inside & (i >= 0) & (i < size)
    ints = [np.clip(i, 0, n - 1).astype(int) for i, n in zip(index, sizes, strict=True)]
    batch = np.arange(len(x)).reshape(-1, *(1,) * len(sizes))
    values = np.moveaxis(x, 1, -1)[(batch, *ints)]
    return np.where(inside[..., None], values, 0)


def _grid_sample(
    x: Any,
    grid: Any,
    mode: Any = "bilinear",
    padding_mode: Any = "zeros",
    align_corners: Any = False,
) -> Any:
    names = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    mode = names[0].index(mode) if isinstance(mode, str) else mode
    if isinstance(padding_mode, str):
        padding_mode = names[1].index(padding_mode)
    sizes = x.shape[2:]
    places = []
    for axis, size in enumerate(sizes):
        place = grid[..., len(sizes) - 1 - axis]
        place = (
            (place + 1) / 2 * (size - 1)
            if align_corners
            else ((place + 1) * size - 1) / 2
        )
        if mode != 2:
            place = _between(place, size, padding_mode, align_corners)
        places.append(place)
    if mode == 1:
        made = _read(x, [np.rint(place) for place in places], sizes)
        return np.moveaxis(made, -1, 1)
    kernel, offsets = (cubic, range(-1, 3)) if mode == 2 else (_hat, range(2))
    total = np.zeros((*grid.shape[:-1], x.shape[1]))
    for corner in product(offsets, repeat=len(sizes)):
        index: list[Any] = []
        weight: Any = 1.0
        for place, size, offset in zip(places, sizes, corner, strict=True):
            at = np.floor(place) + offset
            weight = weight * kernel(place - at)
            index.append(
                _between(at, size, padding_mode, align_corners) if mode == 2 else at
            )
        total = total + weight[..., None] * _read(x, index, sizes)
    return np.moveaxis(total, -1, 1)


def _hat(t: Any) -> Any:
    return 1 - np.abs(t)


SIGNALS: dict[str, Callable[..., Any]] = {
    "grid_sampler_2d": _grid_sample,
    "grid_sampler_3d": _grid_sample,
    "nn.functional.grid_sample": _grid_sample,
    "stft": _stft,
}
