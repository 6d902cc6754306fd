"""Anabranch compiles NumPy functions and their gradients for the CPU.

>>> import numpy as np, anabranch
>>> loss = lambda w, x: np.sum(np.tanh(x @ w @ w))
>>> dw = anabranch.grad(loss)(np.eye(2), np.ones((3, 2)))
>>> dw.shape
(2, 2)
"""

from . import random
from .compiler.api import fwd_and_bwd, grad, jit, make_ir, value_and_grad, vjp
from .compiler.callback import callback
from .compiler.check import check_grads
from .compiler.checkpoint import checkpoint
from .compiler.checkpointed import checkpointed
from .compiler.cond import cond, switch
from .compiler.custom import custom_vjp
from .compiler.entry import disable_jit
from .compiler.explain import explain
from .compiler.function import Compiled
from .compiler.functions import (
    avg_pool,
    conv,
    gelu,
    log_softmax,
    logsumexp,
    max_pool,
    one_hot,
    relu,
    sigmoid,
    softmax,
    stop_gradient,
)
from .compiler.held import clear_caches
from .compiler.load import load
from .compiler.loop import fori_loop, map, scan, while_loop
from .compiler.native import LogDensity, Native
from .ir import Graph, TensorType, parse, spec
from .ir.errors import (
    AnabranchError,
    ArgumentError,
    BoundsError,
    ConcretizationError,
    DomainError,
    DTypeError,
    GradientError,
    ParseError,
    RangeError,
    ShapeError,
    TraceError,
    UnboundError,
    UnsupportedError,
    VerifyError,
)

__version__ = "0.1.0"

__all__ = [
    "AnabranchError",
    "ArgumentError",
    "BoundsError",
    "Compiled",
    "ConcretizationError",
    "DTypeError",
    "DomainError",
    "GradientError",
    "Graph",
    "LogDensity",
    "Native",
    "ParseError",
    "RangeError",
    "ShapeError",
    "TensorType",
    "TraceError",
    "UnboundError",
    "UnsupportedError",
    "VerifyError",
    "avg_pool",
    "callback",
    "check_grads",
    "checkpoint",
    "checkpointed",
    "clear_caches",
    "cond",
    "conv",
    "custom_vjp",
    "disable_jit",
    "explain",
    "fori_loop",
    "fwd_and_bwd",
    "gelu",
    "grad",
    "jit",
    "load",
    "log_softmax",
    "logsumexp",
    "make_ir",
    "map",
    "max_pool",
    "one_hot",
    "parse",
    "random",
    "relu",
    "scan",
    "sigmoid",
    "softmax",
    "spec",
    "stop_gradient",
    "switch",
    "value_and_grad",
    "vjp",
    "while_loop",
]
