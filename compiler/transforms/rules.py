"""Functions with rules of their own: what `custom_vjp` and `custom_jvp` share.

The function and its rule are traced into the regions of one node. Their inputs are the
traced values among the arguments, and what the regions close over.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial, update_wrapper
from typing import Any, ClassVar, TypeVar, cast

import numpy as np

from ...ir.errors import ArgumentError, TraceError
from ...ir.graph import Node
from ...ir.types import TensorType
from ..regions import (
    TracedRegion,
    check_functions,
    is_weak,
    region_graph,
    taken_in,
    trace_region,
)
from ..tracing.running import active_trace, find_trace, is_traced
from ..tracing.trace import Trace
from ..tree import LeafType, flatten, leaf_names, leaf_type, outline, unflatten

__all__ = [
    "RuleCall",
    "Ruled",
    "as_derivative",
    "call_around",
    "described",
    "inside",
    "is_array",
    "made_of",
    "name_of",
    "rule_of",
    "zeros",
]

R = TypeVar("R", bound="Ruled")
_state = threading.local()  # calls: those whose rules are traced


class Ruled:
    """A function with a rule of its own."""

    lowered_as: ClassVar[str]
    """What its calls in a trace are lowered as."""
    traced_attributes: ClassVar = ("function", "rule")

    def __init__(
        self, function: Callable[..., Any], nondiff_argnums: Sequence[int] = ()
    ) -> None:
        check_functions(type(self).__name__, function)
        update_wrapper(cast("Callable[..., Any]", self), function)
        self.function = function
        self.origin: Any = self
        self.nondiff_argnums = frozenset(nondiff_argnums)
        self.rule: tuple[Callable[..., Any], ...] | None = None

    def mapped(self: R, change: Callable[[Any], Any]) -> R:
        """This with each function changed."""
        made = copy(self)
        made.function = change(self.function)
        if self.rule is not None:
            made.rule = tuple(map(change, self.rule))
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
        return trace.apply(self.lowered_as, (self, args), {})


def rule_of(custom: Ruled, how: str) -> tuple[Callable[..., Any], ...]:
    """The functions of a rule; ``how`` says how it is given."""
    if custom.rule is None:
        raise ArgumentError(
            f"{name_of(custom.function)} has no rule", hint=f"give it one: {how}"
        )
    return custom.rule


def made_of(
    trace: Trace,
    op: str,
    call: RuleCall,
    regions: Sequence[TracedRegion],
    **attrs: Any,
) -> Any:
    """The result of a call, by a node with these regions; the first is the value."""
    found: dict[str, Node] = {}
    own = [taken_in(trace, one, found) for one in regions]
    made = trace.builder.add_node(
        op,
        *map(trace.node, call.operands),
        *found.values(),
        regions=tuple(
            [region_graph(*pair, found) for pair in zip(regions, own, strict=True)]
        ),
        arguments=len(call.operands),
        **attrs,
    )
    value = regions[0]
    weak = map(is_weak, value.leaves)
    return unflatten(value.tree, list(map(trace.wrap, made.values, weak)))


@contextmanager
def inside(call: RuleCall) -> Generator[None, None, None]:
    """While the rule of a call is traced."""
    around = getattr(_state, "calls", ())
    _state.calls = (*around, call)
    try:
        yield
    finally:
        _state.calls = around


def call_around(custom: Ruled) -> RuleCall | None:
    """The call of the same function whose rule is traced, if there is one."""
    calls: tuple[RuleCall, ...] = getattr(_state, "calls", ())
    same = [call for call in calls if call.custom.origin is custom.origin]
    return same[-1] if same else None


class RuleCall:
    """One call: the traced values among its arguments are the operands."""

    def __init__(self, custom: Ruled, args: tuple[Any, ...]) -> None:
        self.custom, self.args = custom, args
        self.name = name_of(custom.function)
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
        run = partial(self.of, function)
        return self.region("value", function, self.labels(), self.types, run)

    def labels(self) -> list[str]:
        """What the operands are called in the function."""
        labels = leaf_names(self.custom.function, self.args, {})
        return [labels[place] for place in self.places]

    def of(self, function: Any, *values: Any) -> Any:
        """A function of the arguments, with these in the place of the operands."""
        return function(*unflatten(self.structure, self.holding(values)))

    def holding(self, values: Sequence[Any]) -> list[Any]:
        """The leaves of the arguments, with these in the place of the operands."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = value
        return leaves

    def region(
        self,
        name: str,
        user: Any,
        labels: Sequence[str],
        types: Sequence[LeafType],
        run: Callable[..., Any],
    ) -> TracedRegion:
        """A region of the node, from ``run``; ``user`` is the function to name."""
        structure = flatten(tuple(range(len(types))))[1]
        what = f"the {name} of {self.name}"
        return trace_region(name, what, run, structure, types, user, labels=labels)

    def again(self, custom: Ruled, args: tuple[Any, ...]) -> Any:
        """A call inside of the rule: of the same arguments it is the value.

        Any other is that of the plain function, since the rule would never end.
        """
        if self.known is not None:
            given, value = self.known
            leaves, structure = flatten(args)
            if structure == self.structure and all(map(is_same, leaves, given)):
                return value
        return custom.function(*args)

    def paired(self, what: str, made: Any, beside: str, value: TracedRegion) -> Any:
        """What stands beside the value in what a rule returned, which is a pair.

        Raises `TraceError` for another thing, or a value unlike the function's.
        """
        if not isinstance(made, tuple) or len(cast("tuple[Any, ...]", made)) != 2:
            raise TraceError(
                f"the {what} of {self.name} returns a {type(made).__name__}",
                hint=f"return a pair: the value, and {beside}",
            )
        result, other = cast("tuple[Any, Any]", made)
        leaves, structure = flatten(result)
        found, wanted = outline(structure), outline(value.tree)
        if structure == value.tree:
            types = [leaf_type(leaf) for leaf in leaves]
            pairs = zip(types, value.values, strict=True)
            unlike = [(str(a), str(b.type)) for (a, _), b in pairs if a != b.type]
            if not unlike:
                return other
            found, wanted = unlike[0]
        raise TraceError(
            f"the {what} of {self.name} returns the value {found}, and the function "
            f"returns {wanted}",
            hint=f"return a pair: the same value, and {beside}",
        )


def name_of(function: Any) -> str:
    """What messages call a function."""
    return getattr(function, "__name__", type(function).__name__)


def as_derivative(what: str, bar: Any, type_: TensorType, kind: str, owner: str) -> Any:
    """A cotangent or a tangent in the dtype of the value that it belongs to.

    ``what`` says which rule returned it, ``kind`` which of the two it is, and ``owner``
    whose.
    """
    if bar is None:
        return zeros(type_.shape, type_.numpy)
    if isinstance(bar, (tuple, list, dict)) or np.shape(bar) != type_.shape:
        raise TraceError(
            f"{what} returns as a {kind} of {type_} {described(bar)}",
            hint=f"a {kind} has the shape of {owner}: sum over what was broadcast",
        )
    if not is_traced(bar):
        return np.asarray(bar, type_.numpy)
    if bar.known is not None and not bar.known.any():
        return zeros(type_.shape, type_.numpy)
    return bar.astype(type_.numpy)


def zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros that a traced rule knows to be constant: it is linear with them."""
    made = np.zeros(shape, dtype)
    trace = active_trace()
    if trace is not None:  # the rule of a `callback` runs as it is
        trace.note_full(made)
    return made


def is_same(one: Any, other: Any) -> bool:
    """Whether two leaves are one value."""
    if is_traced(one) and is_traced(other):
        return one.owner is other.owner and one.node is other.node
    return one is other


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array, traced or not."""
    return is_traced(leaf) or isinstance(leaf, (np.ndarray, np.generic))


def described(made: Any) -> str:
    """What messages call a result."""
    if isinstance(made, tuple):
        return f"a tuple of {len(cast('tuple[Any, ...]', made))}"
    if is_array(made):
        return f"an array of shape {np.shape(made)}"
    return f"a {type(made).__name__}"
