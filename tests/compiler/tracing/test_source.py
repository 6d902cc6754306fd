"""Values are called what the user's program calls them."""

from __future__ import annotations

import numpy as np

import anabranch


def _names(function) -> list[str]:
    return list(anabranch.make_ir(function)(np.ones(3)).nodes)


def test_the_result_of_a_numpy_call_has_the_name_of_its_variable():
    def function(x):
        bent = np.tanh(x)
        return bent

    assert _names(function) == ["x", "bent"]


def test_the_result_of_a_library_function_has_the_name_of_its_variable():
    def function(x):
        bent = anabranch.sigmoid(x)
        return bent

    assert _names(function) == ["x", "bent"]


def test_the_operands_of_what_is_assigned_do_not_have_its_name():
    def function(x):
        bent = anabranch.sigmoid(np.tanh(x))
        return bent

    assert _names(function) == ["x", "tanh.0", "bent"]


def test_what_is_returned_early_has_no_name_of_rewritten_code():
    def f(x):
        for i in range(2):
            if i == 1:
                return np.exp(x)
        return x

    graph = anabranch.make_ir(f)(1.0)
    assert anabranch.parse(graph.as_text()) == graph
