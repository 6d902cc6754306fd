"""Calls of SciPy and the standard library that tracing cannot follow.

The error names the user's line, the function that is called there, and a way out.
"""

from __future__ import annotations

import re
import statistics
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.sparse.linalg
import scipy.spatial.distance
import scipy.special
import scipy.stats

import anabranch
from anabranch import ConcretizationError
from anabranch.compiler.tracing.source import is_installed

X = np.array([1.0, 2.0, 3.0])
CALLS: dict[str, Any] = {
    "scipy.special.logsumexp": lambda x: scipy.special.logsumexp(x),
    "scipy.special.softmax": lambda x: scipy.special.softmax(x),
    "scipy.stats.rv_continuous.logpdf": lambda x: scipy.stats.norm.logpdf(x),
    "scipy.spatial.distance.cdist": lambda x: scipy.spatial.distance.cdist(
        np.stack([x, x]), np.stack([x, x])
    ),
    "scipy.optimize.minimize": lambda x: scipy.optimize.minimize(
        lambda y: np.sum(x * y), X
    ),
    "statistics.fmean": lambda x: statistics.fmean(x),
}


def refused(function: Any) -> ConcretizationError:
    """The error where calls are not looked up, for some of these have lowerings."""
    with pytest.raises(ConcretizationError) as raised:
        anabranch.jit(function, rewrite=False)(X)
    return raised.value


@pytest.mark.parametrize(("name", "function"), CALLS.items(), ids=CALLS.keys())
def test_the_error_names_the_users_line_and_the_function(
    name: str, function: Any
) -> None:
    error = refused(function)
    assert error.what.startswith(f"{name} needs the value")
    assert error.source is not None
    assert error.source.file == __file__
    first = function.__code__.co_firstlineno
    assert error.source.line in range(first, first + 3)
    assert "np.stack" not in (error.hint or "")


SOLVED: dict[str, Any] = {
    "root": lambda x: scipy.optimize.root(lambda y: y * x[0] - 1, 1.0),
    "fsolve": lambda x: scipy.optimize.fsolve(lambda y: y * x[0] - 1, 1.0),
    "root_scalar": lambda x: scipy.optimize.root_scalar(lambda y: y - x[0], x0=1.0),
    "brentq": lambda x: scipy.optimize.brentq(lambda y: y - 1, 0, x[1]),
    "newton": lambda x: scipy.optimize.newton(lambda y: y * x[0] - 1, 1.0),
    "fixed_point": lambda x: scipy.optimize.fixed_point(lambda y: np.cos(y * x[0]), 1),
    "minimize": lambda x: scipy.optimize.minimize(lambda y: y @ y, x),
    "least_squares": lambda x: scipy.optimize.least_squares(lambda y: y - x, X),
    "solve_ivp": lambda x: scipy.integrate.solve_ivp(lambda t, y: -x * y, (0, 1), X),
    "odeint": lambda x: scipy.integrate.odeint(lambda y, t: -x[0] * y, 1.0, X),
    "quad": lambda x: scipy.integrate.quad(lambda t: t * x[0], 0, 1),
    "cg": lambda x: scipy.sparse.linalg.cg(np.eye(3), x),
}
WRITTEN = {
    "fixed_point": "fixed_point",
    "minimize": "minimize",
    "least_squares": "minimize",
    "solve_ivp": "solve_ivp",
    "odeint": "odeint",
    "quad": "odeint",
    "cg": "linear_solve",
}


@pytest.mark.parametrize("name", SOLVED)
def test_solvers_of_scipy_are_answered_by_ours(name: str, capfd: Any) -> None:
    """By the user's line, also where a library in C raised an error of its own."""
    with pytest.raises(ConcretizationError) as raised:
        anabranch.jit(SOLVED[name])(X)
    error = raised.value
    capfd.readouterr()  # MINPACK prints what was raised
    assert error.what.endswith(f".{name} needs the value of a traced array")
    assert error.source is not None
    assert error.source.line == SOLVED[name].__code__.co_firstlineno
    assert f"anabranch.{WRITTEN.get(name, 'root')}(" in (error.hint or "")


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_what_this_library_has_is_named(name: str) -> None:
    error = refused(getattr(scipy.special, name))
    assert re.search(rf"write anabranch\.{name}\(", str(error))
    assert getattr(anabranch, name)(X).shape in [(), (3,)]


def test_what_no_public_name_is_known_of_is_a_function_of_its_module() -> None:
    error = refused(lambda x: scipy.stats.entropy(x))
    assert "scipy.stats" in error.what
    assert error.source is not None
    assert error.source.file == __file__


def test_the_users_own_refusals_inside_a_library_are_the_users() -> None:
    def callback(x: Any) -> Any:
        return scipy.optimize.approx_fprime(X, lambda y: float(np.sum(x)))

    error = refused(anabranch.jit(callback, rewrite=False))
    assert error.what.startswith("float()")
    assert error.source is not None
    assert "float(np.sum(x))" in error.source.text


def test_the_users_own_error_is_not_replaced() -> None:
    def function(x: Any) -> Any:
        try:
            return statistics.fmean(x)
        except TypeError as error:
            raise ValueError("mine") from error

    with pytest.raises(ValueError, match=r"^mine$"):
        anabranch.jit(function)(X)


def test_numpys_errors_inside_a_library_get_the_users_line() -> None:
    with pytest.raises(ValueError, match="broadcast") as raised:
        anabranch.jit(lambda x: sum([x, x[1:]]) + np.zeros(7))(X)
    assert __file__ in str(raised.value)


def test_what_is_installed() -> None:
    assert is_installed(statistics.__file__)
    assert is_installed(scipy.stats.__file__)
    assert not is_installed(__file__)
    assert not is_installed("<stdin>")
