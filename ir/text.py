"""The text form of a graph, both directions.

    text    := ["anabranch" INT] graph               (the INT is the format's version)
    graph   := "graph" block
    block   := NAME "(" [param {"," param}] ")" "{" {line} return "}"
    param   := "%" NAME ":" type
    line    := node | section
    node    := refs "=" OP "(" [refs] ")" ["{" attrs "}"] ":" types ["@k" INT] [regions]
    types   := type {"," type}                    as many as values
    regions := ":" block {block}                  those that the op has
    section := ("backward" | "tangent") NAME [claim] ":"
    claim   := "of" "(" [refs] ")" "wrt" "(" [refs] ")"
    return  := "return" [[label "="] ref {"," [label "="] ref}]
    refs    := ref {"," ref}          ref := "%" NAME
    type    := DTYPE "[" [dim {"," dim}] "]"      dim := INT
    attrs   := key "=" literal {"," key "=" literal}      (literals: see literals.py)
    label   := NAME

A NAME has at most 400 characters, and no value is called ``return``. One node a
line; ``#`` starts a comment; white space is free on input and aligned on output. The
attribute ``reads`` is the field `Node.reads`. Regions are nested at most 32 deep.
``print_graph(parse(t)) == t`` for canonical ``t`` and ``parse(print_graph(g)) == g``
always. Reading evaluates nothing: an op is looked up in the registry, a name is only
ever compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from .collection import paused_collection
from .errors import AnabranchError, ParseError, VerifyError
from .graph import MAX_DEPTH, Graph, Node, Output, Read, Section, Value
from .literals import NO_ATTRS, Attrs, format_literal, parse_attrs
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
_STRING = r'"(?:[^"\\]++|\\.)*+"'
_IS_NAME = re.compile(rf"{_NAME}\Z")
_VERSION = re.compile(r"anabranch\s+([1-9][0-9]{0,8})\Z")
_TYPE = r"\w+\s*\[[^\[\]]*\]"
_HEADER = rf"({_NAME})\s*\((.*)\)\s*\{{\s*\Z"
_PARAM = rf"\s*%({_NAME})\s*:\s*({_TYPE})\s*(,|\Z)"
_NODE = re.compile(
    rf"%({_NAME})\s*+((?:,\s*+%{_NAME}\s*+)*+)=\s*+([a-z_]\w*+)\s*+"
    rf"\(\s*+({_REFS})\)\s*+(?:\{{((?:[^\"{{}}]++|{_STRING})*+)\}}\s*+)?:\s*+"
    rf"({_TYPE})((?:\s*+,\s*+{_TYPE})*+)\s*+(?:@k([0-9]{{1,9}}))?\s*+(:)?\Z"
)
_MORE_TYPES = re.compile(rf",\s*({_TYPE})")
_CLAIM = rf"of\s*\(\s*({_REFS})\)\s*wrt\s*\(\s*({_REFS})\)\s*"
_SECTION = rf"(?:backward|tangent)\s+(\w+)\s*(?:{_CLAIM})?:\Z"
_RETURN = r"return\b\s*(.*)\Z"
_OUTPUT = rf"\s*(?:({_NAME})\s*=\s*)?%({_NAME})\s*(,|\Z)"
_EXPECTED = "'graph name(%x: f64[8,4], ...) {'"
_LINE = re.compile(r"\S[^\n]*+")
_CODE = re.compile(rf"(?:[^\"#]++|{_STRING})*+")


def is_name(text: str) -> bool:
    """Whether ``text`` may name a value."""
    return len(text) <= MAX_NAME and _IS_NAME.match(text) is not None


def format_node(node: Node) -> str:
    """One node as a line of text, unaligned and without its regions."""
    return f"%{_names_of(node)} = {_expression(node)} : {_suffix(node)}"


def _names_of(node: Node) -> str:
    """The names of a node's values; the first lacks its percent sign."""
    return ", %".join(node.names) if node.several else node.name


def _expression(node: Node) -> str:
    operands = ", ".join([f"%{operand}" for operand in node.operands])
    attrs = node.attrs.text
    if node.reads:
        reads = format_literal(tuple([(read[0], read[1]) for read in node.reads]))
        attrs = f"reads={reads}, {attrs}" if attrs else f"reads={reads}"
    return f"{node.op}({operands}) {{{attrs}}}" if attrs else f"{node.op}({operands})"


def _suffix(node: Node) -> str:
    types = str(node.type)
    if node.several:
        types = ", ".join([str(value.type) for value in node.several])
    return types if node.kernel is None else f"{types} @k{node.kernel}"


def print_graph(graph: Graph, *, annotate: bool = False, version: bool = False) -> str:
    """The canonical text of a graph, below a line with the version if asked for."""
    first = [f"anabranch {VERSION}"] if version else []
    return "\n".join([*first, *_block(graph, "graph ", "", annotate), ""])


def _block(graph: Graph, head: str, margin: str, annotate: bool) -> list[str]:
    """The lines of a graph, or of a region of a node."""
    params = ", ".join(f"%{node.name}: {node.type}" for node in graph.inputs)
    body = [node for node in graph if node.op != "input"]
    names = _width([len(_names_of(node)) for node in body])
    expressions = _width([len(_expression(node)) for node in body])
    types = _width([len(_suffix(node)) for node in body])
    column = len(margin) + names + expressions + types + 9
    lines = [f"{margin}{head}{graph.name}({params}) {{"]
    printed = 0
    for node in body:
        lines.extend(f"{margin}{x}" for x in _headers(graph, printed, node.section))
        printed = max(printed, node.section)
        line = (
            f"{margin}  %{_names_of(node):<{names}} = "
            f"{_expression(node):<{expressions}} : {_suffix(node)}"
        )
        if node.regions:
            line += ":"
        note = _comment(graph, node) if annotate else ""
        lines.append(f"{line:<{column}}   # {note}" if note else line)
        for region in node.regions:
            lines.extend(_block(region, "", f"{margin}    ", annotate))
    rest = _headers(graph, printed, len(graph.sections))
    lines.extend(f"{margin}{x}" for x in rest)
    results = ", ".join(
        f"{output.label}=%{output.value}" if output.label else f"%{output.value}"
        for output in graph.outputs
    )
    return [*lines, f"{margin}  return {results}".rstrip(), f"{margin}}}"]


def _width(lengths: Iterable[int]) -> int:
    """The widest of the cells that are not too wide to align by."""
    return max([n for n in lengths if n <= MAX_COLUMN], default=0)


def _headers(graph: Graph, done: int, upto: int) -> Iterator[str]:
    for section in graph.sections[done:upto]:
        claim = (
            f" of ({_refs(section.of)}) wrt ({_refs(section.wrt)})"
            if section.lawful
            else ""
        )
        yield f"{section.direction} {section.suffix}{claim}:"


def _refs(names: tuple[str, ...]) -> str:
    return ", ".join(f"%{name}" for name in names)


def _comment(graph: Graph, node: Node) -> str:
    notes: list[str] = []
    if node.reads:
        notes.append(f"sum node of {len(node.operands)} contributions")
    reads = [len(graph.reads[x]) + graph.results.count(x) for x in node.names]
    if set(reads) != {1}:
        notes.append(f"reads={', '.join(map(str, reads))}")
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
    with paused_collection():
        return _read(text).verify()


def _read(text: str) -> Graph:
    reader = _Reader(text)
    try:
        line = reader.take()
        if line.startswith("anabranch"):
            _check_version(line)
            line = reader.take()
        if not re.match(r"graph\s", line):
            raise ParseError(f"expected {_EXPECTED}")
        graph = reader.graph(line.removeprefix("graph").lstrip(), 1)
        reader.expect("")
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
    """The lines that are not empty, one by one, and where each starts."""
    for match in _LINE.finditer(text):
        line = match[0]
        if "#" in line:
            line = _without_comment(line)
        if line := line.rstrip():
            yield match.start(), line


def _without_comment(line: str) -> str:
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


def _names(refs: str) -> list[str]:
    """The names in what `_REFS` matches, or in a part of it."""
    return refs.replace("%", "").replace(",", " ").split()


# Large graphs have few types and attributes: equal ones are one object.
_spec_again = lru_cache(maxsize=4096)(spec)


def _type(text: str) -> TensorType:
    return (_spec_again if len(text) <= MAX_KEPT else spec)(text)


def _attrs(op: str, text: str) -> tuple[Attrs, tuple[Read, ...]]:
    """The attributes of an op, and the labels of its reads.

    Whether it has them is the verifier's to say, but a text of long lists that no op
    takes is not read to its end.
    """
    if len(text) <= MAX_KEPT:
        return _attrs_again(text)
    attrs, reads = _own(text)
    try:
        if op in OPS:
            check_attrs(OPS[op], attrs)
    except VerifyError as error:
        raise ParseError(error.what) from None
    return attrs, reads


def _own(text: str) -> tuple[Attrs, tuple[Read, ...]]:
    attrs = parse_attrs(text) if text.strip() else NO_ATTRS
    if "reads" not in attrs:
        return attrs, ()
    rest = {key: value for key, value in attrs.items() if key != "reads"}
    return Attrs(rest) if rest else NO_ATTRS, _labels(attrs["reads"])


_attrs_again = lru_cache(maxsize=4096)(_own)
_NONE: tuple[Attrs, tuple[Read, ...]] = NO_ATTRS, ()


def _labels(value: Any) -> tuple[Read, ...]:
    """The labels of a sum node: a tuple of (consumer, slot)."""
    found: list[Read] = []
    for item in value if type(value) is tuple else (None,):
        if type(item) is not tuple or [type(x) for x in item] != [str, int]:
            raise ParseError(f"not labels of reads: {format_literal(value)[:80]}")
        found.append(Read(*item))
    return tuple(found)


class _Reader:
    """Reads the lines of a text, graph by graph."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = _lines(text)
        self._start = 0
        known: dict[str, str] = {}
        self._one = known.setdefault  # so that each name is kept once

    def take(self) -> str:
        """The next line, empty at the end of the text."""
        self._start, line = next(self._lines, (self._start, ""))
        return line

    @property
    def number(self) -> int:
        """The number of the line that was taken last."""
        return self._text.count("\n", 0, self._start) + 1

    def expect(self, wanted: str) -> None:
        """Take the closing bracket, or the end of the text."""
        if (line := self.take()) != wanted:
            raise ParseError(f"expected one '}}' after 'return', found {line[:60]!r}")

    def graph(self, header: str, depth: int) -> Graph:
        """The graph, or the region, whose first line is ``header``."""
        if depth > MAX_DEPTH:
            raise ParseError(f"regions nested deeper than {MAX_DEPTH}")
        match = re.match(_HEADER, header)
        if match is None or not is_name(match[1]):
            region = "'name(%x: f64[8,4], ...) {' of a region"
            raise ParseError(f"expected {_EXPECTED if depth == 1 else region}")
        nodes: list[Node] = []
        sections: list[Section] = []
        for param in _items(_PARAM, match[2].strip(), "parameter"):
            name = self._one(param[1], param[1])
            nodes.append(Node(name, "input", (), _type(param[2])))
        while not (line := self.take()).startswith("return"):
            begins = line.startswith(("backward", "tangent"))
            if section := begins and re.match(_SECTION, line):
                suffix, of, wrt = section.groups()
                claim = tuple(_names(of or "")), tuple(_names(wrt or ""))
                sections.append(Section(*claim, suffix, of is not None))
            elif line == "":
                raise ParseError("expected 'return', found the end of the text")
            else:
                nodes.append(self._node(line, len(sections), depth))
        outputs = _outputs(line)
        self.expect("}")
        try:
            return Graph(match[1], nodes, outputs, sections)
        except AnabranchError as error:
            raise ParseError(error.what) from None

    def _node(self, line: str, section: int, depth: int) -> Node:
        match = _NODE.match(line)
        if match is None or len(match[1]) > MAX_NAME:
            raise ParseError(f"not a node: {line[:80]!r}")
        name, more, op, operands, attrs, type_, types, kernel, block = match.groups()
        if op == "input":
            raise ParseError("an input stands in the parameter list")
        one, read = self._one, _names(operands)
        own, reads = _attrs(op, attrs) if attrs else _NONE
        name, known = one(name, name), _type(type_)
        return Node(
            name,
            one(op, op),
            tuple(map(one, read, read)),
            known,
            own,
            section,
            None if kernel is None else int(kernel),
            reads,
            _several(Value(name, known), more, types) if more or types else (),
            self._regions(op, depth) if block else (),
        )

    def _regions(self, op: str, depth: int) -> tuple[Graph, ...]:
        """The regions of a node, whose lines are the next ones."""
        count = len(OPS[op].regions) if op in OPS else 0
        if not count:
            raise ParseError(f"{op} has no regions, but its line ends in ':'")
        return tuple([self.graph(self.take(), depth + 1) for _ in range(count)])


def _several(first: Value, names: str, types: str) -> tuple[Value, ...]:
    """All values of a node, from its first and the text of the others."""
    more = _names(names)
    found = [_type(text) for text in _MORE_TYPES.findall(types)]
    if len(more) != len(found):
        raise ParseError(f"{1 + len(more)} values, but {1 + len(found)} types")
    return first, *map(Value, more, found)


def _outputs(line: str) -> list[Output]:
    match = re.match(_RETURN, line)
    if match is None:
        raise ParseError(f"expected 'return', found {line[:60]!r}")
    items = _items(_OUTPUT, match[1].strip(), "result")
    return [Output(item[2], item[1] or "") for item in items]
