"""The fixture that compares texts with files."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_an_equal_text_passes_and_another_fails(golden, tmp_path):
    here = dataclasses.replace(golden, folder=tmp_path, update=False)
    (tmp_path / "net.txt").write_text("one\ntwo\n", encoding="utf-8")
    here.check("net", "one\ntwo\n")
    with pytest.raises(AssertionError):
        here.check("net", "one\nthree\n")


def test_a_missing_file_fails_and_says_what_to_do(golden, tmp_path):
    here = dataclasses.replace(golden, folder=tmp_path, update=False)
    with pytest.raises(pytest.fail.Exception, match=r"net\.txt.*--update-golden"):
        here.check("net", "text\n")


def test_updating_writes_the_file(golden, tmp_path):
    dataclasses.replace(golden, folder=tmp_path, update=True).check("net", "new Σ\n")
    assert (tmp_path / "net.txt").read_text(encoding="utf-8") == "new Σ\n"


def test_updating_is_refused_where_ci_is_set():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--update-golden", "--collect-only", __file__],
        cwd=ROOT,
        env={**os.environ, "CI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--update-golden" in run.stderr
