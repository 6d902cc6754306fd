"""Attributes: named plain literals, compared by what they print as.

Python says ``1 == True == 1.0`` and ``0.0 == -0.0`` and ``nan != nan``. Two
attributes are the same here when their text is the same, so none of these are
mixed up. The grammar of a literal:

    literal := "None" | "True" | "False" | integer | float | string | tuple
    float   := decimal with "." or exponent | ["-"] "inf" | "nan"
    string  := a JSON string in ASCII
    tuple   := "(" [literal {"," literal} [","]] ")"
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from .errors import ParseError

__all__ = ["Attrs", "Literal", "format_literal", "parse_attrs"]

Literal: TypeAlias = "bool | int | float | str | tuple[Literal, ...] | None"

MAX_DEPTH = 32

_TOKEN = r"""\s*(?:
      (?P<float>-?(?:[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|inf\b)|nan\b)
    | (?P<int>-?[0-9]{1,400}(?![0-9]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[ !#-\[\]-~]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")
    | (?P<mark>[(),={}])
    )"""
_WORDS: dict[str, Literal] = {"None": None, "True": True, "False": False}


def format_literal(value: Literal) -> str:
    """The one text of a literal; the inverse of what `parse_attrs` reads."""
    if value is None or value is True or value is False:
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float.__repr__(value)
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if type(value) is tuple:
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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attrs) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"{{{self.text}}}"


NO_ATTRS = Attrs()


class _Tokens:
    """A cursor over the tokens of one attribute list."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pattern = re.compile(_TOKEN, re.VERBOSE)
        self.position = 0
        self.kind = ""
        self.token = ""
        self.advance()

    def advance(self) -> None:
        match = self.pattern.match(self.text, self.position)
        if match is None:
            if self.text[self.position :].strip():
                raise ParseError(f"not a literal: {self.text[self.position :][:60]!r}")
            self.kind, self.token = "end", ""
            return
        self.position = match.end()
        self.kind = match.lastgroup or "end"
        self.token = match[self.kind]

    def at_end(self) -> bool:
        return self.kind == "end"

    def take(self, mark: str) -> bool:
        if self.kind == "mark" and self.token == mark:
            self.advance()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            raise ParseError(f"expected {mark!r} at {self.token or 'the end'!r}")


def parse_attrs(text: str) -> Attrs:
    """Read ``key=literal, key=literal``; raises `ParseError`."""
    tokens = _Tokens(text)
    items: dict[str, Literal] = {}
    while not tokens.at_end():
        key = tokens.token
        if tokens.kind != "word" or key in items:
            raise ParseError(f"expected a new attribute name, found {key!r}")
        tokens.advance()
        tokens.expect("=")
        items[key] = _literal(tokens, 0)
        if not tokens.at_end():
            tokens.expect(",")
    return Attrs(items)


def _literal(tokens: _Tokens, depth: int) -> Literal:
    kind, token = tokens.kind, tokens.token
    if depth > MAX_DEPTH:
        raise ParseError(f"literals nested deeper than {MAX_DEPTH}")
    if tokens.take("("):
        return _tuple(tokens, depth + 1)
    tokens.advance()
    if kind == "float":
        return float(token)
    if kind == "int":
        return int(token)
    if kind == "string":
        return str(json.loads(token))
    if kind == "word" and token in _WORDS:
        return _WORDS[token]
    raise ParseError(f"not a literal: {token[:60]!r}")


def _tuple(tokens: _Tokens, depth: int) -> tuple[Literal, ...]:
    items: list[Literal] = []
    while not tokens.take(")"):
        items.append(_literal(tokens, depth))
        if not tokens.take(","):
            tokens.expect(")")
            break
    return tuple(items)
