"""The syntax tree of a function that is at hand as code, and the way back.

A tree is compiled as it stands and compared with the code, so that a file that was
changed since it was imported is no source, and never the wrong one.
"""

from __future__ import annotations
import __future__

import ast
import copy
import linecache
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache, reduce
from itertools import pairwise
from operator import itemgetter, or_
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple, TypeAlias

from .nodes import at, children

__all__ = [
    "WRAPPED",
    "Definition",
    "NoSource",
    "Source",
    "class_name",
    "compiled",
    "definition",
]

Definition: TypeAlias = "ast.FunctionDef | ast.Lambda"

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)
_FUTURE = reduce(
    or_,
    (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names),
)


MAKER = "$"  # the function in which a tree is compiled
WRAPPED = f"{MAKER}.<locals>."


class NoSource(Exception):
    """Why there is no syntax tree, as a clause."""


class Source(NamedTuple):
    """The syntax tree of a function, and a text that it stands in."""

    tree: Definition
    text: str


def definition(function: FunctionType) -> Source:
    """A new tree of a function; `NoSource` where none fits its code.

    Its lines alone are parsed first, then the statement that a lambda stands in: a file
    may be long.
    """
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        raise NoSource("it was defined at a prompt or by exec")
    imported = _imported(function)
    first = code.co_firstlineno
    last = max(_last_line(code), first)
    own = _cut(lines, first, last)
    for node in _candidates(_parsed(own), code):
        if _fits(node, code, imported):
            return Source(node, own)
    if code.co_name == "<lambda>":
        statement = _cut(lines, *_statement(lines, first, last))
        for node in _candidates(_shared(statement), code):
            if _fits(node, code, imported):
                return Source(copy.deepcopy(node), statement)
    text = "".join(lines)
    whole = _shared(text)
    imported.append(_imports(whole))
    for node in _candidates(whole, code):
        if _fits(node, code, imported):
            return Source(copy.deepcopy(node), text)
    raise NoSource("its file is not what was imported")


def _cut(lines: Sequence[str], first: int, last: int) -> str:
    """Some lines, at their place and under an `if` where they are indented."""
    text = lines[first - 1 : last]
    around = ["if 1:\n"] if text and text[0][:1].isspace() and first > 1 else []
    return "".join(["\n" * (first - 1 - len(around)), *around, *text])


def _last_line(code: CodeType) -> int:
    """The last line that an instruction is of, those of inner functions included."""
    ends = filter(None, map(itemgetter(1), code.co_positions()))
    return max([max(ends, default=0), *map(_last_line, _codes(code))])


def _statement(lines: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """The lines of the outermost statement around some, as indentation tells."""
    while 1 < first <= len(lines) and not _begins(lines[first - 1]):
        first -= 1
    while last < len(lines) and not _begins(lines[last]):
        last += 1
    return first, last


def _begins(line: str) -> bool:
    """Whether a statement of the module may begin with a line."""
    return not line[:1].isspace() and line[:1] not in ")]}#"


@lru_cache(maxsize=8)
def _shared(text: str) -> ast.AST | None:
    """The tree of a text that several functions may stand in; nobody changes it."""
    return _parsed(text)


def _parsed(text: str) -> ast.AST | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def _candidates(tree: ast.AST | None, code: CodeType) -> Iterator[Definition]:
    """The functions of the tree that stand where the code says."""
    waiting = [tree] if tree else []
    for node in waiting:
        waiting += children(node)
        if isinstance(node, ast.Lambda):
            found = code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
        elif isinstance(node, ast.FunctionDef):
            found = node.name == code.co_name and _first_line(node) == (
                code.co_firstlineno
            )
        else:
            continue
        if found:
            yield node


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _fits(node: Definition, code: CodeType, imported: Sequence[list[str]]) -> bool:
    """Whether a tree is compiled to the code."""
    tries = (compiled(node, code, code.co_freevars, names) for names in imported)
    return any(_is_same(made, code) for made in tries)


def _imported(function: FunctionType) -> list[list[str]]:
    """Which global names the function's module may have imported, likeliest first.

    The compiler calls a method of an imported name in another way.
    """
    known = function.__globals__
    names = [name for name in _all_names(function.__code__) if name in known]
    modules = [name for name in names if isinstance(known[name], ModuleType)]
    home = known.get("__name__")
    foreign = [n for n in names if getattr(known[n], "__module__", home) != home]
    return [modules, [*modules, *foreign], []] if names else [[]]


def _imports(tree: ast.AST | None) -> list[str]:
    """The names that a module imports, outside of its functions and classes."""
    found: list[str] = []
    waiting: list[ast.AST] = [tree] if tree is not None else []
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.asname or alias.name for alias in node.names]
                found += [name.split(".")[0] for name in names]
            elif not isinstance(node, _SCOPES):
                waiting.append(node)
    return found


def _all_names(code: CodeType) -> set[str]:
    return {*code.co_names}.union(*map(_all_names, _codes(code)))


def compiled(
    node: Definition, like: CodeType, free: Iterable[str], imported: Sequence[str] = ()
) -> CodeType:
    """The code of a tree, in the place of ``like``, with these free variables."""
    defined: ast.stmt
    if isinstance(node, ast.Lambda):
        lambda_ = ast.Lambda(_bare(node.args), node.body)
        defined = ast.Expr(at(node, lambda_))
        name = "<lambda>"
    else:
        defined = ast.FunctionDef(node.name, _bare(node.args), node.body, [])
        name = node.name
    at(node, defined)
    names = [name]
    private = class_name(like.co_qualname)
    if private is not None:  # for the names that begin with two underscores
        defined = at(node, ast.ClassDef(private, [], [], [defined], []))
        names.insert(0, private)
    bound = list(free)
    parameters = [_parameter(name) for name in bound]
    made: list[ast.stmt] = [defined]
    if names[0] not in bound and isinstance(defined, (ast.FunctionDef, ast.ClassDef)):
        # What calls itself, or its class, by a global name does not close over it.
        made.insert(0, at(node, ast.Global([names[0]])))
    maker = ast.FunctionDef(MAKER, _arguments(parameters), made, [])
    at(node, maker)
    body: list[ast.stmt] = [maker]
    if imported:
        aliases = [at(node, ast.alias(name)) for name in imported]
        body.insert(0, at(node, ast.Import(aliases)))
    module = ast.Module(body, [])
    flags = like.co_flags & _FUTURE
    code = compile(module, like.co_filename, "exec", flags, dont_inherit=True)
    for name in (MAKER, *names):
        code = next(c for c in _codes(code) if c.co_name == name)
    return code


@cache
def _parameter(name: str) -> ast.arg:
    """A parameter of the maker, which no traceback shows."""
    return ast.arg(name, lineno=1, end_lineno=1, col_offset=0, end_col_offset=1)


def _arguments(parameters: list[ast.arg]) -> ast.arguments:
    return ast.arguments([], parameters, None, [], [], None, [])


def _bare(args: ast.arguments) -> ast.arguments:
    """The parameters without annotations; what their defaults are does not matter."""

    def bare(arg: ast.arg | None) -> ast.arg | None:
        return arg and at(arg, ast.arg(arg.arg))

    def nothing(value: ast.expr | None) -> ast.expr | None:
        return value and at(value, ast.Constant(None))

    return ast.arguments(
        [at(a, ast.arg(a.arg)) for a in args.posonlyargs],
        [at(a, ast.arg(a.arg)) for a in args.args],
        bare(args.vararg),
        [at(a, ast.arg(a.arg)) for a in args.kwonlyargs],
        [nothing(value) for value in args.kw_defaults],
        bare(args.kwarg),
        [at(value, ast.Constant(None)) for value in args.defaults],
    )


def class_name(qualname: str) -> str | None:
    """The innermost class around a function."""
    parts = qualname.split(".")
    classes = [
        part
        for part, after in pairwise(parts)
        if after != "<locals>" and part != "<locals>"
    ]
    return classes[-1] if classes else None


def _codes(code: CodeType) -> Iterator[CodeType]:
    return (const for const in code.co_consts if isinstance(const, CodeType))


def _is_same(one: CodeType, other: CodeType) -> bool:
    """Whether two codes do the same, wherever they stand."""
    same = (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and len(one.co_consts) == len(other.co_consts)
    )
    pairs = zip(one.co_consts, other.co_consts, strict=False)
    return same and all(_is_same_constant(a, b) for a, b in pairs)


def _is_same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _is_same(one, other)
    if isinstance(one, str) and isinstance(other, str) and one.startswith(WRAPPED):
        return other.endswith(one.removeprefix(WRAPPED))  # the full name of a class
    return type(one) is type(other) and repr(one) == repr(other)
