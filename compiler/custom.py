"""`custom_vjp`: a function whose derivative the user gives.

The function, the rule's way forward and its way back are traced into the regions of one
node. Their inputs are the traced values among the arguments; for the way back they are
the residuals and the cotangents. Behind these comes what the three closed over.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, update_wrapper
from typing import Any, NamedTuple, cast

import numpy as np

from ..ir.errors import ArgumentError, TraceError
from ..ir.graph import Node
from ..ir.types import TensorType
from .lowerings import lowers
from .regions import TracedRegion, is_weak, region_graph, taken_in, trace_region
from .running import find_trace, is_traced
from .trace import Trace
from .tree import LeafType, flatten, leaf_names, leaf_type, outline, unflatten

__all__ = ["cotangents", "custom_vjp"]

_CUSTOM = "anabranch custom_vjp"
_state = threading.local()  # calls: those whose rules are traced


class custom_vjp:  # a decorator
    """A function with a derivative of its own, in reverse mode.

    The rule is a pair of functions. ``forward(*args)`` returns the value and whatever
    ``backward`` needs, its residuals; the value may be had by calling the function.
    ``backward(residuals, cotangent)`` returns a tuple with a cotangent for each
    argument, of its structure and shapes, or None for zeros.

    Both are NumPy code like any other: they are compiled, and differentiated again for
    second derivatives. Arguments that are not traced (texts, functions, Python numbers,
    the arguments in ``nondiff_argnums``) are handed on as they are.

    Args:
        function: The function. Without a gradient it is what runs.
        nondiff_argnums: The positions of arguments without a derivative, which
            ``backward`` is given first.

    Raises:
        ArgumentError: At a call, where the rule was not given by `defvjp`.
        TraceError: Where ``forward`` does not return a pair, or its value is not like
            that of the function; where ``backward`` does not return a cotangent for
            each argument, or one of another shape.
        GradientError: Where a gradient is asked for of a value that the functions
            close over.

    >>> import numpy as np, anabranch
    >>> @anabranch.custom_vjp
    ... def clipped(x):
    ...     return np.minimum(x, 1.0)
    >>> clipped.defvjp(lambda x: (clipped(x), None), lambda residuals, g: (g,))
    >>> anabranch.grad(lambda x: np.sum(clipped(x)))(np.array([0.5, 2.0]))
    array([1., 1.])
    """

    def __init__(
        self, function: Callable[..., Any], nondiff_argnums: Sequence[int] = ()
    ) -> None:
        update_wrapper(cast("Callable[..., Any]", self), function)
        self.function = function
        self.origin: Any = self
        self.nondiff_argnums = frozenset(nondiff_argnums)
        self.rule: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give the rule; the class says what the two return."""
        self.rule = forward, backward

    def mapped(self, change: Callable[[Any], Any]) -> custom_vjp:
        """This with each function changed."""
        made = custom_vjp(self.function, tuple(self.nondiff_argnums))
        made.function, made.origin = change(self.function), self.origin
        if self.rule is not None:
            made.defvjp(*map(change, self.rule))
        return made

    def __get__(self, instance: object, owner: object = None) -> Any:
        return self if instance is None else partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            bound = inspect.signature(self.function).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        trace = find_trace(flatten(args)[0])
        if trace is None:
            return self.function(*args)
        return trace.apply(_CUSTOM, (self, args), {})


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


@lowers(_CUSTOM)
def _lower(trace: Trace, custom: custom_vjp, args: tuple[Any, ...]) -> Any:
    if custom.rule is None:
        raise ArgumentError(
            f"{_name(custom.function)} has no rule",
            hint="give it one: .defvjp(forward, backward)",
        )
    if (around := _innermost(custom)) is not None:
        return around.again(custom, args)
    call = _Call(custom, args)
    value = call.value()
    if not value.values:
        return unflatten(value.tree, [])
    with _inside(call):
        forward, residuals = call.forward(custom.rule[0], value)
        backward = call.backward(custom.rule[1], value, residuals)
    regions = value, forward, backward
    found: dict[str, Node] = {}
    own = [taken_in(trace, one, found) for one in regions]
    made = trace.builder.add_node(
        "custom_vjp",
        *map(trace.node, call.operands),
        *found.values(),
        regions=tuple(
            [region_graph(*pair, found) for pair in zip(regions, own, strict=True)]
        ),
        arguments=len(call.operands),
    )
    weak = map(is_weak, value.leaves)
    return unflatten(value.tree, list(map(trace.wrap, made.values, weak)))


@contextmanager
def _inside(call: _Call) -> Generator[None, None, None]:
    """While the rule of a call is traced."""
    around = getattr(_state, "calls", ())
    _state.calls = (*around, call)
    try:
        yield
    finally:
        _state.calls = around


def _innermost(custom: custom_vjp) -> _Call | None:
    """The call of the same function whose rule is traced, if there is one."""
    calls: tuple[_Call, ...] = getattr(_state, "calls", ())
    same = [call for call in calls if call.custom.origin is custom.origin]
    return same[-1] if same else None


class _Residuals(NamedTuple):
    """What the way forward keeps; ``types`` are those of the arrays among it."""

    leaves: list[Any]
    structure: Any
    types: list[LeafType]

    def holding(self, arrays: Iterator[Any]) -> Any:
        """The residuals with these arrays."""
        leaves = [next(arrays) if _is_array(leaf) else leaf for leaf in self.leaves]
        return unflatten(self.structure, leaves)


class _Call:
    """One call: the traced values among its arguments are the operands."""

    def __init__(self, custom: custom_vjp, args: tuple[Any, ...]) -> None:
        self.custom, self.args = custom, args
        self.name = _name(custom.function)
        self.leaves, self.structure = flatten(args)
        self.open = {
            place: arg
            for place, arg in enumerate(args)
            if place not in custom.nondiff_argnums
        }
        ours = [
            place in self.open
            for place, arg in enumerate(args)
            for _ in range(flatten(arg)[1].num_leaves)
        ]
        self.places = [
            place
            for place, (leaf, is_ours) in enumerate(zip(self.leaves, ours, strict=True))
            if is_ours and is_traced(leaf)
        ]
        self.operands = [self.leaves[place] for place in self.places]
        self.types = [leaf_type(operand) for operand in self.operands]
        self.known: tuple[list[Any], Any] | None = None

    def value(self) -> TracedRegion:
        """The function itself."""
        function = self.custom.function
        run = partial(self._of, function)
        return self._region("value", function, self._labels(), self.types, run)

    def _labels(self) -> list[str]:
        """What the operands are called in the function."""
        labels = leaf_names(self.custom.function, self.args, {})
        return [labels[place] for place in self.places]

    def _of(self, function: Any, *values: Any) -> Any:
        """A function of the arguments, with these in the place of the operands."""
        return function(*unflatten(self.structure, self._holding(values)))

    def _holding(self, values: Sequence[Any]) -> list[Any]:
        """The leaves of the arguments, with these in the place of the operands."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = value
        return leaves

    def _region(
        self,
        name: str,
        user: Any,
        labels: Sequence[str],
        types: Sequence[LeafType],
        run: Callable[..., Any],
    ) -> TracedRegion:
        structure = flatten(tuple(range(len(types))))[1]
        what = f"the {name} of {self.name}"
        return trace_region(name, what, run, structure, types, user, labels=labels)

    def again(self, custom: custom_vjp, args: tuple[Any, ...]) -> Any:
        """A call inside of the rule: of the same arguments it is the value.

        Any other is that of the plain function, since the rule would never end.
        """
        if self.known is not None:
            given, value = self.known
            leaves, structure = flatten(args)
            if structure == self.structure and all(map(_is_same, leaves, given)):
                return value
        return custom.function(*args)

    def forward(
        self, function: Any, value: TracedRegion
    ) -> tuple[TracedRegion, _Residuals]:
        """The way forward: from the operands and the values to the residuals."""
        kept: list[tuple[list[Any], Any]] = []
        count = len(self.operands)

        def run(*values: Any) -> Any:
            given = self._holding(values[:count])
            made_before = unflatten(value.tree, values[count:])
            self.known = given, made_before
            made = function(*unflatten(self.structure, given))
            if not isinstance(made, tuple) or len(cast("tuple[Any, ...]", made)) != 2:
                raise TraceError(
                    f"the forward of {self.name} returns a {type(made).__name__}",
                    hint="return a pair: the value, and what backward needs",
                )
            result, residuals = cast("tuple[Any, Any]", made)
            self._check_alike(result, value)
            kept.append(flatten(residuals))
            self.known = None
            return [*filter(_is_array, kept[-1][0])]

        results = [
            (node.type, is_weak(leaf))
            for node, leaf in zip(value.values, value.leaves, strict=True)
        ]
        labels = [*self._labels(), *["value"] * len(results)]
        made = self._region("forward", function, labels, [*self.types, *results], run)
        pairs = zip(made.values, made.leaves, strict=True)
        types = [(node.type, is_weak(leaf)) for node, leaf in pairs]
        return made, _Residuals(*kept[-1], types)

    def _check_alike(self, result: Any, value: TracedRegion) -> None:
        """Raise `TraceError` unless a result is like the function's."""
        leaves, structure = flatten(result)
        found, wanted = outline(structure), outline(value.tree)
        if structure == value.tree:
            types = [leaf_type(leaf) for leaf in leaves]
            pairs = zip(types, value.values, strict=True)
            unlike = [(str(a), str(b.type)) for (a, _), b in pairs if a != b.type]
            if not unlike:
                return
            found, wanted = unlike[0]
        raise TraceError(
            f"the forward of {self.name} returns the value {found}, and the function "
            f"returns {wanted}",
            hint="return a pair: the same value, and what backward needs",
        )

    def backward(
        self, function: Any, value: TracedRegion, residuals: _Residuals
    ) -> TracedRegion:
        """The way back, to the cotangents of the operands that are floats."""
        results = [node.type for node in value.values]
        floats = [(type_, False) for type_ in results if type_.has_gradient]
        first = [arg for i, arg in enumerate(self.args) if i not in self.open]
        wanted = [
            leaf.node.type if is_traced(leaf) and leaf.node.type.has_gradient else None
            for leaf in flatten(list(self.open.values()))[0]
        ]

        def run(*values: Any) -> Any:
            given = iter(values)
            held = residuals.holding(given)
            given_back = [
                next(given)
                if type_.has_gradient
                else np.zeros(type_.shape, type_.numpy)
                for type_ in results
            ]
            made = function(*first, held, unflatten(value.tree, given_back))
            return cotangents(f"the backward of {self.name}", made, self.open, wanted)

        labels = ["residual"] * len(residuals.types) + ["cotangent"] * len(floats)
        types = [*residuals.types, *floats]
        return self._region("backward", function, labels, types, run)


def cotangents(
    what: str, made: Any, args: Mapping[int, Any], wanted: Sequence[TensorType | None]
) -> list[Any]:
    """What a rule returned, as cotangents of the leaves that have one.

    ``args`` are the arguments by their place, of which the rule returns one cotangent
    each. ``wanted`` has the type of each leaf, None for one without a cotangent.
    ``what`` says what the rule is.
    """
    if not isinstance(made, tuple) or len(cast("tuple[Any, ...]", made)) != len(args):
        raise TraceError(
            f"{what} returns {_described(made)}",
            hint=f"return a tuple of {len(args)}, a cotangent for each argument, or "
            "None for zeros",
        )
    leaves: list[Any] = []
    for (place, arg), bar in zip(args.items(), cast("Any", made), strict=True):
        structure = flatten(arg)[1]
        if bar is None:
            leaves += [None] * structure.num_leaves
            continue
        try:
            leaves += structure.flatten_up_to(bar)
        except ValueError:
            raise TraceError(
                f"{what} returns as cotangent of argument {place} "
                f"{outline(flatten(bar)[1])}, and the argument is {outline(structure)}",
            ) from None
    pairs = zip(leaves, wanted, strict=True)
    return [_fitted(what, bar, type_) for bar, type_ in pairs if type_ is not None]


def _fitted(what: str, bar: Any, type_: TensorType) -> Any:
    """A cotangent in the dtype of the value that it belongs to."""
    if bar is None:
        return np.zeros(type_.shape, type_.numpy)
    if isinstance(bar, (tuple, list, dict)) or np.shape(bar) != type_.shape:
        raise TraceError(
            f"{what} returns as a cotangent of {type_} {_described(bar)}",
            hint="a cotangent has the shape of the argument: sum over what was "
            "broadcast",
        )
    if is_traced(bar):
        return bar.astype(type_.numpy)
    return np.asarray(bar, type_.numpy)


def _is_same(one: Any, other: Any) -> bool:
    if is_traced(one) and is_traced(other):
        return one.owner is other.owner and one.node is other.node
    return one is other


def _is_array(leaf: Any) -> bool:
    return is_traced(leaf) or isinstance(leaf, (np.ndarray, np.generic))


def _described(made: Any) -> str:
    if isinstance(made, tuple):
        return f"a tuple of {len(cast('tuple[Any, ...]', made))}"
    if _is_array(made):
        return f"an array of shape {np.shape(made)}"
    return f"a {type(made).__name__}"
