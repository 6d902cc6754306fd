"""One library and one model in a process of its own, timed on request.

Started by `process.Worker` as ``python -m benchmarks.worker FD PEER SUBJECT``. Every
message back is a pair: ``True`` and an answer, or ``False`` and why there is none.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Model

__all__ = ["once", "repeated"]

MEMORY_CALLS = 3
WARM_CALLS = 5  # which may compile yet


def main() -> None:
    """Serve one subject until the other end is closed."""
    descriptor, peer, subject = sys.argv[1:]
    channel = Connection(int(descriptor))

    def answer(value: Any) -> None:
        channel.send((True, value))

    try:
        if subject.startswith("extra "):
            from .extras import EXTRAS

            name, *numbers = subject.split()[1:]
            answer(EXTRAS[name](peer, *map(int, numbers)))
        elif subject.startswith("first-call "):
            _, name, turns = subject.split()
            answer(_first_and_later(peer, name, int(turns)))
        elif subject.startswith("loop "):
            _serve_loop(peer, subject.removeprefix("loop "), channel, answer)
        elif subject.startswith("loop-memory "):
            from .loop_programs import LOOPS, prepared

            name = subject.removeprefix("loop-memory ")
            other = next(loop for loop in LOOPS if loop != name)
            answer(_peak(prepared(peer, other), prepared(peer, name)))
        elif subject.startswith("transform "):
            _serve_transform(peer, subject.removeprefix("transform "), channel, answer)
        elif subject.startswith("memory "):
            answer(_weigh(peer, subject.removeprefix("memory ")))
        elif peer == "floor":
            _serve_floor(subject, channel, answer)
        else:
            _serve(peer, subject, channel, answer)
    except EOFError:
        return
    except Exception as error:
        text = f"{type(error).__name__}: {error}".strip()
        channel.send((False, text.splitlines()[0]))


def _serve(
    peer: str, name: str, channel: Connection, answer: Callable[[Any], None]
) -> None:
    """The first call's seconds, value and gradient; then the seconds per call.

    Imports are not part of the first call; tracing and compiling are.
    """
    import numpy as np

    from .models import find_model
    from .peers import PEERS

    model = find_model(name)
    run = PEERS[peer](model, model.arguments(np.random.default_rng(0)))
    start = time.perf_counter()
    value, gradient = run()
    answer(time.perf_counter() - start)
    answer((float(value), [np.asarray(part) for part in gradient]))
    repeats = 0
    while True:
        seconds = channel.recv()
        if not repeats:
            repeated(run, WARM_CALLS)
        repeats = repeats or max(1, int(seconds / once(run)))
        answer(repeated(run, repeats))


def _serve_loop(
    peer: str, name: str, channel: Connection, answer: Callable[[Any], None]
) -> None:
    """The first call's seconds, the parts of the gradient, and the seconds per call."""
    import numpy as np

    from .loop_programs import prepared

    run = prepared(peer, name)
    start = time.perf_counter()
    made = run()
    answer(time.perf_counter() - start)
    gradient = made[1] if isinstance(made, tuple) and len(made) == 2 else ()
    is_gradient = isinstance(gradient, tuple)
    answer([np.asarray(part) for part in gradient] if is_gradient else [])
    while True:
        seconds = channel.recv()
        repeated(run, WARM_CALLS)
        answer(repeated(run, max(1, int(seconds / once(run)))))


def _serve_transform(
    peer: str, name: str, channel: Connection, answer: Callable[[Any], None]
) -> None:
    """Seconds of import and first call, arrays of the result, and seconds per call."""
    import numpy as np

    from .transform_cases import prepared

    start = time.perf_counter()
    run = prepared(peer, name)
    imported = time.perf_counter()
    made = run()
    answer((imported - start, time.perf_counter() - imported))
    answer([np.asarray(part) for part in (made if type(made) is tuple else (made,))])
    while True:
        seconds = channel.recv()
        repeated(run, WARM_CALLS)
        answer(repeated(run, max(1, int(seconds / once(run)))))


def _first_and_later(peer: str, name: str, turns: int) -> tuple[float, float]:
    """Seconds of the first call of a program with so many turns, and of a later one."""
    from .loop_programs import prepared

    run = prepared(peer, name, turns)
    first = once(run)
    repeated(run, WARM_CALLS)
    return first, once(run)


def _weigh(peer: str, name: str) -> int | None:
    """Peak bytes of calls above what the library holds after another model's calls.

    So what it loads once, at its import or later, counts for none of the libraries.
    """
    import numpy as np

    from .models import MODELS, find_model
    from .peers import PEERS

    def prepared(model: Model) -> Callable[[], Any]:
        return PEERS[peer](model, model.arguments(np.random.default_rng(0)))

    return _peak(prepared(MODELS[0]), prepared(find_model(name)))


def _peak(other: Callable[[], Any], run: Callable[[], Any]) -> int | None:
    """Peak bytes of calls above what is held after calls of another function.

    None where the operating system does not tell.
    """
    for _ in range(MEMORY_CALLS):
        other()
    _tidy()
    before = _anonymous("VmRSS")
    run()
    _tidy()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    except OSError:
        return None
    for _ in range(MEMORY_CALLS):
        run()
    peak = _anonymous("VmHWM")
    return None if peak is None or before is None else max(0, peak - before)


def _tidy() -> None:
    """Give back what can be given back, of a compiler for instance."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _serve_floor(name: str, channel: Connection, answer: Callable[[Any], None]) -> None:
    """Seconds of the floor, as often as asked; None where there is none."""
    from .floor import make_floor
    from .models import find_model

    floor = make_floor(find_model(name))
    while True:
        seconds = channel.recv()
        answer(floor(seconds) if floor else None)


def once(run: Callable[[], Any]) -> float:
    """Seconds of one call."""
    return repeated(run, 1)


def repeated(run: Callable[[], Any], repeats: int) -> float:
    """Seconds of one call, from ``repeats`` of them."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def _anonymous(field: str) -> int | None:
    """Bytes of Linux's ``field`` without mapped files, such as the libraries' code."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines)
    return 1024 * (int(sizes[field].split()[0]) - int(sizes["RssFile"].split()[0]))


if __name__ == "__main__":
    main()
