"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from anabranch import clear_caches
from anabranch.backends import NAMES
from anabranch.compiler.frontend import control, loops

# Else the asserts of these, unlike those of tests, would do nothing without `assert`.
pytest.register_assert_rewrite("tests.backends", "tests.laws", "tests.oracles")

# The machine may be busy: no example fails for taking long.
settings.register_profile("anabranch", deadline=None)
settings.load_profile("anabranch")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A ``backend`` that a test takes is each one that ``--backends`` names in turn.

    Numba takes seconds for each graph, so it is not among them unless asked for; its
    own laws are always tested, in laws/test_numba.py.
    """
    if "backend" in metafunc.fixturenames:
        names = str(metafunc.config.getoption("--backends")).split(",")
        metafunc.parametrize("backend", names)


@dataclass(frozen=True)
class Golden:
    """Texts that were read by a person once and should stay as they are."""

    folder: Path
    update: bool

    def check(self, name: str, text: str) -> None:
        """Compare ``text`` with the file of that name, or write it when updating."""
        path = self.folder / f"{name}.txt"
        if self.update:
            path.write_text(text, encoding="utf-8")
        if not path.exists():
            pytest.fail(f"no golden file {path.name}: make it with --update-golden")
        assert text == path.read_text(encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden/*.txt"
    )
    parser.addoption(
        "--backends",
        default="llvm,reference",
        help="what runs the tests that take a backend: names with commas between",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the workers of xdist share that of its own
        cache = tempfile.TemporaryDirectory(prefix="anabranch-")
        config.add_cleanup(cache.cleanup)
        os.environ["ANABRANCH_CACHE"] = cache.name  # never the user's own
    os.environ.setdefault("ANABRANCH_TRACEBACK", "full")  # who debugs a test, us
    unknown = set(str(config.getoption("--backends")).split(",")) - set(NAMES)
    if unknown:
        raise pytest.UsageError(f"--backends: {unknown} not among {NAMES}")
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("--update-golden is for people: CI is set here")


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Golden:
    """``golden.check(name, text)`` compares with tests/golden/NAME.txt."""
    update = bool(request.config.getoption("--update-golden"))
    return Golden(Path(__file__).parent / "golden", update)


@pytest.fixture(autouse=True)
def _nothing_held() -> None:
    """Gradients that other tests asked for are forgotten."""
    clear_caches()


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python loops of two turns and more are tried as nodes."""
    monkeypatch.setattr(control, "MIN_TRIPS", 2)
    monkeypatch.setattr(loops, "MIN_TRIPS", 2)
    monkeypatch.setattr(loops, "MIN_NODES", 0)
