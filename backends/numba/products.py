"""Matrix products by kernels of our own: C = A B, or C += A B.

A is m by k with any strides, B is k by n with a stride of 1 along one of its axes, C is
m by n with rows of contiguous elements. Three kernels share their words:

    product  any sizes. C is computed in tiles that stay in registers while k goes by:
             some rows by two vectors. B is read a vector at a time; where its columns
             are what is contiguous, a panel of it is first transposed into memory of
             the call.
    row      m = 1, B with contiguous rows: a tile of one row by four vectors.
    dots     A with contiguous rows, B with contiguous columns, small m: as many inner
             products at once as a vector has lanes, vectors along k.

The words (strides count elements):

    0, 1, 2     buffer ids of A, B, C
    3, 4, 5     byte offsets of A, B, C
    6, 7, 8     m, n, k, all above 0
    9, 10       the strides of A from row to row, from column to column
    11, 12      those of B
    13          that of C from row to row
    14          batch: how many products
    15, 16, 17  from one product's A, B, C to the next one's; for A and B, 0 shares the
                operand; for C, 0 adds all the products up in the one C
    18          1 to add to what C holds, 0 to overwrite it
    19          outer batch: how many such batches
    20, 21, 22  from one batch's A, B, C to the next one's, as 15 to 17

The summation order is fixed: `product` and `row` add up each element along k, one fused
multiply-add after the other, whatever the tile, so that bits depend neither on m and n
nor on how the work is cut into pieces. `dots` sums each lane of a vector and then the
lanes. Nothing is skipped: 0 * inf is NaN. C may not overlap A or B.

Rows beyond m are the last row again: it is computed, and stored, more than once.

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

from collections.abc import Sequence
from textwrap import indent

from .vectors import vector_bytes

__all__ = ["KINDS", "kernel_for", "product_source", "product_words"]

KINDS = ("product", "row", "dots")
SIZES = {"f32": 4, "f64": 8}
LARGE = {64: 2**27, 32: 2**15, 16: 0}  # m * n * k beyond which BLAS is as good
DEPTH = 256  # how much of k a panel of B has: the panel stays in the first cache

_FRAME = """
@written_out
def kernel(buffers, words):
    m, n, k = words[6], words[7], words[8]
    a_row, a_column = words[9], words[10]
    b_row, b_column, c_row = words[11], words[12], words[13]
    a_start = buffers[words[0]] + words[3]
    b_start = buffers[words[1]] + words[4]
    c_start = buffers[words[2]] + words[5]
    sums = words[17] == 0 and words[22] == 0
    for outer in range(words[19]):
        for inner in range(words[14]):
            a_step = outer * words[20] + inner * words[15]
            b_step = outer * words[21] + inner * words[16]
            c_step = outer * words[22] + inner * words[17]
            a = {t}_pointer(a_start + a_step * {size}, 0)
            b = {t}_pointer(b_start + b_step * {size}, 1)
            c = {t}_pointer(c_start + c_step * {size}, 2)
            old = words[18] != 0 or (sums and outer + inner > 0)
{body}
    return 0
"""

_PRODUCT = """
memory = call_memory({memory})
packed = {t}_pointer(memory, 1)
start = 0
while start < k:
    depth = k - start if k - start < {depth} else {depth}
    j = 0
    while j < n:
        left = n - j
{counts}
        if b_column != 1:
{pack}
        place = b_start + (b_step + start * b_row + j) * {size}
        panel = {t}_pointer(memory if b_column != 1 else place, 1)
        panel_row = {width} if b_column != 1 else b_row
        i = 0
        if left > {lanes}:
            while m - i > {few}:
                for r in rolled({many}):
                    prefetch(c, (i + {many} + r) * c_row + j)
                    prefetch(c, (i + {many} + r) * c_row + j + {lanes})
{many_by_two}
                i += {many}
            if i < m:
{few_by_two}
        else:
            while i < m:
{many_by_one}
                i += {many}
        j += {width}
    start += {depth}
"""

_PACK = """
at = 0
while at < depth:
    rest = depth - at
    for side in range(2 if left > {lanes} else 1):
        first = j + side * {lanes}
{loads}
        {after} = transposed({before})
        target = at * {width} + side * {lanes}
{stores}
    at += {lanes}
"""

_ROW = """
start = 0
depth = k
i = 0
j = 0
while j < n:
    left = n - j
{counts}
    panel = {t}_pointer(b_start + (b_step + j) * {size}, 1)
    panel_row = b_row
{tile}
    j += {width}
"""

_DOTS = """
for i in range(m):
    j = 0
    while j < n:
{starts}
        p = 0
        while p < k:
            v = {v}_load(a, i * a_row + p, k - p)
{products}
            p += {lanes}
        place = i * c_row + j
        known = {v}_load(c, place, n - j if old else 0)
        {v}_store(c, place, lane_sums({sums}) + known, n - j)
        j += {lanes}
"""


def kernel_for(m: int, n: int, k: int, b_rows: bool, a_rows: bool) -> str:
    """The kernel for a product: one of `KINDS`, or "gemm", which is BLAS.

    The flags say whether B and A have contiguous rows; else the columns of B are.
    """
    width = vector_bytes()
    if m * n * k > LARGE[width] and (m > 8 or width == 16):
        return "gemm"
    if m == 1 and b_rows:
        return "row"
    return "dots" if a_rows and not b_rows and m <= 3 and n * k >= 512 else "product"


def product_words(
    buffers: Sequence[int],
    offsets: Sequence[int],
    sizes: Sequence[int],
    layout: Sequence[int],
    batch: Sequence[int] = (1, 0, 0, 0),
    outer: Sequence[int] = (1, 0, 0, 0),
    accumulate: bool = False,
) -> tuple[int, ...]:
    """The words of one step; ``layout`` is words 9 to 13."""
    words = *buffers, *offsets, *sizes, *layout, *batch, int(accumulate), *outer
    if len(words) != 23:
        raise ValueError(f"a product has 23 words, not {len(words)}")
    return words


def product_source(kind: str, dtype: str, width: int | None = None) -> str:
    """The source of a kernel of `KINDS` for "f32" or "f64".

    It is written for vectors of ``width`` bytes, those of this machine by default.
    """
    width = width or vector_bytes()
    write = {"product": _product, "row": _row, "dots": _dots}[kind]
    body = _shifted(write(dtype, width // SIZES[dtype]), 3)
    return _FRAME.lstrip().format(t=dtype, size=SIZES[dtype], body=body)


def _product(t: str, lanes: int) -> str:
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
        counts=_shifted(_counts(lanes, 2, "old or start > 0"), 2),
        pack=_shifted(_pack(t, lanes), 3),
        many_by_two=_shifted(_tile(t, lanes, many, 2), 4),
        few_by_two=_shifted(_tile(t, lanes, few, 2), 4),
        many_by_one=_shifted(_tile(t, lanes, many, 1), 4),
    )


def _row(t: str, lanes: int) -> str:
    return _ROW.format(
        t=t,
        size=SIZES[t],
        width=4 * lanes,
        counts=_shifted(_counts(lanes, 4, "old"), 1),
        tile=_shifted(_tile(t, lanes, 1, 4), 1),
    )


def _counts(lanes: int, vectors: int, adds: str) -> str:
    """How many columns each vector of a panel has, and how many C holds already."""
    lines = [f"adds = {adds}"]
    for x in range(vectors):
        lines.append(f"count{x} = left - {x * lanes}")
        lines.append(f"known{x} = count{x} if adds else 0")
    return "\n".join(lines)


def _tile(t: str, lanes: int, rows: int, vectors: int) -> str:
    """Rows from i on by vectors from j on: C is loaded, added to, and stored."""
    v = f"{t}x{lanes}"
    lines: list[str] = []
    for r in range(rows):
        row = f"i + {r} if i + {r} < m else m - 1" if r else "i"
        lines.append(f"row{r} = {row}")
        lines.append(f"a{r} = row{r} * a_row + start * a_column")
        lines.append(f"c{r} = row{r} * c_row + j")
    both = [(r, x) for r in range(rows) for x in range(vectors)]
    for r, x in both:
        lines.append(f"s{r}_{x} = {v}_load(c, c{r} + {x * lanes}, known{x})")
    lines.append("for p in rolled(depth):")
    for x in range(vectors):
        place = f"p * panel_row + {x * lanes}"
        lines.append(f"    b{x} = {v}_load(panel, {place}, count{x})")
    for r in range(rows):
        lines.append(f"    v = {v}_splat(a[a{r} + p * a_column])")
        lines += [
            f"    s{r}_{x} = multiply_add(v, b{x}, s{r}_{x})" for x in range(vectors)
        ]
    for r, x in both:
        lines.append(f"{v}_store(c, c{r} + {x * lanes}, s{r}_{x}, count{x})")
    return "\n".join(lines)


def _pack(t: str, lanes: int) -> str:
    """The panel of B from row ``start`` and column j on, its rows made contiguous."""
    v = f"{t}x{lanes}"
    loads = [
        f"v{i} = {v}_load(b, (first + {i}) * b_column + start + at, "
        f"rest if first + {i} < n else 0)"
        for i in range(lanes)
    ]
    stores = [
        f"{v}_store(packed, target + {2 * i * lanes}, w{i}, {lanes})"
        for i in range(lanes)
    ]
    return _PACK.format(
        lanes=lanes,
        width=2 * lanes,
        loads=_shifted("\n".join(loads), 2),
        stores=_shifted("\n".join(stores), 2),
        before=_listed("v", lanes),
        after=_listed("w", lanes),
    )


def _dots(t: str, lanes: int) -> str:
    v = f"{t}x{lanes}"
    starts: list[str] = []
    products: list[str] = []
    for x in range(lanes):
        column = f"j + {x} if j + {x} < n else n - 1" if x else "j"
        starts.append(f"column{x} = {column}")
        starts.append(f"s{x} = {v}_splat(0.0)")
        place = f"column{x} * b_column + p"
        products.append(f"s{x} = multiply_add(v, {v}_load(b, {place}, k - p), s{x})")
    return _DOTS.format(
        v=v,
        lanes=lanes,
        starts=_shifted("\n".join(starts), 2),
        products=_shifted("\n".join(products), 3),
        sums=_listed("s", lanes),
    )


def _listed(name: str, count: int) -> str:
    return ", ".join(f"{name}{i}" for i in range(count))


def _shifted(text: str, steps: int) -> str:
    """The lines of ``text`` further to the right."""
    return indent(text.strip("\n"), " " * 4 * steps)
