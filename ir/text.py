"""The text form of a graph, both directions.

    graph   := "graph" NAME "(" [param {"," param}] ")" "{" {line} "}"
    param   := "%" NAME ":" type
    line    := node | section | return
    node    := "%" NAME "=" OP "(" [refs] ")" ["{" attrs "}"] ":" type ["@k" INT]
    section := "backward" NAME ["of" "(" [refs] ")" "wrt" "(" [refs] ")"] ":"
    return  := "return" [[label "="] ref {"," [label "="] ref}]
    refs    := ref {"," ref}          ref := "%" NAME
    type    := DTYPE "[" [dim {"," dim}] "]"      dim := INT | SYMBOL
    attrs   := key "=" literal {"," key "=" literal}      (literals: see literals.py)
    label   := NAME

A NAME has at most 400 characters, and no value is called ``return``. One node a
line; ``#`` starts a comment; white space is free on input and aligned on output.
``print_graph(parse(t)) == t`` for canonical ``t`` and ``parse(print_graph(g)) == g``
always. Reading evaluates nothing: an op is looked up in the registry, a name is only
ever compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .errors import AnabranchError, ParseError
from .graph import Graph, Node, Output, Section
from .literals import NO_ATTRS, parse_attrs
from .types import spec

__all__ = ["format_node", "is_name", "parse", "print_graph"]

MAX_TEXT = 256 * 2**20
MAX_NAME = 400
MAX_COLUMN = 56

_NAME = r"[^\W\d]\w*(?:\.\w+)*"
_REFS = rf"(?:%{_NAME}\s*(?:,\s*%{_NAME}\s*)*)?"
_STRING = r'"(?:[^"\\]|\\.)*"'
_IS_NAME = re.compile(rf"{_NAME}\Z")
_HEADER = rf"graph\s+({_NAME})\s*\((.*)\)\s*\{{\s*\Z"
_PARAM = rf"\s*%({_NAME})\s*:\s*(\w+\s*\[[^\[\]]*\])\s*(,|\Z)"
_NODE = (
    rf"%({_NAME})\s*=\s*([a-z_]\w*)\s*\(\s*({_REFS})\)\s*"
    rf"(?:\{{((?:[^\"{{}}]|{_STRING})*)\}}\s*)?:\s*"
    r"(\w+\s*\[[^\[\]]*\])(?:\s*@k([0-9]{1,9}))?\Z"
)
_SECTION = (
    rf"backward\s+(\w+)\s*(?:of\s*\(\s*({_REFS})\)\s*wrt\s*\(\s*({_REFS})\)\s*)?:\Z"
)
_RETURN = r"return\b\s*(.*)\Z"
_OUTPUT = rf"\s*(?:({_NAME})\s*=\s*)?%({_NAME})\s*(,|\Z)"
_CODE = rf"(?:[^\"#]+|{_STRING})*"


def is_name(text: str) -> bool:
    """Whether ``text`` may name a value."""
    return len(text) <= MAX_NAME and _IS_NAME.match(text) is not None


def format_node(node: Node) -> str:
    """One node as a line of text, unaligned."""
    return f"%{node.name} = {_expression(node)} : {_suffix(node)}"


def _expression(node: Node) -> str:
    operands = ", ".join(f"%{operand}" for operand in node.operands)
    attrs = f" {{{node.attrs.text}}}" if node.attrs else ""
    return f"{node.op}({operands}){attrs}"


def _suffix(node: Node) -> str:
    return str(node.type) if node.kernel is None else f"{node.type} @k{node.kernel}"


def print_graph(graph: Graph, *, annotate: bool = False) -> str:
    """The canonical text of a graph."""
    params = ", ".join(f"%{node.name}: {node.type}" for node in graph.inputs)
    body = [node for node in graph if node.op != "input"]
    names = _width(len(node.name) for node in body)
    expressions = _width(len(_expression(node)) for node in body)
    types = _width(len(_suffix(node)) for node in body)
    column = names + expressions + types + 9
    lines = [f"graph {graph.name}({params}) {{"]
    printed = 0
    for node in body:
        lines.extend(_headers(graph, printed, node.section))
        printed = max(printed, node.section)
        line = (
            f"  %{node.name:<{names}} = {_expression(node):<{expressions}}"
            f" : {_suffix(node)}"
        )
        note = _comment(graph, node) if annotate else ""
        lines.append(f"{line:<{column}}   # {note}" if note else line)
    lines.extend(_headers(graph, printed, len(graph.sections)))
    results = ", ".join(
        f"{output.label}=%{output.value}" if output.label else f"%{output.value}"
        for output in graph.outputs
    )
    lines.append(f"  return {results}".rstrip())
    return "\n".join([*lines, "}", ""])


def _width(lengths: Iterator[int]) -> int:
    """The widest of the cells that are not too wide to align by."""
    return max((n for n in lengths if n <= MAX_COLUMN), default=0)


def _headers(graph: Graph, done: int, upto: int) -> Iterator[str]:
    for section in graph.sections[done:upto]:
        claim = (
            f" of ({_refs(section.of)}) wrt ({_refs(section.wrt)})"
            if section.lawful
            else ""
        )
        yield f"backward {section.suffix}{claim}:"


def _refs(names: tuple[str, ...]) -> str:
    return ", ".join(f"%{name}" for name in names)


def _comment(graph: Graph, node: Node) -> str:
    notes: list[str] = []
    if node.op == "add_n" and "reads" in node.attrs:
        notes.append(f"sum node of {len(node.operands)} contributions")
    reads = len(graph.reads[node.name]) + graph.results.count(node.name)
    if reads != 1:
        notes.append(f"reads={reads}")
    if node.source is not None:
        notes.append(node.source.brief)
    return "; ".join(notes)


def parse(text: Any) -> Graph:
    """Read one graph from its text and verify it.

    Raises `ParseError` with the line of the text, or `VerifyError` for a graph that
    is in the grammar but wrong.
    """
    if not isinstance(text, str):
        raise ParseError(f"IR text is a string, not a {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise ParseError(f"IR text of more than {MAX_TEXT} characters")
    lines = [
        (number, line)
        for number, raw in enumerate(text.split("\n"), 1)
        if (line := _without_comment(raw).strip())
    ]
    if len(lines) < 3 or lines[-1][1] != "}":
        raise ParseError("IR text is 'graph name(...) {', lines, 'return ...', '}'")
    reader = _Reader()
    try:
        reader.header(lines[0][1])
        for number, line in lines[1:-2]:
            reader.number = number
            reader.line(line)
        reader.number = lines[-2][0]
        graph = reader.finish(lines[-2][1])
    except ParseError as error:
        raise ParseError(f"line {reader.number} of IR text: {error.what}") from None
    return graph.verify()


def _without_comment(line: str) -> str:
    match = re.match(_CODE, line)
    end = match.end() if match else 0
    return line[:end] if line[end : end + 1] == "#" else line


def _items(pattern: str, text: str, what: str) -> Iterator[re.Match[str]]:
    """The items of a list with commas between them."""
    known = re.compile(pattern)
    position = 0
    while position < len(text):
        item = known.match(text, position)
        if item is None or (item.end() == len(text)) == (item[3] == ","):
            raise ParseError(f"not a {what}: {text[position : position + 60]!r}")
        yield item
        position = item.end()


def _names(refs: str) -> tuple[str, ...]:
    return tuple(ref.strip()[1:] for ref in refs.split(",")) if refs.strip() else ()


class _Reader:
    """Collects the parts of one graph line by line."""

    def __init__(self) -> None:
        self.number = 1
        self.name = ""
        self.nodes: list[Node] = []
        self.sections: list[Section] = []

    def header(self, line: str) -> None:
        match = re.match(_HEADER, line)
        if match is None or not is_name(match[1]):
            raise ParseError("expected 'graph name(%x: f64[8,4], ...) {'")
        self.name = match[1]
        for param in _items(_PARAM, match[2].strip(), "parameter"):
            self.nodes.append(Node(param[1], "input", (), spec(param[2])))

    def line(self, line: str) -> None:
        if section := re.match(_SECTION, line):
            suffix, of, wrt = section.groups()
            self.sections.append(
                Section(_names(of or ""), _names(wrt or ""), suffix, of is not None)
            )
            return
        match = re.match(_NODE, line)
        if match is None or not is_name(match[1]):
            raise ParseError(f"not a node: {line[:80]!r}")
        name, op, operands, attrs, type_text, kernel = match.groups()
        if op == "input":
            raise ParseError("an input stands in the parameter list")
        self.nodes.append(
            Node(
                name,
                op,
                _names(operands),
                spec(type_text),
                parse_attrs(attrs) if attrs and attrs.strip() else NO_ATTRS,
                len(self.sections),
                None if kernel is None else int(kernel),
            )
        )

    def finish(self, line: str) -> Graph:
        match = re.match(_RETURN, line)
        if match is None:
            raise ParseError(f"expected 'return', found {line[:60]!r}")
        outputs = [
            Output(output[2], output[1] or "")
            for output in _items(_OUTPUT, match[1].strip(), "result")
        ]
        try:
            return Graph(self.name, self.nodes, outputs, self.sections)
        except AnabranchError as error:
            raise ParseError(error.what) from None
