"""Running one kernel by itself."""

from collections.abc import Sequence

import numpy as np

from anabranch.backends.numba.engine import compile_kernel, executor


def run(text: str, arrays: Sequence[np.ndarray], words: Sequence[int]) -> int:
    """Run one kernel over ``arrays`` as its buffers."""
    table = np.array(words, np.int64)
    program = np.array([compile_kernel(text), table.ctypes.data], np.int64)
    buffers = np.array([array.ctypes.data for array in arrays], np.int64)
    return executor()(program.ctypes.data, 1, buffers.ctypes.data, None, 0)
