"""What a backend is: it turns a verified graph into a function of arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

__all__ = [
    "Array",
    "Caller",
    "Executable",
    "Leaf",
    "Recipe",
    "Report",
    "Signature",
    "Stages",
    "Statics",
]

Array: TypeAlias = "np.ndarray[Any, Any]"


class Stages(dict[str, float]):
    """The seconds that each stage of making something took."""

    @contextmanager
    def timed(self, stage: str) -> Generator[None, None, None]:
        """Count the body's seconds to a stage."""
        start = time.perf_counter()
        yield
        self[stage] = self.get(stage, 0.0) + time.perf_counter() - start


class Report(NamedTuple):
    """What became of a graph, and what that took.

    ``kernels`` has the label of each distinct kernel's first step, and where its code
    came from: "memory", "disk", or "compiled: " and why neither of them had it.
    """

    name: str
    nodes: int
    steps: int
    kernels: Sequence[tuple[str, str]] = ()
    arena_bytes: int = 0
    seconds: Mapping[str, float] = MappingProxyType({})

    def __str__(self) -> str:
        times = [
            f"{stage} {spent * 1e3:.1f} ms" for stage, spent in self.seconds.items()
        ]
        return "\n".join(
            [
                f"{self.name}: {self.nodes} nodes, {self.steps} steps, "
                f"{len(self.kernels)} distinct kernels, arena {self.arena_bytes} bytes",
                f"  {', '.join(times)}",
                *(
                    f"  kernel {number:<3} {label:<8} {origin}"
                    for number, (label, origin) in enumerate(self.kernels)
                ),
            ]
        )


class Executable(Protocol):
    """A prepared graph."""

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Compute the outputs: new, C-contiguous arrays that share no memory.

        ``arrays`` are the inputs in order, C-contiguous and aligned, of the types that
        the graph declares. They are only read.
        """
        ...

    def plan_text(self) -> str:
        """The plan in the manner of IR text."""
        ...

    def source_text(self) -> str:
        """The generated source of the kernels, for people to read."""
        ...

    def report(self) -> Report:
        """What preparing the graph took."""
        ...


class Leaf:
    """A leaf of one call: its value, and the number of the input or output that it is.

    Inputs are numbered first, then outputs; a static argument has no number. No tuple,
    for those are containers.
    """

    __slots__ = ("buffer", "value")

    def __init__(self, value: Any, buffer: int | None) -> None:
        self.value = value
        self.buffer = buffer


class Signature(NamedTuple):
    """How the objects of a call become inputs, and outputs become its result.

    ``arguments`` is the pair ``(args, kwargs)`` with a `Leaf` for each leaf;
    ``with_out`` says that ``kwargs["out"]`` holds the outputs. ``captured`` are the
    arrays for the inputs that no argument gives, the last ones. ``result`` has the
    number of an output for each leaf.
    """

    arguments: Any
    captured: Sequence[Array]
    result: Any
    with_out: bool


class Statics(Protocol):
    """Which arguments of a function are static."""

    @property
    def names(self) -> Sequence[str]:
        """The keywords whose arguments are."""
        ...

    def positions(self, count: int) -> Sequence[int]:
        """Which of so many positional arguments are."""
        ...


class Recipe(Protocol):
    """What a `Caller` knows of the calls of one signature."""

    def was_used(self) -> bool:
        """Whether a call needed it since it was last asked."""
        ...


class Caller(Protocol):
    """A short way from the arguments of a call to its result."""

    @property
    def call(self) -> Callable[[Any], Any]:
        """Take ``(args, kwargs)``; the result, or NotImplemented."""
        ...

    def add(self, executable: Any, signature: Signature) -> Recipe | None:
        """Know calls of this signature from now on, if they have a form that can be."""
        ...

    def discard(self, recipes: Iterable[Any]) -> None:
        """Know them no more."""
        ...
