"""Functions of `scipy.special` that have no kernel of ours: by the loops of SciPy."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

from ....ir.graph import Node
from ....ir.ops import OPS
from ..plan.planner import Planner, emits
from ..plan.view import View
from .ufunc import call_ufunc

__all__: list[str] = []

NANOSECONDS = 50.0  # for an element: from 5 for xlogy to 1000 for hyp2f1


@cache
def _ufunc(name: str) -> Any:
    """The ufunc of a function, which for a Python function has a name of its own."""
    found = getattr(importlib.import_module("scipy.special"), name)
    if isinstance(found, np.ufunc):
        return found
    return getattr(importlib.import_module("scipy.special._ufuncs"), f"_{name}")


def _call(p: Planner, node: Node, *operands: View) -> View | list[View]:
    """One step for all results."""
    targets = [p.allocate(value.type, value.name) for value in node.values]
    called = _ufunc(str(OPS[node.op].ufunc))
    call_ufunc(p, node, called, operands, targets, NANOSECONDS)
    return targets if node.several else targets[0]


emits(*(op.name for op in OPS.values() if op.ufunc and op.scalar is None))(_call)
