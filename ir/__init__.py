"""The intermediate representation: typed dataflow graphs held in networkx."""

from .collection import imports_at_once

with imports_at_once():
    from .builder import Builder
    from .graph import Contribution, Graph, Node, Output, Read, Section
    from .ops import OPS
    from .text import parse
    from .types import TensorType, spec

__all__ = [
    "OPS",
    "Builder",
    "Contribution",
    "Graph",
    "Node",
    "Output",
    "Read",
    "Section",
    "TensorType",
    "parse",
    "spec",
]
