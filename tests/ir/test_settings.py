"""Environment variables: what is not allowed is said once, and then ignored."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm import machine
from anabranch.backends.llvm.engine.cache import find_cache
from anabranch.backends.llvm.machine import MAX_TASKS
from anabranch.compiler import pipeline
from anabranch.compiler.pipeline import run_passes
from anabranch.ir import settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not complained yet."""
    monkeypatch.setattr(settings, "_complaints", set())
    settings._look_for_misspelt.cache_clear()


GRAPH = anabranch.make_ir(lambda x: x + x)(np.ones(2))
WRONG = {
    "ANABRANCH_THREADS": ["abc", "0", "-1", "2.5", "²", "1" * 5000],
    "ANABRANCH_CACHE": ["on", "1", "OFF", "kernels"],
    "ANABRANCH_DEBUG": ["yes", "2"],
    "ANABRANCH_DUMP": ["nopass", "fold,nopass", "fold fuse"],
    "ANABRANCH_TRACEBACK": ["long", "Full"],
}


def read() -> None:
    """Read every variable."""
    machine.current()
    find_cache()
    run_passes(GRAPH, ["prune"])
    anabranch.jit(lambda x: x + 1)(np.ones(2))
    fail()


def fail() -> None:
    """Have an error that leaves the library."""
    with suppress(ZeroDivisionError):
        anabranch.jit(lambda: 1 / 0)()


def read_twice() -> None:
    read()
    read()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]]
)
def test_wrong_values_are_named_once(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        monkeypatch.setenv(name, value)
    except UnicodeEncodeError:
        pytest.skip("the environment of this locale has no such letter")
    with pytest.warns(RuntimeWarning, match=f"^{name}='.*is ignored: it is ") as told:
        read_twice()
    assert len(told) == 1
    assert value in str(told[0].message)


def test_wrong_values_count_as_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in WRONG:
        monkeypatch.delenv(name, raising=False)
    usual = machine.current().threads, find_cache()
    for name, values in WRONG.items():
        monkeypatch.setenv(name, values[0])
    with pytest.warns(RuntimeWarning):
        read()
    assert (machine.current().threads, find_cache()) == usual
    assert capsys.readouterr().err == ""


RIGHT = {
    "ANABRANCH_THREADS": ["", "1", " 3 ", str(MAX_TASKS)],
    "ANABRANCH_CACHE": ["", "0", "off", "./here", "/there"],
    "ANABRANCH_DEBUG": ["", "0", "1"],
    "ANABRANCH_DUMP": ["", "prune", "fold, fuse", "all", "fold,"],
    "ANABRANCH_TRACEBACK": ["", "short", "full"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in RIGHT for value in RIGHT[name]]
)
def test_right_values_pass_in_silence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        machine.current()
        find_cache()
        run_passes(GRAPH, ["prune"])
        fail()


def test_the_passes_that_are_asked_for_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANABRANCH_DUMP", "dedupe, fuse")
    run_passes(GRAPH, ["prune", "dedupe"])
    shown = capsys.readouterr().err
    assert "# after dedupe" in shown
    assert "# after prune" not in shown


def test_a_pass_that_breaks_a_graph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = anabranch.make_ir(lambda x: np.sum(x))(np.ones(2))

    def broken(graph: anabranch.Graph) -> anabranch.Graph:
        wrong = anabranch.spec("f64[7]")
        return graph.with_nodes(
            [
                node if node.op == "input" else node._replace(type=wrong)
                for node in graph
            ]
        )

    monkeypatch.setitem(pipeline.PASSES, "prune", broken)
    run_passes(graph, ["prune"])
    monkeypatch.setenv("ANABRANCH_DEBUG", "1")
    with pytest.raises(anabranch.VerifyError) as caught:
        run_passes(graph, ["prune"])
    assert "after the pass prune" in caught.value.__notes__[0]


def test_more_threads_than_tasks_are_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANABRANCH_THREADS", "20000")
    with pytest.warns(RuntimeWarning, match=f"20000 means {MAX_TASKS}"):
        assert machine.current().threads == MAX_TASKS
    monkeypatch.setenv("ANABRANCH_THREADS", str(MAX_TASKS))
    assert machine.current().threads == MAX_TASKS
    monkeypatch.delenv("ANABRANCH_THREADS")
    monkeypatch.setattr(machine, "_cores", lambda: 100)
    assert machine.current().threads == MAX_TASKS


def test_misspelt_names_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_THREAD", "2")
    with pytest.warns(RuntimeWarning, match="ANABRANCH_THREAD is ignored") as told:
        read()
    assert "ANABRANCH_THREADS" in str(told[0].message)


def test_every_variable_that_is_read_is_known() -> None:
    """No part of the library reads the environment behind the back of `settings`."""
    with pytest.raises(ValueError, match="missing in VARIABLES"):
        settings.setting("ANABRANCH_OTHER", "", str)
    top = Path(settings.__file__).parents[1]
    for folder in ("ir", "compiler", "backends"):
        for file in (top / folder).rglob("*.py"):
            text = file.read_text("utf-8")
            behind = 'environ.get("ANABRANCH_' in text or 'environ["ANABRANCH_' in text
            assert not behind, file
