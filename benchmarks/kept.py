"""``python -m benchmarks.kept``: what gradients of 10,000 turns keep, and their time.

Each program is differentiated with everything kept, and with `checkpointed` by fewer
and fewer states. All take turns, and the medians are compared with that of everything;
ANABRANCH_THREADS=1 and OPENBLAS_NUM_THREADS=1 keep them to one core. The values must be
equal to the bit, the gradients to 1e-9. The numbers go to build/kept.json, and the
picture to docs/kept.svg.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from html import escape
from math import log10
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import anabranch as ab

TURNS, ROUNDS = 10_000, 15
ROOT = Path(__file__).resolve().parent.parent

Over = Callable[[range], Iterable[int]]


def network(over: Over, w: Any, h: Any) -> Any:
    """A recurrent network of 64 units."""
    for _ in over(range(TURNS)):
        h = np.tanh(w @ h)
    return np.sum(h * h)


def wave(over: Over, c: Any, u: Any) -> Any:
    """A wave with a soft stress, at 256 points."""
    v = np.zeros_like(u)
    for _ in over(range(TURNS)):
        bend = np.zeros_like(u)
        bend[1:-1] = u[2:] - 2 * u[1:-1] + u[:-2]
        v = v + 0.1 * c * np.tanh(bend)
        u = u + 0.1 * v
    return np.sum(u * u)


def pendulum(over: Over, p: Any, x: Any) -> Any:
    """A pendulum with drag, in numbers."""
    q, v = x[0], x[1]
    for _ in over(range(TURNS)):
        v = v - 0.01 * (p[0] * np.sin(q) + p[1] * v * np.abs(v))
        q = q + 0.01 * v
    return q * q


RNG = np.random.default_rng(0)
PROGRAMS: dict[Any, tuple[Any, Any]] = {
    network: (RNG.normal(size=(64, 64)) / 7, RNG.normal(size=64)),
    wave: (np.ones(256), np.sin(np.linspace(0, 3, 256))),
    pendulum: (np.array([1.0, 0.1]), np.array([1.0, 0.0])),
}
WAYS: dict[str, Over] = {
    "everything": lambda turns: turns,
    "every=5": lambda turns: ab.checkpointed(turns, every=5),
    "every=20": lambda turns: ab.checkpointed(turns, every=20),
    "memory=400": lambda turns: ab.checkpointed(turns, memory=400),
    "memory=200": lambda turns: ab.checkpointed(turns, memory=200),
    "memory=70": lambda turns: ab.checkpointed(turns, memory=70),
    "memory=40": lambda turns: ab.checkpointed(turns, memory=40),
    "memory=20": lambda turns: ab.checkpointed(turns, memory=20),
    "memory=10": lambda turns: ab.checkpointed(turns, memory=10),
}


def measure(program: Any, arguments: tuple[Any, Any]) -> dict[str, dict[str, float]]:
    """The bytes and the seconds of each way."""
    made = {
        way: ab.value_and_grad(lambda *args, over=over: program(over, *args), (0, 1))
        for way, over in WAYS.items()
    }
    wanted = made["everything"](*arguments)
    for gradient in made.values():
        value, bars = gradient(*arguments)
        assert value == wanted[0], program
        for bar, other in zip(bars, wanted[1], strict=True):
            np.testing.assert_allclose(bar, other, rtol=1e-9, atol=1e-12)
    spent: dict[str, list[float]] = {way: [] for way in made}
    for _ in range(ROUNDS):
        for way, gradient in made.items():
            start = time.perf_counter()
            gradient(*arguments)
            spent[way].append(time.perf_counter() - start)
    return {
        way: {
            "bytes": gradient.report().arena_bytes,
            "seconds": median(spent[way]),
            "share": gradient.report().arena_bytes
            / made["everything"].report().arena_bytes,
            "ratio": median(
                one / all
                for one, all in zip(spent[way], spent["everything"], strict=True)
            ),
        }
        for way, gradient in made.items()
    }


STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 10px; fill: #57606a }
.axis { stroke: #8c959f; stroke-opacity: 0.35 }
polyline { fill: none; stroke-width: 2 }
.c0 { stroke: #e8590c; fill: #e8590c }
.c1 { stroke: #4c78a8; fill: #4c78a8 }
.c2 { stroke: #59874a; fill: #59874a }
text.c0, text.c1, text.c2 { stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9da7b1 }
}
"""
LEFT, TOP, WIDTH, HEIGHT = 60, 60, 620, 300
LOW, HIGH = 0.0015, 1.0  # shares of the memory of everything
SLOWEST = 4.5


def draw(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """Time over memory, both as parts of those of keeping everything."""

    def x(share: float) -> float:
        return LEFT + WIDTH * log10(max(share, LOW) / LOW) / log10(HIGH / LOW)

    def y(ratio: float) -> float:
        return TOP + HEIGHT * (1 - min(ratio, SLOWEST) / SLOWEST)

    bottom = TOP + HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 130}" '
        f'height="{bottom + 60}" viewBox="0 0 {LEFT + WIDTH + 130} {bottom + 60}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="16" y="24">Gradients of {TURNS:,} turns: time over '
        "memory</text>",
        '<text class="small" x="16" y="42">one core; both as parts of those of a '
        "gradient that keeps everything</text>",
    ]
    parts += [
        f'<line class="axis" x1="{x(share):.1f}" x2="{x(share):.1f}" y1="{TOP}" '
        f'y2="{bottom}"/><text x="{x(share):.1f}" y="{bottom + 18}" '
        f'text-anchor="middle">{100 * share:g} %</text>'
        for share in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    ]
    parts += [
        f'<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y(ratio):.1f}" '
        f'y2="{y(ratio):.1f}"/><text x="{LEFT - 8}" y="{y(ratio) + 4:.1f}" '
        f'text-anchor="end">{ratio:g}</text>'
        for ratio in (0.0, 1.0, 1.5, 2.0, 3.0, 4.0)
    ]
    parts.append(
        f'<text x="{LEFT + WIDTH / 2}" y="{bottom + 42}" text-anchor="middle">memory'
        "</text>"
    )
    for number, (name, ways) in enumerate(results.items()):
        points = [(x(way["share"]), y(way["ratio"])) for way in ways.values()]
        joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(
            f'<polyline class="c{number}" style="fill: none" points="{joined}"/>'
        )
        parts += [
            f'<circle class="c{number}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>'
            for a, b in points
        ]
        parts.append(
            f'<text class="c{number}" x="{LEFT + WIDTH + 14}" '
            f'y="{TOP + 16 + 20 * number}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure, print a table, and write the two files."""
    results = {
        program.__name__: measure(program, arguments)
        for program, arguments in PROGRAMS.items()
    }
    for name, ways in results.items():
        for way, figures in ways.items():
            print(
                f"{name:9} {way:11} {figures['bytes']:>11,} bytes "
                f"{100 * figures['share']:6.2f} %  {1e3 * figures['seconds']:8.2f} ms "
                f"{figures['ratio']:5.2f} x"
            )
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build/kept.json").write_text(json.dumps(results, indent=1), "utf-8")
    (ROOT / "docs/kept.svg").write_text(draw(results), "utf-8")


if __name__ == "__main__":
    main()
