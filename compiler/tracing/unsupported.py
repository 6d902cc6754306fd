"""Calls that have no lowering: the trace goes on, and reports all of them at once.

In the place of the result stand zeros of the type that NumPy would return. That type is
found by calling NumPy on ones, so functions that write files, or that call functions of
the user, are not tried.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np

from ...ir.errors import SourceLine, UnsupportedError
from ...ir.types import TensorType, dtype_name
from .lowerings import public_name
from .tracer import Tracer

__all__ = ["Unsupported", "function_name", "what_to_write"]

_NOT_TRIED: tuple[Any, ...] = (
    np.save,
    np.savez,
    np.savez_compressed,
    np.savetxt,
    np.apply_along_axis,
    np.apply_over_axes,
    np.piecewise,
)


_INSTEAD = {
    "scipy.special.logsumexp": "anabranch.logsumexp(x, axis)",
    "scipy.special.softmax": "anabranch.softmax(x, axis)",
    "scipy.special.log_softmax": "anabranch.log_softmax(x, axis)",
    "scipy.stats.zscore": "(x - np.mean(x)) / np.std(x)",
    "scipy.spatial.distance.euclidean": "np.sqrt(np.sum((u - v) ** 2))",
    "scipy.spatial.distance.sqeuclidean": "np.sum((u - v) ** 2)",
    "scipy.spatial.distance.cdist": (
        "np.sqrt(np.sum((a[:, None] - b[None]) ** 2, axis=-1))"
    ),
    "scipy.stats.rv_continuous.logpdf": (
        "the formula of the density, for scipy.stats.norm "
        "-0.5 * (x * x + np.log(2 * np.pi)),"
    ),
    "scipy.sparse.spmatrix.__mul__": "A @ x",
    "statistics.fmean": "np.mean(x)",
    "statistics.mean": "np.mean(x)",
    "scipy.integrate.odeint": "anabranch.odeint(f, y0, t, *args)",
    "scipy.integrate.quad": (
        "anabranch.odeint(lambda y, x: f(x), 0.0, np.array([a, b]))[-1]"
    ),
    "scipy.integrate.solve_ivp": "anabranch.solve_ivp(f, t_span, y0)",
    "scipy.optimize.fixed_point": "anabranch.fixed_point(f, x0, *args).x",
    **dict.fromkeys(
        [
            f"scipy.optimize.{name}"
            for name in (
                *("bisect", "brenth", "brentq", "fsolve", "newton", "ridder"),
                *("root", "root_scalar", "toms748"),
            )
        ],
        "anabranch.root(f, x0, *args).x",
    ),
    "scipy.optimize.minimize": "anabranch.minimize(f, x0, *args).x",
    "scipy.optimize.minimize_scalar": "anabranch.minimize(f, x0, *args).x",
    **dict.fromkeys(
        ("scipy.optimize.curve_fit", "scipy.optimize.least_squares"),
        "anabranch.minimize(lambda x: np.sum(residuals(x) ** 2), x0).x",
    ),
    **dict.fromkeys(
        [f"scipy.sparse.linalg.{name}" for name in ("bicgstab", "cg", "gmres")],
        "anabranch.linear_solve(A, b).x",
    ),
}


def what_to_write(called: str) -> str:
    """The hint where the function of a library that is not traced was called."""
    known = _INSTEAD.get(called)
    if known is not None:
        return f"write {known} instead"
    return (
        "only NumPy's functions are traced: write it with the supported ones "
        "(`anabranch docs functions` lists them), call it by anabranch.callback, or "
        "compute it outside and pass the result in"
    )


class Unsupported:
    """The calls of one trace that have no lowering, with the user's lines."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: dict[SourceLine | None, dict[str, None]] = {}

    def note(self, function: Any, source: SourceLine | None) -> None:
        """Remember a call: each line once, and there each function once."""
        self._calls.setdefault(source, {})[function_name(function)] = None

    def complain(self) -> None:
        """Raise one `UnsupportedError` for all calls that were noted."""
        if self._calls:
            calls = "".join(
                f"\n    {', '.join(names)}   {source or ''}".rstrip()
                for source, names in self._calls.items()
            )
            raise UnsupportedError(
                f"{self._name} calls what has no lowering to IR:{calls}",
                hint="write it with the supported ones (`anabranch docs functions` "
                "lists them), call it as it is by anabranch.callback, or compute it "
                "outside and pass the result in",
            )

    def result_types(self, function: Any, args: Any, kwargs: Any) -> Any:
        """The type of the result, or a tuple of them; complains where it has none."""
        if any(function is untried for untried in _NOT_TRIED):
            self.complain()
        call: Callable[..., Any] = (
            getattr(*function) if isinstance(function, tuple) else function
        )
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = call(*_stand_in(args), **_stand_in(kwargs))
            if isinstance(result, tuple):
                return tuple(_type(part) for part in cast("tuple[Any, ...]", result))
            return _type(result)
        except Exception:  # whatever NumPy or SciPy raises: the trace ends here
            self.complain()
            raise


def _type(result: Any) -> TensorType:
    array = np.asarray(result)
    return TensorType(dtype_name(array.dtype), array.shape)


def _stand_in(values: Any) -> Any:
    """Nested arguments with arrays of ones for tracers, and copies of arrays."""
    if isinstance(values, Tracer):
        return np.ones(values.shape, values.dtype)
    if isinstance(values, np.ndarray):
        return values.copy()
    if type(values) in (list, tuple):
        return type(values)(_stand_in(item) for item in cast("Iterable[Any]", values))
    if isinstance(values, dict):
        pairs = cast("dict[Any, Any]", values)
        return {key: _stand_in(item) for key, item in pairs.items()}
    return values


def function_name(function: Any) -> str:
    """How a user writes the function: ``np.linalg.svd``, ``np.add.accumulate``."""
    if isinstance(function, tuple):
        ufunc, method = cast("tuple[Any, str]", function)
        return f"{function_name(ufunc)}.{method}"
    if (known := public_name(function)) is not None:
        return known
    name = str(function.__name__)
    if isinstance(function, np.ufunc):
        modules = {"np": np, "scipy.special": sys.modules.get("scipy.special")}
        homes = [path for path, home in modules.items() if hasattr(home, name)]
        return f"{homes[0]}.{name}" if homes else name
    module = str(getattr(function, "__module__", None) or "numpy")
    module = {"numpy.lib.scimath": "np.emath"}.get(module, module)
    return f"{module}.{name}".replace("numpy", "np", 1)
