"""The main job in small: a few passes over the digits."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import anabranch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def digits():
    """The example's names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield runpy.run_path(str(EXAMPLES / "digits.py"))


@pytest.fixture
def build(digits, monkeypatch, tmp_path):
    """The folder that the example writes to."""
    monkeypatch.setitem(digits["write_graphs"].__globals__, "BUILD", tmp_path)
    return tmp_path


@pytest.fixture
def batch(digits):
    """Parameters and eight digits."""
    rng = np.random.default_rng(3)
    data = digits["load"](False, rng)
    return digits["start"](8, rng), data.x[:8], data.y[:8]


def test_a_short_run_learns(digits, build, capsys):
    assert digits["main"](["--epochs", "5"]) > 0.9
    printed = capsys.readouterr().out
    judged = ("epoch", "loss  ", "test accuracy", "# sum node", "picture", "to compile")
    places = [printed.index(words) for words in (*judged, "time per step")]
    assert places == sorted(places)
    assert printed.splitlines()[-1].startswith("time per step")
    assert str(build / "digits.svg") in printed


def test_the_sum_node_is_shown_with_what_it_adds(digits, build, capsys):
    digits["main"](["--epochs", "1", "--backend", "reference"])
    shown = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(shown) if "is read 3 times" in line)
    for number, line in enumerate(shown[first + 1 : first + 4]):
        assert line.startswith(f"  %p.hidden.bar.{number} = matmul(")
        assert "digits.py:" in line
    assert shown[first + 4].startswith("  %p.hidden.bar = add_n(%p.hidden.bar.0, ")


def test_the_dumps_and_the_picture_are_written(digits, build):
    digits["main"](["--epochs", "1", "--backend", "reference"])
    for stage in ("forward", "adjoint", "optimised"):
        text = (build / f"digits.{stage}.txt").read_text(encoding="utf-8")
        assert anabranch.parse(text).as_text() == text
    assert (build / "digits.plan.txt").stat().st_size
    assert ElementTree.parse(build / "digits.svg").getroot() is not None


def test_test_digits_are_not_learned_from(digits):
    data = digits["load"](False, np.random.default_rng(0))
    assert len(data.y) + len(data.test_y) == 1797
    learned = {image.tobytes() for image in data.x}
    assert not learned & {image.tobytes() for image in data.test_x}


def test_the_hidden_weight_has_one_sum_node_of_three(digits, batch):
    gradient = anabranch.grad(digits["loss"])
    graph = gradient.program(*batch).graph
    assert len(graph.contributions("p.hidden")) == 3
    assert len(graph["p.hidden.bar"].operands) == 3
    assert len(graph.contributions("p.kernel")) == 1


def test_the_network_is_plain_numpy(digits, batch, backend):
    params, x, _ = batch
    made = anabranch.jit(digits["logits"], backend=backend)(params, x)
    np.testing.assert_allclose(made, digits["logits"](params, x), rtol=1e-4, atol=1e-5)


def test_gradients_of_the_network_agree_with_differences(digits, batch, backend):
    """Along one direction through all parameters, in f64.

    Not from the start, where the biases are 0 and so is relu's argument behind an
    empty corner of an image.
    """
    params, x, y = batch
    rng = np.random.default_rng(5)
    wide = {name: p + 0.1 * rng.standard_normal(p.shape) for name, p in params.items()}
    way = {name: rng.standard_normal(value.shape) for name, value in wide.items()}
    slopes = anabranch.grad(digits["loss"], backend=backend)(wide, x, y)

    def at(step):
        return digits["loss"]({n: v + step * way[n] for n, v in wide.items()}, x, y)

    h = 1e-5
    expected = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    made = sum(np.sum(slopes[name] * way[name]) for name in wide)
    assert made == pytest.approx(expected, rel=1e-6)


def test_a_run_compiles_once(digits, batch):
    params, _, _ = batch
    rng = np.random.default_rng(0)
    data = digits["load"](False, rng)
    gradient = anabranch.value_and_grad(digits["loss"], backend="reference")
    run = digits["train"](params, data, gradient, 1, rng)
    assert gradient.compile_count == 1
    assert all(value.dtype == np.float32 for value in run.params.values())
