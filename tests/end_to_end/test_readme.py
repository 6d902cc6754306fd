"""What the README shows runs when it is pasted, in the order in which it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anabranch.cli import main

TEXT = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)
SNIPPETS = [code for language, code in BLOCKS if language == "python"]
COMMANDS = re.findall(r"^    (anabranch .*)$", TEXT, re.M)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first snippet as a file, where one is at work."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model.py"
    file.write_text(SNIPPETS[0], encoding="utf-8")
    return file


def test_every_snippet_runs(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "model"}
    exec(compile(SNIPPETS[0], str(model), "exec"), names)
    assert names["gradient"].keys() == names["params"].keys()
    for code in SNIPPETS[1:]:
        exec(compile(code, "README.md", "exec"), names)
    shown = [text for language, text in BLOCKS if not language and "from %" in text]
    assert len(shown) == 1
    assert shown[0] in capsys.readouterr().out
    np.testing.assert_array_equal(names["buffers"][1]["w"], names["gradient"]["w"])


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_runs(
    line: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez("params.npz", w=np.eye(3), b=np.zeros(3))
    np.save("x.npy", np.ones((8, 3)))
    np.save("y.npy", np.ones((8, 3)))
    monkeypatch.setattr("sys.argv", shlex.split(line))
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code


def test_there_is_something_to_run() -> None:
    assert len(SNIPPETS) >= 4
    assert {line.split()[1] for line in COMMANDS} >= {"ir", "run", "docs"}
