"""The functions that users call: `sparse_jacobian`, `sparse_hessian`, `sparsity`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...backends import DEFAULT
from ..calls.function import Compiled, Function
from ..calls.held import held
from ..transforms.gradient import Argnums, gradient, which
from ..transforms.transformed import as_it_is
from .derivative import SparseDerivative
from .pattern import Sparsity

__all__ = ["sparse_hessian", "sparse_jacobian", "sparsity"]


def sparse_jacobian(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    pattern: Any = None,
    chunk: int | None = None,
    format: str = "csr",
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
) -> SparseDerivative:
    """The Jacobian of a function, computed and returned as a sparse matrix.

    Where it may be other than zero is read off the function's graph, once for each
    signature. Columns, or rows, that do not meet are grouped, and one product is taken
    for each group: all of them in one compiled graph.

    Args:
        function: As in `jit`; its result is an array of real floats, or a tree of them.
        argnums: The argument to differentiate by, by position or name, or several. A
            tree is one vector: its arrays one behind the other.
        argnum: Another name of ``argnums``.
        pattern: Where the Jacobian may be other than zero: a `Sparsity`, or a matrix,
            NumPy's or SciPy's. Without, it is found. Where the graph may have elements
            that are not in it, the first call takes one product more here, and one
            at a point beside, which tell whether it has; with ``ANABRANCH_DEBUG=1``
            each call does. Elements that depend on other arguments may be missed.
        chunk: Take so many products at a time, in a loop, for the sake of memory where
            there are many colours.
        format: One of SciPy's formats: ``csr``, ``csc``, ``coo``, and so on.
        backend: As in `jit`.
        static_argnums: As in `jit`.
        static_argnames: As in `jit`.

    Returns:
        A function of the same arguments, whose result is a sparse array of shape
        (elements of the result, elements of the argument). It stores all elements that
        may be other than zero. Its ``sparsity(*args)`` is the pattern.

        Integers by which the function indexes, arguments or closed over, may change:
        then the pattern is found again.

    Raises:
        ArgumentError: For another format; at the call, where the pattern is of another
            shape, or lacks an element that is not zero.
        GradientError: At the call, where results or arguments are no real floats, or
            where more than some ten million elements may be other than zero.
        TraceError: At the call inside of a traced function.

    >>> import numpy as np
    >>> sparse_jacobian(lambda x: x[1:] * x[:-1])(np.array([1.0, 2.0, 3.0])).toarray()
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """

    def make() -> Compiled:
        return Compiled(
            function,
            as_it_is,
            backend=backend,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
        )

    inner = held(function, ("sparse", backend, static_argnums, static_argnames), make)
    return SparseDerivative(
        inner,
        which(argnums, argnum),
        symmetric=False,
        pattern=pattern,
        chunk=chunk,
        format=format,
        backend=backend,
    )


def sparse_hessian(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    pattern: Any = None,
    chunk: int | None = None,
    format: str = "csr",
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
) -> SparseDerivative:
    """The Hessian of a scalar function, computed and returned as a sparse matrix.

    It is the `sparse_jacobian` of the gradient, which is symmetric: an element is taken
    from whichever side of the diagonal needs fewer products, so the result equals its
    transpose to the bit. A Hessian in the shape of an arrow takes two.

    Arguments and errors are those of `sparse_jacobian`; the function returns a scalar.
    By several arguments it is one matrix with the blocks of all pairs of them.

    >>> import numpy as np
    >>> sparse_hessian(lambda x: np.sum(x**3))(np.array([1.0, 2.0])).toarray()
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    inner = gradient(
        function,
        which(argnums, argnum),
        has_aux=False,
        with_value=False,
        holomorphic=False,
        backend=backend,
        static=(static_argnums, static_argnames),
    )
    return SparseDerivative(
        inner,
        which(argnums, argnum),
        symmetric=True,
        pattern=pattern,
        chunk=chunk,
        format=format,
        backend=backend,
    )


def sparsity(
    function: Function | SparseDerivative,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
) -> Callable[..., Sparsity]:
    """Which elements of a Jacobian may be other than zero.

    ``sparsity(f)(*args)`` is a `Sparsity` for all arguments of these shapes: the
    pattern, and the colours of its columns. A type (`spec`) may stand for an array of
    floats. For a Hessian pass ``sparse_hessian(f)`` as the function.

    It may hold more than there is: where a position is computed of floats, a result
    depends on all that could be there, and a loop with too many turns, or with a number
    of them that is not known, is taken to run any number of times.

    >>> import numpy as np
    >>> print(sparsity(lambda x: x[1:] - x[:-1])(np.ones(100)))
    99x100, 198 nonzeros (0.02 of all), 2 colours of columns
    """
    if isinstance(function, SparseDerivative):
        return function.sparsity
    return sparse_jacobian(function, argnums, argnum=argnum).sparsity
