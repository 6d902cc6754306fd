"""Loops as people write them: ours against Numba and JAX, side by side.

    python -m benchmarks.loops [--only NAME] [--rounds N]

The programs are those of the tests, unchanged, on larger arguments. Numba compiles the
same source, and has no gradients. For JAX they are written anew, with its own loops or
without any (`jax_loops`). Each library runs in a process of its own on one core, and
they take turns. A gradient is that of the sum of the squares of all that the program
returns and writes; it has to agree with ours before it is timed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from .homes import home_of
from .loop_programs import FORWARD, JAX, LOOPS, NUMBA, OURS, PEERS, WITH_JAX
from .peers import OLD_JAX
from .process import Failure, Worker

SECONDS = 0.03  # that a batch takes
LIMIT = 120.0  # seconds to wait for a first call


class Row(NamedTuple):
    """Seconds of a call and of the first one, and peak bytes, of each library."""

    steady: dict[str, float]
    first: dict[str, float]
    memory: dict[str, int]
    failed: dict[str, str]


def measured(name: str, rounds: int, cache: Path) -> Row:
    """The figures of a program."""
    row = Row({}, {}, {}, {})
    workers: dict[str, Worker] = {}
    gradients: dict[str, Any] = {}
    try:
        for peer in PEERS:
            if peer in (JAX, OLD_JAX) and name not in WITH_JAX:
                continue
            try:
                workers[peer] = _start(peer, f"loop {name}", cache)
                row.first[peer] = workers[peer].receive()
                gradients[peer] = workers[peer].receive()
                _check(peer, gradients)
            except Failure as failure:
                row.failed[peer] = str(failure)
                workers.pop(peer, None)
        times: dict[str, list[float]] = {peer: [] for peer in workers}
        for _ in range(rounds):
            for peer, worker in workers.items():
                times[peer].append(worker.ask(SECONDS))
        row.steady.update({p: statistics.median(found) for p, found in times.items()})
    finally:
        for worker in workers.values():
            worker.close()
    for peer in (OURS, JAX, OLD_JAX):
        if peer in row.steady:
            worker = _start(peer, f"loop-memory {name}", cache)
            row.memory[peer] = worker.receive() or 0
            worker.close()
    return row


def _start(peer: str, subject: str, cache: Path) -> Worker:
    home = home_of(peer)
    return Worker(peer, subject, cores=1, cache=cache, limit=LIMIT, home=home)


def _check(peer: str, found: dict[str, Any]) -> None:
    """Raises `Failure` where a gradient is not ours."""
    if peer in (JAX, OLD_JAX) and OURS in found:
        for one, other in zip(found[OURS], found[peer], strict=True):
            scale = max(1.0, float(np.max(np.abs(one))))
            error = float(np.max(np.abs(one - other))) / scale
            if not error < 1e-8:
                raise Failure(f"differs from ours by {error:.1e}")


def mean(ratios: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loops")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (5)")
    options = parser.parse_args()
    names = [name for name in LOOPS if options.only in name]
    table = Table("microseconds", *PEERS, "fwd/numba", "v+g/numba", "v+g/JAX", "MB")
    ratios: dict[str, list[float]] = {"fwd": [], "v+g": [], "jax": []}
    console = Console(width=150)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
        console.status("") as status,
    ):
        for name in names:
            status.update(name)
            row = measured(name, options.rounds, Path(cache))
            table.add_row(*_cells(name, row, ratios))
    table.add_section()
    means = [f"{mean(ratios[kind]):.2f}" for kind in ("fwd", "v+g", "jax")]
    table.add_row("geometric mean", *[""] * len(PEERS), *means, "")
    console.print(table)


def _cells(name: str, row: Row, ratios: dict[str, list[float]]) -> list[str]:
    """A line of the table; its ratios are noted."""
    steady = row.steady
    best = min((steady[p] for p in (JAX, OLD_JAX) if p in steady), default=None)
    pairs = {
        "fwd": (steady.get(FORWARD), steady.get(NUMBA)),
        "v+g": (steady.get(OURS), steady.get(NUMBA)),
        "jax": (steady.get(OURS), best),
    }
    shown: list[str] = []
    for kind, (ours, theirs) in pairs.items():
        if ours and theirs:
            ratios[kind].append(ours / theirs)
        shown.append(f"{ours / theirs:.2f}" if ours and theirs else "-")
    times = [
        f"{steady[peer] * 1e6:,.1f}"
        if peer in steady
        else row.failed.get(peer, "-")[:24]
        for peer in PEERS
    ]
    memory = " ".join(f"{row.memory[p] / 1e6:.1f}" for p in PEERS if p in row.memory)
    return [f"{name} {LOOPS[name]}", *times, *shown, memory]


if __name__ == "__main__":
    main()
