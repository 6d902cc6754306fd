"""The steady times as bars on a logarithmic axis: SVG, for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

from .measure import FLOOR
from .peers import OURS

__all__ = ["draw"]

LEFT, RIGHT, TOP, BOTTOM = 270, 70, 64, 30
WIDTH, BAR, GAP = 900, 11, 14
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.value { font-size: 9px; fill: #57606a }
.axis { stroke: #8c959f; stroke-opacity: 0.35 }
.floor { stroke: #24292f; stroke-width: 2 }
.ours { fill: #e8590c }
.peer0 { fill: #4c78a8 }
.peer1 { fill: #7f9fc4 }
.peer2 { fill: #8a8f98 }
.peer3 { fill: #b4b8bf }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.value { fill: #9da7b1 }
.floor { stroke: #e6edf3 }
.ours { fill: #ff8c42 }
}
"""


def draw(results: dict[str, Any], cores: int) -> str:
    """The models below each other, a bar for each library, a tick for the floor."""
    peers: list[str] = results["peers"]
    rows = {name: figures[str(cores)] for name, figures in results["models"].items()}
    times = [
        f["steady"] for row in rows.values() for f in row.values() if "steady" in f
    ]
    if not times:
        return '<svg xmlns="http://www.w3.org/2000/svg"/>\n'
    axis = _Axis(min(times), max(times))
    height = TOP + BOTTOM + len(rows) * (len(peers) * BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}">',
        f"<style>{STYLE}</style>",
        '<text class="title" x="16" y="24">Value and gradient, time of a steady call, '
        f"{cores} core{'s' * (cores > 1)}</text>",
        *_legend(peers),
        *axis.draw(height - BOTTOM),
    ]
    y = TOP + GAP / 2
    for name, row in rows.items():
        parts += _model(name, row, peers, axis, y)
        y += len(peers) * BAR + GAP
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """Seconds to places; whole powers of ten at both ends."""

    def __init__(self, least: float, most: float) -> None:
        self._low, self._high = (
            floor(log10(least)),
            max(ceil(log10(most)), floor(log10(least)) + 1),
        )

    def __call__(self, seconds: float) -> float:
        part = (log10(seconds) - self._low) / (self._high - self._low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def draw(self, bottom: float) -> list[str]:
        """A line and a label for each power of ten."""
        parts: list[str] = []
        for power in range(self._low, self._high + 1):
            x = self(10.0**power)
            parts.append(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
                f'y2="{bottom}"/><text x="{x:.1f}" y="{bottom + 18}" '
                f'text-anchor="middle">{_label(10.0**power)}</text>'
            )
        return parts


def _label(seconds: float) -> str:
    """Three digits and a unit.

    >>> _label(1e-5), _label(0.0123), _label(2.0)
    ('10 us', '12.3 ms', '2 s')
    """
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.3g} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _kinds(peers: Sequence[str]) -> dict[str, str]:
    """The style of each library."""
    others = [peer for peer in peers if peer != OURS]
    return {OURS: "ours", **{peer: f"peer{i % 4}" for i, peer in enumerate(others)}}


def _legend(peers: Sequence[str]) -> list[str]:
    kinds, parts, x = _kinds(peers), list[str](), 16
    for peer in peers:
        parts.append(
            f'<rect class="{kinds[peer]}" x="{x}" y="38" width="12" height="12"/>'
            f'<text x="{x + 17}" y="48">{escape(peer)}</text>'
        )
        x += 40 + 7 * len(peer)
    parts.append(
        f'<line class="floor" x1="{x}" x2="{x}" y1="36" y2="52"/>'
        f'<text x="{x + 8}" y="48">floor</text>'
    )
    return parts


def _model(
    name: str, row: dict[str, Any], peers: Sequence[str], axis: _Axis, y: float
) -> list[str]:
    """The bars of one model, each with its time, from ``y`` downwards."""
    kinds, middle = _kinds(peers), y + len(peers) * BAR / 2 + 4
    parts = [
        f'<text x="{LEFT - 10}" y="{middle:.1f}" text-anchor="end">{escape(name)}'
        "</text>"
    ]
    for i, peer in enumerate(peers):
        seconds, top = row.get(peer, {}).get("steady"), y + i * BAR
        if seconds is None:
            label, end = "-", float(LEFT)
        else:
            label, end = _label(seconds), axis(seconds)
            parts.append(
                f'<rect class="{kinds[peer]}" x="{LEFT}" y="{top:.1f}" '
                f'width="{end - LEFT:.1f}" height="{BAR - 2}"/>'
            )
        parts.append(
            f'<text class="value" x="{end + 5:.1f}" y="{top + BAR - 3:.1f}">{label}'
            "</text>"
        )
    limit = row.get(FLOOR, {}).get("steady")
    if limit is not None:
        x, bottom = axis(limit), y + len(peers) * BAR
        parts.append(
            f'<line class="floor" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 3:.1f}" '
            f'y2="{bottom:.1f}"/>'
        )
    return parts
