"""Filters of `scipy.ndimage` and `scipy.signal` that take one element of a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.errors import UnsupportedError
from ...tracing.lost_parts import complex_refused
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..ufuncs import reject
from .filters import NDIMAGE, SIGNAL, padded

__all__: list[str] = []


def _windows(
    trace: Trace, image: Any, sizes: Any, origin: Any, mode: str, cval: float
) -> Any:
    """What a window sees at each place, along a last axis."""
    x = trace.array(image)
    if x.dtype.kind == "c":
        raise complex_refused(trace.node(x))
    rank = np.ndim(x)
    sizes = np.broadcast_to(sizes, (rank,)).tolist()
    shifts = np.broadcast_to(origin, (rank,)).tolist()
    around = padded(x, sizes, shifts, mode, cval)
    seen = np.lib.stride_tricks.sliding_window_view(around, sizes)
    return np.reshape(seen, (*np.shape(x), -1))


def _register(name: str, take: Any) -> None:
    @lowers_in(NDIMAGE, name)
    def lower(
        trace: Trace,
        input: Any,
        size: Any = None,
        footprint: Any = None,
        output: Any = None,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: Any = 0,
        **named: Any,
    ) -> Any:
        reject({"footprint": footprint, "output": output, **named})
        if size is None:
            raise UnsupportedError(f"{name} without size= is not supported")
        return take(_windows(trace, input, size, origin, mode, cval))


def _middle(windows: Any) -> Any:
    return np.sort(windows, axis=-1)[..., np.shape(windows)[-1] // 2]


_register("maximum_filter", lambda windows: np.max(windows, axis=-1))
_register("minimum_filter", lambda windows: np.min(windows, axis=-1))
_register("median_filter", _middle)


@lowers_in(SIGNAL, "medfilt")
def _medfilt(trace: Trace, volume: Any, kernel_size: Any = None) -> Any:
    """The median of a window, zeros around."""
    sizes = 3 if kernel_size is None else kernel_size
    if np.any(np.asarray(sizes) % 2 == 0):
        raise ValueError("Each element of kernel_size should be odd.")
    return _middle(_windows(trace, volume, sizes, 0, "constant", 0.0))
