"""Hostile command lines: one line on the error stream, an exit status, no escapes."""

from __future__ import annotations

import os
import re
import sys

import pytest

from anabranch import cli

MODEL = """
import numpy as np
import anabranch

def f(x):
    return np.sum(x * x)

def two(w, x):
    return np.sum(np.tanh(x @ w))

def red(x):
    y = np.exp(x)  # \x1b[31m \x1b]0;title\x07 \u202e \u200f
    return np.sum(y)

def wrong(x):
    return undefined

def boom(x):
    raise RuntimeError("bo\\x1b[31mom\\nand more")

number = 3
compiled = anabranch.jit(f)
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a command line where the models are; its status, output and errors."""
    (tmp_path / "m.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "absent.py").write_text("import nothing_is_called_this\n")
    (tmp_path / "raises.py").write_text("raise ValueError('a\\nb')\n")
    (tmp_path / "text.npy").write_text("junk")
    (tmp_path / "folder.npy").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["anabranch", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run


REFUSED = {
    "no command": "bogus",
    "no such option": "ir m.py:f --frobnicate",
    "no such stage": "ir m.py:f -a f64[3] --stage x",
    "no such backend": "run m.py:f -a f64[3] --backend x",
    "negative seed": "run m.py:f -a f64[3] --seed -1",
    "seed is no number": "run m.py:f -a f64[3] --seed x",
    "too large an integer": "run m.py:f -a 18446744073709551616",
    "too small an integer": "ir m.py:f -a=-9223372036854775809",
    "too many digits": f"ir m.py:f -a {'9' * 5000}",
    "too large a float": "ir m.py:f -a 9e999",
    "symbolic size": "ir m.py:f -a f64[B]",
    "too large a type": "ir m.py:f -a f64[99999999999,99999999999]",
    "no such dtype": "ir m.py:f -a f16[3]",
    "neither type nor number": "run m.py:f -a True",
    "escapes in a type": "ir m.py:f -a \x1b[31mf64[3]",
    "no such array": "ir m.py:f -a absent.npy",
    "no array": "ir m.py:f -a text.npy",
    "a folder": "ir m.py:f -a folder.npy",
    "no argument": "run m.py:f",
    "too many arguments": "run m.py:f -a 1 -a 2",
    "no function in the name": "run m.py -a 1",
    "no such function": "run m.py:nothing -a 1",
    "no function": "run m.py:number -a 1",
    "no such file": "ir \x1b[31m.py:f",
    "a folder as a model": "ir .:f",
    "no Python": "ir text.npy:f",
    "wrong syntax": "ir syntax.py:f -a 1",
    "a null byte": "ir nul.py:f -a 1",
    "one word too many": "cache info x",
}
FAILING = {
    "absent.py:1: ModuleNotFoundError": "ir absent.py:f -a 1",
    "raises.py:1: ValueError: a b": "ir raises.py:f -a 1",
    "m.py:16: NameError": "run m.py:wrong -a f64[3]",
    r"m.py:19: RuntimeError: bo\x1b[31mom and more": "ir m.py:boom -a f64[3]",
}


def assert_one_line(err: str) -> None:
    assert re.fullmatch(r"error: [^\n]+\n", err)
    assert err.removesuffix("\n").isprintable()


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED.keys())
def test_a_command_line_that_is_refused(run, line):
    status, out, err = run(*line.split(" "))
    assert (status, out) == (2, "")
    assert_one_line(err)


@pytest.mark.parametrize(("what", "line"), FAILING.items())
def test_a_model_that_fails_is_named_with_its_line(run, what, line):
    status, _, err = run(*line.split(" "))
    assert status == 1
    assert what in err
    assert_one_line(err)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_no_argument(run):
    """Opening one would wait for somebody to write into it."""
    os.mkfifo("pipe.npy")
    status, _, err = run("ir", "m.py:f", "-a", "pipe.npy")
    assert status == 2
    assert "not a regular file" in err


@pytest.mark.parametrize("extra", [["--annotate"], ["--dot"], ["--stage", "adjoint"]])
def test_what_is_printed_has_no_control_characters(run, extra):
    status, out, _ = run("ir", "m.py:red", "-a", "f64[3]", *extra)
    assert status == 0
    assert all(line.replace("\t", " ").isprintable() for line in out.split("\n"))
    if "--annotate" in extra:
        assert r"\x1b[31m \x1b]0;title\x07 \u202e \u200f" in out


def test_escaping_keeps_what_is_to_be_read():
    assert cli.escaped("Σ été\tx\ny") == "Σ été\tx\ny"
    assert cli.escaped("\r\x9b\u2066\ufeff") == r"\r\x9b\u2066\ufeff"


def test_the_gradient_is_that_of_the_first_argument(run):
    """In the graph as in what is run: `value_and_grad`'s."""
    arguments = ["m.py:two", "-a", "f64[3,3]", "-a", "f64[2,3]"]
    for option in (["--grad"], ["--stage", "adjoint"]):
        _, out, _ = run("ir", *arguments, *option)
        assert re.search(r"return %\S+, (?:\S+=)?%w\.bar\n", out)
        assert "%x.bar" not in out
    status, out, _ = run("run", *arguments, "--grad", "--backend", "reference")
    assert status == 0
    assert out.count("float64[3, 3]") == 1
    assert "float64[2, 3]" not in out


def test_the_gradient_of_a_compiled_function(run):
    _, out, _ = run("ir", "m.py:compiled", "-a", "f64[3]", "--grad")
    assert "%x.bar" in out


def test_numbers_and_files_are_arguments():
    assert cli.read_argument("-9223372036854775808") == -(2**63)
    assert cli.read_argument("0.5") == 0.5
    assert cli.read_argument("inf") == float("inf")
    assert isinstance(cli.read_argument("3"), int)
