"""The loops that are measured, and how each library runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.programs.larger import LARGER
from tests.programs.record import copied, every_program, leaves

from .jax_loops import WITH_JAX
from .peers import OLD_JAX

__all__ = ["FORWARD", "JAX", "LOOPS", "NUMBA", "OURS", "PEERS", "WITH_JAX", "prepared"]

NUMBA, FORWARD, OURS, JAX = "numba", "forward", "anabranch", "JAX"
PEERS = (NUMBA, FORWARD, OURS, JAX, OLD_JAX)

LOOPS = {
    "n_body": 40,
    "lennard_jones": 60,
    "cholesky": 100,
    "lu_in_place": 60,
    "gram_schmidt": 40,
    "forward_substitution": 300,
    "back_substitution": 300,
    "levinson_durbin": 300,
    "gauss_seidel": 100,
    "stencil_in_1d": 4000,
    "stencil_in_2d": 100,
    "heat": 100,
    "crank_nicolson": 1000,
    "wave": 2000,
    "shallow_water": 60,
    "finite_difference_time_domain": 1000,
    "floyd_warshall": 50,
    "time_warping": 100,
    "forward_of_a_markov_model": 200,
    "viterbi": 200,
    "kalman_filter": 400,
    "horner": 4000,
    "clenshaw": 400,
    "ising_energy": 100,
    "metropolis": 1000,
    "weighted_histogram": 2000,
    "black_scholes_by_simulation": 60,
    "plackett_luce": 60,
    "cubic_spline": 1000,
    "convolution": 60,
    "max_pooling": 50,
    "elman_network": 1000,
}
"""The programs, and how many turns their longest loops have."""

Run = Callable[[], Any]


def written(name: str, given: tuple[Any, ...]) -> list[int]:
    """Which of its arguments a program writes into."""
    left = copied(given)
    every_program()[name].function(*left)
    pairs = enumerate(zip(map(leaves, given), map(leaves, left), strict=True))
    return [i for i, (a, b) in pairs if not all(map(np.array_equal, a, b))]


def prepared(peer: str, name: str, turns: int | None = None) -> Run:
    """One call of a program by a library; values, or a value and its gradient."""
    program = every_program()[name]
    given = LARGER[name](np.random.default_rng(0), turns or LOOPS[name])
    which = written(name, given)
    if peer in (JAX, OLD_JAX):
        return _with_jax(WITH_JAX[name], given, program.wrt)
    function = program.function
    if peer == NUMBA:
        import numba

        return _called(numba.njit(function), given, which)
    import anabranch

    if peer == FORWARD:
        return _called(anabranch.jit(function), given, which)

    def loss(*args: Any) -> Any:
        args = copied(args)
        made = leaves((function(*args), [args[i] for i in which]))
        return sum(np.sum(x * x) for x in made if np.asarray(x).dtype.kind == "f")

    gradient = anabranch.value_and_grad(loss, program.wrt)
    return lambda: gradient(*given)


def _called(function: Any, given: tuple[Any, ...], which: list[int]) -> Run:
    """Calls with copies of what is written."""
    if not which:
        return lambda: function(*given)
    return lambda: function(
        *(copied(arg) if i in which else arg for i, arg in enumerate(given))
    )


def _with_jax(
    function: Callable[..., Any], given: tuple[Any, ...], wrt: tuple[int, ...]
) -> Run:
    import jax

    jax.config.update("jax_enable_x64", True)

    def loss(*args: Any) -> Any:
        made = jax.tree_util.tree_leaves(function(*args))
        return sum(
            (x * x).sum() for x in map(jax.numpy.asarray, made) if x.dtype.kind == "f"
        )

    compiled = jax.jit(jax.value_and_grad(loss, wrt))
    arrays = jax.tree_util.tree_map(jax.numpy.asarray, given)
    return lambda: jax.block_until_ready(compiled(*arrays))
