"""Running one kernel by itself."""

from collections.abc import Sequence

import numpy as np

from anabranch.backends.llvm.engine.engine import compile_kernel, executor


def run(text: str, arrays: Sequence[np.ndarray], words: Sequence[int]) -> int:
    """Run one kernel over ``arrays`` as its buffers."""
    return run_at(compile_kernel(text), arrays, words)


def run_at(address: int, arrays: Sequence[np.ndarray], words: Sequence[int]) -> int:
    """Run the kernel at an address."""
    table = np.array(words, np.int64)
    program = np.array([address, table.ctypes.data], np.int64)
    buffers = np.array([array.ctypes.data for array in arrays], np.int64)
    return executor()(program.ctypes.data, 1, buffers.ctypes.data, None, 0)
