"""`vmap`: a function of one example as a function of many; `vectorize` by signature.

The graph of the function for one example becomes that for all of them (`vmap.py`) where
it is called, so there is no loop in Python, and nothing that examples share is computed
more than once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backends import DEFAULT
from ...ir.builder import Builder
from ...ir.errors import ArgumentError
from ...ir.graph import Graph, Output
from ...ir.node import Node
from ...ir.ops.mapped import in_turn
from ..calls.function import Compiled, Function
from ..calls.held import held
from ..calls.static import exact
from ..counts import check_counts
from ..program import embedded
from ..tracing.running import is_traced
from ..tree import flatten, leaf_names, positional_names, unflatten
from .axes import Axes, leaf_axes
from .limit import Limited
from .transformed import Transformed, compiled
from .vmap import vmapped

__all__ = ["Mapped", "vmap"]


def vmap(
    function: Function,
    in_axes: Axes = 0,
    out_axes: Axes = 0,
    *,
    axis_size: int | None = None,
    chunk: int | None = None,
    backend: str = DEFAULT,
    static_argnums: int | Sequence[int] | None = (),
    static_argnames: str | Sequence[str] | None = (),
) -> Compiled:
    """A function of one example, for many examples at once.

    ``vmap(f)(xs)`` is ``np.stack([f(x) for x in xs])``, compiled, without a loop over
    the examples: products of a matrix that they share are one product, branches that
    they choose for themselves are both computed and selected, and a loop runs until the
    last of them is done. It composes with `grad` and all else: ``vmap(grad(f))`` has
    the gradient of each example.

    Args:
        function: Of one example. What it closes over is shared by all of them.
        in_axes: The axis of the examples in each positional argument: an int that holds
            for all arguments, or a tuple with one for each. None is for an argument
            that the examples share, a pytree of axes for one that is a pytree. Negative
            axes count from the last one. Arguments by name have it first.
        out_axes: Where the axis is in each result; None for a result that does not
            depend on what is mapped.
        axis_size: How many examples there are, where no argument is mapped; else it
            has to be the size of those that are.
        chunk: Map so many examples at a time, one chunk after the other in a loop, for
            the sake of memory. `map` has one at a time.
        backend: As in `jit`.
        static_argnums: As in `jit`; such arguments are shared.
        static_argnames: As in `jit`.

    Returns:
        A compiled function that takes arrays with one axis more than ``function``, and
        makes such arrays.

    Raises:
        ArgumentError: At the call: where sizes along the axes differ, no argument is
            mapped and ``axis_size`` is not given, an array lacks the axis, or a tree of
            axes does not fit.
        TraceError: At the call, where the function writes into its arguments.

    >>> vmap(np.dot, in_axes=(0, None))(np.eye(3), np.arange(3.0))
    array([0., 1., 2.])
    """
    if chunk is not None:
        check_counts("vmap", 1, chunk=chunk)
        chunk = int(chunk)
    if axis_size is not None:
        check_counts("vmap", 0, axis_size=axis_size)
        axis_size = int(axis_size)

    def make() -> Compiled:
        made = Mapped(
            function,
            in_axes,
            out_axes,
            axis_size,
            chunk,
            static_argnums,
            static_argnames,
        )
        return compiled(made, backend)

    options = (
        "vmap",
        exact(in_axes),
        exact(out_axes),
        axis_size,
        chunk,
        backend,
        static_argnums,
        static_argnames,
    )
    return held(function, options, make)


class Mapped(Transformed):
    """A function of one example as one of many: see `vmap`."""

    def __init__(
        self,
        function: Function,
        in_axes: Axes = 0,
        out_axes: Axes = 0,
        axis_size: int | None = None,
        chunk: int | None = None,
        static_argnums: int | Sequence[int] | None = (),
        static_argnames: str | Sequence[str] | None = (),
    ) -> None:
        self.limited: Limited | None = None
        if isinstance(function, Compiled) and isinstance(function.transform, Limited):
            self.limited, function = function.transform, function.untransformed
        super().__init__(function, static_argnums, static_argnames)
        self.in_axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
        self.out_axes, self.axis_size, self.chunk = out_axes, axis_size, chunk

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        axes = self._axes(args, kwargs, leaves)
        size = self._size(leaves, axes, (args, kwargs))
        one = [_row(x, axis) for x, axis in zip(leaves, axes, strict=True)]
        example, named = unflatten(structure, one)
        traced = self.traced(*example, **named)
        program = traced.program
        moved = [_first(x, axis) for x, axis in zip(leaves, axes, strict=True)]
        pairs = zip(program.arguments, axes, strict=True)
        mapped = [axis is not None for name, axis in pairs if name is not None]
        mapped += [False] * len(program.captured)

        def mapping(graph: Graph) -> tuple[Graph, tuple[bool, ...]]:
            return _mapping(graph, mapped, size, self.chunk)

        if self.limited is None:
            graph, flags = mapping(program.graph)
        else:
            whole, call = program, traced.call
            program = self.limited.transform(whole, call)
            _, flags = mapping(program.graph)
            graph = self.limited(whole, call, lambda graph: mapping(graph)[0]).graph
        found = embedded(graph, traced.values(moved), program.notes)
        tree = unflatten(program.result, range(len(found)))
        out_axes = leaf_axes(self.out_axes, tree, "vmap: out_axes of the result")
        return unflatten(
            program.result,
            [
                _placed(x, flag, axis, size)
                for x, flag, axis in zip(found, flags, out_axes, strict=True)
            ],
        )

    def _axes(
        self, args: Sequence[Any], kwargs: Any, leaves: Sequence[Any]
    ) -> list[int | None]:
        """The axis of each leaf, from 0 on; None for what is shared or static."""
        given = self.in_axes
        if isinstance(given, tuple) and len(given) != len(args):
            raise ArgumentError(
                f"vmap: in_axes has {len(given)} entries, "
                f"and the call {len(args)} arguments by position",
                hint="arguments by name are mapped along their first axis",
            )
        if isinstance(given, dict):
            raise ArgumentError(
                "vmap: in_axes is a dict, not a number or a tuple",
                hint="the axes of the first argument are in_axes=({...},)",
            )
        if isinstance(given, tuple):
            names = positional_names(self.py_func, len(args))
            axes: list[int | None] = []
            for name, axis, arg in zip(names, given, args, strict=True):
                axes += leaf_axes(axis, arg, f"vmap: in_axes of {name}")
        else:
            axes = leaf_axes(given, tuple(args), "vmap: in_axes")
        axes += leaf_axes(0, kwargs, "vmap: arguments by name")
        found: list[int | None] = []
        for place, (leaf, axis) in enumerate(zip(leaves, axes, strict=True)):
            if axis is None or not is_traced(leaf):
                found.append(None)
                continue
            type_ = leaf.node.type
            if not -type_.rank <= axis < type_.rank:
                name = leaf_names(self.py_func, args, kwargs)[place]
                raise ArgumentError(
                    f"vmap: {name} is {type_}, which has no axis {axis} to map",
                    hint="in_axes has None for what all examples share",
                )
            found.append(axis % type_.rank)
        return found

    def _size(
        self, leaves: Sequence[Any], axes: Sequence[int | None], call: Any
    ) -> int:
        """How many examples there are: as many in each mapped argument."""
        pairs = enumerate(zip(leaves, axes, strict=True))
        sizes = {
            place: leaf.shape[axis] for place, (leaf, axis) in pairs if axis is not None
        }
        given = self.axis_size
        if not sizes and given is not None:
            return given
        if not sizes:
            raise ArgumentError(
                "vmap: no argument is mapped",
                hint="in_axes has a number for at least one of them, or axis_size says "
                "how many examples there are",
            )
        first, *others = sizes
        if given is not None and given != sizes[first]:
            name = leaf_names(self.py_func, *call)[first]
            raise ArgumentError(
                f"vmap: axis_size is {given}, and {name} has {sizes[first]} along axis "
                f"{axes[first]}"
            )
        for place in others:
            if sizes[place] != sizes[first]:
                names = leaf_names(self.py_func, *call)
                told = [
                    f"{names[k]} has {sizes[k]} along axis {axes[k]}"
                    for k in (first, place)
                ]
                raise ArgumentError(
                    f"vmap: {' and '.join(told)}: not one number of examples"
                )
        return sizes[first]


def _row(leaf: Any, axis: int | None) -> Any:
    """What one example has of an argument: a type where it is mapped."""
    if axis is None:
        return leaf
    shape = leaf.shape
    return leaf.node.type.with_shape((*shape[:axis], *shape[axis + 1 :]))


def _first(leaf: Any, axis: int | None) -> Any:
    return np.moveaxis(leaf, axis, 0) if axis else leaf


def _placed(value: Any, is_mapped: bool, axis: int | None, size: int) -> Any:
    """A result with its axis where ``out_axes`` says."""
    if axis is None:
        if is_mapped:
            raise ArgumentError(
                "vmap: out_axes is None for a result that differs between examples",
                hint="say which axis is theirs: out_axes=0",
            )
        return value
    rank = np.ndim(value) + (not is_mapped)
    if not -rank <= axis < rank:
        raise ArgumentError(
            f"vmap: out_axes says {axis}, and the result has {rank} axes"
        )
    if not is_mapped:
        value = np.broadcast_to(value, (size, *np.shape(value)))
    return np.moveaxis(value, 0, axis) if axis else value


def _mapping(
    graph: Graph, mapped: Sequence[bool], size: int, chunk: int | None
) -> tuple[Graph, tuple[bool, ...]]:
    """The graph for all examples, and which of its results are of each."""
    if chunk is None or chunk >= size:
        return vmapped(graph, mapped, size)
    return _in_chunks(graph, mapped, size, chunk)


def _in_chunks(
    graph: Graph, mapped: Sequence[bool], size: int, chunk: int
) -> tuple[Graph, tuple[bool, ...]]:
    """A loop over chunks of examples, and what is left behind it.

    A gradient keeps nothing of a chunk but what it begins with.
    """
    count, rest = divmod(size, chunk)
    piece, flags = vmapped(graph, mapped, chunk)
    b = Builder(graph.name)
    inputs = [
        b.input(x.name, x.type.with_shape((size, *x.type.shape)) if one else x.type)
        for x, one in zip(graph.inputs, mapped, strict=True)
    ]

    def cut(first: int, length: int) -> list[Node]:
        return [
            b.rows_of(x, first, length) if one else x
            for x, one in zip(inputs, mapped, strict=True)
        ]

    stacked = [
        b.reshape(x, (count, chunk, *x.type.shape[1:])) if one else x
        for x, one in zip(cut(0, count * chunk), mapped, strict=True)
    ]
    made = in_turn(
        b,
        graph.inputs[0],
        count,
        mapped,
        *stacked,
        make=lambda inner, n, *taken: inner.embed(piece, taken),
        segments=1,
    )
    results = [
        b.reshape(x, (count * chunk, *x.type.shape[2:]))
        if one
        else b.reshape(b.rows_of(x, 0, 1), x.type.shape[1:])
        for x, one in zip(made, flags, strict=True)
    ]
    if rest:
        last, _ = vmapped(graph, mapped, rest)
        ends = b.embed(last, cut(count * chunk, rest))
        results = [
            b.concatenate(x, end, axis=0) if one else x
            for x, end, one in zip(results, ends, flags, strict=True)
        ]
    outputs = [
        Output(x.name, output.label)
        for x, output in zip(results, graph.outputs, strict=True)
    ]
    return b.build(outputs), flags
