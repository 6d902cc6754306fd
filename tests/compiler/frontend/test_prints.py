"""What traced functions print and log, and what they say about it."""

from __future__ import annotations

import logging
import re
import warnings
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import grad, jit

X = np.array([1.0, 2.0, 3.0])
RAN = "while the function was traced, when arrays have no values"


def test_what_is_known_is_printed_as_python_does(capsys: Any) -> None:
    def program(x):
        print("shape", x.shape, np.zeros(2), sep="|", end=".\n")
        for i in range(3):
            print(f"{i:02d}", end=" ")
        return np.sum(x)

    assert jit(program)(X) == 6
    assert capsys.readouterr().out == "shape|(3,)|[0. 0.].\n00 01 02 "


def test_values_that_are_not_known_are_shown_by_type_and_name(capsys: Any) -> None:
    def program(x, n):
        total = np.sum(x) * n
        print("total", total, [x], {"n": n})
        print(f"{n}: {total:.3f} {total!r}", "%d%% %5.2f" % (n, total))  # noqa: UP031
        print("{:.3f} {t:e}".format(total, t=total), "n = " + str(n))  # noqa: UP032
        print("%(n)d: %(total)g" % {"n": n, "total": total})  # noqa: UP031
        print(total.item())
        return total

    compiled = jit(program)
    with pytest.warns(RuntimeWarning, match=RAN) as found:
        assert compiled(X, 2) == 12
    lines = re.sub(r"%[\w.]+", "%_", capsys.readouterr().out).splitlines()
    total, n = "<traced f64[] %_>", "<traced i64[] %_>"
    assert lines == [
        f"total {total} [<traced f64[3] %_>] {{'n': {n}}}",
        f"{n}: {total} {total} {n}% {total}",
        f"{total} {total} n = {n}",
        f"{n}: {total}",
        total,
    ]
    first = program.__code__.co_firstlineno
    places = [(warning.filename, warning.lineno) for warning in found]
    assert places == [(__file__, first + 2 + i) for i in range(5)]
    assert compiled(X, 3) == 18  # nobody asked for the number
    assert compiled.compile_count == 1
    assert capsys.readouterr().out == ""


def test_a_loop_that_prints_is_kept_and_prints_once(capsys: Any) -> None:
    def program(x):
        for i in range(1000):
            x = np.sin(x) * 1.01
            if i % 100 == 0:
                print("step", i)
            print("turn")
        return np.sum(x)

    compiled = jit(program)
    with pytest.warns(RuntimeWarning, match=RAN):
        compiled(X)
    assert len(compiled.report().loops) == 1
    assert "kept as one loop of 1,000 turns" in str(compiled.report().loops[0])
    assert capsys.readouterr().out == "step <traced i64[] %t>\nturn\n"


def test_a_loop_that_unrolls_prints_what_python_does(capsys: Any) -> None:
    """What the trial printed is not there."""

    def program(x):
        kept = {}
        for i in range(40):
            for _ in range(40):
                x = np.sin(x)
            kept[f"{i}"] = x
            print("turn", i)
        return kept["39"]

    compiled = jit(program)
    compiled(X)
    assert "unrolled" in str(compiled.report().loops[-1])
    assert capsys.readouterr().out == "".join(f"turn {i}\n" for i in range(40))


def test_branches_print_both_ways(capsys: Any) -> None:
    def program(x):
        if x > 1:
            print("large")
            if x > 2:
                print("very")
        else:
            print("small")
        while x > 1:
            print("halved")
            x = x / 2
        return x

    with pytest.warns(RuntimeWarning, match=RAN):
        assert grad(program)(3.0) == 0.25
    assert capsys.readouterr().out == "large\nvery\nsmall\nhalved\n"


def test_a_branch_that_fails_prints_before_it_does(capsys: Any) -> None:
    def program(x):
        if x > 1:
            print("here")
            return undefined  # type: ignore[name-defined]  # noqa: F821
        return x

    with pytest.warns(RuntimeWarning, match=RAN), pytest.raises(NameError):
        jit(program)(3.0)
    assert capsys.readouterr().out == "here\n"


def test_logging_takes_what_print_does(caplog: Any) -> None:
    log = logging.getLogger("tests.prints")

    def program(x):
        log.warning("loss %5.2f of %s", x, "x")
        if x > 1:
            log.error(f"{x:.3f}")
            logging.warning("large")
        return x * 2

    with pytest.warns(RuntimeWarning, match=RAN):
        assert jit(program)(3.0) == 6
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    text = "<traced f64[] %x>"
    assert found == [
        ("WARNING", f"loss {text} of x"),
        ("ERROR", text),
        ("WARNING", "large"),
    ]


def test_a_function_named_print_is_what_it_is() -> None:
    def program(x):
        def print(a, b):
            return a * b

        return print(x, "".join(["3"]).count("3") + 1)

    assert jit(program)(3.0) == 6


def test_a_line_in_an_unrolled_loop_is_warned_of_once(capsys: Any) -> None:
    def program(x):
        for i in range(4):
            x = x * 2
            print(i, x)
        return x

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        jit(program)(1.0)
    assert len(found) == 1
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_explain_names_what_is_printed(capsys: Any) -> None:
    def program(x):
        print(x)
        return x

    with pytest.warns(RuntimeWarning, match=RAN):
        note = anabranch.explain(program)(1.0).notes[0]
    assert note.text == (
        "printed while the function is traced, when arrays have no values"
    )
