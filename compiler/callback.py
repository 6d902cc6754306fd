"""`callback`: compiled code calls a function that is not traced.

It is Python's, one that Numba compiled, or one in C. The traced values among the
arguments are the operands of a node, which has the function by name (`ir.hosts`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backends.hosts import is_native, native_host
from ..backends.numba_host import is_dispatcher, numba_host
from ..ir.errors import ArgumentError, ParseError, TraceError
from ..ir.hosts import Arrays, Host, register_host
from ..ir.types import TensorType, dtype_name, spec
from .tracing.lowerings import lowers
from .tracing.running import find_trace, is_traced
from .tracing.trace import Trace
from .transforms.custom import cotangents
from .tree import flatten, outline, unflatten

__all__ = ["callback"]

_CALLBACK = "anabranch callback"
_OPERAND = object()  # stands in the place of one among the leaves


def callback(
    function: Any,
    result_types: Any,
    *args: Any,
    vjp: Callable[..., Any] | None = None,
) -> Any:
    """``function(*args)`` as it is: called from compiled code, and not traced.

    The function is to depend on its arguments alone, and to change nothing: a call
    whose result is not needed is not made, and equal calls may be one.

    Args:
        function: One of three.
            A Python function; it is given arrays and holds the GIL, and what it
            raises comes out of the compiled function.
            A function of ``numba.njit`` of arrays and numbers; it runs without the GIL.
            A C function, ``int f(const void *const *inputs, void *const *outputs)``, as
            ctypes has it; it runs without the GIL, and its result is 0 unless it fails.
        result_types: What it returns, as a pytree of types: ``spec("f64[3]")``, the
            text alone, or anything with a shape and a dtype.
        args: Pytrees of arrays and numbers; what is not traced is handed on as it is,
            to Python functions alone.
        vjp: ``vjp(cotangent, *args)`` returns a tuple with a cotangent for each
            argument, or None for zeros. It is a Python function, and not traced either:
            for second derivatives, and for rules to be compiled, see `custom_vjp`.

    Returns:
        What the function returns, cast to ``result_types``.

    Raises:
        ArgumentError: Where ``result_types`` has no types, or an argument of a native
            function is no array or number.
        TraceError: When running, where a result has another structure or shape.
        GradientError: Where a gradient is wanted and there is no ``vjp``.

    >>> import numpy as np, anabranch
    >>> def table(x):
    ...     return np.interp(x, [0.0, 1.0], [0.0, 10.0])
    >>> f = anabranch.jit(lambda x: anabranch.callback(table, "f64[2]", x) + 1)
    >>> f(np.array([0.5, 1.0]))
    array([ 6., 11.])
    """
    trace = find_trace(flatten(args)[0])
    if trace is not None:
        return trace.apply(_CALLBACK, (function, result_types, args, vjp), {})
    call = _Call(function, result_types, args)
    given = [
        np.asarray(leaf, type_.numpy, order="C")
        for leaf, type_ in zip(call.operands(args), call.types, strict=True)
    ]
    made = [np.empty(type_.shape, type_.numpy) for type_ in call.results]
    call.host().fill(given, made)
    return unflatten(call.tree, [array[()] for array in made])


@lowers(_CALLBACK)
def _lower(
    trace: Trace, function: Any, result_types: Any, args: tuple[Any, ...], vjp: Any
) -> Any:
    call = _Call(function, result_types, args)
    attrs: dict[str, Any] = {
        "function": register_host(call.name, call.identity(), call.host)
    }
    if vjp is not None:
        attrs["vjp"] = register_host(
            f"{call.name}.vjp", call.identity(vjp), partial(call.backward, vjp)
        )
    made = trace.builder.add_node(
        "callback",
        *map(trace.node, call.operands(args)),
        results=tuple(map(str, call.results)),
        **attrs,
    )
    return unflatten(call.tree, list(map(trace.wrap, made.values)))


class _Call:
    """One call: which arguments are operands, and the types of the results.

    Hosts keep it as long as the process, so it holds none of the operands.
    """

    def __init__(self, function: Any, result_types: Any, args: tuple[Any, ...]) -> None:
        self.function = function
        self.name = str(getattr(function, "__name__", type(function).__name__))
        self.is_native = is_dispatcher(function) or is_native(function)
        leaves, self.structure = flatten(args)
        taken = [self.is_native or is_traced(leaf) for leaf in leaves]
        pairs = list(zip(leaves, taken, strict=True))
        self.places = [place for place, is_taken in enumerate(taken) if is_taken]
        self.types = [_type_of(leaf) for leaf, is_taken in pairs if is_taken]
        self.leaves = [_OPERAND if is_taken else leaf for leaf, is_taken in pairs]
        found, self.tree = flatten(result_types, _is_type)
        self.results = [_type_of(leaf) for leaf in found]
        if not self.results:
            raise ArgumentError(
                f"the callback {self.name} has no result types",
                hint='give the types of what it returns: anabranch.spec("f64[3]")',
            )

    def operands(self, args: tuple[Any, ...]) -> list[Any]:
        """The operands among the arguments."""
        leaves = flatten(args)[0]
        return [leaves[place] for place in self.places]

    def identity(self, vjp: Any = None) -> object:
        """What calls of one function have in common: the values do not count."""
        return (
            *(id(self.function), id(vjp), self.structure, *map(id, self.leaves)),
            *(tuple(self.types), self.tree, tuple(self.results)),
        )

    def host(self) -> Host:
        """The function, for a node to call."""
        if is_dispatcher(self.function):
            return numba_host(self.function, self.types, self.results)
        if self.is_native:
            return native_host(self.function)
        return Host(partial(self._fill, self.function))

    def _fill(self, function: Any, inputs: Arrays, outputs: Arrays) -> None:
        made = function(*self._holding(inputs))
        leaves, structure = flatten(made)
        if structure != self.tree:
            raise TraceError(
                f"the callback {self.name} returned {outline(structure)}, "
                f"not {outline(self.tree)}"
            )
        for leaf, output in zip(leaves, outputs, strict=True):
            self._put(leaf, output)

    def _holding(self, values: Arrays) -> Any:
        """The arguments, with these in the place of the operands."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = value[()]
        return unflatten(self.structure, leaves)

    def _put(self, value: Any, output: np.ndarray[Any, Any]) -> None:
        if np.shape(value) != output.shape:
            raise TraceError(
                f"the callback {self.name} returned an array of shape "
                f"{np.shape(value)}, not {output.shape}",
                hint="result_types has to have the shapes that it returns",
            )
        np.copyto(output, value, casting="unsafe")

    def backward(self, vjp: Any) -> Host:
        """The rule, as a function of the operands and the cotangents."""
        count = len(self.places)
        types = dict(zip(self.places, self.types, strict=True))
        each = [types.get(place) for place in range(len(self.leaves))]
        wanted = [x if x is not None and x.has_gradient else None for x in each]
        args: tuple[Any, ...] = unflatten(self.structure, self.leaves)
        by_place = dict(enumerate(args))

        def fill(inputs: Arrays, outputs: Arrays) -> None:
            given = iter(inputs[count:])
            bars = [
                next(given)[()]
                if type_.has_gradient
                else np.zeros(type_.shape, type_.numpy)[()]
                for type_ in self.results
            ]
            made = vjp(unflatten(self.tree, bars), *self._holding(inputs[:count]))
            what = f"the vjp of the callback {self.name}"
            found = cotangents(what, made, by_place, wanted)
            for bar, output in zip(found, outputs, strict=True):
                np.copyto(output, bar)

        return Host(fill)


def _is_type(leaf: Any) -> bool:
    return isinstance(leaf, (str, TensorType)) or (
        hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    )


def _type_of(leaf: Any) -> TensorType:
    """The type that a leaf says or has."""
    if isinstance(leaf, TensorType):
        return leaf
    try:
        if isinstance(leaf, str):
            return spec(leaf)
        if is_traced(leaf):
            return leaf.node.type
        if isinstance(leaf, (bool, int, float)):
            leaf = np.asarray(leaf)
        return TensorType(dtype_name(leaf.dtype), tuple(leaf.shape))
    except (AttributeError, ParseError):
        raise ArgumentError(
            f"a {type(leaf).__name__} is no type of an array",
            hint='write anabranch.spec("f64[3]")',
        ) from None
