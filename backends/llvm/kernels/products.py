"""Matrix products by kernels of our own: C = A B, or C += A B.

A is m by k with any strides, B is k by n with a stride of 1 along one of its axes, C is
m by n with rows of contiguous elements. Three kernels share their `ProductWords`:

    product  any sizes. C is computed in tiles that stay in registers while k goes by:
             some rows by two vectors. B is read a vector at a time; where its columns
             are what is contiguous, a panel of it is first transposed into memory of
             the call.
    row      m = 1, B with contiguous rows: as many rows of B at once as registers hold
             their elements of A, and a block of C that stays in the first cache.
    dots     A with contiguous rows, B with contiguous columns, small m: as many inner
             products at once as a vector has lanes, vectors along k. B is read once for
             two rows, where registers are enough.

The summation order is fixed: `product` and `row` add up each element along k, one fused
multiply-add after the other, whatever the tile, so that bits depend neither on m and n
nor on how the work is cut into pieces. `dots` sums each lane of a vector and then the
lanes. Nothing is skipped: 0 * inf is NaN. C may not overlap A or B.

Rows beyond m are the last row again: it is computed, and stored, more than once.

Where the rows of a tile start lies in memory of the call, and words are read where they
are used: kept in names, LLVM's code generator would need twice as long to spill them.

While a tile is computed, the place of the one below it is fetched, which no processor
guesses: 14 % less time for the transformer of the benchmark, 27 % for the mixture.

`kernel_for` chooses by what was measured against OpenBLAS 0.3.30 on one core of a Zen 5
(its time over ours, f32 and f64; all four layouts are alike):

    m, n, k          2 cubed  8    16   32   64   128  256  512 cubed
    64-byte vectors  1.8      2.5  2.8  3.3  2.5  2.0  1.8  1.3
    32-byte vectors  2.0      2.1  1.5  1.1  0.9  0.8  0.7
    m, n, k          (1, 128, 128)  (3, 128, 128)  (6, 128, 128)  (1, 784, 256)
    64-byte vectors  5 to 14        3 to 10        2 to 7         4 to 11
    32-byte vectors  4 to 8         2 to 4         2 to 3         3 to 4

Narrower vectors have no masked loads on most machines, and go to BLAS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..machine import current
from .few_rows import dots_body, row_body
from .source import read, shifted

__all__ = ["KINDS", "ProductWords", "kernel_for", "product_source"]

KINDS = ("product", "row", "dots")
SIZES = {"f32": 4, "f64": 8}
LARGE = {64: 2**27, 32: 2**15, 16: 0}  # m * n * k beyond which BLAS is as good
DEPTH = 256  # how much of k a panel of B has: the panel stays in the first cache

_FRAME = """
@written_out
def kernel(buffers, words):
    m, n, k = {m}, {n}, {k}
    for outer in range({outer}):
        for inner in range({batch}):
            a_step = outer * {a_outer} + inner * {a_batch}
            b_step = outer * {b_outer} + inner * {b_batch}
            c_step = outer * {c_outer} + inner * {c_batch}
            a_start = buffers[{a}] + {a_offset} + a_step * {size}
            b_start = buffers[{b}] + {b_offset} + b_step * {size}
            c_start = buffers[{c}] + {c_offset} + c_step * {size}
            sums = {c_batch} == 0 and {c_outer} == 0
            old = {accumulate} != 0 or (sums and outer + inner > 0)
{body}
    return 0
"""

_PRODUCT = """
a_rows, c_rows = {tables}
packed = call_memory({memory})
a_column = {a_column}
start = 0
while start < k:
    depth = k - start if k - start < {depth} else {depth}
    adds = old or start > 0
    j = 0
    while j < n:
{masks}
        place = b_start + (start * {b_row} + j * {b_column}) * {size}
        panel_row = {b_row}
        if {b_column} != 1:
{pack}
            place = packed
            panel_row = {width}
        panel = {t}_pointer(place, 1)
        i = 0
        while i < m:
            a_place = a_start + start * {a_column} * {size}
            c_place = c_start + j * {size}
            below = {many} * {c_row}
            for r in rolled({many}):
                row = i + r if i + r < m else m - 1
                a_rows[r] = a_place + row * {a_row} * {size}
                c_rows[r] = c_place + row * {c_row} * {size}
                c = {t}_pointer(c_rows[r], 2)
                prefetch(c, below)
                prefetch(c, below + {lanes})
            if n - j <= {lanes}:
{many_by_one}
            else:
                if m - i <= {few}:
{few_by_two}
                else:
{many_by_two}
            i += {many}
        j += {width}
    start += {depth}
"""

_PACK = """
block = {t}_pointer(call_memory({block}), 5)
target = {t}_pointer(packed, 1)
b_column = {b_column} * {size}
at = 0
while at < depth:
    inside = {v}_mask(depth - at)
    row_start = b_start + (start + at) * {b_row} * {size}
    side = 0
    while side < {width} and j + side < n:
{rounds}
        side += {lanes}
    at += {lanes}
"""


def kernel_for(m: int, n: int, k: int, b_rows: bool, a_rows: bool) -> str:
    """The kernel for a product: one of `KINDS`, or "gemm", which is BLAS.

    The flags say whether B and A have contiguous rows; else the columns of B are.
    """
    width = current().vector_bytes
    if m * n * k > LARGE[width] and (m > 8 or width == 16):
        return "gemm"
    if m == 1 and b_rows:
        return "row"
    return "dots" if a_rows and not b_rows and m <= 3 and n * k >= 512 else "product"


class ProductWords(NamedTuple):
    """The words of one step: C = A B of ``[m, k]`` and ``[k, n]``, ``outer * batch``.

    Sizes are above 0, strides in elements, offsets in bytes. BLAS takes its layouts in
    place of the first four strides, and words of its own behind these.
    """

    a: int  # buffers
    b: int
    c: int
    a_offset: int
    b_offset: int
    c_offset: int
    m: int
    n: int
    k: int
    a_row: int  # strides from row to row
    a_column: int
    b_row: int
    b_column: int
    c_row: int
    batch: int = 1
    a_batch: int = 0  # strides from product to product; 0 shares A or B
    b_batch: int = 0
    c_batch: int = 0  # with c_outer 0, all the products are added up
    accumulate: int = 0  # 1 adds to what C holds
    outer: int = 1
    a_outer: int = 0
    b_outer: int = 0
    c_outer: int = 0


def product_source(kind: str, dtype: str, width: int | None = None) -> str:
    """The source of a kernel of `KINDS` for "f32" or "f64".

    It is written for vectors of ``width`` bytes, those of the machine by default.
    """
    width = width or current().vector_bytes
    write = {"product": _product_body, "row": row_body, "dots": dots_body}[kind]
    words = read(ProductWords)
    body = shifted(write(dtype, width // SIZES[dtype], words), 3)
    return _FRAME.lstrip().format(size=SIZES[dtype], body=body, **words)


def _product_body(t: str, lanes: int, words: Mapping[str, str]) -> str:
    many, few = (8, 4) if lanes * SIZES[t] == 64 else (6, 3)  # AVX-512 has 32 registers
    return _PRODUCT.format(
        t=t,
        size=SIZES[t],
        lanes=lanes,
        width=2 * lanes,
        depth=DEPTH,
        memory=DEPTH * 2 * lanes * SIZES[t],
        many=many,
        few=few,
        tables=_tables(many),
        masks=shifted(_masks(t, lanes, 2), 2),
        pack=shifted(_pack(t, lanes, words), 3),
        many_by_two=shifted(_tile(t, lanes, many, 2), 5),
        few_by_two=shifted(_tile(t, lanes, few, 2), 5),
        many_by_one=shifted(_tile(t, lanes, many, 1), 4),
        **words,
    )


def _tables(rows: int) -> str:
    """Memory for where rows of A and of C start."""
    return ", ".join(f"i64_pointer(call_memory({8 * rows}), {x})" for x in (3, 4))


def _masks(t: str, lanes: int, vectors: int) -> str:
    """Which columns each vector of a panel has, and which C holds already."""
    lines: list[str] = []
    for x in range(vectors):
        left = f"n - j - {x * lanes}"
        lines.append(f"lanes{x} = {t}x{lanes}_mask({left})")
        lines.append(f"known{x} = {t}x{lanes}_mask({left} if adds else 0)")
    return "\n".join(lines)


def _tile(t: str, lanes: int, rows: int, vectors: int) -> str:
    """Rows from i on by vectors from j on: C is loaded, added to, and stored.

    Where C's rows start is read once more after the loop, which needs the registers.
    All tiles of a kernel share the names of sums; other names end in the tile, so that
    they are values, which are assigned once.
    """
    v = f"{t}x{lanes}"
    tile = f"{rows}x{vectors}"
    starts: list[str] = []
    steps = ["here, there = p * a_column, p * panel_row"]
    ends: list[str] = []
    steps += [
        f"b{x} = {v}_load(panel, there + {x * lanes}, lanes{x})" for x in range(vectors)
    ]
    for r in range(rows):
        starts.append(f"a{r}_{tile} = {t}_pointer(a_rows[{r}], 0)")
        starts.append(f"c{r}_{tile} = {t}_pointer(c_rows[{r}], 2)")
        steps.append(f"v{r}_{tile} = {v}_splat(a{r}_{tile}[here])")
        ends.append(f"to{r}_{tile} = {t}_pointer(c_rows[{r}], 2)")
        for x in range(vectors):
            s, at = f"s{r}_{x}", x * lanes
            starts.append(f"{s} = {v}_load(c{r}_{tile}, {at}, known{x})")
            steps.append(f"{s} = multiply_add(v{r}_{tile}, b{x}, {s})")
            ends.append(f"{v}_store(to{r}_{tile}, {at}, {s}, lanes{x})")
    loop = ["for p in rolled(depth):", *(f"    {step}" for step in steps)]
    return "\n".join([*starts, *loop, *ends])


def _pack(t: str, lanes: int, words: Mapping[str, str]) -> str:
    """The panel of B from row ``start`` and column j on, its rows made contiguous.

    A block of as many columns as lanes at a time is transposed: its vectors are
    interleaved all at once, sixteen of them in two rounds of four.
    """
    v = f"{t}x{lanes}"
    count = 4 if lanes == 16 else lanes
    groups = lanes // count
    columns: list[str] = []
    for x in range(count):
        columns.append(f"column{x} = j + side + q + {x * groups}")
        column = f"(column{x} if column{x} < n else n - 1)"
        columns.append(f"at{x} = {t}_pointer(row_start + {column} * b_column, 1)")
        columns.append(f"v{x} = {v}_load(at{x}, 0, inside)")
    vectors = [
        f"v{x} = {v}_load(block, (q + {x * groups}) * {lanes}, {lanes})"
        for x in range(count)
    ]
    rows = [f"q * {count} + {x}" for x in range(count)]
    into_block = [f"block, ({row}) * {lanes}" for row in rows]
    into_panel = [f"target, (at + {row}) * {2 * lanes} + side" for row in rows]
    rounds = [(columns, into_panel)]
    if groups > 1:
        rounds = [(columns, into_block), (vectors, into_panel)]
    lines: list[str] = []
    for loads, places in rounds:
        after = f"{_listed('w', count)} = interleaved({_listed('v', count)})"
        stores = [f"{v}_store({to}, w{x}, {lanes})" for x, to in enumerate(places)]
        lines.append(f"for q in rolled({groups}):")
        lines += [f"    {line}" for line in (*loads, after, *stores)]
    return _PACK.format(
        t=t,
        v=v,
        size=SIZES[t],
        lanes=lanes,
        width=2 * lanes,
        block=lanes * lanes * SIZES[t],
        rounds=shifted("\n".join(lines), 2),
        **words,
    )


def _listed(name: str, count: int) -> str:
    return ", ".join(f"{name}{i}" for i in range(count))
