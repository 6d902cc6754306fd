"""The one native entry of prepared graphs, in the kernel language, and its record.

A *record* has the words `FIELDS` of one graph. The entry takes a call (the addresses of
the record, of the inputs' table, of the outputs' and of a block for the frame, or 0),
runs the program in a frame that no other call has, and returns 0, the status of the
step that failed (1 + the number of a check in the plan), or `NO_MEMORY`. It needs no
GIL.

A *frame* is one block: the table of buffers, then the arena. A small one lies on the
stack of the caller and is filled anew, which costs less than two exchanges. Of others a
record keeps up to `IDLE` in slots. To take one is to exchange a slot's word with 0; to
give one back is to exchange it into a slot, and to go on with what was there. So there
is no lock that a fork might leave held, and no frame is lost.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....base import Array
from ...engine.engine import compile_kernel, executor
from ...plan.arena import ALIGNMENT
from ...plan.step import Plan

__all__ = ["NO_MEMORY", "Record", "entry_address"]

IDLE = 16
NO_MEMORY = -1
FIELDS = (
    *("RUN", "PROGRAM", "STEPS", "INPUTS", "OUTPUTS", "FIRST_OUTPUT"),
    *("MALLOC", "FREE", "BYTES", "TABLE", "WORDS", "OFFSETS", "FIRST_SCRATCH"),
    "SLOTS",
)
CONSTANTS = {
    **{name: number for number, name in enumerate(FIELDS)},
    "IDLE": IDLE,
    "ALIGNMENT": ALIGNMENT,
    "NO_MEMORY": NO_MEMORY & 0xFFFFFFFF,
}
SOURCE = """
def filled(record, block):
    # A block, with the table of a frame in it.
    fields = i64_pointer(record)
    new = i64_pointer(block)
    table = i64_pointer(fields[TABLE])
    offsets = i64_pointer(fields[OFFSETS])
    first = fields[FIRST_SCRATCH]
    start = block + 8 * fields[WORDS]
    start = start + (-start & (ALIGNMENT - 1))
    for word in rolled(first):
        new[word] = table[word]
    for word in rolled(first, fields[WORDS]):
        new[word] = start + offsets[word - first]
    return block

def take(record):
    # The address of an idle frame, or of a new one; 0 where there is no memory.
    fields = i64_pointer(record)
    slots = i64_pointer(fields[SLOTS])
    for slot in rolled(IDLE):
        frame = atomic_exchange(slots, slot, 0)
        if frame != 0:
            return frame
    block = invoke(fields[MALLOC], fields[BYTES])
    if block == 0:
        return block
    return filled(record, block)

def give(record, frame):
    # Keep a frame for the next call; the one too many goes.
    fields = i64_pointer(record)
    slots = i64_pointer(fields[SLOTS])
    held = frame
    for slot in rolled(IDLE):
        held = atomic_exchange(slots, slot, held)
        if held == 0:
            return 0
    invoke(fields[FREE], held)
    return 0

@written_out
def kernel(call, unused):
    record = call[0]
    fields = i64_pointer(record)
    inputs = i64_pointer(call[1])
    outputs = i64_pointer(call[2])
    frame = call[3]
    if frame == 0:
        frame = take(record)
        if frame == 0:
            return NO_MEMORY
    else:
        frame = filled(record, frame)
    buffers = i64_pointer(frame)
    for number in rolled(fields[INPUTS]):
        buffers[number] = inputs[number]
    first = fields[FIRST_OUTPUT]
    for number in rolled(fields[OUTPUTS]):
        buffers[first + number] = outputs[number]
    status = invoke(fields[RUN], fields[PROGRAM], fields[STEPS], frame, 0, 0)
    if call[3] == 0:
        give(record, frame)
    return status >> 32
"""


def entry_address() -> int:
    """The address of the entry, one for all records."""
    lines = [f"{name} = {number}" for name, number in CONSTANTS.items()]
    return compile_kernel("\n".join([*lines, SOURCE]))


class Record:
    """The words of one graph, all that they point to, and the idle frames.

    ``program`` is the address of its rows, and how many there are.
    Frames are C's memory, since whoever calls may have no Python; they go with this.
    """

    def __init__(
        self,
        plan: Plan,
        program: tuple[int, int],
        constants: Array,
        captured: Sequence[Array],
    ) -> None:
        graph = plan.graph
        given = len(graph.inputs) - len(captured)
        slots = np.zeros(IDLE, np.int64)
        table = np.zeros(plan.first_scratch, np.int64)
        for number, array in enumerate(captured, given):
            table[number] = array.ctypes.data
        table[-1] = constants.ctypes.data
        words = plan.first_scratch + len(plan.offsets)
        self.frame_bytes = 8 * words + plan.arena_bytes + ALIGNMENT
        offsets = np.array([*plan.offsets, 0], np.int64)
        execute: Any = executor()
        fields = {
            "RUN": _address(execute),
            "PROGRAM": program[0],
            "STEPS": program[1],
            "INPUTS": given,
            "OUTPUTS": len(graph.results),
            "FIRST_OUTPUT": len(graph.inputs),
            "MALLOC": _address(ctypes.pythonapi.PyMem_RawMalloc),
            "FREE": _address(ctypes.pythonapi.PyMem_RawFree),
            "BYTES": self.frame_bytes,
            "TABLE": table.ctypes.data,
            "WORDS": words,
            "OFFSETS": offsets.ctypes.data,
            "FIRST_SCRATCH": plan.first_scratch,
            "SLOTS": slots.ctypes.data,
        }
        self._words = np.array([fields[name] for name in FIELDS], np.int64)
        self._kept = plan, constants, list(captured), table, offsets, slots
        self.address = self._words.ctypes.data
        # Not at exit, when threads that know no Python may still be inside.
        weakref.finalize(self, _free, slots).atexit = False


def _address(function: Any) -> int:
    """Where a C function lies."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _free(slots: Array) -> None:
    """Free the frames of a record that nothing calls any more."""
    free = ctypes.pythonapi.PyMem_RawFree
    for frame in slots.tolist():
        free(ctypes.c_void_p(frame))
