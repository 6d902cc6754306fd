"""The whole suite on every Python, with the oldest and newest dependencies, and more.

    make matrix                              all rows
    make matrix ROWS='py312-oldest x86-*'    rows by name or pattern
    python tests/matrix.py --list            what there is

A row is an environment and what is unusual about its process. An environment is a
Python and a choice of dependencies: the ``oldest`` or the ``newest`` of pyproject.toml,
or the ``next``, pre-releases, which run where they are asked for by name only.
It stays in build/matrix/ until pyproject.toml changes, and so does the log of each row.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "matrix"
PYPROJECT = ROOT / "pyproject.toml"
EXTRAS = ("test", "demo", "examples")
NEXT = ("llvmlite", "numpy", "scipy")  # whose pre-releases are tried
# Numba, the second opinion, imports only with the versions that it has been built for.
WITHOUT_NUMBA = (
    "--ignore=tests/laws/test_numba.py",
    "--ignore=tests/backends/test_numba.py",
)

# What a processor has, by the name of its level, in LLVM's words.
LEVELS = {
    "x86-64-v2": {"sse4.2", "popcnt"},
    "x86-64-v3": {"avx2", "bmi2", "fma"},
    "x86-64-v4": {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"},
}
# Each level with 1 and with 2 threads, on BLAS kernels that run on such processors, by
# the names that OpenBLAS reports: it calls its oldest ones, Prescott's, Katmai's.
KERNELS = {
    "x86-64-v2": ("Katmai", "Nehalem"),
    "x86-64-v3": ("Haswell", "Sandybridge"),
    "x86-64-v4": ("SkylakeX", "SkylakeX"),
}
# A locale that has ASCII only, which Python is not to replace by UTF-8.
LANG_C = {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

PROBE = """
import json, platform
import llvmlite, llvmlite.binding, numpy, threadpoolctl
features = llvmlite.binding.get_host_cpu_features()
print(json.dumps({
    "versions": [platform.python_version(), numpy.__version__, llvmlite.__version__],
    "features": [name for name, there in features.items() if there],
    "blas": [pool.get("architecture") for pool in threadpoolctl.threadpool_info()],
}))
"""


class NotRun(Exception):
    """Why a row cannot run here."""


class Skipped(NotRun):
    """Why a row says nothing on this machine."""


@dataclass(frozen=True)
class Row:
    """An environment, and what is set in the process that runs the tests."""

    name: str
    python: str
    dependencies: str  # oldest, newest, next
    settings: dict[str, str] = field(default_factory=dict[str, str])
    interrupts: bool = True  # False as under nohup: SIGINT is ignored

    @property
    def shown(self) -> str:
        """The settings as a shell takes them."""
        words = [f"{name}={value}" for name, value in self.settings.items()]
        return " ".join([*words, *([] if self.interrupts else ["SIGINT ignored"])])


@dataclass(frozen=True)
class Outcome:
    """What came of a row: a failure unless all tests ran and passed or were skipped."""

    row: Row
    note: str = ""  # why it was skipped or broke
    versions: Sequence[str] = ("", "", "")
    tests: int = 0
    failures: Sequence[str] = ()
    skipped: int = 0
    minutes: float = 0.0
    good: bool = False


def declared_pythons() -> list[str]:
    """The versions of Python that pyproject.toml says we run on."""
    text = PYPROJECT.read_text("utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


def find_pythons() -> dict[str, Path]:
    """An interpreter of each declared version: this one, on PATH, or of pyenv."""
    found: dict[str, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in declared_pythons():
        on_path = (shutil.which(f"python{version}", path=p) for p in os.get_exec_path())
        for path in (
            Path(sys.executable),
            *(Path(path) for path in on_path if path),
            *sorted(pyenv.glob(f"{version}.*/bin/python")),
        ):
            if version not in found and version_of(path) == version:
                found[version] = path
    return found


def version_of(python: Path) -> str:
    """The version of an interpreter, "" where it does not start."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def all_rows(pythons: Sequence[str], python: str) -> list[Row]:
    """Every row there is, those of one environment with the newest dependencies."""
    rows = [
        Row(f"py{version.replace('.', '')}-{dependencies}", version, dependencies)
        for version in pythons
        for dependencies in ("oldest", "newest", "next")
    ]
    for level, kernels in KERNELS.items():
        for threads, kernel in enumerate(kernels, start=1):
            settings = {
                "ANABRANCH_CPU": level,
                "ANABRANCH_THREADS": str(threads),
                "OPENBLAS_CORETYPE": kernel,
            }
            rows.append(Row(f"{level}-{threads}", python, "newest", settings))
    rows.append(Row("lang-c", python, "newest", LANG_C))
    rows.append(Row("optimised", python, "newest", {"PYTHONOPTIMIZE": "2"}))
    rows.append(Row("nohup", python, "newest", interrupts=False))
    return rows


def chosen(rows: Sequence[Row], patterns: Sequence[str]) -> list[Row]:
    """The rows of some patterns; without any, all but those of pre-releases."""
    unmatched = [
        pattern
        for pattern in patterns
        if not any(fnmatchcase(row.name, pattern) for row in rows)
    ]
    if unmatched:
        raise SystemExit(f"no such row: {' '.join(unmatched)}; see --list")
    return [
        row
        for row in rows
        if any(fnmatchcase(row.name, pattern) for pattern in patterns)
        or (not patterns and row.dependencies != "next")
    ]


def oldest(requirement: str) -> str:
    """The requirement of the lower bound alone.

    >>> oldest("numpy>=2.1,<2.6; python_version >= '3.11'")
    "numpy==2.1; python_version >= '3.11'"
    """
    return re.sub(r"^([\w\[\]-]+)>=([^,;\s]+)[^;]*", r"\1==\2", requirement)


def make_environment(row: Row, python: Path, log: IO[str]) -> Path:
    """The interpreter of the environment of a row, made where it is not up to date."""
    name = f"py{row.python.replace('.', '')}-{row.dependencies}"
    folder, windows = BUILD / name, os.name == "nt"
    made = folder / ("Scripts/python.exe" if windows else "bin/python")
    stamp, text = folder / "pyproject.toml", PYPROJECT.read_text("utf-8")
    if stamp.exists() and stamp.read_text("utf-8") == text:
        return made
    shutil.rmtree(folder, ignore_errors=True)
    project = tomllib.loads(text)["project"]
    requirements: list[str] = list(project["dependencies"])
    for extra in EXTRAS:
        requirements += project["optional-dependencies"][extra]
    install = [made, "-m", "pip", "install"]
    pins = map(oldest, requirements) if row.dependencies == "oldest" else ()
    commands = [
        [python, "-m", "venv", folder],
        [*install, "--editable", f".[{','.join(EXTRAS)}]", *pins],
    ]
    if row.dependencies == "next":
        commands.append([*install, "--pre", "--upgrade", "--no-deps", *NEXT])
    for command in commands:
        run = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        if run.returncode:
            raise NotRun("the environment could not be made")
    stamp.write_text(text, "utf-8")
    return made


def environment_variables(row: Row) -> dict[str, str]:
    """Those of this process but for our own settings and OpenBLAS's, and the row's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANABRANCH_", "OPENBLAS_"))
    }
    if os.name == "nt":  # has no threads of the kind we share work with, and warns
        kept["ANABRANCH_THREADS"] = "1"
    return kept | row.settings


def probe(row: Row, python: Path, log: IO[str]) -> Sequence[str]:
    """The versions of an environment; complain where a setting would not take effect.

    A row that says Haswell and runs on something else would show nothing.
    """
    variables = environment_variables(row)
    run = subprocess.run(
        [python, "-c", PROBE], env=variables, stdout=subprocess.PIPE, stderr=log
    )
    if run.returncode:
        raise NotRun("the environment does not import")
    there = json.loads(run.stdout)
    level = row.settings.get("ANABRANCH_CPU")
    kernel = row.settings.get("OPENBLAS_CORETYPE")
    if level and not set(there["features"]) >= LEVELS[level]:
        missing = sorted(LEVELS[level] - set(there["features"]))
        raise Skipped(f"this processor has no {', '.join(missing)}")
    if kernel and kernel not in there["blas"]:
        raise Skipped(f"NumPy's BLAS has no kernels for {kernel} here")
    return there["versions"]


def ignore_interrupts() -> None:
    """Run in the process to be, which hands it on to the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_tests(row: Row, python: Path, log: IO[str], workers: str) -> Outcome:
    """Run the suite, and count."""
    versions = probe(row, python, log)
    report = BUILD / f"{row.name}.xml"
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-n", workers, "--dist", "worksteal", "-q"]
    command.append(f"--junitxml={report}")
    run = subprocess.run(
        [*command, *(WITHOUT_NUMBA if row.dependencies == "next" else ())],
        cwd=ROOT,
        env=environment_variables(row),
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=None if row.interrupts else ignore_interrupts,
    )
    if not report.exists():
        raise NotRun(f"pytest ended with {run.returncode}")
    tests, failures, skipped = count(report.read_text("utf-8"))
    broke = run.returncode and not failures
    note = f"pytest ended with {run.returncode}" if broke else ""
    good = run.returncode == 0
    return Outcome(row, note, versions, tests, failures, skipped, good=good)


def count(report: str) -> tuple[int, list[str], int]:
    """The number of tests, those that failed, and the number of those skipped."""
    cases = list(ElementTree.fromstring(report).iter("testcase"))
    failures = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return len(cases), failures, sum(case.find("skipped") is not None for case in cases)


def outcome(row: Row, python: Path, workers: str) -> Outcome:
    """Run a row, whatever comes of it; its log is in build/matrix/."""
    started = time.monotonic()
    if not row.interrupts and os.name == "nt":
        return Outcome(row, "skipped: a POSIX matter", good=True)
    with (BUILD / f"{row.name}.log").open("w", encoding="utf-8") as log:
        try:
            made = run_tests(row, make_environment(row, python, log), log, workers)
        except Skipped as reason:
            return Outcome(row, f"skipped: {reason}", good=True)
        except NotRun as reason:
            return Outcome(row, f"{reason}, see {row.name}.log")
    minutes = (time.monotonic() - started) / 60
    return replace(made, minutes=minutes)


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The lines of the table, and below it the tests that failed."""
    heads = ("row", "Python", "NumPy", "llvmlite", "tests", "failed", "skipped", "min")
    yield "{:14} {:8} {:8} {:9} {:>6} {:>6} {:>7} {:>5}  settings".format(*heads)
    for one in outcomes:
        counts = one.tests, len(one.failures), one.skipped
        numbers = "{:6} {:6} {:7} {:5.1f}".format(*counts, one.minutes)
        versions = "{:8} {:8} {:9}".format(*one.versions)
        shown = f"{one.note}  {one.row.shown}".strip()
        yield f"{one.row.name:14} {versions} {numbers}  {shown}".rstrip()
    for one in outcomes:
        yield from (f"{one.row.name}: {failure}" for failure in one.failures)


def main() -> int:
    """Run what the command line chooses; 1 where a row has failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", help="names or patterns, all if none")
    parser.add_argument("--list", action="store_true", help="show the rows, run none")
    parser.add_argument("--workers", default="2", help="processes of pytest")
    options = parser.parse_args()

    pythons = find_pythons()
    if not pythons:
        raise SystemExit(f"no Python of {', '.join(declared_pythons())} found")
    running = version_of(Path(sys.executable))
    rows = all_rows(list(pythons), running if running in pythons else max(pythons))
    rows = chosen(rows, options.rows)
    if options.list:
        print(*(f"{row.name:14} {row.shown}".rstrip() for row in rows), sep="\n")
        return 0
    absent = sorted(set(declared_pythons()) - set(pythons))
    print(*(f"no Python {version} here" for version in absent), sep="\n")
    BUILD.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for row in rows:
        print(f"{row.name} ...", flush=True)
        outcomes.append(outcome(row, pythons[row.python], options.workers))
    print(*table(outcomes), sep="\n")
    return 0 if all(one.good for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
