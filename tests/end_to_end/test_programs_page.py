"""The blocks of the page on programs run in order, and print what stands below them."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "programs.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)


def test_every_block_prints_what_stands_below_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "programs"}
    kinds = [kind for kind, _ in BLOCKS]
    assert kinds == ["python", ""] * (len(kinds) // 2)
    assert len(kinds) > 10
    for number in range(0, len(BLOCKS), 2):
        code, shown = BLOCKS[number][1], BLOCKS[number + 1][1]
        file = tmp_path / str(number) / "programs.py"  # the code has a source
        file.parent.mkdir()
        file.write_text(code, encoding="utf-8")
        linecache.checkcache(str(file))
        exec(compile(code, str(file), "exec", optimize=0), names)
        printed = re.sub(r"\b[\d,]+ nodes", "N nodes", capsys.readouterr().out)
        assert printed == shown
