"""`check_grads`: what it runs; its verdicts are tested wherever it is used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.run import executable


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_nothing_is_compiled_where_it_is_interpreted(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    run = executable.LLVMExecutable.__init__

    def watched(self: Any, *rest: Any) -> None:
        compiled.append(self)
        run(self, *rest)

    monkeypatch.setattr(executable.LLVMExecutable, "__init__", watched)
    given: Any = {"order": 2, "modes": (mode,)}
    anabranch.check_grads(np.sin, (np.ones(3),), backend="reference", **given)
    assert not compiled
    anabranch.check_grads(np.sin, (np.ones(3),), **given)
    assert compiled
