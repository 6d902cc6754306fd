"""All emitters, by family: importing this module registers them."""

from __future__ import annotations

from ....ir.collection import paused_collection
from ....ir.graph import Graph
from ..plan.planner import Planner
from ..plan.step import Plan
from . import conv, index, linalg, pooling, shape, update
from . import running as reduce

__all__ = [
    "conv",
    "index",
    "linalg",
    "make_plan",
    "pooling",
    "reduce",
    "shape",
    "update",
]


def make_plan(graph: Graph) -> Plan:
    """The plan of an optimised graph."""
    with paused_collection(len(graph)):
        return Planner(graph).run()
