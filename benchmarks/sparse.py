"""``python -m benchmarks.sparse``: sparse derivatives as problems grow.

The Hessian of Rosenbrock's function: the seconds for its pattern, for the first call
behind that, and for a later call, and the bytes that the latter takes at most, all per
element of x. They stay as they are while x grows.

The Jacobian of a bundle adjustment (`examples/bundle.py`), by `sparse_jacobian` and by
`jacobian`: a product for each colour, and one for each column.
"""

from __future__ import annotations

import runpy
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import anabranch

__all__ = ["bundle", "rosenbrock"]

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "bundle.py"
ROUNDS = 9  # calls, of which the median counts
SIZES = (1_000, 10_000, 100_000)
SCENES = ((10, 100, 4), (40, 600, 4))
"""Cameras, points, and views of each point."""


def _loss(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def _seconds(call: Callable[[], Any], rounds: int = 0) -> float:
    """The median of some calls."""
    taken: list[float] = []
    for _ in range(rounds or ROUNDS):
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    return float(np.median(taken))


def _bytes(call: Callable[[], Any]) -> int:
    """The most that a call has allocated at a time, by NumPy and SciPy."""
    tracemalloc.start()
    call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def rosenbrock(
    sizes: Sequence[int] = SIZES,
) -> Iterator[tuple[int, list[float], float]]:
    """For each size the seconds of pattern, first call and call, and the bytes."""
    anabranch.sparse_hessian(_loss)(np.ones(10))  # what is imported by the first
    for size in sizes:
        x = np.random.default_rng(0).normal(size=size)
        hessian = anabranch.sparse_hessian(_loss)
        call = partial(hessian, x)
        first = _seconds(partial(hessian.sparsity, x), 1), _seconds(call, 1)
        yield size, [*first, _seconds(call)], _bytes(call)


def bundle(
    scenes: Sequence[tuple[int, int, int]] = SCENES,
) -> Iterator[tuple[tuple[int, ...], list[float], list[int]]]:
    """For each scene the shape, and seconds and bytes of sparse and of dense."""
    example = runpy.run_path(str(EXAMPLE))
    for scene in scenes:
        args = example["world"](*scene)
        residuals = example["residuals"]
        sparse = anabranch.sparse_jacobian(residuals, argnums=(0, 1))
        dense = anabranch.jacobian(residuals, argnums=(0, 1))
        calls = [partial(sparse, *args), partial(dense, *args)]
        found, blocks = (call() for call in calls)
        wanted = np.concatenate([x.reshape(len(x), -1) for x in blocks], axis=1)
        np.testing.assert_allclose(found.toarray(), wanted, rtol=1e-12, atol=1e-14)
        yield found.shape, [_seconds(c) for c in calls], [_bytes(c) for c in calls]


def main() -> None:
    """Print both tables."""
    console = Console()
    table = Table(title="Hessian of Rosenbrock's function, per element of x")
    for column in ("n", "pattern, us", "first call, us", "call, ns", "bytes"):
        table.add_column(column, justify="right")
    for size, (pattern, first, later), most in rosenbrock():
        parts = [1e6 * pattern, 1e6 * first, 1e9 * later, most]
        table.add_row(f"{size:,}", *(f"{part / size:.3g}" for part in parts))
    console.print(table)
    table = Table(title="Jacobian of a bundle adjustment")
    for column in ("shape", "sparse, ms", "dense, ms", "times", "bytes, times"):
        table.add_column(column, justify="right")
    for shape, (ours, dense), (few, many) in bundle():
        times = [f"{1e3 * ours:.3g}", f"{1e3 * dense:.3g}", f"{dense / ours:.0f}"]
        table.add_row(" x ".join(map(str, shape)), *times, f"{many / few:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
