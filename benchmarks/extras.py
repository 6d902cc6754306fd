"""What is measured beside the models: call overhead, new batch sizes, long graphs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .model import normal
from .models import find_model
from .peers import BASE, OURS, PEERS, numpy_names
from .worker import once, repeated

__all__ = ["EXTRAS"]

ARRAYS = (1, 4, 16, 64)
BATCHES = (16, 17, 32, 48, 100)
BATCH_SECONDS = 0.05
ROUNDS = 5
NODES_PER_STEP = 10  # of the adjoint graph, about, for one tanh(h @ w)


def overhead(peer: str) -> dict[str, float]:
    """Seconds of a call: the nested net's gradient, and functions of small arrays."""
    nested = find_model("nested 2x2, f64")
    found = {
        "f(w, b, x)": _best(
            PEERS[peer](nested, nested.arguments(np.random.default_rng(0)))
        )
    }
    for count in ARRAYS:
        found[f"{count} in, 1 out"] = _best(_call(peer, _total, count))
        found[f"{count} in, {count} out"] = _best(_call(peer, _negatives, count))
    return found


def _total(*arrays: Any) -> Any:
    return sum(arrays[1:], arrays[0])


def _negatives(*arrays: Any) -> Any:
    return [-array for array in arrays]


def _call(peer: str, function: Callable[..., Any], count: int) -> Callable[[], Any]:
    """The function compiled by the peer, on arrays of four numbers."""
    if peer in (OURS, BASE):
        import anabranch

        arrays = [np.full(4, float(i)) for i in range(count)]
        return partial(anabranch.jit(function), *arrays)
    import jax

    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(function)
    theirs = [jax.numpy.full(4, float(i)) for i in range(count)]
    return lambda: jax.block_until_ready(compiled(*theirs))


def _best(run: Callable[[], Any]) -> float:
    run()
    repeats = max(1, int(BATCH_SECONDS / once(run)))
    return min(repeated(run, repeats) for _ in range(ROUNDS))


def batches(peer: str) -> list[dict[str, float]]:
    """Per batch size of one network, met in turn: first call, kernels known so far."""
    del peer  # kernels are what our own compiler counts
    import anabranch

    model = find_model("MLP 784-256-128-10, batch 128")
    *parameters, x, y = model.arguments(np.random.default_rng(0))
    compiled = anabranch.value_and_grad(
        model.make(numpy_names()), argnums=tuple(range(model.wrt))
    )
    known: set[str] = set()
    found: list[dict[str, float]] = []
    for batch in BATCHES:
        start = time.perf_counter()
        compiled(*parameters, x[:batch], y[:batch])
        seconds = time.perf_counter() - start
        lines = compiled.inspect_source().splitlines()
        code = "\n".join(line for line in lines if not line.startswith("#"))
        known.update(code.split("def kernel")[1:])
        found.append({"batch": batch, "first": seconds, "kernels": len(known)})
    return found


def scaling(peer: str, nodes: int) -> float:
    """Seconds of the first gradient of a chain: about ``nodes`` nodes, both ways."""
    steps = nodes // NODES_PER_STEP
    rng = np.random.default_rng(0)
    w, h = normal(rng, 8, 8, scale=0.3), normal(rng, 4, 8)

    def chain(xp: Any) -> Callable[[Any, Any], Any]:
        def loss(w: Any, h: Any) -> Any:
            for _ in range(steps):
                h = xp.tanh(h @ w)
            return xp.sum(h)

        return loss

    if peer in (OURS, BASE):
        import anabranch

        gradient = anabranch.grad(chain(np))
        return once(lambda: gradient(w, h))
    import jax

    theirs = jax.jit(jax.grad(chain(jax.numpy)))
    return once(lambda: jax.block_until_ready(theirs(w, h)))


def native(peer: str, size: int) -> dict[str, float]:
    """Seconds a step of Rosenbrock's gradient in Numba: by door, by pointer, alone.

    Alone is the program of kernels, run by its address in the same kind of loop on
    buffers that are filled once.
    """
    del peer
    import ctypes

    import numba

    import anabranch
    from anabranch.backends.llvm.engine.engine import executor

    def rosenbrock(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    compiled = anabranch.value_and_grad(rosenbrock)
    density = compiled.logdensity(size)
    step, pointer = density.njit, density.ctypes
    executable = step.door.executable
    execute: Any = executor()
    run = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 5)(
        ctypes.cast(execute, ctypes.c_void_p).value
    )
    program, steps, frame = executable.program, executable.steps, executable.frame()
    x, value, gradient = np.zeros(size), np.zeros(1), np.zeros(size)
    frame.words[1:4] = [array.ctypes.data for array in (x, value, gradient)]
    buffers = frame.buffers

    @numba.njit(nogil=True)
    def alone(x: Any, value: Any, gradient: Any, count: int) -> None:
        for _ in range(count):
            run(program, steps, buffers, 0, 0)
            for i in range(x.size):
                x[i] -= 1e-4 * gradient[i]

    @numba.njit(nogil=True)
    def by_door(x: Any, value: Any, gradient: Any, count: int) -> None:
        for _ in range(count):
            _, found = step(x)
            for i in range(x.size):
                x[i] -= 1e-4 * found[i]

    @numba.njit(nogil=True)
    def by_pointer(x: Any, value: Any, gradient: Any, count: int) -> None:
        for _ in range(count):
            pointer(x.size, x.ctypes, gradient.ctypes, value.ctypes, value.ctypes)
            for i in range(x.size):
                x[i] -= 1e-4 * gradient[i]

    loops = {"kernels": alone, "njit": by_door, "log-density": by_pointer}
    for loop in loops.values():
        loop(x, value, gradient, 1)
    count = 100_000
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS):  # in turns
        for name, loop in loops.items():
            x[:] = np.linspace(-1.0, 1.0, size)
            seconds = once(partial(loop, x, value, gradient, count))
            times[name].append(seconds / count)
    return {name: min(found) for name, found in times.items()}


EXTRAS: dict[str, Callable[..., Any]] = {
    "overhead": overhead,
    "batches": batches,
    "scaling": scaling,
    "native": native,
}
