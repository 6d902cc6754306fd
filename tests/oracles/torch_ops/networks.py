"""Activations, norms, attention, embeddings and distances."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.special as sp

__all__ = ["NETWORKS", "distance", "relu"]


def _softmax(x: Any, dim: Any, dtype: Any = None, **_: Any) -> Any:
    if x.size == 0:
        return x.copy()
    return sp.softmax(x, axis=dim) if x.ndim else x * 0 + 1


def _log_softmax(x: Any, dim: Any, dtype: Any = None) -> Any:
    if x.size == 0:
        return x.copy()
    return sp.log_softmax(x, axis=dim) if x.ndim else x * 0


def _safe_softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    """Zeros where all is minus infinity."""
    void = np.all(x == -np.inf, axis=dim, keepdims=True)
    return np.where(void, 0, sp.softmax(np.where(void, 0, x), axis=dim))


def relu(x: Any) -> Any:
    return np.where(x > 0, x, 0)


def _softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


def _elu(x: Any, alpha: float = 1.0, scale: float = 1.0) -> Any:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _celu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * sp.ndtr(x)


def _glu(x: Any, dim: int = -1) -> Any:
    a, b = np.split(x, 2, axis=dim)
    return a * sp.expit(b)


def _prelu(x: Any, weight: Any) -> Any:
    if np.size(weight) > 1:
        weight = weight.reshape(-1, *(1,) * max(x.ndim - 2, 0))
    return np.where(
        x > 0, x, np.reshape(weight, ()) * x if np.size(weight) == 1 else weight * x
    )


def _cosine(x: Any, y: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    x, y = np.broadcast_arrays(x, y)
    axis = dim if x.ndim else None
    a, b = (np.maximum(_length(v, axis), eps) for v in (x, y))
    return np.sum(x * y, axis=axis) / np.squeeze(a * b, axis)


def _length(x: Any, axis: Any) -> Any:
    return np.linalg.vector_norm(x, axis=axis, keepdims=True)


def distance(
    x: Any, y: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    return np.linalg.vector_norm(x - y + eps, ord=p, axis=-1, keepdims=keepdim)


def _standard(x: Any, axes: Any, eps: float) -> tuple[Any, Any, Any]:
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    scale = 1 / np.sqrt(variance + eps)
    return (x - mean) * scale, mean, scale


def _affine(x: Any, weight: Any, bias: Any, lead: int = 0) -> Any:
    """By channel; the channels are the first axis of the weights."""
    ones = (1,) * lead
    x = x if weight is None else x * weight.reshape(*weight.shape, *ones)
    return x if bias is None else x + bias.reshape(*bias.shape, *ones)


def _layer_norm(
    x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    return _native_layer_norm(x, shape, weight, bias, eps)[0]


def _native_layer_norm(x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    y, mean, scale = _standard(x, tuple(range(-len(shape), 0)), eps)
    return _affine(y, weight, bias), mean, scale


def _rms_norm(x: Any, shape: Any, weight: Any = None, eps: Any = None) -> Any:
    axes = tuple(range(-len(shape), 0))
    eps = np.finfo(np.float64).eps if eps is None else eps
    y = x / np.sqrt(np.mean(x * x, axis=axes, keepdims=True) + eps)
    return _affine(y, weight, None)


def _grouped(x: Any, groups: int) -> Any:
    n, c, *rest = x.shape
    return x.reshape(n, groups, c // groups * math.prod(rest))


def _group_norm(
    x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    n, c, *rest = x.shape
    y, *_ = _standard(_grouped(x, groups), -1, eps)
    return _affine(y.reshape(n, c, *rest), weight, bias, len(rest))


def _native_group_norm(
    x: Any, weight: Any, bias: Any, n: int, c: int, size: int, groups: int, eps: float
) -> Any:
    _, mean, scale = _standard(_grouped(x, groups), -1, eps)
    y = _group_norm(x, groups, weight, bias, eps)
    return y, mean[..., 0], scale[..., 0]


def _batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    y = _normalised(x, weight, bias, running_mean, running_var, training, eps)
    return y[0] if training else y


def _normalised(
    x: Any, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, eps: float
) -> Any:
    lead = max(x.ndim - 2, 0)
    if training:
        y, mean, scale = _standard(x, (0, *range(2, x.ndim)), eps)
        mean, scale = mean.reshape(-1), scale.reshape(-1)
        return _affine(y, weight, bias, lead), mean, scale
    shape = (-1, *(1,) * lead)
    y = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + eps)
    return _affine(y, weight, bias, lead)


def _native_batch_norm(x: Any, weight: Any, bias: Any, *rest: Any) -> Any:
    *running, training, _, eps = rest
    mean, variance = running or (None, None)
    made = _normalised(x, weight, bias, mean, variance, training, eps)
    return made if training else (made, np.zeros(0), np.zeros(0))


def _instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    y, *_ = _standard(x, tuple(range(2, x.ndim)), eps)
    return _affine(y, weight, bias, x.ndim - 2)


def _local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    square = np.pad(
        x * x, [(0, 0), (size // 2, (size - 1) // 2), *((0, 0),) * (x.ndim - 2)]
    )
    near = np.lib.stride_tricks.sliding_window_view(square, size, axis=1)
    return x / (k + alpha * near.mean(-1)) ** beta


def _normalize(x: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    axis: Any = dim if x.ndim else None
    size = np.linalg.vector_norm(x, ord=p, axis=axis, keepdims=True)
    return x / np.maximum(size, eps)


def _attention(
    q: Any,
    k: Any,
    v: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Any:
    if enable_gqa:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], axis=-3) for x in (k, v))
    scores = q @ k.mT * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = np.tri(*scores.shape[-2:], dtype=bool)
    if attn_mask is not None:
        is_bool = attn_mask.dtype == bool
        scores = np.where(attn_mask, scores, -np.inf) if is_bool else scores + attn_mask
    return sp.softmax(scores, axis=-1) @ v


def _bilinear(x: Any, y: Any, weight: Any, bias: Any = None) -> Any:
    z = np.einsum("...i,oij,...j->...o", x, weight, y)
    return z if bias is None else z + bias


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    y = x @ weight.T
    return y if bias is None else y + bias


def _embedding_bag(
    weight: Any,
    places: Any,
    offsets: Any = None,
    mode: str = "mean",
    per_sample_weights: Any = None,
    padding_idx: Any = None,
    include_last_offset: bool = False,
    **_: Any,
) -> Any:
    if places.ndim == 2:
        offsets = np.arange(len(places)) * places.shape[1]
        places = places.ravel()
        include_last_offset = False
    bounds = [*offsets.tolist(), *([] if include_last_offset else [len(places)])]
    rows = weight[places]
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    bags = []
    for a, b in pairwise(bounds):
        kept = np.arange(a, b)
        if padding_idx is not None:
            kept = kept[places[a:b] != padding_idx % len(weight)]
        if not len(kept):
            bags.append(np.zeros(weight.shape[1]))
            continue
        bags.append(
            {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows[kept], axis=0)
        )
    return np.stack(bags)


def _cdist(x: Any, y: Any, p: float = 2.0, compute_mode: Any = None) -> Any:
    return np.linalg.vector_norm(
        x[..., :, None, :] - y[..., None, :, :], ord=p, axis=-1
    )


def _pdist(x: Any, p: float = 2.0) -> Any:
    i, j = np.triu_indices(len(x), 1)
    return np.linalg.vector_norm(x[i] - x[j], ord=p, axis=-1)


NETWORKS: dict[str, Callable[..., Any]] = {
    "_batch_norm_with_update": lambda x, w, b, mean, var, momentum, eps: (
        _native_batch_norm(x, w, b, mean, var, True, momentum, eps)
    ),
    "_native_batch_norm_legit": _native_batch_norm,
    "_softmax_backward_data": lambda g, y, dim, dtype: (
        y * g - y * np.sum(y * g, axis=dim, keepdims=True)
    ),
    "cdist": _cdist,
    "log_softmax": _log_softmax,
    "log_softmax.with_dtype": _log_softmax,
    "native_batch_norm": _native_batch_norm,
    "native_group_norm": _native_group_norm,
    "native_layer_norm": _native_layer_norm,
    "nn.functional.batch_norm": _batch_norm,
    "nn.functional.bilinear": _bilinear,
    "nn.functional.celu": _celu,
    "nn.functional.cosine_similarity": _cosine,
    "nn.functional.elu": _elu,
    "nn.functional.embedding": lambda weight, places, **_: weight[places],
    "nn.functional.embedding_bag": _embedding_bag,
    "nn.functional.feature_alpha_dropout.without_train": lambda x, **_: x * 1,
    "nn.functional.gelu": _gelu,
    "nn.functional.glu": _glu,
    "nn.functional.group_norm": _group_norm,
    "nn.functional.hardshrink": lambda x, lambd=0.5: np.where(np.abs(x) > lambd, x, 0),
    "nn.functional.hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "nn.functional.hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "nn.functional.hardtanh": lambda x, min_val=-1.0, max_val=1.0: np.clip(
        x, min_val, max_val
    ),
    "nn.functional.instance_norm": _instance_norm,
    "nn.functional.layer_norm": _layer_norm,
    "nn.functional.leaky_relu": lambda x, negative_slope=0.01: np.where(
        x > 0, x, negative_slope * x
    ),
    "nn.functional.linear": _linear,
    "nn.functional.local_response_norm": _local_response_norm,
    "nn.functional.logsigmoid": sp.log_expit,
    "nn.functional.mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "nn.functional.normalize": _normalize,
    "nn.functional.pairwise_distance": distance,
    "nn.functional.pdist": _pdist,
    "nn.functional.prelu": _prelu,
    "nn.functional.relu": relu,
    "nn.functional.relu6": lambda x: np.clip(x, 0, 6),
    "nn.functional.rms_norm": _rms_norm,
    "nn.functional.scaled_dot_product_attention": _attention,
    "nn.functional.selu": lambda x: _elu(x, 1.6732632423543772, 1.0507009873554805),
    "nn.functional.silu": lambda x: x * sp.expit(x),
    "nn.functional.softmin": lambda x, dim, dtype=None: _softmax(-x, dim),
    "nn.functional.softmin.with_dtype": lambda x, dim, dtype: _softmax(-x, dim),
    "nn.functional.softplus": _softplus,
    "nn.functional.softshrink": lambda x, lambd=0.5: x - np.clip(x, -lambd, lambd),
    "nn.functional.softsign": lambda x: x / (1 + np.abs(x)),
    "nn.functional.tanhshrink": lambda x: x - np.tanh(x),
    "nn.functional.threshold": lambda x, threshold, value: np.where(
        x > threshold, x, value
    ),
    "softmax": _softmax,
    "softmax.with_dtype": _softmax,
    "torch.ops.aten._safe_softmax.default": _safe_softmax,
}
