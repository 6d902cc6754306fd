"""Tests test something under PYTHONOPTIMIZE too, where Python drops asserts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.oracles.bits import assert_same_bits


def test_an_assert_of_a_test_can_fail() -> None:
    one = np.ones(1)
    with pytest.raises(AssertionError):
        assert one == 0.0


def test_an_assert_of_a_helper_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_same_bits([np.ones(1)], [np.zeros(1)])


def test_both_can_fail_without_asserts() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "can_fail and not both", __file__],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONOPTIMIZE": "2"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stdout
