"""Functions that are given by graphs: what `jit(graph)` and `load` compile.

A `GraphFunction` stands where the user's function does, and has a `Program` ready for
each signature that it knows, so nothing is traced. Everything behind (transforms,
passes, backends, the fast path) sees a program like any other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from inspect import Parameter
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..ir.errors import ArgumentError
from ..ir.graph import Graph
from ..ir.types import TensorType
from .calls.static import Static
from .guard import guard
from .program import Program, level_of_next
from .tracing.asked import ValueAsked, may_be_asked
from .tree import LeafType, flatten, path_names, unflatten

if TYPE_CHECKING:
    from .calls.function import Compiled

__all__ = [
    "Argument",
    "Case",
    "GraphFunction",
    "bound_order",
    "reordered",
    "signature_of",
]

MAX_SHOWN = 8  # arguments of a call, and calls, in one error

Argument: TypeAlias = "tuple[TensorType, bool | None] | Static"
"""What one leaf of the arguments has to be: the type, and whether it is a Python
number (None where both will do), or a static value."""


class Case(NamedTuple):
    """One signature of a function, and the program for it.

    ``structure`` is that of the arguments as a dict by parameter, as
    `inspect.Signature.bind` sorts them; ``arguments`` are its leaves, in the order of
    the program's.
    """

    structure: Any
    arguments: tuple[Argument, ...]
    program: Program

    def takes(self, structure: Any, arguments: Sequence[Argument]) -> bool:
        """Whether a call is of this signature."""
        return structure == self.structure and all(
            map(_fits, self.arguments, arguments)
        )

    def __str__(self) -> str:
        return describe(self.structure, self.arguments)


def _fits(wanted: Argument, found: Argument) -> bool:
    if isinstance(wanted, Static) or isinstance(found, Static):
        return wanted == found
    return wanted[0] == found[0] and wanted[1] in (None, found[1])


class GraphFunction:
    """A function of which only its graphs are known.

    ``static`` are the positions and names of its static arguments.
    """

    __slots__ = ("__name__", "__signature__", "cases", "static")

    def __init__(
        self,
        name: str,
        signature: inspect.Signature,
        cases: Sequence[Case],
        static: Sequence[int | str] = (),
    ) -> None:
        self.__name__ = name
        self.__signature__ = signature
        self.cases = tuple(cases)
        self.static = tuple(static)

    @classmethod
    def of(cls, graph: Graph) -> GraphFunction:
        """The function that a graph says: its inputs are the parameters.

        An input's dots are underscores in the parameter's name. The result is the
        value itself of a single output without a label, a dict where every output has
        a label that is a name, and else a tuple. Indices that could be outside of their
        axis get a check. Raises `VerifyError` for a graph that is not sound.
        """
        graph = guard(graph.verify())
        inputs = graph.inputs
        names = _parameter_names([node.name for node in inputs])
        signature = inspect.Signature(
            [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        )
        program = Program(
            graph, tuple(node.name for node in inputs), (), _result_structure(graph)
        )
        arguments = tuple((node.type, None) for node in inputs)
        structure = flatten(dict.fromkeys(names, 0))[1]
        return cls(graph.name, signature, [Case(structure, arguments, program)])

    def program(
        self, structure: Any, leaves: Sequence[Any], types: Sequence[LeafType | None]
    ) -> Program:
        """The program of a call, its inputs in the order of the call's leaves.

        ``structure`` is the tree of ``(args, kwargs)``; a leaf without a type is
        `Static`. Raises `ArgumentError` for a call that no graph is known for.
        """
        order, bound = bound_order(self, structure)
        pairs = zip(leaves, types, strict=True)
        known = [leaf if type_ is None else type_ for leaf, type_ in pairs]
        arguments = [known[position] for position in order]
        self._ask(bound, order, leaves)
        for case in self.cases:
            if case.takes(bound, arguments):
                places = {position: place for place, position in enumerate(order)}
                return reordered(case.program, [places[p] for p in range(len(order))])
        raise self._unknown(bound, arguments)

    def _ask(self, bound: Any, order: Sequence[int], leaves: Sequence[Any]) -> None:
        """Raise `ValueAsked` for the numbers whose values some graph is for."""
        numbers = [place for place in order if may_be_asked(leaves[place])]
        cases = [case for case in self.cases if case.structure == bound]
        asked = {
            place: None
            for place in numbers
            for case in cases
            if isinstance(case.arguments[order.index(place)], Static)
        }
        if asked:
            raise ValueAsked(level_of_next(), asked)

    def _unknown(self, structure: Any, arguments: Sequence[Argument]) -> ArgumentError:
        """What a call without a graph is told: the argument at fault, or all cases."""
        known = [case for case in self.cases if case.structure == structure]
        if len(known) == len(self.cases) == 1:
            paths = path_names(unflatten(structure, range(len(arguments))))
            for path, wanted, found in zip(
                paths, known[0].arguments, arguments, strict=True
            ):
                if not _fits(wanted, found):
                    return ArgumentError(
                        f"{path} is {_describe(found)}, and the graph of "
                        f"{self.__name__} takes {_describe(wanted)}"
                    )
        call = describe(structure, arguments)
        cases = [str(case) for case in self.cases]
        if call in cases:  # which differ in their containers
            call = f"{call}, as {structure}"
            cases = [f"{case}, as {case.structure}" for case in self.cases]
        more = len(cases) - MAX_SHOWN
        shown = cases[:MAX_SHOWN] + [f"{more} other calls"] * (more > 0)
        return ArgumentError(
            f"{self.__name__} has no graph for {call}",
            hint=f"it has one for {', one for '.join(shown)}",
        )

    def compiled(self, backend: str) -> Compiled:
        """The function, compiled; `Compiled` knows of this class."""
        from .calls.function import Compiled

        numbers = [which for which in self.static if isinstance(which, int)]
        names = [which for which in self.static if isinstance(which, str)]
        return Compiled(
            self, backend=backend, static_argnums=numbers, static_argnames=names
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Interpret the graph of a call with NumPy."""
        return self.compiled("reference")(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.__name__}, known by its graphs for {len(self.cases)} calls>"


def describe(structure: Any, arguments: Sequence[Argument]) -> str:
    """The arguments of a call by path."""
    paths = path_names(unflatten(structure, range(len(arguments))))
    pairs = zip(paths[:MAX_SHOWN], arguments, strict=False)
    shown = [f"{path}: {_describe(argument)}" for path, argument in pairs]
    more = len(paths) - MAX_SHOWN
    return f"({', '.join(shown)}{f', and {more} more' if more > 0 else ''})"


def _describe(argument: Argument) -> str:
    if isinstance(argument, Static):
        return f"static {argument.value!r}"
    type_, weak = argument
    return f"a Python number as {type_}" if weak else str(type_)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function; any arguments where Python does not know it."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        args = Parameter("args", Parameter.VAR_POSITIONAL)
        return inspect.Signature([args, Parameter("kwargs", Parameter.VAR_KEYWORD)])


def bound_order(function: Callable[..., Any], structure: Any) -> tuple[list[int], Any]:
    """The leaves of ``(args, kwargs)`` sorted by parameter, and their structure.

    The leaves are positions among those of ``structure``.
    """
    args, kwargs = unflatten(structure, range(structure.num_leaves))
    signature = signature_of(function)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        name = getattr(function, "__name__", "the function")
        raise ArgumentError(f"{name}{signature}: {error}") from None
    return flatten(dict(bound.arguments))


def reordered(program: Program, order: Sequence[int]) -> Program:
    """The program for the leaves of its arguments in another order."""
    if list(order) == list(range(len(order))):
        return program
    arguments = tuple([program.arguments[position] for position in order])
    graph = program.graph
    inputs = {node.name: node for node in graph.inputs}
    first = [inputs.pop(name) for name in arguments if name is not None]
    rest = [node for node in graph if node.op != "input"]
    nodes = [*first, *inputs.values(), *rest]
    return program._replace(
        graph=Graph(graph.name, nodes, graph.outputs, graph.sections),
        arguments=arguments,
    )


def _parameter_names(names: Sequence[str]) -> list[str]:
    """Names of Python parameters for inputs; one that is such a name stays."""
    taken = set(names)
    made: list[str] = []
    for number, name in enumerate(names):
        plain = name.replace(".", "_")
        if not plain.isidentifier():
            plain = f"input_{number}"
        while iskeyword(plain) or (plain != name and plain in taken):
            plain += "_"
        taken.add(plain)
        made.append(plain)
    return made


def _result_structure(graph: Graph) -> Any:
    labels = [output.label for output in graph.outputs]
    if labels == [""]:
        return flatten(0)[1]
    named = all(labels) and not any(label.startswith("r.") for label in labels)
    if labels and named and len(set(labels)) == len(labels):
        return flatten(dict.fromkeys(labels, 0))[1]
    return flatten((0,) * len(labels))[1]
