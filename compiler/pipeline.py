"""The passes by name, and running them in the order that a backend asks for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from ..backends import DEFAULT, find_backend
from ..ir.collection import paused_collection
from ..ir.errors import ArgumentError, VerifyError
from ..ir.graph import Graph
from ..ir.settings import debugging, setting
from .passes.abreast import abreast
from .passes.accumulate import accumulate
from .passes.batch import batch
from .passes.begin import begin
from .passes.choose import choose
from .passes.contract import contract
from .passes.dedupe import dedupe
from .passes.expand import expand
from .passes.factor import factor
from .passes.fold import fold
from .passes.forward import forward
from .passes.fuse import fuse
from .passes.hoist import hoist
from .passes.invariant import invariant
from .passes.join import join
from .passes.last import last
from .passes.merge import merge
from .passes.nest import nest
from .passes.once import once
from .passes.overlap import overlap
from .passes.passed import passed
from .passes.place import place
from .passes.powers import powers
from .passes.prune import prune
from .passes.realify import realify
from .passes.rows import rows
from .passes.simplify import simplify
from .passes.split import split
from .passes.states import states
from .passes.steady import steady
from .passes.tabulate import tabulate
from .passes.tape import tape
from .passes.total import total
from .passes.undo import undo
from .passes.widen import widen

__all__ = ["PASSES", "ROUNDING", "TIDY", "optimise", "run_passes"]

PASSES: dict[str, Callable[[Graph], Graph]] = {
    "expand": expand,
    "realify": realify,
    "merge": merge,
    "prune": prune,
    "choose": choose,
    "forward": forward,
    "fold": fold,
    "simplify": simplify,
    "dedupe": dedupe,
    "tabulate": tabulate,
    "tape": tape,
    "undo": undo,
    "nest": nest,
    "invariant": invariant,
    "last": last,
    "once": once,
    "states": states,
    "passed": passed,
    "steady": steady,
    "abreast": abreast,
    "rows": rows,
    "hoist": hoist,
    "total": total,
    "overlap": overlap,
    "place": place,
    "begin": begin,
    "widen": widen,
    "join": join,
    "factor": factor,
    "contract": contract,
    "batch": batch,
    "powers": powers,
    "accumulate": accumulate,
    "split": split,
    "fuse": fuse,
}

ROUNDING = frozenset(
    {
        *("realify", "abreast", "hoist", "total", "overlap", "place", "begin"),
        *("widen", "join", "factor", "contract", "batch", "powers", "accumulate"),
    }
)
"""The passes that keep results up to rounding and the sign of zeros; others keep bits.
"""


TIDY = ("merge", "prune", "fold", "simplify", "dedupe", "tape", "prune")
"""What comes before a graph is cut in two: loops share what they know.

It keeps what derivatives of the graph would ask for.
"""


def run_passes(
    graph: Graph,
    passes: Sequence[str],
    after_each: Callable[[Graph], object] | None = None,
) -> Graph:
    """Run ``passes`` in order, each on the regions of nodes before the graph itself.

    ``after_each`` sees every graph in between.

    The environment variable ``ANABRANCH_DUMP``, names of passes with commas between
    or ``all``, prints the graph after those passes to the error stream. With
    ``ANABRANCH_DEBUG=1`` each graph is verified.
    """
    allowed = f"all, or some of {', '.join(PASSES)} with commas between"
    dump = setting("ANABRANCH_DUMP", allowed, _names) or ()
    verified = debugging()
    for name in passes:
        if name not in PASSES:
            raise ArgumentError(
                f"no pass is called {name!r}", hint=f"one of {', '.join(PASSES)}"
            )
        graph = _run_pass(name, graph)
        if name in dump or "all" in dump:
            print(f"# after {name}", graph, sep="\n", file=sys.stderr)
        if verified:
            _verify(graph, name)
        if after_each is not None:
            after_each(graph)
    return graph


def _run_pass(name: str, graph: Graph) -> Graph:
    return PASSES[name](graph.map_regions(partial(_run_pass, name)))


def _verify(graph: Graph, name: str) -> None:
    try:
        graph.verify()
    except VerifyError as error:
        error.add_note(f"  after the pass {name}")
        raise


def _names(text: str) -> list[str] | None:
    """The passes of ``ANABRANCH_DUMP``, None where one is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return names if all(name in PASSES or name == "all" for name in names) else None


def optimise(graph: Graph, backend: str = DEFAULT) -> Graph:
    """The graph as a backend takes it."""
    with paused_collection():
        return run_passes(graph, find_backend(backend).passes)
