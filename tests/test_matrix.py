"""The rows of `make matrix` are what pyproject.toml and the workflow say."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests import matrix
from tests.matrix import Outcome, all_rows, chosen, count, declared_pythons, oldest

PROJECT = tomllib.loads(matrix.PYPROJECT.read_text("utf-8"))["project"]
ROWS = all_rows(declared_pythons(), "3.11")
WORKFLOW = matrix.ROOT / ".github" / "workflows" / "test.yml"


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    bounds = [line.partition(";")[0] for line in PROJECT["dependencies"]]
    assert all(re.fullmatch(r"\w+>=[\d.]+,<[\d.]+", bound) for bound in bounds)


@pytest.mark.parametrize("extra", matrix.EXTRAS)
def test_what_the_matrix_installs_has_a_lower_bound(extra: str) -> None:
    for requirement in PROJECT["optional-dependencies"][extra]:
        name, _, version = oldest(requirement).partition("==")
        assert requirement.startswith(f"{name}>={version.partition(';')[0]}")


def test_the_lowest_python_is_the_first_of_the_matrix() -> None:
    assert PROJECT["requires-python"] == f">={declared_pythons()[0]}"


def test_the_workflow_runs_each_python() -> None:
    text = WORKFLOW.read_text("utf-8")
    (minors,) = re.findall(r"minor: \[(.*)\]", text)
    assert [f"3.{minor}" for minor in re.findall(r"\d+", minors)] == declared_pythons()


def test_the_workflow_runs_every_other_row() -> None:
    text = WORKFLOW.read_text("utf-8")
    (named,) = re.findall(r"rows: \[(.*)\]", text)
    patterns = [
        word for words in re.findall('"(.*?)"', named) for word in words.split()
    ]
    others = [row for row in ROWS if not row.name.startswith("py")]
    assert chosen(ROWS, patterns) == others
    (latest,) = re.findall(r"matrix.py (\S+-next)", text)
    assert chosen(ROWS, [latest])[0].python == declared_pythons()[-1]


def test_pre_releases_are_run_when_asked_for_only() -> None:
    rows = chosen(ROWS, [])
    assert {row.dependencies for row in rows} == {"oldest", "newest"}
    assert len(rows) == len(ROWS) - len(declared_pythons())
    assert [row.name for row in chosen(ROWS, ["py312-next"])] == ["py312-next"]


def test_what_is_left_out_without_numba_is_there() -> None:
    for option in matrix.WITHOUT_NUMBA:
        assert (matrix.ROOT / option.partition("=")[2]).is_file()


def test_a_row_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SystemExit, match=r"no such row: py2\*"):
        chosen(ROWS, ["nohup", "py2*"])


def test_a_python_that_does_not_start_is_none(tmp_path: Path) -> None:
    stub = tmp_path / "python3.11"
    stub.write_text("#!/bin/sh\nexit 127\n", "utf-8")
    stub.chmod(0o755)
    assert matrix.version_of(stub) == ""
    assert matrix.version_of(Path(sys.executable)) == f"3.{sys.version_info[1]}"


def test_our_settings_come_from_the_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_CPU", "x86-64-v2")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    plain, haswell = chosen(ROWS, ["py311-newest", "x86-64-v3-1"])
    assert not {"ANABRANCH_CPU", "OPENBLAS_CORETYPE"} & set(
        matrix.environment_variables(plain)
    )
    assert matrix.environment_variables(haswell)["ANABRANCH_CPU"] == "x86-64-v3"


def test_errors_count_as_failures() -> None:
    report = """<testsuites><testsuite>
        <testcase classname="t" name="good"/>
        <testcase classname="t" name="bad"><failure>1 != 2</failure></testcase>
        <testcase classname="t" name="broken"><error>in a fixture</error></testcase>
        <testcase classname="t" name="left"><skipped/></testcase>
    </testsuite></testsuites>"""
    assert count(report) == (4, ["t::bad", "t::broken"], 1)


def test_the_table_shows_what_failed() -> None:
    [row] = chosen(ROWS, ["x86-64-v2-1"])
    one = Outcome(row, "", ("3.11.7", "2.1.0", "0.50.0"), 9, ["t::bad"], 2, 1.25)
    other = Outcome(row, "skipped: no such processor", good=True)
    head, *lines, last = matrix.table([one, other])
    assert head.split()[:4] == ["row", "Python", "NumPy", "llvmlite"]
    assert lines[0].split()[:8] == "x86-64-v2-1 3.11.7 2.1.0 0.50.0 9 1 2 1.2".split()
    assert "ANABRANCH_CPU=x86-64-v2" in lines[0]
    assert "skipped: no such processor" in lines[1]
    assert last == "x86-64-v2-1: t::bad"
