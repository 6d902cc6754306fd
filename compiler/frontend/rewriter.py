"""A function's tree, rewritten to operators that decide when it runs.

    if c: A else: B         def then(): A        $if(c, then, else, names)
    for t in it: B          def body(v): t = v; B          $for(it, body, stops, names)
    while c: B              def test(): return c           $while(test, body, names)
    f(x)                    $call(f, x)
    a[i], a[i] = v          $getitem(a, i), $setitem(v, a, i)
    o.x = v                 $setattr(v, o, "x")
    x += v                  x = $augment("Add", x, v)
    nonlocal x, global y    $changes(lambda: (x, y), names)
    p and q, not p, p if c else q, x < y < z, x in y, assert p

``names`` are the variables that a block assigns. They stay variables of the user's
function: the blocks share its cells, where an operator finds what they hold. Names that
begin with a dollar sign are ours; none of the user's can.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, TypeAlias

from .definition import Definition, Source
from .expressions import Expressions
from .jumps import Flags, lower_jumps
from .nodes import (
    assign,
    at,
    call,
    constant,
    function,
    name,
    names_bound,
    names_tuple,
    thunk,
)

__all__ = ["rewritten"]

Statements: TypeAlias = "list[ast.stmt]"


def rewritten(source: Source, private: str | None) -> Definition:
    """The tree of the twin, made of that of a function; ``private`` is its class.

    Raises `NoSource` where the function looks at its own frame.
    """
    node = source.tree
    work = _Function(node, private, source.text)
    if isinstance(node, ast.Lambda):
        node.body = work.visit(node.body)
        return node
    work.rewrite(node)
    return node


class _Function(Expressions):
    """The rewriting of one function; inner ones have their own."""

    def __init__(self, node: Any, private: str | None, text: str) -> None:
        super().__init__(node, private, text)
        self._flags = Flags(set(), {})
        self._in_blocks: dict[str, None] = {}
        self._count = 0
        self._declared = [
            one for one in self.special if isinstance(one, (ast.Global, ast.Nonlocal))
        ]
        self._globals = {
            text
            for one in self._declared
            if isinstance(one, ast.Global)
            for text in one.names
        }

    def rewrite(self, node: ast.FunctionDef) -> None:
        """Rewrite the body of a function."""
        if not self.suspends:
            self._flags = lower_jumps(node)
        body = self.visited(node.body)
        elsewhere = {text for one in self._declared for text in one.names}
        unseen = [text for text in self._in_blocks if text not in elsewhere]
        place = node.body[0]
        new: Statements = [
            at(place, type(one)(list(one.names))) for one in self._declared
        ]
        if unseen:  # a statement that never runs makes them variables of the function
            never: Statements = [
                assign(place, text, constant(place, None)) for text in unseen
            ]
            new.append(at(place, ast.If(constant(place, False), never, [])))
        if elsewhere:
            names = [name(place, text) for text in sorted(elsewhere)]
            reads = thunk(place, at(place, ast.Tuple([*names], ast.Load())))
            new.append(self._run(place, "changes", reads, sorted(elsewhere)))
        first = body[0] if body else None
        has_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        node.body = [*body[:has_text], *new, *body[has_text:]]

    def _new_name(self, hint: str) -> str:
        self._count += 1
        return f"${hint}{self._count}"

    # Scopes.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function of its own; its defaults and decorators belong to this one."""
        _Function(node, self.private, self.text).rewrite(node)
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        self._visit_defaults(node.args)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """As a function."""
        node.body = _Function(node, self.private, self.text).visit(node.body)
        self._visit_defaults(node.args)
        return node

    def _visit_defaults(self, args: ast.arguments) -> None:
        args.defaults = [self.visit(value) for value in args.defaults]
        args.kw_defaults = [value and self.visit(value) for value in args.kw_defaults]

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Left alone."""
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Its body runs as it is; its methods are functions of their own."""
        for one in node.body:
            if isinstance(one, ast.FunctionDef):
                _Function(one, node.name, self.text).rewrite(one)
            elif isinstance(one, ast.ClassDef):
                self.visit_ClassDef(one)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        """Stands at the top already."""
        return at(node, ast.Pass())

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        """Stands at the top already."""
        return at(node, ast.Pass())

    # Control flow.

    def _block(
        self,
        place: Any,
        hint: str,
        statements: Statements,
        names: Sequence[str],
        parameters: Sequence[str] = (),
    ) -> ast.FunctionDef:
        """A function of the user's statements, which shares these variables."""
        declared: Statements = []
        shared = [text for text in names if text not in self._globals]
        if shared:
            declared.append(at(place, ast.Nonlocal(shared)))
        if len(shared) < len(names):
            rest = [text for text in names if text in self._globals]
            declared.append(at(place, ast.Global(rest)))
        self._in_blocks.update(dict.fromkeys(shared))
        text = self._new_name(hint)
        return function(place, text, parameters, [*declared, *statements])

    def _names(self, statements: Sequence[ast.AST]) -> list[str]:
        names = names_bound(statements, in_values=self.binds)
        return [text for text in names if not self._is_unread(text)]

    def _is_unread(self, text: str) -> bool:
        flag = text.startswith(("$broke", "$skipped", "$returned"))
        return flag and text not in self._flags.read

    def _run(self, place: ast.AST, operator: str, *args: Any) -> ast.stmt:
        """The call of an operator on functions, expressions and tuples of names."""
        values = [
            name(place, arg.name)
            if isinstance(arg, ast.FunctionDef)
            else names_tuple(place, map(self.mangled, arg))
            if isinstance(arg, list)
            else arg
            for arg in args
        ]
        return at(place, ast.Expr(call(place, operator, *values)))

    def visit_If(self, node: ast.If) -> Any:
        """Both branches as functions."""
        if self.suspends:
            return self.generic_visit(node)
        names = self._names([*node.body, *node.orelse])
        test = self.visit(node.test)
        then = self._block(node, "then", self.visited(node.body), names)
        other = self._block(node, "else", self.visited(node.orelse), names)
        return [then, other, self._run(node, "if", test, then, other, names)]

    def visit_While(self, node: ast.While) -> Any:
        """The test and the body as functions."""
        if self.suspends:
            return self.generic_visit(node)
        names = self._names([node.test, *node.body])
        asks = at(node.test, ast.Return(self.visit(node.test)))
        asked = self._block(node, "test", [asks], self._names([node.test]))
        body = self._block(node, "body", self.visited(node.body), names)
        go_on = self._goes_on(node)
        if go_on is None:
            return [asked, body, self._run(node, "while", asked, body, names)]
        stops = self._block(node, "stops", [at(node, ast.Return(go_on))], [])
        call_ = self._run(node, "while", asked, body, names, stops)
        return [asked, body, stops, call_]

    def visit_For(self, node: ast.For) -> Any:
        """The body as a function of the item."""
        if self.suspends:
            return self.generic_visit(node)
        target = at(node, ast.Assign([node.target], name(node, "$item")))
        names = self._names([target, *node.body])
        iterable = self.visit(node.iter)
        go_on = self._goes_on(node)
        inner = self.visited([target, *node.body])
        body = self._block(node, "body", inner, names, ["$item"])
        if go_on is None:
            return [body, self._run(node, "for", iterable, body, names)]
        asked = self._block(node, "test", [at(node, ast.Return(go_on))], [])
        return [asked, body, self._run(node, "for", iterable, body, names, asked)]

    def _goes_on(self, node: ast.stmt) -> ast.expr | None:
        """That no flag ends the loop."""
        flags = self._flags.stops.get(node, [])
        tests = [call(node, "not", name(node, flag)) for flag in flags]
        made: ast.expr | None = None
        for test in tests:
            made = test if made is None else call(node, "and", made, thunk(node, test))
        return made

    def visit_Assert(self, node: ast.Assert) -> Any:
        """The message as a function."""
        if not __debug__ or self.binds_in_place(node):
            return self.generic_visit(node)
        message = node.msg or constant(node, "")
        text = thunk(node, self.visit(message))
        return self._run(node, "assert", self.visit(node.test), text)

    # Stores.

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """Annotations inside of functions are not evaluated."""
        if node.value is None:
            return node
        return self.visit(at(node, ast.Assign([node.target], node.value)))

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Stores into containers and attributes by operators, after the value."""
        if isinstance(node.targets[0], ast.Name) and self._is_unread(
            node.targets[0].id
        ):
            return at(node, ast.Pass())
        value: ast.expr = self.visit(node.value)
        if all(isinstance(target, ast.Name) for target in node.targets):
            node.value = value
            return node
        done: Statements = []
        if len(node.targets) > 1:
            kept = self._new_name("value")
            done.append(assign(node, kept, value))
            value = name(node, kept)
        for target in node.targets:
            done += self._store(node, target, value)
        return done

    def _store(self, place: ast.AST, target: ast.expr, value: ast.expr) -> Statements:
        if isinstance(target, ast.Subscript):
            where = self.visit(target.value), self.index(target.slice)
            return [at(place, ast.Expr(call(place, "setitem", value, *where)))]
        if isinstance(target, ast.Attribute):
            attribute = constant(place, self.mangled(target.attr))
            whose = self.visit(target.value)
            return [
                at(place, ast.Expr(call(place, "setattr", value, whose, attribute)))
            ]
        if isinstance(target, (ast.Tuple, ast.List)):
            after: Statements = []
            parts = [self._part(place, part, after) for part in target.elts]
            several = at(place, ast.Tuple(parts, ast.Store()))
            return [at(place, ast.Assign([several], value)), *after]
        return [at(place, ast.Assign([target], value))]

    def _part(self, place: ast.AST, target: ast.expr, after: Statements) -> ast.expr:
        """A target among several: a name; what it is stored to comes ``after``."""
        if isinstance(target, ast.Starred):
            inner = self._part(place, target.value, after)
            return at(place, ast.Starred(inner, ast.Store()))
        if isinstance(target, ast.Name):
            return target
        kept = self._new_name("part")
        after += self._store(place, target, name(place, kept))
        return name(place, kept, ast.Store())

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """Read, compute and store, in Python's order."""
        kind = constant(node, type(node.op).__name__)
        target = node.target
        if isinstance(target, ast.Name):
            old = name(node, target.id)
            made = call(node, "augment", kind, old, self.visit(node.value))
            return assign(node, target.id, made)
        whose = self._new_name("whose")
        done: Statements = [assign(node, whose, self.visit(target.value))]
        if isinstance(target, ast.Attribute):
            where: ast.expr = constant(node, self.mangled(target.attr))
            load = at(node, ast.Attribute(name(node, whose), target.attr, ast.Load()))
            old, operator = load, "setattr"
        else:
            index = self._new_name("index")
            done.append(assign(node, index, self.index(target.slice)))
            where, operator = name(node, index), "setitem"
            old = call(node, "getitem", name(node, whose), name(node, index))
        made = call(node, "augment", kind, old, self.visit(node.value))
        stored = call(node, operator, made, name(node, whose), where)
        return [*done, at(node, ast.Expr(stored))]

    def visit_Delete(self, node: ast.Delete) -> Any:
        """Items and attributes by operators."""
        done: Statements = []
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                where = self.visit(target.value), self.index(target.slice)
                done.append(at(node, ast.Expr(call(node, "delitem", *where))))
            elif isinstance(target, ast.Attribute):
                attribute = constant(node, self.mangled(target.attr))
                whose = self.visit(target.value), attribute
                done.append(at(node, ast.Expr(call(node, "delattr", *whose))))
            else:
                done.append(at(node, ast.Delete([target])))
        return done
