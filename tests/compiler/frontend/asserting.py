"""Functions with asserts: pytest writes those of test modules anew, and of no other."""

from __future__ import annotations

import numpy as np

__all__ = ["asserted", "asserted_without_a_text", "several"]


def asserted(x):
    assert x[0] < 1, "too large"
    return np.sin(x)


def asserted_without_a_text(x):
    assert np.all(np.isfinite(x))
    return x.sum()


def several(x):
    assert x[0] < 1, "first"
    if x[1] > 1:
        raise ValueError("second")
    return x[3 * (x[2] > 0).astype(int)]
