"""Programs of autograd's users, with autograd as the oracle."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.stats

import anabranch as ab
from tests.programs.autograd_users import PROGRAMS
from tests.programs.record import leaves

SHARED = "grad value_and_grad jacobian hessian elementwise_grad make_hvp".split()


def operators(module: Any, hvp: Any, stats: Any) -> SimpleNamespace:
    """Those of a library, by the names of autograd."""
    named = {name: getattr(module, name) for name in SHARED}
    return SimpleNamespace(hessian_vector_product=hvp, norm=stats.norm, **named)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_computes_what_it_does_with_autograd(name: str) -> None:
    autograd: Any = import_module("autograd")
    stats = import_module("autograd.scipy.stats")
    theirs = operators(autograd, autograd.hessian_vector_product, stats)
    ours = operators(ab, ab.hvp, scipy.stats)
    expected = leaves(PROGRAMS[name](import_module("autograd.numpy"), theirs))
    made = leaves(PROGRAMS[name](np, ours))
    for one, two in zip(made, expected, strict=True):
        assert np.shape(one) == np.shape(two)
        scale = max(1.0, float(np.max(np.abs(two))))
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-10 * scale)


def test_there_are_ten_and_more() -> None:
    assert len(PROGRAMS) >= 10
