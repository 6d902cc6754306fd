"""Transforms of functions side by side with JAX, torch.func and autograd.

    python -m benchmarks.transforms [--only NAME] [--rounds N]

Each library runs in a process of its own on one core, and they take turns. What a case
returns has to agree with ours before it is timed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from .homes import home_of
from .loops import mean
from .peers import OURS
from .process import Failure, Worker
from .transform_cases import APART, CASES, LIBRARIES

SECONDS = 0.05  # that a batch takes
LIMIT = 120.0  # seconds to wait for an answer


class Row(NamedTuple):
    """Seconds of a call, and of the import and the first call, of each library."""

    steady: dict[str, float]
    first: dict[str, tuple[float, float]]
    failed: dict[str, str]


def measured(name: str, rounds: int, cache: Path) -> Row:
    """The figures of a case."""
    row = Row({}, {}, {})
    workers: dict[str, Worker] = {}
    found: dict[str, Any] = {}
    try:
        for peer in LIBRARIES:
            try:
                workers[peer] = Worker(
                    peer,
                    f"transform {name}",
                    cores=1,
                    cache=cache,
                    limit=LIMIT,
                    home=home_of(peer),
                )
                row.first[peer] = workers[peer].receive()
                found[peer] = workers[peer].receive()
                _check(found[OURS], found[peer], APART.get(name))
            except Failure as failure:
                row.failed[peer] = str(failure)
                if (worker := workers.pop(peer, None)) is not None:
                    worker.close()
        times: dict[str, list[float]] = {peer: [] for peer in workers}
        for _ in range(rounds):
            for peer, worker in workers.items():
                times[peer].append(worker.ask(SECONDS))
        row.steady.update({p: statistics.median(taken) for p, taken in times.items()})
    finally:
        for worker in workers.values():
            worker.close()
    return row


def _check(ours: list[Any], theirs: list[Any], apart: float | None) -> None:
    """Raises `Failure` where results differ by more than rounding, or ``apart``."""
    for one, other in zip(ours, theirs, strict=True):
        scale = max(1.0, float(np.max(np.abs(one))))
        error = float(np.max(np.abs(one - other))) / scale
        if not error < (apart or 1e3 * np.finfo(one.dtype).eps):
            raise Failure(f"differs from ours by {error:.1e}")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transforms")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (5)")
    options = parser.parse_args()
    names = [name for name in CASES if options.only in name]
    first = [f"import + first, s: {peer}" for peer in LIBRARIES]
    table = Table("microseconds", *LIBRARIES, "to best peer", *first)
    ratios: list[float] = []
    console = Console(width=180)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
        console.status("") as status,
    ):
        for name in names:
            status.update(name)
            row = measured(name, options.rounds, Path(cache))
            table.add_row(*_cells(name, row, ratios))
    table.add_section()
    table.add_row("geometric mean", *[""] * len(LIBRARIES), f"{mean(ratios):.2f}")
    console.print(table)


def _cells(name: str, row: Row, ratios: list[float]) -> list[str]:
    """A line of the table; its ratio to the fastest of the others is noted."""
    best = min((s for peer, s in row.steady.items() if peer != OURS), default=None)
    ratio = row.steady[OURS] / best if best and OURS in row.steady else None
    if ratio is not None:
        ratios.append(ratio)
    times = [
        f"{row.steady[peer] * 1e6:,.0f}"
        if peer in row.steady
        else row.failed.get(peer, "-")[:24]
        for peer in LIBRARIES
    ]
    first = [
        "{:.2f} + {:.2f}".format(*row.first[p]) if p in row.first else "-"
        for p in LIBRARIES
    ]
    return [name, *times, f"{ratio:.2f}" if ratio else "-", *first]


if __name__ == "__main__":
    main()
