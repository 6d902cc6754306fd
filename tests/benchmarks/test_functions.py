from __future__ import annotations

import numpy as np
import pytest

from benchmarks.functions import functions
from benchmarks.measure import disagreements
from benchmarks.peers import OURS, PEERS

SMALL = functions(processes=(5, 12), count=7, side=8, spectra=(8, 16), length=400)


@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.name)
def test_value_and_gradient_by_hand_are_ours(model):
    arguments = model.arguments(np.random.default_rng(1))
    kept = [array.copy() for array in arguments]
    value, gradient = model.by_hand(*arguments)
    ours = PEERS[OURS](model, arguments)()
    answers = {OURS: ours, "by hand": (value, list(gradient))}
    assert disagreements(answers) == {}
    for array, before in zip(arguments, kept, strict=True):
        np.testing.assert_array_equal(array, before)
