"""Small makers of syntax nodes, and walks over them that stop at inner functions.

Whatever is made has the place of a node of the user's, cut to one line: the interpreter
would move the line of a call that spans several.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar, cast

__all__ = [
    "FUNCTIONS",
    "assign",
    "at",
    "call",
    "children",
    "constant",
    "contains",
    "fields",
    "function",
    "inside",
    "name",
    "names_bound",
    "names_tuple",
    "thunk",
]

N = TypeVar("N", bound=ast.AST)
_WITHOUT_NODES = {
    *("arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind"),
    *("kwd_attrs", "level", "module", "name", "op", "ops", "rest", "simple"),
    "type_comment",
}
_BINDING: dict[type[ast.AST], tuple[str, ...]] = {  # fields that are no values
    ast.Assert: (),
    ast.Assign: ("targets",),
    ast.AugAssign: ("target",),
    ast.Expr: (),
    ast.For: ("target", "body", "orelse"),
    ast.If: ("body", "orelse"),
    ast.Return: (),
    ast.While: ("body", "orelse"),
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_CLOSED = {*FUNCTIONS, ast.Name, ast.Constant}  # with nothing of the block in them


def at(place: Any, node: N) -> N:
    """The node at the first line of ``place``."""
    new: Any = node
    new.lineno = new.end_lineno = place.lineno
    new.col_offset = place.col_offset
    one_line = place.end_lineno == place.lineno
    new.end_col_offset = place.end_col_offset if one_line else place.col_offset + 1
    return node


def name(
    place: ast.AST, text: str, context: ast.expr_context | None = None
) -> ast.Name:
    """A variable."""
    return at(place, ast.Name(text, context or ast.Load()))


def constant(place: ast.AST, value: Any) -> ast.Constant:
    """A literal."""
    return at(place, ast.Constant(value))


def names_tuple(place: ast.AST, names: Iterable[str]) -> ast.Tuple:
    """A tuple of strings."""
    parts: list[ast.expr] = [constant(place, name) for name in names]
    return at(place, ast.Tuple(parts, ast.Load()))


def assign(place: ast.AST, target: str, value: ast.expr) -> ast.Assign:
    """``target = value``."""
    return at(place, ast.Assign([name(place, target, ast.Store())], value))


def call(place: ast.AST, operator: str, *args: ast.expr) -> ast.Call:
    """A call of one of our operators."""
    return at(place, ast.Call(name(place, f"${operator}"), list(args), []))


def thunk(place: ast.AST, value: ast.expr, *names: str) -> ast.Lambda:
    """``lambda names: value``, with a parameter that tells it from the user's."""
    parameters = _parameters(place, (*names, "$"))
    parameters.defaults = [constant(place, None)]
    return at(place, ast.Lambda(parameters, value))


def function(
    place: ast.AST, text: str, parameters: Iterable[str], body: list[ast.stmt]
) -> ast.FunctionDef:
    """A function that the rewriting adds."""
    some = body or [at(place, ast.Pass())]
    return at(place, ast.FunctionDef(text, _parameters(place, parameters), some, []))


def _parameters(place: ast.AST, names: Iterable[str]) -> ast.arguments:
    parameters = [at(place, ast.arg(text)) for text in names]
    return ast.arguments([], parameters, None, [], [], None, [])


@cache
def fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a kind of node that may have nodes, but for what are leaves."""
    if issubclass(kind, ast.Constant):
        return ()
    return tuple(field for field in kind._fields if field not in _WITHOUT_NODES)


def children(node: ast.AST, some: Iterable[str] | None = None) -> list[ast.AST]:
    """The nodes right below one, but for contexts and operators, which are leaves.

    Those in ``some`` of its fields, where these are given.
    """
    found: list[ast.AST] = []
    for field in fields(type(node)) if some is None else some:
        value: Any = getattr(node, field, None)
        if type(value) is list:
            items = cast("list[Any]", value)
            found += [one for one in items if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def inside(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a block that belong to the function that it stands in."""
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        if type(node) not in _CLOSED:
            waiting += children(node)


def contains(statements: Iterable[ast.AST], *kinds: type[ast.AST]) -> bool:
    """Whether a block has such a node outside of inner functions."""
    return any(isinstance(node, kinds) for node in inside(statements))


def names_bound(statements: Iterable[ast.AST], in_values: bool = True) -> list[str]:
    """The variables that a block assigns or deletes, in order.

    Without ``in_values`` there is no ``:=``, and expressions are not looked at.
    """
    found: dict[str, None] = {}
    for statement in statements:
        _bind(statement, found, in_values)
    return list(found)


def _bind(
    node: Any,
    found: dict[str, None],
    in_values: bool,
    hidden: frozenset[str] = frozenset(),
) -> None:
    """Note what ``node`` binds, but for the variables of comprehensions."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load) and node.id not in hidden:
            found[node.id] = None
        return
    if isinstance(node, FUNCTIONS):
        if not isinstance(node, ast.Lambda):
            found[node.name] = None
        return
    if isinstance(node, ast.expr):
        context = getattr(node, "ctx", None)
        if not in_values and (context is None or isinstance(context, ast.Load)):
            return
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        targets: dict[str, None] = {}
        for generator in node.generators:
            _bind(generator.target, targets, in_values)
        hidden = hidden | frozenset(targets)
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        found[node.name] = None
    if isinstance(node, ast.MatchMapping) and node.rest:
        found[node.rest] = None
    if isinstance(node, ast.alias):
        found[(node.asname or node.name).split(".")[0]] = None
    below = None if in_values else _BINDING.get(type(node))
    for child in children(node, below):
        _bind(child, found, in_values, hidden)
