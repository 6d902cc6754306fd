"""Freed memory that the C library keeps for the next call.

A call makes its outputs anew, and Fourier transforms take memory of their own. The C
library of Linux gives what is free at the end of its heap back to the system, where
that is more than twice the largest block that it has had from the system and was given
back; the next call then waits for a fault in every page. It learns from one block, of
which no page is touched.
"""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["keep_freed"]

FEW = 2**17  # bytes of a plan whose calls take no such memory
MOST = 2**25 - 2**16  # bytes of a block that the library still learns from


def keep_freed(nbytes: int) -> None:
    """Let memory stay that calls of a plan of so many bytes give back."""
    if nbytes >= FEW:
        _keep()


@cache
def _keep() -> None:
    np.empty(MOST, np.uint8)
