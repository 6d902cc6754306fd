"""The ops by family; importing this package fills the registry `OPS`."""

from . import conv, elementwise, index, linalg, reduce, shape, source
from .spec import NONDIFFERENTIABLE, OPS, OpDef

__all__ = [
    "NONDIFFERENTIABLE",
    "OPS",
    "OpDef",
    "conv",
    "elementwise",
    "index",
    "linalg",
    "reduce",
    "shape",
    "source",
]
