"""A pattern as a picture: its elements in the colours of their groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .pattern import Sparsity

__all__ = ["to_svg"]

LARGEST = 64  # rows and columns that are drawn one by one
SIDE = 512.0  # of the longer side
LEFT, TOP = 24.0, 50.0
GOLDEN = 137.508  # degrees: neighbours on a circle of hues are far apart
INK = "#1f3a5f"


def to_svg(sparsity: Sparsity) -> str:
    """The picture as the text of an SVG file.

    Up to 64 rows and columns each element is a square in the colour of its group, with
    its place for whoever points at it. Of a larger pattern it shows parts, the darker
    the fuller.
    """
    height, width = sparsity.shape
    longest = max(height, width, 1)
    small = longest <= LARGEST
    tall, wide = SIDE * height / longest, SIDE * width / longest
    title = str(sparsity)
    total = max(wide, 7.5 * len(title)) + 2 * LEFT, tall + TOP + LEFT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total[0]:g}" '
        f'height="{total[1]:g}" viewBox="0 0 {total[0]:g} {total[1]:g}" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="12">',
        f"<title>{title}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{LEFT:g}" y="30">{title}</text>',
        f'<g transform="translate({LEFT:g} {TOP:g})">',
        *(_elements(sparsity, SIDE / longest) if small else _parts(sparsity)),
        f'<rect width="{wide:g}" height="{tall:g}" fill="none" stroke="#333333"/>',
        "</g>",
    ]
    return "\n".join([*lines, "</svg>", ""])


def _elements(sparsity: Sparsity, side: float) -> Iterator[str]:
    """A square for each element."""
    colours, by_rows = sparsity.colouring
    for row, column in zip(sparsity.rows, sparsity.indices, strict=True):
        colour = int(colours[row if by_rows else column])
        hue = GOLDEN * colour % 360
        yield (
            f'<rect x="{side * column:.4g}" y="{side * row:.4g}" width="{side:.4g}" '
            f'height="{side:.4g}" fill="hsl({hue:.0f} 60% 60%)" stroke="#ffffff" '
            f'stroke-width="0.5"><title>({row}, {column}), colour {colour}</title>'
            "</rect>"
        )


def _parts(sparsity: Sparsity) -> Iterator[str]:
    """A square for each part that has an element, darker where there are more."""
    longest = max(sparsity.shape)
    scale = LARGEST / longest
    side = SIDE / LARGEST
    rows = (sparsity.rows * LARGEST) // longest
    columns = (sparsity.indices * LARGEST) // longest
    counts = np.bincount(rows * LARGEST + columns, minlength=LARGEST**2)
    area = 1 / scale**2
    for place in np.flatnonzero(counts).tolist():
        row, column = divmod(place, LARGEST)
        count = int(counts[place])
        dark = 0.25 + 0.75 * min(count / area, 1.0) ** 0.5
        yield (
            f'<rect x="{side * column:g}" y="{side * row:g}" width="{side:g}" '
            f'height="{side:g}" fill="{INK}" fill-opacity="{dark:.2f}">'
            f"<title>{count} elements</title></rect>"
        )
