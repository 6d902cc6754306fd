"""What every example does with a gradient: print its graph, draw it, hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anabranch import Compiled, Graph

BUILD = Path(__file__).resolve().parent.parent / "build"

Array: TypeAlias = NDArray[np.float64]


def show(name: str, gradient: Compiled, *args: Any) -> Graph:
    """Print the adjoint graph for a call and write its picture to build/NAME.svg."""
    graph = gradient.program(*args).graph
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"{name}.svg").write_text(graph.to_svg(), encoding="utf-8")
    print(
        f"{name}, picture in build/{name}.svg", graph.as_text(annotate=True), sep="\n"
    )
    return graph


def same(made: Any, expected: Any) -> bool:
    """Equal to rounding, shapes included: nothing is broadcast."""
    one, other = np.asarray(made), np.asarray(expected)
    close = np.allclose(one, other, rtol=1e-12, atol=1e-14)
    return one.shape == other.shape and bool(close)
