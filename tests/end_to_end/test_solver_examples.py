"""Examples of solvers and derivatives: each ends in asserts about what it found."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


STEMS = (
    "neural_ode deep_equilibrium gaussian_process scipy_optimize kalman laplace newton"
).split()


@pytest.mark.parametrize("stem", STEMS)
def test_an_example_succeeds(stem: str) -> None:
    found = runpy.run_path(str(EXAMPLES / f"{stem}.py"))["main"]()
    assert all(isinstance(value, float) for value in found.values())
