"""Functions that change nothing but derivatives."""

from __future__ import annotations

from functools import partial
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


def grad_clip(x: Any, low: float, high: float) -> Any:
    """``x``, whose cotangent is clipped to the interval from ``low`` to ``high``.

    It is for gradients, and has no forward mode, as what clips is not linear.

    Args:
        x: An array of floats, or a number.
        low: The least that an element of the cotangent may be.
        high: The most.

    >>> import numpy as np, anabranch
    >>> anabranch.grad(lambda x: grad_clip(x, -1.0, 1.0) ** 2)(3.0)
    np.float64(1.0)
    """
    return _clipped(x, low, high)


@partial(custom_jvp, nondiff_argnums=(1,))
def _scaled(x: Any, factor: Any) -> Any:
    return x


@_scaled.defjvp
def _(factor: Any, primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    return primals[0], tangents[0] * factor


@partial(custom_vjp, nondiff_argnums=(1, 2))
def _clipped(x: Any, low: float, high: float) -> Any:
    return x


_clipped.defvjp(
    lambda x, low, high: (x, None),
    lambda low, high, kept, g: (np.clip(g, low, high),),
)
