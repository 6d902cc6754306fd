"""The op `loop`: its text, what is wrong with it, what prune leaves, its pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import run_passes
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, parse
from anabranch.ir.errors import ParseError, VerifyError

TEXT = """\
graph f(%W: f64[3,3], %h0: f64[3,3], %xs: f64[5,3,3], %n: i64[]) {
  %h, %ys  = loop(%W, %h0, %xs) {trips=5, carried=1, stacked=1} : f64[3,3], f64[5,3,3]:
    body(%t: i64[], %a: f64[3,3], %b: f64[3,3], %x: f64[3,3]) {
      %p = matmul(%a, %b) : f64[3,3]
      %q = add(%p, %x)    : f64[3,3]
      %r = tanh(%q)       : f64[3,3]
      return %r, %r
    }
  %k       = loop(%n, %n) {limit=True, carried=1}               : i64[]:
    body(%t: i64[], %c: i64[]) {
      %d = add(%c, %t) : i64[]
      return %d
    }
  return h=%h, ys=%ys, k=%k
}
"""
HEAD = "%h, %ys  = loop"
HOSTILE = {
    "trips too few": (HEAD, "trips=5", "trips=4"),
    "trips negative": (HEAD, "trips=5", "trips=-5"),
    "no trips": (HEAD, "trips=5, ", ""),
    "trips of another kind": (HEAD, "trips=5", "trips=5.0"),
    "more carried": (HEAD, "carried=1", "carried=2"),
    "far too many carried": (HEAD, "carried=1", "carried=7"),
    "carried negative": (HEAD, "carried=1", "carried=-1"),
    "more stacked": (HEAD, "stacked=1", "stacked=2"),
    "stacked negative": (HEAD, "stacked=1", "stacked=-1"),
    "a limit that is no integer": (HEAD, "stacked=1", "stacked=1, limit=True"),
    "a test that is no bool": (HEAD, "stacked=1", "stacked=1, test=True"),
    "another attribute": (HEAD, "stacked=1", "stacked=1, axis=0"),
    "no states held": (HEAD, "stacked=1", "stacked=1, held=0"),
    "an operand too few": (HEAD, "(%W, %h0, %xs)", "(%h0, %xs)"),
    "an operand of another type": (HEAD, "(%W, %h0, %xs)", "(%xs, %h0, %xs)"),
    "not stacked": (HEAD, "(%W, %h0, %xs)", "(%W, %h0, %h0)"),
    "a type too few": (HEAD, ": f64[3,3], f64[5,3,3]:", ": f64[3,3]:"),
    "rows missing": (HEAD, ": f64[3,3], f64[5,3,3]:", ": f64[3,3], f64[3,3]:"),
    "no region": (HEAD, "f64[5,3,3]:", "f64[5,3,3]"),
    "a region of another name": ("body(%t: i64[], %a", "body(", "then("),
    "no counter": ("body(%t: i64[], %a", "%t: i64[], ", ""),
    "a counter of another type": ("body(%t: i64[], %a", "%t: i64[]", "%t: i32[]"),
    "an input of another type": ("body(%t: i64[], %a", "%x: f64[3,3]", "%x: f64[3]"),
    "nothing is returned": ("return %r, %r", "%r, %r", ""),
    "another carried type": ("return %d", "%d", "%d, %d"),
    "neither trips nor a limit": ("%k       = loop", "limit=True, ", ""),
    "a limit that is missing": ("%k       = loop", "(%n, %n)", "(%n)"),
    "nothing is carried": ("%k       = loop", "carried=1", "carried=0"),
    "an outer name inside": ("%d = add", "(%c, %t)", "(%c, %n)"),
    "a test backwards": (
        "%k       = loop",
        "limit=True",
        "limit=True, test=True, reverse=True",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_wrong_text_is_refused(what: str) -> None:
    line, old, new = HOSTILE[what]
    lines = list[str](TEXT.splitlines())
    (place,) = (k for k, text in enumerate(lines) if text.strip().startswith(line))
    assert old in lines[place]
    lines[place] = lines[place].replace(old, new)
    with pytest.raises((ParseError, VerifyError)):
        parse("\n".join(lines))


def test_segments_are_a_number_or_a_flag() -> None:
    for segments in "True", "1", "4":
        text = TEXT.replace("stacked=1}", f"stacked=1, segments={segments}}}")
        assert f"segments={segments}}}" in parse(text).as_text()
    with pytest.raises(VerifyError):
        parse(TEXT.replace("stacked=1}", "stacked=1, segments=1.5}"))


def test_the_canonical_text_is_a_fixed_point() -> None:
    graph = parse(TEXT)
    text = graph.as_text()
    assert parse(text) == graph
    assert parse(text).as_text() == text
    assert parse(graph.as_text(annotate=True)) == graph


def test_the_hash_knows_bodies_and_not_names() -> None:
    graph = parse(TEXT)
    renamed = parse(TEXT.replace("%q", "%other"))
    assert renamed != graph
    assert renamed.structural_hash() == graph.structural_hash()
    changed = parse(TEXT.replace("tanh", "sin"))
    assert changed.structural_hash() != graph.structural_hash()


@pytest.mark.parametrize("n", [-2, 0, 1, 4])
def test_a_limit_below_zero_is_zero(n: int) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((3, 3), (3, 3), (5, 3, 3))]
    found = interpret(parse(TEXT), [*arrays, np.asarray(n)])
    assert found[2] == n + sum(range(max(n, 0)))


def test_rows_that_no_iteration_makes_are_zeros() -> None:
    graph = parse("""
        graph f(%n: i64[], %x: f64[]) {
          %y, %ys = loop(%n, %x) {trips=4, limit=True, carried=1} : f64[], f64[4]:
            body(%t: i64[], %c: f64[]) {
              %d = add(%c, %c) : f64[]
              return %d, %c
            }
          return %y, %ys
        }""")
    y, ys = interpret(graph, [np.asarray(2), np.asarray(3.0)])
    assert y == 12.0
    np.testing.assert_array_equal(ys, [3.0, 6.0, 0.0, 0.0])


PRUNED = """\
graph f(%x: f64[], %y: f64[], %z: f64[], %xs: f64[4], %zs: f64[4]) {
  %a, %b, %c, %as, %cs = loop(%x, %x, %y, %z, %xs, %zs) {trips=4, carried=3, \
stacked=2} : f64[], f64[], f64[], f64[4], f64[4]:
    body(%t: i64[], %w: f64[], %a: f64[], %b: f64[], %c: f64[], %x: f64[], %z: f64[]) {
      %d = add(%a, %b) : f64[]
      %e = add(%b, %x) : f64[]
      %f = mul(%c, %z) : f64[]
      %g = mul(%f, %w) : f64[]
      return %d, %e, %g, %a, %c
    }
  return %KEPT
}
"""


@pytest.mark.parametrize(
    ("kept", "carried", "operands"),
    [
        ("a", 2, ("x", "y", "xs")),
        ("b", 1, ("y", "xs")),
        ("as", 2, ("x", "y", "xs")),
        ("c", 1, ("x", "z", "zs")),
        ("cs", 1, ("x", "z", "zs")),
    ],
)
def test_prune_keeps_what_is_carried_to_what_is_read(
    kept: str, carried: int, operands: tuple[str, ...]
) -> None:
    graph = parse(PRUNED.replace("KEPT", kept))
    made = run_passes(graph, ("prune",), after_each=Graph.verify)
    (node,) = (node for node in made if node.op == "loop")
    assert (node.attrs["carried"], node.operands) == (carried, operands)
    assert node.makes({kept})
    arrays = [np.asarray(v) for v in (0.5, 1.5, -0.7)]
    arrays += [np.arange(4.0), np.linspace(1, 2, 4)]
    assert np.array_equal(interpret(made, arrays), interpret(graph, arrays))
    assert run_passes(made, ("prune",)) is made


def test_the_pictures_show_the_body_once() -> None:
    graph = adjoint(parse(TEXT), wrt=["W"], of=["h"], seeded=True)
    svg = graph.to_svg()
    ET.fromstring(svg)
    assert svg.count("body of %h<") == 1
    assert graph.to_dot().count("body of %h") == 1


def test_contributions_go_on_into_the_body() -> None:
    graph = parse("""
        graph f(%w: f64[], %x: f64[], %xs: f64[4]) {
          %a = loop(%w, %x, %xs) {trips=4, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %u: f64[], %v: f64[], %r: f64[]) {
              %b = loop(%u, %v) {trips=2, carried=1} : f64[]:
                body(%t: i64[], %u: f64[], %v: f64[]) {
                  %c = mul(%u, %v) : f64[]
                  %d = mul(%c, %u) : f64[]
                  return %d
                }
              %e = mul(%b, %u) : f64[]
              %g = add(%e, %r) : f64[]
              return %g
            }
          %k = mul(%a, %w) : f64[]
          return %k
        }""")
    made = adjoint(graph, wrt=["w", "xs"]).verify()
    assert [str(one) for one in made.contributions("w")] == [
        "%u.bar.0 in each of 4 times 2 iterations from %c, slot 0",
        "%u.bar.1 in each of 4 times 2 iterations from %d, slot 1",
        "%u.bar.1 in each of 4 iterations from %e, slot 1",
        "%w.bar.1 from %k, slot 1",
    ]
    assert [str(x) for x in made.contributions("xs")] == ["%xs.bar from %a, slot 2"]
