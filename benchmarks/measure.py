"""One model, all libraries, taking turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from .homes import home_of
from .model import Model
from .peers import BASE, COMPILED, OLD_JAX, OURS
from .process import Failure, Worker

__all__ = ["FLOOR", "Bench", "Figures"]

FLOOR = "floor"
# Those started twice: with an empty cache and with a full one.
CACHED = (OURS, BASE, "JAX", OLD_JAX)
PAUSE = 0.3  # seconds, for which the threads of the one before may still spin


class Figures(TypedDict):
    """What is known of one library on one model; seconds and bytes."""

    first: NotRequired[float]  # the first call, nothing compiled yet
    cold: NotRequired[float]  # from starting Python to the gradient
    warm: NotRequired[float]  # the same, when the program is started again
    memory: NotRequired[int | None]  # peak of calls above that after another model
    steady: NotRequired[float]
    over: NotRequired[float]  # stopped after so long
    failed: NotRequired[str]


Answer = tuple[float, list[Any]]


@dataclass
class Bench:
    """How to measure; remembers across calls what failed, to say it and try it once."""

    rounds: int
    batch_seconds: float
    limit: float
    cache: Path
    say: Callable[[str], None]
    failures: dict[tuple[str, str], Figures] = field(default_factory=dict)

    def measure(
        self, model: Model, peers: Sequence[str], cores: int, *, brief: bool
    ) -> dict[str, Figures]:
        """The figures of every peer, and of the floor.

        ``brief`` when only steady times are wanted, as of a model that was measured
        before, on other cores: then nothing is said of first calls, and
        `torch.compile`, which compiles anew for each number of threads, is left out.
        """
        self.say(f"{model.name}, {cores} core{'s' * (cores > 1)}:")
        figures: dict[str, Figures] = {}
        workers: dict[str, Worker] = {}
        answers: dict[str, Answer] = {}
        try:
            for peer in peers:
                if brief and peer == COMPILED:
                    continue
                figures[peer] = self.failures.get((model.name, peer)) or {}
                if not figures[peer]:
                    self._try(
                        model, peer, figures, self._start,
                        model, peer, cores, brief, figures[peer], workers, answers,
                    )  # fmt: skip
            for peer, reason in disagreements(answers).items():
                self._fail(model, peer, figures, Failure(reason))
                workers.pop(peer).close()
            for peer in workers if not brief else ():
                if peer != COMPILED:
                    self._weigh(model, peer, cores, figures[peer])
            self.say(" |")
            workers[FLOOR] = self._worker(FLOOR, model.name, cores)
            self._take_turns(model, workers, figures, cores)
        finally:
            for worker in workers.values():
                worker.close()
        self.say("\n")
        return figures

    def extra(self, peer: str, subject: str, cores: int) -> Any:
        """What `extras` finds for a peer; None if it fails."""
        self.say(f"{subject}, {peer}:")
        worker = self._worker(peer, f"extra {subject}", cores)
        try:
            found = worker.receive()
            self.say(" done\n")
        except Failure as failure:
            self.say(f" - ({failure})\n")
            return None
        finally:
            worker.close()
        return found

    def _worker(self, peer: str, subject: str, cores: int) -> Worker:
        """A cache on disk is per subject where warm starts or first calls are timed."""
        place = f"{peer}-{subject}" if peer in CACHED else peer
        plain = "".join(c if c.isalnum() else "-" for c in place)
        directory = self.cache / plain
        directory.mkdir(exist_ok=True)
        return Worker(
            peer,
            subject,
            cores=cores,
            cache=directory,
            limit=self.limit,
            home=home_of(peer),
        )

    def _start(
        self, model: Model, peer: str, cores: int, brief: bool, figures: Figures,
        workers: dict[str, Worker], answers: dict[str, Answer],
    ) -> None:  # fmt: skip
        """Start a library, and once more if it has a cache, and keep it waiting."""
        worker = self._worker(peer, model.name, cores)
        first = worker.receive()
        if not brief:
            figures["first"] = first
            figures["cold"] = time.perf_counter() - worker.started
            if peer in CACHED:
                worker.close()
                worker = self._worker(peer, model.name, cores)
                worker.receive()
                figures["warm"] = time.perf_counter() - worker.started
        answers[peer] = worker.receive()
        workers[peer] = worker
        self.say(f" {peer}" if brief else f" {peer} {first:.2f} s,")

    def _weigh(self, model: Model, peer: str, cores: int, figures: Figures) -> None:
        """Peak memory, found in a process of its own; unknown if that fails."""
        worker = self._worker(peer, f"memory {model.name}", cores)
        with suppress(Failure):
            figures["memory"] = worker.receive()
        worker.close()

    def _take_turns(
        self,
        model: Model,
        workers: dict[str, Worker],
        figures: dict[str, Figures],
        cores: int,
    ) -> None:
        """Fill in the steady times: one batch of each, ``rounds`` times.

        The median of a library's, the least of the floor's.
        """
        times: dict[str, list[float]] = {peer: [] for peer in workers}

        def turn(peer: str) -> None:
            time.sleep(PAUSE if cores > 1 else 0)
            seconds = workers[peer].ask(self.batch_seconds)
            if seconds is not None:
                times[peer].append(seconds)

        for _ in range(self.rounds):
            for peer in workers:
                if "failed" not in figures.setdefault(peer, {}):
                    self._try(model, peer, figures, turn, peer)
        for peer, found in times.items():
            if found and "failed" not in figures[peer]:
                typical = min(found) if peer == FLOOR else statistics.median(found)
                figures[peer]["steady"] = typical
                self.say(f" {peer} {typical * 1e6:,.0f} us")

    def _try(
        self,
        model: Model,
        peer: str,
        figures: dict[str, Figures],
        step: Callable[..., None],
        *arguments: Any,
    ) -> None:
        """One step of one library; if it fails, the others go on."""
        try:
            step(*arguments)
        except Failure as failure:
            self._fail(model, peer, figures, failure)

    def _fail(
        self, model: Model, peer: str, figures: dict[str, Figures], failure: Failure
    ) -> None:
        figures[peer] = {"failed": str(failure)}
        if failure.late:
            figures[peer]["over"] = self.limit
        self.failures[model.name, peer] = figures[peer]
        self.say(f" {peer} - ({failure}),")


def disagreements(answers: dict[str, Answer]) -> dict[str, str]:
    """The libraries whose value or gradient is far from the last one's, and how far.

    Ours comes first, so that it is never its own judge unless it is alone.
    """
    if not answers:
        return {}
    judge, (value, gradient) = list(answers.items())[-1]
    tolerance = 1e-8 if gradient[0].dtype == np.float64 else 1e-3
    found: dict[str, str] = {}
    for peer, (other, parts) in answers.items():
        errors = [abs(other - value) / max(abs(value), 1.0)]
        for a, b in zip(gradient, parts, strict=True):
            errors.append(float(np.max(np.abs(a - b)) / max(np.max(np.abs(a)), 1e-3)))
        if not all(error <= tolerance for error in errors):  # NaN is no agreement
            found[peer] = f"differs from {judge} by {np.max(errors):.1e}"
    return found
