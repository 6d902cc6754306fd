"""Torch's op database as an oracle: values, gradients, gradients of gradients.

Its differentiable entries are written once more in NumPy, in `oracles.torch_ops`, or
stand there with the reason why not. Operands are the samples that torch tests with.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.oracles.torch_ops.table import (
    EXPRESSED,
    FIRST_ORDER,
    LEFT_OUT,
    NAN_IN_TORCH,
    PASSED_OVER,
    SEEN,
    TOLERANCES,
)

pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore")]
DATABASE = "torch.testing._internal.common_methods_invocations"
MOST = 64  # samples of an entry: the database has up to 1440


@pytest.fixture(scope="module", name="torch")
def _torch() -> Any:
    why = "torch and expecttest are not installed: pip install 'anabranch[fuzz]'"
    pytest.importorskip("expecttest", reason=why)
    return pytest.importorskip("torch", reason=why)


@pytest.fixture(scope="module", name="entries")
def _entries(torch: Any) -> dict[str, Any]:
    """The entries that have gradients in float64, by name and variant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        database: Any = importlib.import_module(DATABASE)
    return {
        ".".join(filter(None, (op.name, op.variant_test_name))): op
        for op in database.op_db
        if op.supports_autograd and torch.float64 in op.supported_backward_dtypes("cpu")
    }


def test_every_entry_is_expressed_or_left_out(entries: dict[str, Any]) -> None:
    left_out = [name for names in LEFT_OUT.values() for name in names]
    assert sorted([*EXPRESSED, *left_out]) == sorted(entries)
    print(f"\n{len(EXPRESSED)} of {len(entries)} entries are expressed in NumPy")
    for reason, names in LEFT_OUT.items():
        print(f"{len(names):4} are not: {reason}")


@pytest.mark.parametrize("name", EXPRESSED)
def test_is_what_torch_computes(torch: Any, entries: dict[str, Any], name: str) -> None:
    entry = entries[name]
    torch.manual_seed(0)
    samples = list(entry.sample_inputs("cpu", torch.float64, requires_grad=True))
    for sample in islice(samples, 0, None, -(-len(samples) // MOST)):
        _check(torch, entry, sample, EXPRESSED[name], name)


def _check(
    torch: Any, entry: Any, sample: Any, function: Callable[..., Any], name: str
) -> None:
    tree = (sample.input, sample.args, sample.kwargs)
    if name in PASSED_OVER:
        _, passes = PASSED_OVER[name]
        if passes(sample.input, *sample.args, **sample.kwargs):
            return
    tensors = [leaf for leaf in _leaves(torch, tree) if leaf.requires_grad]
    see: Any = SEEN.get(name, sample.output_process_fn_grad)
    made = see(entry(sample.input, *sample.args, **sample.kwargs))
    outs = [
        out
        for out in _leaves(torch, made)
        if out.is_floating_point() or out.is_complex()
    ]
    rng = np.random.default_rng(0)
    weights = [_weights(rng, out) for out in outs]
    against = [_random(rng, _array(x)) for x in tensors]

    def run(xs: Any) -> Any:
        given = iter(xs)
        x, args, kwargs = _plain(torch, tree, given)
        return _flat(function(x, *args, **kwargs))

    def loss(xs: Any, weights: Any) -> Any:
        made = run(xs)
        pairs = zip(made, weights, strict=True)
        return sum((_dot(y, w) for y, w in pairs), start=0.0), made

    def slope(xs: Any, weights: Any, against: Any) -> Any:
        slopes, _ = anabranch.grad(loss, has_aux=True)(xs, weights)
        return sum(
            (np.sum(g * v) for g, v in zip(slopes, against, strict=True)), start=0.0
        )

    xs = [_array(x) for x in tensors]
    (_, values), slopes = anabranch.value_and_grad(loss, has_aux=True)(xs, weights)
    tolerance = TOLERANCES.get(name, 1e-8)
    _compare(values, [_array(out) for out in outs], tolerance, "value")
    total = sum(_torch_dot(torch, out, w) for out, w in zip(outs, weights, strict=True))
    theirs = _torch_slopes(torch, total, tensors)
    _compare(slopes, [_array(g) for g in theirs], tolerance, "gradient")
    if not entry.supports_gradgrad or name in FIRST_ORDER:
        return
    total = sum(
        (g * torch.tensor(v)).sum() for g, v in zip(theirs, against, strict=True)
    )
    second = [_array(g) for g in _torch_slopes(torch, total, tensors)]
    ours = anabranch.grad(slope)(xs, weights, against)
    if name in NAN_IN_TORCH:
        second = [np.where(np.isnan(g), 0.0, g) for g in second]
    _compare(ours, second, 10 * tolerance, "gradient of the gradient")


def _torch_slopes(torch: Any, total: Any, tensors: list[Any]) -> list[Any]:
    """The gradient, zeros where nothing depends on a tensor."""
    if not getattr(total, "requires_grad", False) or not tensors:
        return [torch.zeros_like(x) for x in tensors]
    return torch.autograd.grad(
        total, tensors, create_graph=True, allow_unused=True, materialize_grads=True
    )


def _compare(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    assert len(ours) == len(theirs), what
    for mine, other in zip(ours, theirs, strict=True):
        assert np.shape(mine) == other.shape, what
        size = np.abs(other[np.isfinite(other)]).max(initial=1.0)
        np.testing.assert_allclose(
            mine, other, rtol=tolerance, atol=tolerance * size / 10, err_msg=what
        )


def _leaves(torch: Any, tree: Any) -> Iterator[Any]:
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from _leaves(torch, item)
    elif isinstance(tree, dict):
        yield from _leaves(torch, list(tree.values()))


def _plain(torch: Any, tree: Any, given: Iterator[Any]) -> Any:
    """The arguments of a sample with NumPy's types, and ``given`` for its operands."""
    if isinstance(tree, torch.Tensor):
        return next(given) if tree.requires_grad else _array(tree)
    if isinstance(tree, torch.Size):
        return tuple(tree)
    if isinstance(tree, (list, tuple)):
        return type(tree)([_plain(torch, item, given) for item in tree])
    if isinstance(tree, dict):
        return {key: _plain(torch, item, given) for key, item in tree.items()}
    if isinstance(tree, torch.dtype):
        return np.dtype(str(tree).removeprefix("torch."))
    return tree


def _array(tensor: Any) -> Any:
    return tensor.numpy(force=True).copy()


def _flat(made: Any) -> list[Any]:
    return list(made) if isinstance(made, (list, tuple)) else [made]


def _random(rng: Any, like: Any) -> Any:
    return rng.normal(size=like.shape)


def _weights(rng: Any, out: Any) -> Any:
    """What the parts of an output count in the loss: nothing if torch has no slope."""
    parts = rng.normal(size=(2, *out.shape)) * bool(out.requires_grad)
    return parts if out.is_complex() else parts[0]


def _dot(y: Any, weights: Any) -> Any:
    if weights.ndim == np.ndim(y):
        return np.sum(y * weights)
    return np.sum(np.real(y) * weights[0] + np.imag(y) * weights[1])


def _torch_dot(torch: Any, y: Any, weights: Any) -> Any:
    weights = torch.tensor(weights)
    if weights.ndim == y.ndim:
        return (y * weights).sum()
    return (y.real * weights[0] + y.imag * weights[1]).sum()
