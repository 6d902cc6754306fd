"""Counts among the options of transforms and solvers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.errors import ArgumentError

__all__ = ["check_counts"]


def check_counts(what: str, least: int, **given: Any) -> None:
    """Refuse what is no whole number of at least so much, by the option's name."""
    for name, count in given.items():
        whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        if not whole or count < least:
            raise ArgumentError(
                f"{what}: {name}={count!r} is no whole number of at least {least}"
            )
