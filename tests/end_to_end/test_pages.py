"""The blocks of pages run in order, and print what stands below them."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["programs", "derivatives", "coming-from"])
def test_every_block_prints_what_stands_below_it(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (DOCS / f"{page}.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    names: dict[str, Any] = {"__name__": page}
    kinds = [kind for kind, _ in blocks]
    assert kinds == ["python", ""] * (len(kinds) // 2)
    assert kinds
    for number in range(0, len(blocks), 2):
        code, shown = blocks[number][1], blocks[number + 1][1]
        file = tmp_path / str(number) / f"{page}.py"  # the code has a source
        file.parent.mkdir()
        file.write_text(code, encoding="utf-8")
        linecache.checkcache(str(file))
        exec(compile(code, str(file), "exec", optimize=0), names)
        printed = re.sub(r"\b[\d,]+ nodes", "N nodes", capsys.readouterr().out)
        assert printed == shown
