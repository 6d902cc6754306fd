"""Compiled functions as files: what is kept, and what runs again."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, Compiled, spec
from anabranch.compiler.tree import flatten
from tests.compiler.conftest import assert_same

W, X = np.linspace(-1, 1, 6).reshape(3, 2), np.linspace(0, 2, 12).reshape(4, 3)
CENTRE = np.array([0.5, -0.5])


def net(params: Any, x: Any, scale: Any = 1.0, *, mode: Any = "mean") -> Any:
    h = np.tanh(x @ params["w"] + params["b"]) - CENTRE
    y = np.sum(h * h) if mode == "sum" else np.mean(h * h)
    return y * scale


PARAMS = {"w": W, "b": np.array([0.1, 0.2])}


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class Layer:
    w: Any
    b: Any


@dataclass
class Counted(Layer):
    def __post_init__(self) -> None:
        self.count = 3


@pytest.fixture
def again(tmp_path: Path) -> Any:
    """``again(f)``: what is loaded of a saved function."""

    def again(function: Compiled, *args: Any, **options: Any) -> Compiled:
        path = tmp_path / "function.anabranch"
        function.save(path, *args)
        return anabranch.load(path, **options)

    return again


TRANSFORMS = {
    "jit": anabranch.jit,
    "grad": anabranch.grad,
    "by name": partial(anabranch.grad, argnums=("x", "params")),
    "value_and_grad": anabranch.value_and_grad,
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_results_are_the_same_bits(name: str, backend: str, again: Any) -> None:
    function = TRANSFORMS[name](net, backend=backend)
    calls = [(PARAMS, X), (PARAMS, X[:2]), (PARAMS, X, 2.0)]
    expected = [function(*call) for call in calls]
    loaded = again(function)
    assert loaded.backend == backend
    assert loaded.signatures == function.signatures
    for _ in range(3):  # the fast path too
        for call, result in zip(calls, expected, strict=True):
            assert_equal_trees(loaded(*call), result)


@anabranch.custom_vjp
def halved(x: Any, i: Any) -> Any:
    return x[i] * x[i]


halved.defvjp(
    lambda x, i: (halved(x, i), (x, i)),
    lambda kept, g: (np.where(np.arange(3) == kept[1], kept[0][kept[1]] * g, 0), None),
)


@pytest.mark.parametrize("name", ["jit", "grad", "value_and_grad"])
def test_a_rule_of_the_user(name: str, again: Any) -> None:
    """A check is put before each index of its regions, and the rule is kept."""

    def total(x: Any, i: Any) -> Any:
        return halved(x, i) + 2 * x[0]

    function = TRANSFORMS[name](total)
    x = np.array([1.0, 2.0, 3.0])
    expected = function(x, 2)
    loaded = again(function)
    assert_equal_trees(loaded(x, 2), expected)
    with pytest.raises(anabranch.BoundsError):
        loaded(x, 3)


def assert_equal_trees(made: Any, expected: Any) -> None:
    leaves, structure = flatten(made)
    others, other = flatten(expected)
    assert structure == other
    assert_same(leaves, others)


def test_another_process_without_the_source(tmp_path: Path, again: Any) -> None:
    """Of another vector width, too."""
    step = anabranch.value_and_grad(net)
    value, slopes = step(PARAMS, X)
    step.save(tmp_path / "step")
    np.savez(tmp_path / "data", x=X, w=PARAMS["w"], b=PARAMS["b"])
    code = (
        "import sys, numpy as np, anabranch\n"
        "step = anabranch.load('step')\n"
        "data = dict(np.load('data.npz')); x = data.pop('x')\n"
        "value, slopes = step({'w': data['w'], 'b': data['b']}, x)\n"
        "np.savez('result', value=value, **slopes)\n"
        "assert not {'numba', 'tests'} & sys.modules.keys()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(anabranch.__file__).parents[1])}
    for level in ({}, {"ANABRANCH_CPU": "x86-64-v2"}):
        if level and platform.machine() not in ("x86_64", "AMD64"):
            continue
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment | level,
            check=True,
        )
        result = np.load(tmp_path / "result.npz")
        for name, expected in {"value": value, **slopes}.items():
            np.testing.assert_allclose(result[name], expected, rtol=1e-13)


def test_arguments_by_position_and_by_name(again: Any) -> None:
    function = anabranch.jit(net, static_argnames="mode")
    function(PARAMS, X, 2.0)
    function(x=X, params=PARAMS, mode="sum")
    loaded = again(function)
    assert loaded(x=X, scale=2.0, params=PARAMS) == function(PARAMS, X, 2.0)
    assert loaded(PARAMS, X, mode="sum") == function(PARAMS, X, mode="sum")
    assert loaded(PARAMS, mode="sum", x=X) == function(PARAMS, X, mode="sum")
    with pytest.raises(ArgumentError, match=r"mode: static 'max'.*\n.*static 'sum'"):
        loaded(PARAMS, X, mode="max")


def test_other_signatures_are_refused_with_the_ones_saved(again: Any) -> None:
    function = anabranch.jit(net)
    function(PARAMS, X)
    loaded = again(function)
    with pytest.raises(
        ArgumentError, match=r"x is f64\[2,3\], and the graph of net takes f64\[4,3\]"
    ):
        loaded(PARAMS, X[:2])
    function(PARAMS, X[:3])
    loaded = again(function)
    with pytest.raises(ArgumentError) as error:
        loaded(PARAMS, X[:2])
    text = str(error.value)
    assert "net has no graph for (params.w: f64[3,2], params.b: f64[2], x: f64[2,3])"
    assert (
        "x: f64[4,3]), one for (params.w: f64[3,2], params.b: f64[2], x: f64[3,3])"
        in text
    )
    for bad in [(list(PARAMS.values()), X), ({"b": W[0], "w": W}, X), (PARAMS, X, 1)]:
        with pytest.raises(ArgumentError, match="net has no graph for"):
            loaded(*bad)
    with pytest.raises(ArgumentError, match="missing a required argument: 'x'"):
        loaded(PARAMS)


def test_errors_show_some_of_many(again: Any) -> None:
    function = anabranch.jit(lambda tree: tree[-1])
    for size in range(30, 41):
        function([X] * size)
    with pytest.raises(ArgumentError) as error:
        again(function)([X] * 50)
    text = str(error.value)
    assert "tree.7: f64[4,3], and 42 more)" in text
    assert text.endswith("one for 3 other calls")
    assert len(text) < 3000


def test_containers_with_equal_paths_are_told_apart(again: Any) -> None:
    function = anabranch.jit(lambda pair, x: pair[0] * x)
    function([1.0, 2.0], X)
    function((1.0, 2.0), X[0])
    loaded = again(function)
    assert_same(loaded((1.0, 2.0), X[0]), X[0])
    with pytest.raises(ArgumentError, match=r"\(\[\*, \*\]|'pair': \[\*, \*\]"):
        loaded([1.0, 2.0], X[0])


def test_numbers_of_python_stay_weak(again: Any) -> None:
    function = anabranch.jit(lambda x, s: x * s)
    x = np.ones(3, np.float32)
    function(x, 2.0)
    loaded = again(function)
    assert loaded(x, 3.0).dtype == np.float32
    with pytest.raises(ArgumentError, match="takes a Python number as f64"):
        loaded(x, np.float64(3.0))


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        True,
        0.5,
        float("inf"),
        float("nan"),
        -0.0,
        'a\n\u20ac"',
        None,
        (1, ("b",)),
        (),
    ],
)
def test_static_values(value: Any, again: Any) -> None:
    function = anabranch.jit(lambda x, s: x + len(repr(s)), static_argnums=1)
    expected = function(X, value)
    assert_same(again(function)(X, value), expected)


@pytest.mark.parametrize("value", [np.float64(1.0), np.add, frozenset(), b"x", 10**400])
def test_static_values_that_no_file_can_hold(value: Any, again: Any) -> None:
    function = anabranch.jit(lambda x, s: x, static_argnums=1)
    function(X, value)
    with pytest.raises(ArgumentError, match=f"static {type(value).__name__} cannot"):
        again(function)


def test_trees_of_every_kind(again: Any) -> None:
    def function(tree: Any) -> Any:
        pair, layers = tree["pair"], tree[1, "a"]
        return {"sum": [pair.left + layers[0].w, None], 3: (layers[0], pair, ())}

    tree = {"pair": Pair(1.0, X), (1, "a"): [Layer(W[0, 0], 2)], None: None}
    compiled = anabranch.jit(function)
    expected = compiled(tree)
    loaded = again(compiled, types=[Pair, Layer])
    made = loaded(tree)
    assert_equal_trees(made, expected)
    assert type(made[3][0]) is Layer
    with pytest.raises(
        ArgumentError, match=r"namedtuple 'tests.*:Pair'.*\n.*types=\[P"
    ):
        again(compiled, types=[Layer])
    with pytest.raises(
        ArgumentError, match=r"dataclass 'tests.*:Layer'.*\n.*types=\[L"
    ):
        again(compiled, types=[Pair])


def test_classes_that_changed_are_refused(again: Any) -> None:
    function = anabranch.jit(lambda layer: layer.w)
    function(Layer(W, X))

    class Tuple(NamedTuple):
        w: Any
        b: Any

    @dataclass
    class Wider(Layer):
        extra: Any = field(default=0)

    for kind in Tuple, Wider:
        kind.__module__, kind.__qualname__ = Layer.__module__, Layer.__qualname__
    with pytest.raises(ArgumentError, match="was a dataclass when"):
        again(function, types=[Tuple])
    with pytest.raises(ArgumentError, match=r"had the fields .*'w', 'b'"):
        again(function, types=[Wider])


@pytest.mark.parametrize(
    ("tree", "what"),
    [
        (OrderedDict(x=X), "collections:OrderedDict cannot be saved"),
        ({np.float64(1): X}, "the key .* of a dict cannot be saved"),
        (Counted(X, X), "Counted that holds more than its fields"),
    ],
)
def test_trees_that_no_file_can_hold(tree: Any, what: str, again: Any) -> None:
    function = anabranch.jit(lambda tree: tree)
    function(tree)
    with pytest.raises(ArgumentError, match=what):
        again(function)


def test_deep_trees(again: Any) -> None:
    def nested(depth: int) -> Any:
        tree: Any = X
        for _ in range(depth):
            tree = [tree]
        return tree

    function = anabranch.jit(lambda tree: tree)
    function(nested(300))
    assert_equal_trees(again(function)(nested(300)), nested(300))
    function(nested(500))
    with pytest.raises(ArgumentError, match="deeper than"):
        again(function)


def test_captured_arrays_are_kept_once(tmp_path: Path) -> None:
    table, flags = np.arange(20000.0), np.array([[True], [False]])

    def function(x: Any) -> Any:
        return np.sum(table * x[0]) + flags * x

    compiled = anabranch.jit(function)
    expected = [compiled(X[0]), compiled(X[1, :2])]
    compiled.save(tmp_path / "f")
    assert table.nbytes < (tmp_path / "f").stat().st_size < table.nbytes + 5000
    table[:] = 0.0
    loaded = anabranch.load(tmp_path / "f")
    assert_same([loaded(X[0]), loaded(X[1, :2])], expected)


@pytest.mark.parametrize(
    "array",
    [
        np.array(2.5),
        np.zeros((0, 3)),
        np.asfortranarray(X),
        np.array([1.5, np.nan, -0.0], np.float32),
        np.array([True, False]),
        np.array([-(2**63), 2**63 - 1]),
        np.arange(5, dtype=np.uint8)[::2],
        np.array([1.0, 2.0], ">f8"),
    ],
)
def test_captured_arrays_of_every_kind(array: Any, again: Any, backend: str) -> None:
    function = anabranch.jit(lambda: array, backend=backend)
    expected = function()
    assert_same(again(function)(), expected)


def test_residuals_come_with_their_backward_pass(again: Any, backend: str) -> None:
    forward, backward = anabranch.fwd_and_bwd(
        lambda w, x: {"y": np.tanh(x @ w) ** 2, "c": CENTRE * w}, backend=backend
    )
    result, residuals = forward(W, X)
    loaded = again(forward)
    for _ in range(3):
        made, kept = loaded(W, X)
        assert_equal_trees(made, result)
        assert dict(kept).keys() == dict(residuals).keys()
        assert kept.backward.backend == backend
        for pull in kept.backward, backward:
            assert_same(pull(kept, made), backward(residuals, result))


def test_what_is_saved_can_be_chosen(again: Any) -> None:
    """With arguments or their types, without a call."""
    step = anabranch.value_and_grad(lambda w, x: np.sum(x @ w))
    loaded = again(step, W, spec("f64[7,3]"))
    assert loaded(W, np.ones((7, 3)))[0] == step(W, np.ones((7, 3)))[0]
    step(W, X)
    assert len(again(step).signatures) == 2
    assert len(again(step, W, X).signatures) == 1
    step.cache_clear()
    with pytest.raises(ArgumentError, match="no graph to save yet"):
        again(step)


def test_a_loaded_function_is_like_the_original(again: Any) -> None:
    step = anabranch.value_and_grad(net)
    value, _ = step(PARAMS, X)
    loaded = again(step)
    assert loaded.__name__ == "net"
    assert loaded.inspect_ir() == step.inspect_ir()
    assert loaded.inspect_ir("adjoint") == step.inspect_ir("adjoint")
    assert loaded.inspect_ir("plan") == step.inspect_ir("plan")
    users_lines = re.compile(r"^#   .*\n", re.M)
    assert loaded.inspect_source() == users_lines.sub("", step.inspect_source())
    assert loaded.report().nodes == step.report().nodes
    assert loaded.py_func(PARAMS, X)[0] == pytest.approx(value)
    graph = anabranch.make_ir(loaded)(PARAMS, X)
    assert graph == anabranch.make_ir(step)(PARAMS, X)
    assert len(graph.contributions("sub.0" if "sub.0" in graph else "h")) == 2


def test_a_loaded_function_nests_and_has_gradients(again: Any) -> None:
    function = anabranch.jit(net)
    function(PARAMS, X)
    loaded = again(function)
    assert_equal_trees(
        anabranch.grad(loaded)(PARAMS, X), anabranch.grad(net)(PARAMS, X)
    )
    outer = anabranch.jit(lambda p, x: loaded(p, x * 2.0))
    assert outer(PARAMS, X) == anabranch.jit(net)(PARAMS, X * 2.0)
    out = np.zeros(())
    for _ in range(3):
        assert loaded(PARAMS, X, out=out) is out
    assert out == function(PARAMS, X)


def test_saved_again_it_is_the_same_file(tmp_path: Path) -> None:
    function = anabranch.jit(net, static_argnums=2, static_argnames="mode")
    function(PARAMS, X, 3, mode="sum")
    function(PARAMS, X)
    function.save(tmp_path / "one")
    anabranch.load(tmp_path / "one").save(str(tmp_path / "two"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_graph_is_saved_like_a_function(again: Any) -> None:
    graph = anabranch.make_ir(lambda x: x * 2.0)(X)
    loaded = again(anabranch.jit(graph), X)
    assert_same(loaded(X), X * 2.0)


def test_the_backend_can_be_another(again: Any) -> None:
    function = anabranch.jit(net)
    function(PARAMS, X)
    loaded = again(function, backend="reference")
    assert loaded.backend == "reference"
    assert loaded(PARAMS, X) == pytest.approx(net(PARAMS, X), rel=1e-14)
    with pytest.raises(ArgumentError, match="no backend is called 'abacus'"):
        again(function, backend="abacus")


def test_functions_whose_parameters_python_does_not_know(again: Any) -> None:
    function = anabranch.jit(np.maximum)
    function(X, 1.0)
    loaded = again(function)
    assert_same(loaded(X, 1.0), np.maximum(X, 1.0))


def test_any_number_of_arguments(again: Any) -> None:
    function = anabranch.jit(lambda x, *more, **named: x + sum(more) + named["k"])
    expected = function(X, 1.0, X, k=2.0, other=1)
    assert_same(again(function)(X, 1.0, X, k=2.0, other=1), expected)


def test_a_failed_save_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_text("before")
    function = anabranch.jit(net)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        function.save(path, PARAMS, X)
    assert [item.name for item in tmp_path.iterdir()] == ["f"]
    assert path.read_text() == "before"


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    function = anabranch.jit(net)
    for path in tmp_path, tmp_path / "absent" / "f":
        with pytest.raises((IsADirectoryError, FileNotFoundError, PermissionError)):
            function.save(path, PARAMS, X)
    assert list(tmp_path.iterdir()) == []
