"""Logarithm of the gamma function, and its derivatives: digamma and trigamma.

By polynomials of x - 2 from 1 to 3, below 1 by the recurrence to there, from 3 on by
Stirling's series (DLMF 5.11), economised for 1 / x up to 1/3. Near their zeros, 1 and 2
and 1.46, the logarithm and digamma have the zero as a factor. Negative x by reflection
(DLMF 5.5.3, 5.5.4, 5.15.6).

Errors for x > 0 are below 3 ulp for the logarithm, 4 for digamma, 3 for trigamma; for
x < 0 they are below 1e-15 of the largest term.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS: dict[str, float | tuple[float, ...]] = {
    "PI": 3.141592653589793,
    "HALF_LOG_TWO_PI": 0.9189385332046728,
    "DIGAMMA_ZERO": 1.4616321449683622,
    "DIGAMMA_ZERO_REST": 9.549995429965697e-17,
    # gammaln(2 + u) / (u (u + 1)) for u from -1 to 1.
    "GAMMALN_NEAR": (
        0.42278433509846713,
        -0.1003173016743539,
        0.032965000621156954,
        -0.012384192193373948,
        0.004998641164624454,
        -0.0021081308338441822,
        0.0009153769240976881,
        -0.00040570739968150295,
        0.0001825526147223796,
        -8.309510241881795e-05,
        3.816908118843603e-05,
        -1.7661840684373958e-05,
        8.221214341346804e-06,
        -3.846572694805434e-06,
        1.8114496384152069e-06,
        -8.55323846109223e-07,
        3.9577597218007567e-07,
        -1.8642743634080344e-07,
        1.0436645596578418e-07,
        -5.1654036426400964e-08,
        5.760072959280759e-09,
        -1.1263228935330046e-09,
        1.6284359706808807e-08,
        -8.756652709271992e-09,
        -4.3438305659545675e-09,
        2.403769914599596e-09,
        1.5794856955346735e-09,
        -8.092040052671001e-10,
    ),
    # What Stirling's formula lacks, times x, for 1 / x^2 up to 1/9.
    "GAMMALN_FAR": (
        0.08333333333333331,
        -0.002777777777728327,
        0.0007936507749427116,
        -0.0005952353020218134,
        0.0008415334003710495,
        -0.0019074010736834504,
        0.006104073234893477,
        -0.023171636093917935,
        0.08246488171113085,
        -0.21189682516406563,
        0.27045461408348864,
    ),
    # digamma(2 + u) / (2 + u - zero).
    "DIGAMMA_NEAR": (
        0.7853075386041053,
        -0.2607389546830014,
        0.10899991701762618,
        -0.04955103291767011,
        0.023447309597729657,
        -0.011338432553450994,
        0.00555225417121923,
        -0.0027395728808746124,
        0.0013581421921389314,
        -0.0006753133951938545,
        0.00033643236191888604,
        -0.00016781501081705044,
        8.377973937827592e-05,
        -4.184704750922954e-05,
        2.0891447721395786e-05,
        -1.0438436420821169e-05,
        5.269361723777147e-06,
        -2.639811332191327e-06,
        1.2108695440717053e-06,
        -5.962440437780654e-07,
        4.630883014369489e-07,
        -2.419726825990427e-07,
        -5.754855570744273e-08,
        3.702271471006737e-08,
        1.1601869896700777e-07,
        -6.229744688966399e-08,
        -3.590208195525884e-08,
        1.9270306057921077e-08,
        1.0229715160007965e-08,
        -5.2967989929036786e-09,
    ),
    # (log(x) - 1 / (2 x) - digamma(x)) x^2.
    "DIGAMMA_FAR": (
        0.08333333333333295,
        -0.008333333332484798,
        0.003968253646200793,
        -0.004166618373876321,
        0.007571976161101525,
        -0.020915258401907756,
        0.07789992761718664,
        -0.32790962148396635,
        1.2417102501911939,
        -3.3061352608630146,
        4.308949194643689,
    ),
    # trigamma(2 + u).
    "TRIGAMMA_NEAR": (
        0.6449340668482264,
        -0.4041138063191886,
        0.2469697011334191,
        -0.1477110205734775,
        0.08671530992186033,
        -0.050095664291558165,
        0.028541493398584677,
        -0.016067142610380575,
        0.008951175921675866,
        -0.004941885986987562,
        0.002706954515693473,
        -0.0014725609077812314,
        0.0007962088803746935,
        -0.0004282294161187741,
        0.00022931452963347734,
        -0.00012222602727004453,
        6.462043016941173e-05,
        -3.423609528962147e-05,
        1.879602901313723e-05,
        -9.82624140647555e-06,
        3.8108026804262337e-06,
        -2.0900749508393233e-06,
        2.916979095067649e-06,
        -1.4246885309703878e-06,
        -1.0467171885436054e-06,
        4.7394883848087326e-07,
        9.89289857389137e-07,
        -4.791331204561479e-07,
        -3.2163406631185724e-07,
        1.5665290148878783e-07,
        7.651919781055144e-08,
        -3.8235679174107205e-08,
    ),
    # (trigamma(x) - 1 / x - 1 / (2 x^2)) x^3.
    "TRIGAMMA_FAR": (
        0.16666666666666646,
        -0.033333333332702386,
        0.02380952347388375,
        -0.03333326233675405,
        0.07574965294808052,
        -0.2525759575513528,
        1.1424886543813084,
        -6.3258111360592615,
        36.90395052107774,
        -191.97535480417378,
        762.1732574693599,
        -1948.5636254542549,
        2344.114709794635,
    ),
}

SOURCE = """
def log_reflection(x):
    # The sum of gammaln(x) and gammaln(-x), for x < 0.
    sine = sin(PI * (x - rint(x)))
    return -log(-x) - log(math.fabs(sine) / PI)

def gammaln_f64(x):
    size = math.fabs(x)
    power = log(size)
    u = (size if size < 1.0 else size - 1.0) - 1.0
    near = u * (u + 1.0) * polynomial(u, GAMMALN_NEAR)
    near += -power if size < 1.0 else 0.0
    w = 1.0 / size
    far = w * polynomial(w * w, GAMMALN_FAR) + (HALF_LOG_TWO_PI - 0.5)
    far += (size - 0.5) * (power - 1.0)
    positive = near if size < 3.0 else far
    below = log_reflection_far(x if x < 0.0 else 0.0, 0.0)
    below -= positive if below < math.inf else 0.0
    result = below if x < 0.0 else positive
    return result if x > -math.inf else x

def loggamma_f64(x):
    return gammaln_f64(x) if x >= 0.0 else math.nan

def digamma_reflection(x):
    # digamma(x) - digamma(1 - x), for x < 0.
    rest = x - rint(x)
    slope = PI * cos(PI * rest) / sin(PI * rest)
    return -slope if math.fabs(rest) > 0.0 else math.nan

def digamma_f64(x):
    size = math.fabs(x)
    w = 1.0 / size
    z = size + 1.0 if size < 1.0 else size
    near = polynomial(z - 2.0, DIGAMMA_NEAR)
    near *= (z - DIGAMMA_ZERO) - DIGAMMA_ZERO_REST
    far = log(size) - w * (0.5 + w * polynomial(w * w, DIGAMMA_FAR))
    here = near if size < 3.0 else far
    below = digamma_reflection_far(x if x < 0.0 else 0.0, 0.0)
    below += here + (0.0 if size < 1.0 else w)
    here -= w if size < 1.0 else 0.0
    result = below if x < 0.0 else here
    return math.copysign(math.inf, -x) if x == 0.0 else result

def trigamma_reflection(x):
    # trigamma(x) + trigamma(1 - x), for x < 0.
    rest = x - rint(x)
    cosecant = PI / sin(PI * rest)
    return cosecant * cosecant if math.fabs(rest) > 0.0 else math.inf

def trigamma_f64(x):
    size = math.fabs(x)
    w = 1.0 / size
    z = size + 1.0 if size < 1.0 else size
    near = polynomial(z - 2.0, TRIGAMMA_NEAR)
    far = w + w * w * (0.5 + w * polynomial(w * w, TRIGAMMA_FAR))
    here = near if size < 3.0 else far
    below = trigamma_reflection_far(x if x < 0.0 else 0.0, 0.0)
    below += (0.0 if size < 1.0 else w * w) - here
    here += w * w if size < 1.0 else 0.0
    return below if x < 0.0 else here
"""
