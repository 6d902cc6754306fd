"""Arrays compared bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["EDGES", "assert_same_bits"]

EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e16, 1e200, 5e-324, 2.0)


def assert_same_bits(
    made: Sequence[Any], expected: Sequence[Any], note: object = ""
) -> None:
    """Equal types, shapes and bytes, signs of zeros included; any NaN equals any."""
    assert len(made) == len(expected), note
    for one, other in zip(made, expected, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype, note
        assert one.shape == other.shape, note
        if one.dtype.kind == "f":
            known = ~np.isnan(other)
            assert np.array_equal(np.isnan(one), ~known), note
            one, other = one[known], other[known]
        assert one.tobytes() == other.tobytes(), note
