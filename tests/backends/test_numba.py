"""The numba backend: its text, what it raises, and that Numba is left alone."""

from __future__ import annotations

import ctypes
import doctest
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.types import unliteral
from scipy import special

import anabranch
from anabranch.backends import find_backend, ufuncs
from anabranch.backends.numba import parts, printer
from anabranch.backends.numba.executable import helper_space
from anabranch.backends.numba.functions import HELPERS, find_function, helpers_of
from anabranch.backends.numba.module import print_function, print_module
from anabranch.backends.numba.ufunc import INNER_LOOP, inner_loop
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse
from anabranch.ir.errors import BoundsError
from anabranch.ir.types import DTYPES

ROOT = Path(__file__).parents[2]


def net(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    return np.mean((z - y) ** 2)


def net_arguments() -> list[Any]:
    rng = np.random.default_rng(0)
    shapes = ((5, 7), (7,), (7, 3), (3,), (4, 5), (4, 3))
    return [rng.normal(size=shape) for shape in shapes]


GRADIENT = anabranch.value_and_grad(net, argnums=(0, 1, 2, 3))


def run(graph: Graph, *arrays: Any) -> list[Any]:
    return find_backend("numba").prepare(optimise(graph, "numba"))(arrays)


def test_the_text_of_two_layers(golden: Any) -> None:
    """To be read by people: 90 lines at most."""
    text = GRADIENT.to_numba(*net_arguments())
    assert len(text.splitlines()) <= 90
    golden.check("two_layers.numba", text)


OUTSIDE = """
import doctest, sys
from pathlib import Path
import numpy as np
sys.modules["anabranch"] = None
space = {"__name__": "printed"}
text = Path("printed.py").read_text("utf-8")
exec(compile(text, "printed.py", "exec", optimize=0), space)
found = doctest.DocTestParser().get_doctest(space["__doc__"], space, "printed", None, 0)
assert len(found.examples) == 1
assert doctest.DocTestRunner().run(found).failed == 0
given = np.load("given.npz")
made = space["net_grad"](*[given[f"arr_{i}"] for i in range(6)])
np.savez("made.npz", *made)
"""


def test_the_text_runs_without_anabranch(tmp_path: Path) -> None:
    arguments = net_arguments()
    (tmp_path / "printed.py").write_text(GRADIENT.to_numba(*arguments), "utf-8")
    np.savez(tmp_path / "given.npz", *arguments)
    options = [sys.executable, "-W", "error", "-c", OUTSIDE]
    ran = subprocess.run(options, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    value, gradients = GRADIENT(*arguments)
    with np.load(tmp_path / "made.npz") as made:
        for number, expected in enumerate([value, *gradients]):
            np.testing.assert_allclose(made[f"arr_{number}"], expected, rtol=1e-12)


PRINTING = """
import sys
import numpy as np
import anabranch
f = anabranch.grad(lambda x: np.sum(np.sin(x)))
f(np.ones(3))
assert "np.cos" in f.to_numba()
assert "np.cos" in f.to_numba(np.ones((2, 2)))
assert not [name for name in sys.modules if name.partition(".")[0] == "numba"]
"""


def test_printing_needs_no_numba() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PRINTING], cwd=ROOT, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_the_text_is_of_the_newest_kind_or_of_the_arguments() -> None:
    f = anabranch.jit(lambda x: x + 1)
    f(np.ones(3))
    f(np.ones(5))
    assert "range(5)" in f.to_numba()
    assert "range(3)" in f.to_numba(np.ones(3))


def test_arrays_that_are_captured_are_arguments() -> None:
    weights = np.arange(3.0)
    text = anabranch.jit(lambda x: x * weights).to_numba(np.ones(3))
    space: dict[str, Any] = {}
    exec(text, space)
    [name] = [n for n in space if n.startswith("lambda")]
    np.testing.assert_array_equal(space[name].py_func(np.ones(3), weights), weights)


def test_names_become_identifiers_without_clashes() -> None:
    names = "a.b a_b a.b.0 np range for i j chain f x.bar".split()
    inputs = ", ".join(f"%{name}: f64[2,3]" for name in names)
    nodes, total = [], names[0]
    for number, name in enumerate(names[1:]):
        nodes.append(f"%t.{number} = chain(%{total}, %{name}) : f64[2,3]")
        total = f"t.{number}"
    graph = parse(
        f"graph f({inputs}) {{\n" + "\n".join(nodes) + f"\nreturn %{total}\n}}"
    )
    text = print_function(optimise(graph, "numba"))
    assert len(set(text.parameters)) == len(names)
    arrays = [np.full((2, 3), 1.0 + number / 8) for number in range(len(names))]
    [made] = run(graph, *arrays)
    np.testing.assert_array_equal(made, interpret(graph, arrays)[0])


def test_more_axes_than_python_nests_loops() -> None:
    sizes = (2,) * 17
    x = np.arange(2.0**17).reshape(sizes)
    turned = anabranch.jit(lambda x: np.transpose(x) * 2, backend="numba")
    np.testing.assert_array_equal(turned(x), np.transpose(x) * 2)


def test_results_share_no_memory() -> None:
    """Neither with arguments nor with each other, whatever views they are."""

    def views(x: Any) -> Any:
        y = x * 2
        return x, x.T, x[1:], y, y.reshape(6), y.reshape(2, 3, 1), y, x.reshape(6)

    x = np.arange(6.0).reshape(2, 3)
    x.flags.writeable = False
    results = anabranch.jit(views, backend="numba")(x)
    for made, expected in zip(results, views(x), strict=True):
        np.testing.assert_array_equal(made, expected)
        assert made.flags.c_contiguous
        assert made.flags.writeable
        made[...] = -1.0
        assert not np.shares_memory(made, x)
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))
    for number, one in enumerate(results):
        assert not any(np.shares_memory(one, other) for other in results[:number])


def pick_two(x: Any, i: Any, j: Any) -> Any:
    first = x[i]
    return first + x[j]


def test_a_check_raises_at_the_users_line() -> None:
    """Each of two checks with one message, and the next call is as good as ever."""
    chosen = anabranch.jit(pick_two, backend="numba")
    x, good, bad = np.arange(3.0), np.array([0, 2]), np.array([0, 3])
    with pytest.raises(BoundsError) as one:
        chosen(x, bad, good)
    with pytest.raises(BoundsError) as other:
        chosen(x, good, bad)
    assert "first = x[i]" in str(one.value)
    assert "return first + x[j]" in str(other.value)
    np.testing.assert_array_equal(chosen(x, good, good), [0.0, 4.0])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions are cut after every few lines."""
    monkeypatch.setattr(parts, "LENGTH", 4)


@pytest.mark.usefixtures("short")
def test_a_long_function_is_printed_in_parts() -> None:
    """With checks, scalars, loops and results that go from part to part."""

    def loss(w: Any, x: Any, i: Any) -> Any:
        total = np.sum(w * w)
        y = np.tanh(x @ w) * total
        for _ in range(300):
            y = y * 0.99 + np.sin(y[i]) * np.sqrt(total)
            total = total + np.sum(y) / 300
        return np.sum(y / total) + total, x

    arguments = [*net_arguments()[:1], np.ones((2, 5)), np.array([1, 0])]
    options: Any = {"has_aux": True}
    printed = anabranch.value_and_grad(loss, backend="numba", **options)
    expected = anabranch.value_and_grad(loss, **options)(*arguments)
    (value, aux), bar = printed(*arguments)
    assert printed.to_numba().count("\ndef _") > 5
    np.testing.assert_allclose(value, expected[0][0], rtol=1e-12)
    np.testing.assert_allclose(bar, expected[1], rtol=1e-10)
    assert not np.shares_memory(aux, arguments[1])
    with pytest.raises(BoundsError, match=r"np\.sin\(y\[i\]\)"):
        printed(*arguments[:2], np.array([1, 2]))


def test_a_failure_to_compile_names_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(p: printer.Printer, node: Any, x: Any, *, axis: int) -> Any:
        return p.new(p.name(node), node.type, "np.cos('a')")

    monkeypatch.setitem(printer.PRINTERS, "argmax", broken)
    graph = parse(
        "graph f(%x: f64[3]) {\n%i = argmax(%x) {axis=0} : i64[]\nreturn %i\n}"
    )
    with pytest.raises(AssertionError, match=r"cannot compile f\n%i = argmax\(%x\)"):
        run(graph, np.ones(3))


def turned(x: Any) -> Any:
    """Two transforms and a function of SciPy's in a loop that stays one."""
    for _ in range(300):
        z = np.fft.fft(x)
        x = np.fft.ifft(z / (1 + abs(z) ** 2)).real + 0.1 * special.jv(1.5, x + 2)
    return x


def test_loops_of_ufuncs_in_a_loop() -> None:
    x = np.linspace(0.1, 1, 4)
    made = anabranch.jit(turned, backend="numba")
    np.testing.assert_allclose(made(x), turned(x), rtol=1e-12)
    loss = anabranch.value_and_grad(lambda x: turned(x).sum(), backend="numba")
    expected = anabranch.value_and_grad(lambda x: turned(x).sum())(x)
    for one, other in zip(loss(x), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_loops_of_ufuncs_in_code_of_ones_own() -> None:
    """Rows, one number for all, none at all; and no GIL, for Numba runs it so."""

    def called(x: Any) -> Any:
        return np.fft.rfft(x), special.jv(1.5, x), special.jv(0.5, x[0, 0])

    text = anabranch.jit(called).to_numba(np.ones((3, 4)))
    space: dict[str, Any] = {}
    exec(text, space)
    assert "objmode" not in text
    printed = space["called"]
    users = njit(nogil=True)(lambda x: printed(x + 1))
    x = np.linspace(0.1, 1, 12).reshape(3, 4)
    for one, other in zip(users(x), called(x + 1), strict=True):
        np.testing.assert_array_equal(one, other)
    empty = anabranch.jit(lambda x: np.fft.fft(special.jv(1.0, x)), backend="numba")
    assert empty(np.ones((0, 4))).shape == (0, 4)


def test_loops_are_found_as_the_text_finds_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is laid out in another way is called, and the text says so."""
    space: dict[str, Any] = {"ctypes": ctypes}
    exec(INNER_LOOP, space)
    for ufunc, types in ((special.jv, "dd->d"), (np.matmul, "ff->f")):
        ours, theirs = inner_loop(ufunc, types), space["inner_loop"](ufunc, types)
        assert address_of(ours[0]) == address_of(theirs[0])
        assert ours[1] == theirs[1]
    native = address_of(inner_loop(special.jv, "dd->d")[0])
    monkeypatch.setattr(ufuncs, "_record", lambda *_: None)
    ufuncs.loop_of.cache_clear()
    assert address_of(inner_loop(special.jv, "dd->d")[0]) != native
    ufuncs.loop_of.cache_clear()
    with pytest.raises(ImportError, match="in another way"):
        space["inner_loop"](Moved(), "dd->d")


class Moved:
    """Which does not begin as a ufunc does."""

    nin, nout, nargs = 1, 1, 2


def address_of(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """And no warning, which would be an error here: products of views are copied."""

    def products(x: Any) -> Any:
        return x[:, ::2] @ x[::2], x.T[1:] @ x.T[:, :3], np.sum(x) ** 2

    x = np.arange(24.0).reshape(4, 6)[:, :4].copy()
    made = anabranch.jit(products, backend="numba")(x)
    for one, expected in zip(made, products(x), strict=True):
        np.testing.assert_allclose(one, expected)
    assert capfd.readouterr() == ("", "")


def test_threads_compile_and_call_at_once() -> None:
    results: dict[int, Any] = {}
    f = anabranch.grad(lambda x: np.sum(np.cos(x) * x), backend="numba")

    def work(number: int) -> None:
        x = np.arange(3.0 + number % 2) + number
        results[number] = np.array_equal(f(x), f(x)), f(x), np.cos(x) - x * np.sin(x)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(threads)
    for same, made, expected in results.values():
        assert same
        np.testing.assert_allclose(made, expected, rtol=1e-12)


FORKING = """
import os, threading, warnings
import numpy as np
import anabranch
warnings.simplefilter("ignore", DeprecationWarning)  # Python's, about forks of threads
f = anabranch.jit(lambda x: np.sum(np.tanh(x)), backend="numba")
f(np.ones(1))
thread = threading.Thread(target=lambda: f(np.ones((2, 2))))
thread.start()
child = os.fork()
if child == 0:
    f(np.ones((3, 3, 3)))
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a POSIX matter")
def test_a_child_of_a_fork_compiles() -> None:
    """Although another thread was compiling, whose lock no one in the child has."""
    ran = subprocess.run([sys.executable, "-c", FORKING], cwd=ROOT, timeout=300)
    assert ran.returncode == 0


def test_helpers_come_after_those_that_they_call() -> None:
    assert helpers_of("x = chain_both(a, b)  # not cosine(x)") == [
        "chain",
        "chain_both",
    ]
    for name in HELPERS:
        for called in helpers_of(HELPERS[name].partition("\n")[2]):
            assert called != name


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name[0] in "fiu"])
def test_functions_are_found_for_each_dtype(dtype: str) -> None:
    found = {find_function(name, dtype) for name in ("absolute", "fmod", "power")}
    assert len(found) == 3
    if dtype[0] != "f":
        assert all(name in HELPERS for name in found)


def test_the_docstring_shows_every_kind_of_argument() -> None:
    graph = parse(
        "graph f(%x: f64[], %i: i64[2], %b: bool[1,2], %s: f32[2,2], %c: u8[]) {\n"
        "return %x, %x, %i\n}"
    )
    text = print_module(optimise(graph, "numba"))
    space: dict[str, Any] = {}
    exec(compile(text, "f.py", "exec", optimize=0), space)
    parsed = doctest.DocTestParser().get_doctest(space["__doc__"], space, "f", None, 0)
    assert len(parsed.examples) == 1
    assert doctest.DocTestRunner().run(parsed).failed == 0


def test_the_backend_describes_itself() -> None:
    f = anabranch.jit(lambda x: np.exp(x) + 1, backend="numba")
    f(np.ones(2))
    assert f.inspect_source() == f.to_numba()
    assert f.inspect_ir("plan") == f.inspect_ir("optimised")
    [(_, origin)] = f.report().kernels
    assert origin == "compiled: by Numba"


def test_a_helper_is_compiled_once_for_all_literals() -> None:
    for number in (3, 4):
        f = anabranch.jit(lambda n, by=number: n // by, backend="numba")
        assert f(-17) == -17 // number
    for helper in helpers_of(f.to_numba()):
        for known in helper_space()[helper].signatures:
            assert known == tuple(map(unliteral, known)), helper


def test_comments_import_nothing() -> None:
    """They show the user's lines, which may speak of any module."""

    def function(x: Any) -> Any:
        return np.cos(x)  # special.erf, math.pi, scipy_linalg.expm

    found = anabranch.jit(function).to_numba(np.ones(3))
    imports = [line for line in found.splitlines() if "import" in line.split()[:3]]
    assert "special.erf" in found
    assert imports == ["import numpy as np", "from numba import njit"]
