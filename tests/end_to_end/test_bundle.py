"""The bundle adjustment in small: it fits, as with a Jacobian by differences."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def bundle():
    """The example's names."""
    return runpy.run_path(str(EXAMPLES / "bundle.py"))


def test_it_fits(bundle, capsys):
    bundle["main"]()
    assert "8 colours of columns" in capsys.readouterr().out


def test_the_jacobian_is_that_by_differences(bundle):
    poses, places, scene = bundle["world"](3, 5, 2)
    jacobian = bundle["sparse_jacobian"](bundle["residuals"], argnums=(0, 1))
    found = jacobian(poses, places, scene).toarray()
    point = np.concatenate([poses.ravel(), places.ravel()])

    def off(x):
        first, rest = np.split(x, [poses.size])
        shaped = first.reshape(poses.shape), rest.reshape(places.shape)
        return bundle["residuals"](*shaped, scene)

    steps = 1e-6 * np.eye(point.size)
    wanted = [(off(point + step) - off(point - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(found, np.transpose(wanted), atol=1e-8)
    np.testing.assert_array_equal(found != 0, np.abs(np.transpose(wanted)) > 1e-12)
