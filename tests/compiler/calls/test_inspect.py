"""What a compiled function shows: kernels under headings that agree with the plan."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import llvmlite.binding as llvm
import numpy as np
import pytest

import anabranch
from anabranch.ir.graph import MAX_SHOWN_NODES

HERE = Path(__file__).name


def loss(w, x):
    h = np.tanh(x @ w)
    h = np.tanh(h @ w)
    return np.mean(h * h)


@pytest.fixture(scope="module")
def compiled() -> anabranch.Compiled:
    made = anabranch.value_and_grad(loss)
    made(np.eye(3), np.ones((3, 3)))
    return made


def headings(text: str, comment: str = "#") -> list[tuple[str, list[str], list[int]]]:
    """The label, the user's lines and the steps of each kernel, in order."""
    found: list[tuple[str, list[str], list[int]]] = []
    for line in text.splitlines():
        if head := re.fullmatch(rf"{comment} kernel (\d+), (\S+), steps? (.*)", line):
            assert int(head[1]) == len(found)
            found.append((head[2], [], [int(n) for n in re.findall(r"\d+", head[3])]))
        elif line.startswith(f"{comment}   "):
            found[-1][1].append(line.removeprefix(f"{comment}   "))
    return found


def test_kernels_are_numbered_as_in_the_report_and_in_the_plan(compiled) -> None:
    shown = headings(compiled.inspect_source())
    report = compiled.report()
    assert [label for label, _, _ in shown] == [label for label, _ in report.kernels]
    plan = re.findall(
        r"^ +(\d+)  (\S+) +kernel (\d+)", compiled.inspect_ir("plan"), re.M
    )
    assert len(plan) == report.steps
    for number, (label, _, steps) in enumerate(shown):
        expected = [int(step) for step, _, kernel in plan if int(kernel) == number]
        assert steps == expected
        assert label == plan[expected[0]][1]


def test_a_kernel_has_the_lines_of_all_its_nodes(compiled) -> None:
    graph = anabranch.parse(compiled.inspect_ir())
    nodes = compiled._newest().optimised("llvm").nodes
    for label, lines, _ in headings(compiled.inspect_source()):
        if not label.startswith("k"):
            continue
        members = [node for node in graph if node.kernel == int(label[1:])]
        sources = {nodes[node.name].source for node in members}
        assert set(lines) == {source.brief for source in sources if source}
    first = loss.__code__.co_firstlineno
    products = headings(compiled.inspect_source())[0][1]
    assert products[:2] == [
        f"{HERE}:{first + 1}: h = np.tanh(x @ w)",
        f"{HERE}:{first + 2}: h = np.tanh(h @ w)",
    ]


def test_the_source_is_what_was_compiled(compiled) -> None:
    text = compiled.inspect_source()
    code = [line for line in text.splitlines() if not line.startswith("#")]
    sources = "\n".join(compiled._newest().runner("llvm").sources)
    assert [line for line in code if line] == [s for s in sources.splitlines() if s]


def test_the_assembly_of_llvm_is_each_kernels(compiled) -> None:
    text = compiled.inspect_llvm()
    kernels = compiled.report().kernels
    assert headings(text, ";") == headings(compiled.inspect_source())
    parts = re.split(r"^; kernel .*$", text, flags=re.M)[1:]
    assert len(parts) == len(kernels)
    for part in parts:
        functions = [f.name for f in llvm.parse_assembly(part).functions]
        assert sum(name.startswith("kernel_") for name in functions) == 1


def test_machine_code_has_the_same_kernels_in_the_same_order(compiled) -> None:
    symbols = re.findall(r"define i64 @(kernel_\w+)", compiled.inspect_llvm())
    text = compiled.inspect_asm()
    assert headings(text) == headings(compiled.inspect_source())
    assert re.findall(r"^_?(kernel_\w+):", text, re.M) == symbols
    assert re.search(r"^\s+ret", text, re.M)


def test_many_steps_and_lines_are_counted() -> None:
    def same(w, x):
        for _ in range(12):
            x = np.tanh(x @ w)
        return x

    compiled = anabranch.jit(same)
    compiled(np.eye(3), np.ones((3, 3)))
    assert re.search(
        r"^# kernel 0, \w+, steps (\d+, ){8}and 4 more$",
        compiled.inspect_source(),
        re.M,
    )


def test_the_newest_kind_is_shown() -> None:
    compiled = anabranch.jit(lambda x: np.tanh(x))
    compiled(np.ones(3))
    assert "f64_pointer" in compiled.inspect_source()
    compiled(np.ones(3, np.float32))
    assert "f32_pointer" in compiled.inspect_source()
    assert "f64_pointer" not in compiled.inspect_source()


METHODS = ["inspect_ir", "inspect_source", "inspect_llvm", "inspect_asm", "report"]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_shown_before_the_first_call(method: str, backend: str) -> None:
    with pytest.raises(anabranch.ArgumentError, match="call the function first"):
        getattr(anabranch.jit(loss, backend=backend), method)()


@pytest.mark.parametrize("method", ["inspect_llvm", "inspect_asm"])
def test_a_backend_without_machine_code_says_so(method: str) -> None:
    made = anabranch.jit(loss, backend="reference")
    made(np.eye(3), np.ones((3, 3)))
    assert made.inspect_source() == ""
    with pytest.raises(anabranch.ArgumentError, match="the reference backend makes no"):
        getattr(made, method)()


def test_a_report_at_a_prompt_is_its_text(compiled, backend: str) -> None:
    report = compiled.report()
    assert repr(report) == str(report)
    assert repr(report).splitlines()[0].startswith("loss.grad: ")
    made: Any = anabranch.jit(loss, backend=backend)
    made(np.eye(3), np.ones((3, 3)))
    assert repr(made.report()).splitlines()[0].startswith("loss: ")


def test_a_notebook_shows_a_graph_as_its_picture() -> None:
    graph = anabranch.make_ir(anabranch.grad(loss))(np.eye(3), np.ones((3, 3)))
    picture = graph._repr_svg_()
    assert picture is not None
    assert picture == graph.to_svg()
    assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_a_graph_too_large_to_look_at_has_no_picture() -> None:
    def chain(x):
        return functools.reduce(lambda y, _: np.tanh(y), range(MAX_SHOWN_NODES), x)

    assert anabranch.make_ir(chain)(1.0)._repr_svg_() is None


def test_kernels_of_a_loops_body_have_headings() -> None:
    """Where the graph around has no fused kernel of that number."""

    def steps(w: Any) -> Any:
        return anabranch.fori_loop(0, 3, lambda _, h: np.tanh(h @ w), w)

    compiled = anabranch.jit(steps)
    compiled(np.ones((20, 20)))
    assert "np.tanh(h @ w)" in compiled.inspect_source()
