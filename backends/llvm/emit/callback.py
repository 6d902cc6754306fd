"""Functions outside of the graph, called on contiguous arrays."""

from __future__ import annotations

from typing import Any

from ....ir.graph import Node
from ....ir.types import TensorType
from ...hosts import host_address
from ..kernels.callback import CallbackWords, callback_source
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("callback")
def callback(
    p: Planner, node: Node, *operands: View, function: str, **attrs: Any
) -> View | list[View]:
    """One step, which has a table of the addresses."""
    sources = [p.contiguous(node, view) for view in operands]
    targets = [p.allocate(value.type, value.name) for value in node.values]
    count = len(sources) + len(targets)
    table = p.allocate(TensorType("i64", (count,)))
    words = CallbackWords(
        address=host_address(
            function,
            [view.type for view in sources],
            [view.type for view in targets],
        ),
        status=p.status(node),
    )
    kernel = Source.of(callback_source, inputs=len(sources), outputs=len(targets))
    p.call(node, "callback", kernel, (*sources, *targets, table), words)
    return targets if node.several else targets[0]
