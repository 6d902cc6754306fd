"""Attributes: named plain literals, compared by what they print as.

Python says ``1 == True == 1.0`` and ``0.0 == -0.0`` and ``nan != nan``. Two
attributes are the same here when their text is the same, so none of these are
mixed up. The grammar of a literal:

    literal := "None" | "True" | "False" | integer | float | complex | string | tuple
    float   := decimal with "." or exponent | ["-"] "inf" | "nan"
    complex := float ("+" | "-") float "j", without spaces: 1.0-0.0j
    string  := a JSON string in ASCII
    tuple   := "(" [literal {"," literal} [","]] ")"
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import ItemsView, Iterator, KeysView, Mapping
from typing import TypeAlias

from .errors import ParseError

__all__ = ["Attrs", "Literal", "format_literal", "parse_attrs"]

Literal: TypeAlias = "bool | int | float | complex | str | tuple[Literal, ...] | None"

MAX_DEPTH = 32
MAX_LITERALS = 2**21

# Groups are repeated possessively (*+): a group that may give back what it matched
# keeps 200 bytes for each repetition. Every position of a text begins a token. Most
# tuples are of integers, and one token.
_TOKEN = re.compile(
    r"""\s*+(?:
      (?P<ints>\((?:\s*+-?[0-9]{1,400}+\s*+,)*+(?:\s*+-?[0-9]{1,400}+\s*+)?\))
    | (?P<mark>[(),=])
    | (?P<complex>-?(?:[0-9]++(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?|inf|nan)
        [+-](?:[0-9]++(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?|inf|nan)j\b)
    | (?P<int>-?[0-9]{1,400}(?![0-9.eE]))
    | (?P<float>-?(?:[0-9]+(?:\.[0-9]*(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)|inf\b)
        | nan\b)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[ !#-\[\]-~]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+")
    | (?P<junk>\S.{0,60})
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_WORDS: dict[str, Literal] = {"None": None, "True": True, "False": False}


def format_literal(value: Literal) -> str:
    """The one text of a literal; the inverse of what `parse_attrs` reads."""
    if value is None or value is True or value is False:
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float.__repr__(value)
    if isinstance(value, complex):
        imaginary = format_literal(value.imag)
        sign = "" if imaginary[0] == "-" else "+"
        return f"{format_literal(value.real)}{sign}{imaginary}j"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if type(value) is tuple:
        if {int}.issuperset(map(type, value)):
            return repr(value)
        inner = ", ".join([format_literal(item) for item in value])
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    raise TypeError(f"{value!r} is not a literal of the IR")


class Attrs(Mapping[str, Literal]):
    """An immutable mapping of attribute names to literals, equal by text."""

    __slots__ = ("_items", "text")

    def __init__(self, items: Mapping[str, Literal] = {}) -> None:
        self._items = dict(items)
        self.text = ", ".join([f"{k}={format_literal(v)}" for k, v in items.items()])

    def __getitem__(self, key: str) -> Literal:
        return self._items[key]

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> KeysView[str]:
        """The dict's own view, which ``**attrs`` walks twice as fast as a mapping's."""
        return self._items.keys()

    def items(self) -> ItemsView[str, Literal]:
        """Likewise."""
        return self._items.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attrs) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"{{{self.text}}}"


NO_ATTRS = Attrs()


def _tokens(text: str) -> Iterator[tuple[str | None, str]]:
    """The kind and the text of each token; the last kind is "end"."""
    for match in _TOKEN.finditer(text):
        yield match.lastgroup, match[match.lastindex or 0]


def parse_attrs(text: str) -> Attrs:
    """Read ``key=literal, key=literal``; raises `ParseError`."""
    if text.count(",") > MAX_LITERALS:
        raise ParseError(f"more than {MAX_LITERALS} literals in one list of attributes")
    tokens = _tokens(text)
    items: dict[str, Literal] = {}
    kind, token = next(tokens)
    while kind != "end":
        if kind != "word" or token in items:
            raise ParseError(f"expected a new attribute name, found {token[:60]!r}")
        _expect("=", next(tokens)[1])
        items[token] = _literal(tokens, *next(tokens), 0)
        kind, token = next(tokens)
        if kind != "end":
            _expect(",", token)
            kind, token = next(tokens)
    return Attrs(items)


def _expect(mark: str, token: str) -> None:
    if token != mark:
        raise ParseError(f"expected {mark!r} at {token[:60] or 'the end'!r}")


def _literal(
    tokens: Iterator[tuple[str | None, str]], kind: str | None, token: str, depth: int
) -> Literal:
    """The literal that begins with this token."""
    if kind == "ints":
        return tuple([int(item) for item in token[1:-1].split(",") if item.strip()])
    if kind == "int":
        return int(token)
    if kind == "float":
        return float(token)
    if kind == "complex":
        return complex(token)
    if kind == "string":
        return str(json.loads(token))
    if kind == "word" and token in _WORDS:
        return _WORDS[token]
    if token == "(":
        return _tuple(tokens, depth + 1)
    raise ParseError(f"not a literal: {token[:60]!r}")


def _tuple(tokens: Iterator[tuple[str | None, str]], depth: int) -> tuple[Literal, ...]:
    """The items up to the closing bracket."""
    if depth > MAX_DEPTH:
        raise ParseError(f"literals nested deeper than {MAX_DEPTH}")
    items: list[Literal] = []
    kind, token = next(tokens)
    while token != ")":
        items.append(_literal(tokens, kind, token, depth))
        kind, token = next(tokens)
        if token == ",":
            kind, token = next(tokens)
        else:
            _expect(")", token)
    return tuple(items)
