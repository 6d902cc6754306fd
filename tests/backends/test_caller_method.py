"""The builtin method in front of the fast path calls Python wherever Python has to."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import traceback
from typing import Any

import numpy as np
import pytest

from anabranch import ArgumentError, disable_jit, fwd_and_bwd, jit
from anabranch.backends.llvm.run.fastcall.caller import supported
from anabranch.compiler.calls.function import Compiled
from anabranch.compiler.transforms.residuals import PullBack

from .calls import X, same

pytestmark = pytest.mark.skipif(not supported(), reason="no fast path on this Python")


@pytest.fixture(autouse=True)
def _put_in_front() -> None:
    compiled = jit(lambda x: x + 1)
    compiled(X)
    compiled(X)
    assert type(Compiled.__call__).__name__ == "method_descriptor"


def test_it_gives_what_the_python_method_gives() -> None:
    compiled = jit(lambda x, scale=1.0, *, shift=0.0: {"a": x * scale + shift})
    for _ in range(3):
        same(compiled(X), {"a": X + 0.0})
        same(compiled(X, 2.0), {"a": X * 2})
        same(compiled(X, shift=1.0), {"a": X + 1})
        same(compiled(x=X, scale=3.0), {"a": X * 3})


def test_new_signatures_are_traced() -> None:
    compiled = jit(lambda x: x.sum())
    for n in range(1, 6):
        assert compiled(np.ones(n)) == n
        assert compiled(np.ones(n)) == n
    assert compiled.compile_count == 5


def test_an_interpreted_call_does_not_go_it() -> None:
    seen: list[str] = []
    compiled = jit(lambda x: x * 2)
    compiled(X)
    compiled(X)
    entry = compiled._newest()
    runner = entry.runner
    entry.runner = lambda backend: seen.append(backend) or runner(backend)
    with disable_jit():
        same(compiled(X), X * 2)
    assert seen == ["reference"]
    compiled(X)
    assert seen == ["reference"]


def test_content_that_is_watched_is_looked_at() -> None:
    scale = np.ones(3)
    compiled = jit(lambda x: x * scale)
    x = np.ones(3)
    for _ in range(3):
        compiled(x)
    scale[:] = 5.0
    np.testing.assert_array_equal(compiled(x), 5.0 * x)


def test_errors_have_no_frames_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANABRANCH_TRACEBACK")
    compiled = jit(lambda x: x @ np.ones(5))
    with pytest.raises(ValueError, match="5") as caught:
        compiled(X)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert {frame.filename for frame in frames} == {__file__}


def test_methods_and_classes() -> None:
    class Model:
        @jit
        def double(self, x: np.ndarray) -> np.ndarray:
            return x * 2

    model = Model()
    for _ in range(3):
        same(model.double(X), X * 2)


@pytest.mark.parametrize("slot", ["_fast_path", "_watched"])
def test_an_object_that_was_never_made_is_an_error(slot: str) -> None:
    compiled = jit(lambda x: x + 1)
    compiled(X)
    delattr(compiled, slot)
    with pytest.raises(AttributeError, match=slot):
        compiled(X)


def test_too_many_arguments_are_the_users_error() -> None:
    compiled = jit(lambda x: x)
    compiled(X)
    compiled(X)
    with pytest.raises(TypeError):
        compiled(X, X)
    with pytest.raises(TypeError):
        compiled(X, y=X)


def test_its_references_balance() -> None:
    compiled = jit(lambda x: x * 2)
    x = np.ones(3)
    options: dict[str, np.ndarray] = {"x": x}
    for _ in range(3):
        compiled(x)
        compiled(**options)
    before = sys.getrefcount(x), sys.getrefcount(compiled), sys.getrefcount(options)
    for _ in range(100):
        compiled(x)
        compiled(**options)
    after = sys.getrefcount(x), sys.getrefcount(compiled), sys.getrefcount(options)
    assert before == after


def test_a_pull_back_goes_the_path_of_its_residuals() -> None:
    cube, back = fwd_and_bwd(lambda x: (x**3).sum())
    wave, _ = fwd_and_bwd(lambda x: np.sin(x) * 2)
    for scale in 1.0, 2.0, 3.0, 4.0:
        x = X * scale
        _, cubes = cube(x)
        _, waves = wave(x)
        same(back(cubes, scale), scale * 3 * x**2)
        same(back(waves, X), 2 * np.cos(x) * X)
        same(back(cotangents=scale, residuals=cubes), scale * 3 * x**2)
    assert type(PullBack.__call__).__name__ == "method_descriptor"
    assert list(inspect.signature(back).parameters) == ["residuals", "cotangents"]
    with disable_jit():
        same(back(cubes, 1.0), 3 * x**2)
    assert pickle.loads(pickle.dumps(back)) is copy.deepcopy(back) is back


@pytest.mark.parametrize("arguments", [(), (1.0,), (1.0, 1.0), (None, 1.0, 2.0)])
def test_a_pull_back_of_no_residuals(arguments: Any) -> None:
    forward, back = fwd_and_bwd(lambda x: (x**2).sum())
    kept = [forward(X)[1] for _ in range(3)]
    for residuals in kept:
        same(back(residuals, 1.0), 2 * X)
    with pytest.raises((TypeError, ArgumentError)):
        back(*arguments)
    with pytest.raises(ArgumentError, match="cotangent"):
        back(kept[-1], np.ones(7))


def test_references_of_a_pull_back_balance() -> None:
    forward, back = fwd_and_bwd(lambda x: (x**2).sum())
    kept = [forward(X)[1] for _ in range(3)]
    seed = np.array(1.0)
    for residuals in kept:
        back(residuals, seed)
    counted = seed, kept[-1], kept[-1].held, kept[-1].backward
    before = [sys.getrefcount(one) for one in counted]
    for _ in range(100):
        back(kept[-1], seed)
    assert [sys.getrefcount(one) for one in counted] == before
