"""What distributions are, as data: the formulas of `scipy.stats` for loc 0, scale 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ....ir.ops.special import ufunc_of

inf = math.inf
LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)

Formula: TypeAlias = Callable[..., Any]  # of x and the shape parameters


class Special:
    """The ufuncs of `scipy.special` as attributes, which imports SciPy when asked."""

    def __getattr__(self, name: str) -> Any:
        return ufunc_of(name)


sp = Special()


class Distribution(NamedTuple):
    """A distribution of loc 0 and scale 1.

    ``support(*shapes)`` are its ends, and ``valid(*shapes)`` whether the parameters
    are some, None where all are. Ends that are ``open`` count as outside, since the
    formulas do not hold there. ``log`` is the logarithm of the density or of the
    probability, ``formulas`` are those of the other methods, by name. Missing ones are
    logarithms and exponentials of these.
    """

    shapes: tuple[str, ...]
    log: Formula
    formulas: dict[str, Formula]
    support: Callable[..., tuple[Any, Any]] = lambda *shapes: (-inf, inf)
    valid: Callable[..., Any] | None = None
    discrete: bool = False
    open: tuple[bool, bool] = False, False

    def formula(self, method: str) -> Formula | None:
        """What computes a method inside of the support."""
        if method in self.formulas:
            return self.formulas[method]
        if method == "log":
            return self.log
        if method == "density":
            return lambda *given: np.exp(self.log(*given))
        if method[:3] == "log":
            inner = self.formulas.get(method[3:])
            return None if inner is None else lambda *given: np.log(inner(*given))
        if method == "isf":
            inner = self.formulas.get("ppf")
            return None if inner is None else lambda q, *shapes: inner(1 - q, *shapes)
        return None


def positive(*shapes: Any) -> Any:
    """Whether all parameters are above 0."""
    valid = shapes[0] > 0
    for shape in shapes[1:]:
        valid = valid & (shape > 0)
    return valid


def probability(p: Any) -> Any:
    """Whether a parameter is from 0 to 1."""
    return (p >= 0) & (p <= 1)


def above_zero(*shapes: Any) -> tuple[Any, Any]:
    """The support of what is not negative."""
    return 0.0, inf


def between_zero_and_one(*shapes: Any) -> tuple[Any, Any]:
    """The support of a share."""
    return 0.0, 1.0


def _cotangent(q: Any) -> Any:
    """``cot(pi q)`` with all digits, in the tails and in the middle."""
    low = np.less(q, 0.5)
    tail = np.where(low, 1.0, -1.0) / np.tan(math.pi * np.where(low, q, 1 - q))
    middle = np.tan(math.pi * (0.5 - q))
    return np.where(np.abs(q - 0.5) < 0.25, middle, tail)


def _t_log(x: Any, df: Any) -> Any:
    norm = sp.betaln(df / 2, 0.5) + 0.5 * np.log(df)
    return -norm - (df + 1) / 2 * np.log1p(x * x / df)


def _lognorm_log(x: Any, s: Any) -> Any:
    root = np.log(x) / s
    made = -0.5 * root * root - np.log(s * x) - LOG_ROOT_2_PI
    return np.where(x == 0, -inf, made)


def _binom_log(k: Any, n: Any, p: Any) -> Any:
    ways = sp.gammaln(n + 1) - sp.gammaln(k + 1) - sp.gammaln(n - k + 1)
    return ways + sp.xlogy(k, p) + sp.xlog1py(n - k, -p)


def _nbinom_log(k: Any, n: Any, p: Any) -> Any:
    ways = sp.gammaln(n + k) - sp.gammaln(k + 1) - sp.gammaln(n)
    return ways + n * np.log(p) + sp.xlog1py(k, -p)


def _count(near: Any, cdf: Formula, q: Any, *shapes: Any) -> Any:
    """The smallest count whose integral is not below q, next to a real number."""
    made = np.ceil(near)
    less = np.maximum(made - 1, 0.0)
    return np.where(cdf(less, *shapes) >= q, less, made)


def _binom_cdf(k: Any, n: Any, p: Any) -> Any:
    rest = np.where(k >= n, 1.0, n - k)
    return np.where(k >= n, 1.0, sp.betaincc(k + 1, rest, p))


def _poisson_cdf(k: Any, mu: Any) -> Any:
    return sp.gammaincc(k + 1, mu)


_BINOM = Distribution(
    ("n", "p"),
    _binom_log,
    {
        "cdf": _binom_cdf,
        "sf": lambda k, n, p: np.where(k >= n, 0.0, sp.betainc(k + 1, n - k, p)),
    },
    lambda n, p: (0.0, n),
    lambda n, p: (n >= 0) & (n == np.floor(n)) & probability(p),
    discrete=True,
)

DISTRIBUTIONS: dict[str, Distribution] = {
    "norm": Distribution(
        (),
        lambda x: -0.5 * x * x - LOG_ROOT_2_PI,
        {
            "density": lambda x: np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi),
            "cdf": lambda x: sp.ndtr(x),
            "sf": lambda x: sp.ndtr(-x),
            "logcdf": lambda x: sp.log_ndtr(x),
            "logsf": lambda x: sp.log_ndtr(-x),
            "ppf": lambda q: sp.ndtri(q),
            "isf": lambda q: -sp.ndtri(q),
        },
    ),
    "uniform": Distribution(
        (),
        lambda x: 0.0 * x,
        {"cdf": lambda x: x, "sf": lambda x: 1 - x, "ppf": lambda q: q},
        between_zero_and_one,
    ),
    "expon": Distribution(
        (),
        lambda x: -x,
        {
            "cdf": lambda x: -np.expm1(-x),
            "sf": lambda x: np.exp(-x),
            "logsf": lambda x: -x,
            "ppf": lambda q: -np.log1p(-q),
            "isf": lambda q: -np.log(q),
        },
        above_zero,
    ),
    "gamma": Distribution(
        ("a",),
        lambda x, a: sp.xlogy(a - 1, x) - x - sp.gammaln(a),
        {
            "cdf": lambda x, a: sp.gammainc(a, x),
            "sf": lambda x, a: sp.gammaincc(a, x),
            "ppf": lambda q, a: sp.gammaincinv(a, q),
            "isf": lambda q, a: sp.gammainccinv(a, q),
        },
        above_zero,
        positive,
    ),
    "beta": Distribution(
        ("a", "b"),
        lambda x, a, b: sp.xlog1py(b - 1, -x) + sp.xlogy(a - 1, x) - sp.betaln(a, b),
        {
            "cdf": lambda x, a, b: sp.betainc(a, b, x),
            "sf": lambda x, a, b: sp.betaincc(a, b, x),
            "ppf": lambda q, a, b: sp.betaincinv(a, b, q),
            "isf": lambda q, a, b: sp.betainccinv(a, b, q),
        },
        between_zero_and_one,
        positive,
    ),
    "t": Distribution(
        ("df",),
        _t_log,
        {
            "cdf": lambda x, df: sp.stdtr(df, x),
            "sf": lambda x, df: sp.stdtr(df, -x),
            "ppf": lambda q, df: sp.stdtrit(df, q),
            "isf": lambda q, df: -sp.stdtrit(df, q),
        },
        valid=positive,
    ),
    "laplace": Distribution(
        (),
        lambda x: -np.abs(x) - math.log(2),
        {
            "cdf": lambda x: np.where(x > 0, 1 - 0.5 * np.exp(-x), 0.5 * np.exp(x)),
            "sf": lambda x: np.where(x > 0, 0.5 * np.exp(-x), 1 - 0.5 * np.exp(x)),
            "ppf": lambda q: np.where(q > 0.5, -np.log(2 * (1 - q)), np.log(2 * q)),
            "isf": lambda q: np.where(q > 0.5, np.log(2 * (1 - q)), -np.log(2 * q)),
        },
    ),
    "cauchy": Distribution(
        (),
        lambda x: -math.log(math.pi) - np.log1p(x * x),
        {
            "cdf": lambda x: np.arctan2(1.0, -x) / math.pi,
            "sf": lambda x: np.arctan2(1.0, x) / math.pi,
            "ppf": lambda q: -_cotangent(q),
            "isf": lambda q: _cotangent(q),
        },
    ),
    "logistic": Distribution(
        (),
        lambda x: sp.log_expit(x) + sp.log_expit(-x),
        {
            "cdf": lambda x: sp.expit(x),
            "sf": lambda x: sp.expit(-x),
            "logcdf": lambda x: sp.log_expit(x),
            "logsf": lambda x: sp.log_expit(-x),
            "ppf": lambda q: sp.logit(q),
            "isf": lambda q: -sp.logit(q),
        },
    ),
    "lognorm": Distribution(
        ("s",),
        _lognorm_log,
        {
            "cdf": lambda x, s: sp.ndtr(np.log(x) / s),
            "sf": lambda x, s: sp.ndtr(-np.log(x) / s),
            "logcdf": lambda x, s: sp.log_ndtr(np.log(x) / s),
            "logsf": lambda x, s: sp.log_ndtr(-np.log(x) / s),
            "ppf": lambda q, s: np.exp(s * sp.ndtri(q)),
            "isf": lambda q, s: np.exp(-s * sp.ndtri(q)),
        },
        above_zero,
        positive,
    ),
    "chi2": Distribution(
        ("df",),
        lambda x, df: (
            sp.xlogy(df / 2 - 1, x) - x / 2 - sp.gammaln(df / 2) - math.log(2) * df / 2
        ),
        {
            "cdf": lambda x, df: sp.gammainc(df / 2, x / 2),
            "sf": lambda x, df: sp.gammaincc(df / 2, x / 2),
            "ppf": lambda q, df: 2 * sp.gammaincinv(df / 2, q),
            "isf": lambda q, df: 2 * sp.gammainccinv(df / 2, q),
        },
        above_zero,
        positive,
    ),
    "poisson": Distribution(
        ("mu",),
        lambda k, mu: sp.xlogy(k, mu) - sp.gammaln(k + 1) - mu,
        {
            "cdf": _poisson_cdf,
            "sf": lambda k, mu: sp.gammainc(k + 1, mu),
            "ppf": lambda q, mu: _count(sp.pdtrik(q, mu), _poisson_cdf, q, mu),
        },
        above_zero,
        lambda mu: mu >= 0,
        discrete=True,
    ),
    "binom": _BINOM,
    "bernoulli": Distribution(
        ("p",),
        lambda k, p: _binom_log(k, 1.0, p),
        {
            **{
                name: lambda k, p, f=f: f(k, 1.0, p)
                for name, f in _BINOM.formulas.items()
            },
            "ppf": lambda q, p: np.where(q > 1 - p, 1.0, 0.0),
        },
        between_zero_and_one,
        probability,
        discrete=True,
    ),
    "nbinom": Distribution(
        ("n", "p"),
        _nbinom_log,
        {
            "cdf": lambda k, n, p: sp.betainc(n, k + 1, p),
            "sf": lambda k, n, p: sp.betaincc(n, k + 1, p),
        },
        above_zero,
        lambda n, p: (n > 0) & (p > 0) & (p <= 1),
        discrete=True,
    ),
}
