"""Pages are written to be read once: short sentences, each on a line of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("ir", "compiler", "backends", "tests", "docs", "benchmarks", "examples")
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    + [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
)
LONGEST = 35  # words
SOURCES = [
    f"/{path.relative_to(ROOT)}"
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
]


def prose(text: str) -> Iterator[str]:
    """The lines that are neither code, headings nor rows of a table."""
    code = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and not line.startswith(("|", "#", "    ")):
            plain = re.sub(r"`[^`]*`", "X", line.strip().lstrip("-*0123456789. "))
            yield re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain)


def sentences(line: str) -> list[str]:
    """The sentences of a line; what stands in parentheses belongs to the one around."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z(])", re.sub(r"\([^()]*\)", "", line))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_short_and_alone(page: Path) -> None:
    lines = list(prose(page.read_text("utf-8")))
    long = [line for line in lines if len(line.split()) > LONGEST]
    several = [line for line in lines if len(sentences(line)) > 1]
    assert (long, several) == ([], [])


def is_there(page: Path, name: str) -> bool:
    """Whether a file is at a path from the page, or at one that ends like this."""
    if name.startswith("."):
        return (page.parent / name).exists()
    return any(source.endswith(f"/{name}") for source in SOURCES)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"`([\w./]+\.py)`", page.read_text("utf-8"))
    assert [name for name in named if not is_there(page, name)] == []
