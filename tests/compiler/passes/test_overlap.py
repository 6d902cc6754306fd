"""Rows that meet are added in the loop, to one array for all loops inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.overlap import overlap
from anabranch.compiler.passes.widen import widen
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, Node, parse

SEEDS = range(8)


def around(offsets: list[tuple[int, ...]], step: int, n: int) -> Any:
    """A sum over what lies around each point of a plane or of a box."""

    def plane(u: Any, w: Any) -> Any:
        total = 0.0
        for i in range(n):
            for j in range(n):
                near = 0.0
                for k, (di, dj) in enumerate(offsets):
                    near = near + w[k] * u[step * i + di, j + dj]
                total = total + near**3
        return total

    def box(u: Any, w: Any) -> Any:
        total = 0.0
        for h in range(n):
            for i in range(n):
                for j in range(n):
                    near = 0.0
                    for k, (dh, di, dj) in enumerate(offsets):
                        near = near + w[k] * u[step * h + dh, i + di, j + dj]
                    total = total + near**3
        return total

    return box if len(offsets[0]) == 3 else plane


def slices(offsets: list[tuple[int, ...]], step: int, n: int) -> Any:
    """The same sum of whole slices."""

    def function(u: Any, w: Any) -> Any:
        near = 0.0
        for k, (first, *rest) in enumerate(offsets):
            places = [slice(first, first + step * n, step)]
            places += [slice(d, d + n) for d in rest]
            near = near + w[k] * u[tuple(places)]
        return np.sum(near**3)

    return function


def some(seed: int) -> tuple[Any, Any, Any, Any]:
    """A program, what it is in whole slices, and their arguments."""
    rng = np.random.default_rng(seed)
    rank, step, n = 2 + seed % 2, int(rng.integers(1, 3)), 11 if seed % 2 else 17
    offsets = [tuple(map(int, rng.integers(0, 3, rank))) for _ in range(5)]
    offsets[:2] = [(k, *offsets[k][1:]) for k in range(2)]  # two rows at least
    u = rng.normal(size=(step * n + 3, *(n + 3,) * (rank - 1)))
    given = offsets, step, n
    return around(*given), slices(*given), u, rng.normal(size=5)


def within(graph: Graph) -> list[Node]:
    """The nodes of a graph and of all its regions."""
    regions = [region for node in graph for region in node.regions]
    return [*graph, *(node for region in regions for node in within(region))]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_read_around_is_added_to_one_array(seed: int) -> None:
    function, in_slices, u, w = some(seed)
    raw = ab.make_ir(ab.grad(function, (0, 1)))(u, w)
    made = optimise(raw).verify()
    assert "loop" in [node.op for node in made]
    assert "pad" in [node.op for node in within(raw)]
    assert "pad" not in [node.op for node in within(made)]
    places = [node for node in within(made) if node.op == "add_at"]
    sizes = {node.type.size for node in places} - {w.size}
    assert sizes == {u.size}, "no array but that of the gradient is added to"
    expected = ab.grad(in_slices, (0, 1), backend="reference")(u, w)
    for found in (interpret(made, [u, w]), ab.grad(function, (0, 1))(u, w)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


ROWS = """
graph f(%x: f64[3,2], %z: f64[4,2]) {{
  %a, %b = loop(%x) {{trips=3, stacked=1}} : f64[3,2], f64[3,2]:
    body(%t: i64[], %r: f64[2]) {{
      %s = exp(%r) : f64[2]
      %w = neg(%s) : f64[2]
      return %s, %w
    }}
  %p = pad(%a) {{low=({low}, 0), high=({high}, 0), interior=({gap}, 0), value=0.0}} \
: f64[{size},2]
  %q = pad(%b) {{low=({high}, 0), high=({low}, 0), interior=({gap}, 0), value=0.0}} \
: f64[{size},2]
  %y = add_n({terms}) : f64[{size},2]
  return {results}
}}
"""


def rows(terms: str = "%p, %q", results: str = "%y", **attrs: int) -> Graph:
    where = {"low": 0, "high": 1, "gap": 0, "size": 4} | attrs
    return parse(ROWS.format(terms=terms, results=results, **where).strip())


def test_rows_that_stand_between_each_other_are_added_in_the_loop() -> None:
    graph = rows(gap=1, size=6)
    made = overlap(graph).verify()
    assert [node.op for node in made if node.op in ("pad", "add_n")] == []
    arrays = [np.random.default_rng(0).normal(size=s) for s in ((3, 2), (4, 2))]
    (found,), (expected,) = interpret(made, arrays), interpret(graph, arrays)
    np.testing.assert_allclose(found, expected)


def test_other_terms_of_the_sum_are_added_behind_the_loop() -> None:
    graph = rows("%p, %z, %q")
    made = overlap(graph).verify()
    assert [len(node.operands) for node in made if node.op == "add_n"] == [2]
    arrays = [np.random.default_rng(0).normal(size=s) for s in ((3, 2), (4, 2))]
    (found,), (expected,) = interpret(made, arrays), interpret(graph, arrays)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "graph",
    [
        rows(high=3, size=6),  # side by side
        rows("%p, %z"),  # one alone
        rows(results="%y, %p"),  # what is padded is read elsewhere
        rows(results="%y, %b"),  # the rows are
    ],
)
def test_other_rows_are_left_alone(graph: Graph) -> None:
    assert overlap(graph) is graph


PART = """
graph f(%s: f64[3,4], %v: f64[1], %i: i64[], %o: f64[4]) {{
  %c = const() {{value=0.0}}           : f64[]
  %z = broadcast_to(%c) {{shape=(4,)}} : f64[4]
  %a = loop(%v, {start}) {{trips=4, carried=1}} : f64[4]:
    body(%t: i64[], %v: f64[1], %u: f64[4]) {{
      %w = add_at(%u, %v, %t) {{axes=(0,), start=(0,), step=(1,)}} : f64[4]
      return %w
    }}
  %r = reshape(%a) {{shape={shape}}}    : f64[{sizes}]
  %y = add_at({array}, %r, %i) {{axes=({axis},), start=(0, 0), step=(1, 1)}} \
: f64[{whole}]
  return {results}
}}
"""


def part(**changed: str) -> Graph:
    given = {
        "start": "%z",
        "shape": "(1, 4)",
        "sizes": "1,4",
        "array": "%s",
        "axis": "0",
        "whole": "3,4",
        "results": "%y",
    }
    text = PART.format(**given | changed)
    if changed.get("whole") == "4,3":
        text = text.replace("%s: f64[3,4]", "%s: f64[4,3]")
    return parse(text.strip())


def test_a_part_is_added_to_the_array() -> None:
    graph = part()
    made = widen(graph).verify()
    (loop,) = [node for node in made if node.op == "loop"]
    assert loop.type.shape == (3, 4)
    assert [node.op for node in made if node.op == "add_at"] == []
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(3, 4)), rng.normal(size=1), np.array(2), rng.random(4)]
    (found,), (expected,) = interpret(made, arrays), interpret(graph, arrays)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "graph",
    [
        part(start="%o"),  # begins with something
        part(results="%y, %a"),  # the sum is read elsewhere
        part(shape="(4, 1)", sizes="4,1", axis="1", whole="4,3"),  # a column
    ],
)
def test_other_sums_are_left_alone(graph: Graph) -> None:
    assert widen(graph) is graph


def test_what_is_added_at_known_places_is_added_to_the_array_too() -> None:
    """Each row and each column has a last element, whose neighbour is the first."""

    def energy(u: Any) -> Any:
        n, m = u.shape
        total = 0.0
        for i in range(n - 1):
            for j in range(m - 1):
                total -= u[i, j] * (u[i, j + 1] + u[i + 1, j])
            total -= u[i, m - 1] * (u[i, 0] + u[i + 1, m - 1])
        for j in range(m - 1):
            total -= u[n - 1, j] * (u[n - 1, j + 1] + u[0, j])
        return total - u[n - 1, m - 1] * (u[n - 1, 0] + u[0, m - 1])

    u = np.random.default_rng(0).normal(size=(20, 30))
    made = optimise(ab.make_ir(ab.grad(energy))(u)).verify()
    bodies = [x for node in made for region in node.regions for x in within(region)]
    assert {x.type.size for x in bodies if x.op == "add_at"} == {u.size}
    assert "update" not in [x.op for x in bodies]
    around = sum(np.roll(u, by, axis) for by in (1, -1) for axis in (0, 1))
    np.testing.assert_allclose(ab.grad(energy)(u), -around, rtol=1e-12, atol=1e-12)


STORED = """
graph f(%s: f64[3,4], %v: f64[1], %w: f64[2], %i: i64[]) {{
  %c = const() {{value=0.0}}           : f64[]
  %z = broadcast_to(%c) {{shape=(4,)}} : f64[4]
  %a = loop(%v, %z) {{trips=4, carried=1}} : f64[4]:
    body(%t: i64[], %v: f64[1], %u: f64[4]) {{
      %e = add_at(%u, %v, %t) {{axes=(0,), start=(0,), step=(1,)}} : f64[4]
      return %e
    }}
  %p = slice(%a) {{start=(0,), shape=(1,), step=(1,)}} : f64[1]
  %q = add(%p, %v)                                     : f64[1]
  %b = update(%a, %q) {{start=(0,), step=(1,)}}        : f64[4]
  %l = slice({read}) {{start=({first},), shape=(2,), step=(1,)}} : f64[2]
  %m = add_n(%w, %l)                                   : f64[2]
  %d = update(%b, %m) {{start=({first},), step=(1,)}}  : f64[4]
  %r = reshape(%d) {{shape=(1, 4)}} : f64[1,4]
  %y = add_at(%s, %r, %i) {{axes=(0,), start=(0, 0), step=(1, 1)}} : f64[3,4]
  return %y{result}
}}
"""


@pytest.mark.parametrize(
    ("read", "first", "result", "changes"),
    [
        ("%a", 1, "", True),  # an older version, that has the same there
        ("%b", 0, "", True),
        ("%a", 0, "", False),  # and one that has not
        ("%b", 1, ", %b", False),
        ("%b", 1, ", %p", False),
    ],
)
def test_stores_that_add_are_seen(
    read: str, first: int, result: str, changes: bool
) -> None:
    text = STORED.format(read=read, first=first, result=result)
    graph = parse(text.strip())
    made = widen(graph).verify()
    assert ("update" not in [node.op for node in made]) == changes
    assert (made is not graph) == changes
    rng = np.random.default_rng(0)
    point = [rng.normal(size=s) for s in ((3, 4), (1,), (2,))]
    for found, expected in zip(
        interpret(made, [*point, np.array(2)]),
        interpret(graph, [*point, np.array(2)]),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-14)


LINE = """
graph f(%x: f64[3], %z: f64[3]) {{
  %a, %b = loop(%x) {{trips=3, stacked=1}} : f64[3], f64[3]:
    body(%t: i64[], %r: f64[]) {{
      %s = exp(%r) : f64[]
      %w = neg(%s) : f64[]
      return %s, %w
    }}
  %d = neg(%b)        : f64[3]
  %y = add_n({terms}) : f64[3]
  return %y, %d
}}
"""


@pytest.mark.parametrize(
    ("terms", "changes"),
    [("%a, %z", True), ("%z, %a, %x", True), ("%a, %d", False), ("%z, %b", False)],
)
def test_elements_are_added_to_what_was_there_before(terms: str, changes: bool) -> None:
    """And not to what is made of the loop, or where they are read elsewhere."""
    graph = parse(LINE.format(terms=terms).strip())
    made = overlap(graph).verify()
    assert (made is not graph) == changes
    arrays = [np.random.default_rng(0).normal(size=3) for _ in range(2)]
    for found, expected in zip(
        interpret(made, arrays), interpret(graph, arrays), strict=True
    ):
        np.testing.assert_allclose(found, expected)


def test_rows_of_which_a_limit_says_how_many_there_are_are_added_in_the_loop() -> None:
    """So the way back of a sum over the first elements touches those, and no others."""
    n = 20

    def function(x: Any, y: Any) -> Any:
        total = 0.0
        for i in range(n):
            near = 0.0
            for j in range(i):
                near = near + x[i, j] * y[j]
            total = total + near**3
        return total

    rng = np.random.default_rng(0)
    point = rng.normal(size=(n, n)), rng.normal(size=n)
    graph = optimise(ab.make_ir(ab.grad(function, argnums=(0, 1)))(*point)).verify()
    assert not [node for node in within(graph) if node.op == "pad"]
    near = np.tril(point[0], -1) @ point[1]
    x_bar = np.tril(3 * near[:, None] ** 2 * point[1], -1)
    y_bar = 3 * near**2 @ np.tril(point[0], -1)
    for found, expected in zip(interpret(graph, point), (x_bar, y_bar), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("width", "until", "adds"),
    [(3, "all", False), (3, "before", False), (40, "all", True)],
)
def test_rows_of_few_elements_are_added_where_they_are_made(
    width: int, until: str, adds: bool
) -> None:
    """A loop inside has no array of its own for what it adds to all rows."""

    def energy(x: Any) -> Any:
        total = 0.0
        for i in range(len(x)):
            for j in range(len(x) if until == "all" else i):
                d = x[j] - x[i]
                total = total + np.exp(-np.sum(d * d))
        return total

    x = 0.2 * np.random.default_rng(0).normal(size=(20, width))
    made = optimise(ab.make_ir(ab.grad(energy))(x)).verify()
    (back,) = [node for node in made if node.op == "loop" and node.section]
    sums = [node for node in back.regions[0] if node.op in ("add", "add_n")]
    assert (x.size in [node.type.size for node in sums]) is adds
    expected = ab.grad(energy, backend="reference")(x)
    for found in (*interpret(made, [x]), ab.grad(energy)(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_loop_without_a_turn_has_no_rows_to_add() -> None:
    def states(x: Any) -> Any:
        _, found = ab.scan(
            lambda h, r: (np.tanh(h + r),) * 2, np.ones(3), x, checkpoint_every=3
        )
        return np.sum(found)

    def twice(x: Any, backend: str) -> Any:
        gradient = ab.grad(states, backend=backend)
        return ab.grad(lambda x: np.sum(gradient(x) ** 2), backend=backend)(x)

    x = np.random.default_rng(0).normal(size=(12, 3))
    np.testing.assert_allclose(twice(x, "llvm"), twice(x, "reference"), 1e-12)
