"""The text form: exact both ways, and suspicious of everything."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Graph, Output, TensorType, literals, parse
from anabranch.ir import text as ir_text
from anabranch.ir.errors import ParseError, VerifyError
from anabranch.ir.text import format_node, is_name
from tests.oracles.work import (
    MatchingWork,
    TooMuchWork,
    executed_lines,
    matching_steps,
)
from tests.strategies import random_sample

MATRIX = TensorType("f64", (2, 3))


def body(*lines: str, params: str = "%x: f64[4]", result: str = "%y") -> str:
    return "\n".join([f"graph f({params}) {{", *lines, f"return {result}", "}"])


def round_trip(graph: Graph) -> None:
    text = graph.as_text()
    again = parse(text)
    assert again == graph
    assert again.as_text() == text


def test_the_canonical_text() -> None:
    b = Builder("net")
    x = b.input("x", MATRIX)
    w = b.input("w", TensorType("f64", (3, 3)))
    y = b.reduce_sum(b.tanh(b.matmul(x, w)), axes=(0, 1))
    graph = b.build([Output(y.name, "loss")])
    assert (
        graph.as_text()
        == """\
graph net(%x: f64[2,3], %w: f64[3,3]) {
  %matmul.0     = matmul(%x, %w)                    : f64[2,3]
  %tanh.0       = tanh(%matmul.0)                   : f64[2,3]
  %reduce_sum.0 = reduce_sum(%tanh.0) {axes=(0, 1)} : f64[]
  return loss=%reduce_sum.0
}
"""
    )


def test_white_space_and_comments_are_free() -> None:
    loose = """
      # a comment
      graph   f ( %x :f64[ 4 ] )   {   # "quoted

        %y=exp( %x ):f64[4]     # exp "
        return   out.r0 = %y
      }
    """
    tight = body("%y = exp(%x) : f64[4]", result="out.r0=%y")
    assert parse(loose) == parse(tight)


def test_an_annotated_text_reads_as_the_same_graph() -> None:
    sample = random_sample(11)
    graph = adjoint(sample.graph, wrt=sample.floats, seeded=True)
    annotated = graph.as_text(annotate=True)
    assert "#" in annotated
    assert parse(annotated) == graph


def test_a_comment_sign_in_a_string_is_no_comment() -> None:
    line = '%y = check(%x) {low=0, high=2, error="index", message="# \\" #"} : i64[4]'
    graph = parse(body(line, params="%x: i64[4]"))
    assert graph["y"].attrs["message"] == '# " #'
    round_trip(graph)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_fused_graphs_keep_their_kernels(seed: int) -> None:
    graph = optimise(random_sample(seed, mixed=True).graph)
    assert any(node.kernel is not None for node in graph) or len(graph) < 6
    round_trip(graph)


def test_sections_with_and_without_their_law() -> None:
    sample = random_sample(5)
    first = adjoint(sample.graph, wrt=sample.floats, seeded=True)
    second = adjoint(first, wrt=sample.floats, of=first.results[-1:], seeded=True)
    assert [section.suffix for section in second.sections] == ["bar", "bar2"]
    round_trip(second)
    weakened = optimise(second)
    assert not any(section.lawful for section in weakened.sections)
    round_trip(weakened)


def test_a_section_without_nodes() -> None:
    graph = parse(body("%y = exp(%x) : f64[4]", "backward bar of (%y) wrt (%x):"))
    assert graph.sections[0].of == ("y",)
    round_trip(graph)


@pytest.mark.parametrize(
    ("line", "params", "number"),
    [
        ("%y = exp(%x) : f64[4]", "%x: f64[B,4]", 1),
        ("%y = exp(%x) : f64[B]", "%x: f64[4]", 2),
    ],
)
def test_a_symbol_is_no_size(line: str, params: str, number: int) -> None:
    with pytest.raises(ParseError, match=f"line {number} .*a number, not 'B'") as e:
        parse(body(line, params=params))
    assert "write the size" in str(e.value)


@pytest.mark.parametrize("text", ["graph f() {\nreturn\n}", body("", result="%x")])
def test_the_smallest_graphs(text: str) -> None:
    round_trip(parse(text))


def test_a_kept_text_begins_with_the_version() -> None:
    graph = random_sample(3).graph
    text = graph.as_text(version=True)
    assert text == f"anabranch {ir_text.VERSION}\n{graph}"
    assert parse(text) == parse(f"# kept\n\n {text}") == graph


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("anabranch 2", "version 2 of the format.* no newer one than 1"),
        ("anabranch 999999999", "version 999999999 of the format"),
        ("anabranch 9999999999", "line 1 .*expected 'anabranch 1', found 'anab"),
        ("anabranch 0", "expected 'anabranch 1', found 'anabranch 0'"),
        ("anabranch 1.5", "expected 'anabranch 1'"),
        ("anabranch", "expected 'anabranch 1', found 'anabranch'"),
        ("anabranch1", "expected 'anabranch 1'"),
        ("anabranch 1\nanabranch 1", "line 2 .*expected 'graph"),
    ],
)
def test_no_other_version_is_read(line: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        parse(f"{line}\n{body(result='%x')}")


def test_a_newer_version_says_what_to_do() -> None:
    with pytest.raises(ParseError, match="pip install --upgrade anabranch"):
        parse(f"anabranch {ir_text.VERSION + 1}\nloops and other new things")


def test_a_version_alone_is_no_graph() -> None:
    with pytest.raises(ParseError, match="line 1 of IR text: expected 'graph"):
        parse("anabranch 1")


def test_long_lines_do_not_widen_the_columns() -> None:
    b = Builder("f")
    x = b.input("x", TensorType("f64", ()))
    y = b.add_n(*[x] * 40)
    graph = b.build([Output(b.exp(y).name)])
    short = next(line for line in graph.as_text().split("\n") if "exp" in line)
    assert len(short) < 60
    round_trip(graph)


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "_",
        "W1",
        "p.W.0",
        "x.bar.2",
        "été",
        "\uff45\uff56\uff41\uff4c",
        "None",
        "a" * 400,
    ],
)
def test_names_that_round_trip(name: str) -> None:
    assert is_name(name)
    b = Builder("f")
    x = b.input(name, MATRIX)
    round_trip(b.build([Output(b.exp(x).name, name)]))


HOSTILE = [
    "",
    " ",
    "a b",
    "1a",
    ".a",
    "a.",
    "a..b",
    'a"',
    "a\n",
    "a\nimport os",
    "a\\",
    "a#",
    "%a",
    "</script>",
    "a" * 401,
    "\N{GRINNING FACE}",
    "a\0",
    "\N{RIGHT-TO-LEFT OVERRIDE}a",
    "a\N{LINE SEPARATOR}b",
    "{{}}",
    "%s",
    "x);__import__('os').system('touch PWN');(",
    '"""',
    "return",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_are_refused(name: str) -> None:
    """By the verifier where a program made them, by the reader where a text did."""
    b = Builder("f")
    x = b.input(name, MATRIX)
    with pytest.raises(VerifyError):
        b.build([Output(x.name)]).verify()
    with pytest.raises((ParseError, VerifyError)):
        parse(body(params=f"%{name}: f64[4]", result=f"%{name}"))


@pytest.mark.parametrize("name", [n for n in HOSTILE if n != "return"])
def test_names_of_graphs_and_labels_that_are_refused(name: str) -> None:
    b = Builder(name)
    x = b.input("x", MATRIX)
    with pytest.raises(VerifyError):
        b.build([Output(x.name)]).verify()
    labelled = Graph("f", [x], [Output(x.name, name or " ")])
    with pytest.raises(VerifyError):
        labelled.verify()


LIES = {
    "wrong shape": "%y = exp(%x) : f64[5]",
    "wrong rank": "%y = exp(%x) : f64[4,1]",
    "wrong dtype": "%y = exp(%x) : f32[4]",
    "too few operands": "%y = add(%x) : f64[4]",
    "too many operands": "%y = exp(%x, %x) : f64[4]",
    "no operands": "%y = add_n() : f64[4]",
    "dangling reference": "%y = exp(%nope) : f64[4]",
    "itself": "%y = exp(%y) : f64[4]",
    "unknown op": "%y = frobnicate(%x) : f64[4]",
    "unknown attribute": '%y = exp(%x) {mode="fast"} : f64[4]',
    "missing attribute": "%y = reduce_sum(%x) : f64[]",
    "attribute twice": "%y = reduce_sum(%x) {axes=(0,), axes=(0,)} : f64[]",
    "wrong attribute": "%y = reduce_sum(%x) {axes=0} : f64[]",
    "bool axis": "%y = cumsum(%x) {axis=False, reverse=False} : f64[4]",
    "name twice": "%y = exp(%x) : f64[4]\n%y = sin(%x) : f64[4]",
    "name of an input": "%x = exp(%x) : f64[4]",
    "hidden input": "%y = input() : f64[4]",
    "hidden input with operand": "%y = input(%x) : f64[4]",
    "unknown dtype": '%y = cast(%x) {dtype="f16"} : f16[4]',
    "dtype with code": "%y = cast(%x) {dtype=\"f64');os._exit(1);('\"} : f64[4]",
    "negative dimension": "%y = exp(%x) : f64[-4]",
    "fractional dimension": "%y = exp(%x) : f64[4.0]",
    "huge dimension": "%y = broadcast_to(%x) {shape=(9223372036854775808, 4)} : f64[4]",
    "huge shape": "%y = exp(%x) : f64[4294967296,4294967296]",
    "bool dimension": "%y = reshape(%x) {shape=(True, 4)} : f64[1,4]",
    "nan as an integer": '%y = const() {value=nan, dtype="i64"} : i64[]',
    "inf as an integer": '%y = const() {value=inf, dtype="i64"} : i64[]',
    "too large for its dtype": '%y = const() {value=300, dtype="i8"} : i8[]',
    "inexact in f32": '%y = const() {value=0.1, dtype="f32"} : f32[]',
    "number as bool": '%y = const() {value=1, dtype="bool"} : bool[]',
    "list": "%y = reduce_sum(%x) {axes=[0]} : f64[]",
    "call": "%y = reduce_sum(%x) {axes=print(0)} : f64[]",
    "no type": "%y = exp(%x)",
    "junk": "%y = exp(%x) : f64[4] junk",
    "open string": '%y = exp(%x) : f64[4] "junk',
    "second return": "%y = exp(%x) : f64[4]\nreturn %y",
    "foreign kernel number": "%y = exp(%x) : f64[4] @k\N{ARABIC-INDIC DIGIT THREE}",
    "python": "import os",
}


@pytest.mark.parametrize("line", LIES.values(), ids=LIES.keys())
def test_lies_are_refused(line: str) -> None:
    with pytest.raises((ParseError, VerifyError)):
        parse(body(line))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "graph",
        "graph f() {",
        "graph f() {\n}",
        "graph f() {\nreturn\n} junk",
        "graph f() {\nreturn\n}\njunk",
        "graph f() {\nreturn %x\n}",
        "graph f(%x: f64[4],) {\nreturn %x\n}",
        "graph f(%x: f64[4]) {\nreturn %x,\n}",
        "graph f(%x: f64[4]) {\nreturn , %x\n}",
        "graph f(%x: f64[4], %x: f64[4]) {\nreturn %x\n}",
        "graph f(%x f64[4]) {\nreturn %x\n}",
        "graph f(%x: f64[4]) {\nreturn x=%x %x\n}",
        "graph f(%x: f64[4]) {\nbackward bar:\nbackward bar:\nreturn %x\n}",
        "graph f(%x: f64[4]) {\nbackward bar of (%q) wrt (%x):\nreturn %x\n}",
    ],
)
def test_texts_that_are_no_graph(text: str) -> None:
    with pytest.raises((ParseError, VerifyError)):
        parse(text)


def test_an_error_names_the_line() -> None:
    with pytest.raises(ParseError, match="line 3 of IR text: not a node: '%y"):
        parse(body("", "%y := exp(%x) : f64[4]"))


def test_a_lie_is_shown_with_its_node() -> None:
    with pytest.raises(
        VerifyError, match=re.escape("the type is f64[4], not f32[4]")
    ) as e:
        parse(body(LIES["wrong dtype"]))
    assert e.value.node == "%y = exp(%x) : f32[4]"


NODE_OPENINGS = ["%y = exp(%x) ", "%y = exp(%x) {", "%y = exp(", "%", "", "return "]
FILLS = [
    *'" % { } ( ) a a. = : [ 0 0, - # @k f64[ %a, é \\'.split(),
    *('\\"', '"\\', "%a, ", " ", "\t", '"#'),
]


def long_lines(fill: str, count: int) -> Iterator[str]:
    """Texts of graphs with a long line of one thing somewhere, none of them right."""
    for opening in NODE_OPENINGS:
        for end in ("", "!", "}", "} : f64[4]", ": f64[4] !"):
            line = opening + fill * count + end
            yield f"graph f(%x: f64[4]) {{\n{line}\n%z = exp(%q) : f64[4]\nreturn\n}}"
    filled = fill * count
    for line in (f"graph f({filled}!) {{", f"graph {filled}!", filled):
        yield f"{line}\nreturn\n}}"


@pytest.mark.parametrize("fill", FILLS)
def test_long_lines_of_one_thing_are_no_graph(fill: str) -> None:
    for text in long_lines(fill, 60_000):
        with pytest.raises((ParseError, VerifyError)):
            parse(text)


@pytest.mark.parametrize("fill", FILLS)
def test_long_lines_of_one_thing_are_read_in_linear_time(
    fill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backtracking expression would take hundreds of steps for each character."""
    for text in long_lines(fill, 300 // len(fill)):
        work = MatchingWork(30 * len(text))
        for module in (ir_text, literals):
            monkeypatch.setattr(module, "re", work)
        with pytest.raises((ParseError, VerifyError)):
            parse(text)


def test_backtracking_is_counted() -> None:
    """Twice the text: twice the steps, four times, or no end of them."""
    for pattern, growth in ((r"\w*!", 2), (r"(?:a|b)*!", 2), (r"\w*\w*!", 4)):
        few, many = (
            matching_steps(pattern, "ab" * count, limit=10**6) for count in (50, 100)
        )
        assert 0.9 * growth < many / few < 1.1 * growth
    with pytest.raises(TooMuchWork):
        matching_steps(r"(?:\w+)*!", "ab" * 50, limit=10**4)


def test_many_parameters_and_results_are_read_in_linear_time() -> None:
    def work(count: int) -> int:
        params = ", ".join(f"%x{i}: f64[]" for i in range(count))
        results = ", ".join(f"%x{i}" for i in range(count))
        text = f"graph f({params}) {{\nreturn {results}\n}}"
        graph = parse(text)
        assert len(graph.inputs) == len(graph.outputs) == count
        return executed_lines(lambda: parse(text))

    assert work(2_000) <= 11 * work(200)


def test_reading_evaluates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph whose evaluation would take all memory is read at once."""
    text = body(
        "%y = broadcast_to(%x) {shape=(1000000000000, 4)} : f64[1000000000000,4]",
        "%z = reduce_sum(%y) {axes=(0, 1)} : f64[]",
        result="%z",
    )
    monkeypatch.setattr(np, "broadcast_to", None)
    monkeypatch.setattr(np, "sum", None)
    assert parse(text)["y"].type.size == 4 * 10**12


def test_a_node_prints_in_one_line() -> None:
    b = Builder("f")
    x = b.input("x", MATRIX)
    node = b.reduce_sum(x, axes=(1,))
    assert format_node(node) == "%reduce_sum.0 = reduce_sum(%x) {axes=(1,)} : f64[2]"
