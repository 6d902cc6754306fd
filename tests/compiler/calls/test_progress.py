"""The live line of a long first call: on a terminal only, and gone at the end."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anabranch import grad, jit
from anabranch.compiler.calls import progress
from anabranch.compiler.calls.progress import ERASE, shown

X = np.linspace(-1.0, 1.0, 5)


class Terminal(io.StringIO):
    """A terminal that tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=made))
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    return made


def test_a_long_trace_shows_stage_nodes_and_line(terminal: Terminal) -> None:
    def function(x: Any) -> Any:
        x = np.tanh(x)
        for _ in range(2):  # the first look may have been before that line
            terminal.written.clear()
            assert terminal.written.wait(60)
        return x

    np.testing.assert_array_equal(jit(function)(X), np.tanh(X))
    lines = terminal.getvalue().split(ERASE)
    start = "anabranch: tracing function: 2 nodes, at test_progress.py:"
    assert any(line.startswith(start) for line in lines)
    assert max(map(len, lines)) < 80
    assert terminal.getvalue().endswith(ERASE)


def test_the_outermost_work_is_shown(terminal: Terminal) -> None:
    def inner(x: Any) -> Any:
        assert terminal.written.wait(60)
        return x * 2.0

    jit(lambda x: jit(inner)(x))(X)
    assert "tracing lambda" in terminal.getvalue()
    assert "tracing inner" not in terminal.getvalue()


def test_an_error_ends_the_line_and_the_thread(terminal: Terminal) -> None:
    before = threading.active_count()

    def function(x: Any) -> Any:
        assert terminal.written.wait(60)
        raise KeyError("the user's")

    for _ in range(2):
        terminal.written.clear()
        with pytest.raises(KeyError):
            grad(function)(X)
        assert terminal.getvalue().endswith(ERASE)
    assert threading.active_count() == before


def test_what_cannot_be_told_or_written_harms_nothing(terminal: Terminal) -> None:
    def detail() -> str:
        terminal.close()
        raise RuntimeError("changed size during iteration")

    with shown("work", detail):
        pass
    with shown("work", detail):  # on a stream that is closed
        pass


def test_nothing_is_written_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    before = threading.active_count()

    def function(x: Any) -> Any:
        assert threading.active_count() == before
        return np.tanh(x)

    jit(function)(X)
    assert capfd.readouterr().err == ""


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=made))
    monkeypatch.setattr(progress, "PATIENCE", 3600.0)
    jit(lambda x: np.tanh(x))(X)
    assert made.getvalue() == ""
