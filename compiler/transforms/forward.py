"""Forward mode: `jvp`, `linearize` and what is made of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...backends import DEFAULT
from ...ir.errors import ArgumentError
from ...ir.graph import Graph, Node
from ..calls.call import Call
from ..calls.function import Compiled, Function
from ..calls.held import held
from ..calls.tracebacks import shows_users_frames
from ..pipeline import TIDY, run_passes
from ..program import Program, embedded
from ..tree import flatten, leaf_type, outline, unflatten
from .gradient import (
    Argnums,
    check_aux,
    chosen_leaves,
    gradient,
    which,
)
from .residuals import Backward, Residuals, pull_back, split
from .tangent import tangent
from .transformed import Traced, Transformed, compiled

__all__ = ["hvp", "jvp", "linearize", "make_hvp"]

_CUT = tuple(name for name in TIDY if name != "merge")
"""A loop of values and one of tangents stay two, so there is a cut between them."""


@shows_users_frames
def jvp(
    function: Function,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    has_aux: bool = False,
    backend: str = DEFAULT,
) -> Any:
    """The result at ``primals`` and its derivative along ``tangents``.

    Args:
        function: As in `jit`.
        primals: The arguments, a tuple or a list.
        tangents: For each argument a tree like it, whose arrays have the shapes and
            dtypes of its arrays. None stands for zeros, and for what has no tangent:
            integers, bools, and static arguments.
        has_aux: Whether the function returns ``(result, aux)``.
        backend: As in `jit`.

    Returns:
        ``(y, y_dot)``, two trees like the result, or ``(y, y_dot, aux)``. Results that
        are not floats have None for a tangent.

    Raises:
        ArgumentError: Where tangents do not fit the arguments.

    >>> import numpy as np
    >>> jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise ArgumentError(
                f"jvp: the {what} are a {type(given).__name__}",
                hint="pass a tuple with one item for each argument: jvp(f, (x,), (v,))",
            )
    made = held(
        function,
        ("jvp", has_aux, backend),
        lambda: compiled(_Pushed(function, has_aux), backend),
    )
    return made(tuple(primals), tuple(tangents))


class _Pushed(Transformed):
    """The function of primals and tangents that pushes the tangents forward."""

    def __init__(self, function: Function, has_aux: bool) -> None:
        super().__init__(function)
        self.has_aux = has_aux
        self.__signature__ = inspect.signature(self.__call__)

    def __call__(self, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        made = self.traced(*primals)
        chosen = [made.call.positions(place) for place in range(len(primals))]
        values, dots = pushed(made, tangents_of(made, chosen, tangents))
        value, dot = (unflatten(made.program.result, x) for x in (values, dots))
        if not self.has_aux:
            return value, dot
        check_aux(made.program.graph.name, value)
        return value[0], dot[0], value[1]


def pushed(made: Traced, dots: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The results of a traced function, and their tangents; None where there is none.

    ``dots`` are the tangents of the arguments' leaves, None for those without one.
    """
    graph = made.program.graph
    pairs = zip(made.program.arguments, dots, strict=True)
    wrt = {name: dot for name, dot in pairs if name is not None and dot is not None}
    of = [name for name in graph.results if graph[name].type.has_gradient]
    both = tangent(graph, wrt=list(wrt), of=of)
    given = [*made.values(made.leaves), *wrt.values()]
    results = iter(embedded(both, given, made.program.notes))
    values = [next(results) for _ in graph.results]
    return values, [
        next(results) if graph[name].type.has_gradient else None
        for name in graph.results
    ]


def tangents_of(made: Traced, chosen: Sequence[Any], tangents: Any) -> list[Any]:
    """The tangent of each leaf of the arguments, None for one without.

    ``chosen`` has the tree of the positions of its leaves for each argument that
    ``tangents`` has a tree for. Raises `ArgumentError` where they do not fit.
    """
    if not isinstance(tangents, (tuple, list)):
        raise ArgumentError(
            f"the tangents of {len(chosen)} arguments are no tuple",
            hint="pass a tuple with one for each of them",
        )
    if len(chosen) != len(tangents):
        raise ArgumentError(f"{len(tangents)} tangents for {len(chosen)} arguments")
    found: list[Any] = [None] * len(made.leaves)
    for tree, dot in zip(chosen, tangents, strict=True):
        places, structure = flatten(tree)
        if dot is None:
            continue
        try:
            parts = structure.flatten_up_to(dot)
        except ValueError:
            raise ArgumentError(
                f"the tangent is structured as {outline(flatten(dot)[1])}, its "
                f"argument as {outline(structure)}",
                hint="it is a tree like the argument, with None for zeros",
            ) from None
        for place, part in zip(places, parts, strict=True):
            found[place] = None if part is None else _fitted(made, place, part)
    return found


def _fitted(made: Traced, place: int, dot: Any) -> Any:
    """The tangent of one leaf, checked."""
    graph, name = made.program.graph, made.program.arguments[place]
    if name is None or not graph[name].type.has_gradient:
        raise ArgumentError(
            f"argument {made.call.name(place)} has no tangent: it is "
            f"{'static' if name is None else graph[name].type}",
            hint="pass None for its tangent, or floats as the argument: 3.0 for 3",
        )
    wanted = graph[name].type
    found, weak = leaf_type(dot, f"the tangent of {name}")
    fits = found.dtype == wanted.dtype or (weak and not found.is_complex)
    if found.shape != wanted.shape or not (fits or wanted.is_complex):
        raise ArgumentError(
            f"{name} is {wanted}, and its tangent {found}",
            hint="a tangent has the shape and the dtype of its argument",
        )
    return dot


def linearize(
    function: Function, *primals: Any, backend: str = DEFAULT
) -> tuple[Any, Callable[..., Any]]:
    """The result at ``primals``, and the function that pushes tangents forward there.

    What does not depend on the tangents is computed once. So this is for many tangents
    at one point, and `jvp` for one.

    Returns:
        ``(y, push)``; ``push(*tangents)`` is the derivative along them, one tree like
        each argument, shaped like the result. Arguments and results that are not floats
        have None.

    >>> import numpy as np
    >>> y, push = linearize(np.sin, 0.0)
    >>> push(2.0), push(3.0)
    (np.float64(2.0), np.float64(3.0))
    """
    value, residuals = _linear(function, None, backend)(*primals)
    return value, partial(_push, residuals)


@shows_users_frames
def _push(residuals: Residuals, *tangents: Any) -> Any:
    return pull_back(residuals, tangents)


def _linear(function: Function, argnums: Argnums | None, backend: str) -> Compiled:
    """The compiled function that returns the result and what pushing needs.

    Without ``argnums`` tangents are those of all positional arguments.
    """
    transform = partial(_linearized, argnums, backend)
    return held(
        function,
        ("linearize", type(argnums), argnums, backend),
        lambda: Compiled(function, transform, backend=backend),
    )


def _linearized(
    argnums: Argnums | None, backend: str, program: Program, call: Call
) -> Program:
    graph, count = program.graph, len(program.graph.outputs)
    if argnums is None:
        chosen = unflatten(call.structure, range(len(program.arguments)))[0]
    else:
        chosen = chosen_leaves(call, argnums)
    places, structure = flatten(chosen)
    moved = [_floats(graph, program.arguments[place]) for place in places]
    of = [_floats(graph, name) for name in graph.results]
    wrt = [name for name in moved if name is not None]
    both = tangent(graph, wrt=wrt, of=[name for name in of if name is not None])
    both = _settled(run_passes(both, _CUT), len(wrt))
    first, second, kept = split(both, count, len(wrt))
    inputs = tuple(node.name for node in second.inputs)
    result = flatten(unflatten(program.result, of))[1]
    tangents = flatten(unflatten(structure, moved))[1]
    push = Backward(Program(second, inputs, (), result), kept, tangents, "tangent")
    push.backend = backend
    value = unflatten(program.result, range(count))
    slots = Residuals(push, range(len(kept)))
    return program.with_graph(first, flatten((value, slots))[1])


def _floats(graph: Graph, name: str | None) -> str | None:
    """The name of a value of floats, None for another."""
    return name if name is not None and graph[name].type.has_gradient else None


def _settled(graph: Graph, seeds: int) -> Graph:
    """The graph with what the tangent section computes without tangents before it."""
    last = len(graph.sections)
    linear = {node.name for node in graph.inputs[len(graph.inputs) - seeds :]}
    nodes: list[Node] = []
    for node in graph:
        if not linear.isdisjoint(node.operands):
            linear.update(node.names)
        elif node.section == last and node.op != "input":
            node = node._replace(section=last - 1)
        nodes.append(node)
    return graph.with_nodes(nodes)


def hvp(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    backend: str = DEFAULT,
) -> Compiled:
    """The product of the Hessian of a scalar function with a vector.

    ``hvp(f)(x, v)`` is the derivative of the gradient along ``v``, by forward mode over
    reverse mode: it costs a few gradients, and no Hessian is made.

    Args:
        function: As in `grad`.
        argnums: As in `grad`; the Hessian is by this argument, or by several.
        argnum: As in `grad`.
        backend: As in `jit`.

    Returns:
        A compiled function of the arguments and, behind them, the vector: a tree like
        the argument, or a tuple of them for several. The product is like the vector.

    >>> import numpy as np
    >>> hvp(lambda x: x**3)(2.0, 1.0)
    np.float64(12.0)
    """
    argnums = which(argnums, argnum)
    return held(
        function,
        ("hvp", type(argnums), argnums, backend),
        lambda: compiled(_HessianProduct(function, argnums), backend),
    )


class _HessianProduct(Transformed):
    """The function of arguments and a vector that pushes it through the gradient."""

    def __init__(self, function: Function, argnums: Argnums) -> None:
        super().__init__(gradient(function, argnums))
        self.argnums = argnums
        self.__signature__ = inspect.signature(self.__call__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            raise ArgumentError(
                "hvp: there is no vector", hint="it is the last argument: hvp(f)(x, v)"
            )
        *taken, vector = args
        made = self.traced(*taken, **kwargs)
        chosen = chosen_leaves(made.call, self.argnums)
        one = isinstance(self.argnums, (int, str))
        pair = ([chosen], [vector]) if one else (chosen, vector)
        _, dots = pushed(made, tangents_of(made, *pair))
        return unflatten(made.program.result, dots)


def make_hvp(
    function: Function,
    argnums: Argnums = 0,
    *,
    argnum: Argnums | None = None,
    backend: str = DEFAULT,
) -> Callable[..., tuple[Callable[[Any], Any], Any]]:
    """The gradient at a point, and the function that multiplies with the Hessian there.

    ``make_hvp(f)(*args)`` is ``(product, gradient)``. What does not depend on the
    vector is computed once, so this is for many vectors at one point, as conjugate
    gradients have them. Arguments are those of `hvp`.

    >>> import numpy as np
    >>> product, gradient = make_hvp(lambda x: x**3)(2.0)
    >>> gradient, product(1.0)
    (np.float64(12.0), np.float64(12.0))
    """
    argnums = which(argnums, argnum)

    @shows_users_frames
    def at(*args: Any, **kwargs: Any) -> tuple[Callable[[Any], Any], Any]:
        made = _linear(gradient(function, argnums, backend=backend), argnums, backend)
        slope, residuals = made(*args, **kwargs)
        return partial(pull_back, residuals), slope

    return at
