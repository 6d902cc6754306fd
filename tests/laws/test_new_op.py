"""An elementwise op is one record: nothing else has to know of it.

The op is registered for the time of a test; no list, no emitter and no lowering has its
name, and yet it runs and is differentiated on every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.tracing.running import find_trace
from anabranch.ir import OPS
from anabranch.ir.ops.elementwise import elementwise
from anabranch.ir.ops.spec import RECORDS

NAME = "softplus"
X = np.array([-3.0, -0.5, 0.25, 2.0])


@pytest.fixture
def softplus() -> Iterator[Callable[[Any], Any]]:
    """``log(1 + exp(x))`` of a traced array."""
    elementwise(
        NAME,
        1,
        lambda x: np.log1p(np.exp(x)),
        "log1p(exp({0}))",
        lambda b, n, g, x: (b.chain(g, b.sigmoid(x)),),
    )

    def call(x: Any) -> Any:
        trace = find_trace([x])
        assert trace is not None
        return trace.wrap(trace.builder.add_node(NAME, trace.node(x)))

    yield call
    del OPS[NAME], RECORDS[NAME]


def test_a_new_op_runs(softplus: Callable[[Any], Any], backend: str) -> None:
    compiled = anabranch.jit(lambda x: softplus(x) * 2.0, backend=backend)
    np.testing.assert_allclose(compiled(X), 2 * np.logaddexp(0.0, X), rtol=1e-14)
    assert NAME in str(compiled.inspect_ir())


def test_a_new_op_is_differentiated(
    softplus: Callable[[Any], Any], backend: str
) -> None:
    step = 1e-5
    found = anabranch.grad(lambda x: np.sum(softplus(x) ** 2), backend=backend)(X)
    above, below = (np.logaddexp(0.0, X + by) ** 2 for by in (step, -step))
    np.testing.assert_allclose(found, (above - below) / (2 * step), rtol=1e-8)


def test_a_new_op_has_a_second_derivative(
    softplus: Callable[[Any], Any], backend: str
) -> None:
    slope = anabranch.grad(lambda x: np.sum(softplus(x)))
    second = anabranch.grad(lambda x: np.sum(slope(x)), backend=backend)(X)
    sigmoid = 1 / (1 + np.exp(-X))
    np.testing.assert_allclose(second, sigmoid * (1 - sigmoid), rtol=1e-12)


@pytest.mark.usefixtures("softplus")
def test_no_second_op_has_its_name() -> None:
    with pytest.raises(ValueError, match="two ops are called softplus"):
        elementwise(NAME, 1, np.copy, "{0}", lambda b, n, g, x: (g,))
