"""Pictures of graphs: well-formed, complete, without overlaps, always the same."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

import anabranch
from anabranch.ir import Builder, Graph, Node, Output, TensorType
from anabranch.ir.picture.layout import LONGEST_LANE, Size
from anabranch.ir.picture.svg import _labels, _size
from anabranch.ir.picture.wires import layout

SVG = "{http://www.w3.org/2000/svg}"


def _net(w, x):
    h = x
    for _ in range(3):
        h = np.tanh(h @ w) + h
    return np.sum(h * h)


def _gradient(of=_net) -> Graph:
    return anabranch.make_ir(anabranch.grad(of))(np.eye(3), np.ones((2, 3)))


def _second_order() -> Graph:
    inner = anabranch.grad(_net)
    return _gradient(lambda w, x: np.sum(inner(w, x) ** 2))


GRAPHS = {
    "forward": lambda: anabranch.make_ir(_net)(np.eye(3), np.ones((2, 3))),
    "adjoint": _gradient,
    "second order": _second_order,
    "empty": lambda: Graph("empty", [], []),
    "cotangents of cotangents": lambda: anabranch.make_ir(
        anabranch.grad(lambda x: anabranch.grad(np.tanh)(x))
    )(1.0),
}


@pytest.fixture(params=GRAPHS)
def graph(request: pytest.FixtureRequest) -> Graph:
    return GRAPHS[request.param]()


def _sizes(graph: Graph) -> dict[str, Size]:
    return {node.name: _size(node, _labels(node)) for node in graph}


def _boxes(graph: Graph) -> dict[str, tuple[float, float, float, float]]:
    made, sizes = layout(graph, _sizes(graph)), _sizes(graph)
    boxes = {}
    for name, (x, y) in made.anchors.items():
        size = sizes[name]
        half = size.height / 2
        boxes[name] = x - size.left, y - half, x + size.right, y + half
    return boxes


def test_a_picture_is_well_formed_and_shows_each_node_and_edge(graph):
    root = ElementTree.fromstring(graph.to_svg())
    shown = [group for group in root.iter(f"{SVG}g") if group.get("class")]
    titles = [group.findtext(f"{SVG}title", "") for group in shown]
    assert [title.split(" ")[0] for title in titles] == [
        f"%{name}" for name in graph.nodes
    ]
    wires = root.findall(f"{SVG}g/{SVG}path")
    assert len(wires) == sum(len(node.operands) for node in graph)


def test_roles_are_told_apart():
    root = ElementTree.fromstring(_gradient().to_svg())
    roles = {
        group.findtext(f"{SVG}title", "").split(" ")[0]: group.get("class")
        for group in root.iter(f"{SVG}g")
    }
    assert roles["%w"] == "input"
    assert roles["%tanh.0"] == "forward"
    assert roles["%w.bar.0"] == "backward"
    assert roles["%w.bar"] == "sum"


def test_a_sum_node_is_a_circle_with_sigma():
    root = ElementTree.fromstring(_gradient().to_svg())
    sums = [group for group in root.iter(f"{SVG}g") if group.get("class") == "sum"]
    for group in sums:
        assert group.find(f"{SVG}circle") is not None
        assert group.findtext(f"{SVG}text") == "Σ"
    shared = [node for node in _gradient() if node.op == "add_n"]
    assert len(sums) == len(shared) > 0


def test_no_two_nodes_overlap(graph):
    for one, other in combinations(_boxes(graph).values(), 2):
        apart = one[2] <= other[0] or other[2] <= one[0]
        assert apart or one[3] <= other[1] or other[3] <= one[1]


def test_everything_is_inside_the_picture(graph):
    made = layout(graph, _sizes(graph))
    points = [point for wire in made.wires for point in wire.points]
    points += [(x, y) for box in _boxes(graph).values() for x, y in (box[:2], box[2:])]
    assert all(0 <= x <= made.width and 0 <= y <= made.height for x, y in points)


def test_no_straight_piece_of_an_edge_passes_behind_a_node(graph):
    """The bends between lanes stay within the gaps between the rows."""
    boxes = _boxes(graph)
    for wire in layout(graph, _sizes(graph)).wires:
        inner = wire.points[1:-1]
        for (x, y), (x2, y2) in pairwise(inner):
            if not wire.trunk and x != x2:
                continue
            for left, top, right, bottom in boxes.values():
                beside = max(x, x2) <= left or min(x, x2) >= right
                assert beside or max(y, y2) <= top or min(y, y2) >= bottom


def test_an_edge_ends_at_its_nodes(graph):
    boxes = _boxes(graph)
    for wire in layout(graph, _sizes(graph)).wires:
        for name, (x, y) in (
            (wire.edge.source, wire.points[0]),
            (wire.edge.target, wire.points[-1]),
        ):
            left, top, right, bottom = boxes[name]
            assert left <= x <= right
            assert y == pytest.approx(top) or y == pytest.approx(bottom)


def test_trunks_of_different_values_run_apart():
    """On one vertical line there is never more than one value at one height."""
    graph = _gradient()
    runs = {}
    for wire in layout(graph, _sizes(graph)).wires:
        if wire.trunk:
            for (x, y), (x2, y2) in zip(
                wire.points[2:], wire.points[3:-1], strict=False
            ):
                if x == x2:
                    net = wire.edge.source, graph[wire.edge.target].section
                    runs.setdefault(x, []).append((min(y, y2), max(y, y2), net))
    assert runs
    for found in runs.values():
        for one, other in combinations(found, 2):
            assert one[2] == other[2] or one[1] < other[0] or other[1] < one[0]


def test_a_cotangent_is_level_with_its_value():
    anchors = layout(_gradient(), _sizes(_gradient())).anchors
    for name in ("w", "h", "tanh.0"):
        assert anchors[f"{name}.bar"][1] == anchors[name][1]


def test_a_picture_is_the_same_every_time(graph):
    assert graph.to_svg() == graph.to_svg() == anabranch.parse(str(graph)).to_svg()


def test_text_is_escaped():
    """Names cannot have these characters, but a graph can be made by hand."""
    node = Node("""a<b>&"c'd""", "input", (), TensorType("f64", ()))
    text = Graph("g<script>", [node], [Output(node.name)]).to_svg()
    assert "<script" not in text
    assert """%a&lt;b&gt;&amp;&quot;c&#39;d""" in text
    root = ElementTree.fromstring(text)
    assert root.findtext(f"{SVG}title") == "graph g<script>"


def test_control_characters_are_replaced():
    node = Node("a\x00\u202eb", "input", (), TensorType("f64", ()))
    assert ElementTree.fromstring(Graph("g", [node], []).to_svg()) is not None


def test_a_picture_refers_to_nothing_outside():
    text = _gradient().to_svg()
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in text
    assert "href" not in text


def test_a_name_that_looks_like_a_cotangent_does_not_confuse_rows():
    """%b.bar is made of %a.bar here, so they cannot stand level with %b and %a."""
    text = """graph g(%a: f64[]) {
  %b = tanh(%a) : f64[]
backward bar:
  %a.bar = neg(%a) : f64[]
  %b.bar = neg(%a.bar) : f64[]
  return %b.bar
}
"""
    assert ElementTree.fromstring(anabranch.parse(text).to_svg()) is not None


def test_a_long_edge_has_a_trunk_and_a_short_one_lanes():
    b = Builder("deep")
    x = b.input("x", TensorType("f64", ()))
    h = x
    for _ in range(LONGEST_LANE + 2):
        h = b.tanh(h)
    y = b.add(h, x)
    graph = b.build([Output(y.name)])
    wires = layout(graph, _sizes(graph)).wires
    trunks = [wire.edge for wire in wires if wire.trunk]
    assert [(edge.source, edge.target) for edge in trunks] == [("x", y.name)]
