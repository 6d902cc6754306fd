"""The record of the numba backend."""

from __future__ import annotations

from ..base import Backend
from .executable import prepare

__all__ = ["BACKEND"]

BACKEND = Backend(
    name="numba",
    passes=(
        "expand",
        "realify",
        "merge",
        "prune",
        "forward",
        "fold",
        "simplify",
        "dedupe",
        "tape",
        "prune",
        "hoist",
        "total",
        "prune",
        "join",
        "prune",
        "split",
        "fuse",
    ),
    prepare=prepare,
)
