"""The help of the command line, and files that it cannot read."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.cli import UsageError, main, read_argument


@pytest.mark.parametrize("words", [[], ["ir"], ["run"], ["cache"], ["cache", "info"]])
def test_help_of_every_command(words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["anabranch", *words, "--help"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "Usage: " in shown
    assert "--help" in shown


def test_unreadable_files_are_usage_errors(tmp_path):
    np.savez(tmp_path / "objects.npz", w=np.array([{}], dtype=object))
    np.savez(tmp_path / "whole.npz", w=np.ones(3))
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npy").write_bytes(b"")
    for name in ("objects.npz", "cut.npz", "empty.npy", "absent.npy"):
        with pytest.raises(UsageError, match="cannot read"):
            read_argument(str(tmp_path / name))
    assert read_argument(str(tmp_path / "whole.npz"))["w"].shape == (3,)
