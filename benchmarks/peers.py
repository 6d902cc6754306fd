"""The libraries that are compared: each turns a model into a value-and-gradient call.

A peer is imported in a process of its own. The call takes no arguments and returns only
when the gradient is there. The namespace that a model is written for has NumPy's names
and ``conv max_pool relu gelu sigmoid softmax logsumexp layer_norm scan``, of SciPy's
``gammaln solve_triangular``: the library's own functions where it has them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from .model import Model

__all__ = [
    "BASE",
    "COMPILED",
    "OLD_JAX",
    "OURS",
    "PEERS",
    "Unavailable",
    "numpy_names",
]

Run = Callable[[], Any]
OURS = "anabranch"
BASE = "before"  # ours at another commit, see `homes`
COMPILED = "torch.compile"
OLD_JAX = "JAX 0.4.31"


class Unavailable(Exception):
    """The peer cannot run here."""


def _names(base: Any, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(base), "scan": _scan, **more})


def _scan(f: Callable[[Any, Any], tuple[Any, None]], carry: Any, xs: Any) -> Any:
    """A scan without results, where a library has none."""
    for t in range(len(xs)):
        carry, _ = f(carry, xs[t])
    return carry, None


def _later(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported when it is called first."""
    return lambda *arguments: getattr(import_module(module), name)(*arguments)


def _triangular(module: str) -> Callable[..., Any]:
    """``solve_triangular`` of a module like SciPy's, with a lower triangle."""

    def solve_triangular(a: Any, b: Any) -> Any:
        return import_module(module).solve_triangular(a, b, lower=True)

    return solve_triangular


def _interp(xp: Any, places: Callable[..., Any]) -> Callable[..., Any]:
    """Linear interpolation, where a library has none; ``places`` is searchsorted."""

    def interp(x: Any, at: Any, f: Any) -> Any:
        i = places(at, x)
        left, right = at[i - 1], at[i]
        share = xp.clip((x - left) / (right - left), 0.0, 1.0)
        return f[i - 1] + share * (f[i] - f[i - 1])

    return interp


def _layer_norm(xp: Any) -> Callable[..., Any]:
    def layer_norm(x: Any, scale: Any, offset: Any) -> Any:
        centred = x - xp.mean(x, axis=-1, keepdims=True)
        variance = xp.mean(centred * centred, axis=-1, keepdims=True)
        return centred / xp.sqrt(variance + 1e-5) * scale + offset

    return layer_norm


def numpy_names() -> SimpleNamespace:
    """The namespace of our models, which NumPy runs as well."""
    import anabranch as ab

    return _names(
        np,
        conv=ab.conv,
        max_pool=ab.max_pool,
        relu=ab.relu,
        gelu=lambda x: ab.gelu(x, approximate=True),
        sigmoid=ab.sigmoid,
        softmax=ab.softmax,
        logsumexp=ab.logsumexp,
        scan=ab.scan,
        layer_norm=_layer_norm(np),
        gammaln=_later("scipy.special", "gammaln"),
        solve_triangular=_triangular("scipy.linalg"),
    )


def _anabranch(model: Model, arguments: list[Any]) -> Run:
    import anabranch

    wrt = tuple(range(model.wrt))
    compiled = anabranch.value_and_grad(model.make(numpy_names()), argnums=wrt)
    return lambda: compiled(*arguments)


def _jax_names() -> SimpleNamespace:
    import jax
    from jax import lax, nn, numpy

    def conv(x: Any, w: Any, padding: int) -> Any:
        return lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2)

    def max_pool(x: Any, size: int) -> Any:
        window = (1, 1, size, size)
        return lax.reduce_window(x, -np.inf, lax.max, window, window, "VALID")

    return _names(
        numpy,
        conv=conv,
        max_pool=max_pool,
        relu=nn.relu,
        gelu=nn.gelu,
        sigmoid=nn.sigmoid,
        softmax=nn.softmax,
        logsumexp=jax.scipy.special.logsumexp,
        scan=lax.scan,
        layer_norm=_layer_norm(numpy),
        gammaln=jax.scipy.special.gammaln,
        solve_triangular=_triangular("jax.scipy.linalg"),
    )


def _jax(model: Model, arguments: list[Any]) -> Run:
    import jax

    jax.config.update("jax_enable_x64", arguments[0].dtype == np.float64)
    wrt = tuple(range(model.wrt))
    compiled = jax.jit(jax.value_and_grad(model.make(_jax_names()), argnums=wrt))
    arrays = [jax.numpy.asarray(argument) for argument in arguments]
    return lambda: jax.block_until_ready(compiled(*arrays))


def _torch_names() -> SimpleNamespace:
    import torch
    from torch.nn import functional

    def layer_norm(x: Any, scale: Any, offset: Any) -> Any:
        return functional.layer_norm(x, scale.shape, scale, offset)

    def solve_triangular(a: Any, b: Any) -> Any:
        return torch.linalg.solve_triangular(a, b[:, None], upper=False)[:, 0]

    def places(at: Any, x: Any) -> Any:
        return torch.clip(torch.searchsorted(at, x, right=True), 1, len(at) - 1)

    return _names(
        torch,
        conv=functional.conv2d,
        max_pool=functional.max_pool2d,
        relu=functional.relu,
        gelu=lambda x: functional.gelu(x, approximate="tanh"),
        softmax=lambda x, axis: torch.softmax(x, dim=axis),
        logsumexp=lambda x, axis: torch.logsumexp(x, dim=axis),
        layer_norm=layer_norm,
        eye=lambda n: torch.eye(n, dtype=torch.float64),
        sort=lambda x: torch.sort(x).values,
        gammaln=torch.lgamma,
        solve_triangular=solve_triangular,
        interp=_interp(torch, places),
    )


def _torch(model: Model, arguments: list[Any], *, compiled: bool = False) -> Run:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    function = model.make(_torch_names())
    if compiled:
        function = torch.compile(function)
    tensors = [torch.tensor(argument) for argument in arguments]
    wanted = tensors[: model.wrt]
    for tensor in wanted:
        tensor.requires_grad_(True)

    def run() -> Any:
        loss = function(*tensors)
        return loss.detach(), torch.autograd.grad(loss, wanted)

    return run


def _torch_compiled(model: Model, arguments: list[Any]) -> Run:
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise Unavailable("no C++ compiler")
    return _torch(model, arguments, compiled=True)


def _autograd_names() -> SimpleNamespace:
    import autograd.numpy
    from autograd.scipy import special
    from autograd.tracer import getval

    numpy: Any = autograd.numpy

    def softmax(x: Any, axis: int) -> Any:
        powers = numpy.exp(x - numpy.max(x, axis=axis, keepdims=True))
        return powers / numpy.sum(powers, axis=axis, keepdims=True)

    def gelu(x: Any) -> Any:
        inner = (2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1.0 + numpy.tanh(inner))

    def places(at: Any, x: Any) -> Any:
        found = np.searchsorted(at, getval(x), side="right")
        return np.clip(found, 1, len(at) - 1)

    def missing(*arguments: Any, **options: Any) -> Any:
        raise Unavailable("no convolution of batches, no pooling")

    return _names(
        numpy,
        conv=missing,
        max_pool=missing,
        relu=lambda x: numpy.maximum(x, 0),
        gelu=gelu,
        sigmoid=special.expit,
        softmax=softmax,
        logsumexp=special.logsumexp,
        layer_norm=_layer_norm(numpy),
        gammaln=special.gammaln,
        solve_triangular=_triangular("autograd.scipy.linalg"),
        interp=_interp(numpy, places),
    )


def _autograd(model: Model, arguments: list[Any]) -> Run:
    import autograd

    wrt = tuple(range(model.wrt))
    value_and_grad: Any = autograd.value_and_grad
    compiled = value_and_grad(model.make(_autograd_names()), argnum=wrt)
    return lambda: compiled(*arguments)


PEERS: dict[str, Callable[[Model, list[Any]], Run]] = {
    OURS: _anabranch,
    BASE: _anabranch,
    "JAX": _jax,
    OLD_JAX: _jax,
    "PyTorch": _torch,
    COMPILED: _torch_compiled,
    "autograd": _autograd,
}
