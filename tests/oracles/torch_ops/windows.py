"""Convolutions, pools and resampling of any number of dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import anabranch

__all__ = ["WINDOWS", "cubic"]


def _each(value: Any, count: int, default: Any = None) -> tuple[Any, ...]:
    """One number for each of the spatial axes."""
    if value is None or value == ():
        value = default
    if isinstance(value, (tuple, list)):
        return tuple(value) * count if len(value) == 1 else tuple(value)
    return (value,) * count


def _windows(
    x: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    *,
    fill: float = 0.0,
    ceil_mode: bool = False,
) -> Any:
    """The windows of the last axes; those in the windows come last."""
    d = len(kernel)
    spans = [(k - 1) * step + 1 for k, step in zip(kernel, dilation, strict=True)]
    widths = [(0, 0)] * (x.ndim - d)
    for size, span, step, pad in zip(x.shape[-d:], spans, stride, padding, strict=True):
        before, after = pad if isinstance(pad, tuple) else (pad, pad)
        if ceil_mode:
            count = -(-(size + before + after - span) // step)
            if count * step < size + before:  # a window has to begin inside
                after += max(count * step + span - size - before - after, 0)
        widths.append((before, after))
    x = np.pad(x, widths, constant_values=fill)
    x = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(-d, 0)))
    steps = [slice(None, None, step) for step in (*stride, *dilation)]
    return x[(..., *steps)]


def _conv(d: int) -> Callable[..., Any]:
    def run(
        x: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        if x.ndim == d + 1:
            return run(x[None], weight, bias, stride, padding, dilation, groups)[0]
        stride, dilation = _each(stride, d), _each(dilation, d)
        kernel = weight.shape[2:]
        if padding == "same":
            spans = [(k - 1) * step for k, step in zip(kernel, dilation, strict=True)]
            padding = tuple((span // 2, span - span // 2) for span in spans)
        padding = _each(0 if padding == "valid" else padding, d)
        windows = _windows(x, kernel, stride, padding, dilation)
        return _mixed(windows, weight, bias, groups, d)

    return run


def _mixed(windows: Any, weight: Any, bias: Any, groups: int, d: int) -> Any:
    n, c, *rest = windows.shape
    out, each, *kernel = weight.shape
    windows = windows.reshape(n, groups, c // groups, *rest)
    weight = weight.reshape(groups, out // groups, each, *kernel)
    space, inside = "uvw"[:d], "xyz"[:d]
    y = np.einsum(f"ngc{space}{inside},goc{inside}->ngo{space}", windows, weight)
    y = y.reshape(n, out, *rest[:d])
    return y if bias is None else y + bias.reshape(-1, *(1,) * d)


def _conv_transpose(d: int) -> Callable[..., Any]:
    """The convolution, turned around, of what has zeros between its elements."""

    def run(
        x: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        if x.ndim == d + 1:
            x = x[None]
            made = run(
                x, weight, bias, stride, padding, output_padding, groups, dilation
            )
            return made[0]
        stride, dilation = _each(stride, d), _each(dilation, d)
        padding, extra = _each(padding, d), _each(output_padding, d)
        sizes = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], stride, strict=True)]
        spread = np.zeros((*x.shape[:2], *sizes))
        spread[(..., *(slice(None, None, s) for s in stride))] = x
        kernel = weight.shape[2:]
        widths, cuts = [(0, 0), (0, 0)], [slice(None), slice(None)]
        parts = zip(kernel, dilation, padding, extra, strict=True)
        for k, step, pad, more in parts:
            span = (k - 1) * step
            widths.append((max(span - pad, 0), max(span - pad + more, 0)))
            cuts.append(slice(max(pad - span, 0), min(span - pad + more, 0) or None))
        spread = np.pad(spread, widths)[tuple(cuts)]
        c, each, *_ = weight.shape
        turned = np.flip(weight, tuple(range(-d, 0)))
        turned = turned.reshape(groups, c // groups, each, *kernel)
        turned = np.swapaxes(turned, 1, 2).reshape(groups * each, c // groups, *kernel)
        windows = _windows(spread, kernel, (1,) * d, (0,) * d, dilation)
        return _mixed(windows, turned, bias, groups, d)

    return run


def _max_pool(d: int) -> Callable[..., Any]:
    def run(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        windows = _windows(
            x,
            _each(kernel_size, d),
            _each(stride, d, kernel_size),
            _each(padding, d),
            _each(dilation, d),
            fill=-np.inf,
            ceil_mode=ceil_mode,
        )
        return windows.max(axis=tuple(range(-d, 0)))

    return run


def _max_pool_slope(x: Any, **named: Any) -> Any:
    """Torch's ``max_pool2d_backward`` with ones as what comes back."""
    return anabranch.grad(lambda x: np.sum(_max_pool(2)(x, **named)))(x)


def _avg_pool(d: int) -> Callable[..., Any]:
    def run(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
    ) -> Any:
        pad = _each(padding, d)
        shape = _each(kernel_size, d), _each(stride, d, kernel_size)
        inside = tuple(range(-d, 0))
        ones = np.ones(x.shape[-d:])
        if count_include_pad:
            counted = np.pad(ones, [(p, p) for p in pad])
            counted = np.pad(counted * 0 + 1, 0)
            count = _windows(counted, *shape, (0,) * d, (1,) * d, ceil_mode=ceil_mode)
        else:
            count = _windows(ones, *shape, pad, (1,) * d, ceil_mode=ceil_mode)
        windows = _windows(x, *shape, pad, (1,) * d, ceil_mode=ceil_mode)
        total = windows.sum(axis=inside)
        count = count.sum(axis=inside)[tuple(slice(n) for n in total.shape[-d:])]
        return total / (divisor_override or count)

    return run


def _unfold(
    x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    if x.ndim == 3:
        return _unfold(x[None], kernel_size, dilation, padding, stride)[0]
    windows = _windows(
        x, *(_each(value, 2) for value in (kernel_size, stride, padding, dilation))
    )
    n, c, h, w, kh, kw = windows.shape
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * kh * kw, h * w)


def _bins(size: int, count: int) -> list[slice]:
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _adaptive_sizes(x: Any, wanted: Any, d: int) -> list[int]:
    sizes = _each(wanted, d)
    return [n or old for n, old in zip(sizes, x.shape[-d:], strict=True)]


def _adaptive_max_pool(d: int) -> Callable[..., Any]:
    def run(x: Any, output_size: Any, return_indices: bool = False) -> Any:
        sizes = _adaptive_sizes(x, output_size, d)
        made = np.empty((*x.shape[:-d], *sizes))
        bins = [_bins(n, m) for n, m in zip(x.shape[-d:], sizes, strict=True)]
        for place in np.ndindex(*sizes):
            part = x[(..., *(b[i] for b, i in zip(bins, place, strict=True)))]
            made[(..., *place)] = part.max(axis=tuple(range(-d, 0)))
        return made

    return run


def _mapped(x: Any, matrices: list[Any]) -> Any:
    """Each of the last axes by a matrix."""
    for axis, matrix in zip(range(-len(matrices), 0), matrices, strict=True):
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


def _average_matrix(size: int, count: int) -> Any:
    matrix = np.zeros((count, size))
    for row, part in zip(matrix, _bins(size, count), strict=True):
        row[part] = 1 / (part.stop - part.start)
    return matrix


def _adaptive_avg_pool(d: int) -> Callable[..., Any]:
    def run(x: Any, output_size: Any) -> Any:
        sizes = _adaptive_sizes(x, output_size, d)
        pairs = zip(x.shape[-d:], sizes, strict=True)
        return _mapped(x, [_average_matrix(n, m) for n, m in pairs])

    return run


def cubic(t: Any, a: float = -0.75) -> Any:
    """Keys' kernel."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def _hat(t: Any) -> Any:
    return np.maximum(1 - np.abs(t), 0)


def _resample_matrix(
    size: int, count: int, scale: Any, mode: str, align_corners: bool
) -> Any:
    """The weights of the old places in the new ones, along one axis."""
    if mode == "area":
        return _average_matrix(size, count)
    matrix, new = np.zeros((count, size)), np.arange(count)
    step = 1 / scale if scale else size / count
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    places = new * step if align_corners else (new + 0.5) * step - 0.5
    if mode.startswith("nearest"):
        shift = 0.5 * step if mode == "nearest-exact" else 0.0
        old = np.minimum(np.floor(np.float32(new * step + shift)).astype(int), size - 1)
        matrix[new, old] = 1
        return matrix
    wide = mode == "bicubic"
    if not wide:
        places = np.maximum(places, 0)
    first = np.floor(places).astype(int)
    for offset in range(-1, 3) if wide else range(2):
        weight = (cubic if wide else _hat)(places - first - offset)
        np.add.at(matrix, (new, np.clip(first + offset, 0, size - 1)), weight)
    return matrix


def _interpolate(
    x: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
) -> Any:
    d = x.ndim - 2
    scales = _each(scale_factor, d)
    if size is None:
        sizes = tuple(
            int(np.floor(n * s)) for n, s in zip(x.shape[2:], scales, strict=True)
        )
    else:
        sizes = _each(size, d)
    if recompute_scale_factor:
        scales = (None,) * d
    parts = zip(x.shape[2:], sizes, scales, strict=True)
    matrices = [
        _resample_matrix(n, m, s, mode, bool(align_corners)) for n, m, s in parts
    ]
    return _mapped(x, matrices)


def _antialiased(
    x: Any,
    output_size: Any,
    align_corners: bool,
    scale_factors: Any = None,
    scales_h: Any = None,
    scales_w: Any = None,
) -> Any:
    """Linear weights as wide as what becomes one new element."""
    scales = scale_factors or (scales_h, scales_w)
    sizes = output_size or tuple(
        int(n * s) for n, s in zip(x.shape[2:], scales, strict=True)
    )
    matrices = []
    for n, m, scale in zip(x.shape[2:], sizes, scales, strict=True):
        step = 1 / scale if scale else n / m
        if align_corners:
            step = (n - 1) / (m - 1) if m > 1 else 0.0
        wide = max(step, 1.0)
        centres = step * (np.arange(m) + 0.5)
        low = np.maximum((centres - wide + 0.5).astype(int), 0)
        high = np.minimum((centres + wide + 0.5).astype(int), n)
        old = np.arange(n)
        weights = _hat((old + 0.5 - centres[:, None]) / wide)
        weights = weights * ((old >= low[:, None]) & (old < high[:, None]))
        matrices.append(weights / weights.sum(1, keepdims=True))
    return _mapped(x, matrices)


def _max_unpool(d: int) -> Callable[..., Any]:
    def run(x: Any, places: Any, output_size: Any, **_: Any) -> Any:
        lead, size = x.shape[:-d], output_size[-d:]
        values, flat = x.reshape(-1, np.prod(x.shape[-d:])), np.prod(size)
        made = np.zeros((len(values), flat))
        rows = np.arange(len(values))[:, None]
        made[rows, places.reshape(values.shape)] = values
        return made.reshape(*lead, *size)

    return run


WINDOWS: dict[str, Callable[..., Any]] = {
    "max_pool2d_with_indices_backward": _max_pool_slope,
    "_upsample_bilinear2d_aa": _antialiased,
    **{
        f"nn.functional.adaptive_avg_pool{d}d": _adaptive_avg_pool(d) for d in (1, 2, 3)
    },
    **{
        f"nn.functional.adaptive_max_pool{d}d": _adaptive_max_pool(d) for d in (1, 2, 3)
    },
    **{f"nn.functional.avg_pool{d}d": _avg_pool(d) for d in (1, 2, 3)},
    **{f"nn.functional.conv{d}d": _conv(d) for d in (1, 2, 3)},
    **{f"nn.functional.conv_transpose{d}d": _conv_transpose(d) for d in (1, 2, 3)},
    **{
        f"nn.functional.interpolate.{mode}": _interpolate
        for mode in ("area", "bicubic", "bilinear", "linear", "nearest")
    },
    "nn.functional.interpolate.nearest-exact": _interpolate,
    "nn.functional.interpolate.trilinear": _interpolate,
    **{f"nn.functional.max_pool{d}d": _max_pool(d) for d in (1, 2, 3)},
    **{f"nn.functional.max_unpool{d}d": _max_unpool(d) for d in (1, 2, 3)},
    **{f"nn.functional.max_unpool{d}d.grad": _max_unpool(d) for d in (1, 2, 3)},
    "nn.functional.unfold": _unfold,
    "nn.functional.upsample_bilinear": lambda x, size=None, scale_factor=None: (
        _interpolate(x, size, scale_factor, "bilinear", True)
    ),
    "nn.functional.upsample_nearest": lambda x, size=None, scale_factor=None: (
        _interpolate(x, size, scale_factor)
    ),
}
