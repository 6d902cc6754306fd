"""The text form of a graph, both directions.

    text    := ["anabranch" INT] graph               (the INT is the format's version)
    graph   := "graph" NAME "(" [param {"," param}] ")" "{" {line} "}"
    param   := "%" NAME ":" type
    line    := node | section | return
    node    := "%" NAME "=" OP "(" [refs] ")" ["{" attrs "}"] ":" type ["@k" INT]
    section := "backward" NAME ["of" "(" [refs] ")" "wrt" "(" [refs] ")"] ":"
    return  := "return" [[label "="] ref {"," [label "="] ref}]
    refs    := ref {"," ref}          ref := "%" NAME
    type    := DTYPE "[" [dim {"," dim}] "]"      dim := INT
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
from functools import lru_cache
from typing import Any

from .collection import paused_collection
from .errors import AnabranchError, ParseError, VerifyError
from .graph import Graph, Node, Output, Section
from .literals import NO_ATTRS, Attrs, parse_attrs
from .ops import OPS
from .ops.spec import check_attrs
from .types import TensorType, spec

__all__ = ["VERSION", "format_node", "is_name", "parse", "print_graph"]

VERSION = 1
MAX_TEXT = 256 * 2**20
MAX_NAME = 400
MAX_COLUMN = 56
MAX_KEPT = 200

# Groups are repeated possessively (*+): a group that may give back what it matched
# keeps 200 bytes for each repetition.
_NAME = r"[^\W\d]\w*+(?:\.\w++)*+"
_REFS = rf"(?:%{_NAME}\s*+(?:,\s*+%{_NAME}\s*+)*+)?"
_REF = re.compile(rf"%({_NAME})")
_STRING = r'"(?:[^"\\]++|\\.)*+"'
_IS_NAME = re.compile(rf"{_NAME}\Z")
_VERSION = re.compile(r"anabranch\s+([1-9][0-9]{0,8})\Z")
_HEADER = rf"graph\s+({_NAME})\s*\((.*)\)\s*\{{\s*\Z"
_PARAM = rf"\s*%({_NAME})\s*:\s*(\w+\s*\[[^\[\]]*\])\s*(,|\Z)"
_NODE = re.compile(
    rf"%({_NAME})\s*=\s*([a-z_]\w*)\s*\(\s*({_REFS})\)\s*"
    rf"(?:\{{((?:[^\"{{}}]++|{_STRING})*+)\}}\s*)?:\s*"
    r"(\w+\s*\[[^\[\]]*\])(?:\s*@k([0-9]{1,9}))?\Z"
)
_SECTION = (
    rf"backward\s+(\w+)\s*(?:of\s*\(\s*({_REFS})\)\s*wrt\s*\(\s*({_REFS})\)\s*)?:\Z"
)
_RETURN = r"return\b\s*(.*)\Z"
_OUTPUT = rf"\s*(?:({_NAME})\s*=\s*)?%({_NAME})\s*(,|\Z)"
_LINE = re.compile(r"\S[^\n]*+")
_CODE = re.compile(rf"(?:[^\"#]++|{_STRING})*+")


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


def print_graph(graph: Graph, *, annotate: bool = False, version: bool = False) -> str:
    """The canonical text of a graph, below a line with the version if asked for."""
    params = ", ".join(f"%{node.name}: {node.type}" for node in graph.inputs)
    body = [node for node in graph if node.op != "input"]
    names = _width(len(node.name) for node in body)
    expressions = _width(len(_expression(node)) for node in body)
    types = _width(len(_suffix(node)) for node in body)
    column = names + expressions + types + 9
    lines = [f"anabranch {VERSION}"] if version else []
    lines.append(f"graph {graph.name}({params}) {{")
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
    with paused_collection(text.count("\n")):
        return _read(text).verify()


def _read(text: str) -> Graph:
    lines = _lines(text)
    reader = _Reader()
    try:
        reader.number, line = next(lines, (1, ""))
        if line.startswith("anabranch"):
            _check_version(line)
            reader.number, line = next(lines, (reader.number, ""))
        reader.header(line)
        for reader.number, line in lines:
            if line.startswith("return"):
                break
            reader.line(line)
        graph = reader.finish(line)
        reader.number, line = next(lines, (reader.number, ""))
        if line != "}" or next(lines, None) is not None:
            raise ParseError(f"expected one '}}' after 'return', found {line[:60]!r}")
    except ParseError as error:
        what = f"line {reader.number} of IR text: {error.what}"
        raise ParseError(what, hint=error.hint) from None
    return graph


def _check_version(line: str) -> None:
    """Refuse a text that a later version of the format may mean otherwise."""
    match = _VERSION.match(line)
    if match is None:
        raise ParseError(f"expected 'anabranch {VERSION}', found {line[:60]!r}")
    if int(match[1]) > VERSION:
        raise ParseError(
            f"the text is of version {match[1]} of the format, and this Anabranch "
            f"reads no newer one than {VERSION}",
            hint="pip install --upgrade anabranch, or write the text with the "
            "Anabranch at hand",
        )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers, one by one."""
    number, end = 1, 0
    for match in _LINE.finditer(text):
        number += text.count("\n", end, match.start())
        end = match.end()
        line = _without_comment(match[0]).rstrip()
        if line:
            yield number, line


def _without_comment(line: str) -> str:
    if "#" not in line:
        return line
    match = _CODE.match(line)
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
    return tuple(_REF.findall(refs))


# Large graphs have few types and attributes: equal ones are one object.
_spec_again = lru_cache(maxsize=4096)(spec)
_attrs_again = lru_cache(maxsize=4096)(parse_attrs)


def _type(text: str) -> TensorType:
    return (_spec_again if len(text) <= MAX_KEPT else spec)(text)


def _attrs(op: str, text: str) -> Attrs:
    """The attributes of an op.

    Whether it has them is the verifier's to say, but a text of long lists that no op
    takes is not read to its end.
    """
    if len(text) <= MAX_KEPT:
        return _attrs_again(text) if text.strip() else NO_ATTRS
    attrs = parse_attrs(text)
    try:
        if op in OPS:
            check_attrs(OPS[op], attrs)
    except VerifyError as error:
        raise ParseError(error.what) from None
    return attrs


class _Reader:
    """Collects the parts of one graph line by line."""

    def __init__(self) -> None:
        self.number = 1
        self.name = ""
        self.nodes: list[Node] = []
        self.sections: list[Section] = []
        known: dict[str, str] = {}
        self._one = known.setdefault  # so that each name is kept once

    def header(self, line: str) -> None:
        match = re.match(_HEADER, line)
        if match is None or not is_name(match[1]):
            raise ParseError("expected 'graph name(%x: f64[8,4], ...) {'")
        self.name = match[1]
        for param in _items(_PARAM, match[2].strip(), "parameter"):
            name = self._one(param[1], param[1])
            self.nodes.append(Node(name, "input", (), _type(param[2])))

    def line(self, line: str) -> None:
        if section := line.startswith("backward") and re.match(_SECTION, line):
            suffix, of, wrt = section.groups()
            self.sections.append(
                Section(_names(of or ""), _names(wrt or ""), suffix, of is not None)
            )
            return
        match = _NODE.match(line)
        if match is None or len(match[1]) > MAX_NAME:
            raise ParseError(f"not a node: {line[:80]!r}")
        name, op, operands, attrs, type_text, kernel = match.groups()
        if op == "input":
            raise ParseError("an input stands in the parameter list")
        one, read = self._one, _REF.findall(operands)
        self.nodes.append(
            Node(
                one(name, name),
                one(op, op),
                tuple(map(one, read, read)),
                _type(type_text),
                _attrs(op, attrs) if attrs else NO_ATTRS,
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
