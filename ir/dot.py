"""A graph as a picture: Graphviz text with forward, backward and sum nodes apart."""

from __future__ import annotations

from .graph import Graph, Node

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
    return _quote(f"%{node.name}\n{what}\n{node.type}").replace("\n", "\\n")


def to_dot(graph: Graph) -> str:
    """The graph in the dot language; an edge's label is the slot where it matters."""
    lines = [
        f"digraph {_quote(graph.name)} {{",
        '  rankdir=TB; node [fontname="monospace", fontsize=10];',
        '  edge [fontname="monospace", fontsize=8];',
    ]
    lines += [
        f"  {_quote(node.name)} [label={_label(node)}, {STYLES[node_role(node)]}];"
        for node in graph
    ]
    for node in graph:
        for slot, operand in enumerate(node.operands):
            color = ' color="#b85450"' if node.section else ' color="#6c8ebf"'
            label = f' label="{slot}",' if len(node.operands) > 1 else ""
            lines.append(
                f"  {_quote(operand)} -> {_quote(node.name)} [{label.strip()}{color}];"
            )
    for index, output in enumerate(graph.outputs):
        key = _quote(f"return {index}")
        label = _quote(output.label or "return")
        lines.append(f"  {key} [label={label}, shape=plaintext];")
        lines.append(f"  {_quote(output.value)} -> {key};")
    return "\n".join([*lines, "}", ""])
