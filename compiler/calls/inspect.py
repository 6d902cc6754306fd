"""What a compiled function shows of itself: its graphs, its code, what they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ...backends.base import Executable, HasMachineCode, Report, Stages
from ...ir.errors import ArgumentError
from ...ir.graph import Graph
from ..program import Program
from ..tapes import tapes
from .tracebacks import shows_users_frames

__all__ = ["Inspectable"]

STAGES = ("forward", "adjoint", "optimised", "plan")


class Kept(Protocol):
    """What is kept of one signature."""

    traced: Program
    program: Program
    seconds: Stages

    @property
    def guards(self) -> Sequence[str]:
        """The values that arguments have to have."""
        ...

    def optimised(self, backend: str) -> Graph:
        """The graph as the backend takes it."""
        ...

    def runner(self, backend: str) -> Executable:
        """The executable of the backend."""
        ...


class Inspectable:
    """The part of a compiled function that shows what became of its newest signature.

    All of it raises `ArgumentError` before the first call.
    """

    backend: str

    @property
    def converted(self) -> Mapping[str, str]:
        """The arguments that calls convert, each with what it is and becomes."""
        raise NotImplementedError

    def _newest(self) -> Kept:
        raise NotImplementedError

    @shows_users_frames
    def inspect_ir(self, stage: str = "optimised") -> str:
        """The IR text of the newest signature at a stage.

        ``stage`` is ``forward`` (as traced), ``adjoint`` (as transformed),
        ``optimised`` or ``plan``.
        """
        kept = self._newest()
        if stage == "forward":
            return kept.traced.graph.as_text()
        if stage == "adjoint":
            return kept.program.graph.as_text()
        if stage == "optimised":
            return kept.optimised(self.backend).as_text()
        if stage == "plan":
            return kept.runner(self.backend).plan_text()
        raise ArgumentError(
            f"no stage is called {stage!r}", hint=f"one of {', '.join(STAGES)}"
        )

    @shows_users_frames
    def inspect_source(self) -> str:
        """The generated source of the kernels of the newest signature.

        Over each stand its number and label, as in the plan and in `report`, the steps
        that call it, and the lines of yours that it computes.
        """
        return self._newest().runner(self.backend).source_text()

    @shows_users_frames
    def inspect_llvm(self) -> str:
        """The LLVM assembly of the same kernels before optimisation.

        Raises `ArgumentError` where the backend makes none.
        """
        return self._machine_code().llvm_text()

    @shows_users_frames
    def inspect_asm(self) -> str:
        """Their machine code as assembly for the processor in use.

        Raises `ArgumentError` where the backend makes none.
        """
        return self._machine_code().assembly_text()

    @shows_users_frames
    def report(self) -> Report:
        """What compiling the newest signature took, and which kernels the cache had.

        It names each loop of the user's function, as one loop or unrolled, and what
        loops keep for the backward pass.
        """
        kept = self._newest()
        made = kept.runner(self.backend).report()
        graph, notes = kept.optimised(self.backend), kept.program.notes
        return made._replace(
            seconds=kept.seconds | dict(made.seconds),
            guards=kept.guards,
            converted=tuple(f"{name}: {how}" for name, how in self.converted.items()),
            loops=tuple(str(n) for n in notes if n.kind != "jacobian"),
            jacobians=tuple(str(n) for n in notes if n.kind == "jacobian"),
            tapes=tuple(map(str, tapes(graph))),
        )

    def _machine_code(self) -> HasMachineCode:
        runner = self._newest().runner(self.backend)
        if isinstance(runner, HasMachineCode):
            return runner
        raise ArgumentError(
            f"the {self.backend} backend makes no code of its own for the processor",
            hint='ask a function that was made with backend="llvm"',
        )
