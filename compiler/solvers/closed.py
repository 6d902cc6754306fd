"""Functions of the user as graphs that read nothing but their inputs.

A solver calls a function many times, and its rule differentiates it. So the function is
traced once. What it closes over, traced or not, becomes inputs behind its arguments:
`Closed.reads` has the values, and every call gives all of them. A solver's rule is then
one of operands, whichever way a value came into the function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from ...ir.errors import ArgumentError, TraceError
from ...ir.graph import Graph, Node
from ...ir.types import TensorType, dtype_name
from ..passes.prune import prune
from ..regions import region_graph, taken_in, trace_region
from ..tracing.running import is_traced
from ..transforms.adjoint import adjoint
from ..transforms.tangent import tangent
from ..transforms.vmap import vmapped
from ..tree import flatten, leaf_type, outline, unflatten
from .constants import eye, here

__all__ = ["Closed", "Layout", "array", "layout", "unknown"]


class Layout(NamedTuple):
    """How the leaves of a pytree lie behind one another in a vector."""

    structure: Any
    types: Sequence[TensorType]
    dtype: np.dtype[Any]

    @property
    def is_array(self) -> bool:
        return self.structure.is_leaf() and bool(self.types[0].shape)

    @property
    def size(self) -> int:
        return sum(type_.size for type_ in self.types)

    @property
    def type(self) -> TensorType:
        return TensorType(dtype_name(self.dtype), (self.size,))

    def ravel(self, what: str, tree: Any) -> Any:
        """The vector of a pytree that is like this; `TraceError` where it is not."""
        if self.is_array:
            tree = as_array(tree, (list, tuple))
        leaves, structure = flatten(tree)
        if structure != self.structure:
            raise TraceError(
                f"{what} returns {outline(structure)}, not {outline(self.structure)}",
                hint="return the structure of the unknown",
            )
        shapes = [np.shape(leaf) for leaf in leaves]
        for found, type_ in zip(shapes, self.types, strict=True):
            if found != type_.shape:
                raise TraceError(
                    f"{what} returns a value of shape {found}, not {type_.shape}",
                    hint="return the shapes of the unknown",
                )
        parts = [np.reshape(array(leaf, self.dtype), (-1,)) for leaf in leaves]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def unravel(self, vector: Any) -> Any:
        """The pytree of a vector."""
        leaves: list[Any] = []
        start = 0
        for type_ in self.types:
            part = vector[start : start + type_.size]
            leaves.append(np.reshape(part, type_.shape).astype(type_.numpy))
            start += type_.size
        return unflatten(self.structure, leaves)


def as_array(tree: Any, kinds: Any = list) -> Any:
    """A list of numbers as an array, as SciPy takes it; other trees as they are."""
    if not isinstance(tree, kinds):
        return tree
    items = cast("Sequence[Any]", tree)
    numbers = [x for x in items if (is_traced(x) or np.isscalar(x)) and not np.ndim(x)]
    return here().array(numbers) if len(numbers) == len(items) > 0 else tree


def array(value: Any, dtype: np.dtype[Any]) -> Any:
    """A value as a traced array of a dtype."""
    trace = here()
    return trace.wrap(trace.node(value, dtype_name(dtype)))


def layout(what: str, tree: Any) -> Layout:
    """The layout of a pytree of real numbers; whole numbers become floats."""
    leaves, structure = flatten(tree)
    types: list[TensorType] = []
    for leaf in leaves:
        type_ = leaf_type(leaf, what)[0]
        if type_.is_complex:
            raise ArgumentError(
                f"{what} is {type_}, not of real numbers",
                hint="solve for the real and the imaginary part",
            )
        types.append(type_ if type_.is_float else type_.with_dtype("f64"))
    if not sum(type_.size for type_ in types):
        raise ArgumentError(f"{what} has no numbers")
    dtype = np.result_type(*[type_.numpy for type_ in types])
    return Layout(structure, types, dtype)


def unknown(what: str, tree: Any) -> tuple[Any, Layout]:
    """A pytree to start from as a vector, and its layout."""
    tree = as_array(tree)
    found = layout(what, tree)
    return found.ravel(what, tree), found


class Closed:
    """A function of arrays that returns one array, as a graph.

    Its inputs are the arguments, the traced values that it reads, and the arrays that
    it reads, which are ``fixed``: they have no derivative.
    """

    def __init__(
        self, graph: Graph, reads: tuple[Any, ...], fixed: tuple[Any, ...]
    ) -> None:
        self.graph = graph
        self.reads = reads
        self.fixed = fixed
        self._derived: dict[Any, Graph] = {}

    @classmethod
    def of(
        cls,
        what: str,
        function: Callable[..., Any],
        types: Sequence[TensorType],
        user: Callable[..., Any],
    ) -> Closed:
        """``function`` of arrays of these types, which calls that of the ``user``."""
        trace = here()
        structure = flatten(tuple(range(len(types))))[1]
        labels = [f"x{place}" for place in range(len(types))]
        given = [(type_, False) for type_ in types]
        region = trace_region(
            "function", what, function, structure, given, user, labels=labels
        )
        found: dict[str, Node] = {}
        own = taken_in(trace, region, found)
        arrays = {
            trace.node(value).name: value
            for value, _ in region.closed_over()
            if not is_traced(value)
        }
        traced = {name: found[name] for name in found if name not in arrays}
        inputs = {**traced, **{name: found[name] for name in arrays}}
        graph = region_graph(region, own, inputs)
        reads = tuple(map(trace.wrap, traced.values()))
        return cls(graph, reads, tuple(arrays.values()))

    def __call__(self, *operands: Any) -> Any:
        """The value at the arguments and what is read."""
        return self._embedded(self.graph, operands)[0]

    def gradient(self) -> Closed:
        """The gradient of a scalar by its first argument."""
        (first, *_), results = self.graph.inputs, self.graph.results
        made = adjoint(self.graph, wrt=[first.name], of=results)
        return Closed(prune(made.returning(made.outputs[1:])), self.reads, self.fixed)

    def pull(self, *operands: Any, of: Sequence[int]) -> list[Any]:
        """The cotangents of some operands; the last value is that of the result.

        An operand that is no float has None.
        """
        inputs = self.graph.inputs
        smooth = tuple([slot for slot in of if inputs[slot].type.has_gradient])
        if not smooth:
            return [None] * len(of)
        found = self._embedded(self._back(smooth), operands)
        pulled = dict(zip(smooth, found, strict=True))
        return [pulled.get(slot) for slot in of]

    def push(self, *operands: Any, by: int = 0) -> Any:
        """The tangent of the result; the last value is that of an argument."""
        return self._embedded(self._forth(by), operands)[0]

    def jacobian(self, *operands: Any, by: int = 0) -> Any:
        """The derivatives by an argument that is a vector, a column for each of it."""
        forth = self._forth(by)
        (size,) = forth.inputs[-1].type.shape
        key = "columns", by
        if key not in self._derived:
            mapped = [*[False] * len(self.graph.inputs), True]
            self._derived[key] = vmapped(forth, mapped, size, wanted=[0])[0]
        units = eye(size, forth.inputs[-1].type.numpy)
        return self._embedded(self._derived[key], [*operands, units])[0].T

    def _embedded(self, graph: Graph, operands: Sequence[Any]) -> list[Any]:
        """The results of a graph in the trace that solvers build into."""
        trace = here()
        trace.enter()
        behind = len(self.graph.inputs) - len(self.fixed)
        operands = [*operands[:behind], *self.fixed, *operands[behind:]]
        given = [
            trace.node(value, node.type.dtype)
            for value, node in zip(operands, graph.inputs, strict=True)
        ]
        return list(map(trace.wrap, trace.builder.embed(graph, given)))

    def _forth(self, by: int) -> Graph:
        if ("forth", by) not in self._derived:
            wrt, results = [self.graph.inputs[by].name], self.graph.results
            made = tangent(self.graph, wrt=wrt, of=results)
            self._derived["forth", by] = prune(made.returning(made.outputs[1:]))
        return self._derived["forth", by]

    def _back(self, slots: tuple[int, ...]) -> Graph:
        if slots not in self._derived:
            wrt = [self.graph.inputs[slot].name for slot in slots]
            self._derived[slots] = _way_back(self.graph, wrt)
        return self._derived[slots]


def _way_back(graph: Graph, wrt: Sequence[str]) -> Graph:
    """From the inputs and a cotangent of the only result to those of ``wrt``."""
    made = adjoint(graph, wrt=wrt, of=graph.results, seeded=True)
    return prune(made.returning(made.outputs[1:]))
