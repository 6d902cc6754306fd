"""Kernel source by Numba: the second opinion on what `engine` compiles.

The same source gives the same kernel, `int64 kernel(int64 *buffers, int64 *words)`, by
another compiler with other functions: Numba's front end, NumPy's and libm's functions.
``ANABRANCH_KERNELS=numba`` runs everything through it.

What holds:
- One compilation per distinct source text and process, whatever the threads do.
- Compiled code is never freed, so an address stays good until the process ends.
- A kernel cannot raise. A `cfunc` that raises prints and returns 0, which would read as
  success, so source that could raise is refused when it is compiled.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Callable
from typing import Any

from numba import cfunc, config, types
from numba.core.compiler_lock import global_compiler_lock

from .functions import FUNCTIONS
from .types import NAMESPACE

__all__ = ["compile_kernel"]

TABLE = types.CPointer(types.int64)
KERNEL = types.int64(TABLE, TABLE)  # (buffers, words) -> status

_OPTIMISED: bool = vars(config)["OPT"] != 0  # NUMBA_OPT; 3 unless the user said else
_alive: list[Any] = []  # Numba may unload what nothing refers to
_kernels: dict[str, int] = {}  # source text -> address


def compile_function(function: Callable[..., int], signature: Any = KERNEL) -> int:
    """The address of `function`, compiled as a C function that never takes the GIL."""
    compiled: Any = cfunc(signature, nogil=True, error_model="numpy")(function)
    # Numba's inner function returns an i32: 0, or that it raised. Once optimised, any
    # return but a plain 0 is a path that may.
    if _OPTIMISED and re.search(r"\bret i32 (?!0\b)", compiled.inspect_llvm()):
        raise RuntimeError(f"kernel {function.__name__} could raise")
    _alive.append(compiled)
    return compiled.address


def compile_kernel(source: str, name: str) -> int:
    """The address of the function `name` that `source` defines.

    The source sees NAMESPACE only. Read `buffers` and `words` before the loops: LLVM
    cannot know that stores leave them alone.
    """
    if source not in _kernels:  # a hit never waits for the lock
        # Numba's lock, not one of ours: two locks could be taken in either order.
        with global_compiler_lock:
            if source not in _kernels:
                filename = f"<anabranch {name}>"
                lines = source.splitlines(keepends=True)
                linecache.cache[filename] = len(source), None, lines, filename
                namespace: dict[str, Any] = {
                    **NAMESPACE,
                    **FUNCTIONS,
                    "__builtins__": {},
                }
                exec(compile(source, filename, "exec"), namespace)
                _kernels[source] = compile_function(namespace[name])
    return _kernels[source]


# A fork while another thread compiles would leave the child waiting for ever on a lock
# that nobody in it holds. So the forking thread takes the lock across the fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
