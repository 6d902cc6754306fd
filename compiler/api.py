"""The functions that users call: `jit`, `grad` and its kin, `make_ir`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, overload

from ..backends import DEFAULT
from ..ir.graph import Graph
from .calls.function import Compiled, Function, Tracing
from .calls.tracebacks import shows_users_frames
from .transforms.gradient import Argnums, gradient, which, with_residuals
from .transforms.residuals import PullBack, pull_back

__all__ = [
    "elementwise_grad",
    "fwd_and_bwd",
    "grad",
    "grad_and_aux",
    "jit",
    "make_ir",
    "value_and_grad",
    "vjp",
]

_NONE: Any = object()


@overload
def jit(
    function: Function,
    *,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
    rewrite: bool = True,
    freeze: bool = False,
    allow_random: bool = False,
) -> Compiled: ...


@overload
def jit(
    *,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
    rewrite: bool = True,
    freeze: bool = False,
    allow_random: bool = False,
) -> Callable[[Function], Compiled]: ...


def jit(
    function: Function = _NONE,
    *,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
    rewrite: bool = True,
    freeze: bool = False,
    allow_random: bool = False,
) -> Compiled | Callable[[Function], Compiled]:
    """Compile a NumPy function, or a graph.

    Without a function it is a decorator: ``@jit(static_argnames="mode")``.

    Args:
        function: Plain NumPy code. Its arguments and its result are pytrees of arrays
            and numbers. Or a `Graph`, such as `parse` returns: its inputs are the
            parameters, and a dot in a name is an underscore there. It takes arrays of
            exactly these types, and returns the value itself of a single output without
            a label, a dict if every output has a label of its own, or else a tuple.
            `grad` and the others take a graph as well.
        backend: ``llvm``, or ``reference`` to interpret the graph with NumPy.
        static_argnums: Positions of arguments that are not traced. Each of their values
            (hashable) is a signature of its own.
        static_argnames: The same by name. None is none of them, in both.
        rewrite: Whether the function, and each function of the user's that it calls, is
            rewritten while it is traced, so that stores into arrays that it made, and
            an ``if`` on a traced value, work as Python says. Without, it runs as it is.
        freeze: Keep what the function closes over as it was when it was traced. Else
            arrays are read at each call, and a global, a closure cell or an attribute
            that is bound anew traces the function again.
        allow_random: Whether the function may ask for random numbers and the time; the
            compiled function keeps what it got when it was traced.

    Returns:
        A function that traces at the first call of each signature (structure, dtypes
        and shapes) and returns what the NumPy function returns: new arrays, and NumPy
        scalars for results without dimensions. It keeps the 256 signatures used last;
        ``cache_clear()`` forgets them. A call with ``out=`` writes into arrays instead,
        a tree like the result; if it fails, they stay as they were.

    Raises:
        ArgumentError: At the call: for an argument that is neither array nor number,
            nor static by itself (texts, functions, classes, slices), and for arrays of
            ``out`` that do not fit or that share memory with each other.
        TraceError: At the first call, where the function does what cannot be traced.
    """
    made = partial(
        Compiled,
        backend=backend,
        static_argnums=static_argnums,
        static_argnames=static_argnames,
        tracing=Tracing(rewrite, freeze, allow_random),
    )
    return made if function is _NONE else made(function)


def grad(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
    memory_limit: int | str | None = None,
) -> Compiled:
    """The gradient of a scalar function.

    Args:
        function: Returns one float scalar, or ``(scalar, aux)`` with ``has_aux``; with
            ``holomorphic`` a complex scalar. An array of size 1 counts as one.
        argnums: The argument to differentiate, by position or name, or several.
        argnum: Another name of it.
        has_aux: Whether the function returns something beside the loss.
        holomorphic: Whether the function is complex differentiable, of complex
            arguments: the result is its derivative f'(z), not a direction to descend.
        backend: As in `jit`.
        static_argnums: As in `jit`.
        static_argnames: As in `jit`.
        memory_limit: The most scratch memory that a call may take beside its arguments
            and results, in bytes, or as a text: "64MB", "1.5GiB". What does not fit is
            computed again on the way back, as little of it as was found: by a minimum
            cut through the graph, and where its loops keep too much by segments, as
            `checkpointed` has them. `saved_residuals` shows what is kept. Of
            ``vmap(grad(f, memory_limit=...))`` it is that of all examples; of a
            gradient that the function of a `vmap` calls, that of one.

    Returns:
        A compiled function whose result is the gradient, shaped like the argument (a
        tuple for several), or ``(gradient, aux)``. That of a complex z is
        dL/dRe(z) + i dL/dIm(z): ``z - rate * gradient`` descends. Asked for again, of
        the same function or of a fresh lambda that closes over the same, it is the one
        made before; `clear_caches` forgets them.

    Raises:
        GradientError: At the first call, where the loss is not a float scalar or the
            argument is of integers or bools.
        ArgumentError: For a ``memory_limit`` that is no number of bytes, or of another
            backend; at the first call, where it cannot be kept, with the least.
    """
    return gradient(
        function,
        which(argnums, argnum),
        has_aux=has_aux,
        with_value=False,
        holomorphic=holomorphic,
        backend=backend,
        static=(static_argnums, static_argnames),
        memory_limit=memory_limit,
    )


def value_and_grad(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
    memory_limit: int | str | None = None,
) -> Compiled:
    """Like `grad`, but the result is ``(value, gradient)``.

    With ``has_aux`` it is ``((value, aux), gradient)``.
    """
    return gradient(
        function,
        which(argnums, argnum),
        has_aux=has_aux,
        with_value=True,
        holomorphic=holomorphic,
        backend=backend,
        static=(static_argnums, static_argnames),
        memory_limit=memory_limit,
    )


def elementwise_grad(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    holomorphic: bool = False,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
) -> Compiled:
    """The gradient of the sum of what a function returns.

    Of a function that works element by element these are the derivatives of each.

    >>> import numpy as np
    >>> elementwise_grad(np.sin)(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    return gradient(
        function,
        which(argnums, argnum),
        holomorphic=holomorphic,
        elementwise=True,
        backend=backend,
        static=(static_argnums, static_argnames),
    )


def grad_and_aux(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
) -> Compiled:
    """The gradient of a function that returns ``(loss, aux)``, and ``aux``.

    This is `grad` with ``has_aux``, under the name that autograd has for it.
    """
    return grad(
        function,
        which(argnums, argnum),
        has_aux=True,
        backend=backend,
        static_argnums=static_argnums,
        static_argnames=static_argnames,
    )


def fwd_and_bwd(
    function: Function,
    argnums: Argnums = 0,
    *,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
    memory_limit: int | str | None = None,
) -> tuple[Compiled, PullBack]:
    """The forward and the backward pass as two compiled functions.

    Options are those of `jit` and `grad`; ``memory_limit`` is that of the residuals.

    Returns:
        ``fwd`` and ``bwd``. ``fwd(*args)`` returns the result and the residuals, a
        mapping from the names of forward values to arrays, which may lie in one block
        of memory that each of them keeps; ``bwd(residuals, cotangents)`` takes the
        cotangents in the structure of the result and returns those of the arguments.
    """
    static = static_argnums, static_argnames
    made = with_residuals(function, argnums, backend, static, memory_limit)
    return made, pull_back


@shows_users_frames
def vjp(
    function: Function, *args: Any, backend: str = DEFAULT
) -> tuple[Any, Callable[[Any], Any]]:
    """The result at ``args``, and the function that pulls cotangents back.

    Returns:
        ``(y, pullback)``; ``pullback(y_bar)`` is a tuple with one cotangent for each
        of ``args``.
    """
    forward = with_residuals(function, tuple(range(len(args))), backend)
    result, residuals = forward(*args)
    return result, partial(pull_back, residuals)


def make_ir(function: Function) -> Callable[..., Graph]:
    """The graph of a function, before any optimisation.

    ``make_ir(f)(*args)`` traces ``f``; arguments may be types such as
    ``spec("f32[8,4]")``. For a compiled function, such as ``grad(f)``, it is the graph
    with the adjoint and its sum nodes.
    """
    compiled = function if isinstance(function, Compiled) else Compiled(function)

    @shows_users_frames
    def build(*args: Any, **kwargs: Any) -> Graph:
        return compiled.program(*args, **kwargs).graph

    return build
