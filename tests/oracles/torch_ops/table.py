"""What is known of each differentiable entry of torch's op database."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.oracles.torch_ops.elementwise import ELEMENTWISE
from tests.oracles.torch_ops.linalg import LINALG, SEEN_LINALG
from tests.oracles.torch_ops.losses import LOSSES
from tests.oracles.torch_ops.networks import NETWORKS
from tests.oracles.torch_ops.places import PLACES
from tests.oracles.torch_ops.reductions import REDUCTIONS
from tests.oracles.torch_ops.shapes import SHAPES
from tests.oracles.torch_ops.signals import SIGNALS
from tests.oracles.torch_ops.windows import WINDOWS

__all__ = [
    "EXPRESSED",
    "FIRST_ORDER",
    "LEFT_OUT",
    "NAN_IN_TORCH",
    "PASSED_OVER",
    "SEEN",
    "TOLERANCES",
]


def _written_twice(x: Any, places: Any, *, axes: int, **_: Any) -> bool:
    rows = places.flatten(-axes).reshape(-1, math.prod(places.shape[-axes:]))
    return any(len(set(row.tolist())) < len(row) for row in rows)


EXPRESSED: dict[str, Callable[..., Any]] = {
    **ELEMENTWISE,
    **LINALG,
    **LOSSES,
    **NETWORKS,
    **PLACES,
    **REDUCTIONS,
    **SHAPES,
    **SIGNALS,
    **WINDOWS,
}

LEFT_OUT: dict[str, tuple[str, ...]] = {
    "the numbers are random": (
        "bernoulli",
        "nn.functional.alpha_dropout",
        "nn.functional.dropout",
        "nn.functional.dropout2d",
        "nn.functional.dropout3d",
        "nn.functional.feature_alpha_dropout.with_train",
        "nn.functional.fractional_max_pool2d",
        "nn.functional.fractional_max_pool3d",
        "nn.functional.multi_head_attention_forward",
        "nn.functional.rrelu",
        "normal",
        "normal.number_mean",
    ),
    "tensors are sparse": (
        "sparse.mm.reduce",
        "sparse.sampled_addmm",
        "to_sparse",
    ),
    "the dtype is none of ours": ("bfloat16", "chalf", "half"),
    "it reads memory beside the tensor": ("as_strided.partial_views",),
    "torch's slope is not the derivative of its value": (
        "as_strided_scatter",  # that of the elements that are written over
        "nn.functional.ctc_loss",  # that of the logits, whatever was given
    ),
    "its vectors are of another length and phase": ("linalg.eig",),
}

SEEN: dict[str, Callable[..., Any]] = {**SEEN_LINALG}
"""What is compared of torch's results, where it is not all that torch looks at."""

PASSED_OVER: dict[str, tuple[str, Callable[..., bool]]] = {
    "einsum": (
        "NumPy wants '...' in the result",
        lambda xs, subscripts: "..." in subscripts and "->..." not in subscripts,
    ),
    "linalg.norm.subgradients_at_zero": (
        "one subgradient is as good as another where singular values are equal",
        lambda x, ord=None, *_, **__: x.ndim > 1 and ord in (-2, 2),
    ),
    "native_layer_norm": (
        "torch has no second derivative without a weight",
        lambda x, shape, weight, *_: weight is None,
    ),
    **{
        f"nn.functional.max_unpool{d}d": (
            "torch's slope counts what another element was written over",
            partial(_written_twice, axes=d),
        )
        for d in (1, 2, 3)
    },
    "nn.functional.scaled_dot_product_attention": (
        "the numbers are random",
        lambda q, k, v, dropout_p=0.0, **_: dropout_p > 0,
    ),
    "svd_lowrank": (
        "torch approximates",
        lambda a, b, M=None, **_: M is not None,
    ),
    "tensordot": (
        "NumPy does not broadcast the axes it sums over",
        lambda a, b, dims: a.shape == (1, 1, 1),
    ),
}
"""Samples that are no question for NumPy: why, and which."""

TOLERANCES = {
    "cov": 1e-4,  # torch computes with weights in float32
    "nn.functional.hardsigmoid": 1e-7,  # torch's slope is a float32
}

NAN_IN_TORCH = {"masked.logaddexp"}
"""Where torch has NaN for a second derivative that is zero."""

FIRST_ORDER = {
    "linalg.norm.subgradients_at_zero",  # a norm has no second derivative there
    "nn.functional.linear_cross_entropy.chunked",
    "nn.functional.linear_cross_entropy.chunked_none",
    "nn.functional.scaled_dot_product_attention",
}
"""Where torch has zeros or an error for a second derivative, and says otherwise."""
