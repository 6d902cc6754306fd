"""What a backend is: it turns a verified graph into a function of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

__all__ = ["Array", "Executable"]

Array: TypeAlias = "np.ndarray[Any, Any]"


class Executable(Protocol):
    """A prepared graph."""

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Compute the outputs: new, C-contiguous arrays that share no memory.

        ``arrays`` are the inputs in order, C-contiguous and aligned, of the types that
        the graph declares. They are only read.
        """
        ...

    def plan_text(self) -> str:
        """The plan in the manner of IR text."""
        ...

    def source_text(self) -> str:
        """The generated source of the kernels, for people to read."""
        ...
