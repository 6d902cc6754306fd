"""Files that the command line cannot read."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.cli import UsageError, read_argument


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
