"""Hessians of the programs as sparse matrices: those that are dense, and no less.

Three run by default, all under the marker ``fuzz``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anabranch import grad, jacrev, sparse_hessian
from anabranch.compiler.tree import flatten
from tests.programs.record import copied, every_program, loss_of

PROGRAMS = {name: one for name, one in every_program().items() if one.second}
SPARSE = ("heat", "sparse_times_vector", "crank_nicolson")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in SPARSE else pytest.mark.fuzz)
        for name in PROGRAMS
    ],
)
def test_equals_the_dense_one(name: str):
    one = PROGRAMS[name]
    loss = loss_of(one.function)
    made = sparse_hessian(loss, argnums=one.wrt, backend="reference")
    found = made(*copied(one.args)).toarray()
    gradient = grad(loss, argnums=one.wrt)
    dense = jacrev(gradient, argnums=one.wrt, backend="reference")
    wanted = blocks(dense, one)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    if name in SPARSE:
        assert made.sparsity(*copied(one.args)).nnz == np.count_nonzero(wanted)


def blocks(jacobian: Any, one: Any) -> Any:
    """A tree of blocks as one matrix."""
    sizes = [np.size(x) for which in one.wrt for x in flatten(one.args[which])[0]]
    found = iter(flatten(jacobian(*copied(one.args)))[0])
    rows = [[next(found).reshape(m, n) for n in sizes] for m in sizes]
    return np.block(rows)
