"""`memory_limit`: what is measured, and on which backends."""

from __future__ import annotations

from typing import NamedTuple

from ...backends import find_backend
from ...ir.errors import ArgumentError
from ...ir.graph import Graph
from ..pipeline import TIDY, optimise, run_passes
from .memory import bytes_of, within
from .residuals import split

__all__ = ["Limit", "limit_of"]


class Limit(NamedTuple):
    """How much memory a gradient may take on a backend."""

    nbytes: int
    backend: str

    def of_scratch(self, graph: Graph) -> Graph:
        """The graph whose plan needs no more scratch memory than that."""
        plan = find_backend(self.backend).scratch_bytes
        assert plan is not None, "who made the limit has asked"
        tidy = run_passes(graph, TIDY)
        return within(tidy, self.nbytes, lambda x: plan(optimise(x, self.backend)))

    def of_residuals(self, graph: Graph, count: int) -> Graph:
        """The graph whose two halves hand on no more than that."""

        def kept(graph: Graph) -> int:
            return sum(
                graph[name].type.nbytes for name in split(graph, count, count)[2]
            )

        return within(graph, self.nbytes, kept)


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
