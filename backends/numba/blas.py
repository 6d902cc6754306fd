"""Matrix products by SciPy's BLAS, as kernels: C = op(A) op(B), or C += op(A) op(B).

Everything is row-major: an operand is rows of contiguous elements, `ld` elements apart.
op(A) is m by k and op(B) k by n; a transposed operand lies in memory as its transpose.
BLAS is column-major and takes row-major memory for the transpose. It is therefore asked
for C' = op(B)' op(A)': operands swapped, m and n swapped, the flags as they are.

The words (see `runtime` for what words are; strides and `ld` count elements):

    0, 1, 2     buffer ids of A, B, C
    3, 4, 5     byte offsets of A, B, C
    6, 7, 8     m, n, k
    9, 10       "N" or "T" for A, B: does the operand lie there transposed?
    11, 12, 13  leading dimensions of A, B, C
    14          batch: how many products
    15, 16, 17  from one product's A, B, C to the next one's; for A and B, 0 shares the
                operand; for C, 0 adds all the products up in the one C
    18          1 to add to what C holds, 0 to overwrite it
    19, 20      the bits of 1.0 and 0.0 in C's dtype, for alpha and beta

A Fortran integer is 32 bits and a character 8. The machine is little-endian, so the
address of a 64-bit word is the address of its low 32 or 8 bits, and words are passed to
BLAS in place. (The same holds for a BLAS with 64-bit integers.)

What an overwritten C held before does not leak, were it NaN. An empty sum (k == 0, or
a batch of none into one C) is zero. BLAS never sees an `ld` of 0.
C may not overlap A or B.
"""

import struct
from typing import Any

import llvmlite.ir as llvm
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import get_cython_function_address, intrinsic

from . import runtime

ROUTINES = {"f32": "sgemm", "f64": "dgemm"}
ONES = {"f32": struct.pack("<f", 1.0), "f64": struct.pack("<d", 1.0)}


def _call(
    typing_context: Any, routine: Any, words: Any, abc: Any, k: Any, beta: Any
) -> Any:
    """Call BLAS on operands at three addresses; k and beta are indices of words."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        routine, words, abc, k, beta = args
        a, b, c = (
            builder.inttoptr(builder.extract_value(abc, i), words.type)
            for i in range(3)
        )

        def word(index: int) -> Any:
            return builder.gep(words, [llvm.Constant(llvm.IntType(64), index)])

        arguments = [
            *(word(10), word(9), word(7), word(6), builder.gep(words, [k])),
            *(word(19), b, word(12), a, word(11)),
            *(builder.gep(words, [beta]), c, word(13)),
        ]
        function = llvm.FunctionType(llvm.VoidType(), [words.type] * len(arguments))
        builder.call(builder.inttoptr(routine, function.as_pointer()), arguments)
        return context.get_dummy_value()

    addresses = types.UniTuple(types.int64, 3)
    index = types.int64
    return types.void(types.int64, runtime.TABLE, addresses, index, index), generate


_call_gemm: Any = intrinsic(_call)


_kernels: dict[str, int] = {}  # dtype -> address


def _compile(routine: int, size: int) -> int:
    def gemm(buffers: Any, words: Any) -> int:
        if words[6] == 0 or words[7] == 0:
            return 0
        a = buffers[words[0]] + words[3]
        b = buffers[words[1]] + words[4]
        c = buffers[words[2]] + words[5]
        batch, k = words[14], 8
        if batch == 0 and words[17] == 0:
            batch, k = 1, 20  # the empty sum, as a product with k == 0
        for product in range(batch):
            adds = words[18] != 0 or (words[17] == 0 and product > 0)
            _call_gemm(routine, words, (a, b, c), k, 19 if adds else 20)
            a += words[15] * size
            b += words[16] * size
            c += words[17] * size
        return 0

    return runtime.compile_function(gemm)


def gemm_kernel(dtype_name: str) -> int:
    """The address of the matrix product kernel for "f32" or "f64".

    The first call imports SciPy and compiles.
    """
    if dtype_name not in _kernels:
        routine = get_cython_function_address(
            "scipy.linalg.cython_blas", ROUTINES[dtype_name]
        )
        with global_compiler_lock:
            if dtype_name not in _kernels:
                _kernels[dtype_name] = _compile(routine, len(ONES[dtype_name]))
    return _kernels[dtype_name]


def gemm_words(
    dtype_name: str,
    *,
    buffers: tuple[int, int, int],
    offsets: tuple[int, int, int] = (0, 0, 0),
    sizes: tuple[int, int, int],
    transposed: tuple[bool, bool] = (False, False),
    leading: tuple[int, int, int] | None = None,
    batch: int = 1,
    strides: tuple[int, int, int] = (0, 0, 0),
    accumulate: bool = False,
) -> tuple[int, ...]:
    """The words of one step; triples are in the order A, B, C, sizes are (m, n, k).

    Without `leading`, rows lie side by side.

    >>> gemm_words("f64", buffers=(0, 1, 2), sizes=(2, 3, 5))[6:14]
    (2, 3, 5, 78, 78, 5, 3, 3)
    """
    m, n, k = sizes
    a_transposed, b_transposed = transposed
    rows = (m if a_transposed else k, k if b_transposed else n, n)
    leading = leading or rows
    if min(sizes) < 0 or batch < 0:
        raise ValueError(f"gemm: negative size in m, n, k = {sizes}, batch = {batch}")
    if any(ld < row for ld, row in zip(leading, rows, strict=True)):
        raise ValueError(f"gemm: leading dimensions {leading} < row lengths {rows}")
    if max(*sizes, *leading) >= 2**31:
        raise ValueError(f"gemm: BLAS sizes are below 2**31: {sizes}, {leading}")
    return (
        *buffers,
        *offsets,
        *sizes,
        *(ord("T") if flag else ord("N") for flag in transposed),
        *(max(1, ld) for ld in leading),
        batch,
        *strides,
        int(accumulate),
        int.from_bytes(ONES[dtype_name], "little"),
        0,
    )
