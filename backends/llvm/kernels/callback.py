"""The step that calls a C function on the addresses of arrays."""

from __future__ import annotations

from typing import NamedTuple

from .source import read

__all__ = ["CallbackWords", "callback_source"]


class CallbackWords(NamedTuple):
    """The function's address, and the status of the step where it fails."""

    address: int
    status: int


def callback_source(inputs: int, outputs: int) -> str:
    """The source of the kernel for so many arrays; the table has a word for each."""
    arrays = [f"array{i}" for i in range(inputs + outputs)]
    words = read(CallbackWords, *arrays, "table")
    lines = [
        f"table = i64_pointer({words['table']}, 0)",
        *(f"table[{i}] = {words[array]}" for i, array in enumerate(arrays)),
        f"outputs = address(table) + {8 * inputs}",
        f"failed = invoke({words['address']}, address(table), outputs)",
        "if (failed << 32) != 0:",
        f"    return {words['status']}",
        "return 0",
    ]
    return "\n    ".join(["def kernel(buffers, words):", *lines, ""])
