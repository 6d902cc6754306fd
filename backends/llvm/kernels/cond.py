"""The step of a `cond`, which runs the steps of one of its branches."""

from __future__ import annotations

from typing import NamedTuple

from .source import read

__all__ = ["BranchWords", "branch_source"]

_BRANCH = """
@written_out
def kernel(buffers, words):
    # condition: buffer and offset; RUN; rows and steps of then, and of else
    condition = bool_pointer({condition}, 0)
    rows, steps = {else_rows}, {else_steps}
    if condition[0]:
        rows, steps = {then_rows}, {then_steps}
    return invoke({run}, rows, steps, address(buffers), 0, 0) >> 32
"""


class BranchWords(NamedTuple):
    """The numbers of a branch: the programs that ``run`` may walk.

    They are addresses, which are known when a plan is made callable.
    """

    run: int
    then_rows: int
    then_steps: int
    else_rows: int
    else_steps: int


def branch_source() -> str:
    """The source of the kernel."""
    return _BRANCH.lstrip().format(**read(BranchWords, "condition"))
