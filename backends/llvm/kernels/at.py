"""The step that says where a slice begins whose position is known only when running.

It computes the address and puts it into the table of buffers, where the steps that read
or write the slice find it: no element is moved.
"""

from __future__ import annotations

from typing import NamedTuple

from .source import read

__all__ = ["AddressWords", "PositionWords", "address_source"]

_ADDRESS = """
@written_out
def kernel(buffers, words):
    # pointer, how many positions, buffer and offset of position 0; then the positions
    place = buffers[{buffer}] + {offset}
    for i in range({positions}):
        w = {header} + {position_words} * i
        position = i64_pointer(buffers[words[w]] + words[w + 1], 0)
        place += position[0] * words[w + 2]
    buffers[{pointer}] = place
    return 0
"""


class AddressWords(NamedTuple):
    """Where a slice would be if all positions were 0, and how many positions there are.

    ``pointer`` is the place in the table of buffers that the address goes to.
    """

    pointer: int
    positions: int
    buffer: int
    offset: int


class PositionWords(NamedTuple):
    """Where a position stands, and how many bytes there are from one to the next."""

    buffer: int
    offset: int
    stride: int


def address_source() -> str:
    """The source of the kernel."""
    return _ADDRESS.lstrip().format(
        header=len(AddressWords._fields),
        position_words=len(PositionWords._fields),
        **read(AddressWords),
    )
