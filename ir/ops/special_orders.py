"""The functions of `scipy.special` whose order is an integer: polynomials, Bessel's.

An order that is known is known in derivatives too, and so is where they end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .special import function, scaled, shifted

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__: list[str] = []


def _times_order(b: Builder, n: Node, x: Node, by: int = 0, factor: float = 1) -> Node:
    """``factor (n + by)`` as floats."""
    return scaled(b, b.cast(shifted(b, n, by), x.type.dtype), factor)


def _above_zero(b: Builder, n: Node, x: Node, value: Callable[[], Node]) -> Node:
    """A value where the order is not 0, and 0 there."""
    if (known := b.literal(n)) is not None:
        return value() if known > 0 else b.like(x, 0.0)
    return b.select(b.gt(n, b.like(n, 0)), value(), b.like(x, 0.0))


# Orthogonal polynomials: DLMF 18.9.15 to 18.9.26.


def _lower(
    b: Builder, name: str, n: Node, x: Node, parameter: float | None, factor: float
) -> Node:
    """``factor`` times the polynomial of one order less, with a parameter or without.

    Of an order that is not known it is that of order 0 where there is none less.
    """
    less = shifted(b, n, -1)
    if b.literal(n) is None:
        less = b.maximum(less, b.like(n, 0))
    given = () if parameter is None else (b.like(x, parameter),)
    return scaled(b, b.add_node(name, less, *given, x), factor)


def _by_order(name: str, lower: str, factor: float = 1.0) -> None:
    """Polynomials with the slope ``factor n lower(n - 1, x)``."""
    function(
        name,
        None,
        lambda b, y, n, x: _above_zero(
            b,
            n,
            x,
            lambda: b.mul(_times_order(b, n, x), _lower(b, lower, n, x, None, factor)),
        ),
    )


def _by_family(name: str, lower: str, parameter: float, factor: float) -> None:
    """Polynomials with the slope ``factor lower(n - 1, parameter, x)``."""
    function(
        name,
        None,
        lambda b, y, n, x: _above_zero(
            b, n, x, lambda: _lower(b, lower, n, x, parameter, factor)
        ),
    )


_by_order("eval_hermite", "eval_hermite", 2.0)
_by_order("eval_hermitenorm", "eval_hermitenorm")
_by_order("eval_chebyt", "eval_chebyu")
_by_family("eval_chebyu", "eval_gegenbauer", 2.0, 2.0)
_by_family("eval_legendre", "eval_gegenbauer", 1.5, 1.0)
_by_family("eval_laguerre", "eval_genlaguerre", 1.0, -1.0)


def _raised(b: Builder, name: str, n: Node, x: Node, *parameters: Node) -> Node:
    less = b.maximum(shifted(b, n, -1), b.like(n, 0))
    if (known := b.literal(n)) is not None:
        less = b.like(n, max(known - 1, 0))
    return b.add_node(name, less, *(shifted(b, p, 1.0) for p in parameters), x)


function(
    "eval_gegenbauer",
    None,
    "the parameter of eval_gegenbauer",
    lambda b, y, n, a, x: _above_zero(
        b,
        n,
        x,
        lambda: b.mul(scaled(b, a, 2.0), _raised(b, "eval_gegenbauer", n, x, a)),
    ),
)
function(
    "eval_genlaguerre",
    None,
    "the parameter of eval_genlaguerre",
    lambda b, y, n, a, x: _above_zero(
        b, n, x, lambda: b.neg(_raised(b, "eval_genlaguerre", n, x, a))
    ),
)


def _jacobi_slope(b: Builder, y: Node, n: Node, p: Node, q: Node, x: Node) -> Node:
    def value() -> Node:
        sum_ = b.add(_times_order(b, n, x, 1), b.add(p, q))
        return b.mul(scaled(b, sum_, 0.5), _raised(b, "eval_jacobi", n, x, p, q))

    return _above_zero(b, n, x, value)


function(
    "eval_jacobi",
    None,
    "the first parameter of eval_jacobi",
    "the second parameter of eval_jacobi",
    _jacobi_slope,
)

# Spherical Bessel functions: DLMF 10.51.2, 10.51.5, by orders on both sides.


def _spherical(name: str, below: float, above: float) -> None:
    """The slope ``(below n f(n - 1, x) + above (n + 1) f(n + 1, x)) / (2n + 1)``."""

    def slope(b: Builder, y: Node, n: Node, x: Node) -> Node:
        higher = b.mul(
            _times_order(b, n, x, 1, above), b.add_node(name, shifted(b, n, 1), x)
        )
        lower = _above_zero(
            b,
            n,
            x,
            lambda: b.mul(_times_order(b, n, x), _lower(b, name, n, x, None, below)),
        )
        count = shifted(b, _times_order(b, n, x, 0, 2.0), 1.0)
        return b.div(b.add(lower, higher), count)

    function(name, None, slope)


_spherical("spherical_jn", 1.0, -1.0)
_spherical("spherical_yn", 1.0, -1.0)
_spherical("spherical_in", 1.0, 1.0)
_spherical("spherical_kn", -1.0, -1.0)
