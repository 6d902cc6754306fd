"""A graph as a picture that any browser shows: SVG without scripts or other files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..graph import Graph, Node
from ..text import format_node
from .dot import FILLS, node_role
from .layout import Size
from .wires import Layout, Point, Wire, layout

__all__ = ["to_svg"]

CHAR, LINE, PAD = 6.7, 14.0, 9.0
RADIUS, CORNER = 15.0, 5.0
LONGEST_LABEL, LONGEST_TITLE = 34, 400
HEADER = 50.0

STROKES = {
    "input": "#6aa84f",
    "forward": "#6c8ebf",
    "backward": "#d6b656",
    "sum": "#b85450",
}
WIRES = {"forward": "#6c8ebf", "backward": "#c9a227", "residual": "#9a9a9a"}
NAMES = {
    "input": "input",
    "forward": "forward",
    "backward": "backward",
    "sum": "sum node",
}
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
)


def to_svg(graph: Graph) -> str:
    """The picture of ``graph`` as the text of an SVG file.

    The forward part flows down, the backward part beside it up; a sum node is a circle
    with Σ, a result has a bold border. Pointing at a node shows its line of IR text.
    Regions are pictures of their own, one below the other.
    """
    parts = list(_parts(graph, ""))
    legend, width = _legend([part for _, part in parts])
    title = _short(f"graph {graph.name}", 60)
    width = max(width, CHAR * 1.2 * len(title) + 48)
    height = HEADER
    drawn: list[str] = []
    for name, part in parts:
        if name:
            drawn.append(_text(24, height + 26, _short(name, 60), 'font-size="14"'))
            width = max(width, CHAR * 1.2 * len(name) + 48)
            height += HEADER
        lines, made = _picture(part)
        drawn += [f'<g transform="translate(0 {_n(height)})">', *lines, "</g>"]
        width, height = max(width, made.width), height + made.height
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" '
        f'height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11">',
        f"<title>{_escape(title)}</title>",
        *_markers(),
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="24" y="26" font-size="14">{_escape(title)}</text>',
        *legend,
        *drawn,
    ]
    return "\n".join([*lines, "</svg>", ""])


def _parts(graph: Graph, name: str) -> Iterator[tuple[str, Graph]]:
    """A graph, and the regions in it with their names."""
    yield name, graph
    for node in graph:
        for region in node.regions:
            yield from _parts(region, f"{name} {region.name} of %{node.name}".strip())


def _picture(graph: Graph) -> tuple[list[str], Layout]:
    """The wires and the nodes of a graph without its regions."""
    labels = {node.name: _labels(node) for node in graph}
    sizes = {node.name: _size(node, labels[node.name]) for node in graph}
    made = layout(graph, sizes)
    lines = [_wire(graph, wire) for wire in made.wires]
    for node in graph:
        lines += _draw(graph, node, labels[node.name], sizes[node.name], made)
    return lines, made


def _escape(text: str) -> str:
    """Text that is nothing but text, in content and in attributes."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return plain.translate(_ESCAPES)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _n(number: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{number:.1f}".removesuffix(".0").replace("-0", "0", number == 0)


def _labels(node: Node) -> list[str]:
    """The lines that are written in or beside a node."""
    what = [] if node.op == "input" or node_role(node) == "sum" else [node.op]
    if node.op == "const":
        what = [f"const {node.attrs['value']}"]
    names = ", ".join(f"%{value.name}" for value in node.values)
    lines = [names, *what, ", ".join(str(value.type) for value in node.values)]
    return [_short(line, LONGEST_LABEL) for line in lines]


def _size(node: Node, labels: Sequence[str]) -> Size:
    text = CHAR * max(map(len, labels))
    if node_role(node) == "sum":
        return Size(RADIUS, RADIUS + PAD / 2 + text, 2 * RADIUS)
    half = text / 2 + PAD
    return Size(half, half, len(labels) * LINE + PAD)


def _draw(
    graph: Graph, node: Node, labels: Sequence[str], size: Size, made: Layout
) -> Iterator[str]:
    """One node: its shape and its labels."""
    x, y = made.anchors[node.name]
    role = node_role(node)
    border = 2.6 if node.makes(graph.results) else 1
    look = f'fill="{FILLS[role]}" stroke="{STROKES[role]}" stroke-width="{border}"'
    yield f'<g class="{role}">'
    yield f"<title>{_escape(_short(format_node(node), LONGEST_TITLE))}</title>"
    if role == "sum":
        yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(RADIUS)}" {look}/>'
        yield _text(x, y + 6, "Σ", 'text-anchor="middle" font-size="17"')
        left, place = x + RADIUS + PAD / 2, ""
    else:
        corner = 9 if role == "input" else 2
        yield (
            f'<rect x="{_n(x - size.left)}" y="{_n(y - size.height / 2)}" '
            f'width="{_n(size.left + size.right)}" height="{_n(size.height)}" '
            f'rx="{corner}" {look}/>'
        )
        left, place = x, 'text-anchor="middle"'
    top = y - (len(labels) - 1) * LINE / 2 + 4
    for number, label in enumerate(labels):
        bold = ' font-weight="bold"' if number == 0 else ' fill="#555555"'
        yield _text(left, top + number * LINE, label, place + bold)
    yield "</g>"


def _text(x: float, y: float, text: str, look: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" {look.strip()}>{_escape(text)}</text>'


def _wire(graph: Graph, wire: Wire) -> str:
    """One edge as a path with an arrow head."""
    source, target = graph[wire.edge.source], graph[wire.edge.target]
    kind = "backward" if target.section else "forward"
    if source.section != target.section:
        kind = "residual"
    path = _corners(wire.points) if wire.trunk else _bends(wire.points)
    return (
        f'<path d="{path}" fill="none" stroke="{WIRES[kind]}" stroke-width="1.2" '
        f'marker-end="url(#{kind})"/>'
    )


def _bends(points: Sequence[Point]) -> str:
    """A path that is vertical at every point."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x, y), (x2, y2) in pairwise(points):
        middle = (y + y2) / 2
        curve = f"C{_n(x)} {_n(middle)} {_n(x2)} {_n(middle)} {_n(x2)} {_n(y2)}"
        parts.append(f"V{_n(y2)}" if x == x2 else curve)
    return "".join(parts)


def _corners(points: Sequence[Point]) -> str:
    """A path of straight lines with rounded corners."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        x, y = _toward(corner, before)
        x2, y2 = _toward(corner, after)
        turn = f"Q{_n(corner[0])} {_n(corner[1])} {_n(x2)} {_n(y2)}"
        parts.append(f"L{_n(x)} {_n(y)}{turn}")
    return "".join([*parts, f"L{_n(points[-1][0])} {_n(points[-1][1])}"])


def _toward(corner: Point, other: Point) -> Point:
    """The point at which a rounded corner begins, half of the way at most."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    part = min(CORNER / length, 0.5) if length else 0.0
    return corner[0] + dx * part, corner[1] + dy * part


def _markers() -> Iterator[str]:
    yield "<defs>"
    for kind, color in WIRES.items():
        yield (
            f'<marker id="{kind}" viewBox="0 0 8 8" refX="8" refY="4" '
            'markerWidth="6" markerHeight="6" orient="auto">'
            f'<path d="M0 0L8 4L0 8z" fill="{color}"/></marker>'
        )
    yield "</defs>"


def _legend(graphs: Sequence[Graph]) -> tuple[list[str], float]:
    """The roles and the kinds of edges that occur, and how wide that is."""
    roles = {node_role(node) for graph in graphs for node in graph}
    entries = [
        (FILLS[role], STROKES[role], 1.0, NAMES[role])
        for role in NAMES
        if role in roles
    ]
    entries.append(("#ffffff", "#333333", 2.6, "result: bold border"))
    lines: list[str] = []
    x = 24.0
    for fill, stroke, border, name in entries:
        lines.append(
            f'<rect x="{_n(x)}" y="38" width="16" height="12" rx="2" fill="{fill}" '
            f'stroke="{stroke}" stroke-width="{border}"/>'
        )
        lines.append(_text(x + 22, 48, name, 'fill="#333333"'))
        x += 22 + CHAR * len(name) + 18
    if any(graph.sections for graph in graphs):
        lines.append(
            f'<path d="M{_n(x)} 44H{_n(x + 20)}" fill="none" '
            f'stroke="{WIRES["residual"]}" stroke-width="1.2" '
            'marker-end="url(#residual)"/>'
        )
        name = "read across sections"
        lines.append(_text(x + 26, 48, name, 'fill="#333333"'))
        x += 26 + CHAR * len(name) + 18
    return lines, x
