"""Logarithms: of odds, of logistic functions, and of shares in entropies.

Below 3 ulp.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS: dict[str, float | tuple[float, ...]] = {}

SOURCE = """
def log_expit(x):
    rest = log1p(exp(-math.fabs(x)))
    return x - rest if x < 0.0 else -rest

def logit_f64(p):
    # Near 1/2, where odds are near 1, of what they are more.
    odds = log(p / (1.0 - p))
    near = log1p((2.0 * p - 1.0) / (1.0 - p))
    return near if 0.25 < p and p < 0.75 else odds

def entr(x):
    outside = -math.inf if x < 0.0 else x + 0.0
    return -x * log(x) if x > 0.0 else outside

def xlogy(x, y):
    return x * log(y) if x != 0.0 or y != y else 0.0
"""
