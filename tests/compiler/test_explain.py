"""What `explain` and `report` say of loops, branches, stores and tapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.tracing import notes

X = np.array([0.5, -1.0, 2.0])
W = np.eye(3) * 0.5
XS = np.ones((700, 3))


def line_of(function: Any, text: str) -> int:
    """The number of the line of a function that holds a text."""
    first = function.__code__.co_firstlineno
    lines = Path(__file__).read_text("utf-8").splitlines()
    return next(n for n in range(first, len(lines)) if text in lines[n - 1])


def told(function: Any, *args: Any) -> dict[int, list[str]]:
    """The texts of the notes by line, for lines of this file."""
    found: dict[int, list[str]] = {}
    for note in anabranch.explain(function)(*args).notes:
        assert note.source.file == __file__
        found.setdefault(note.source.line, []).append(note.text)
    return found


def recurrent(w, xs):
    h, s = np.zeros(3), 0.0
    for t in range(len(xs)):
        h = np.tanh(w @ h + xs[t])
        for _ in range(2):
            h = np.sin(h) * np.cos(h) + 0.5
            h = np.sin(h) * np.cos(h) + 0.5
            h = np.sin(h) * np.cos(h) + 0.5
        h = np.tanh(np.tanh(np.tanh(np.tanh(h)))) * np.exp(np.exp(-h))
        if h[0] > 0:
            s += np.sum(h * h)
    return s


def test_loops_kept_and_unrolled():
    found = told(recurrent, W, XS)
    kept = found[line_of(recurrent, "for t in")]
    assert kept == ["kept as one loop of 700 turns"]
    (inner,) = found[line_of(recurrent, "for _ in")]
    assert inner.startswith("unrolled: 2 turns, ")
    assert inner.endswith(" nodes; loops of fewer than 10 turns do")
    (branch,) = found[line_of(recurrent, "if h[0]")]
    assert branch == "branch: both ways are traced, and one runs"


def test_a_loop_that_was_tried_says_why_it_unrolls():
    def function(x):
        for i in range(120):
            x = np.append(x, i)
        return x

    (text,) = told(function, X).values()
    assert text[0].startswith("unrolled: 120 turns, ")


def test_what_a_failed_trial_noted_is_dropped(monkeypatch: pytest.MonkeyPatch):
    def function(x):
        for i in range(120):
            if x[0] > 0:
                x = x + 1.0
            x = x[: 3 - (i == 7)]
        return x

    (loop, branch) = sorted(anabranch.explain(function)(X).notes)
    assert (loop.kind, branch.kind) == ("unrolled", "branch")
    assert (loop.turns, branch.times) == (120, 120)


def test_while_loops():
    def function(x, n):
        while n.ndim < 1:
            n = n[None]
        s = x.sum()
        k = 3
        while k > 0:
            k -= 1
            s = s * 0.5
        while s > 1e-3:
            s = s / 2
        return s

    found = told(function, X, np.float64(1.0))
    texts = [found[line_of(function, text)][0] for text in ("n.ndim", "k > 0", "s > ")]
    assert texts[1].startswith("unrolled: 3 turns, ")
    assert texts[2] == "kept as one loop that runs as long as its condition holds"


def as_it_is(x):
    return locals()["x"] * 2


def test_branches_stores_and_plain_python():
    def function(x):
        y = np.zeros(3)
        y[0] = 1.0
        y[1] = x[0]
        y += 1
        if x.ndim == 1:
            y = y * 2 if x[1] > 0 else y
        for name in ("a", "b"):
            str(name)
        return as_it_is(y)

    found = told(function, X)
    kinds = {
        "y[0]": "plain Python: a store of known values",
        "y[1]": "store: the array has a new value after it",
        "y += 1": "store: the array has a new value after it",
        "x.ndim": "plain Python: the condition is known",
        "x[1]": "branch: both ways are traced, and one runs",
        "for name": "plain Python: nothing is traced",
    }
    expected = {line_of(function, k): [text] for k, text in kinds.items()}
    line = as_it_is.__code__.co_firstlineno
    expected[line] = ["plain Python: as_it_is was not rewritten: it calls locals()"]
    assert found == expected
    assert told(as_it_is, X) == {line: expected[line]}


def test_what_is_refused():
    def function(x):
        for i in range(3):
            x = x + i
        found = []
        if x[0] > 100:
            found.append(x)
        return found

    found = told(function, X)
    (text,) = found[line_of(function, "if x[0]")]
    assert text.startswith("refused: a list is changed in one branch")
    assert len(found) == 2


def test_a_branch_that_raises():
    def function(x):
        if x[0] > 100:
            raise ValueError("too large")
        return x

    (texts,) = told(function, X).values()
    assert "check: raises ValueError when the function runs" in texts


def test_the_text_is_the_source_with_notes():
    text = str(anabranch.explain(recurrent)(W, XS))
    assert text == repr(anabranch.explain(recurrent)(W, XS))
    lines = text.splitlines()
    assert lines[0] == "test_explain.py"
    first = recurrent.__code__.co_firstlineno
    assert lines[1] == f"{first:>5}  def recurrent(w, xs):"
    assert "# kept as one loop of 700 turns" in lines[3]
    assert lines[3].lstrip().startswith(f"{first + 2}      for t in range(len(xs)):")
    assert len(lines) == 2 + line_of(recurrent, "return s") - first


def outer(x):
    return inner(x) + inner(2 * x)


def inner(x):
    for _ in range(3):
        x = x * 0.5 + 1.0
    return x


def test_functions_that_are_called_are_shown_and_notes_counted():
    found = anabranch.explain(outer)(X)
    (note,) = found.notes
    assert (note.turns, note.times) == (3, 2)
    assert f"3 turns, {note.nodes} nodes, 2 times" in note.text
    assert "def outer" in str(found)
    assert "def inner" in str(found)
    jitted = anabranch.jit(inner)
    (again,) = anabranch.explain(lambda x: jitted(x) + 1.0)(X).notes
    assert again._replace(nodes=0) == note._replace(nodes=0, times=1)


def test_explaining_keeps_nothing_and_takes_types():
    compiled = anabranch.jit(outer)
    found = anabranch.explain(compiled)(anabranch.spec("f64[3]"))
    assert compiled.compile_count == 0
    assert len(found.notes) == 1
    assert anabranch.explain(anabranch.grad(lambda x: outer(x).sum()))(X).notes


def test_reports_have_the_loops_and_the_tapes():
    compiled = anabranch.value_and_grad(recurrent)
    compiled(W, XS)
    report = compiled.report()
    line = line_of(recurrent, "for t in")
    told = f"test_explain.py:{line}: for t in range(len(xs))"
    assert f"{told}  # kept as one loop of 700 turns" in report.loops
    assert len(report.loops) == 2
    assert report.tapes
    for text in report.tapes:
        assert text.startswith("test_explain.py:")
        assert " of each of 700 turns, " in text
    assert all(text in str(report) for text in (*report.loops, *report.tapes))
    forward = anabranch.jit(recurrent)
    forward(W, XS)
    assert not forward.report().tapes


def test_bytes_and_readers_of_a_tape():
    def loss(x, s0):
        def step(s, x):
            return np.sin(s), None

        return anabranch.scan(step, s0, x)[0]

    compiled = anabranch.grad(loss, 1)
    compiled(np.ones(50), 0.5)
    (tape,) = compiled.report().tapes
    assert "of each of 50 turns, 400 bytes, for cos" in tape
    assert "def step(s, x)" in tape


def test_only_loops_are_noted_when_nobody_asks(monkeypatch: pytest.MonkeyPatch):
    added: list[notes.Note] = []
    monkeypatch.setattr(notes.Notes, "add", lambda self, note: added.append(note))
    anabranch.jit(recurrent)(W, XS)
    assert {note.kind for note in added} <= {"loop", "unrolled"}
    assert added
