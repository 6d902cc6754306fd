"""Functions that carry an address: what C calls where it can pass no closure."""

from __future__ import annotations

import llvmlite.binding as llvm

from ..machine import current
from . import codegen
from .engine import exclusive, undisturbed

__all__ = ["Thunk"]


class Thunk:
    """The function ``@thunk`` of an LLVM text, in an engine of its own.

    Its text has addresses of this process, so it is not kept on disk; its code goes
    with this object, unlike that of kernels.
    """

    def __init__(self, text: str) -> None:
        with exclusive(), undisturbed():
            target = codegen.target_machine(current().processor)
            # In the global context: llvmlite frees any other before its module.
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), target)
            self._engine.finalize_object()
            self.address: int = self._engine.get_function_address("thunk")
