"""Where the facts about an op stand: the record, what backends add, what tests it.

Places are found in the sources, without importing what is above `ir`. What is known of
an op by its record alone (a kernel of ``scalar``) says so. Tests and docs are in the
repository only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .spec import NONDIFFERENTIABLE, OPS, RECORDS, Kind, OpDef

__all__ = ["places"]

ROOT = Path(__file__).resolve().parents[2]  # the repository, or the installed package
ABSENT = "not installed"
NEEDLESS = "not needed"
_LOWERINGS = ("compiler/lower", "compiler/functions.py", "compiler/trace.py")


def places(name: str) -> dict[str, list[str]]:
    """For each fact about an op its places, ``file:line`` or what it is known by.

    Nothing is known of a fact that has no places. `KeyError` where there is no op.
    """
    op = OPS[name]
    file, line = RECORDS[name]
    smooth = op.adjoint is not NONDIFFERENTIABLE
    rule = _function(op.adjoint) if smooth else ["nondifferentiable"]
    found = {
        "record": [f"{_short(file)}:{line}"],
        "type rule": _function(op.type_rule),
        "reference": _function(op.reference),
        "adjoint": rule,
    }
    for path in sorted(ROOT.glob("backends/*/backend.py")):
        if path.parent.name != "reference":  # which runs the record's
            found[path.parent.name] = _in_backend(op, path.parent)
    found["lowering"] = _lowering(op)
    given = name in ("input", "const")  # every graph has them
    found["samples"] = [NEEDLESS] if given else _named(name, "tests/laws/op_samples.py")
    ours = not given and not isinstance(op.reference, np.ufunc)
    found["oracle"] = _named(name, "tests/laws/op_oracles.py") if ours else [NEEDLESS]
    forward = "tests/oracles/forward_mode.py"
    found["tangent"] = _named(name, forward) if smooth else [NEEDLESS]
    found["docs"] = _documented(name)
    return found


def _short(file: str | Path) -> str:
    """A path as seen from the root, if it is below."""
    path = Path(file).resolve()
    below = path.is_relative_to(ROOT)
    return path.relative_to(ROOT).as_posix() if below else str(path)


def _function(function: Any) -> list[str]:
    code = getattr(function, "__code__", None)
    if code is not None:
        return [f"{_short(code.co_filename)}:{code.co_firstlineno}"]
    return [f"np.{function.__name__}"]


def _in_backend(op: OpDef, folder: Path) -> list[str]:
    """The function decorated with the op's name, or how the backend does without."""
    files = sorted(folder.rglob("*.py"))
    found = [
        place
        for path in files
        for place in _lines(path, lambda tree: _decorated(tree, op.name))
    ]
    if found or op.kind not in (Kind.ELEMENTWISE, Kind.REDUCTION):
        return [NEEDLESS] if op.name == "input" else found
    return ["by its scalar" if op.scalar is not None else "by its combination"]


def _lowering(op: OpDef) -> list[str]:
    """Where NumPy functions become this op; else where rules and passes build it."""
    if isinstance(getattr(np, op.name, None), np.ufunc):
        return [f"by the name of np.{op.name}"]
    for folders in (_LOWERINGS, ("ir/ops", "ir/builder.py", "compiler")):
        paths = [
            path
            for folder in folders
            for path in (
                [ROOT / folder]
                if folder.endswith(".py")
                else sorted((ROOT / folder).rglob("*.py"))
            )
        ]
        found = [
            place
            for path in paths
            for place in _lines(path, lambda tree: _built(tree, op.name))
        ]
        if found:
            return found
    return []


def _named(name: str, file: str) -> list[str]:
    """Where a string of a file has the op as a word, unless the file is absent."""
    path = ROOT / file
    if not path.exists():
        return [ABSENT]
    return _lines(path, lambda tree: _words(tree, name))


def _documented(name: str) -> list[str]:
    pages = [ROOT / "docs", ROOT / "ir"]
    if not pages[0].exists():
        return [ABSENT]
    word = re.compile(rf"`(np\.|anabranch\.)?{name}[`(]")
    return [
        f"{_short(path)}:{number}"
        for folder in pages
        for path in sorted(folder.glob("*.md"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if word.search(line)
    ]


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _lines(path: Path, search: Callable[[ast.Module], Iterator[int]]) -> list[str]:
    numbers = sorted(set(search(_parsed(path))))
    return [f"{_short(path)}:{number}" for number in numbers]


def _decorated(tree: ast.Module, name: str) -> Iterator[int]:
    """The lines of functions under a decorator that is given the name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and name in map(_text, mark.args):
                    yield node.lineno


def _built(tree: ast.Module, name: str) -> Iterator[int]:
    """The lines that build the op: ``b.take(...)``, or its name as a string."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"))):
                pass
            case ast.Call(func=ast.Attribute(attr=attr)) if attr == name:
                yield node.lineno
            case ast.Call(args=arguments):
                yield from (a.lineno for a in arguments if _says(a, name))
            case ast.Dict(values=values):
                yield from (value.lineno for value in values if _says(value, name))
            case _:
                pass


def _words(tree: ast.Module, name: str) -> Iterator[int]:
    """The lines of strings that have the op as a word."""
    word = re.compile(rf"(?<![\w.]){name}(?![\w.])")
    for node in ast.walk(tree):
        text = _text(node)
        if text is not None and word.search(text):
            yield node.lineno  # type: ignore[attr-defined]  # constants have one
        elif _says(node, name):
            yield node.lineno  # type: ignore[attr-defined]  # so have f-strings


def _text(node: ast.AST) -> str | None:
    text = node.value if isinstance(node, ast.Constant) else None
    return text if isinstance(text, str) else None


def _says(node: ast.AST, name: str) -> bool:
    """Whether a string is the name, or an f-string can be."""
    if not isinstance(node, ast.JoinedStr):
        return _text(node) == name
    parts = [_text(part) for part in node.values]
    if sum(len(part or "") for part in parts) < 3:
        return False
    pattern = "".join(r"\w+" if part is None else re.escape(part) for part in parts)
    return re.fullmatch(pattern, name) is not None
