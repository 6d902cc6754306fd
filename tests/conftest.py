"""Fixtures that every folder of tests shares."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

BACKENDS = ["reference"]
if find_spec("anabranch.backends.numba.executable") is not None:
    BACKENDS.append("numba")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn."""
    return request.param
