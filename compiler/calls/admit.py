"""Arguments that are arrays of other libraries, or of dtypes that are not computed in.

They are converted at each call, by `numpy.asarray`: arrays of torch and JAX, Series of
pandas, what has ``__array__``, ``__dlpack__`` or is a buffer. Results and gradients are
NumPy's.
"""

from __future__ import annotations

import array
from typing import Any, cast

import numpy as np

from ...ir.errors import ArgumentError
from ..tracing.running import is_traced

__all__ = ["admitted", "kind_of"]

_PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None)})
_BUFFERS = (memoryview, bytearray, array.array)


def admitted(leaf: Any, name: str = "an argument") -> Any:
    """An argument as an array, if it is one in any way; else itself.

    ``float16`` becomes ``float32``. Raises `ArgumentError` for an array of another
    library that cannot be converted, with the reason that the library gives.
    """
    kind = type(leaf)
    if kind in _PLAIN or isinstance(leaf, type) or is_traced(leaf):
        return leaf
    if isinstance(leaf, (np.ndarray, np.generic)):
        half = leaf.dtype == np.float16 and kind in (np.ndarray, np.memmap, np.float16)
        return cast("Any", leaf).astype(np.float32) if half else leaf
    if isinstance(leaf, _BUFFERS) or hasattr(kind, "__array__"):
        return admitted(_converted(leaf, np.asarray, name))
    if hasattr(kind, "__dlpack__"):
        return admitted(_converted(leaf, np.from_dlpack, name))
    return leaf


def _converted(leaf: Any, convert: Any, name: str) -> Any:
    try:
        return convert(leaf)
    except Exception as error:  # whatever the library raises
        raise ArgumentError(f"{name} is a {kind_of(leaf)}: {error}") from error


def kind_of(leaf: Any) -> str:
    """What an object is, for messages: ``torch.Tensor``, ``float16``."""
    if isinstance(leaf, (np.ndarray, np.generic)):
        return leaf.dtype.name
    kind = type(leaf)
    home = kind.__module__.split(".")[0]
    return kind.__name__ if home == "builtins" else f"{home}.{kind.__name__}"
