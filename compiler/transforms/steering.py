"""Functions that change nothing but derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from .custom import custom_vjp
from .custom_jvp import custom_jvp

__all__ = ["grad_clip", "grad_scale"]


def grad_scale(x: Any, factor: Any) -> Any:
    """``x``, whose derivatives are multiplied by ``factor``.

    Args:
        x: An array of floats, or a number.
        factor: A number, or an array that broadcasts to the shape of ``x``; -1 reverses
            gradients. It has no derivative itself.

    >>> import numpy as np, anabranch
    >>> anabranch.grad(lambda x: grad_scale(x, -1.0) ** 2)(3.0)
    np.float64(-6.0)
    """
    return _scaled(x, factor)


def grad_clip(x: Any, low: Any, high: Any) -> Any:
    """``x``, whose cotangent is clipped to the interval from ``low`` to ``high``.

    It is for gradients, and has no forward mode, as what clips is not linear.

    Args:
        x: An array of floats, or a number.
        low: The least that an element of the cotangent may be, a number or an array as
            for `numpy.clip`; of a complex one either part. It has no derivative.
        high: The most.

    >>> import numpy as np, anabranch
    >>> anabranch.grad(lambda x: grad_clip(x, -1.0, 1.0) ** 2)(3.0)
    np.float64(1.0)
    """
    return _clipped(x, low, high)


@custom_jvp
def _scaled(x: Any, factor: Any) -> Any:
    return x


_scaled.defjvps(lambda dot, value, x, factor: dot * factor, None)


@custom_vjp
def _clipped(x: Any, low: Any, high: Any) -> Any:
    return x


_clipped.defvjp(
    lambda x, low, high: (x, (low, high)),
    lambda bounds, g: (_within(g, *bounds), None, None),
)


def _within(g: Any, low: Any, high: Any) -> Any:
    """A cotangent between bounds; NumPy would order complex ones by their real part."""
    if np.iscomplexobj(g):
        return _within(g.real, low, high) + 1j * _within(g.imag, low, high)
    return np.clip(g, low, high)
