"""Python's collector of cycles, paused while a stage works on a graph.

A stage makes many objects and no cycles. Whenever a quarter more have come into being
the collector looks at all of them again: a third of the time that a graph of a million
nodes took, and a tenth of a first call. Tracing, which runs the user's code, is left
alone.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["imports_at_once", "paused_collection"]

_pauses: set[object] = set()


@contextmanager
def paused_collection() -> Generator[None, None, None]:
    """Work on a graph without collections.

    Threads may overlap: the last one turns the collector on again. Where the user has
    turned it off it stays off.
    """
    if not (gc.isenabled() or _pauses):
        yield
        return
    pause = object()
    _pauses.add(pause)
    gc.disable()
    try:
        yield
    finally:
        _pauses.discard(pause)
        if not _pauses:
            gc.enable()


@contextmanager
def imports_at_once() -> Generator[None, None, None]:
    """Import without collections: one in seven milliseconds of it.

    What is imported stays, so it becomes old unseen. Freezing makes everything old;
    where the user has frozen objects, thawing would give them back to the collector.
    """
    with paused_collection():
        yield
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()


def _forget() -> None:
    """In the child of a fork there is no other thread that would end its pause."""
    if _pauses:
        _pauses.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
