"""The page for users of other libraries names what exists, and equals it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anabranch as ab

autograd: Any = import_module("autograd")
anp: Any = import_module("autograd.numpy")
flatten: Any = import_module("autograd.misc").flatten

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]
OURS = sorted(set(re.findall(r"\bab((?:\.\w+)+)", PAGE)))
THEIRS = sorted(set(re.findall(r"`autograd((?:\.\w+)+)", PAGE)))
X, V = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2.0, -0.5])
Z = np.array([1.0 + 2.0j, -0.5 + 0.3j])


def found(module: Any, path: str) -> Any:
    return reduce(getattr, path.strip(".").split("."), module)


def test_there_are_three_tables_of_rows_with_something_of_ours_each() -> None:
    assert len(ROWS) > 80
    for row in ROWS:
        theirs, ours = row.split(" | ")[:2]
        assert theirs
        assert ours


@pytest.mark.parametrize("name", OURS)
def test_names_of_ours_exist(name: str) -> None:
    found(ab, name)


@pytest.mark.parametrize("name", THEIRS)
def test_names_of_autograd_exist(name: str) -> None:
    try:
        found(autograd, name)
    except AttributeError:
        parent, _, last = f"autograd{name}".rpartition(".")
        getattr(import_module(parent), last)


def test_every_transform_of_ours_is_on_the_page() -> None:
    transforms = """
        divergence elementwise_grad fwd_and_bwd grad grad_and_aux hessian hvp jacfwd
        jacobian jacrev jvp laplacian linearize make_hvp value_and_grad
        value_and_jacobian vjp vmap vectorize checkpoint checkpointed sparse_jacobian
        sparse_hessian sparsity root fixed_point minimize linear_solve odeint
        grad_clip grad_scale saved_residuals
    """.split()
    derivatives = PAGE + (Path(__file__).parents[2] / "docs/derivatives.md").read_text()
    assert [name for name in transforms if f"ab.{name}(" not in derivatives] == []


def loss(xp: Any) -> Any:
    return lambda x: xp.sum(xp.sin(x) * x[0]) + xp.prod(x)


def field(xp: Any) -> Any:
    return lambda x: xp.sin(x) * x[0]


TIED = np.array([2.0, 2.0, 1.0])
PAIRS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "value_and_grad": (
        lambda: autograd.value_and_grad(loss(anp))(X),
        lambda: ab.value_and_grad(loss(np))(X),
    ),
    "elementwise_grad": (
        lambda: [autograd.elementwise_grad(anp.sin)(X), autograd.deriv(anp.sin)(0.3)],
        lambda: [ab.elementwise_grad(np.sin)(X), ab.elementwise_grad(np.sin)(0.3)],
    ),
    "jacobian": (
        lambda: [autograd.jacobian(field(anp))(X), autograd.hessian(loss(anp))(X)],
        lambda: [ab.jacobian(field(np))(X), ab.hessian(loss(np))(X)],
    ),
    "hvp": (
        lambda: [autograd.hessian_vector_product(loss(anp))(X, V)],
        lambda: [ab.hvp(loss(np))(X, V)],
    ),
    "make_hvp": (
        lambda: at_vector(*autograd.make_hvp(loss(anp))(X)),
        lambda: at_vector(*ab.make_hvp(loss(np))(X)),
    ),
    "vjp": (
        lambda: at_vector(*autograd.make_vjp(field(anp))(X)),
        lambda: at_vector(lambda v: ab.vjp(field(np), X)[1](v)[0], field(np)(X)),
    ),
    "jvp": (
        lambda: autograd.make_jvp(field(anp))(X)(V),
        lambda: ab.jvp(field(np), (X,), (V,)),
    ),
    "holomorphic": (
        lambda: [autograd.holomorphic_grad(lambda z: anp.sum(anp.exp(z) * z[0]))(Z)],
        lambda: [ab.grad(lambda z: np.sum(np.exp(z) * z[0]), holomorphic=True)(Z)],
    ),
    "complex": (
        lambda: [np.conj(autograd.grad(lambda z: anp.sum(anp.abs(z**2)))(Z))],
        lambda: [ab.grad(lambda z: np.sum(np.abs(z**2)))(Z)],
    ),
    "ties": (
        lambda: [autograd.grad(anp.max)(TIED)],
        lambda: [ab.grad(np.max)(TIED)],
    ),
    "ravel": (
        lambda: [flatten([X, (V, 2.0)])[0]],
        lambda: [ab.ravel_pytree([X, (V, 2.0)])[0]],
    ),
}


def at_vector(function: Callable[[Any], Any], beside: Any) -> list[Any]:
    return [function(V), beside]


@pytest.mark.parametrize("name", PAIRS)
def test_values_are_those_of_autograd(name: str) -> None:
    theirs, ours = PAIRS[name]
    for one, other in zip(theirs(), ours(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-14)
