"""The same kernel source by LLVM and by Numba gives the same values.

The two share no front end and no functions: Numba calls libm where we have our own. To
16 units of rounding: each may be 2 off, and sums are added up in another order.
"""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.llvm.kernels.library import library_source
from anabranch.backends.llvm.run.executable import compiled
from tests.laws.op_graphs import compiled as run
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import SAMPLES


@pytest.mark.parametrize("op", SAMPLES)
def test_numba_agrees(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = max(SAMPLES[op][:8], key=lambda s: sum(x.size for x in s.operands))
    graph = one_op(op, sample)
    [ours] = run(graph, sample.operands)
    monkeypatch.setenv("ANABRANCH_KERNELS", "numba")
    [theirs] = run(graph, sample.operands)
    assert ours.dtype == theirs.dtype
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs)
        return
    rtol = 16 * float(np.finfo(ours.dtype).eps)
    scale = float(np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs)))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale)


def test_numba_is_what_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    source = library_source("take f64")
    ours = compiled([source])[source]
    monkeypatch.setenv("ANABRANCH_KERNELS", "numba")
    assert compiled([source])[source].address != ours.address
