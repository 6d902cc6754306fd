"""Twins: whose source is found, what they share, and how they look in tracebacks."""

from __future__ import annotations

import dis
import gc
import importlib.util
import sys
import traceback
import warnings
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.frontend import twins
from anabranch.compiler.frontend.twins import is_twin, twin

X = np.array([0.5, 1.5, -2.0])
SCALE = 2.0


def module_of(path: Path, text: str, name: str = "written") -> ModuleType:
    """A module that was just written."""
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BRANCH = """
def bend(x):
    return x if x[0] > 0 else -x
"""


def test_what_a_twin_shares():
    cell = 3.0

    def function(x, k=2.0, *, s=1.0) -> float:
        """Text."""
        return x * cell * k * s * SCALE

    made = twin(function)
    assert made is not function
    assert is_twin(made.__code__)
    assert twin(made) is made
    assert made.__globals__ is function.__globals__
    assert made.__closure__ is not None
    assert function.__closure__ is not None
    assert function.__closure__[0] in made.__closure__
    assert made.__defaults__ is function.__defaults__
    assert made.__kwdefaults__ is function.__kwdefaults__
    assert made.__doc__ == function.__doc__
    assert (made.__name__, made.__qualname__) == (
        function.__name__,
        function.__qualname__,
    )
    assert made(1.0) == function(1.0)
    cell = 4.0
    assert made(1.0, s=2.0) == function(1.0, s=2.0)


def test_libraries_have_no_twins():
    import textwrap

    for function in (textwrap.dedent, np.linalg.norm, anabranch.softmax):
        if isinstance(function, FunctionType):
            assert twin(function) is function


def test_lambdas_of_one_line():
    f, g, h = lambda x: x * 2, lambda x: x if x[0] > 0 else -x, lambda x: x * 3
    for function in (f, g, h):
        assert twin(function) is not function
        np.testing.assert_array_equal(anabranch.jit(function)(-X), function(-X))


def test_decorated_on_several_lines():
    def kept(*_: Any) -> Any:
        return lambda function: function

    @kept(
        1,
        2,
    )
    @kept()
    def function(x):
        return x if x[0] > 0 else -x

    assert twin(function) is not function
    np.testing.assert_array_equal(anabranch.jit(function)(-X), X)


def test_no_source():
    names: dict[str, Any] = {}
    exec(BRANCH, names)
    with pytest.raises(anabranch.ConcretizationError, match="bend was not rewritten"):
        anabranch.jit(names["bend"])(X)
    exec("def double(x): return x * 2", names)
    np.testing.assert_array_equal(anabranch.jit(names["double"])(X), X * 2)


@pytest.mark.parametrize(
    "changed",
    [
        BRANCH.replace("-x", "2 * x"),
        BRANCH.replace("x[0]", "x[1]"),
        BRANCH.replace(" > 0", " < 0"),
        "\n\n\n" + BRANCH,
        "",
        "def bend(x:",
    ],
)
def test_stale_source_is_no_source(tmp_path, changed):
    path = tmp_path / "written.py"
    module = module_of(path, BRANCH)
    path.write_text(changed + "# longer than before, for the cache of lines\n")
    with pytest.raises(anabranch.ConcretizationError, match="not what was imported"):
        anabranch.jit(module.bend)(X)


TABLE = """
def double(x):
    return x * 2

TABLE = {
    "bend": lambda x: x if x[0] > 0 else -x, "flip": lambda x: (
        -x if x[0] > 0 else x
    ),
# a comment at the margin
}
TEXT = {
    "text": lambda x: x if x[0] > 0 else -x * len(\"\"\"
of several lines\"\"\"),
}
"""


def test_lambdas_are_found_in_the_statement_around_them(tmp_path):
    """Whatever became of the rest of the file; strings at the margin need all of it."""
    path = tmp_path / "written.py"
    module = module_of(path, TABLE)
    table, text = module.TABLE, module.TEXT["text"]
    path.write_text(TABLE.replace("def double(x)", "def double(x, of nothing"))
    for name in ("bend", "flip"):
        made = anabranch.jit(table[name])(-X)
        np.testing.assert_array_equal(made, table[name](-X))
    path.write_text(TABLE.replace("x * 2", "x * 2.0"))
    np.testing.assert_array_equal(anabranch.jit(text)(-X), text(-X))


OPTIONS = """
table = dict(
    bend=lambda x: x if x[0] > 0 else -x,
    keep=lambda x: (last := x * 2) if x[0] > 0 else last,
)
"""


def test_a_lambda_with_lines_of_its_own_needs_no_others(tmp_path):
    path = tmp_path / "written.py"
    table = module_of(path, OPTIONS).table
    path.write_text(OPTIONS.replace("dict(", "dict(("))
    np.testing.assert_array_equal(anabranch.jit(table["bend"])(-X), X)
    path.write_text(OPTIONS.replace("dict(", "dict((").replace("x * 2", "x * 22"))
    with pytest.raises(anabranch.ConcretizationError, match="not what was imported"):
        anabranch.jit(table["keep"])(X)


BOUND = """
import os.path
if True:
    import numpy as np
linalg, path = np.linalg, os.path
def bend(x):
    return np.abs(x) * linalg.norm(x) if x[0] > 0 else -np.abs(x) * len(path.sep)
flip = lambda x: np.abs(x) * linalg.norm(x) if x[0] > 0 else -np.abs(x)
"""


def test_modules_that_are_bound_and_not_imported(tmp_path):
    """The compiler calls their functions in another way than those of imported ones."""
    module = module_of(tmp_path / "written.py", BOUND)
    for function in (module.bend, module.flip):
        for x in (X, -X):
            made = anabranch.jit(function)(x)
            np.testing.assert_allclose(made, function(x), rtol=1e-15)


def test_a_module_that_is_imported_anew(tmp_path):
    path = tmp_path / "written.py"
    first = module_of(path, BRANCH)
    np.testing.assert_array_equal(anabranch.jit(first.bend)(-X), X)
    second = module_of(path, BRANCH.replace("else -x", "else 5 * x  # other"))
    np.testing.assert_array_equal(anabranch.jit(second.bend)(-X), -5 * X)


def test_a_function_that_looks_at_its_frame_runs_as_it_is():
    def looks(x):
        y = x * 2
        return locals()["y"] + y

    assert twin(looks) is looks
    np.testing.assert_array_equal(anabranch.jit(looks)(X), X * 4)


def test_nothing_is_added_to_the_module(tmp_path):
    module = module_of(tmp_path / "written.py", BRANCH)
    before = set(vars(module))
    anabranch.jit(module.bend)(X)
    assert set(vars(module)) == before
    assert "bend" in dis.code_info(module.bend)
    assert not is_twin(module.bend.__code__)


def test_twins_go_with_their_functions():
    def make() -> Any:
        names: dict[str, Any] = {}
        exec("def f(x): return x + 1", names)
        return names["f"]

    gc.collect()
    before = len(twins._codes)
    for _ in range(20):
        anabranch.jit(make())(X)
    gc.collect()
    assert len(twins._codes) <= before + 2


def shapes(x):
    for i in range(2):
        if i == 1:
            with np.errstate(all="ignore"):
                y = (
                    x
                    .sum()
                    .reshape(3, 7)
                )  # fmt: skip
    return y  # pyright: ignore[reportPossiblyUnboundVariable]


def calls_shapes(x):
    return 1.0 if x.ndim == 0 else shapes(x)


def test_tracebacks_and_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANABRANCH_TRACEBACK", raising=False)
    with pytest.raises(anabranch.ShapeError) as raised:
        anabranch.jit(calls_shapes)(X)
    entries = traceback.extract_tb(raised.value.__traceback__)
    assert [entry.name for entry in entries][-2:] == ["calls_shapes", "shapes"]
    assert entries[-1].line == ".reshape(3, 7)"
    assert entries[-2].line == "return 1.0 if x.ndim == 0 else shapes(x)"
    assert raised.value.source is not None
    assert raised.value.source.line == entries[-1].lineno


def test_errors_of_the_user_keep_their_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANABRANCH_TRACEBACK", raising=False)

    def function(x):
        table = {"a": 1}
        for name in ("a", "b"):
            x = x * table[name]
        return x

    with pytest.raises(KeyError) as raised:
        anabranch.jit(function)(X)
    entries = traceback.extract_tb(raised.value.__traceback__)
    assert entries[-1].name == "function"
    assert entries[-1].line == "x = x * table[name]"


def test_values_have_the_names_of_variables():
    def function(x):
        total = 0.0
        for i in range(2):
            if i == 0:
                bent = np.tanh(x)
                total += np.sum(bent)
        return total

    names = list(anabranch.make_ir(function)(X).nodes)
    assert "bent" in names
    assert "total" in names


def test_nodes_have_the_lines_of_the_user():
    def function(x):
        for v in x:
            if v > 0:
                x = x + v
        return x

    first = function.__code__.co_firstlineno
    graph = anabranch.make_ir(function)(X)
    (cond, *_) = [node for node in graph if node.op == "cond"]
    assert cond.source is not None
    assert cond.source.line == first + 2
    inner = [node for node in cond.regions[0] if node.op == "add"]
    assert inner[0].source is not None
    assert inner[0].source.line == first + 3


def test_warnings_are_once_for_a_line():
    def function(x):
        warnings.warn("mind this", UserWarning, stacklevel=1)
        return x

    with pytest.warns(UserWarning, match="mind this") as caught:
        anabranch.jit(function)(X)
    assert caught[0].filename == __file__


def test_a_steady_call_knows_nothing_of_twins(monkeypatch: pytest.MonkeyPatch):
    compiled = anabranch.jit(lambda x: x if x[0] > 0 else -x)
    compiled(X)
    monkeypatch.setattr(twins, "_make_code", None)
    monkeypatch.setitem(sys.modules, "linecache", None)
    np.testing.assert_array_equal(compiled(-X), X)


def bent(tree):
    if isinstance(tree, list):
        return [bent(part) for part in tree]
    return tree if tree[0] > 0 else -tree


class Bender:
    """Names itself, in a method and in a class of a method."""

    def bend(self, x):
        class Inner:
            def bend(self, x):
                return x if x[0] > 0 else Bender.half(x)

        return Inner().bend(x)

    @staticmethod
    def half(x):
        return x / 2 if x[0] < -1 else x * Bender.two()

    @staticmethod
    def two():
        return 2.0


def test_what_calls_itself_by_its_global_name():
    for function in (bent, Bender.bend, Bender.half):
        assert twin(function) is not function
    compiled = anabranch.jit(lambda x: bent([x, [x * 2]]))
    for x in (X, -X):
        np.testing.assert_array_equal(compiled(x)[0], bent(x))
        np.testing.assert_array_equal(compiled(x)[1][0], bent(x * 2))
    compiled = anabranch.jit(lambda x: Bender().bend(x))
    for x in (X, -X, -4 * X):
        np.testing.assert_array_equal(compiled(x), Bender().bend(x))
