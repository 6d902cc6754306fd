"""NumPy functions whose results have a size that only the values tell.

They are refused by name, with what to write instead. Of arrays that do not depend on an
argument NumPy answers as ever.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ...ir.errors import TraceError
from ..lowerings import lowers
from ..trace import Trace

__all__ = ["REFUSED"]

_SETS = (
    "compute it outside and pass the result, or work on np.sort(x): "
    "1 + np.sum(np.diff(np.sort(x)) != 0) is how many values there are"
)
_PLACES = (
    "a mask does the same: np.where(mask, x, 0), x[mask].sum(), np.sum(mask); or "
    "compute the places outside and pass them"
)
REFUSED: dict[Any, str] = {
    **dict.fromkeys(
        (
            *(np.unique, np.unique_all, np.unique_counts, np.unique_inverse),
            *(np.unique_values, np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d),
        ),
        _SETS,
    ),
    **dict.fromkeys((np.nonzero, np.flatnonzero, np.argwhere), _PLACES),
    np.trim_zeros: "slice it with bounds that are known, or multiply by a mask",
}


def _refuse(function: Any, hint: str) -> None:
    @lowers(function)
    def lower(trace: Trace, *args: Any, **named: Any) -> NoReturn:
        raise TraceError(
            f"np.{function.__name__} of a traced array has a size that only its "
            "values tell",
            hint=hint,
        )


for _function, _hint in REFUSED.items():
    _refuse(_function, _hint)
