"""`memory_limit`: what is measured, and on which backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from ...backends import find_backend
from ...ir.errors import ArgumentError
from ...ir.graph import Graph
from ..passes.equal_pieces import in_equal_pieces
from ..pipeline import TIDY, optimise, run_passes
from .memory import bytes_of, within
from .residuals import split
from .segmented import fewer_and_fewer, segmented

if TYPE_CHECKING:
    from ..calls.call import Call
    from ..calls.function import Transform
    from ..program import Program

__all__ = ["Limit", "Limited", "limit_of"]

Derive = Callable[[Graph], Graph]


class Limit(NamedTuple):
    """How much memory a gradient may take on a backend."""

    nbytes: int
    backend: str

    def of_scratch(self, graph: Graph, derive: Derive) -> Graph:
        """What is derived of a graph, with no more scratch memory in its plan."""
        plan = find_backend(self.backend).scratch_bytes
        assert plan is not None, "who made the limit has asked"
        graphs = map(in_equal_pieces, _derived(graph, derive))
        derived = (run_passes(made, TIDY) for made in graphs)
        return within(derived, self.nbytes, lambda x: plan(optimise(x, self.backend)))

    def of_residuals(self, graph: Graph, derive: Derive) -> Graph:
        """What is derived of a graph, whose two halves hand on no more than that."""
        count = len(graph.outputs)

        def kept(made: Graph) -> int:
            names = split(made, count, count)[2]
            return sum(made[name].type.nbytes for name in names)

        return within(_derived(graph, derive), self.nbytes, kept)


def _derived(graph: Graph, derive: Derive) -> Iterator[Graph]:
    """What is derived of a graph, and of it with loops that hold ever fewer states."""
    yield derive(graph)
    for states in fewer_and_fewer(graph):
        yield derive(segmented(graph, states))


class Limited(NamedTuple):
    """A transform whose graph takes no more scratch memory than a limit.

    It is that of what a ``change`` makes of the graph, where there is one.
    """

    transform: Transform
    limit: Limit

    def __call__(
        self, program: Program, call: Call, change: Derive = lambda graph: graph
    ) -> Program:
        def derive(graph: Graph) -> Graph:
            return change(self.transform(program.with_graph(graph), call).graph)

        made = self.transform(program, call)
        return made.with_graph(self.limit.of_scratch(program.graph, derive))


def limit_of(given: int | str | None, backend: str) -> Limit | None:
    """A limit as it was given; `ArgumentError` where a backend can keep none."""
    if given is None:
        return None
    if find_backend(backend).scratch_bytes is None:
        raise ArgumentError(
            f"the backend {backend} plans no memory, and so takes no memory_limit",
            hint='use backend="llvm"',
        )
    return Limit(bytes_of(given), backend)
