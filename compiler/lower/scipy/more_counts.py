"""More distributions of counts, as `distributions` has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .distributions import Distribution, inf, positive, sp

__all__ = ["COUNTS"]


def _betabinom_log(k: Any, n: Any, a: Any, b: Any) -> Any:
    ways = -np.log(n + 1) - sp.betaln(n - k + 1, k + 1)
    return ways + sp.betaln(k + a, n - k + b) - sp.betaln(a, b)


def _hypergeom_log(k: Any, M: Any, n: Any, N: Any) -> Any:
    def ways(total: Any, some: Any) -> Any:
        return sp.betaln(total - some + 1, some + 1) + np.log(total + 1)

    return ways(M, N) - ways(n, k) - ways(M - n, N - k)


def _geom_quantile(q: Any, p: Any) -> Any:
    """The smallest count whose integral is not below q."""
    rate = np.log1p(-p)
    made = np.ceil(np.log1p(-q) / rate)
    less = np.maximum(made - 1, 0.0)
    return np.where((-np.expm1(rate * less) >= q) & (less > 0), less, made)


COUNTS: dict[str, Distribution] = {
    "geom": Distribution(
        ("p",),
        lambda k, p: np.log(p) + sp.xlog1py(k - 1, -p),
        {
            "cdf": lambda k, p: -np.expm1(k * np.log1p(-p)),
            "sf": lambda k, p: np.exp(k * np.log1p(-p)),
            "logsf": lambda k, p: k * np.log1p(-p),
            "ppf": _geom_quantile,
        },
        lambda p: (1.0, inf),
        lambda p: (p > 0) & (p <= 1),
        discrete=True,
    ),
    "betabinom": Distribution(
        ("n", "a", "b"),
        _betabinom_log,
        {},
        lambda n, a, b: (0.0, n),
        lambda n, a, b: (n >= 0) & (n == np.floor(n)) & positive(a, b),
        discrete=True,
    ),
    "hypergeom": Distribution(
        ("M", "n", "N"),
        _hypergeom_log,
        {},
        lambda M, n, N: (np.maximum(N - (M - n), 0), np.minimum(n, N)),
        lambda M, n, N: (M > 0) & (n >= 0) & (N >= 0) & (n <= M) & (N <= M),
        discrete=True,
    ),
}
