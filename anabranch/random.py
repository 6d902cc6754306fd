"""Random numbers from a key, in compiled functions and outside: see `compiler.random`.

>>> import anabranch
>>> first, second = anabranch.random.split(anabranch.random.key(0))
>>> anabranch.random.integers(first, 4, 10).shape
(4,)
"""

from .compiler.draws import (
    beta,
    cauchy,
    dirichlet,
    gamma,
    laplace,
    logistic,
    multivariate_normal,
    poisson,
    truncated_normal,
)
from .compiler.random import (
    bernoulli,
    bits,
    choice,
    exponential,
    fold_in,
    gumbel,
    integers,
    key,
    normal,
    permutation,
    split,
    uniform,
)

__all__ = [
    "bernoulli",
    "beta",
    "bits",
    "cauchy",
    "choice",
    "dirichlet",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "integers",
    "key",
    "laplace",
    "logistic",
    "multivariate_normal",
    "normal",
    "permutation",
    "poisson",
    "split",
    "truncated_normal",
    "uniform",
]
