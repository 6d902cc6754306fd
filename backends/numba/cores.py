"""How many threads we use."""

from __future__ import annotations

import os

__all__ = ["threads"]


def threads() -> int:
    """The threads that share work: those of ``ANABRANCH_THREADS``, or the cores."""
    wanted = os.environ.get("ANABRANCH_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
