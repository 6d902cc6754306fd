"""The kernels of a plan as texts that people read, each under a heading.

A heading is a comment: the kernel's number and label, as in the plan and the report,
the steps that call it, and the user's lines that these compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ....ir.graph import Graph, Node
from ..kernels.form import Kernel
from ..kernels.source import Source
from ..plan.step import Plan, Step

__all__ = ["kernel_numbers", "listing"]

MAX_SHOWN = 8  # steps and lines of one heading


def kernel_numbers(steps: Iterable[Step]) -> dict[Kernel | Source, int]:
    """The numbers of the distinct kernels, in the order of their first calls."""
    numbers: dict[Kernel | Source, int] = {}
    for step in steps:
        numbers.setdefault(step.kernel, len(numbers))
    return numbers


def listing(
    plan: Plan, sources: Sequence[str], text: Callable[[str], str], comment: str = "#"
) -> str:
    """The ``text`` of each kernel's source, in the order of their numbers."""
    fused = _fused(plan.graph)
    calls: list[list[int]] = [[] for _ in sources]
    numbers = kernel_numbers(plan.steps)
    for place, step in enumerate(plan.steps):
        calls[numbers[step.kernel]].append(place)
    parts: list[str] = []
    for number, (source, places) in enumerate(zip(sources, calls, strict=True)):
        steps = [plan.steps[place] for place in places]
        shown = _some([str(place) for place in places])
        word = "step" if len(places) == 1 else "steps"
        lines = [
            f"kernel {number}, {steps[0].label}, {word} {', '.join(shown)}",
            *(f"  {line}" for line in _some(_user_lines(steps, fused))),
        ]
        parts += [*(f"{comment} {line}" for line in lines), text(source).rstrip(), ""]
    return "\n".join(parts)


def _fused(graph: Graph) -> dict[int, list[Node]]:
    """The nodes of the kernel of each node, which is known by its identity.

    Regions number their kernels for themselves.
    """
    kernels: dict[int, list[Node]] = {}
    found: dict[int, list[Node]] = {}
    for node in graph:
        if node.kernel is not None:
            found[id(node)] = kernels.setdefault(node.kernel, [])
            found[id(node)].append(node)
        for region in node.regions:
            found |= _fused(region)
    return found


def _user_lines(steps: Sequence[Step], fused: dict[int, list[Node]]) -> list[str]:
    """The lines of the nodes that the steps compute, each once, in program order."""
    nodes = (node for step in steps for node in _nodes(step, fused))
    found = dict.fromkeys(node.source for node in nodes if node.source)
    return [source.brief for source in found]


def _nodes(step: Step, fused: dict[int, list[Node]]) -> Iterable[Node]:
    """All nodes of a fused kernel where the step is that kernel, else its own."""
    if step.label == f"k{step.node.kernel}":
        return fused[id(step.node)]
    return [step.node]


def _some(items: Sequence[str]) -> Iterator[str]:
    yield from items[:MAX_SHOWN]
    if len(items) > MAX_SHOWN:
        yield f"and {len(items) - MAX_SHOWN} more"
