"""More distributions, as `distributions` has them: extremes, tails, circles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .distributions import (
    LOG_ROOT_2_PI,
    Distribution,
    above_zero,
    between_zero_and_one,
    inf,
    positive,
    sp,
)
from .more_counts import COUNTS
from .special_formulas import f_quantile

__all__ = ["MORE", "truncated_quantile"]

ROOT_HALF = math.sqrt(0.5)
LOG_2 = math.log(2.0)
HALF_NORMAL = 0.5 * math.log(2 / math.pi)


def _normal_log(x: Any) -> Any:
    return -0.5 * x * x - LOG_ROOT_2_PI


def log_mass(a: Any, b: Any) -> Any:
    """The logarithm of what the normal distribution has from a to b.

    In the upper tail by its mirror image, and around 0 by what is outside.
    """
    turned = a > 0
    low, high = np.where(turned, -b, a), np.where(turned, -a, b)
    tail = sp.log_ndtr(high)
    beside = tail + np.log1p(-np.exp(sp.log_ndtr(low) - tail))
    around = np.log1p(-sp.ndtr(low) - sp.ndtr(-high))
    return np.where((low < 0) & (high > 0), around, beside)


def _log_of(part: Any, rest: Any) -> Any:
    """The logarithm of an integral by that of what is missing, where it is less."""
    return np.where(part > 0.5, np.log1p(-rest), np.log(part))


def _log_rest(z: Any) -> Any:
    """``log(1 - exp(-z))``"""
    return _log_of(-np.expm1(-z), np.exp(-z))


def _log_gamma_part(a: Any, x: Any) -> Any:
    return _log_of(sp.gammainc(a, x), sp.gammaincc(a, x))


def truncated_quantile(x: Any, q: Any, a: Any, b: Any) -> Any:
    """Where the part ``q`` of the normal integral from a to b ends; ``x`` is 1 - q."""
    mass = log_mass(a, b)
    below = sp.ndtri_exp(np.logaddexp(sp.log_ndtr(a), np.log(q) + mass))
    above = -sp.ndtri_exp(np.logaddexp(sp.log_ndtr(-b), np.log(x) + mass))
    return np.where(a < 0, below, above)


def _log_ratio(t: Any) -> Any:
    """``-log(1 - t) / t``, near 0 by 2F1(1, 1; 2; t) (DLMF 15.4.1)."""
    near = np.abs(t) < 0.5
    smooth = sp.hyp2f1(1.0, 1.0, 2.0, np.where(near, t, 0.0))
    other = np.where(near, 0.5, t)
    return np.where(near, smooth, -np.log1p(-other) / other)


def _extreme_log(x: Any, c: Any) -> Any:
    power = -x * _log_ratio(c * x)
    return power - np.exp(power) - np.log1p(-c * x)


def _extreme_cdf(x: Any, c: Any) -> Any:
    return -np.exp(-x * _log_ratio(c * x))


def _extreme_place(x: Any, c: Any) -> Any:
    return x * sp.exprel(-c * x)


def _extreme_end(c: Any) -> Any:
    return 1 / np.where(c == 0, 1.0, c)


def _pareto_log(x: Any, c: Any) -> Any:
    return -(c + 1) * x * _log_ratio(-c * x)


def _inverse_gauss_logs(x: Any, mu: Any) -> tuple[Any, Any, Any]:
    """The places of two normal integrals, and the logarithm of the second's part."""
    factor = 1 / np.sqrt(x)
    near = factor * (x / mu - 1)
    return near, factor, 2 / mu + sp.log_ndtr(-factor * (x / mu + 1))


def _inverse_gauss_logcdf(x: Any, mu: Any) -> Any:
    near, _, other = _inverse_gauss_logs(x, mu)
    first = sp.log_ndtr(near)
    return first + np.log1p(np.exp(other - first))


def _inverse_gauss_logsf(x: Any, mu: Any) -> Any:
    near, _, other = _inverse_gauss_logs(x, mu)
    first = sp.log_ndtr(-near)
    return first + np.log1p(-np.exp(other - first))


def _f_log(x: Any, n: Any, m: Any) -> Any:
    ends = m / 2 * np.log(m) + n / 2 * np.log(n) + sp.xlogy(n / 2 - 1, x)
    return ends - (n + m) / 2 * np.log(m + n * x) - sp.betaln(n / 2, m / 2)


def _chi_log(x: Any, df: Any) -> Any:
    norm = LOG_2 * (1 - df / 2) - sp.gammaln(df / 2)
    return norm + sp.xlogy(df - 1, x) - x * x / 2


def _tail_of_exponnorm(x: Any, k: Any) -> Any:
    return (0.5 / k - x) / k + sp.log_ndtr(x - 1 / k)


MORE: dict[str, Distribution] = {
    "invgamma": Distribution(
        ("a",),
        lambda x, a: -(a + 1) * np.log(x) - sp.gammaln(a) - 1 / x,
        {
            "cdf": lambda x, a: sp.gammaincc(a, 1 / x),
            "logsf": lambda x, a: _log_gamma_part(a, 1 / x),
            "sf": lambda x, a: sp.gammainc(a, 1 / x),
            "ppf": lambda q, a: 1 / sp.gammainccinv(a, q),
            "isf": lambda q, a: 1 / sp.gammaincinv(a, q),
        },
        above_zero,
        positive,
        open=(True, False),
    ),
    "weibull_min": Distribution(
        ("c",),
        lambda x, c: np.log(c) + sp.xlogy(c - 1, x) - x**c,
        {
            "cdf": lambda x, c: -np.expm1(-(x**c)),
            "logcdf": lambda x, c: _log_rest(x**c),
            "sf": lambda x, c: np.exp(-(x**c)),
            "logsf": lambda x, c: -(x**c),
            "ppf": lambda q, c: (-np.log1p(-q)) ** (1 / c),
            "isf": lambda q, c: (-np.log(q)) ** (1 / c),
        },
        above_zero,
        positive,
    ),
    "pareto": Distribution(
        ("b",),
        lambda x, b: np.log(b) - (b + 1) * np.log(x),
        {
            "cdf": lambda x, b: -sp.powm1(x, -b),
            "sf": lambda x, b: x**-b,
            "logsf": lambda x, b: -b * np.log(x),
            "ppf": lambda q, b: (1 - q) ** (-1 / b),
            "isf": lambda q, b: q ** (-1 / b),
        },
        lambda b: (1.0, inf),
        positive,
    ),
    "lomax": Distribution(
        ("c",),
        lambda x, c: np.log(c) - (c + 1) * np.log1p(x),
        {
            "cdf": lambda x, c: -np.expm1(-c * np.log1p(x)),
            "sf": lambda x, c: np.exp(-c * np.log1p(x)),
            "logsf": lambda x, c: -c * np.log1p(x),
            "ppf": lambda q, c: np.expm1(-np.log1p(-q) / c),
            "isf": lambda q, c: np.expm1(-np.log(q) / c),
        },
        above_zero,
        positive,
    ),
    "genpareto": Distribution(
        ("c",),
        _pareto_log,
        {
            "cdf": lambda x, c: -np.expm1(-x * _log_ratio(-c * x)),
            "sf": lambda x, c: np.exp(-x * _log_ratio(-c * x)),
            "logsf": lambda x, c: -x * _log_ratio(-c * x),
            "ppf": lambda q, c: -np.log1p(-q) * sp.exprel(-c * np.log1p(-q)),
            "isf": lambda q, c: -np.log(q) * sp.exprel(-c * np.log(q)),
        },
        lambda c: (0.0, np.where(c < 0, -_extreme_end(c), inf)),
        open=(False, True),
    ),
    "genextreme": Distribution(
        ("c",),
        _extreme_log,
        {
            "cdf": lambda x, c: np.exp(_extreme_cdf(x, c)),
            "logcdf": _extreme_cdf,
            "sf": lambda x, c: -np.expm1(_extreme_cdf(x, c)),
            "logsf": lambda x, c: _log_rest(-_extreme_cdf(x, c)),
            "ppf": lambda q, c: _extreme_place(-np.log(-np.log(q)), c),
            "isf": lambda q, c: _extreme_place(-np.log(-np.log1p(-q)), c),
        },
        lambda c: (
            np.where(c < 0, _extreme_end(c), -inf),
            np.where(c > 0, _extreme_end(c), inf),
        ),
        open=(True, True),
    ),
    "gumbel_r": Distribution(
        (),
        lambda x: -x - np.exp(-x),
        {
            "cdf": lambda x: np.exp(-np.exp(-x)),
            "logcdf": lambda x: -np.exp(-x),
            "sf": lambda x: -np.expm1(-np.exp(-x)),
            "logsf": lambda x: _log_rest(np.exp(-x)),
            "ppf": lambda q: -np.log(-np.log(q)),
            "isf": lambda q: -np.log(-np.log1p(-q)),
        },
    ),
    "gumbel_l": Distribution(
        (),
        lambda x: x - np.exp(x),
        {
            "cdf": lambda x: -np.expm1(-np.exp(x)),
            "logcdf": lambda x: _log_rest(np.exp(x)),
            "sf": lambda x: np.exp(-np.exp(x)),
            "logsf": lambda x: -np.exp(x),
            "ppf": lambda q: np.log(-np.log1p(-q)),
            "isf": lambda q: np.log(-np.log(q)),
        },
    ),
    "halfnorm": Distribution(
        (),
        lambda x: HALF_NORMAL - 0.5 * x * x,
        {
            "cdf": lambda x: sp.erf(x * ROOT_HALF),
            "logcdf": lambda x: _log_of(sp.erf(x * ROOT_HALF), 2 * sp.ndtr(-x)),
            "sf": lambda x: 2 * sp.ndtr(-x),
            "ppf": lambda q: sp.ndtri((1 + q) / 2),
            "isf": lambda q: -sp.ndtri(q / 2),
        },
        above_zero,
    ),
    "halfcauchy": Distribution(
        (),
        lambda x: math.log(2 / math.pi) - np.log1p(x * x),
        {
            "cdf": lambda x: 2 / math.pi * np.arctan(x),
            "sf": lambda x: 2 / math.pi * np.arctan2(1.0, x),
            "ppf": lambda q: np.tan(math.pi / 2 * q),
            "isf": lambda q: 1 / np.tan(math.pi / 2 * q),
        },
        above_zero,
    ),
    "truncnorm": Distribution(
        ("a", "b"),
        lambda x, a, b: _normal_log(x) - log_mass(a, b),
        {
            "cdf": lambda x, a, b: np.exp(log_mass(a, x) - log_mass(a, b)),
            "logcdf": lambda x, a, b: log_mass(a, x) - log_mass(a, b),
            "sf": lambda x, a, b: np.exp(log_mass(x, b) - log_mass(a, b)),
            "logsf": lambda x, a, b: log_mass(x, b) - log_mass(a, b),
            "ppf": lambda q, a, b: truncated_quantile(1 - q, q, a, b),
            "isf": lambda q, a, b: truncated_quantile(q, 1 - q, a, b),
        },
        lambda a, b: (a, b),
        lambda a, b: a < b,
    ),
    "skewnorm": Distribution(
        ("a",), lambda x, a: LOG_2 + _normal_log(x) + sp.log_ndtr(a * x), {}
    ),
    "exponnorm": Distribution(
        ("K",),
        lambda x, k: _tail_of_exponnorm(x, k) - np.log(k),
        {
            "cdf": lambda x, k: sp.ndtr(x) - np.exp(_tail_of_exponnorm(x, k)),
            "sf": lambda x, k: sp.ndtr(-x) + np.exp(_tail_of_exponnorm(x, k)),
        },
        valid=positive,
        open=(True, False),
    ),
    "vonmises": Distribution(
        ("kappa",),
        lambda x, k: k * sp.cosm1(x) - math.log(2 * math.pi) - np.log(sp.i0e(k)),
        {},
        valid=lambda k: k >= 0,
    ),
    "invgauss": Distribution(
        ("mu",),
        lambda x, mu: -LOG_ROOT_2_PI - 1.5 * np.log(x) - (x / mu - 1) ** 2 / (2 * x),
        {
            "cdf": lambda x, mu: np.exp(_inverse_gauss_logcdf(x, mu)),
            "logcdf": _inverse_gauss_logcdf,
            "sf": lambda x, mu: np.exp(_inverse_gauss_logsf(x, mu)),
            "logsf": _inverse_gauss_logsf,
        },
        above_zero,
        positive,
        open=(True, True),
    ),
    "rayleigh": Distribution(
        (),
        lambda x: np.log(x) - 0.5 * x * x,
        {
            "cdf": lambda x: -np.expm1(-0.5 * x * x),
            "logcdf": lambda x: _log_rest(0.5 * x * x),
            "sf": lambda x: np.exp(-0.5 * x * x),
            "logsf": lambda x: -0.5 * x * x,
            "ppf": lambda q: np.sqrt(-2 * np.log1p(-q)),
            "isf": lambda q: np.sqrt(-2 * np.log(q)),
        },
        above_zero,
        open=(False, True),
    ),
    "maxwell": Distribution(
        (),
        lambda x: HALF_NORMAL + 2 * np.log(x) - 0.5 * x * x,
        {
            "cdf": lambda x: sp.gammainc(1.5, x * x / 2),
            "logcdf": lambda x: _log_gamma_part(1.5, x * x / 2),
            "sf": lambda x: sp.gammaincc(1.5, x * x / 2),
            "ppf": lambda q: np.sqrt(2 * sp.gammaincinv(1.5, q)),
            "isf": lambda q: np.sqrt(2 * sp.gammainccinv(1.5, q)),
        },
        above_zero,
    ),
    "chi": Distribution(
        ("df",),
        _chi_log,
        {
            "cdf": lambda x, df: sp.gammainc(df / 2, x * x / 2),
            "logcdf": lambda x, df: _log_gamma_part(df / 2, x * x / 2),
            "sf": lambda x, df: sp.gammaincc(df / 2, x * x / 2),
            "ppf": lambda q, df: np.sqrt(2 * sp.gammaincinv(df / 2, q)),
            "isf": lambda q, df: np.sqrt(2 * sp.gammainccinv(df / 2, q)),
        },
        above_zero,
        positive,
    ),
    "f": Distribution(
        ("dfn", "dfd"),
        _f_log,
        {
            "cdf": lambda x, n, m: sp.betainc(n / 2, m / 2, 1 / (1 + m / (n * x))),
            "sf": lambda x, n, m: sp.betainc(m / 2, n / 2, m / (m + n * x)),
            "ppf": lambda q, n, m: f_quantile(n, m, q),
            "isf": lambda q, n, m: 1 / f_quantile(m, n, q),
        },
        above_zero,
        positive,
    ),
    "powerlaw": Distribution(
        ("a",),
        lambda x, a: np.log(a) + sp.xlogy(a - 1, x),
        {
            "cdf": lambda x, a: x**a,
            "logcdf": lambda x, a: a * np.log(x),
            "sf": lambda x, a: -sp.powm1(x, a),
            "ppf": lambda q, a: q ** (1 / a),
        },
        between_zero_and_one,
        positive,
    ),
    **COUNTS,
}
