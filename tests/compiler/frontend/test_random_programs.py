"""Random programs of branches, loops, stores and views: as Python, or refused."""

from __future__ import annotations

import copy
import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.frontend import control, loops

SIZE = 4
INPUTS = [np.random.default_rng(seed).normal(size=SIZE) for seed in range(4)]


class Program:
    """A function of one array, written at random.

    ``a``, ``b`` and ``c`` are arrays, ``c`` at first a view of ``a``; ``m`` is a matrix
    and ``row`` a row of it; ``s`` and ``t`` are numbers, ``n`` is a count that is
    known. ``late`` may have no value.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.budget = 24
        self.loops, self.branches = 0, 0
        start = [
            "    a = x.copy()",
            "    b = np.zeros(4)",
            "    c = a[1:]",
            "    m = np.outer(x, x)",
            "    row = m[1]",
            "    s, t, n = x[0], 0.5, 1",
            "    kept = []",
        ]
        end = "    return a, b, c, m, row, s, t, n, np.array(kept)"
        body = self.block(1, in_loop=False)
        self.text = "\n".join(
            ["import math", "import numpy as np", "def f(x):", *start, *body, end, ""]
        )

    def pick(self, *choices: Any) -> Any:
        return self.rng.choice(choices)

    def index(self) -> str:
        forms = "i{} % 4", "i{}", "3 - i{}", "i{} - 1", "i{} + 1", "-1 - i{}"
        counters = [form.format(k) for k in range(self.loops) for form in forms]
        return self.pick("0", "1", "-1", "n % 4", *counters)

    def row(self) -> str:
        return self.pick("row", f"m[{self.index()}]")

    def number(self, depth: int = 0) -> str:
        if depth > 2 or self.rng.random() < 0.4:
            item = (
                *(f"a[{self.index()}]", f"b[{self.index()}]", "c[0]"),
                *(f"m[{self.index()}, {self.index()}]", f"np.sum({self.row()})"),
            )
            return self.pick("s", "t", "0.25", "1", *item)
        one, other = self.number(depth + 1), self.number(depth + 1)
        return self.pick(
            f"({one} + {other})",
            f"({one} - {other})",
            f"np.tanh({one} * {other})",
            f"math.sin({one})",
            f"max({one}, {other})",
            f"({one} if {self.test()} else {other})",
        )

    def test(self) -> str:
        one, other = self.pick("s", "t", "a[0]", "b[1]", "c[1]"), self.pick("0", "t")
        plain = f"{one} > {other}"
        return self.pick(
            plain, plain, f"not {plain}", f"0 < {one} < 1 or {plain}", f"n and {plain}"
        )

    def array(self) -> str:
        full = "np.full(4, s + 0.0)"
        parts = "a * 0.5", "b + a", "np.sin(a)", full, "x", "b * t"
        return self.pick(*parts, f"a + {self.row()}", f"m[:, {self.index()}] * 0.5")

    def block(self, depth: int, in_loop: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(self.rng.randint(1, 3)):
            self.budget -= 1
            lines += self.statement(depth, in_loop)
        return lines

    def statement(self, depth: int, in_loop: bool) -> list[str]:
        pad = "    " * depth
        if self.budget > 0 and depth < 5 and self.rng.random() < 0.45:
            return self.compound(depth, pad, in_loop)
        if in_loop and self.rng.random() < 0.15:
            return [
                f"{pad}if {self.test()}:",
                f"{pad}    {self.pick('break', 'continue')}",
            ]
        name = self.pick("a", "b", "c")
        plain = [
            f"{self.pick('s', 't')} = {self.number()}",
            f"{self.pick('s', 't')} += {self.number()}",
            f"{self.pick('a', 'b')}[{self.index()}] = {self.number()}",
            f"{name}[1:3] *= {self.number()}",
            f"{name} += {self.number()}",
            f"{self.pick('a', 'b')}[:2] = a[2:]",
            f"{self.pick('a', 'b')} = {self.array()}",
            f"c = {self.pick('a', 'b')}[1:]",
            "a, b = b, a",
            "s, t = t, s",
            "late = s * 2",
            f"m[{self.index()}, {self.index()}] += {self.number()}",
            f"m[{self.index()}, 1:] = {self.pick('a[1:]', 'b[:-1]', 't')}",
            f"m[{self.index()}] = np.tanh({self.array()})",
            f"row = m[{self.index()}]",
            f"row[1:] *= {self.number()}",
            f"a[{self.span()}] = b[{self.span()}]",
        ]
        if not self.branches:
            plain += [f"kept.append({self.number()})"] * 2
        if not in_loop:
            plain += ["n += 1", "n = n * 2 % 5"]
        return [pad + self.rng.choice(plain)]

    def span(self) -> str:
        starts = ["0", "1", *(f"i{k}" for k in range(self.loops))]
        start = self.pick(*starts)
        return f"{start}:{start} + 2"

    def head(self, counter: str) -> str:
        """What a loop goes over, with its counter."""
        inner = [f"range(i{self.loops - 1} + 1)"] if self.loops else []
        ranges = "range(2)", "range(3)", "range(1, 3)", "range(2, -1, -1)"
        number = self.pick(*ranges, *inner)
        if self.rng.random() < 0.6:
            return f"for {counter} in {number}:"
        return self.pick(
            f"for {counter}, t in enumerate(a[:3]):",
            f"for {counter}, row in enumerate(m[:2]):",
            f"for {counter}, (s, t) in enumerate(zip(b[1:], x)):",
            f"for {counter} in reversed(range(3)):",
            f"for {counter}, late in zip(range(3), x[::-1]):",
        )

    def compound(self, depth: int, pad: str, in_loop: bool) -> list[str]:
        kind = self.rng.random()
        if kind < 0.35:
            counter = f"i{self.loops}"
            head = self.head(counter)
            self.loops += 1
            body = self.block(depth + 1, in_loop=True)
            self.loops -= 1
            lines = [f"{pad}{head}", *body]
            if self.rng.random() < 0.2:
                lines += [f"{pad}else:", *self.block(depth + 1, in_loop)]
            return lines
        self.branches += 1
        lines = [f"{pad}if {self.test()}:", *self.block(depth + 1, in_loop)]
        if kind < 0.45:
            lines.append(f"{pad}    return s, a")
        if self.rng.random() < 0.5:
            lines += [f"{pad}else:", *self.block(depth + 1, in_loop)]
        self.branches -= 1
        return lines


def written(folder: Path, text: str, seed: int) -> Callable[..., Any]:
    """The function, which has a source."""
    path = folder / f"program_{seed}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f


def outcome(folder: Path, seed: int) -> str:
    """``right``, ``loop`` if a loop is one node, or ``refused``, or an error in Python.

    Anything else is an assertion that shows the text.
    """
    program = Program(seed)
    f = written(folder, program.text, seed)
    compiled = anabranch.jit(f, backend="reference")
    for x in INPUTS:
        plain, ours = copy.deepcopy(x), copy.deepcopy(x)
        try:
            with np.errstate(all="ignore"):
                expected = f(plain)
        except (IndexError, ValueError, UnboundLocalError) as error:
            with pytest.raises((type(error), anabranch.TraceError)):
                compiled(ours)
            return "error"
        try:
            made = compiled(ours)
        except anabranch.TraceError:
            return "refused"
        except Exception as error:
            raise AssertionError(program.text) from error
        assert len(made) == len(expected), program.text
        for one, other in zip(made, expected, strict=True):
            np.testing.assert_allclose(
                one, other, rtol=1e-9, atol=1e-9, err_msg=program.text
            )
        np.testing.assert_allclose(ours, plain, err_msg=program.text)
    return "loop" if "= loop(" in compiled.inspect_ir("forward") else "right"


def check_gradient(folder: Path, seed: int, forced: Callable[[], None]) -> bool:
    """Whether there is a gradient, with loops as nodes that of all written out."""
    program = Program(seed)
    f = written(folder, program.text, seed)

    def loss(x: Any) -> Any:
        made = [np.sum(value * np.cos(k + 1.0)) for k, value in enumerate(f(x))]
        return sum(made)

    unrolled = anabranch.grad(loss, backend="reference")
    try:
        with np.errstate(all="ignore"):
            expected = [unrolled(x) for x in INPUTS]
    except (anabranch.AnabranchError, IndexError, ValueError, UnboundLocalError):
        return False
    forced()
    for backend in ("llvm", "reference"):
        compiled = anabranch.grad(loss, backend=backend)
        for x, wanted in zip(INPUTS, expected, strict=True):
            try:
                with np.errstate(all="ignore"):
                    found = compiled(x)
            except anabranch.TraceError:
                return False
            scale = max(1.0, float(np.max(np.abs(wanted))))
            np.testing.assert_allclose(
                *(found / scale, wanted / scale),
                *(1e-9, 1e-9),
                err_msg=f"{backend}, seed {seed}\n{program.text}",
            )
    return True


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What has loops be nodes from then on."""

    def forced() -> None:
        for module in (control, loops):
            monkeypatch.setattr(module, "MIN_TRIPS", 2)
        monkeypatch.setattr(loops, "MIN_NODES", 0)

    return forced


def check_outcomes(folder: Path, seeds: range, loops: bool) -> None:
    found = [outcome(folder, seed) for seed in seeds]
    assert found.count("right") + found.count("loop") > len(found) // 4
    if loops:
        assert found.count("loop") > len(found) // 20


@pytest.mark.parametrize("seed", range(4))
def test_random_programs(tmp_path, seed):
    check_outcomes(tmp_path, range(1000 * seed, 1000 * seed + 25), loops=False)


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("seed", range(4))
def test_random_programs_with_loops_as_nodes(tmp_path, seed):
    check_outcomes(tmp_path, range(1000 * seed, 1000 * seed + 25), loops=True)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(4, 44))
def test_many_random_programs(tmp_path, seed):
    check_outcomes(tmp_path, range(1000 * seed, 1000 * seed + 75), loops=False)


@pytest.mark.fuzz
@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("seed", range(4, 44))
def test_many_random_programs_with_loops_as_nodes(tmp_path, seed):
    check_outcomes(tmp_path, range(1000 * seed, 1000 * seed + 75), loops=True)


def check_gradients(
    folder: Path,
    seeds: range,
    forced: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[bool] = []
    for seed in seeds:
        monkeypatch.setattr(control, "MIN_TRIPS", 10**9)
        found.append(check_gradient(folder, seed, forced))
    assert sum(found) > len(found) // 5


@pytest.mark.parametrize("first", [0, 1000, 6025, 42020])
def test_random_gradients(tmp_path, first, force, monkeypatch):
    check_gradients(tmp_path, range(first, first + 12), force, monkeypatch)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(4, 44))
def test_many_random_gradients(tmp_path, seed, force, monkeypatch):
    seeds = range(1000 * seed, 1000 * seed + 75)
    check_gradients(tmp_path, seeds, force, monkeypatch)
