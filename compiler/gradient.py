"""Gradients as transforms of programs: what `grad` and its kin compile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import optree

from ..backends import DEFAULT
from ..ir.builder import Builder
from ..ir.errors import ArgumentError, GradientError
from ..ir.graph import Graph, Node, Output
from .adjoint import adjoint
from .call import Call
from .entry import Entry
from .function import Compiled, Function, Transform
from .held import held
from .pipeline import run_passes
from .program import Program
from .tracebacks import shows_users_frames
from .tree import NAMESPACE, flatten, leaf_names, leaf_type, outline, unflatten

__all__ = [
    "TIDY",
    "Argnums",
    "Backward",
    "Residuals",
    "check_aux",
    "chosen_leaves",
    "gradient",
    "gradient_of",
    "pull_back",
    "split",
    "with_residuals",
]

Argnums: TypeAlias = "int | str | Sequence[int | str]"
StaticOptions: TypeAlias = "tuple[int | Sequence[int], str | Sequence[str]]"
"""The positions and the names of static arguments."""
TIDY = ("merge", "prune", "fold", "simplify", "dedupe", "tape", "prune")
"""Passes that keep what derivatives of the graph would ask for."""


def gradient(
    function: Function,
    argnums: Argnums,
    *,
    has_aux: bool,
    with_value: bool,
    holomorphic: bool,
    backend: str,
    static: StaticOptions,
) -> Compiled:
    """The compiled gradient of a scalar function, with its value if asked for."""

    def make() -> Compiled:
        _check_argnums(argnums)
        transform = partial(
            _with_gradient,
            argnums=argnums,
            has_aux=has_aux,
            with_value=with_value,
            holomorphic=holomorphic,
        )
        return _compiled(function, transform, backend, static)

    given = has_aux, with_value, holomorphic, backend, static
    return held(function, (type(argnums), argnums, *given), make)


def gradient_of(function: Function, argnums: Argnums, backend: str) -> Compiled:
    """The compiled gradient with the options that most have."""
    return gradient(
        function,
        argnums,
        has_aux=False,
        with_value=False,
        holomorphic=False,
        backend=backend,
        static=((), ()),
    )


def _compiled(
    function: Function, transform: Transform, backend: str, static: StaticOptions
) -> Compiled:
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
) -> Program:
    value = _value_tree(program, has_aux)
    chosen = chosen_leaves(call, argnums)
    wrt = _names(program, chosen, call)
    _check_complex(program.graph, wrt, holomorphic)
    graph = adjoint(program.graph, wrt=wrt, of=program.graph.results[:1])
    count = len(program.graph.outputs)
    if holomorphic:
        graph = _conjugated(graph, count)
    values, cotangents = graph.outputs[:count], graph.outputs[count:]
    if with_value:
        return _returning(program, graph, (*values, *cotangents), (value, chosen))
    tree = (chosen, value[1]) if has_aux else chosen
    return _returning(program, graph, (*cotangents, *values[1:]), tree)


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


def _check_argnums(argnums: Any) -> None:
    several = list(argnums) if isinstance(argnums, (list, tuple)) else [argnums]
    if not all(isinstance(which, (int, str)) for which in several):
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
    return tuple(call.positions(which) for which in argnums)


def _names(program: Program, chosen: Any, call: Call) -> list[str]:
    names: list[str] = []
    for position in flatten(chosen)[0]:
        name = program.arguments[position]
        if name is None:
            path = leaf_names(call.function, *call.tree())[position]
            raise GradientError(
                f"{path} is static, and has no gradient",
                hint="keep it out of the arguments that argnums names",
            )
        names.append(name)
    return names


class Residuals(Mapping[str, Any]):
    """The forward values that a backward pass needs, by name.

    ``backward`` is the compiled backward pass that they belong to.
    """

    def __init__(self, backward: Backward, values: Sequence[Any]) -> None:
        self.backward = backward
        self._values = dict(zip(backward.names, values, strict=True))

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Residuals({', '.join(self._values)})"


def _take_apart(residuals: Residuals) -> tuple[tuple[Any, ...], Backward]:
    return tuple(residuals.values()), residuals.backward


_register: Any = optree.register_pytree_node
_register(Residuals, _take_apart, Residuals, namespace=NAMESPACE)


_LIKE = {"cotangent": "result", "tangent": "arguments"}
"""What a tree of these is like."""


class Backward:
    """A backward pass: from residuals and cotangents of the outputs to cotangents.

    Or the linear part of a function: from residuals and tangents to tangents, as
    ``what`` says.
    """

    def __init__(
        self,
        program: Program,
        names: Sequence[str],
        outputs: Any,
        what: str = "cotangent",
    ) -> None:
        self.entry = Entry(program, program)
        self.names = tuple(names)
        self.outputs = outputs
        self.what = what
        self.backend = DEFAULT

    def __call__(self, residuals: Residuals, cotangents: Any) -> Any:
        leaves, structure = flatten(cotangents)
        if structure != self.outputs:
            raise ArgumentError(
                f"the {self.what} is structured as {outline(structure)}, "
                f"not {outline(self.outputs)}",
                hint=f"it is a tree of arrays like the {_LIKE[self.what]}",
            )
        inputs = self.entry.program.graph.inputs
        for node, leaf in zip(inputs, residuals.values(), strict=False):
            found, _ = leaf_type(leaf, f"the residual %{node.name}")
            if found != node.type:
                raise ArgumentError(f"%{node.name} is {node.type}, not {found}")
        for node, leaf in zip(inputs[len(self.names) :], leaves, strict=True):
            found, weak = leaf_type(leaf, f"the {self.what} %{node.name}")
            fits = found.is_float or (found.is_complex and node.type.is_complex)
            if found.shape != node.type.shape or not (weak or fits):
                raise ArgumentError(
                    f"%{node.name} is {node.type}, its {self.what} {found}",
                    hint=f"a {self.what} has the shape of the {_LIKE[self.what]}, and "
                    "is of floats",
                )
        return self.entry([*residuals.values(), *leaves], self.backend)


def with_residuals(
    function: Function,
    argnums: Argnums,
    backend: str,
    static: StaticOptions = ((), ()),
) -> Compiled:
    """The compiled forward pass: it returns the result and its `Residuals`."""

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
        graph = adjoint(
            program.graph, wrt=_names(program, chosen, call), of=floats, seeded=True
        )
        tidy = run_passes(graph, TIDY)
        count = len(program.graph.outputs)
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
        return _compiled(function, transform, backend, static)

    return held(function, ("residuals", type(argnums), argnums, backend, static), make)


@shows_users_frames
def pull_back(residuals: Any, cotangents: Any) -> Any:
    """Run the backward pass that ``residuals`` belong to."""
    if not isinstance(residuals, Residuals):
        raise ArgumentError(
            f"the first argument is a {type(residuals).__name__}, not residuals",
            hint="result, residuals = forward(x), then backward(residuals, cotangent)",
        )
    return residuals.backward(residuals, cotangents)


def split(graph: Graph, count: int, seeds: int) -> tuple[Graph, Graph, list[str]]:
    """Cut a graph at its last section, with the names of the residuals.

    Its first ``count`` outputs are the results, and its last ``seeds`` inputs what the
    section begins with. The first graph returns the results and then the residuals; the
    second one takes the residuals and then the seeds. Constants are not residuals: the
    second graph has its own.
    """
    last = len(graph.sections)
    given = {node.name for node in graph.inputs[len(graph.inputs) - seeds :]}
    backward = [node for node in graph if node.section == last and node.op != "input"]
    cotangents = graph.outputs[count:]
    wanted = {name for node in backward for name in node.operands}
    wanted.update(output.value for output in cotangents)
    copied = _constants(graph, last)
    needed = _closure(graph, wanted & copied)
    residuals = [
        node
        for name, node in graph.nodes.items()
        if node.section < last and name in wanted and name not in given | needed
    ]
    results = graph.outputs[:count]
    forward = Graph(
        graph.name.removesuffix(".grad"),
        [n for n in graph if n.section < last and n.name not in given],
        [*results, *(Output(node.name, f"residual.{node.name}") for node in residuals)],
    )
    b = Builder(f"{forward.name}.bwd")
    for node in [*residuals, *(graph[name] for name in graph.nodes if name in given)]:
        b.append(Node(node.name, "input", (), node.type, source=node.source))
    for node in graph:
        moved = node.section == last and node.op != "input"
        if moved or node.makes(needed):
            b.append(node._replace(section=0, kernel=None))
    return forward, b.build(cotangents), [node.name for node in residuals]


def _constants(graph: Graph, section: int) -> set[str]:
    """The forward values that depend on no input."""
    found: set[str] = set()
    for node in graph:
        forward = node.op != "input" and node.section < section
        if forward and all(name in found for name in node.operands):
            found.update(node.names)
    return found


def _closure(graph: Graph, names: set[str]) -> set[str]:
    """The values and everything they are computed from."""
    needed = set(names)
    for node in reversed(list(graph)):
        if node.makes(needed):
            needed.update(node.operands)
    return needed
