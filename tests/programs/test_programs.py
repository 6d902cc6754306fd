"""Sixty programs as a scientist writes them in plain NumPy, unchanged.

Results and written arguments are NumPy's. Gradients are those of five-point
differences of the NumPy program, of the reference backend, and of the same program with
every loop kept as a loop; second derivatives are differences of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.programs.record import Program, copied, every_program, leaves, loss_of

PROGRAMS = every_program()
STEP = 1e-4
NUMBERS = (bool, int, float, np.generic, np.ndarray)
Array = np.ndarray[Any, Any]


def moved(tree: Any, entries: Iterator[float]) -> Any:
    """A tree with a number of ``entries`` added to each of its own."""
    if isinstance(tree, dict):
        return {key: moved(value, entries) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(moved(part, entries) for part in tree)
    if isinstance(tree, str):
        return tree
    shape = np.shape(tree)
    offsets = np.reshape([next(entries) for _ in range(np.size(tree))], shape)
    return tree + (offsets if shape else offsets.item())


def along(one: Program, direction: Array, by: float) -> tuple[Any, ...]:
    """The arguments, those that are differentiated by moved along a direction."""
    entries = iter(by * direction)
    return tuple(
        moved(arg, entries) if i in one.wrt else copied(arg)
        for i, arg in enumerate(one.args)
    )


def size_of(one: Program) -> int:
    return sum(np.size(leaf) for i in one.wrt for leaf in leaves(one.args[i]))


def flat(gradient: Any) -> Array:
    return np.concatenate([np.ravel(leaf) for leaf in leaves(gradient)])


@cache
def differences(name: str) -> Array:
    """The gradient of the NumPy program by five-point differences."""
    one = PROGRAMS[name]
    loss = loss_of(one.function)

    def at(direction: Array, by: float) -> float:
        return float(loss(*along(one, direction, by)))

    return np.array(
        [
            (at(e, -2 * STEP) - 8 * at(e, -STEP) + 8 * at(e, STEP) - at(e, 2 * STEP))
            / (12 * STEP)
            for e in np.eye(size_of(one))
        ]
    )


every_program = pytest.mark.parametrize("name", PROGRAMS)


@cache
def gradient_of(name: str, backend: str) -> tuple[float, Array]:
    one = PROGRAMS[name]
    made = anabranch.value_and_grad(loss_of(one.function), one.wrt, backend=backend)
    value, gradient = made(*copied(one.args))
    return float(value), flat(gradient)


def check_values(one: Program, backend: str) -> None:
    """Two calls of one compilation, against NumPy: results and written arguments."""
    compiled = anabranch.jit(one.function, backend=backend)
    for by in (0.0, 0.03):
        ours = along(one, np.cos(np.arange(size_of(one))), by)
        plain = copied(ours)
        made, expected = compiled(*ours), one.function(*plain)
        pairs = zip(leaves((made, ours)), leaves((expected, plain)), strict=True)
        for a, b in pairs:
            if isinstance(b, NUMBERS):
                assert np.shape(a) == np.shape(b)
                found: Any = b
                np.testing.assert_allclose(a, found, rtol=1e-10, atol=1e-12)
            else:
                assert a is b
    assert compiled.compile_count == 1


def assert_close(made: Array, expected: Array, tolerance: float) -> None:
    scale = max(1.0, float(np.max(np.abs(expected))))
    np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance * scale)


@every_program
def test_values(name: str, backend: str) -> None:
    check_values(PROGRAMS[name], backend)


@every_program
@pytest.mark.usefixtures("forced")
def test_values_with_loops_as_nodes(name: str, backend: str) -> None:
    check_values(PROGRAMS[name], backend)


@every_program
def test_gradients(name: str, backend: str) -> None:
    value, gradient = gradient_of(name, backend)
    one = PROGRAMS[name]
    np.testing.assert_allclose(value, loss_of(one.function)(*one.args), rtol=1e-10)
    assert_close(gradient, differences(name), 1e-6)
    assert_close(gradient, gradient_of(name, "reference")[1], 1e-11)


@every_program
def test_gradients_with_loops_as_nodes(
    name: str, backend: str, request: pytest.FixtureRequest
) -> None:
    one = PROGRAMS[name]
    unrolled = gradient_of(name, "reference")[1]
    request.getfixturevalue("forced")
    made = anabranch.grad(loss_of(one.function), one.wrt, backend=backend)
    assert_close(flat(made(*copied(one.args))), unrolled, 1e-10)


@pytest.mark.parametrize("name", [x for x in PROGRAMS if PROGRAMS[x].second])
def test_second_derivatives(name: str, backend: str) -> None:
    """The Hessian times a direction, against differences of the gradient."""
    one = PROGRAMS[name]
    size = size_of(one)
    direction = np.cos(1.0 + np.arange(size))
    first = anabranch.grad(loss_of(one.function), one.wrt, backend=backend)

    def slope(*args: Any) -> Any:
        found = leaves(first(*args))
        total, at = 0.0, 0
        for value in found:
            part = direction[at : at + np.size(value)].reshape(np.shape(value))
            total = total + np.sum(part * value)
            at += np.size(value)
        return total

    made = flat(anabranch.grad(slope, one.wrt, backend=backend)(*one.args))
    a, b, c, d = (flat(first(*along(one, direction, k * STEP))) for k in (-2, -1, 1, 2))
    assert_close(made, (a - 8 * b + 8 * c - d) / (12 * STEP), 1e-6)


def test_there_are_sixty_and_more_and_twenty_of_them_twice() -> None:
    assert len(PROGRAMS) >= 60
    assert sum(one.second for one in PROGRAMS.values()) >= 20
