"""Machines to compile for, whichever is at hand."""

from __future__ import annotations

import llvmlite.binding as llvm

from anabranch.backends.llvm.machine import LEVELS, Machine, current, find_machine
from anabranch.ir.errors import AnabranchError

__all__ = ["MACHINES", "WIDTHS", "with_vectors"]

WIDTHS = (16, 32, 64)


def with_vectors(vector_bytes: int) -> Machine:
    """The current machine, but for the vectors that kernels are written with.

    LLVM splits those that are wider than the processor's.
    """
    return current()._replace(vector_bytes=vector_bytes)


def _machines() -> dict[str, Machine]:
    """The levels that the processor at hand has, and the widths that they lack."""
    found: dict[str, Machine] = {}
    for level in LEVELS:
        try:
            found[level] = find_machine(
                level, llvm.get_host_cpu_name(), llvm.get_host_cpu_features()
            )
        except AnabranchError:
            break
    known = {machine.vector_bytes for machine in found.values()}
    wider = {f"{w} bytes": with_vectors(w) for w in WIDTHS if w not in known}
    return found | wider


MACHINES = _machines()
"""Those whose code runs here: x86-64's levels, and wider vectors than they have."""
