"""Random loops over arrays whose sizes follow from the counter: as Python.

With loops as nodes values are Python's, and gradients those of the loops written out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.frontend import control
from tests.compiler.frontend.test_random_programs import INPUTS, force, written

N = 5
UP, DOWN, ALL, FEW = "i + 1", "5 - i", "5", "i"  # how long axes are; i is from 0 to 4
LENGTHS = (UP, UP, DOWN, DOWN, ALL, FEW)
AXES = {
    UP: (":i + 1", "i::-1", "4 - i:", "-1 - i:"),
    DOWN: ("i:", ":5 - i", "i:5"),
    ALL: (":", "::-1"),
    FEW: (":i", "5 - i:", "1:i + 1"),
}
Shape = tuple[str, ...]

__all__ = ["force"]


class Ragged:
    """A function of one array of 4, whose loop is written at random.

    ``m`` is a matrix and ``v`` a vector of the function, ``s`` a number; other names
    are of a turn, and ``shapes`` has what axes they have.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.shapes: dict[str, Shape] = {}
        self.made = 0
        body: list[str] = []
        for _ in range(self.rng.randint(3, 7)):
            body += self.statement("        ", 0)
        text = [
            "import numpy as np",
            "def f(x):",
            "    m = np.sin(np.outer(np.arange(1.0, 6.0), np.append(x, 0.3)))",
            "    v, s = np.append(0.2, x), x[0]",
            f"    for i in {self.pick('range(5)', 'range(5)', 'reversed(range(5))')}:",
            *body,
            "    return m, v, s",
            "",
        ]
        self.text = "\n".join(text)

    def pick(self, *choices: Any) -> Any:
        return self.rng.choice(choices)

    def axis(self, length: str) -> str:
        return self.pick(*AXES[length])

    def known(self, shape: Shape) -> list[str]:
        return [name for name, own in self.shapes.items() if own == shape]

    def shape(self) -> Shape:
        """That of a name of the turn, or a new one."""
        if self.shapes and self.rng.random() < 0.6:
            return self.rng.choice(list(self.shapes.values()))
        return tuple(self.pick(*LENGTHS) for _ in range(self.pick(1, 1, 2)))

    def leaf(self, shape: Shape) -> str:
        """A slice, a name or a new array of a shape."""
        if (names := self.known(shape)) and self.rng.random() < 0.6:
            return self.pick(*names)
        if len(shape) == 2:
            a, b = shape
            one = f"m[{self.axis(a)}, {self.axis(b)}]"
            return self.pick(one, one, f"m[{self.axis(b)}, {self.axis(a)}].T")
        (a,) = shape
        vector = f"v[{self.axis(a)}]"
        size = "5" if a == ALL else f"({a})"
        new = f"(np.arange({size}) * 0.2)", f"np.ones({size})", f"np.full({size}, s)"
        row = f"m[{self.pick('i', '2', '-1')}, {self.axis(a)}]"
        return self.pick(row, f"m[{self.axis(a)}, {self.pick('i', '0')}]", vector, *new)

    def number(self, depth: int) -> str:
        if depth > 1 or self.rng.random() < 0.3:
            return self.pick("s", "0.5", "m[i, i]", "v[i]")
        shape = self.shape()
        one = self.array(shape, depth + 1)
        some = [f"np.sum({one})", f"np.tanh(np.sum({one}))", f"({one}).sum()"]
        if FEW not in shape:
            some += [f"np.max({one})", f"np.mean({one})", f"({one}).min()"]
            some += [f"np.linalg.norm({one} + 2.0)"]
        if len(shape) == 1:
            some.append(f"(({one}) @ ({self.array(shape, depth + 1)}))")
        return self.pick(*some)

    def array(self, shape: Shape, depth: int) -> str:
        """An expression of a shape."""
        if depth > 2 or self.rng.random() < 0.25:
            return self.leaf(shape)
        one = self.array(shape, depth + 1)
        forms = [
            lambda: (
                f"({one} {self.pick('+', '-', '*')} {self.array(shape, depth + 1)})"
            ),
            lambda: f"({one} * {self.number(depth + 1)})",
            lambda: f"np.tanh({one})",
            lambda: f"({one}).copy()",
            lambda: f"np.exp(-({one}) ** 2)",
            lambda: f"np.where({one} > 0.1, {one}, {self.leaf(shape)})",
            lambda: self.product(shape, depth + 1),
            lambda: self.product(shape, depth + 1),
            lambda: self.stretched(shape, depth + 1),
        ]
        return self.pick(*forms)()

    def product(self, shape: Shape, depth: int) -> str:
        inner = self.pick(*LENGTHS)
        if len(shape) == 2 and self.rng.random() < 0.4:
            a, b = shape
            return f"np.outer({self.array((a,), depth)}, {self.array((b,), depth)})"
        if len(shape) == 2:
            a, b = shape
            return f"({self.leaf((a, inner))} @ {self.array((inner, b), depth)} * 0.3)"
        (a,) = shape
        one, other = self.array((inner,), depth), self.array((a, inner), depth)
        turned = self.array((inner, a), depth)
        return self.pick(f"({other} @ {one} * 0.3)", f"({one} @ {turned} * 0.3)")

    def stretched(self, shape: Shape, depth: int) -> str:
        """What is as large by broadcasting, or a sum over another axis."""
        if len(shape) == 2:
            a, b = shape
            column, row = self.array((a,), depth), self.array((b,), depth)
            return self.pick(
                f"({self.leaf(shape)} * {row})",
                f"({self.leaf(shape)} + ({column})[:, None])",
            )
        (a,) = shape
        other = self.pick(UP, DOWN, ALL)
        how = self.pick("sum", "sum", "max", "mean")
        return self.pick(
            f"np.{how}({self.array((a, other), depth)}, axis=1)",
            f"np.{how}({self.array((other, a), depth)}, axis=0)",
        )

    def statement(self, pad: str, depth: int) -> list[str]:
        shape = self.shape()
        names = [n for n, own in self.shapes.items() if FEW not in own]
        kind = self.rng.random()
        if kind < 0.35 or not names:
            if depth:
                return [f"{pad}s = np.tanh(s + {self.number(0)})"]
            value = self.array(shape, 0)
            self.made += 1
            self.shapes[f"r{self.made}"] = shape
            return [f"{pad}r{self.made} = {value}"]
        name = self.pick(*names)
        own = self.shapes[name]
        zeros = ", ".join("0" for _ in own)
        if kind < 0.5:
            index = ", ".join(self.axis(length) for length in shape)
            target = f"m[{index}]" if len(shape) == 2 else f"v[{index}]"
            how = self.pick("=", "+=", "-=", "*=")
            return [f"{pad}{target} {how} np.tanh({self.array(shape, 0)})"]
        if kind < 0.7:
            return [
                self.pick(
                    f"{pad}{name}[{zeros}] = {self.number(0)}",
                    f"{pad}{name}[...] = {self.array(own, 1)}",
                    f"{pad}{name}[::-1] = {self.array(own, 1)}",
                    f"{pad}{name} += {self.array(own, 1)}",
                    f"{pad}{name} *= {self.number(1)}",
                )
            ]
        if kind < 0.8 and depth < 2:
            return [
                f"{pad}if s > {self.pick('0', '0.3')}:",
                *self.statement(pad + "    ", depth + 1),
            ]
        if kind < 0.95 and depth < 1:
            index = "j, 0" if len(own) == 2 else "j"
            return [
                f"{pad}for j in range(len({name})):",
                f"{pad}    {name}[{index}] {self.pick('=', '+=')} {self.number(1)}",
                f"{pad}    s = np.tanh(s + {name}[{index}] * 0.5)",
            ]
        return [f"{pad}s = np.tanh(s + {self.number(0)})"]


def check(folder: Path, seed: int, forced: Callable[[], None]) -> bool:
    """Whether the loop is a node, with the values and the gradient that it has."""
    program = Ragged(seed)
    f = written(folder, program.text, seed)

    def loss(x: Any) -> Any:
        return sum(np.sum(value * np.cos(k + 1.0)) for k, value in enumerate(f(x)))

    unrolled = anabranch.grad(loss, backend="reference")
    inputs = [x * 0.5 for x in INPUTS[:2]]
    gradients = [unrolled(x) for x in inputs]
    forced()
    found = True
    for backend in ("llvm", "reference"):
        compiled = anabranch.jit(f, backend=backend)
        gradient = anabranch.grad(loss, backend=backend)
        for x, wanted in zip(inputs, gradients, strict=True):
            pairs = [*zip(compiled(x), f(x), strict=True), (gradient(x), wanted)]
            for made, expected in pairs:
                scale = max(1.0, float(np.max(np.abs(expected))))
                np.testing.assert_allclose(
                    *(made / scale, expected / scale),
                    *(1e-9, 1e-9),
                    err_msg=f"{backend}, seed {seed}\n{program.text}",
                )
        found = found and "= loop(" in compiled.inspect_ir("forward")
    return found


def check_all(
    folder: Path, seeds: Sequence[int], force: Any, patch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    for seed in seeds:
        patch.setattr(control, "MIN_TRIPS", 10**9)
        kept.append(check(folder, seed, force))
    assert sum(kept) > 0.8 * len(kept)


@pytest.mark.parametrize("first", [0, 1000])
def test_random_loops(tmp_path, first, force, monkeypatch):
    check_all(tmp_path, range(first, first + 10), force, monkeypatch)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(2, 42))
def test_many_random_loops(tmp_path, seed, force, monkeypatch):
    check_all(tmp_path, range(1000 * seed, 1000 * seed + 50), force, monkeypatch)
