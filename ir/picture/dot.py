"""A graph as a picture: Graphviz text with forward, backward and sum nodes apart."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Graph, Node

__all__ = ["FILLS", "node_role", "to_dot"]

FILLS = {
    "input": "#d9ead3",
    "forward": "#dae8fc",
    "backward": "#fff2cc",
    "sum": "#f8cecc",
}
STYLES = {
    "input": f'shape=box, style="rounded,filled", fillcolor="{FILLS["input"]}"',
    "forward": f'shape=box, style="filled", fillcolor="{FILLS["forward"]}"',
    "backward": f'shape=box, style="filled", fillcolor="{FILLS["backward"]}"',
    "sum": f'shape=circle, style="filled", fillcolor="{FILLS["sum"]}", penwidth=2',
}


def node_role(node: Node) -> str:
    """One of input, forward, backward, sum: a key of `STYLES`."""
    if node.op == "input":
        return "input"
    if node.reads:
        return "sum"
    return "backward" if node.section else "forward"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(node: Node) -> str:
    what = "Σ" if node_role(node) == "sum" else node.op
    names = ", ".join(f"%{value.name}" for value in node.values)
    types = ", ".join(str(value.type) for value in node.values)
    return _quote(f"{names}\n{what}\n{types}").replace("\n", "\\n")


def to_dot(graph: Graph) -> str:
    """The graph in the dot language; an edge's label is the slot where it matters.

    A region is a box of its own, whose results lead to the node that it belongs to.
    """
    lines = [
        f"digraph {_quote(graph.name)} {{",
        '  rankdir=TB; node [fontname="monospace", fontsize=10];',
        '  edge [fontname="monospace", fontsize=8];',
        *_nodes(graph, ""),
        *_edges(graph, ""),
        *_results(graph),
    ]
    return "\n".join([*lines, "}", ""])


def _nodes(graph: Graph, prefix: str) -> Iterator[str]:
    """The nodes of a graph, and its regions; ``prefix`` tells where a region is."""
    for node in graph:
        key = _quote(prefix + node.name)
        yield f"  {key} [label={_label(node)}, {STYLES[node_role(node)]}];"
    for node in graph:
        for region in node.regions:
            inside = f"{prefix}{node.name} {region.name} "
            yield f"  subgraph {_quote('cluster ' + inside)} {{"
            yield f"  label={_quote(f'{region.name} of %{node.name}')};"
            yield from _nodes(region, inside)
            yield from _edges(region, inside)
            yield "  }"
            for value in dict.fromkeys(region.results):
                ends = inside + region.maker(value), prefix + node.name
                yield f"  {' -> '.join(map(_quote, ends))} [style=dashed];"


def _edges(graph: Graph, prefix: str) -> Iterator[str]:
    for node in graph:
        for slot, operand in enumerate(node.operands):
            color = ' color="#b85450"' if node.section else ' color="#6c8ebf"'
            label = f' label="{slot}",' if len(node.operands) > 1 else ""
            ends = prefix + graph.maker(operand), prefix + node.name
            yield f"  {' -> '.join(map(_quote, ends))} [{label.strip()}{color}];"


def _results(graph: Graph) -> Iterator[str]:
    for index, output in enumerate(graph.outputs):
        key = _quote(f"return {index}")
        label = _quote(output.label or "return")
        yield f"  {key} [label={label}, shape=plaintext];"
        yield f"  {_quote(graph.maker(output.value))} -> {key};"
