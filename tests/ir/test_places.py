"""An op is told in one place, and the command that shows where finds all of it."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from anabranch.ir import OPS
from anabranch.ir.ops import Kind
from anabranch.ir.ops.__main__ import main
from anabranch.ir.ops.places import ROOT, places


@cache
def count_of_lines(file: str) -> int:
    return len((ROOT / file).read_text("utf-8").splitlines())


@pytest.mark.parametrize("op", OPS)
def test_nothing_about_an_op_is_missing(op: str) -> None:
    """And places are lines that exist."""
    found = places(op)
    for fact, where in found.items():
        for place in where:
            file, _, line = place.rpartition(":")
            if file:
                assert 1 <= int(line) <= count_of_lines(file), (fact, place)
    found.pop("docs")  # which speak of NumPy's functions
    if op in ("input", "const"):
        found.pop("lowering")
    assert [fact for fact, where in found.items() if not where] == []


def test_a_record_is_found_at_its_statement() -> None:
    [take] = places("take")["record"]
    file, _, line = take.rpartition(":")
    assert file == "ir/ops/index.py"
    statement = (ROOT / file).read_text("utf-8").splitlines()[int(line) - 1 :]
    assert statement[0] == "TAKE = register("


def test_an_emitter_is_found_where_it_is_defined() -> None:
    from anabranch.backends.llvm.emit import index

    file, _, line = places("take")["llvm"][0].rpartition(":")
    source, first = inspect.getsourcelines(index.take)
    start = next(i for i, text in enumerate(source) if text.startswith("def take"))
    assert file == "backends/llvm/emit/index.py"
    assert int(line) == first + start


def test_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert places("reduce_max")["docs"] == []
    assert main(["reduce_max"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "reduce_max (reduction)"
    assert lines[-1].split() == ["docs", "missing"]


def test_command_lists_the_ops_for_an_unknown_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["tak"]) == 2
    out = capsys.readouterr().out
    assert "no op is called tak" in out
    assert " take " in out


def test_command_runs_where_only_the_library_is(tmp_path: Path) -> None:
    """As in an installed wheel: its folders below one package, no tests, no docs."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "anabranch", site / "anabranch", symlinks=False)
    command = [sys.executable, "-m", "anabranch.ir.ops", "take"]
    out = subprocess.run(
        command, cwd=site, check=True, capture_output=True, text=True
    ).stdout
    rows = [line.split(maxsplit=1) for line in out.splitlines()[1:]]
    found = dict(row for row in rows if len(row) == 2)
    assert found["record"].startswith("ir/ops/index.py:")
    assert found["llvm"].startswith("backends/llvm/emit/index.py:")
    missing = [fact for fact, where in found.items() if where == "not installed"]
    assert missing == ["samples", "oracle", "tangent"]


def test_kinds_say_what_the_records_have() -> None:
    for name, op in OPS.items():
        assert (op.kind is Kind.SOURCE) == (op.arity == 0), name
        if op.kind is Kind.VIEW:
            assert op.arity == 1, name
        if op.combine is not None:
            combining = OPS[op.combine.op]
            assert (combining.kind, combining.arity) == (Kind.ELEMENTWISE, 2), name
        if op.slope_of is not None:
            assert name == f"{op.slope_of}_slope", name
