"""Nodes with several values and nodes with regions: text, verifier, hash, pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import networkx as nx
import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import OPS, Builder, Graph, Node, Output, TensorType, parse
from anabranch.ir.errors import AnabranchError, ParseError, VerifyError
from anabranch.ir.graph import MAX_DEPTH, Read, Value
from anabranch.ir.ops.spec import OpDef

SCALAR = TensorType("f64", ())
TEXT = """\
graph f(%p: bool[], %x: f64[3], %w: f64[3]) {
  %y, %z = cond(%p, %x, %w)          : f64[3], f64[]:
    then(%a: f64[3], %b: f64[3]) {
      %c = mul(%a, %b)               : f64[3]
      %s = reduce_sum(%c) {axes=(0,)} : f64[]
      return %c, %s
    }
    else(%a: f64[3], %b: f64[3]) {
      %s = reduce_sum(%b) {axes=(0,)} : f64[]
      return %a, %s
    }
  %q     = mul(%y, %y)               : f64[3]
  return y=%q, %z
}
"""


def graph() -> Graph:
    return parse(TEXT)


def test_the_values_of_a_node_are_values_of_the_graph() -> None:
    made = graph()
    assert [node.name for node in made] == ["p", "x", "w", "y", "q"]
    assert list(made.nodes) == ["p", "x", "w", "y", "z", "q"]
    assert len(made) == 5
    y, z = made["y"], made["z"]
    assert (y.name, str(y.type)) == ("y", "f64[3]")
    assert (z.name, str(z.type)) == ("z", "f64[]")
    assert (y.op, z.op) == ("cond", "cond")
    assert y.operands == z.operands == ("p", "x", "w")
    assert y.values == z.values == (y, z)
    assert made.maker("z") == "y"
    assert made.reads["y"] == (Read("q", 0), Read("q", 1))
    assert made.reads["z"] == ()


def test_the_canonical_text_is_a_fixed_point() -> None:
    text = graph().as_text()
    assert parse(text) == graph()
    assert parse(text).as_text() == text
    assert text.count("then(%a") == text.count("else(%a") == 1
    assert parse(graph().as_text(annotate=True)) == graph()
    assert "# reads=2, 1" in graph().as_text(annotate=True)


def test_white_space_and_comments_are_free() -> None:
    squeezed = "\n".join(line.strip() + " # note" for line in TEXT.splitlines())
    assert parse(squeezed) == graph()


def test_networkx_has_one_node_and_edges_that_tell_the_value() -> None:
    made: Any = graph().graph
    assert set(made) == {"p", "x", "w", "y", "q"}
    assert made.edges["y", "q", 1] == {"value": "y"}
    assert nx.is_frozen(made)
    graph().verify()


HOSTILE = {
    "a type too few": ("%y, %z = cond", ": f64[3], f64[]:", ": f64[3]:"),
    "a type too many": ("%y, %z = cond", ": f64[3], f64[]:", ": f64[3], f64[], f64[]:"),
    "a value too few": ("%y, %z = cond", "%y, %z =", "%y ="),
    "two values of one name": ("%y, %z = cond", "%y, %z =", "%y, %y ="),
    "a name of an earlier value": ("%y, %z = cond", "%y, %z =", "%y, %x ="),
    "another type": ("%y, %z = cond", ": f64[3], f64[]:", ": f64[3], f32[]:"),
    "types swapped": ("%y, %z = cond", ": f64[3], f64[]:", ": f64[], f64[3]:"),
    "no regions": ("%y, %z = cond", "f64[]:", "f64[]"),
    "regions of an op without": ("%q     = mul", ": f64[3]", ": f64[3]:"),
    "an unknown op with regions": ("%y, %z = cond", "cond(", "never("),
    "several values of an op with one": ("%q     = mul", "%q     =", "%q, %r ="),
    "an operand too few": ("%y, %z = cond", "(%p, %x, %w)", "(%p, %x)"),
    "an operand too many": ("%y, %z = cond", "(%p, %x, %w)", "(%p, %x, %w, %w)"),
    "no operands": ("%y, %z = cond", "(%p, %x, %w)", "()"),
    "no condition": ("%y, %z = cond", "(%p, %x, %w)", "(%x, %x, %w)"),
    "an attribute": ("%y, %z = cond", "(%p, %x, %w)", "(%p, %x, %w) {axis=0}"),
    "labels of another op": (
        "%q     = mul",
        "(%y, %y)",
        '(%y, %y) {reads=(("q", 0),)}',
    ),
    "the regions swapped": ("then(", "then(", "else("),
    "a region of another name": ("else(", "else(", "otherwise("),
    "a region's input of another type": ("else(", "%b: f64[3]", "%b: f32[3]"),
    "a region without an input": ("else(", ", %b: f64[3]", ""),
    "a name of the graph around": ("return %a, %s", "%a", "%x"),
    "an outer name as operand": ("%c = mul", "(%a, %b)", "(%a, %w)"),
    "a name of the region outside": ("%q     = mul", "(%y, %y)", "(%y, %a)"),
    "a result too few": ("return %a, %s", "%a, %s", "%a"),
    "no results at all": ("return %a, %s", "%a, %s", ""),
    "a region that returns other types": ("return %a, %s", "%a, %s", "%s, %a"),
    "a value read before it is made": ("%c = mul", "(%a, %b)", "(%s, %b)"),
    "a region that does not end": (
        "return %a, %s",
        "return %a, %s",
        "%t = exp(%a) : f64[3]",
    ),
    "an attribute with labels of no reads": (
        "%q     = mul",
        "(%y, %y)",
        "(%y, %y) {reads=3}",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_wrong_text_is_refused(what: str) -> None:
    line, old, new = HOSTILE[what]
    changed = [
        one.replace(old, new) if line in one else one for one in TEXT.splitlines()
    ]
    assert changed != TEXT.splitlines()
    with pytest.raises((ParseError, VerifyError)) as caught:
        parse("\n".join(changed))
    assert len(str(caught.value)) < 1000


def test_a_text_that_ends_anywhere_is_refused() -> None:
    for end in range(len(TEXT) - 2):
        with pytest.raises(AnabranchError):
            parse(TEXT[:end])


def nested(depth: int) -> str:
    """Choices in choices, as text."""
    start = "%y = cond(%p, %p, %x) : f64[]:\nthen(%p: bool[], %x: f64[]) {\n"
    other = "else(%p: bool[], %x: f64[]) {\nreturn %x\n}\n"
    lines = ["graph f(%p: bool[], %x: f64[]) {\n"]
    lines += [start] * depth
    lines.append("return %x\n}\n")
    lines.extend([f"{other}return %y\n}}\n"] * depth)
    return "".join(lines)


def test_regions_have_a_greatest_depth() -> None:
    made = parse(nested(MAX_DEPTH - 1))
    assert made.depth == MAX_DEPTH
    assert parse(made.as_text()) == made
    assert "fill" in made.to_svg()
    for depth in (MAX_DEPTH, 1_000, 50_000):
        with pytest.raises(ParseError, match="nested deeper than 32"):
            parse(nested(depth))


def test_a_graph_of_more_depth_cannot_be_made() -> None:
    inner = parse(nested(MAX_DEPTH - 1))
    then, other = (Graph(name, list(inner), inner.outputs) for name in ("then", "else"))
    b = Builder("f")
    p, x = b.input("p", TensorType("bool", ())), b.input("x", SCALAR)
    made = b.add_node("cond", p, p, x, regions=(then, other))
    with pytest.raises(VerifyError, match="nested deeper than 32"):
        b.build([Output(made.name)])


def test_the_hash_sees_regions_and_no_names() -> None:
    made = graph()
    renamed = parse(TEXT.replace("%a", "%alpha").replace("%z", "%zeta"))
    assert renamed != made
    assert renamed.same_structure(made)
    assert renamed.structural_hash() == made.structural_hash()
    other = parse(TEXT.replace("%c = mul", "%c = add"))
    assert not other.same_structure(made)
    assert other.structural_hash() != made.structural_hash()
    assert hash(made["y"]) == hash(graph()["y"])


@pytest.mark.parametrize("second", [TEXT.replace("mul(%a", "add(%a"), TEXT])
def test_equal_choices_merge(second: str) -> None:
    """`dedupe` compares regions up to names."""
    lines = second.replace("%a", "%other").splitlines()
    again = "\n".join(lines[1:-3]).replace("%y, %z", "%v, %u")
    text = TEXT.replace("  %q     = mul(%y, %y)", again + "\n  %q = mul(%y, %v)")
    made = parse(text.replace("return y=%q", "return %u, %q"))
    conds = [node for node in optimise(made) if node.op == "cond"]
    assert len(conds) == (1 if second == TEXT else 2)


def test_prune_drops_values_and_operands_that_nothing_needs() -> None:
    made = optimise(parse(TEXT.replace("return y=%q, %z", "return %z")))
    (cond,) = (node for node in made.verify() if node.op == "cond")
    assert cond.names == ("z",)
    made = optimise(parse(TEXT.replace("return y=%q, %z", "return %q")))
    (cond,) = (node for node in made.verify() if node.op == "cond")
    assert cond.names == ("y",)
    assert [len(region) for region in cond.regions] == [3, 2]
    free = TEXT.replace("%c = mul(%a, %b)", "%c = mul(%a, %a)")
    free = free.replace("reduce_sum(%b)", "reduce_sum(%a)")
    (cond,) = (node for node in optimise(parse(free)).verify() if node.op == "cond")
    assert cond.operands == ("p", "x")


def test_pictures_show_regions() -> None:
    made = adjoint(graph(), wrt=["x"], of=["q", "z"], seeded=True)
    svg = made.to_svg()
    ET.fromstring(svg)
    for words in ("then of %y", "else of %y", "%y, %z", "f64[3], f64[]", "sum node"):
        assert words in svg, words
    dot = made.to_dot()
    assert dot.count("subgraph") == 4
    assert dot.count("{") == dot.count("}")
    for words in ('label="then of %y"', '"y then c" -> "y"', "style=dashed"):
        assert words in dot, words


def sincos() -> OpDef:
    """An op with two values and no regions."""
    return OpDef(
        "sincos",
        1,
        lambda x: (x, x),
        lambda x: (np.sin(x), np.cos(x)),
        lambda b, n, g, x: (_pulled_back(b, n, g),),
    )


def _pulled_back(b: Builder, n: Node, g: tuple[Node | None, ...]) -> Node:
    sin, cos = n.values
    terms = [b.mul(g[0], cos)] if g[0] else []
    terms += [b.neg(b.mul(g[1], sin))] if g[1] else []
    return terms[0] if len(terms) == 1 else b.add(*terms)


@pytest.mark.parametrize("wanted", ["%s", "%c", "%q"])
def test_an_op_with_several_values_and_no_regions(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPS, "sincos", sincos())
    made = parse(f"""
        graph f(%x: f64[]) {{
          %s, %c = sincos(%x) : f64[], f64[]
          %p = mul(%s, %c)    : f64[]
          %q = mul(%p, %s)    : f64[]
          return {wanted}
        }}""")
    assert parse(made.as_text()) == made
    back = adjoint(made, wrt=["x"]).verify()
    x = np.asarray(0.7)
    slope = {
        "%s": np.cos(x),
        "%c": -np.sin(x),
        "%q": 2 * np.sin(x) * np.cos(x) ** 2 - np.sin(x) ** 3,
    }
    np.testing.assert_allclose(interpret(back, [x])[1], slope[wanted], rtol=1e-14)
    if wanted == "%q":
        assert back["s.bar"].reads == (Read("p", 0), Read("q", 1))
        assert not back["c.bar"].reads


def test_each_value_has_a_law_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum node that is missing for the second value is found."""
    monkeypatch.setitem(OPS, "sincos", sincos())
    made = parse("""
        graph f(%x: f64[]) {
          %s, %c = sincos(%x) : f64[], f64[]
          %p = mul(%c, %c)    : f64[]
          return %p
        }""")
    back = adjoint(made, wrt=["x"]).verify()
    nodes = [
        node._replace(op="add", reads=()) if node.name == "c.bar" else node
        for node in back
    ]
    with pytest.raises(VerifyError, match="%c has 2 reads and no sum node"):
        Graph(back.name, nodes, back.outputs, back.sections).verify()


def test_a_node_goes_by_its_first_value() -> None:
    made = graph()
    nodes = [
        node._replace(several=(Value("q", node.type), Value("r", SCALAR)))
        if node.op == "mul"
        else node
        for node in made
    ]
    with pytest.raises(VerifyError, match="the type is"):
        Graph(made.name, nodes, made.outputs).verify()
    swapped = [
        node._replace(several=node.several[::-1]) if node.several else node
        for node in made
    ]
    with pytest.raises(VerifyError, match="not the first value"):
        Graph(made.name, swapped, made.outputs).verify()


def test_a_returned_value_has_its_read_by_return_last() -> None:
    """Also behind nodes of several values, which take more places than one."""
    made = parse("""
        graph f(%p: bool[], %x: f64[]) {
          %a, %b, %c, %d = cond(%p, %x) : f64[], f64[], f64[], f64[]:
            then(%x: f64[]) {
              return %x, %x, %x, %x
            }
            else(%x: f64[]) {
              %y = neg(%x) : f64[]
              return %y, %y, %y, %y
            }
          %e = mul(%a, %b) : f64[]
          %g = mul(%e, %c) : f64[]
          return %e, %g, %d
        }""")
    back = adjoint(made, wrt=["x"], of=["e", "g"], seeded=True).verify()
    assert back["e.bar"].reads == (Read("g", 0), Read("return", 0))
