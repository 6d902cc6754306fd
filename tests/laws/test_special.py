"""Functions of `scipy.special`: derivatives of orders 1 to 3 against multiprecision.

At ordinary points and at special ones: zeros, where formulas have removable
singularities, both sides of where a rule changes its formula, and far out.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pytest
from scipy import special

import anabranch
from anabranch.ir import OPS
from anabranch.ir.errors import GradientError
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.oracles.special_functions import TRUTH, mp

RTOL = 1e-8
OF_COMPLEX = ("lambertw", "wofz")  # which `test_special_complex` has
NAMES = [
    name
    for name, op in OPS.items()
    if op.ufunc is not None
    and op.adjoint is not NONDIFFERENTIABLE
    and name not in OF_COMPLEX
]
SEVERAL = "airy airye ellipj fresnel shichi sici".split()
REAL = [0.0, 1e-8, 0.1, 0.5, 1.0, 2.0, 4.5, -1e-8, -0.5, -1.0, -3.0]
POSITIVE = [1e-3, 0.3, 1.0, 2.0, 7.5, 60.0]
UNIT = [1e-3, 0.1, 0.3, 0.5, 0.75, 0.9, 0.999]
ORDERS = [0.0, 0.5, 1.0, 2.0, 2.7]
BESSEL = [0.0, 0.3, 2.5, 30.0]
SHAPES = [0.5, 1.0, 2.0, 3.5]
WHOLE = [0, 1, 2, 5]
POINTS: dict[str, list[tuple[float, ...]]] = {
    **{name: [(x,) for x in REAL] for name in ("erfc", "dawsn", "ndtr", "log_expit")},
    **{name: [(x,) for x in REAL] for name in ("exprel", "cosm1", "exp10")},
    "erfcx": [(x,) for x in [*REAL, 7.9, 8.0, 20.0, 1e6]],
    "log_ndtr": [(x,) for x in [*REAL, -8.0, -20.0, -60.0, 7.0]],
    "erfinv": [(x,) for x in [0.0, 0.1, 0.5, 0.9, -0.7, -0.99]],
    "erfcinv": [(x,) for x in [0.01, 0.5, 1.0, 1.5, 1.9]],
    "ndtri": [(x,) for x in UNIT],
    "ndtri_exp": [(x,) for x in [-0.05, -0.7, -2.0, -10.0, -50.0]],
    "owens_t": [(0.0, 0.5), (0.5, 0.0), (-1.0, -2.0)],
    **{name: [(x,) for x in POSITIVE] for name in ("loggamma", "exp1", "expi")},
    **{name: [(0.1,), (2.0,), (20.0,)] for name in ("k0", "k1", "k0e", "k1e")},
    **{name: [(x,) for x in POSITIVE] for name in ("y0", "y1", "entr")},
    **{
        name: [(x,) for x in [*POSITIVE, -0.5, -1.3, -3.7]]
        for name in ("gammaln", "digamma", "gamma")
    },
    "zeta": [*product([1.5, 2.0, 4.0], POSITIVE)],
    "rgamma": [(x,) for x in [*POSITIVE, 0.0, -1.0, -2.0, -0.5, -3.3]],
    **{
        name: [*product([0.3, 1.0, 2.0, 30.0], [0.5, 1.0, 4.0])]
        for name in ("beta", "betaln", "poch")
    },
    "binom": [*product([2.0, 3.0, 5.5, 40.0], [0.0, 1.0, 2.5, 3.0])],
    **{name: [*product(SHAPES, [0.3, 1.0, 4.0])] for name in ("gammainc", "gammaincc")},
    **{
        name: [*product(SHAPES, [0.1, 0.5, 0.9])]
        for name in ("gammaincinv", "gammainccinv")
    },
    **{
        name: [*product(SHAPES, SHAPES, [0.1, 0.5, 0.9])]
        for name in ("betainc", "betaincc", "betaincinv", "betainccinv")
    },
    "stdtr": [*product(SHAPES, [-2.0, 0.0, 1.0, 9.0])],
    "stdtrit": [*product(SHAPES, [0.1, 0.4, 0.5, 0.9])],
    "logit": [(x,) for x in UNIT],
    "xlogy": [*product([0.0, 1.0, -2.0], [1e-3, 1.0, 4.0])],
    "xlog1py": [*product([0.0, 1.0, -2.0], [-0.9, 0.0, 1e-9, 4.0])],
    "rel_entr": [*product([0.2, 1.0, 3.0], [0.5, 1.0, 2.0])],
    "kl_div": [*product([0.2, 1.0, 3.0], [0.5, 1.0, 2.0])],
    "boxcox": [*product([0.3, 1.0, 1.1, 5.0], [0.0, 1e-9, 0.5, 1.0, -2.0])],
    "boxcox1p": [*product([-0.5, 0.0, 0.1, 5.0], [0.0, 1e-9, 0.5, 1.0, -2.0])],
    "inv_boxcox": [*product([0.0, 0.5, 2.0, -0.4], [0.0, 1e-9, 0.5, 1.0, -0.3])],
    "inv_boxcox1p": [*product([0.0, 0.5, 2.0, -0.4], [0.0, 1e-9, 0.5, 1.0, -0.3])],
    "pseudo_huber": [*product([0.5, 1.0, 3.0], [0.0, 1e-9, 0.7, -4.0])],
    "huber": [*product([1.0, 3.0], [0.0, 0.7, -4.0])],
    **{name: [*product(ORDERS, BESSEL[1:])] for name in ("yv", "ive")},
    **{name: [*product([0.5, 2.0], [0.3, 9.0])] for name in ("kv", "kve")},
    **{
        name: [*product(ORDERS, BESSEL[1:]), (0.0, 0.0), (1.0, 0.0), (3.0, 0.0)]
        for name in ("jv", "iv")
    },
    **{name: [(x,) for x in (*BESSEL, -2.0)] for name in ("j0", "j1", "i0", "i1")},
    **{name: [(x,) for x in (*BESSEL[1:], -2.0)] for name in ("i0e", "i1e")},
    "erfi": [(x,) for x in REAL],
    "voigt_profile": [*product([0.0, 0.7, -3.0], [0.5, 2.0], [1e-3, 1.0])],
    "spence": [(x,) for x in [0.01, 0.49, 0.51, 1.0, 1.0 + 1e-9, 1.49, 1.51, 30.0]],
    "zetac": [(1.5,), (4.0,)],
    "powm1": [*product([0.3, 1.0, 5.0], [0.5, 1.0, -2.0])],
    **{name: [(x,) for x in REAL] for name in ("sindg", "cosdg", "tandg")},
    "cotdg": [(0.5,), (30.0,), (-100.0,)],
    **{
        name: [*product([0.0, 0.4, 1.5, -4.0], [0.0, 0.3, 0.9, -2.0])]
        for name in ("ellipkinc", "ellipeinc")
    },
    **{
        name: [*product([0.5, 1.0, 3.0], [0.3, 8.0])]
        for name in ("struve", "modstruve")
    },
    **{
        name: [*product([0.5, 1.0], [0.7, 2.0], [0.1, 2.0])]
        for name in ("wright_bessel", "log_wright_bessel")
    },
    "wrightomega": [(x,) for x in REAL],
    "hyp0f1": [*product([0.5, 2.0], [-4.0, 0.0, 1e-9, 1.0, 30.0])],
    "fresnel": [(x,) for x in REAL],
    "sici": [(x,) for x in [1e-3, 0.5, 2.0, 40.0]],
    "shichi": [(x,) for x in [1e-3, 0.5, 2.0, 20.0]],
    "airy": [(x,) for x in REAL],
    "airye": [(x,) for x in POSITIVE[:4]],
    "ellipj": [*product([0.0, 0.3, 2.0, -1.0], [0.0, 0.4, 0.9])],
    **{
        name: [*product(WHOLE, [0.0, 0.3, 1.0, -0.8])]
        for name in (
            "eval_hermite",
            "eval_hermitenorm",
            "eval_chebyt",
            "eval_chebyu",
            "eval_legendre",
            "eval_laguerre",
        )
    },
    **{
        name: [*product(WHOLE, [0.5, 1.0], [0.0, 0.3, -0.8])]
        for name in ("eval_gegenbauer", "eval_genlaguerre")
    },
    "eval_jacobi": [*product(WHOLE, [0.5, 1.0], [0.5, 1.5], [0.0, 0.3, -0.8])],
    **{
        f"spherical_{kind}n": [*product(WHOLE, [0.4, 2.0, 9.0])]
        for kind in ("j", "y", "i", "k")
    },
    "expn": [*product([0.0, 1.0, 2.0, 4.0], [0.1, 1.0, 5.0])],
    "hyp1f1": [*product([0.5, 2.0], [1.0, 2.5], [-4.0, 0.0, 1.0, 8.0])],
    "hyperu": [*product([0.5, 2.0], [0.5, 1.5], [70.0, 400.0])],
    "hyp2f1": [*product([0.5, 1.5], [0.5, 2.0], [2.0], [-3.0, 0.0, 0.3, 0.8])],
    **{
        name: [(x,) for x in [-5.0, -0.5, 0.0, 1e-9, 0.5, 0.9, 0.99]]
        for name in ("ellipk", "ellipe")
    },
    "ellipkm1": [(x,) for x in [1e-6, 0.01, 0.3, 0.6, 1.0, 3.0]],
}


Point: TypeAlias = "tuple[float, ...]"


@cache
def truth(name: str, result: int, point: Point, orders: tuple[int, ...]) -> Any:
    """The partial derivative, by differences in many more digits than floats have."""

    def function(*operands: Any) -> Any:
        found = TRUTH[name](*operands)
        return found[result] if isinstance(found, tuple) else found

    with mp.workdps(45):
        return mp.diff(function, tuple(map(mp.mpf, point)), orders)


def results(name: str) -> int:
    """How many a function has."""
    return special.__dict__[name].nout if name in SEVERAL else 1


def partial(name: str, slots: tuple[int, ...], backend: str, result: int = 0) -> Any:
    """The derivative by the operands in ``slots``, one after the other."""
    function = getattr(special, name)
    if name in SEVERAL:
        several = function
        function = lambda *operands: several(*operands)[result]  # noqa: E731
    for slot in slots:
        inner = function
        function = anabranch.grad(
            lambda *operands, f=inner: np.sum(f(*operands)),
            argnums=slot,
            backend=backend,
        )
    return function


def smooth(name: str) -> list[int]:
    """The operands by which there are derivatives."""
    op = OPS[name]
    without = {*op.refused, *op.constant_slots}
    return [slot for slot in range(op.arity) if slot not in without]


def test_every_function_has_points_and_a_truth() -> None:
    assert POINTS.keys() == set(NAMES)
    assert TRUTH.keys() >= set(NAMES)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name: str, order: int) -> None:
    points = POINTS[name]
    if order > 1:
        points = points[:: 1 + len(points) // (32 // order)]  # the truth takes its time
    columns = [np.array(column) for column in zip(*points, strict=True)]
    wanted = [
        (slots, result)
        for slots in product(smooth(name), repeat=order)
        for result in range(results(name))
        # The orders of taking them are tried with two.
        if list(slots) == sorted(slots) or order < 3
    ]
    together = (
        anabranch.jit(  # a kernel of them all is compiled faster than one of each
            lambda *operands: [
                partial(name, slots, "llvm", result)(*operands)
                for slots, result in wanted
            ]
        )
    )
    wrong: list[str] = []
    for (slots, result), made in zip(wanted, together(*columns), strict=True):
        orders = tuple(slots.count(slot) for slot in range(len(columns)))
        for got, point in zip(made, points, strict=True):
            right = truth(name, result, point, orders)
            error = abs(mp.mpf(float(got)) - right) if np.isfinite(got) else mp.inf
            if not error <= RTOL * max(abs(right), 1e-5):
                wrong.append(f"{point} by {slots}: {got}, right {mp.nstr(right, 17)}")
    assert not wrong, "\n".join(wrong)


REFUSED = [(name, slot) for name in NAMES for slot in OPS[name].refused]


@pytest.mark.parametrize(("name", "slot"), REFUSED)
def test_a_parameter_without_a_derivative_is_refused(name: str, slot: int) -> None:
    point = [np.array([x]) for x in POINTS[name][0]]
    with pytest.raises(GradientError) as caught:
        partial(name, (slot,), "reference")(*point)
    assert OPS[name].refused[slot] in str(caught.value)
    assert "(*operands)" in str(caught.value)  # the user's line


def test_a_parameter_may_be_traced_where_no_gradient_asks_for_it() -> None:
    slope = anabranch.grad(lambda v, x: np.sum(special.jv(v, x)), argnums=1)
    v, x = np.array([0.0, 1.5]), np.array([2.0, 3.0])
    np.testing.assert_allclose(slope(v, x), special.jvp(v, x), rtol=1e-13)
