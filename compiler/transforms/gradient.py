"""Gradients as transforms of programs: what `grad` and its kin compile."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias, cast

from ...backends import DEFAULT
from ...ir.builder import Builder
from ...ir.errors import ArgumentError, GradientError
from ...ir.graph import Graph, Output
from ..calls.call import Call
from ..calls.function import Compiled, Function, Transform
from ..calls.held import held
from ..passes.equal_pieces import in_equal_pieces
from ..pipeline import TIDY, run_passes
from ..program import Program
from ..tree import flatten, leaf_names, unflatten
from .adjoint import adjoint
from .limit import Limited, limit_of
from .residuals import Backward, Residuals, split

__all__ = [
    "Argnums",
    "StaticOptions",
    "check_argnums",
    "check_aux",
    "chosen_leaves",
    "chosen_names",
    "compiled_by",
    "gradient",
    "which",
    "with_residuals",
]

Argnums: TypeAlias = "int | str | Sequence[int | str]"
StaticOptions: TypeAlias = (
    "tuple[int | Sequence[int] | None, str | Sequence[str] | None]"
)
"""The positions and the names of static arguments."""


def gradient(
    function: Function,
    argnums: Argnums,
    *,
    has_aux: bool = False,
    with_value: bool = False,
    holomorphic: bool = False,
    elementwise: bool = False,
    backend: str = DEFAULT,
    static: StaticOptions = ((), ()),
    memory_limit: int | str | None = None,
) -> Compiled:
    """The compiled gradient of a scalar function, with its value if asked for.

    With ``elementwise`` it is that of the sum of what the function returns.
    """
    limit = limit_of(memory_limit, backend)

    def make() -> Compiled:
        check_argnums(argnums)
        transform: Transform = partial(
            _with_gradient,
            argnums=argnums,
            has_aux=has_aux,
            with_value=with_value,
            holomorphic=holomorphic,
            elementwise=elementwise,
        )
        if limit is not None:
            transform = Limited(transform, limit)
        return compiled_by(function, transform, backend, static)

    given = has_aux, with_value, holomorphic, elementwise, backend, static
    options = type(argnums), argnums, memory_limit, *given
    return held(function, options, make)


def compiled_by(
    function: Function, transform: Transform, backend: str, static: StaticOptions
) -> Compiled:
    """A function compiled with a transform between tracing and optimisation."""
    numbers, names = static
    return Compiled(
        function,
        transform,
        backend=backend,
        static_argnums=numbers,
        static_argnames=names,
    )


def _with_gradient(
    program: Program,
    call: Call,
    *,
    argnums: Argnums,
    has_aux: bool,
    with_value: bool,
    holomorphic: bool,
    elementwise: bool,
) -> Program:
    value = _value_tree(program, has_aux)
    chosen = chosen_leaves(call, argnums)
    wrt = chosen_names(program, chosen, call)
    _check_complex(program.graph, wrt, holomorphic)
    count = len(program.graph.outputs)
    graph, loss = _scalar(program.graph, elementwise)
    graph = adjoint(graph, wrt=wrt, of=[loss])
    if holomorphic:
        graph = _conjugated(graph, count)
    values, cotangents = graph.outputs[:count], graph.outputs[count:]
    if with_value:
        return _returning(program, graph, (*values, *cotangents), (value, chosen))
    tree = (chosen, value[1]) if has_aux else chosen
    return _returning(program, graph, (*cotangents, *values[1:]), tree)


def _scalar(graph: Graph, elementwise: bool) -> tuple[Graph, str]:
    """The graph with what a gradient starts from, and the name of that.

    It is the first result where that is a scalar, the number in it where it has size 1,
    and with ``elementwise`` the sum of it.
    """
    result = graph[graph.results[0]]
    rank = result.type.rank
    if rank == 0 or not (elementwise or result.type.size == 1):
        return graph, result.name
    b = Builder(graph.name, graph)
    b.source, b.section = result.source, len(graph.sections)
    if result.type.size == 1:
        made = b.reshape(result, ())
    else:
        made = b.reduce_sum(result, axes=tuple(range(rank)))
    return Graph(graph.name, list(b.nodes), graph.outputs, graph.sections), made.name


def _check_complex(graph: Graph, wrt: Sequence[str], holomorphic: bool) -> None:
    """Raise `GradientError` unless the loss is real, or holomorphic and complex."""
    loss = graph[graph.results[0]]
    if holomorphic:
        others = [graph[name] for name in wrt if not graph[name].type.is_complex]
        for node in (loss, *others):
            if not node.type.is_complex:
                raise GradientError(
                    f"holomorphic=True, but %{node.name} is {node.type}",
                    source=node.source,
                    hint="the derivative f'(z) is of a complex result by a complex "
                    "argument: pass z.astype(complex), or leave holomorphic out",
                )
    elif loss.type.is_complex:
        raise GradientError(
            f"no gradient of a complex result: it is {loss.type}",
            source=loss.source,
            hint="return a real loss, such as np.abs(z) ** 2 or z.real; of a "
            "holomorphic function grad(f, holomorphic=True) is the derivative f'(z)",
        )


def _conjugated(graph: Graph, count: int) -> Graph:
    """The graph with the conjugates of its outputs behind the first ``count``."""
    b = Builder(graph.name, graph)
    b.section = len(graph.sections)
    outputs = [
        Output(b.conj(b[out.value]).name, out.label) if place >= count else out
        for place, out in enumerate(graph.outputs)
    ]
    return Graph(graph.name, list(b.nodes), outputs, graph.sections)


def which(argnums: Argnums, argnum: Argnums | None) -> Argnums:
    """The arguments to differentiate, by either of the names of the option."""
    if argnum is not None and argnums != 0:
        raise ArgumentError("argnums and argnum are two names of one option")
    return argnums if argnum is None else argnum


def check_argnums(argnums: Any) -> None:
    """Raise `ArgumentError` for what names no arguments."""
    several = list(argnums) if isinstance(argnums, (list, tuple)) else [argnums]
    if not all(isinstance(one, (int, str)) for one in several):
        raise ArgumentError(
            f"argnums={argnums!r} is no position or name of an argument, nor several"
        )


def _returning(
    program: Program, graph: Graph, outputs: Sequence[Output], tree: Any
) -> Program:
    """The program with this graph, these outputs, and results shaped like ``tree``."""
    made = Graph(graph.name, list(graph), outputs, graph.sections)
    return program.with_graph(made, flatten(tree)[1])


def _value_tree(program: Program, has_aux: bool) -> Any:
    """The result as a tree of positions, checked to be a loss or ``(loss, aux)``."""
    name = program.graph.name
    tree = unflatten(program.result, range(len(program.graph.outputs)))
    loss = tree
    if has_aux:
        check_aux(name, tree)
        loss = tree[0]
    if not isinstance(loss, int):
        raise GradientError(
            f"{name} returns a {type(loss).__name__}, not one scalar",
            hint="return the loss alone, or (loss, aux) with has_aux=True",
        )
    return tree


def check_aux(name: str, tree: Any) -> None:
    """Raise `GradientError` unless a result is a pair."""
    if not isinstance(tree, tuple) or len(cast("tuple[Any, ...]", tree)) != 2:
        raise GradientError(f"{name} with has_aux=True should return (result, aux)")


def chosen_leaves(call: Call, argnums: Argnums) -> Any:
    """The arguments to differentiate as a tree of the positions of their leaves."""
    if isinstance(argnums, (int, str)):
        return call.positions(argnums)
    return tuple(call.positions(one) for one in argnums)


def chosen_names(program: Program, chosen: Any, call: Call) -> list[str]:
    """The inputs that these leaves became; an error for one static or named twice."""

    def path(position: int) -> str:
        return leaf_names(call.function, *call.tree())[position]

    names: dict[str, None] = {}
    for position in flatten(chosen)[0]:
        name = program.arguments[position]
        if name is None:
            raise GradientError(
                f"{path(position)} is static, and has no gradient",
                hint="keep it out of the arguments that argnums names",
            )
        if name in names:
            raise ArgumentError(f"argnums names {path(position)} twice")
        names[name] = None
    return list(names)


def with_residuals(
    function: Function,
    argnums: Argnums,
    backend: str,
    static: StaticOptions = ((), ()),
    memory_limit: int | str | None = None,
) -> Compiled:
    """The compiled forward pass: it returns the result and its `Residuals`."""
    limit = limit_of(memory_limit, backend)

    def transform(program: Program, call: Call) -> Program:
        chosen = chosen_leaves(call, argnums)
        floats = [
            out for out in program.graph.results if program.graph[out].type.has_gradient
        ]
        if len(floats) != len(program.graph.outputs):
            raise GradientError(
                f"{program.graph.name} returns values that are not floats",
                hint="only floats have cotangents: return x.astype(float), or leave "
                "the others out",
            )
        wrt, count = chosen_names(program, chosen, call), len(floats)

        def derive(graph: Graph) -> Graph:
            made = adjoint(graph, wrt=wrt, of=list(graph.results), seeded=True)
            return run_passes(in_equal_pieces(made), TIDY)

        if limit is None:
            tidy = derive(program.graph)
        else:
            tidy = limit.of_residuals(program.graph, derive)
        forward, backward, names = split(tidy, count, count)
        second = Program(
            backward,
            tuple(node.name for node in backward.inputs),
            (),
            flatten(chosen)[1],
        )
        made = Backward(second, names, program.result)
        made.backend = backend
        value = unflatten(program.result, range(count))
        slots = Residuals(made, range(len(names)))
        return program.with_graph(forward, flatten((value, slots))[1])

    def make() -> Compiled:
        return compiled_by(function, transform, backend, static)

    given = type(argnums), argnums, backend, static, memory_limit
    return held(function, ("residuals", *given), make)
