"""NumPy functions whose results have a size, or a dtype, that only the values tell.

They are refused by name, with what to write instead. Of arrays that do not depend on an
argument NumPy answers as ever.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ...ir.errors import TraceError
from ..tracing.lowerings import lowers
from ..tracing.trace import Trace

__all__ = ["REFUSED"]

_SETS = (
    "compute it outside and pass the result, or work on np.sort(x): "
    "1 + np.sum(np.diff(np.sort(x)) != 0) is how many values there are"
)
_PLACES = (
    "a mask does the same: x[mask].sum(), np.sum(mask), np.where(mask, x, 0); so do "
    "np.nonzero(mask) and np.flatnonzero(mask) as an index"
)
REFUSED: dict[Any, str] = {
    **dict.fromkeys(
        (
            *(np.unique, np.unique_all, np.unique_counts, np.unique_inverse),
            *(np.unique_values, np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d),
        ),
        _SETS,
    ),
    np.argwhere: _PLACES,
    np.trim_zeros: "slice it with bounds that are known, or multiply by a mask",
}
_REAL_OR_COMPLEX: dict[Any, str] = {
    np.emath.sqrt: "np.sqrt({})",
    np.emath.log: "np.log({})",
    np.emath.log2: "np.log2({})",
    np.emath.log10: "np.log10({})",
    np.emath.logn: "np.log({}) / np.log(n)",
    np.emath.power: "np.power({}, p)",
    np.emath.arccos: "np.arccos({})",
    np.emath.arcsin: "np.arcsin({})",
    np.emath.arctanh: "np.arctanh({})",
}


def _refuse(function: Any, name: str, what: str, hint: str) -> None:
    @lowers(function)
    def lower(trace: Trace, *args: Any, **named: Any) -> NoReturn:
        raise TraceError(
            f"{name} of a traced array has a {what} that only its values tell",
            hint=hint,
        )


for _function, _hint in REFUSED.items():
    _refuse(_function, f"np.{_function.__name__}", "size", _hint)
for _function, _form in _REAL_OR_COMPLEX.items():
    _hint = f"{_form.format('x')} is real, {_form.format('x + 0j')} complex"
    _refuse(_function, f"np.emath.{_function.__name__}", "dtype", _hint)
    REFUSED[_function] = _hint
