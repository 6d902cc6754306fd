"""The record of the llvm backend."""

from __future__ import annotations

from ..base import Backend
from .run.door.door import LLVMDoor
from .run.executable import prepare, scratch_bytes
from .run.fastcall.caller import Caller
from .run.fastcall.method import put_in_front, put_in_front_of

__all__ = ["BACKEND"]

BACKEND = Backend(
    name="llvm",
    passes=(
        "expand",
        "realify",
        "merge",
        "choose",
        "prune",
        "forward",
        "fold",
        "simplify",
        "dedupe",
        "steady",
        "tabulate",
        "invariant",
        "dedupe",
        "tape",
        "nest",
        "prune",
        "undo",
        "prune",
        "dedupe",
        "merge",
        "steady",
        "abreast",
        "rows",
        "hoist",
        "total",
        "prune",
        "overlap",
        "place",
        "begin",
        "widen",
        "place",
        "last",
        "once",
        "states",
        "join",
        "prune",
        "factor",
        "contract",
        "prune",
        "batch",
        "powers",
        "dedupe",
        "prune",
        "accumulate",
        "prune",
        "passed",
        "split",
        "fuse",
    ),
    prepare=prepare,
    make_caller=Caller,
    put_in_front=put_in_front,
    put_in_front_of=put_in_front_of,
    make_door=LLVMDoor,
    scratch_bytes=scratch_bytes,
)
