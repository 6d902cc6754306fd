"""The examples succeed; their graphs are golden, their numbers derived by hand."""

from __future__ import annotations

import runpy
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import evaluate
from anabranch.compiler.tree import flatten

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("0*.py"))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The folder that the examples write to in these tests."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def load(build):
    """``load(stem)`` is an example as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        show = import_module("show")

        patch.setattr(show, "BUILD", build)
        yield cache(lambda stem: _module(EXAMPLES / f"{stem}.py"))


def _module(path: Path) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(path)))


@pytest.fixture(scope="module")
def run(load):
    """``run(stem)`` is what an example's main function returns."""
    return cache(lambda stem: load(stem).main())


def column(*numbers):
    return np.array([numbers], dtype=float).T


def values(gradient, *args):
    """Every value of a gradient's graph by name, from the reference interpreter."""
    program = gradient.program(*args)
    leaves = [np.asarray(leaf) for leaf in flatten(args)[0]]
    return {
        node.name: value
        for node, value in evaluate(program.graph, [*leaves, *program.captured])
    }


def test_there_are_six_worked_examples():
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("stem", NAMES)
def test_an_example_succeeds(run, stem):
    assert all(isinstance(made, anabranch.Compiled) for made in run(stem).values())


@pytest.mark.parametrize("stem", NAMES)
def test_an_example_succeeds_without_compiling(load, stem):
    with anabranch.disable_jit():
        load(stem).main()


@pytest.mark.parametrize("stem", NAMES)
def test_the_graphs_are_the_golden_ones(run, stem, golden):
    for name, made in run(stem).items():
        golden.check(f"{name}.forward", made.inspect_ir("forward"))
        golden.check(f"{name}.adjoint", made.inspect_ir("adjoint"))


@pytest.mark.parametrize("stem", NAMES)
def test_the_pictures_tell_the_roles_apart(run, build, stem):
    for name, made in run(stem).items():
        root = ElementTree.parse(build / f"{name}.svg").getroot()
        roles = {group.get("class") for group in root.iter() if group.get("class")}
        sums = {"sum"} if "add_n(" in made.inspect_ir("adjoint") else set()
        assert roles == {"input", "forward", "backward"} | sums


def test_shared_weight_by_hand(run):
    """Integers: H1 = (1, 2, 3), H2 = (5, 7, 8), Y = 43, dY = 1."""
    wx = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    wh = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    args = wx, wh, np.array([[1.0, 2.0, 3.0]]), column(1, 2), column(3, 4), column(42)
    made = run("01_shared_weight")
    for net in (made["01_shared_weight"], made["01_elman"]):
        loss, (dwx, dwh, dwy) = net(*args)
        assert loss == 0.5
        assert dwy.tolist() == [[5, 7, 8]]
        assert dwh.tolist() == [[1, 2, 3], [2, 4, 6], [3, 6, 9]]
        assert dwx.tolist() == [[3 + 3, 6 + 4], [1 + 6, 2 + 8], [2 + 9, 4 + 12]]


def test_contributions_of_the_shared_weight_by_hand(run):
    """The first read sends dH1 X1ᵀ, the second dH2 X2ᵀ."""
    wx = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    wh = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    args = wx, wh, np.array([[1.0, 2.0, 3.0]]), column(1, 2), column(3, 4), column(42)
    found = values(run("01_shared_weight")["01_shared_weight"], *args)
    assert found["wx.bar.0"].tolist() == [[3, 6], [1, 2], [2, 4]]
    assert found["wx.bar.1"].tolist() == [[3, 4], [6, 8], [9, 12]]


def test_three_paths_by_hand(run):
    """At w0 = 0 the sigmoid's derivative is 1/4, so a path is w x / 4."""
    args = 0.0, np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    found = values(run("02_conv")["02_paths"], *args)
    assert [found[f"w0.bar.{path}"] for path in range(3)] == [1.0, 2.5, 4.5]
    assert run("02_conv")["02_paths"](*args) == 8.0


def test_a_sliding_kernel_by_hand(run):
    second, x = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0, 7.0, 8.0])
    assert run("02_conv")["02_conv"](0.0, second, x) == 8.0


def test_pooling_by_hand(run):
    """The second kernel copies sigmoid(0 x) = 1/2; all are equal, so pairs share.

    o = (1/2, 1/2), p = 1/2, y = 2 p = 1, δ = 1, dp = 2, do = (1, 1): with x = (4, 8)
    dE/dw0 = (4 + 8) / 4, and each of the second kernel's entries meets h = 1/2 twice.
    """
    args = (0.0, np.array([1.0, 0, 0]), np.array([[2.0]]))
    x, t = np.array([4.0, 8.0, 0.0, 0.0, 0.0, 0.0]), np.array([0.0])
    loss, (dw0, dsecond, ddense) = run("02_conv")["02_pooled"](*args, x, t)
    assert loss == 0.5
    assert dw0 == 3.0
    assert dsecond.tolist() == [1.0, 1.0, 1.0]
    assert ddense.tolist() == [[0.5]]


def test_one_layer_by_hand(run):
    """z = (5, 11), δ = (1, -2)."""
    w, x = np.array([[1.0, 2.0], [3.0, 4.0]]), column(1, 2)
    net = run("03_one_layer")["03_linear"]
    loss, (dw, dx, db) = net(w, x, column(0, 0), column(4, 13))
    assert loss == 2.5
    assert dw.tolist() == [[1, 2], [-2, -4]]
    assert dx.tolist() == [[-5], [-6]]
    assert db.tolist() == [[1], [-2]]


@pytest.mark.parametrize("name", ["03_sigmoid", "03_library_sigmoid"])
def test_one_layer_with_a_sigmoid_by_hand(run, name):
    """z = 0, s = 1/2, δ = (1/2 - 0) 1/2 (1 - 1/2) = 1/8."""
    args = np.array([[1.0, -1.0]]), column(1, 1), column(0), column(0)
    loss, (dw, dx, db) = run("03_one_layer")[name](*args)
    assert loss == 0.125
    assert dw.tolist() == [[0.125, 0.125]]
    assert dx.tolist() == [[0.125], [-0.125]]
    assert db.tolist() == [[0.125]]


def test_two_layers_by_hand(run):
    """z1 = (3, 7), z2 = (3, 10), δ2 = (1, 2), δ1 = w2ᵀ δ2 = (3, 2)."""
    w1, w2 = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    args = w1, column(0, 0), w2, column(0, 0), column(1, 1), column(2, 8)
    net = run("04_layers")["04_two_layers"]
    found = values(net, *args)
    assert found["z2.bar"].tolist() == [[1], [2]]
    assert found["z1.bar"].tolist() == [[3], [2]]
    dw1, db1, dw2, db2 = net(*args)[1]
    assert dw2.tolist() == [[3, 7], [6, 14]]
    assert db2.tolist() == [[1], [2]]
    assert dw1.tolist() == [[3, 3], [2, 2]]
    assert db1.tolist() == [[3], [2]]


def test_layers_with_sigmoids_by_hand(run):
    """All z are 0: δ2 = 1/2 · 1/4, and δ1 = 4 δ2 / 4."""
    layers = [
        {"w": np.array([[1.0]]), "b": column(-1)},
        {"w": np.array([[4.0]]), "b": column(-2)},
    ]
    first, second = run("04_layers")["04_deep"](layers, column(1), column(0))
    assert second["b"] == 0.125
    assert second["w"] == 0.0625
    assert first["b"] == 0.125
    assert first["w"] == 0.125


def test_nested_layer_by_hand(run):
    """z1 = (3, 8), z2 = (19, 42), δ2 = (1, 2), δ1 = wᵀ δ2 = (7, 10)."""
    w = np.array([[1.0, 2.0], [3.0, 4.0]])
    args = w, column(0, 1), column(1, 1), column(18, 40)
    net = run("05_nested")["05_nested"]
    found = values(net, *args)
    assert found["w.bar.0"].tolist() == [[7, 7], [10, 10]]
    assert found["w.bar.1"].tolist() == [[3, 8], [6, 16]]
    loss, (dw, db) = net(*args)
    assert loss == 2.5
    assert dw.tolist() == [[10, 15], [16, 26]]
    assert db.tolist() == [[8], [12]]


def _mazur():
    """The arguments of the published example."""
    numbers = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
    weights = {f"w{k}": number for k, number in enumerate(numbers, 1)}
    return weights, 0.05, 0.10, 0.35, 0.60


def test_messages_are_as_published(run):
    """The second one is published cut off, not rounded, hence the last digit."""
    found = values(run("06_mazur")["06_mazur"], *_mazur())
    assert round(float(found["out_h1"]), 9) == 0.593269992
    assert round(float(found["out_o1"]), 9) == 0.751365070
    assert round(float(found["out_h1.bar.0"]), 9) == 0.055399425
    assert found["out_h1.bar.1"] == pytest.approx(-0.019049119, abs=1e-9)
    assert round(float(found["out_h1.bar"]), 9) == 0.036350306
    assert round(float(found["w.w1.bar"]), 9) == 0.000438568


def test_training_by_hand_ends_at_the_published_error(run):
    """10,000 updates in plain NumPy, with the delta rule, beside ours."""
    weights, *rest = _mazur()
    ours = run("06_mazur")["06_mazur"]
    first = np.array([[0.15, 0.20], [0.25, 0.30]])
    last = np.array([[0.40, 0.45], [0.50, 0.55]])
    i, t = column(0.05, 0.10), column(0.01, 0.99)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def forward():
        h = sigmoid(first @ i + 0.35)
        return h, sigmoid(last @ h + 0.60)

    for _ in range(10_000):
        h, o = forward()
        delta_o = (o - t) * o * (1 - o)
        delta_h = (last.T @ delta_o) * h * (1 - h)
        last = last - 0.5 * delta_o @ h.T
        first = first - 0.5 * delta_h @ i.T
        gradient = ours(weights, *rest)[1]
        weights = {name: w - 0.5 * gradient[name] for name, w in weights.items()}
    error = 0.5 * np.sum((t - forward()[1]) ** 2)
    assert round(float(error), 7) == 0.0000351
    assert float(ours(weights, *rest)[0]) == pytest.approx(error, rel=1e-9)
    assert list(weights.values()) == pytest.approx([*first.ravel(), *last.ravel()])


def test_messages_through_a_middle_layer_by_hand(run):
    """DE/d out_h1 = δj1 v1 + δj2 v3."""
    weights, i1, i2, _, _ = _mazur()
    v = {"v1": 0.1, "v2": 0.2, "v3": -0.3, "v4": 0.4}
    b = {"h": 0.35, "j": 0.5, "o": 0.60}
    net = run("06_mazur")["06_with_j"]
    found = values(net, weights, v, i1, i2, b)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    h1 = sigmoid(0.15 * 0.05 + 0.20 * 0.10 + 0.35)
    h2 = sigmoid(0.25 * 0.05 + 0.30 * 0.10 + 0.35)
    j1 = sigmoid(0.1 * h1 + 0.2 * h2 + 0.5)
    j2 = sigmoid(-0.3 * h1 + 0.4 * h2 + 0.5)
    o1 = sigmoid(0.40 * j1 + 0.45 * j2 + 0.60)
    o2 = sigmoid(0.50 * j1 + 0.55 * j2 + 0.60)
    delta_o1 = (o1 - 0.01) * o1 * (1 - o1)
    delta_o2 = (o2 - 0.99) * o2 * (1 - o2)
    delta_j1 = (delta_o1 * 0.40 + delta_o2 * 0.50) * j1 * (1 - j1)
    delta_j2 = (delta_o1 * 0.45 + delta_o2 * 0.55) * j2 * (1 - j2)
    messages = delta_j1 * 0.1, delta_j2 * -0.3
    assert found["out_h1.bar.0"] == pytest.approx(messages[0], rel=1e-12)
    assert found["out_h1.bar.1"] == pytest.approx(messages[1], rel=1e-12)
    assert found["out_h1.bar"] == pytest.approx(sum(messages), rel=1e-12)
