"""Options of SciPy's functions that ours do not have, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.errors import ArgumentError

__all__ = ["REFUSED", "refuse_options"]

_DERIVATIVE = "leave it out: derivatives are made of the function"
_MATRIX = "leave it out: method='Rodas4' takes the whole matrix of derivatives"
_BEHIND = "pass them one by one behind the others: {}"
_CALLBACK = "leave it out; anabranch.callback in the function is called in each step"
_OPTIONS = "pass tol and max_iterations themselves"
_BOUNDS = "minimize a function of unbounded variables: x = np.exp(z), say"
_CLOCK = "leave it out: it belongs to the methods of ODEPACK"

REFUSED: dict[str, dict[str, str]] = {
    "solve_ivp": {
        "dense_output": "t_eval has the times of results, which change no step",
        "vectorized": "leave it out: the function is compiled",
        "jac": _DERIVATIVE,
        "jac_sparsity": _MATRIX,
        "lband": _MATRIX,
        "uband": _MATRIX,
        "min_step": _CLOCK,
    },
    "odeint": {
        "args": _BEHIND.format("odeint(f, y0, t, *args)"),
        "tfirst": "odeint calls f(y, t); solve_ivp calls f(t, y)",
        "Dfun": _DERIVATIVE,
        "col_deriv": _DERIVATIVE,
        "full_output": "solve_ivp returns how many steps there were",
        "ml": "for stiff systems take solve_ivp(method='Rodas4')",
        "mu": "for stiff systems take solve_ivp(method='Rodas4')",
        "tcrit": "integrate to such a time, and from there on",
        "h0": "solve_ivp has first_step",
        "hmax": "solve_ivp has max_step",
        "hmin": _CLOCK,
        "mxstep": "max_steps is that of the whole integration",
        **dict.fromkeys(("ixpr", "mxhnil", "mxordn", "mxords", "printmessg"), _CLOCK),
    },
    "root": {
        "args": _BEHIND.format("root(f, x0, *args)"),
        "method": "leave it out: it is Newton's, with a matrix or with products",
        "jac": _DERIVATIVE,
        "callback": _CALLBACK,
        "options": _OPTIONS,
    },
    "fixed_point": {
        "args": _BEHIND.format("fixed_point(f, x0, *args)"),
        "xtol": "tol is the largest magnitude of f(x) - x",
        "maxiter": "it is max_iterations here",
        "method": "leave it out: it iterates, by Anderson's method",
    },
    "minimize": {
        "args": _BEHIND.format("minimize(f, x0, *args)"),
        **dict.fromkeys(("jac", "hess", "hessp"), _DERIVATIVE),
        "bounds": _BOUNDS,
        "constraints": _BOUNDS,
        "callback": _CALLBACK,
        "options": _OPTIONS,
    },
}


def refuse_options(function: str, given: Mapping[str, Any]) -> None:
    """Raise `ArgumentError` for an option of SciPy's, `TypeError` for any other."""
    for name in given:
        hint = REFUSED[function].get(name)
        if hint is None:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
        raise ArgumentError(f"{function} has no option {name}", hint=hint)
