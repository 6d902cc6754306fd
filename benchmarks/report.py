"""The figures as tables, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

from rich.console import Console
from rich.table import Table

from .measure import FLOOR, Figures
from .peers import BASE, OURS

__all__ = ["Sheet", "as_markdown", "geometric_mean", "make_sheets", "print_sheets"]

NONE = "-"


@dataclass(frozen=True)
class Sheet:
    """A titled table of text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def print_sheets(sheets: Sequence[Sheet], console: Console) -> None:
    """To the terminal."""
    for sheet in sheets:
        table = Table(title=sheet.title, title_justify="left")
        for i, column in enumerate(sheet.columns):
            table.add_column(column, justify="right" if i else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def as_markdown(sheets: Sequence[Sheet]) -> str:
    """As text for a README."""
    lines: list[str] = []
    for sheet in sheets:
        lines += [f"{sheet.title}:", "", _line(sheet.columns)]
        lines += [_line(["---"] + ["---:"] * (len(sheet.columns) - 1))]
        lines += [*map(_line, sheet.rows), ""]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios.

    >>> round(geometric_mean([0.5, 2.0]), 6)
    1.0
    """
    return exp(sum(map(log, ratios)) / len(ratios))


def make_sheets(results: dict[str, Any]) -> list[Sheet]:
    """Everything in ``results``, which is what ``build/bench.json`` holds."""
    models, peers, cores = results["models"], results["peers"], results["cores"]
    sheets: list[Sheet] = []
    first: dict[str, Row] = {}
    if models:
        sheets = [_steady(models, peers, count) for count in cores]
        first = {name: figures[str(cores[0])] for name, figures in models.items()}
    if any("first" in figures for row in first.values() for figures in row.values()):
        sheets += [_first(first, peers), _starts(first, peers), _memory(first, peers)]
    extras = results["extras"]
    if extras:
        sheets += [_overhead(extras), _batches(extras)]
        sheets += [_native(extras), _scaling(extras)]
    return sheets


Row = dict[str, Figures]
Show = Callable[[float], str]


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}" if seconds < 1e-4 else f"{seconds * 1e6:,.0f}"


def _cell(figures: Figures | None, key: str, show: Show) -> str:
    """One figure; where there is none because it took too long, how long."""
    value = figures.get(key) if figures else None
    if value is not None:
        return show(value)
    over = figures.get("over") if figures else None
    return f"> {over:.0f} s" if over and key == "first" else NONE


def _best(row: Row, peers: Sequence[str], key: str) -> float | None:
    """The least figure of the other libraries."""
    others = (peer for peer in peers if peer not in (OURS, BASE))
    found = [row.get(peer, {}).get(key) for peer in others]
    return min((value for value in found if value is not None), default=None)


class _Ratios:
    """A column of our ratios to something, and their mean at its end."""

    def __init__(self) -> None:
        self._known: list[float] = []

    def cell(self, ours: float | None, other: float | None) -> str:
        if ours is None or not other:
            return NONE
        self._known.append(ours / other)
        return f"{ours / other:.2f}"

    def mean(self) -> str:
        fine = bool(self._known) and min(self._known) > 0
        return f"{geometric_mean(self._known):.2f}" if fine else NONE


def _ours(row: Row, key: str) -> Any:
    return row.get(OURS, {}).get(key)


def _steady(models: dict[str, Any], peers: Sequence[str], cores: int) -> Sheet:
    rows: list[tuple[str, ...]] = []
    best, floor = _Ratios(), _Ratios()
    for name, figures in models.items():
        row = figures[str(cores)]
        ours = _ours(row, "steady")
        rows.append(
            (
                name,
                *(_cell(row.get(p), "steady", _micro) for p in (*peers, FLOOR)),
                best.cell(ours, _best(row, peers, "steady")),
                floor.cell(ours, row.get(FLOOR, {}).get("steady")),
            )
        )
    blank = [""] * (len(peers) + 1)
    rows.append(("geometric mean", *blank, best.mean(), floor.mean()))
    return Sheet(
        f"Steady call, us, {cores} core{'s' * (cores > 1)}",
        ("model", *peers, FLOOR, "to best peer", "to floor"),
        rows,
    )


def _against(
    title: str, models: dict[str, Row], peers: Sequence[str], key: str, show: Show,
    judge: str, other: Callable[[Row], float | None], noise: float = 0.0,
) -> Sheet:  # fmt: skip
    """One figure of every library, and our ratio to ``other`` of the row.

    What is below the ``noise`` counts as that much in the ratio.
    """

    def loud(figure: float | None) -> float | None:
        return None if figure is None else max(figure, noise)

    ratios = _Ratios()
    rows = [
        (
            name,
            *(_cell(row.get(peer), key, show) for peer in peers),
            ratios.cell(loud(_ours(row, key)), loud(other(row))),
        )
        for name, row in models.items()
    ]
    rows.append(("geometric mean", *[""] * len(peers), ratios.mean()))
    return Sheet(title, ("model", *peers, judge), rows)


def _first(models: dict[str, Row], peers: Sequence[str]) -> Sheet:
    return _against(
        "First call, s, nothing cached, imports not counted", models, peers, "first",
        lambda seconds: f"{seconds:.2f}", "to JAX",
        lambda row: row.get("JAX", {}).get("first"),
    )  # fmt: skip


def _memory(models: dict[str, Row], peers: Sequence[str]) -> Sheet:
    return _against(
        "Peak memory of calls, MB above what the library holds after another model",
        models, peers, "memory", lambda size: f"{size / 1e6:.1f}", "to best peer",
        lambda row: _best(row, peers, "memory"), noise=1e6,
    )  # fmt: skip


def _starts(models: dict[str, Row], peers: Sequence[str]) -> Sheet:
    """Whole processes; only those with a cache on disk have a second start."""
    known = {peer for row in models.values() for peer in row if "warm" in row[peer]}
    cached = [peer for peer in peers if peer in known]
    ratios = _Ratios()
    rows = [
        (
            name,
            *(
                _cell(row.get(peer), key, lambda seconds: f"{seconds:.2f}")
                for peer in cached
                for key in ("cold", "warm")
            ),
            ratios.cell(_ours(row, "warm"), row.get("JAX", {}).get("warm")),
        )
        for name, row in models.items()
    ]
    rows.append(("geometric mean", *[""] * (2 * len(cached)), ratios.mean()))
    starts = [f"{peer} {start}" for peer in cached for start in ("1st", "2nd")]
    return Sheet(
        "From starting Python to the gradient, s, first and second start",
        ("model", *starts, "2nd to JAX"),
        rows,
    )


def _overhead(extras: dict[str, Any]) -> Sheet:
    found = {peer: figures for peer, figures in extras["overhead"].items() if figures}
    calls = list(next(iter(found.values()), {}))
    rows = [(call, *(_micro(found[peer][call]) for peer in found)) for call in calls]
    return Sheet("Call overhead, us, small arrays", ("call", *found), rows)


def _batches(extras: dict[str, Any]) -> Sheet:
    rows = [
        (str(row["batch"]), f"{row['first']:.3f}", str(row["kernels"]))
        for row in extras["batches"] or []
    ]
    columns = ("batch size", "first call, s", "kernels so far")
    return Sheet("MLP 784-256-128-10 at new batch sizes, in turn", columns, rows)


def _native(extras: dict[str, Any]) -> Sheet:
    found = {size: times for size, times in extras["native"].items() if times}
    ways = list(next(iter(found.values()), {}))
    rows = [
        (size, *(f"{1e9 * times[way]:.0f}" for way in ways))
        for size, times in found.items()
    ]
    title = "A step of Rosenbrock's gradient in a loop of Numba's, ns"
    return Sheet(title, ("size", *ways), rows)


def _scaling(extras: dict[str, Any]) -> Sheet:
    peers = list(extras["scaling"])
    sizes = list(extras["scaling"][OURS])

    def cell(peer: str, size: str) -> str:
        seconds = extras["scaling"][peer].get(size)
        return NONE if seconds is None else f"{seconds:.2f}"

    rows = [(f"{int(size):,}", *(cell(peer, size) for peer in peers)) for size in sizes]
    return Sheet("First gradient of a long chain, s", ("nodes", *peers), rows)
