"""A gradient in two halves: what the way forwards keeps, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optree

from ...backends import DEFAULT, find_backend
from ...backends.base import Array
from ...backends.signature import Caller, Constant, Slotted
from ...ir.builder import Builder
from ...ir.errors import ArgumentError
from ...ir.graph import Graph, Node, Output
from ..calls.call import Call
from ..calls.entry import Entry, interpreted, no_fast_path
from ..calls.static import StaticArguments
from ..calls.tracebacks import shorten
from ..program import Program
from ..tree import NAMESPACE, flatten, leaf_type, outline
from .block import Layout

__all__ = ["Backward", "Residuals", "closure", "pull_back", "split"]


class Residuals(Mapping[str, Any], Slotted):
    """The forward values that a backward pass needs, by name.

    ``backward`` is the compiled backward pass that they belong to. They are ``held`` in
    one block of bytes, or in a tuple where `Backward.hold` says so; arrays in a block
    are made when they are asked for.
    """

    __slots__ = ("backward", "held")

    def __init__(self, backward: Backward, values: Sequence[Any]) -> None:
        self.backward = backward
        self.held = backward.hold(values)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The values, as the backward pass takes them."""
        if isinstance(self.held, tuple):
            return self.held
        layout = self.backward.layout
        return tuple(layout.view(self.held, place) for place in range(len(layout)))

    def __getitem__(self, name: str) -> Any:
        place = self.backward.places[name]
        if isinstance(self.held, tuple):
            return self.held[place]
        return self.backward.layout.view(self.held, place)

    def __iter__(self) -> Iterator[str]:
        return iter(self.backward.places)

    def __len__(self) -> int:
        return len(self.backward.places)

    def __repr__(self) -> str:
        return f"Residuals({', '.join(self)})"

    def filling(self) -> Sequence[Any]:
        numbers = self.arrays
        packed = self.backward.layout.packed(numbers) if numbers else ()
        return Constant(self.backward), packed


def _take_apart(residuals: Residuals) -> tuple[tuple[Any, ...], Backward]:
    return residuals.arrays, residuals.backward


_register: Any = optree.register_pytree_node
_register(Residuals, _take_apart, Residuals, namespace=NAMESPACE)


_LIKE = {"cotangent": "result", "tangent": "arguments"}
"""What a tree of these is like."""


class Backward:
    """A backward pass: from residuals and cotangents of the outputs to cotangents.

    Or the linear part of a function: from residuals and tangents to tangents, as
    ``what`` says. Calls go the fast path of the backend from the second on, as those of
    a compiled function do.
    """

    __slots__ = ("__dict__", "fast_path")

    def __init__(
        self,
        program: Program,
        names: Sequence[str],
        outputs: Any,
        what: str = "cotangent",
    ) -> None:
        self.entry = Entry(program, program)
        self.places = {name: place for place, name in enumerate(names)}
        self.layout = Layout([node.type for node in program.graph.inputs[: len(names)]])
        self.outputs = outputs
        self.what = what
        self.backend = DEFAULT
        self._callers: dict[str, Caller] = {}
        self.fast_path: Callable[[Any], Any] = no_fast_path

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the residuals."""
        return tuple(self.places)

    def hold(self, values: Sequence[Any]) -> Array | tuple[Any, ...]:
        """Values as residuals have them: in a block, if they can go the fast path."""
        fast = find_backend(self.backend).make_caller is not None
        if values and fast and self.layout.fits(values):
            return self.layout.pack(values)
        return tuple(values)

    def __call__(self, residuals: Residuals, cotangents: Any) -> Any:
        if residuals.backward is not self:
            if list(residuals) != list(self.places):
                raise ArgumentError("these are the residuals of another function")
            residuals = Residuals(self, residuals.arrays)
        return pull_back(residuals, cotangents)

    def slow_path(self, residuals: Residuals, cotangents: Any) -> Any:
        """A call of a new form; the second of one makes a fast path."""
        leaves, structure = flatten(cotangents)
        if structure != self.outputs:
            raise ArgumentError(
                f"the {self.what} is structured as {outline(structure)}, "
                f"not {outline(self.outputs)}",
                hint=f"it is a tree of arrays like the {_LIKE[self.what]}",
            )
        self._check(residuals, leaves)
        made = self.entry([*residuals.arrays, *leaves], self.backend)
        self._learn(residuals, cotangents)
        return made

    def _check(self, residuals: Residuals, leaves: Sequence[Any]) -> None:
        """Raise `ArgumentError` where a residual or a cotangent does not fit."""
        inputs = self.entry.program.graph.inputs
        for node, leaf in zip(inputs, residuals.arrays, strict=False):
            found, _ = leaf_type(leaf, f"the residual %{node.name}")
            if found != node.type:
                raise ArgumentError(f"%{node.name} is {node.type}, not {found}")
        for node, leaf in zip(inputs[len(self.places) :], leaves, strict=True):
            found, weak = leaf_type(leaf, f"the {self.what} %{node.name}")
            fits = found.is_float or (found.is_complex and node.type.is_complex)
            if found.shape != node.type.shape or not (weak or fits):
                raise ArgumentError(
                    f"%{node.name} is {node.type}, its {self.what} {found}",
                    hint=f"a {self.what} has the shape of the {_LIKE[self.what]}, and "
                    "is of floats",
                )

    def _learn(self, residuals: Residuals, cotangents: Any) -> None:
        """Have the fast path know the next calls like this one."""
        backend = find_backend(self.backend)
        if backend.make_caller is None or not self.entry.wants_fast_path(False):
            return
        caller = self._callers.get(self.backend) or self._callers.setdefault(
            self.backend, backend.make_caller(StaticArguments(self, ()))
        )
        leaves, structure = flatten(((residuals.arrays, cotangents), {}))
        signature = self.entry.signature(Call(self, leaves, structure), (), None)
        held, given = signature.arguments[0]
        if not isinstance(residuals.held, tuple):
            held = self.layout.packed(range(len(self.layout)))
        signature = signature._replace(arguments=(held, given))
        if backend.put_in_front_of and PullBack.__call__ is _python_call:
            backend.put_in_front_of(
                PullBack,
                (Residuals, "held", "backward"),
                (Backward, "fast_path"),
                interpreted,
            )
        self.entry.add_recipe(caller, self.backend, signature)
        self.fast_path = caller.call


class PullBack:
    """Runs the backward pass that residuals belong to."""

    __slots__ = ()

    def __call__(self, residuals: Any, cotangents: Any) -> Any:
        try:
            if not isinstance(residuals, Residuals):
                raise ArgumentError(
                    f"the first argument is a {type(residuals).__name__}, not "
                    "residuals",
                    hint="result, residuals = forward(x), then "
                    "backward(residuals, cotangent)",
                )
            backward = residuals.backward
            if not interpreted.get():
                made = backward.fast_path((residuals.held, cotangents))
                if made is not NotImplemented:
                    return made
            return backward.slow_path(residuals, cotangents)
        except Exception as error:
            shorten(error)
            raise

    def __repr__(self) -> str:
        return "<pull_back>"

    def __reduce__(self) -> str:
        return "pull_back"


_python_call = PullBack.__call__
pull_back = PullBack()


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
    needed = closure(graph, wanted & copied)
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


def closure(graph: Graph, names: set[str]) -> set[str]:
    """The values and everything they are computed from."""
    needed = set(names)
    for node in reversed(list(graph)):
        if node.makes(needed):
            needed.update(node.operands)
    return needed
