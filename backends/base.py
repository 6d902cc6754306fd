"""What a backend is: it turns a verified graph into a function of arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ..ir.graph import Graph
from .signature import Caller, Statics

__all__ = [
    "Array",
    "Backend",
    "Door",
    "Executable",
    "HasMachineCode",
    "Report",
    "Stages",
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
    ``guards`` are the values that arguments have to have, and who asked for them.
    ``converted`` are the arguments that are no arrays of NumPy, or of another dtype.
    ``loops`` says of each of the user's loops whether it was kept or unrolled, and why.
    ``jacobians`` says by which mode a Jacobian is made.
    ``tapes`` has what loops keep of each turn for the backward pass, in bytes.
    """

    name: str
    nodes: int
    steps: int
    kernels: Sequence[tuple[str, str]] = ()
    arena_bytes: int = 0
    seconds: Mapping[str, float] = MappingProxyType({})
    guards: Sequence[str] = ()
    converted: Sequence[str] = ()
    loops: Sequence[str] = ()
    jacobians: Sequence[str] = ()
    tapes: Sequence[str] = ()

    def __repr__(self) -> str:
        """The text that `print` shows, so that a prompt shows it as well."""
        times = [
            f"{stage} {spent * 1e3:.1f} ms" for stage, spent in self.seconds.items()
        ]
        return "\n".join(
            [
                f"{self.name}: {self.nodes} nodes, {self.steps} steps, "
                f"{len(self.kernels)} distinct kernels, arena {self.arena_bytes} bytes",
                f"  {', '.join(times)}",
                *(f"  where {guard}" for guard in self.guards),
                *(f"  converted at each call {told}" for told in self.converted),
                *(
                    f"  kernel {number:<3} {label:<8} {origin}"
                    for number, (label, origin) in enumerate(self.kernels)
                ),
                *(f"  loop {told}" for told in self.loops),
                *(f"  jacobian {told}" for told in self.jacobians),
                *(f"  tape {told}" for told in self.tapes),
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


@runtime_checkable
class HasMachineCode(Protocol):
    """An executable whose kernels can be shown below their source."""

    def llvm_text(self) -> str:
        """The LLVM assembly of the kernels."""
        ...

    def assembly_text(self) -> str:
        """Their machine code, as assembly."""
        ...


class Thunk(Protocol):
    """A C function, which lives as long as this."""

    @property
    def address(self) -> int:
        """Where it lies."""
        ...


class Door(Thunk, Protocol):
    """A prepared graph as a C function ``int f(inputs, outputs)``."""

    def njit(self, name: str, arguments: Sequence[str]) -> Any:
        """The function for code that Numba compiles; names are for messages."""
        ...

    def density(self, size: int) -> Thunk:
        """Value and gradient at a vector of a size, as samplers call them."""
        ...

    def error(self, code: int) -> BaseException:
        """The exception for a code other than 0 that a call returned."""
        ...


class Backend(NamedTuple):
    """How graphs are run: each package of backends has one, as BACKEND in backend.py.

    ``passes`` are the names of the compiler's passes that a graph goes through first,
    in this order. ``prepare`` takes the verified graph that they leave.
    ``make_caller`` makes the fast path of a function's calls, where there is one;
    ``put_in_front`` has a class of functions go it before its method ``__call__``,
    ``put_in_front_of`` one whose first argument leads to it.
    ``make_door`` makes the C function of an executable and its captured arrays.
    ``scratch_bytes`` says how much scratch memory a graph will need, before its code is
    made.
    """

    name: str
    passes: tuple[str, ...]
    prepare: Callable[[Graph], Executable]
    make_caller: Callable[[Statics], Caller] | None = None
    put_in_front: Callable[..., None] | None = None
    put_in_front_of: Callable[..., None] | None = None
    make_door: Callable[[Any, Sequence[Array]], Door] | None = None
    scratch_bytes: Callable[[Graph], int] | None = None
