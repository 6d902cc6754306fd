"""Jacobians: `jacfwd`, `jacrev` and what is made of them.

Each is one compiled graph (`jacobian_program`): nothing is called for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from ...backends import DEFAULT
from ..calls.function import Compiled, Function
from ..calls.held import held
from .gradient import Argnums, StaticOptions, check_argnums, compiled_by, which
from .jacobian_program import Options, with_jacobian, with_trace

__all__ = [
    "divergence",
    "hessian",
    "jacfwd",
    "jacobian",
    "jacrev",
    "laplacian",
    "value_and_jacobian",
]


class _How(NamedTuple):
    """How a derivative is compiled."""

    backend: str = DEFAULT
    static: StaticOptions = ((), ())


def _with_options(make: Callable[[Function, Options, _How], Compiled]):
    """What users call: the same options for each, of which ``make`` is given."""

    def derive(
        function: Function,
        argnums: Argnums = 0,
        *,
        argnum: Argnums | None = None,
        has_aux: bool = False,
        holomorphic: bool = False,
        backend: str = DEFAULT,
        static_argnums: int | Sequence[int] | None = (),
        static_argnames: str | Sequence[str] | None = (),
    ) -> Compiled:
        options = Options(
            which(argnums, argnum), "chosen", has_aux, holomorphic=holomorphic
        )
        return make(function, options, _How(backend, (static_argnums, static_argnames)))

    for name in ("__name__", "__qualname__", "__doc__"):
        setattr(derive, name, getattr(make, name))
    return derive


@_with_options
def jacfwd(function: Function, options: Options, how: _How) -> Compiled:
    """The Jacobian by forward mode: as many tangents as the argument has elements.

    This is the way for few elements and many results. Arguments are those of `grad`,
    but the function returns a tree of arrays.

    Returns:
        A compiled function whose result is like the function's, with an array of shape
        ``(*result, *argument)`` for each of its arrays, or a tree of them shaped like
        the argument (a tuple for several); with ``has_aux`` ``(jacobian, aux)``.

    Raises:
        GradientError: At the first call, where a result or the argument is not of
            floats, or where it is complex without ``holomorphic``.

    >>> import numpy as np
    >>> jacfwd(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _made(function, options._replace(mode="forward"), how)


@_with_options
def jacrev(function: Function, options: Options, how: _How) -> Compiled:
    """The Jacobian by reverse mode: as many cotangents as the result has elements.

    This is the way for few results and many elements. All else is as in `jacfwd`. Of a
    complex argument a row is the gradient of a real result, as `grad` returns it.

    >>> import numpy as np
    >>> jacrev(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _made(function, options._replace(mode="reverse"), how)


@_with_options
def jacobian(function: Function, options: Options, how: _How) -> Compiled:
    """The Jacobian, by the mode that has fewer rows to make.

    It is `jacfwd` where the argument has no more elements than the result, and `jacrev`
    elsewhere; where one of them alone is complex, the mode that takes it. ``report()``
    says which. All else is as in `jacfwd`.

    >>> import numpy as np
    >>> jacobian(np.cumsum)(np.ones(3))
    array([[1., 0., 0.],
           [1., 1., 0.],
           [1., 1., 1.]])
    """
    return _made(function, options, how)


@_with_options
def value_and_jacobian(function: Function, options: Options, how: _How) -> Compiled:
    """Like `jacobian`, but the result is ``(value, jacobian)``.

    With ``has_aux`` it is ``((value, aux), jacobian)``.
    """
    return _made(function, options._replace(with_value=True), how)


@_with_options
def hessian(function: Function, options: Options, how: _How) -> Compiled:
    """The Hessian, by forward mode over reverse mode.

    Arguments are those of `grad`; a function of several results has one for each. Of
    complex arguments there is one of a ``holomorphic`` function alone.

    Returns:
        A compiled function whose result is of shape ``(*argument, *argument)``, or a
        tree of trees of arrays for an argument that is a tree, or for several; with
        ``has_aux`` ``(hessian, aux)``.

    >>> import numpy as np
    >>> hessian(lambda x: np.prod(x))(np.array([2.0, 3.0]))
    array([[0., 1.],
           [1., 0.]])
    """
    gradient = _made(function, options._replace(mode="reverse"), how)
    return _made(gradient, options._replace(mode="forward"), how)


def divergence(
    function: Function, argnums: int | str = 0, *, backend: str = DEFAULT
) -> Compiled:
    """The trace of the Jacobian of a function whose result is like the argument.

    Returns:
        A compiled function whose result is a scalar.

    Raises:
        GradientError: At the first call, where argument and result are not arrays of
            one shape.

    >>> import numpy as np
    >>> divergence(lambda x: x**2)(np.array([1.0, 2.0]))
    np.float64(6.0)
    """
    return held(
        function,
        ("divergence", argnums, backend),
        lambda: compiled_by(
            function, partial(with_trace, argnums=argnums), backend, ((), ())
        ),
    )


def laplacian(
    function: Function, argnums: int | str = 0, *, backend: str = DEFAULT
) -> Compiled:
    """The trace of the Hessian of a scalar function.

    >>> import numpy as np
    >>> laplacian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    np.float64(18.0)
    """
    gradient = _made(function, Options(argnums, "reverse"), _How(backend))
    return divergence(gradient, argnums, backend=backend)


def _made(function: Function, options: Options, how: _How) -> Compiled:
    def make() -> Compiled:
        check_argnums(options.argnums)
        transform = partial(with_jacobian, options=options)
        return compiled_by(function, transform, how.backend, how.static)

    key = ("jacobian", type(options.argnums), options, how)
    return held(function, key, make)
