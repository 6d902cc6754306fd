"""Convolutions without im2col: three kernels over flat places, image by image.

An image lies as *planes*: its channels, each split into the phases of the stride (plane
(c, a) holds x[c, i * stride + a] at i), so that every window walks with stride 1. What
tap k = (offset in the window, channel) meets at place p of a plane is then

    x[table[k] + p]        0 <= p < span

for all p at once: rows of registers are read where they lie, and no window is copied.
Places that run over the end of a row are *junk*. They are computed along and dropped,
or masked by ``valid``, an array of 1 and 0, so that no infinity gets where it does not
belong. With ``wide`` for y laid out in planes, junk and all:

    correlate   y[o, p] = sum over k of w[k, o] x[table[k] + p]
    spread      x[table[k] + p] += sum over o of w[o, k] y[o, p]      (x starts at 0)
    dots        w[o, k] = sum over images and p of y[o, p] x[table[k] + p]

`wide` is scratch: of one image, of a group of images for dots, so that a tile's lanes
are added up once for a group. Where places leave no gaps `correlate` writes y directly.
Images may be cut into tasks, each with words and a `wide` of its own; what `dots` makes
of each task's images is added up by a step of its own.

A kernel keeps a *tile* of sums in registers, so many rows (o or k) by so many vectors
(of places; taps for dots), and is compiled for its tile; all sizes are words: buffer
and offset of x, w, y, wide and valid, sizes, the table, and where each row of y starts
in a plane: see `CorrelationWords`.

Measured in float32 on one core with 512-bit vectors: time relative to PyTorch 2
(oneDNN), padding and repacking included; in brackets im2col of the whole batch and
SciPy's BLAS, whose kernels are AVX2 there.

    layer                            correlate   spread      dots
    1 -> 6, 5x5, 28x28, padded       0.24 (2.5)  0.04 (0.1)  0.35 (3.0)
    6 -> 16, 5x5, 14x14              0.76 (4.1)  0.41 (1.3)  0.51 (1.5)
    16 -> 32, 3x3, 28x28             0.80 (2.8)  0.84 (2.2)  0.89 (2.6)
    32 -> 64, 3x3, stride 2, padded  1.58 (2.7)  0.85 (1.6)  1.70 (2.4)
    64 -> 64, 1x1, 14x14             0.70 (1.7)  0.67 (1.9)  0.71 (1.7)

With a stride a third of the time goes into padding and into splitting the phases.

`correlate` and `spread` are `@written_out`: they compile in 24 ms instead of 40 and run
as fast. `dots` is not: some of the layers would take 5 % longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..machine import current
from .source import read

__all__ = [
    "TILE_VECTORS",
    "CorrelationWords",
    "correlation_source",
    "dots_tile",
    "lanes",
    "tile",
]

POINTERS = ("x", "w", "y", "wide", "valid")
TILE_VECTORS = 8  # at most so many: memory read beyond a span, valid and wide

_HEAD = """
def kernel(buffers, words):
    {pointers}
    {words}
"""

_CORRELATE = """
    for n in rolled(batch):
        y_start, wide_start = n * y_step, n * wide_step
        for block in rolled(truncated(channels + {rows} - 1, {rows})):
            last = channels - {rows}
            o = block * {rows} if block * {rows} < last else last
            for part in rolled(truncated(span + {width} - 1, {width})):
                p = part * {width}
                {masks}
                {zeros}
                for k in rolled(taps):
                    here = n * x_step + words[{table} + k] + p
                    first = k * channels + o
                    {load_x}
                    {multiply_w}
                there0 = wide_start + o * row_step + p
                {store_wide}
        {wide_to_y}
    return 0
"""

_SPREAD = """
    for n in rolled(batch):
        y_start, wide_start = n * y_step, n * wide_step
        {y_to_wide}
        for part in rolled(truncated(x_step + {lanes} - 1, {lanes})):
            i = part * {lanes}
            {v}_store(x, n * x_step + i, {v}_splat(0.0), x_step - i)
        for block in rolled(truncated(taps + {rows} - 1, {rows})):
            start, last = block * {rows}, taps - {rows}
            k = start if start < last else last
            for part in rolled(truncated(span + {width} - 1, {width})):
                p = part * {width}
                {zeros}
                for o in rolled(channels):
                    here = wide_start + o * row_step + p
                    first = o * taps + k
                    {load_wide}
                    {multiply_w}
                {load_valid}
                {add_to_x}
    return 0
"""

_DOTS = """
    sums = {t}_pointer(call_memory({bytes}), 5)
    for i in rolled(channels * taps):
        w[i] = {zero}
    for i in rolled(group * wide_step):
        wide[i] = {zero}
    for first in rolled(truncated(batch + group - 1, group)):
        start = first * group
        images = batch - start if batch - start < group else group
        for n in rolled(images):
            y_start, wide_start = (start + n) * y_step, n * wide_step
            {y_to_wide}
        for block in rolled(truncated(channels + {rows} - 1, {rows})):
            o = block * {rows}
            {rows_of_wide}
            for part in rolled(truncated(taps + {vectors} - 1, {vectors})):
                k = part * {vectors}
                {places_of_taps}
                {zeros}
                for n in rolled(images):
                    here, there = (start + n) * x_step, n * wide_step
                    for step in rolled(truncated(span + {lanes} - 1, {lanes})):
                        p = step * {lanes}
                        flags = {v}_load(valid, p, {lanes})
                        {load_taps}
                        {multiply_wide}
                {add_lanes}
                for i in rolled({rows}):
                    for j in rolled({vectors}):
                        if o + i < channels and k + j < taps:
                            at = (o + i) * taps + k + j
                            w[at] = w[at] + sums[i * {vectors} + j]
    return 0
"""

_ROWS = """
moves = truncated(columns + {lanes} - 1, {lanes})
for channel in rolled(channels):
    for row in rolled(rows):
        in_y = y_start + (channel * rows + row) * columns
        in_wide = wide_start + channel * row_step + words[{table} + taps + row]
        for step in rolled(moves):
            j = step * {lanes}
            {move}
"""


class CorrelationWords(NamedTuple):
    """The numbers of one step, before the table and where each row of y starts."""

    batch: int  # images
    group: int  # images that wide has room for
    x_step: int  # elements from one image of x to the next
    y_step: int
    wide_step: int  # 0 where every image uses the same wide
    row_step: int  # from one o of wide to the next
    channels: int  # how many o
    taps: int  # how many k
    span: int  # how many p
    rows: int  # how many rows of y to copy for each o
    columns: int  # the length of such a row


TABLE = 2 * len(POINTERS) + len(CorrelationWords._fields)


def lanes(dtype: str) -> int:
    """How many elements a register holds."""
    return current().vector_bytes // (4 if dtype == "f32" else 8)


def tile(rows: int, vectors: int) -> tuple[int, int]:
    """The tile that covers ``rows`` by ``vectors`` with the least work.

    Its sums, a vector for each column, and one factor have to fit into the registers;
    besides multiplying, every step loads those vectors (which lie anywhere, so each
    load counts twice) and a factor for each row.
    """
    registers = current().vector_registers
    fitting = [
        (height, min(TILE_VECTORS, (registers - 1) // (height + 1)))
        for height in (8, 6, 4, 2, 1)
        if height <= rows
    ]

    def work(size: tuple[int, int]) -> int:
        height, width = size
        steps = -(-rows // height) * -(-vectors // width)
        return steps * (2 * height * width + height + 2 * width)

    return min(fitting, key=work)


def dots_tile() -> tuple[int, int]:
    """The tile of the dot products."""
    return (4, 6) if current().vector_registers == 32 else (2, 4)


def correlation_source(kind: str, dtype: str, rows: int, vectors: int) -> str:
    """The source of a kernel: its kind, dtype, and tile."""
    return _Writer(dtype, rows, vectors).source(kind)


class _Writer:
    """Writes the kernels of one dtype and tile.

    ``s2_0`` is the sum of row 2 and vector 0 of the tile.
    """

    def __init__(self, dtype: str, rows: int, vectors: int) -> None:
        self.dtype = dtype
        self.lanes = lanes(dtype)
        self.vector = f"{dtype}x{self.lanes}"
        self.rows = range(rows)
        self.vectors = range(vectors)

    def source(self, kind: str) -> str:
        """The template of a kind, filled in."""
        template = {"correlate": _CORRELATE, "spread": _SPREAD, "dots": _DOTS}[kind]
        sums = len(self.rows) * len(self.vectors)
        values = {
            "t": self.dtype,
            "v": self.vector,
            "lanes": self.lanes,
            "rows": len(self.rows),
            "vectors": len(self.vectors),
            "width": len(self.vectors) * self.lanes,
            "table": TABLE,
            "zero": f"float{self.dtype[1:]}(0)",
            "bytes": 8 * (sums + self.lanes),
        }
        mark = "" if kind == "dots" else "@written_out\n"
        return self._filled(mark + _HEAD.lstrip() + template.lstrip("\n"), values)

    def _filled(self, template: str, values: Mapping[str, object]) -> str:
        """The template with its names replaced: lines of a block by `_block_name`."""
        lines: list[str] = []
        for line in template.splitlines():
            text = line.strip()
            block = getattr(self, f"_{text[1:-1]}", None) if text[:1] == "{" else None
            if block is None:
                lines.append(line.format(**values))
                continue
            indent = line[: len(line) - len(text)]
            lines += [indent + inner.format(**values) for inner in block()]
        return "\n".join([*lines, ""])

    def _pointers(self) -> list[str]:
        words = read(CorrelationWords, *POINTERS)
        return [
            f"{name} = {self.dtype}_pointer({words[name]}, {i})"
            for i, name in enumerate(POINTERS)
        ]

    def _words(self) -> list[str]:
        words = read(CorrelationWords, *POINTERS)
        return [f"{name} = {words[name]}" for name in CorrelationWords._fields]

    def _rows_moved(self, source: str, target: str) -> list[str]:
        left = "columns - j"
        move = (
            f"{self.vector}_store({target}, in_{target} + j, "
            f"{self.vector}_load({source}, in_{source} + j, {left}), {left})"
        )
        return _ROWS.strip().replace("{move}", move).splitlines()

    def _wide_to_y(self) -> list[str]:
        return self._rows_moved("wide", "y")

    def _y_to_wide(self) -> list[str]:
        return self._rows_moved("y", "wide")

    def _masks(self) -> list[str]:
        return [
            f"inside{c} = {self.vector}_mask(span - p - {c * self.lanes})"
            for c in self.vectors
        ]

    def _zeros(self) -> list[str]:
        return [f"{name} = {self.vector}_splat(0.0)" for name in self._sums()]

    def _sums(self) -> list[str]:
        return [f"s{r}_{c}" for r in self.rows for c in self.vectors]

    def _places(self, source: str, start: str, count: str) -> list[str]:
        """A vector for each column of the tile, from neighbouring places."""
        return [
            f"v{c} = {self.vector}_load({source}, {start} + {c * self.lanes}, "
            + count.format(c)
            + ")"
            for c in self.vectors
        ]

    def _load_x(self) -> list[str]:
        return self._places("x", "here", "inside{}")

    def _load_wide(self) -> list[str]:
        return self._places("wide", "here", str(self.lanes))

    def _load_valid(self) -> list[str]:
        return self._places("valid", "p", str(self.lanes))

    def _multiply_w(self) -> list[str]:
        lines: list[str] = []
        for r in self.rows:
            lines.append(f"a = {self.vector}_splat(w[first + {r}])")
            lines += self._products(r)
        return lines

    def _products(self, r: int) -> list[str]:
        """Add to row ``r`` of the sums the factor times each vector."""
        return [f"s{r}_{c} = multiply_add(a, v{c}, s{r}_{c})" for c in self.vectors]

    def _store_wide(self) -> list[str]:
        lines: list[str] = []
        for r in self.rows:
            lines += [
                f"{self.vector}_store(wide, there{r} + {c * self.lanes}, "
                f"s{r}_{c}, inside{c})"
                for c in self.vectors
            ]
            lines.append(f"there{r + 1} = there{r} + row_step")
        return lines

    def _add_to_x(self) -> list[str]:
        lines: list[str] = []
        for r in self.rows:
            lines.append(f"if k + {r} >= start:")
            lines.append(f"    to = n * x_step + words[{TABLE} + k + {r}] + p")
            for c in self.vectors:
                at = f"to + {c * self.lanes}"
                total = f"{self.vector}_load(x, {at}, v{c}) + s{r}_{c}"
                lines.append(f"    {self.vector}_store(x, {at}, {total}, v{c})")
        return lines

    def _rows_of_wide(self) -> list[str]:
        return [
            f"o{r} = (o + {r} if o + {r} < channels else channels - 1) * row_step"
            for r in self.rows
        ]

    def _places_of_taps(self) -> list[str]:
        return [
            f"k{c} = words[{TABLE} + (k + {c} if k + {c} < taps else taps - 1)]"
            for c in self.vectors
        ]

    def _load_taps(self) -> list[str]:
        return [
            f"v{c} = {self.vector}_load(x, here + k{c} + p, flags)"
            for c in self.vectors
        ]

    def _multiply_wide(self) -> list[str]:
        lines: list[str] = []
        for r in self.rows:
            where = f"there + o{r} + p"
            lines.append(f"a = {self.vector}_load(wide, {where}, {self.lanes})")
            lines += self._products(r)
        return lines

    def _add_lanes(self) -> list[str]:
        """A vector of sums at a time; the last one may be filled up with any."""
        names = self._sums()
        filled = names + names[:1] * (-len(names) % self.lanes)
        return [
            f"{self.vector}_store(sums, {i}, "
            f"lane_sums({', '.join(filled[i : i + self.lanes])}), {self.lanes})"
            for i in range(0, len(filled), self.lanes)
        ]
