"""The ops by family; importing this package fills the registry `OPS`."""

from . import (
    choice,
    cond,
    conv,
    elementwise,
    functions,
    index,
    linalg,
    pooling,
    power,
    reduce,
    shape,
    slopes,
    softmax,
    source,
    update,
)
from .spec import NONDIFFERENTIABLE, OPS, Combination, Kind, OpDef

__all__ = [
    "NONDIFFERENTIABLE",
    "OPS",
    "Combination",
    "Kind",
    "OpDef",
    "choice",
    "cond",
    "conv",
    "elementwise",
    "functions",
    "index",
    "linalg",
    "pooling",
    "power",
    "reduce",
    "shape",
    "slopes",
    "softmax",
    "source",
    "update",
]
