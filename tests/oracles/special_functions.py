"""The functions of `scipy.special` in as many digits as wanted, by mpmath.

`TRUTH` has what each op computes, of multiprecision numbers; tuples of several results.
`INTERVALS` are where operands are drawn from, one interval for each, away from kinks
and poles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import mpmath
from scipy import special

__all__ = ["INTERVALS", "TRUTH", "mp"]

mp: Any = mpmath.mp.clone()

Function: TypeAlias = Callable[..., Any]
Interval: TypeAlias = tuple[float, float]


def inverse(f: Function, name: str) -> Function:
    """What f maps to its last operand, near to what SciPy says."""

    def value(*operands: Any) -> Any:
        *parameters, y = operands
        x = mp.mpf(float(getattr(special, name)(*map(float, operands))))
        for _ in range(3):  # steps of Newton's, each of twice the digits
            x -= (f(*parameters, x) - y) / mp.diff(lambda x: f(*parameters, x), x)
        return x

    return value


def gammainc(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def gammaincc(a: Any, x: Any) -> Any:
    return mp.gammainc(a, x, regularized=True)


def betainc(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def betaincc(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, x, 1, regularized=True)


def count(f: Function, name: str, *operands: Any) -> Any:
    """The zero of f near to what SciPy says."""
    return mp.findroot(f, mp.mpf(float(getattr(special, name)(*map(float, operands)))))


def stdtr(df: Any, t: Any) -> Any:
    half = (df + 1) / 2
    series = mp.hyp2f1(0.5, half, 1.5, -t * t / df)
    factor = mp.gamma(half) / (mp.gamma(df / 2) * mp.sqrt(mp.pi * df))
    return mp.mpf(0.5) + t * series * factor


def owens_t(h: Any, a: Any) -> Any:
    def density(t: Any) -> Any:
        return mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t)

    return mp.quad(density, [0, a]) / (2 * mp.pi)


def log_ndtr(x: Any) -> Any:
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def entr(x: Any) -> Any:
    return -x * mp.log(x) if x else mp.mpf(0)


def xlogy(x: Any, y: Any) -> Any:
    return x * mp.log(y) if x else mp.mpf(0)


def kl_div(x: Any, y: Any) -> Any:
    return xlogy(x, x / y) - x + y


def exprel(x: Any) -> Any:
    return mp.expm1(x) / x if x else mp.mpf(1)


def boxcox(x: Any, p: Any) -> Any:
    return mp.log(x) * exprel(p * mp.log(x))


def inv_boxcox(y: Any, p: Any) -> Any:
    return mp.exp(mp.log1p(p * y) / p) if p else mp.exp(y)


def pseudo_huber(delta: Any, r: Any) -> Any:
    return delta**2 * (mp.sqrt(1 + (r / delta) ** 2) - 1)


def huber(delta: Any, r: Any) -> Any:
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)


def of_order(f: Function, order: int) -> Function:
    return lambda x: f(order, x)


def ive(v: Any, x: Any) -> Any:
    return mp.besseli(v, x) * mp.exp(-abs(x))


def kve(v: Any, x: Any) -> Any:
    return mp.besselk(v, x) * mp.exp(x)


def voigt(x: Any, s: Any, g: Any) -> Any:
    z = (x + 1j * g) / (s * mp.sqrt(2))
    return mp.re(mp.exp(-z * z) * mp.erfc(-1j * z)) / (s * mp.sqrt(2 * mp.pi))


def shifted_zeta(x: Any) -> Any:
    return mp.zeta(x) - 1


def wright_bessel(a: Any, b: Any, x: Any) -> Any:
    terms = [x**k * mp.rgamma(a * k + b) / mp.factorial(k) for k in range(60)]
    return mp.fsum(terms)


def angle(x: Any) -> Any:
    return x * mp.pi / 180


def airy(x: Any) -> tuple[Any, ...]:
    parts = (mp.airyai, 0), (mp.airyai, 1), (mp.airybi, 0), (mp.airybi, 1)
    return tuple(f(x, derivative=order) for f, order in parts)


def airye(x: Any) -> tuple[Any, ...]:
    scale = mp.exp(2 * x * mp.sqrt(x) / 3)
    ai, ai_slope, bi, bi_slope = airy(x)
    return ai * scale, ai_slope * scale, bi / scale, bi_slope / scale


def ellipj(u: Any, m: Any) -> tuple[Any, ...]:
    found = [mp.ellipfun(name, u, m=m) for name in ("sn", "cn", "dn")]
    turns = mp.nint(u / (2 * mp.ellipk(m)))
    return *found, (-1) ** int(turns) * mp.asin(found[0]) + turns * mp.pi


def sici(x: Any) -> tuple[Any, ...]:
    return mp.si(x), mp.ci(x)


def shichi(x: Any) -> tuple[Any, ...]:
    return mp.shi(x), mp.chi(x) if x else mp.ninf


def fresnel(x: Any) -> tuple[Any, ...]:
    return mp.fresnels(x), mp.fresnelc(x)


def laguerre(n: Any, a: Any, x: Any) -> Any:
    terms = [
        mp.binomial(n + a, n - k) * (-x) ** k / mp.factorial(k)
        for k in range(int(n) + 1)
    ]
    return mp.fsum(terms)


def gegenbauer(n: Any, a: Any, x: Any) -> Any:
    terms = [
        (-1) ** k
        * mp.rf(a, n - k)
        * (2 * x) ** (int(n) - 2 * k)
        / (mp.factorial(k) * mp.factorial(n - 2 * k))
        for k in range(int(n) // 2 + 1)
    ]
    return mp.fsum(terms)


def jacobi(n: Any, a: Any, b: Any, x: Any) -> Any:
    terms = [
        mp.binomial(n + a, n - s)
        * mp.binomial(n + b, s)
        * ((x - 1) / 2) ** s
        * ((x + 1) / 2) ** (int(n) - s)
        for s in range(int(n) + 1)
    ]
    return mp.fsum(terms)


def hermite(n: Any, x: Any) -> Any:
    terms = [
        (-1) ** k
        * (2 * x) ** (int(n) - 2 * k)
        * mp.factorial(n)
        / (mp.factorial(k) * mp.factorial(n - 2 * k))
        for k in range(int(n) // 2 + 1)
    ]
    return mp.fsum(terms)


def chebyshev(n: Any, x: Any, kind: int) -> Any:
    before, made = mp.mpf(1), kind * x
    for _ in range(int(n)):
        before, made = made, 2 * x * made - before
    return before


def spherical(f: Function, factor: float = 1) -> Function:
    root = mp.mpf(0.5)
    return lambda n, x: factor * mp.sqrt(mp.pi / (2 * x)) * f(n + root, x)


ANY: Interval = (-2.5, 2.5)
POSITIVE: Interval = (0.6, 6.0)
SMALL: Interval = (0.6, 2.5)
UNIT: Interval = (0.2, 0.8)
ORDER: Interval = (0.2, 3.5)
ABOVE: Interval = (3.0, 5.0)
WHOLE: Interval = (0.0, 6.0)  # of orders, which are integers

_TABLE: dict[str, tuple[Function, tuple[Interval, ...]]] = {
    "erfc": (mp.erfc, (ANY,)),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), (ANY,)),
    "erfinv": (mp.erfinv, ((-0.8, 0.8),)),
    "erfcinv": (lambda y: mp.erfinv(1 - y), ((0.2, 1.8),)),
    "dawsn": (lambda x: mp.exp(-x * x) * mp.erfi(x) * mp.sqrt(mp.pi) / 2, (ANY,)),
    "ndtr": (mp.ncdf, (ANY,)),
    "ndtri": (lambda y: mp.sqrt(2) * mp.erfinv(2 * y - 1), (UNIT,)),
    "log_ndtr": (log_ndtr, (ANY,)),
    "ndtri_exp": (
        lambda y: mp.sqrt(2) * mp.erfinv(2 * mp.exp(y) - 1),
        ((-3.0, -0.05),),
    ),
    "owens_t": (owens_t, (ANY, ANY)),
    "gammaln": (lambda x: mp.log(abs(mp.gamma(x))), (POSITIVE,)),
    "loggamma": (mp.loggamma, (POSITIVE,)),
    "zeta": (mp.zeta, ((1.3, 4.0), POSITIVE)),
    "digamma": (mp.digamma, (POSITIVE,)),
    "trigamma": (of_order(mp.psi, 1), (POSITIVE,)),
    "gamma": (mp.gamma, (POSITIVE,)),
    "rgamma": (mp.rgamma, (ANY,)),
    "gammasgn": (lambda x: mp.sign(mp.gamma(x)), (POSITIVE,)),
    "betaln": (lambda x, y: mp.log(mp.beta(x, y)), (POSITIVE, POSITIVE)),
    "beta": (mp.beta, (POSITIVE, POSITIVE)),
    "poch": (mp.rf, (POSITIVE, SMALL)),
    "binom": (mp.binomial, (ABOVE, SMALL)),
    "gammainc": (gammainc, (POSITIVE, POSITIVE)),
    "gammaincc": (gammaincc, (POSITIVE, POSITIVE)),
    "gammaincinv": (inverse(gammainc, "gammaincinv"), (POSITIVE, UNIT)),
    "gammainccinv": (inverse(gammaincc, "gammainccinv"), (POSITIVE, UNIT)),
    "betainc": (betainc, (POSITIVE, POSITIVE, UNIT)),
    "betaincc": (betaincc, (POSITIVE, POSITIVE, UNIT)),
    "betaincinv": (inverse(betainc, "betaincinv"), (SMALL, SMALL, UNIT)),
    "betainccinv": (inverse(betaincc, "betainccinv"), (SMALL, SMALL, UNIT)),
    "stdtr": (stdtr, (POSITIVE, SMALL)),
    "stdtrit": (inverse(stdtr, "stdtrit"), (POSITIVE, (0.55, 0.8))),
    "logit": (lambda p: mp.log(p / (1 - p)), (UNIT,)),
    "log_expit": (lambda x: -mp.log1p(mp.exp(-x)), (ANY,)),
    "xlogy": (xlogy, (ANY, POSITIVE)),
    "xlog1py": (lambda x, y: x * mp.log1p(y) if x else mp.mpf(0), (ANY, POSITIVE)),
    "entr": (entr, (POSITIVE,)),
    "rel_entr": (lambda x, y: xlogy(x, x / y), (POSITIVE, POSITIVE)),
    "kl_div": (kl_div, (POSITIVE, POSITIVE)),
    "exprel": (exprel, (ANY,)),
    "boxcox": (boxcox, (POSITIVE, ANY)),
    "boxcox1p": (lambda x, p: boxcox(1 + x, p), (POSITIVE, ANY)),
    "inv_boxcox": (inv_boxcox, (SMALL, (0.1, 2.0))),
    "inv_boxcox1p": (lambda y, p: inv_boxcox(y, p) - 1, (SMALL, (0.1, 2.0))),
    "cosm1": (lambda x: mp.cos(x) - 1, (ANY,)),
    "exp10": (lambda x: mp.mpf(10) ** x, (ANY,)),
    "pseudo_huber": (pseudo_huber, (SMALL, ANY)),
    "huber": (huber, ((0.3, 1.0), (1.1, 2.0))),
    "jv": (mp.besselj, (ORDER, POSITIVE)),
    "yv": (mp.bessely, (ORDER, POSITIVE)),
    "iv": (mp.besseli, (ORDER, POSITIVE)),
    "kv": (mp.besselk, (ORDER, POSITIVE)),
    "j0": (of_order(mp.besselj, 0), (POSITIVE,)),
    "y0": (of_order(mp.bessely, 0), (POSITIVE,)),
    "i0": (of_order(mp.besseli, 0), (POSITIVE,)),
    "k0": (of_order(mp.besselk, 0), (POSITIVE,)),
    "j1": (of_order(mp.besselj, 1), (POSITIVE,)),
    "y1": (of_order(mp.bessely, 1), (POSITIVE,)),
    "i1": (of_order(mp.besseli, 1), (POSITIVE,)),
    "k1": (of_order(mp.besselk, 1), (POSITIVE,)),
    "ive": (ive, (ORDER, POSITIVE)),
    "kve": (kve, (ORDER, POSITIVE)),
    "i0e": (of_order(ive, 0), (POSITIVE,)),
    "k0e": (of_order(kve, 0), (POSITIVE,)),
    "i1e": (of_order(ive, 1), (POSITIVE,)),
    "k1e": (of_order(kve, 1), (POSITIVE,)),
    "i2e": (of_order(ive, 2), (POSITIVE,)),
    "erfi": (mp.erfi, (ANY,)),
    "pdtrik": (
        lambda p, m: count(lambda k: gammaincc(k + 1, m) - p, "pdtrik", p, m),
        ((0.5, 0.9), (2.0, 6.0)),
    ),
    "voigt_profile": (voigt, (ANY, SMALL, POSITIVE)),
    "spence": (lambda z: mp.polylog(2, 1 - z), ((0.1, 1.9),)),
    "zetac": (shifted_zeta, (POSITIVE,)),
    "powm1": (lambda x, y: x**y - 1, (POSITIVE, ANY)),
    "sindg": (lambda x: mp.sin(angle(x)), (ANY,)),
    "cosdg": (lambda x: mp.cos(angle(x)), (ANY,)),
    "tandg": (lambda x: mp.tan(angle(x)), (ANY,)),
    "cotdg": (lambda x: mp.cot(angle(x)), (POSITIVE,)),
    "ellipkinc": (mp.ellipf, (ANY, UNIT)),
    "ellipeinc": (mp.ellipe, (ANY, UNIT)),
    "struve": (mp.struveh, (ORDER, POSITIVE)),
    "modstruve": (mp.struvel, (ORDER, POSITIVE)),
    "wright_bessel": (wright_bessel, (SMALL, SMALL, SMALL)),
    "log_wright_bessel": (
        lambda a, b, x: mp.log(wright_bessel(a, b, x)),
        (SMALL, SMALL, SMALL),
    ),
    "wrightomega": (lambda x: mp.re(mp.lambertw(mp.exp(x))), (ANY,)),
    "hyp0f1": (mp.hyp0f1, (SMALL, ANY)),
    "fresnel": (fresnel, (ANY,)),
    "sici": (sici, (POSITIVE,)),
    "shichi": (shichi, (POSITIVE,)),
    "airy": (airy, (ANY,)),
    "airye": (airye, (POSITIVE,)),
    "ellipj": (ellipj, (ANY, UNIT)),
    "eval_hermite": (hermite, (WHOLE, ANY)),
    "eval_hermitenorm": (
        lambda n, x: hermite(n, x / mp.sqrt(2)) / mp.sqrt(2) ** n,
        (WHOLE, ANY),
    ),
    "eval_chebyt": (lambda n, x: chebyshev(n, x, 1), (WHOLE, ANY)),
    "eval_chebyu": (lambda n, x: chebyshev(n, x, 2), (WHOLE, ANY)),
    "eval_legendre": (lambda n, x: jacobi(n, 0, 0, x), (WHOLE, ANY)),
    "eval_laguerre": (lambda n, x: laguerre(n, 0, x), (WHOLE, POSITIVE)),
    "eval_gegenbauer": (gegenbauer, (WHOLE, SMALL, ANY)),
    "eval_genlaguerre": (laguerre, (WHOLE, SMALL, POSITIVE)),
    "eval_jacobi": (jacobi, (WHOLE, SMALL, SMALL, ANY)),
    "spherical_jn": (spherical(mp.besselj), (WHOLE, POSITIVE)),
    "spherical_yn": (spherical(mp.bessely), (WHOLE, POSITIVE)),
    "spherical_in": (spherical(mp.besseli), (WHOLE, POSITIVE)),
    "spherical_kn": (spherical(mp.besselk), (WHOLE, POSITIVE)),
    "exp1": (lambda x: mp.expint(1, x), (POSITIVE,)),
    "expi": (mp.ei, (POSITIVE,)),
    "expn": (mp.expint, ((3.0, 3.0), POSITIVE)),
    "hyp1f1": (mp.hyp1f1, (SMALL, SMALL, ANY)),
    "hyperu": (mp.hyperu, (SMALL, SMALL, (70.0, 90.0))),
    "hyp2f1": (mp.hyp2f1, (SMALL, SMALL, SMALL, (-0.8, 0.8))),
    "ellipk": (mp.ellipk, ((-1.5, 0.7),)),
    "ellipe": (mp.ellipe, ((-1.5, 0.7),)),
    "ellipkm1": (lambda p: mp.ellipk(1 - p), (UNIT,)),
}
TRUTH = {name: f for name, (f, _) in _TABLE.items()}
INTERVALS = {name: intervals for name, (_, intervals) in _TABLE.items()}
