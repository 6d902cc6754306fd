"""`saved_residuals`: the values that a gradient keeps, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch import GradientError, saved_residuals, spec

W, X = np.eye(4), np.ones((5, 4))


def deep(ws: Any, x: Any) -> Any:
    for w in ws:
        x = np.tanh(x @ w)
    return np.sum(x)


def test_rows_are_the_residuals_of_the_two_halves() -> None:
    forward, _ = ab.fwd_and_bwd(deep)
    _, residuals = forward([W, W], X)
    rows = saved_residuals(deep)([W, W], X)
    assert {row.name: row.nbytes for row in rows} == {
        name: array.nbytes for name, array in residuals.items()
    }
    assert rows.nbytes == sum(array.nbytes for array in residuals.values())
    assert all(row.kept for row in rows)
    for row in rows:
        assert row.formula == "*".join(map(str, (8, *row.shape)))
        assert row.source is not None
        assert row.source.file == __file__
    assert [row.nbytes for row in rows] == sorted(
        (r.nbytes for r in rows), reverse=True
    )
    reads = {row.name: row.why for row in rows}
    assert reads["x"] == "an argument, for transpose"
    types = saved_residuals(deep)([spec("f64[4,4]")] * 2, spec("f64[5,4]"))
    assert types == rows


def test_what_is_computed_again_is_told_with_its_reason() -> None:
    def checked(ws: Any, x: Any) -> Any:
        return deep(
            ws[2:], ab.checkpoint(lambda x: np.tanh(np.tanh(x @ ws[0]) @ ws[1]))(x)
        )

    rows = saved_residuals(checked)([W] * 4, X)
    again = [row for row in rows if not row.kept]
    assert {row.why for row in again} == {
        "checkpoint, for tanh_slope",
        "checkpoint, for transpose, tanh_slope",
    }
    plain = saved_residuals(deep)([W] * 4, X)
    assert rows.nbytes < plain.nbytes == sum(row.nbytes for row in plain)

    limited = saved_residuals(deep, memory_limit=plain.nbytes // 2)([W] * 4, X)
    assert limited.nbytes <= plain.nbytes // 2
    whys = [row.why for row in limited if not row.kept]
    assert whys
    assert all(why.startswith("memory_limit, for ") for why in whys)


def test_rows_of_loops_and_the_table() -> None:
    def looped(w: Any, x: Any) -> Any:
        return np.sum(ab.fori_loop(0, 300, lambda t, x: np.tanh(x @ w), x))

    rows = saved_residuals(looped, argnums=(0, 1))(W, X)
    stacked = [row for row in rows if row.shape[:1] == (300,)]
    assert stacked
    for row in stacked:
        assert row.formula.startswith("8*300*5*4")
        assert "of each of 300 turns, for " in row.why
    lines = str(rows).splitlines()
    assert lines[0].split() == ["value", "bytes", "line", "why"]
    assert lines[-1] == f"{len(rows)} kept, {rows.nbytes:,} bytes; 0 computed again"
    assert f"{stacked[0].nbytes:,}" in str(rows) == repr(rows)
    table = str(saved_residuals(deep)([W] * 6, X))
    assert " like it" in table
    assert len(table.splitlines()) < len(saved_residuals(deep)([W] * 6, X))
    small = saved_residuals(lambda x: np.sum(np.where(x > 0, x, 0) ** 2))
    formulas = [row.formula for row in small(X.astype(np.float32))]
    assert all(one in ("1*5*4", "4*5*4") for one in formulas)


def test_what_loops_compute_again() -> None:
    """In segments, in loops, and in checkpoints of turns: bytes, lines, and why."""

    def turned(w: Any, x: Any, turns: Any) -> Any:
        for _ in turns(range(900)):
            x = np.tanh(x @ w)
        return np.sum(x)

    def nested(w: Any, x: Any) -> Any:
        for _ in range(20):
            for _ in range(300):
                x = np.tanh(x @ w)
            x = np.sin(x)
        return np.sum(x)

    def checked(w: Any, x: Any) -> Any:
        layer = ab.checkpoint(lambda x: np.tanh(np.sin(x @ w)))
        for _ in range(900):
            x = layer(x)
        return np.sum(x)

    def segments(w: Any, x: Any) -> Any:
        return turned(w, x, lambda turns: ab.checkpointed(turns, 300))

    def few(w: Any, x: Any) -> Any:
        return turned(w, x, lambda turns: ab.checkpointed(turns, memory=20))

    inner = nested.__code__.co_firstlineno + 3
    for f, rows, why, line in (
        (segments, 300, "checkpointed, %", 0),
        (nested, 300, "a loop in a loop, %", inner),
        (checked, 0, "checkpoint, for ", 0),
        (few, 0, "checkpointed, for ", 0),
    ):
        table = saved_residuals(f)(W, X)
        again = [row for row in table if not row.kept and row.why.startswith(why)]
        assert again, f
        assert {row.shape[-2:] for row in again} <= {(5, 4), (4, 5)}
        slopes = [row for row in again if row.why.endswith("for tanh_slope")]
        assert slopes
        for row in slopes:
            assert row.formula == ("8*300*5*4" if rows else "8*5*4")
            assert row.source is not None
            assert row.source.file == __file__
            assert not line or row.source.line == line
    kept = saved_residuals(few)(W, X)
    states = [row for row in kept if row.kept and row.shape[1:] == (5, 4)]
    assert [row.shape[0] for row in states] == [13]
    plain = saved_residuals(lambda w, x: turned(w, x, lambda t: t))(W, X)
    assert kept.nbytes < plain.nbytes / 10


def test_what_is_refused() -> None:
    with pytest.raises(GradientError, match="only floats"):
        saved_residuals(lambda x: x > 0)(X)
