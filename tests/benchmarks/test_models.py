from __future__ import annotations

from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.pipeline import optimise
from anabranch.ir.graph import Graph, Node
from benchmarks import mixture, networks, recurrent
from benchmarks.models import MODELS
from benchmarks.peers import numpy_names

TINY = {
    "Elman": (recurrent._elman, lambda r: recurrent._arguments(r, 3, 2, 4, 1)),
    "LSTM": (recurrent._lstm, lambda r: recurrent._arguments(r, 3, 2, 4, 4)),
    "Elman by scan": (
        recurrent._elman_scan,
        lambda r: recurrent._arguments(r, 3, 2, 4, 1),
    ),
    "LSTM by scan": (
        recurrent._lstm_scan,
        lambda r: recurrent._arguments(r, 3, 2, 4, 4),
    ),
    "LeNet": (networks._lenet, lambda r: networks._lenet_arguments(r, 2)),
    "transformer": (
        networks._transformer,
        lambda r: networks._transformer_arguments(r, 1, 2, 3, 8),
    ),
    "mixture": (mixture._mixture, lambda r: mixture._arguments(r, 5, 3, 2)),
}


@pytest.mark.parametrize("name", TINY)
def test_a_model_compiles_to_what_numpy_computes(name):
    make, arguments = TINY[name]
    loss, arrays = make(numpy_names()), arguments(np.random.default_rng(0))
    value = anabranch.jit(loss)(*arrays)
    np.testing.assert_allclose(value, loss(*arrays), rtol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_a_models_gradient_is_right(name):
    """With smooth functions in place of those with kinks."""
    make, arguments = TINY[name]
    smooth = {"relu": np.tanh, "max_pool": anabranch.avg_pool}
    loss = make(SimpleNamespace(**{**vars(numpy_names()), **smooth}))
    anabranch.check_grads(loss, arguments(np.random.default_rng(0)))


LONG = ("1000 steps", "elementwise")


@pytest.mark.parametrize(
    "model",
    [model for model in MODELS if not any(word in model.name for word in LONG)],
    ids=lambda model: model.name,
)
def test_a_floor_has_no_more_products_than_the_gradient(model):
    """At most as many multiplications as value and gradient, and not far fewer."""
    arguments = model.arguments(np.random.default_rng(0))
    gradient = anabranch.value_and_grad(
        model.make(numpy_names()), argnums=tuple(range(model.wrt))
    )
    graph = optimise(gradient.program(*arguments).graph)
    needed = sum(multiplications(graph, node) for node in graph)
    claimed = sum(product.multiplications for product in model.products)
    assert claimed <= needed
    if claimed:
        assert claimed >= 0.6 * needed


def multiplications(graph: Graph, node: Node) -> int:
    """Those of a product, a convolution or a loop of them, none for other nodes."""
    if node.op == "loop":
        (body,) = node.regions
        trips: Any = node.attrs["trips"]
        return trips * sum(multiplications(body, x) for x in body)
    if node.op in ("matmul", "matmul_add"):
        return prod(node.type.shape) * graph[node.operands[0]].type.shape[-1]
    if node.op == "conv":
        _, w = (graph[name].type.shape for name in node.operands)
        return prod(node.type.shape) * prod(w[1:])
    if node.op == "conv_input":
        y, w = (graph[name].type.shape for name in node.operands)
        return prod(y) * prod(w[1:])
    if node.op == "conv_kernel":
        _, y = (graph[name].type.shape for name in node.operands)
        return prod(y) * prod(node.type.shape[1:])
    return 0
