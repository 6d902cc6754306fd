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
from typing import Any, NamedTuple

import numpy as np

from .mapped import Along, rule_of
from .spec import NONDIFFERENTIABLE, OPS, RECORDS, Kind, OpDef

__all__ = ["places"]

ROOT = Path(__file__).resolve().parents[2]  # the repository, or the installed package
ABSENT = "not installed"
NEEDLESS = "not needed"
_SAMPLES = {
    "callback": "compiler/test_callback",
    "checkpoint": "compiler/transforms/test_checkpoint",
    "cond": "branching",
    "custom_jvp": "compiler/transforms/test_custom_jvp",
    "custom_vjp": "compiler/transforms/test_custom",
    "linear_solve": "compiler/solvers/test_linear",
    "loop": "looping",
    "recompute": "compiler/transforms/test_checkpoint",
}
_EXPANDED = dict.fromkeys(
    ("custom_jvp", "custom_vjp", "checkpoint", "linear_solve", "ranked"),
    "by the pass expand",
)
_LOWERINGS = ("compiler/lower", "compiler/functions.py", "compiler/tracing/trace.py")


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
        "vmap": _mapping(op),
    }
    for path in sorted(ROOT.glob("backends/*/backend.py")):
        if path.parent.name != "reference":  # which runs the record's
            found[path.parent.name] = _in_backend(op, path.parent)
    found["lowering"] = _lowering(op)
    given = name in ("input", "const")  # every graph has them
    special = op.ufunc is not None or "special" in Path(file).name
    truth = "oracles/special_functions.py" if special else None
    samples = truth or f"{_SAMPLES.get(name, 'laws/op_samples')}.py"
    found["samples"] = [NEEDLESS] if given else _named(name, f"tests/{samples}")
    own = name == "callback" or op.regions  # with tests of their own
    ours = not (given or own or isinstance(op.reference, np.ufunc))
    oracles = f"tests/{truth or 'laws/op_oracles.py'}"
    found["oracle"] = _named(name, oracles) if ours else [NEEDLESS]
    smooth = smooth and truth is None  # held against the truth at all orders
    forward = "tests/oracles/forward_mode.py"
    found["tangent"] = _named(name, forward) if smooth and not own else [NEEDLESS]
    if not found["samples"]:  # an op that takes no reals has the laws of its own
        found["samples"] = _named(name, "tests/laws/complex_samples.py")
        found["oracle"] = found["tangent"] = found["samples"]
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


def _mapping(op: OpDef) -> list[str]:
    """The rule for many examples, or how the op takes one more axis."""
    rule = rule_of(op)
    if rule is None:
        return [NEEDLESS] if op.kind is Kind.SOURCE else []
    if isinstance(rule, Along):
        names = " and ".join(rule.names)
        return [f"one more axis, as {names} tell" if names else "one more axis"]
    return _function(rule)


def _in_backend(op: OpDef, folder: Path) -> list[str]:
    """The function decorated with the op's name, or how the backend does without."""
    files = sorted(folder.rglob("*.py"))
    found = [
        place
        for path in files
        for place in _lines(path, lambda it: it.role == "mark" and it.says(op.name))
    ]
    if op.name in _EXPANDED:
        return [_EXPANDED[op.name]]
    if not found and op.ufunc is not None and op.scalar is None:
        return ["by its ufunc"]
    if found or op.kind not in (Kind.ELEMENTWISE, Kind.REDUCTION):
        return [NEEDLESS] if op.name == "input" else found or _by_parts(op.name)
    return ["by its scalar" if op.scalar is not None else "by its combination"]


def _by_parts(name: str) -> list[str]:
    """The rule that makes an op on complex numbers of ops on their parts."""
    path = ROOT / "compiler/passes/complex_rules.py"
    found = _lines(path, lambda it: it.role == "string" and it.says(name))
    whole = isinstance(OPS[name].reference, np.ufunc)
    return found or (["by of_complex"] if whole else [])


def _lowering(op: OpDef) -> list[str]:
    """Where NumPy functions become this op; else where rules and passes build it."""
    if isinstance(getattr(np, op.name, None), np.ufunc):
        return [f"by the name of np.{op.name}"]
    if op.ufunc is not None:
        return [f"by the name of scipy.special.{op.ufunc}"]
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
            for place in _lines(
                path, lambda it: it.role in ("method", "given") and it.says(op.name)
            )
        ]
        if found:
            return found
    return []


def _named(name: str, file: str) -> list[str]:
    """Where a string of a file has the op as a word, unless the file is absent."""
    path = ROOT / file
    if not path.exists():
        return [ABSENT]
    return _lines(path, lambda it: it.role == "string" and it.has_word(name))


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


class Mention(NamedTuple):
    """A line of a file that has a name, and how.

    As a ``mark`` above a function (a decorator's argument), a ``method`` that is
    called, a value ``given`` to a call or in a dict, or any ``string``. An f-string is
    a pattern of the names that it can be.
    """

    role: str
    line: int
    text: str
    pattern: bool = False

    def says(self, name: str) -> bool:
        """Whether this is the name, or can be."""
        if self.pattern:
            return re.fullmatch(self.text, name) is not None
        return self.text == name

    def has_word(self, name: str) -> bool:
        """Whether the name is a word of the string."""
        if self.pattern:
            return self.says(name)
        return re.search(rf"(?<![\w.]){name}(?![\w.])", self.text) is not None


def _lines(path: Path, fits: Callable[[Mention], bool]) -> list[str]:
    numbers = sorted({mention.line for mention in _mentions(path) if fits(mention)})
    return [f"{_short(path)}:{number}" for number in numbers]


@cache
def _mentions(path: Path) -> list[Mention]:
    """All mentions of names in a file, which is read once."""
    tree = ast.parse(path.read_text("utf-8"))
    return [mention for node in ast.walk(tree) for mention in _of(node)]


def _of(node: ast.AST) -> Iterator[Mention]:
    yield from _string("string", node)
    match node:
        case ast.FunctionDef(decorator_list=marks, lineno=line):
            for mark in marks:
                for given in mark.args if isinstance(mark, ast.Call) else ():
                    for mention in _string("mark", given):
                        yield mention._replace(line=line)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"))):
            pass
        case ast.Call(func=called, args=values):
            if isinstance(called, ast.Attribute):
                yield Mention("method", node.lineno, called.attr)
            for value in values:
                yield from _string("given", value)
        case ast.Dict(values=values):
            for value in values:
                yield from _string("given", value)
        case _:
            pass


def _string(role: str, node: ast.AST) -> Iterator[Mention]:
    """A string, or an f-string that says enough to be a pattern."""
    match node:
        case ast.Constant(value=str(text)):
            yield Mention(role, node.lineno, text)
        case ast.JoinedStr(values=values):
            known = [v.value for v in values if isinstance(v, ast.Constant)]
            if sum(map(len, map(str, known))) >= 3:
                parts = [
                    re.escape(str(v.value)) if isinstance(v, ast.Constant) else r"\w+"
                    for v in values
                ]
                yield Mention(role, node.lineno, "".join(parts), pattern=True)
        case _:
            pass
