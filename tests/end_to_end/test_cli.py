"""The command line as a user runs it: help, graphs, results, times, docs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import timing
from anabranch.cli import UsageError, find_pages, main, read_argument

MODEL = """
import numpy as np

def loss(params, x):
    h = np.tanh(x @ params["w"])
    return np.mean(np.tanh(h @ params["w"]) ** 2)

def number(x):
    return 2 * x
"""
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Run:
    """What a command line prints that succeeds, where the model and its data are."""
    rng = np.random.default_rng(0)
    (tmp_path / "m.py").write_text(MODEL)
    np.savez(tmp_path / "params.npz", w=rng.normal(size=(3, 3)))
    np.save(tmp_path / "x.npy", rng.normal(size=(4, 3)))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["anabranch", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        return capsys.readouterr().out

    return run


DATA = ["m.py:loss", "-a", "params.npz", "-a", "x.npy"]


@pytest.mark.parametrize(
    "words", [[], ["ir"], ["run"], ["docs"], ["cache"], ["cache", "info"]]
)
def test_help_of_every_command(words, run):
    shown = run(*words, "--help")
    assert "Usage: anabranch " in shown
    assert "--help" in shown


def test_the_version_is_the_librarys(run):
    assert run("--version") == f"anabranch {anabranch.__version__}\n"


def test_it_runs_as_a_module():
    words = [sys.executable, "-m", "anabranch", "--version"]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert shown == f"anabranch {anabranch.__version__}\n"


def test_the_results_are_those_of_numpy(run, backend):
    names: dict[str, Any] = {}
    exec(MODEL, names)
    with np.load("params.npz") as params:
        expected = names["loss"](dict(params), np.load("x.npy"))
    shown = run("run", *DATA, "--grad", "--backend", backend)
    assert f" {expected:.6g}"[:8] in shown
    assert re.search(r"1\.w +│ float64\[3, 3\]", shown)


def test_the_times_are_of_the_first_call_and_of_steady_ones(run):
    shown = run("run", *DATA)
    assert re.search(r"^first call +\d+\.\d{3} s", shown, re.M)
    steady = r"^steady call +\d+\.\d us: the median of (\d+) more$"
    assert re.search(steady, shown, re.M)
    assert "second call" not in shown


def test_numbers_for_types_depend_on_the_seed_alone(run):
    def table(*words: str) -> str:
        shown = run("run", "m.py:number", "-a", "f64[2]", *words)
        return shown.partition("first call")[0]

    assert table() == table() == table("--seed", "0")
    assert table() != table("--seed", "1")


def test_a_graph_at_every_stage(run):
    forward = run("ir", *DATA)
    assert anabranch.parse(forward).as_text(version=True) == forward
    adjoint = run("ir", *DATA, "--stage", "adjoint")
    assert "= add_n(%params.w.bar.0, %params.w.bar.1)" in adjoint
    assert adjoint == run("ir", *DATA, "--grad")
    assert "@k0" in run("ir", *DATA, "--stage", "optimised")
    assert run("ir", *DATA, "--stage", "plan").startswith("plan loss: ")
    assert run("ir", *DATA, "--dot").startswith("digraph ")
    assert "m.py:5: h = np.tanh(x @ params" in run("ir", *DATA, "--annotate")


def test_what_a_model_prints_is_no_part_of_its_graph(run):
    Path("m.py").write_text(MODEL + "print('trained')\n")
    assert anabranch.parse(run("ir", *DATA)).name == "loss"


def test_the_pages_are_listed_and_printed(run):
    listed = run("docs").splitlines()
    assert [line.split()[0] for line in listed] == list(find_pages())
    for name, path in find_pages().items():
        assert run("docs", name) == path.read_text("utf-8")
        assert path.read_text("utf-8").startswith("# ")


@pytest.mark.parametrize(
    ("seconds", "called", "counted"),
    [(2**-20, 1002, 1000), (2**-7, 64, 62), (0.25, 3, 1), (8.0, 2, 1)],
)
def test_a_steady_call_is_a_median_after_two_to_warm_up(
    seconds, called, counted, monkeypatch
):
    """By a clock of its own: it stops after half a second, with one call at least."""
    now = [0.0]
    calls: list[float] = []

    def step() -> None:
        calls.append(now[0])
        now[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    found = timing.steady_call(step, [])
    monkeypatch.undo()
    assert found == (seconds, counted)
    assert len(calls) == called


def test_unreadable_files_are_usage_errors(tmp_path):
    np.savez(tmp_path / "objects.npz", w=np.array([{}], dtype=object))
    np.savez(tmp_path / "whole.npz", w=np.ones(3))
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npy").write_bytes(b"")
    for name in ("objects.npz", "cut.npz", "empty.npy", "absent.npy"):
        with pytest.raises(UsageError, match="cannot read"):
            read_argument(str(tmp_path / name))
    assert read_argument(str(tmp_path / "whole.npz"))["w"].shape == (3,)
