"""``make bench``: value and gradient of each model, side by side with the peers.

Each library runs in a process of its own, started one after the other for the first
call; then they take turns, and the median over the rounds is the steady time. Gradients
are compared before anything is timed. The table goes to the terminal, the numbers to
``build/bench.json``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .models import MODELS
from .peers import PEERS
from .worker import serve

OURS = "anabranch"
PAUSE = 0.3  # seconds, for which the threads of the one before may still spin


def measure(number: int, rounds: int) -> dict[str, dict[str, float]]:
    """First and steady seconds of every peer on one model."""
    context = multiprocessing.get_context("spawn")
    channels: dict[str, Any] = {}
    figures: dict[str, dict[str, float]] = {}
    answers: dict[str, Any] = {}
    for peer in PEERS:
        channels[peer], theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(theirs, peer, number), daemon=True
        )
        process.start()
        first, value, gradient = channels[peer].recv()
        figures[peer] = {"first": first}
        answers[peer] = value, gradient
    compare(answers)
    times: dict[str, list[float]] = {peer: [] for peer in PEERS}
    for _ in range(rounds):
        for peer, channel in channels.items():
            time.sleep(PAUSE)
            channel.send(True)
            times[peer].append(channel.recv())
    for peer, channel in channels.items():
        channel.send(False)
        figures[peer]["steady"] = statistics.median(times[peer])
    return figures


def compare(answers: dict[str, Any]) -> None:
    """Raise where a library's value or gradient is far from ours."""
    value, gradient = answers[OURS]
    tolerance = 1e-8 if gradient[0].dtype == np.float64 else 1e-3
    for peer, (other, parts) in answers.items():
        close = [
            np.max(np.abs(a - b)) <= tolerance * max(np.max(np.abs(a)), 1e-3)
            for a, b in zip(gradient, parts, strict=True)
        ]
        if not all(close) or abs(value - other) > tolerance * max(abs(value), 1.0):
            raise AssertionError(f"{peer} and {OURS} disagree")


def print_table(results: dict[str, dict[str, dict[str, float]]]) -> None:
    """The figures, and our ratio to the best peer."""
    table = Table(title="value and gradient: first call in s, steady call in us")
    table.add_column("model")
    for peer in PEERS:
        table.add_column(f"{peer}\nfirst", justify="right")
        table.add_column("\nsteady", justify="right")
    table.add_column("steady to\nbest peer", justify="right")
    for model, figures in results.items():
        cells = [
            cell
            for figure in figures.values()
            for cell in (f"{figure['first']:.2f}", f"{figure['steady'] * 1e6:,.0f}")
        ]
        best = min(f["steady"] for peer, f in figures.items() if peer != OURS)
        table.add_row(model, *cells, f"{figures[OURS]['steady'] / best:.2f}")
    Console(width=140).print(table)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", help="only models whose name contains this")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for number, model in enumerate(MODELS):
        if options.model and options.model not in model.name:
            continue
        print(f"measuring {model.name} ...", flush=True)
        results[model.name] = measure(number, options.rounds)
    print_table(results)
    target = Path("build/bench.json")
    target.parent.mkdir(exist_ok=True)
    machine = {"processor": platform.processor() or platform.machine()}
    target.write_text(json.dumps({"machine": machine, "results": results}, indent=1))
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
