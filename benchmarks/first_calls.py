"""What the first call of a looped program takes, at few and at many turns.

    python -m benchmarks.first_calls [--only NAME] [--rounds N]

The programs are those of the tests, and the call is of their value and gradient. Each
runs in a process of its own with an empty cache of kernels, and the two counts take
turns. Running is no part of what is shown: the time of a later call is taken off.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.programs.larger import LARGER

from .loop_programs import OURS
from .loops import LIMIT, mean
from .process import Failure, Worker

FEW, MANY = 10, 1000
NESTED = 100  # turns of each loop, where a nest of them would run for minutes
NESTS = frozenset(
    {
        *("n_body", "lennard_jones", "smoothed_particles", "cholesky", "lu_in_place"),
        *("gram_schmidt", "householder", "gauss_seidel", "stencil_in_2d", "heat"),
        *("shallow_water", "alternating_directions", "floyd_warshall", "convolution"),
        *("ising_energy", "max_pooling", "causal_attention", "time_warping"),
        *("forward_substitution", "back_substitution", "levinson_durbin"),
    }
)


def first_call(name: str, turns: int) -> float:
    """Seconds of a first call beyond those of a later one, with nothing cached."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        subject = f"first-call {name} {turns}"
        worker = Worker(OURS, subject, cores=1, cache=Path(cache), limit=LIMIT)
        try:
            first, later = worker.receive()
        finally:
            worker.close()
    return first - later


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_calls")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (3)")
    options = parser.parse_args()
    names = [name for name in LARGER if options.only in name]
    table = Table("seconds", "turns", f"at {FEW}", "at so many", "ratio")
    ratios: list[float] = []
    console = Console(width=100)
    for name in track(names, "first calls", console=console, transient=True):
        many = NESTED if name in NESTS else MANY
        try:
            few_seconds, many_seconds = _medians(name, (FEW, many), options.rounds)
        except Failure as failure:
            table.add_row(name, f"{many:,}", str(failure)[:40])
            continue
        ratios.append(many_seconds / few_seconds)
        cells = f"{few_seconds:.2f}", f"{many_seconds:.2f}", f"{ratios[-1]:.2f}"
        table.add_row(name, f"{many:,}", *cells)
    table.add_section()
    table.add_row("geometric mean", "", "", "", f"{mean(ratios):.2f}")
    console.print(table)


def _medians(name: str, turns: Sequence[int], rounds: int) -> list[float]:
    """The first calls with each number of turns, which take turns."""
    found = [[first_call(name, count) for count in turns] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*found, strict=True)]


if __name__ == "__main__":
    main()
