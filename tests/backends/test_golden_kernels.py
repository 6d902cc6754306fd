"""Plans and kernels as texts, for each width of vectors: the same on every machine.

A change of what is generated shows here as a difference that can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.machine import using
from anabranch.backends.llvm.run.executable import LLVMExecutable
from tests.conftest import Golden
from tests.machines import WIDTHS, with_vectors


def layer(w: Any, b: Any, x: Any) -> Any:
    """A product, rows with totals of their own, and a sum over all."""
    scores = np.tanh(x @ w + b)
    return np.mean(anabranch.logsumexp(scores, axis=1) - scores[:, 0])


def convolution(w: Any, x: Any) -> Any:
    return np.sum(anabranch.max_pool(anabranch.conv(x, w), 2))


def recursion(r: Any) -> Any:
    """A scalar loop: sums and stores in lanes, and one that waits for the last."""

    def order(k: Any, y: Any) -> Any:
        dot = anabranch.fori_loop(0, k, lambda i, total: total + r[i] * y[i], r[0])
        y = y.copy()
        y[k] = dot / 2 + y[k - 1]
        return y

    return np.sum(anabranch.fori_loop(1, r.shape[0], order, np.zeros(r.shape[0])))


MODELS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], type]] = {
    "layer": (layer, [(20, 40), (40,), (30, 20)], np.float32),
    "recursion": (recursion, [(50,)], np.float64),
    "convolution": (convolution, [(5, 3, 3, 3), (2, 3, 12, 10)], np.float64),
}


@pytest.mark.parametrize("vector_bytes", WIDTHS)
@pytest.mark.parametrize("name", MODELS)
def test_plan_and_kernels(name: str, vector_bytes: int, golden: Golden) -> None:
    function, shapes, dtype = MODELS[name]
    with using(with_vectors(vector_bytes)):
        compiled = anabranch.value_and_grad(function)
        compiled(*(np.ones(shape, dtype) for shape in shapes))
        executable = compiled._newest().runner("llvm")
    assert isinstance(executable, LLVMExecutable)
    sources = "\n".join(executable.sources)
    text = f"{compiled.inspect_ir(stage='plan')}\n{sources}"
    golden.check(f"kernels.{name}.{vector_bytes}", text)
