"""Losses of ``torch.nn.functional``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from tests.oracles.torch_ops.networks import distance, relu

__all__ = ["LOSSES"]


def _reduced(loss: Any, reduction: str = "mean") -> Any:
    return {"mean": np.mean, "sum": np.sum, "none": lambda x: x}[reduction](loss)


def _loss(of: Callable[..., Any]) -> Callable[..., Any]:
    """A loss of each pair of elements, reduced."""

    def run(
        x: Any, y: Any, weight: Any = None, reduction: str = "mean", **n: Any
    ) -> Any:
        loss = of(x, y, **n)
        return _reduced(loss if weight is None else loss * weight, reduction)

    return run


def _bce(x: Any, y: Any) -> Any:
    return -y * np.maximum(np.log(x), -100) - (1 - y) * np.maximum(np.log1p(-x), -100)


def _bce_with_logits(x: Any, y: Any, pos_weight: Any = None) -> Any:
    scale = 1 if pos_weight is None else (pos_weight - 1) * y + 1
    return (1 - y) * x + scale * np.logaddexp(0, -x)


def _huber(x: Any, y: Any, delta: float = 1.0) -> Any:
    d = np.abs(x - y)
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


def _smooth_l1(x: Any, y: Any, beta: float = 1.0) -> Any:
    d = np.abs(x - y)
    return d if beta == 0 else np.where(d < beta, d * d / (2 * beta), d - beta / 2)


def _kl_div(x: Any, y: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    loss = np.exp(y) * (y - x) if log_target else sp.xlogy(y, y) - y * x
    if reduction == "batchmean":
        return np.sum(loss) / x.shape[0]
    return _reduced(loss, reduction)


def _gaussian_nll(
    x: Any,
    y: Any,
    variance: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    if variance.shape not in (x.shape, (*x.shape[:-1], 1)):
        variance = variance[..., None]
    variance = np.maximum(variance, eps)
    loss = (np.log(variance) + (x - y) ** 2 / variance) / 2
    return _reduced(loss + np.log(2 * np.pi) / 2 * full, reduction)


def _poisson_nll(
    x: Any, y: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Any:
    loss = np.exp(x) - y * x if log_input else x - y * np.log(x + eps)
    if not full:
        return loss
    large = np.where(y > 1, y, 2)
    stirling = large * np.log(large) - large + np.log(2 * np.pi * large) / 2
    return loss + np.where(y > 1, stirling, 0)


def _hinge_embedding(
    x: Any, y: Any, margin: float = 1.0, reduction: str = "mean"
) -> Any:
    near, far = np.where(y != -1, x, 0), np.where(y != 1, relu(margin - x), 0)
    return _reduced(near + far, reduction)


def _cosine_embedding(
    x: Any, y: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Any:
    eps = 1e-12  # torch's own of this loss
    size = (np.sum(x * x, -1) + eps) * (np.sum(y * y, -1) + eps)
    cosine = np.sum(x * y, -1) / np.sqrt(size)
    loss = np.where(target == 1, 1 - cosine, 0)
    return _reduced(loss + np.where(target == -1, relu(cosine - margin), 0), reduction)


def _margin_ranking(
    x: Any, y: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Any:
    return _reduced(relu(-target * (x - y) + margin), reduction)


def _multi_margin(
    x: Any,
    y: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    reduction: str = "mean",
) -> Any:
    rows, y = np.atleast_2d(x), np.atleast_1d(y)
    at = np.arange(len(rows))
    right = rows[at, y][:, None]
    loss = relu(margin - right + rows) ** p
    loss = loss if weight is None else loss * weight[y][:, None]
    other = np.arange(rows.shape[1]) != y[:, None]
    loss = np.sum(np.where(other, loss, 0), axis=1) / rows.shape[1]
    return _reduced(loss if x.ndim == 2 else loss[0], reduction)


def _multilabel_margin(x: Any, y: Any, reduction: str = "mean") -> Any:
    rows, labels = np.atleast_2d(x), np.atleast_2d(y)
    losses = []
    for row, targets in zip(rows, labels, strict=True):
        ends = np.flatnonzero(targets < 0)
        chosen = targets[: ends[0]] if len(ends) else targets
        others = np.setdiff1d(np.arange(len(targets)), chosen)
        gaps = 1 - (row[chosen][:, None] - row[others])
        losses.append(np.sum(relu(gaps)) / len(targets))
    loss = np.stack(losses)
    return _reduced(loss if x.ndim == 2 else loss[0], reduction)


def _multilabel_soft_margin(
    x: Any, y: Any, weight: Any = None, reduction: str = "mean"
) -> Any:
    loss = y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
    return _reduced(np.mean(loss if weight is None else loss * weight, -1), reduction)


def _triplet(
    a: Any,
    p: Any,
    n: Any,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
    **_: Any,
) -> Any:
    near, far = distance(a, p), distance(a, n)
    far = np.minimum(far, distance(p, n)) if swap else far
    return _reduced(relu(margin + near - far), reduction)


def _nll(
    x: Any,
    y: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """Classes along axis 1, or the only one; ``y`` is known."""
    x = np.moveaxis(x, 1 if x.ndim > 1 else 0, -1)
    counted = y != ignore_index
    y = np.where(counted, y, 0)
    weights = counted * (1.0 if weight is None else weight[y])
    loss = -np.take_along_axis(x, y[..., None], -1)[..., 0] * weights
    return (
        np.sum(loss) / np.sum(weights)
        if reduction == "mean"
        else _reduced(loss, reduction)
    )


def _cross_entropy(
    x: Any,
    y: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    axis = 1 if x.ndim > 1 else 0
    logs, classes = np.moveaxis(sp.log_softmax(x, axis=axis), axis, -1), x.shape[axis]
    scale = np.ones(classes) if weight is None else weight
    if y.dtype.kind == "f":
        y = np.moveaxis(y, axis, -1)
        y = y * (1 - label_smoothing) + label_smoothing / classes
        loss = -np.sum(y * logs * scale, -1)
        return (
            np.sum(loss) / max(loss.size, 1)
            if reduction == "mean"
            else _reduced(loss, reduction)
        )
    counted = y != ignore_index
    y = np.where(counted, y, 0)
    hard = -np.take_along_axis(logs * scale, y[..., None], -1)[..., 0]
    soft = -np.sum(logs * scale, -1) / classes
    loss = counted * ((1 - label_smoothing) * hard + label_smoothing * soft)
    if reduction == "mean":
        return np.sum(loss) / np.sum(counted * scale[y])
    return _reduced(loss, reduction)


def _linear_cross_entropy(
    x: Any, w: Any, y: Any, linear_bias: Any = None, options: Any = None, **named: Any
) -> Any:
    logits = np.matmul(x, w.reshape(-1, w.shape[-1]).T)
    if w.ndim > 2:
        logits = logits.reshape(*x.shape[:-1], *w.shape[:-1])
    if linear_bias is not None:
        logits = logits + linear_bias
    return _cross_entropy(logits, y, **named)


LOSSES: dict[str, Callable[..., Any]] = {
    "nn.functional.binary_cross_entropy": _loss(_bce),
    "nn.functional.binary_cross_entropy_with_logits": _loss(_bce_with_logits),
    "nn.functional.cosine_embedding_loss": _cosine_embedding,
    "nn.functional.cross_entropy": _cross_entropy,
    "nn.functional.gaussian_nll_loss": _gaussian_nll,
    "nn.functional.hinge_embedding_loss": _hinge_embedding,
    "nn.functional.huber_loss": _loss(_huber),
    "nn.functional.kl_div": _kl_div,
    "nn.functional.l1_loss": _loss(lambda x, y: np.abs(x - y)),
    "nn.functional.linear_cross_entropy": _linear_cross_entropy,
    "nn.functional.linear_cross_entropy.chunked": _linear_cross_entropy,
    "nn.functional.linear_cross_entropy.chunked_none": _linear_cross_entropy,
    "nn.functional.margin_ranking_loss": _margin_ranking,
    "nn.functional.mse_loss": _loss(lambda x, y: (x - y) ** 2),
    "nn.functional.multi_margin_loss": _multi_margin,
    "nn.functional.multilabel_margin_loss": _multilabel_margin,
    "nn.functional.multilabel_soft_margin_loss": _multilabel_soft_margin,
    "nn.functional.nll_loss": _nll,
    "nn.functional.poisson_nll_loss": _loss(_poisson_nll),
    "nn.functional.smooth_l1_loss": _loss(_smooth_l1),
    "nn.functional.soft_margin_loss": _loss(lambda x, y: np.logaddexp(0, -y * x)),
    "nn.functional.triplet_margin_loss": _triplet,
    "nn.functional.triplet_margin_with_distance_loss": _triplet,
}
