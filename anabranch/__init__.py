"""Anabranch compiles NumPy functions and their gradients for the CPU.

>>> import numpy as np, anabranch
>>> loss = lambda w, x: np.sum(np.tanh(x @ w @ w))
>>> dw = anabranch.grad(loss)(np.eye(2), np.ones((3, 2)))
>>> dw.shape
(2, 2)
"""

from .ir import collection

with collection.imports_at_once():
    from . import random
    from .compiler.api import (
        elementwise_grad,
        fwd_and_bwd,
        grad,
        grad_and_aux,
        jit,
        make_ir,
        value_and_grad,
        vjp,
    )
    from .compiler.callback import callback
    from .compiler.calls.entry import disable_jit
    from .compiler.calls.function import Compiled
    from .compiler.calls.held import clear_caches
    from .compiler.check import check_grads
    from .compiler.cond import cond, switch
    from .compiler.explain import explain
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
    from .compiler.loop import fori_loop, map, scan, while_loop
    from .compiler.native import LogDensity, Native
    from .compiler.saving.load import load
    from .compiler.solvers.initial_values import odeint, solve_ivp
    from .compiler.solvers.linear import linear_solve
    from .compiler.solvers.minima import minimize
    from .compiler.solvers.roots import fixed_point, root
    from .compiler.sparse.api import sparse_hessian, sparse_jacobian, sparsity
    from .compiler.sparse.pattern import Sparsity
    from .compiler.transforms.checkpoint import checkpoint
    from .compiler.transforms.checkpointed import checkpointed
    from .compiler.transforms.custom import custom_vjp
    from .compiler.transforms.custom_jvp import custom_jvp
    from .compiler.transforms.forward import hvp, jvp, linearize, make_hvp
    from .compiler.transforms.jacobian import (
        divergence,
        hessian,
        jacfwd,
        jacobian,
        jacrev,
        laplacian,
        value_and_jacobian,
    )
    from .compiler.transforms.mapped import vmap
    from .compiler.transforms.ravel import ravel_pytree
    from .compiler.transforms.saved import (
        SavedResidual,
        SavedResiduals,
        saved_residuals,
    )
    from .compiler.transforms.steering import grad_clip, grad_scale
    from .compiler.transforms.vectorize import vectorize
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
    "SavedResidual",
    "SavedResiduals",
    "ShapeError",
    "Sparsity",
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
    "custom_jvp",
    "custom_vjp",
    "disable_jit",
    "divergence",
    "elementwise_grad",
    "explain",
    "fixed_point",
    "fori_loop",
    "fwd_and_bwd",
    "gelu",
    "grad",
    "grad_and_aux",
    "grad_clip",
    "grad_scale",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "laplacian",
    "linear_solve",
    "linearize",
    "load",
    "log_softmax",
    "logsumexp",
    "make_hvp",
    "make_ir",
    "map",
    "max_pool",
    "minimize",
    "odeint",
    "one_hot",
    "parse",
    "random",
    "ravel_pytree",
    "relu",
    "root",
    "saved_residuals",
    "scan",
    "sigmoid",
    "softmax",
    "solve_ivp",
    "sparse_hessian",
    "sparse_jacobian",
    "sparsity",
    "spec",
    "stop_gradient",
    "switch",
    "value_and_grad",
    "value_and_jacobian",
    "vectorize",
    "vjp",
    "vmap",
    "while_loop",
]
