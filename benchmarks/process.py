"""A worker's process, seen from the parent: started, asked, given up on."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from .homes import Home

__all__ = ["Failure", "Worker"]

HERE = Home()


class Failure(Exception):
    """A worker gave no answer; ``late`` if it was stopped for taking too long."""

    def __init__(self, reason: str, *, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


class Worker:
    """``python -m benchmarks.worker`` on the first ``cores`` processors.

    ``cache`` is where libraries may keep compiled code from one start to the next;
    ``home`` is where it runs. Raises `Failure` where that is not there.
    """

    def __init__(
        self,
        peer: str,
        subject: str,
        *,
        cores: int,
        cache: Path,
        limit: float,
        home: Home = HERE,
    ) -> None:
        if not home.python.exists():
            raise Failure("not installed")
        self.limit = limit
        self.started = time.perf_counter()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with this
        self._channel, theirs = Pipe()
        descriptor = theirs.fileno()
        module = [str(home.python), "-m", "benchmarks.worker"]
        self._process = subprocess.Popen(
            [*module, str(descriptor), peer, subject],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=[descriptor],
            start_new_session=True,
            preexec_fn=partial(_stay_on, cores),
            cwd=home.folder,
            env={
                **os.environ,
                **_environment(cores, cache),
                "PYTHONPATH": home.path,
            },
        )
        theirs.close()

    def receive(self) -> Any:
        """The next answer; raises `Failure`, and ends the process, if there is none."""
        try:
            return self._receive()
        except Failure:
            self.close()
            raise

    def ask(self, message: Any = None) -> Any:
        """Send a message, receive its answer."""
        with suppress(OSError):  # who died cannot answer either
            self._channel.send(message)
        return self.receive()

    def close(self) -> None:
        """End the process and those it started."""
        self._end()
        self._channel.close()
        self._output.close()

    def _receive(self) -> Any:
        try:
            if not self._channel.poll(self.limit):
                raise Failure(f"no answer in {self.limit:.0f} s", late=True)
            fine, answer = self._channel.recv()
        except (EOFError, OSError):
            raise Failure(self._last_words()) from None
        if not fine:
            raise Failure(answer)
        return answer

    def _end(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _last_words(self) -> str:
        self._end()
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"died ({self._process.returncode}): {said[-1] if said else 'silently'}"


def _stay_on(cores: int) -> None:
    """Keep this process on the first ``cores`` of its processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _environment(cores: int, cache: Path) -> dict[str, str]:
    """Thread counts and cache directories; XLA's threads follow the affinity.

    Python may cache bytecode, as it has for every package that was installed.
    """
    threads = ("OMP", "OPENBLAS", "MKL")
    return {
        **{f"{library}_NUM_THREADS": str(cores) for library in threads},
        "PYTHONDONTWRITEBYTECODE": "",
        "ANABRANCH_THREADS": str(cores),
        "ANABRANCH_CACHE": str(cache / "anabranch"),
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"),
    }
