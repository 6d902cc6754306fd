"""The rewriting of expressions; `rewriter` has that of statements."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from .definition import NoSource
from .nodes import (
    at,
    call,
    constant,
    contains,
    fields,
    inside,
    name,
    names_tuple,
    thunk,
)

__all__ = ["Expressions"]

_OWN_FRAME = {"locals", "vars", "dir", "eval", "exec"}
_PLAIN = {"super", "globals", "breakpoint", "__import__"}
_SUSPENSIONS = (ast.Yield, ast.YieldFrom, ast.Await)
_TELLS = {"debug", "info", "warning", "error", "exception", "critical"}
_TEXTS = {"ascii", "format", "repr", "str"}
_BOUND_IN_PLACE = (ast.NamedExpr, *_SUSPENSIONS)
_ASKED = (ast.In, ast.NotIn, ast.Is, ast.IsNot)
_SPECIAL = (*_BOUND_IN_PLACE, ast.Global, ast.Nonlocal)
_WORDS = (":=", "yield", "await", "global", "nonlocal")  # of what is special


class Expressions(ast.NodeTransformer):
    """Replaces the expressions of one function.

    ``special`` are the nodes that say something about all of it: it ``suspends`` if it
    is a generator, and ``binds`` if an expression assigns. ``first`` is its first
    parameter, ``private`` the class that it stands in, ``text`` a text that has it.
    """

    def __init__(self, node: Any, private: str | None, text: str) -> None:
        body: list[Any] = node.body if isinstance(node.body, list) else [node.body]
        parameters = [*node.args.posonlyargs, *node.args.args]
        self.first = parameters[0].arg if parameters else None
        self.private = private
        self.text = text
        some = body if any(word in text for word in _WORDS) else []
        self.special = [one for one in inside(some) if isinstance(one, _SPECIAL)]
        self.suspends = any(isinstance(one, _SUSPENSIONS) for one in self.special)
        self.binds = any(isinstance(one, ast.NamedExpr) for one in self.special)

    def visit(self, node: ast.AST) -> Any:
        """As Python's, which makes the name of the method for each node anew."""
        return _visitor(type(self), type(node))(self, node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit what is below, but for leaves: half of a tree is contexts."""
        for field in fields(type(node)):
            value: Any = getattr(node, field, None)
            if type(value) is list:
                value[:] = self.visited(value)
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Left alone."""
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Left alone."""
        return node

    def visited(self, nodes: Sequence[Any]) -> list[Any]:
        """A list of nodes, and of what else a field may hold, after a visit of each."""
        done: list[Any] = []
        for one in nodes:
            made: Any = self.visit(one) if isinstance(one, ast.AST) else one
            done += made if isinstance(made, list) else [made]
        return done

    def mangled(self, text: str) -> str:
        """A name as the compiler makes it in a class."""
        if self.private is None or not text.startswith("__") or text.endswith("__"):
            return text
        return f"_{self.private.lstrip('_')}{text}"

    def binds_in_place(self, node: ast.AST) -> bool:
        """Whether a part binds a variable or suspends: no inner function could."""
        some = self.binds or self.suspends
        return some and contains([node], *_BOUND_IN_PLACE)

    def index(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            place = next(filter(None, parts), node)
            values = [self.visit(p) if p else constant(place, None) for p in parts]
            return call(place, "slice", *values)
        if isinstance(node, ast.Tuple):
            node.elts = [self.index(part) for part in node.elts]
            return node
        return self.visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        """A read; those that are stored to are dealt with where they stand."""
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        return call(node, "getitem", self.visit(node.value), self.index(node.slice))

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        """A product of matrices, which sparse ones take part in."""
        if not isinstance(node.op, ast.MatMult):
            return self.generic_visit(node)
        return call(node, "matmul", self.visit(node.left), self.visit(node.right))

    def visit_Call(self, node: ast.Call) -> Any:
        """The function as the first argument."""
        place: Any = node
        called = node.func.id if isinstance(node.func, ast.Name) else None
        if called in _OWN_FRAME:
            raise NoSource(f"it calls {called}()")
        if called in _PLAIN:
            if called == "super" and not node.args and self.first is not None:
                node.args = [name(node, "__class__"), name(node, self.first)]
            return self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):  # the line of a method is its name's
            place = ast.copy_location(ast.Pass(), node)
            if node.lineno != node.func.end_lineno:
                place.lineno = node.func.end_lineno
                place.col_offset = 0
        if self._may_tell(node):
            told = at(place, ast.Tuple(list(map(self._shown, node.args)), ast.Load()))
            called = name(place, "$tell")
            args: list[ast.expr] = [
                self.visit(node.func),
                thunk(place, told, "$show"),
            ]
        else:
            generates = any(isinstance(one, ast.GeneratorExp) for one in node.args)
            called = name(place, "$consume" if generates else "$call")
            args = [self.visit(node.func), *map(self._argument, node.args)]
        keywords = [
            at(one, ast.keyword(one.arg, self.visit(one.value)))
            for one in node.keywords
        ]
        return at(place, ast.Call(called, args, keywords))

    def _may_tell(self, node: ast.Call) -> bool:
        """Whether a call prints or logs, as far as names tell."""
        called = node.func
        if isinstance(called, ast.Attribute):
            tells = called.attr in _TELLS
        else:
            tells = isinstance(called, ast.Name) and called.id == "print"
        return tells and not any(map(self.binds_in_place, node.args))

    def _shown(self, node: Any) -> Any:
        """What is printed: values in a text by what ``$show`` makes of them."""
        if isinstance(node, ast.JoinedStr):
            node.values = [self._shown(one) for one in node.values]
            return node
        if isinstance(node, ast.FormattedValue):
            node.value = call(node, "show", self.visit(node.value))
            node.format_spec = node.format_spec and self._shown(node.format_spec)
            return node
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Mod) and _is_text(node.left):
                return call(node, "show", self.visit(node.right), node.left)
            if isinstance(node.op, ast.Add):
                node.left, node.right = self._shown(node.left), self._shown(node.right)
                return node
        if isinstance(node, ast.Call) and _makes_text(node):
            node.args = [self._shown_value(one) for one in node.args]
            for one in node.keywords:
                one.value = self._shown_value(one.value)
            return node
        return self.visit(node)

    def _shown_value(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Starred):
            return self.visit(node)
        return call(node, "show", self.visit(node))

    def _argument(self, node: ast.expr) -> Any:
        """A generator that is written for a call goes to nobody else."""
        if isinstance(node, ast.GeneratorExp):
            parts = at(node, ast.ListComp(node.elt, node.generators))
            return self._looped(node, "generator", parts)
        return self.visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> Any:
        """A loop over what it goes over first."""
        return self._looped(node, "list", node)

    def _looped(self, node: Any, operator: str, parts: ast.ListComp) -> Any:
        """The call of an operator on the iterable and on the list for one item.

        That is a comprehension over the item alone, so its variables are its own. With
        further loops in it, an item has a list or a generator of these.
        """
        if any(one.is_async for one in node.generators) or self.binds_in_place(node):
            return self.generic_visit(node)
        first, *rest = node.generators
        iterable = self.visit(first.iter)
        item = name(node, "$item")
        first.iter = at(node, ast.Tuple([item], ast.Load()))
        if rest:
            inner = at(node, ast.ListComp(node.elt, rest))
            first.ifs = self.visited(first.ifs)
            parts = at(
                node, ast.ListComp(self._looped(inner, operator, inner), [first])
            )
            nested = [constant(node, True)]
        else:
            self.generic_visit(parts)
            nested = []
        return call(node, operator, iterable, thunk(node, parts, "$item"), *nested)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        """From the right, each operand behind the first as a function."""
        if self.binds_in_place(node):
            return self.generic_visit(node)
        operator = "and" if isinstance(node.op, ast.And) else "or"
        *before, made = [self.visit(value) for value in node.values]
        for value in reversed(before):
            made = call(node, operator, value, thunk(node, made))
        return made

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        """``not`` alone; the others are methods of what they meet."""
        if isinstance(node.op, ast.Not):
            return call(node, "not", self.visit(node.operand))
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        """Both values as functions."""
        if self.binds_in_place(node):
            return self.generic_visit(node)
        values = [thunk(node, self.visit(one)) for one in (node.body, node.orelse)]
        return call(node, "choose", self.visit(node.test), *values)

    def visit_Compare(self, node: ast.Compare) -> Any:
        """Chains, membership and identity."""
        if len(node.ops) == 1 and not isinstance(node.ops[0], _ASKED):
            return self.generic_visit(node)
        if len(node.ops) > 1 and self.binds_in_place(node):
            return self.generic_visit(node)
        kinds = names_tuple(node, (type(one).__name__ for one in node.ops))
        values = [thunk(node, self.visit(one)) for one in node.comparators]
        return call(node, "compare", kinds, self.visit(node.left), *values)


@cache
def _visitor(rewriter: type[Expressions], kind: type[ast.AST]) -> Callable[..., Any]:
    """The method for a kind of node."""
    return getattr(rewriter, f"visit_{kind.__name__}", rewriter.generic_visit)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _makes_text(node: ast.Call) -> bool:
    """Whether a call makes a text of values, as ``str(x)`` does."""
    called = node.func
    if isinstance(called, ast.Attribute):
        return called.attr == "format" and _is_text(called.value)
    return isinstance(called, ast.Name) and called.id in _TEXTS
