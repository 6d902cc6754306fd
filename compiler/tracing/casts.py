"""What ``out=`` and operators in place may write into an array, as NumPy has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import SourceLine, TraceError

__all__ = ["check_same_kind"]


def check_same_kind(made: Any, target: Any, source: SourceLine | None) -> None:
    """Raise `TraceError` where a result is of another kind than what it goes into."""
    if not np.can_cast(made.dtype, target.dtype, "same_kind"):
        raise TraceError(
            f"cannot write {made.dtype} into an array of {target.dtype}",
            source=source,
            hint=f"make a new array, or begin with one of {made.dtype}: "
            f"x = x.astype(np.{made.dtype})",
        )
