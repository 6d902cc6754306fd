"""The kernel that calls the inner loop of a ufunc, see `backends.ufuncs`.

Addresses are words of a step, never part of the text.
"""

from __future__ import annotations

__all__ = ["ufunc_source"]


def ufunc_source(operands: int, sizes: int) -> str:
    """The source of the kernel for so many operands and results, and sizes.

    The words: buffer and offset of the table of addresses and of each operand and
    result; the addresses of the loop and of its data; the sizes; the steps.
    """
    first = 2 * operands + 2
    lines = [
        "def kernel(buffers, words):",
        "    # table, operands: buffer and offset each; loop, data, sizes, steps",
        "    table = i64_pointer(buffers[words[0]] + words[1], 0)",
        *(
            f"    table[{k}] = buffers[words[{2 * k + 2}]] + words[{2 * k + 3}]"
            for k in range(operands)
        ),
        f"    sizes = address(words) + {8 * (first + 2)}",
        f"    steps = sizes + {8 * sizes}",
        f"    invoke(words[{first}], address(table), sizes, steps, words[{first + 1}])",
        "    return 0",
    ]
    return "\n".join(lines) + "\n"
