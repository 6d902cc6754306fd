"""The libraries that are compared: each turns a model into a value-and-gradient call.

A peer is imported in a process of its own. The call takes no arguments and returns only
when the gradient is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .models import Model

__all__ = ["PEERS"]

Run = Callable[[], Any]


def _anabranch(model: Model, arguments: list[Any]) -> Run:
    import anabranch

    wrt = tuple(range(model.wrt))
    compiled = anabranch.value_and_grad(model.make(np), argnums=wrt)
    return lambda: compiled(*arguments)


def _jax(model: Model, arguments: list[Any]) -> Run:
    import jax

    jax.config.update("jax_enable_x64", arguments[0].dtype == np.float64)
    wrt = tuple(range(model.wrt))
    compiled = jax.jit(jax.value_and_grad(model.make(jax.numpy), argnums=wrt))
    arrays = [jax.numpy.asarray(argument) for argument in arguments]
    return lambda: jax.block_until_ready(compiled(*arrays))


class TorchNumpy:
    """The few names of NumPy that the models use, from PyTorch."""

    def __init__(self) -> None:
        import torch

        self.exp, self.log = torch.exp, torch.log
        self.sin, self.tanh = torch.sin, torch.tanh
        self.sum, self.mean = torch.sum, torch.mean


def _torch(model: Model, arguments: list[Any]) -> Run:
    import torch

    function = model.make(TorchNumpy())
    tensors = [torch.tensor(argument) for argument in arguments]
    wanted = tensors[: model.wrt]
    for tensor in wanted:
        tensor.requires_grad_(True)

    def run() -> Any:
        loss = function(*tensors)
        return loss.detach(), torch.autograd.grad(loss, wanted)

    return run


def _autograd(model: Model, arguments: list[Any]) -> Run:
    import autograd
    import autograd.numpy

    wrt = tuple(range(model.wrt))
    compiled = autograd.value_and_grad(model.make(autograd.numpy), argnum=wrt)
    return lambda: compiled(*arguments)


PEERS: dict[str, Callable[[Model, list[Any]], Run]] = {
    "anabranch": _anabranch,
    "JAX": _jax,
    "PyTorch": _torch,
    "autograd": _autograd,
}
