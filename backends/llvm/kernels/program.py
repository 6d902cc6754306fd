"""The kernel of a task that is a list of steps."""

from __future__ import annotations

from typing import NamedTuple

from .source import read

__all__ = ["ProgramWords", "program_source"]

_PROGRAM = """
@written_out
def kernel(buffers, words):
    return invoke({run}, {rows}, {steps}, address(buffers), 0, 0) >> 32
"""


class ProgramWords(NamedTuple):
    """The program that ``run`` walks: addresses, known when a plan is made callable."""

    run: int
    rows: int
    steps: int


def program_source() -> str:
    """The source of the kernel."""
    return _PROGRAM.lstrip().format(**read(ProgramWords))
