"""`checkpoint`: a function whose values a gradient computes again and does not keep."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial, update_wrapper
from typing import Any, ClassVar, cast

from ...ir.errors import ArgumentError
from ...ir.graph import Graph, Node, Output
from ...ir.ops import OPS
from ..regions import is_weak, region_graph, taken_in, trace_region
from ..tracing.lowerings import lowers
from ..tracing.running import active_trace, is_traced
from ..tracing.trace import Trace
from ..tree import flatten, leaf_names, leaf_type, unflatten
from .memory import CHEAP

__all__ = ["checkpoint"]

_CHECKPOINT = "anabranch checkpoint"


class checkpoint:  # a decorator
    """A function whose values are computed again on the way back.

    A gradient keeps what the function is given and what the ``policy`` says, and runs
    the function once more when it needs the rest. So a chain of n such functions, each
    of m values, holds n + m values at a time in place of n m, for one more run forwards
    (Griewank and Walther, Evaluating Derivatives, chapter 12). Values, derivatives and
    their order are those of the plain function. Without a gradient it is that function.

    Checkpoints may be nested, in loops and in branches; second derivatives compute
    again what first ones do.

    Args:
        function: NumPy code. Its arguments and its result are pytrees; what is not
            traced among them is handed on as it is.
        policy: What is kept of the values inside. None, nothing; ``"products"``, the
            results of matrix products, convolutions, solvers and loops, so that only
            what is cheap is computed again; or the names of ops, as `make_ir` shows
            them: ``("matmul", "exp")``.

    Raises:
        ArgumentError: For a policy that is none of these.

    >>> import numpy as np, anabranch
    >>> layer = anabranch.checkpoint(lambda w, x: np.tanh(x @ w))
    >>> w, x = np.eye(2), np.array([0.0, 1.0])
    >>> anabranch.grad(lambda w: np.sum(layer(w, layer(w, x))))(w).round(3)
    array([[0.   , 0.   ],
           [1.762, 0.695]])
    """

    traced_attributes: ClassVar = ("function", "policy")

    def __init__(
        self,
        function: Callable[..., Any],
        policy: str | Collection[str] | None = None,
    ) -> None:
        if not callable(function):
            raise ArgumentError(f"not a function: {function!r}")
        update_wrapper(cast("Callable[..., Any]", self), function)
        self.function = function
        self.policy = _checked(policy)

    def mapped(self, change: Callable[[Any], Any]) -> checkpoint:
        """This with its function changed."""
        return checkpoint(change(self.function), self.policy)

    def __get__(self, instance: object, owner: object = None) -> Any:
        return self if instance is None else partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = active_trace()
        if trace is None:
            return self.function(*args, **kwargs)
        return trace.apply(_CHECKPOINT, (self, args, kwargs), {})


def _checked(policy: str | Collection[str] | None) -> str | tuple[str, ...] | None:
    """A policy in the form in which it is kept."""
    if policy is None or policy == "products":
        return cast("str | None", policy)
    names = (policy,) if isinstance(policy, str) else tuple(policy)
    for name in names:
        if name not in OPS:
            raise ArgumentError(
                f"checkpoint: no op is called {name!r}",
                hint='a policy is None, "products", or names of ops: ("matmul",)',
            )
    return names


def _is_kept(policy: str | Collection[str] | None, node: Node) -> bool:
    """Whether a value of the function is kept."""
    if policy is None or node.op == "input":
        return False
    if policy == "products":
        return OPS[node.op].kind not in CHEAP
    return node.op in policy


@lowers(_CHECKPOINT)
def _lower(trace: Trace, wrapped: checkpoint, args: Any, kwargs: Any) -> Any:
    function = wrapped.function
    leaves, structure = flatten((args, kwargs))
    places = [place for place, leaf in enumerate(leaves) if is_traced(leaf)]
    labels = leaf_names(function, args, kwargs)

    def run(*values: Any) -> Any:
        given = list(leaves)
        for place, value in zip(places, values, strict=True):
            given[place] = value
        args, kwargs = unflatten(structure, given)
        return function(*args, **kwargs)

    region = trace_region(
        "body",
        "a checkpoint",
        run,
        flatten(tuple(range(len(places))))[1],
        [leaf_type(leaves[place]) for place in places],
        function,
        labels=[labels[place] for place in places],
    )
    if not region.values:
        return unflatten(region.tree, [])
    found: dict[str, Node] = {}
    own = taken_in(trace, region, found)
    body, kept = _keeping(region_graph(region, own, found), wrapped.policy)
    operands = [*(trace.node(leaves[place]) for place in places), *found.values()]
    if operands:
        attrs: dict[str, Any] = {"kept": kept} if kept else {}
        made = trace.builder.add_node("checkpoint", *operands, regions=(body,), **attrs)
        values = made.values[: len(region.values)]
    else:
        values = trace.builder.embed(body, [])
    weak = map(is_weak, region.leaves)
    return unflatten(region.tree, list(map(trace.wrap, values, weak)))


def _keeping(body: Graph, policy: Any) -> tuple[Graph, int]:
    """The body that also returns what is kept of it, and how many values these are."""
    kept = [
        Output(name)
        for node in body
        if _is_kept(policy, node)
        for name in node.floats
        if name not in body.results
    ]
    return body.returning([*body.outputs, *kept]), len(kept)
