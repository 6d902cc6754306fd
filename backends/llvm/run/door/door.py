"""A prepared graph as C functions of their own: addresses that anybody may call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....ir.ops.index import failure
from ....base import Array
from ...engine.thunk import Thunk
from ..executable import LLVMExecutable
from .entry import NO_MEMORY, Record, entry_address

__all__ = ["LLVMDoor"]

WRONG_SIZE = -2
MAX_STACK = 512  # words of a frame on the stack of the caller

DOOR = """
define i32 @thunk(ptr %inputs, ptr %outputs) {{
  %call = alloca [4 x i64]
  %frame = alloca [{stack} x i64]
  store i64 {record}, ptr %call
  %second = getelementptr i64, ptr %call, i64 1
  store ptr %inputs, ptr %second
  %third = getelementptr i64, ptr %call, i64 2
  store ptr %outputs, ptr %third
  %fourth = getelementptr i64, ptr %call, i64 3
  store ptr {frame}, ptr %fourth
  %entry = inttoptr i64 {entry} to ptr
  %status = call i64 %entry(ptr %call, ptr %call)
  %code = trunc i64 %status to i32
  ret i32 %code
}}
"""

DENSITY = """
define i32 @thunk(i64 %n, ptr %x, ptr %grad, ptr %value, ptr %user) {{
  %outputs = alloca [2 x ptr]
  %inputs = alloca ptr
  %fits = icmp eq i64 %n, {size}
  br i1 %fits, label %call, label %refuse
call:
  store ptr %x, ptr %inputs
  store ptr %value, ptr %outputs
  %second = getelementptr ptr, ptr %outputs, i64 1
  store ptr %grad, ptr %second
  %door = inttoptr i64 {door} to ptr
  %code = call i32 %door(ptr %inputs, ptr %outputs)
  ret i32 %code
refuse:
  ret i32 {wrong_size}
}}
"""


class LLVMDoor:
    """The C function ``int f(const void *const *inputs, void *const *outputs)``.

    ``captured`` are the arrays for the last inputs of the graph, which callers do not
    give. Keeps the code, the tables and the captured arrays alive.
    """

    def __init__(self, executable: LLVMExecutable, captured: Sequence[Array]) -> None:
        self.executable = executable
        plan = executable.plan
        program = executable.program, executable.steps
        self._record = Record(plan, program, executable.constants, captured)
        words = -(-self._record.frame_bytes // 8)
        small = words <= MAX_STACK
        text = DOOR.format(
            record=self._record.address,
            entry=entry_address(),
            stack=words if small else 0,
            frame="%frame" if small else "null",
        )
        self._thunk = Thunk(text)
        self.address = self._thunk.address
        self.checks = {
            number: (found[0], f"{found[1]}\n  {node.source or node.op}")
            for number, node in enumerate(plan.checks, 1)
            if (found := failure(node)) is not None
        }

    def njit(self, name: str, arguments: Sequence[str]) -> Any:
        """The function for code that Numba compiles; imports Numba."""
        from .numba_type import DoorFunction

        return DoorFunction(self, name, arguments)

    def density(self, size: int) -> Thunk:
        """``int f(size_t n, const double *x, double *grad, double *value, void *)``.

        For one input and the results value and gradient; it calls this door.
        """
        return Thunk(
            DENSITY.format(size=size, door=self.address, wrong_size=WRONG_SIZE)
        )

    def error(self, code: int) -> BaseException:
        """The exception for a code that a call returned."""
        if code == NO_MEMORY:
            return MemoryError("no memory for the scratch arrays of a call")
        if code == WRONG_SIZE:
            return ValueError("the vector has another size than the log-density")
        return self.executable.error(code - 1)
