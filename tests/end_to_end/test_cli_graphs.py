"""The command line on the text of a graph."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from anabranch import cli, parse

NET = """
graph net(%w: f64[3,2], %x: f64[4,3], %n: i64[]) {
  %a = matmul(%x, %w)                : f64[4,2]
  %s = reduce_sum(%a) {axes=(0, 1)}  : f64[]
  return %s
}
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command line where the graphs are; its status, output and errors."""
    (tmp_path / "net.ir").write_text(NET)
    (tmp_path / "newer.ir").write_text("anabranch 2\nsomething new")
    (tmp_path / "binary.ir").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.ir").mkdir()
    np.save(tmp_path / "w.npy", np.ones((3, 2)))
    np.save(tmp_path / "x.npy", np.ones((4, 3)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["anabranch", *line.split()])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def values(out: str) -> str:
    return out[: out.index("first call")]


def test_it_runs_with_arrays(run, backend):
    status, out, _ = run(f"run net.ir -a w.npy -a x.npy -a 7 --backend {backend}")
    assert status == 0
    assert "24." in values(out)


def test_arguments_not_given_are_made_by_their_types_and_the_seed(run):
    outputs = [values(run(f"run net.ir {words} --seed 5")[1]) for words in ("", "")]
    given = run("run net.ir -a f64[3,2] -a f64[4,3] -a i64[] --seed 5")[1]
    other = run("run net.ir --seed 6")[1]
    assert outputs[0] == outputs[1] == values(given) != values(other)


def test_the_gradient_is_that_of_the_first_input(run):
    status, out, _ = run("run net.ir -a w.npy -a x.npy --grad")
    assert status == 0
    assert "[[4. 4.]" in out
    assert "float64[4, 3]" not in out


def test_what_ir_prints_is_a_file_to_run(run, tmp_path):
    status, out, _ = run("ir net.ir")
    assert status == 0
    assert out == f"anabranch 1\n{parse(NET)}"
    for name, words in (("adjoint", "--stage adjoint"), ("grad", "--grad")):
        _, text, _ = run(f"ir net.ir {words}")
        assert "%w.bar" in text
        (tmp_path / f"{name}.ir").write_text(text)
        status, out, _ = run(f"run {name}.ir -a w.npy -a x.npy")
        assert status == 0
        assert "[[4. 4.]" in out
    assert run("ir adjoint.ir --stage adjoint")[1] == text


@pytest.mark.parametrize(
    ("line", "status", "what"),
    [
        ("run absent.ir", 2, "no file 'absent.ir'"),
        ("run folder.ir", 2, "no file 'folder.ir'"),
        ("run binary.ir", 2, "cannot read 'binary.ir'"),
        ("run net.ir:net", 2, "error: 'net.ir' is not a Python file"),
        ("run net.ir -a 1 -a 1 -a 1 -a 1", 2, "too many positional arguments"),
        ("run newer.ir", 1, "ParseError: line 1 of IR text: the text is of version 2"),
        ("run net.ir -a f64[3,3]", 1, "w is f64[3,3], and the graph of net takes"),
    ],
)
def test_what_cannot_run_says_why(run, line, status, what):
    found, out, err = run(line)
    assert (found, out) == (status, "")
    assert what in err
