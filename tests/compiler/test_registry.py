"""The lowerings fit NumPy's signatures, and the docs list what else there is."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import anabranch
from anabranch.compiler import functions, loop
from anabranch.compiler.lower.refused import REFUSED
from anabranch.compiler.tracing.lowerings import lowered_functions, lowering_of
from anabranch.compiler.tracing.tracer import (
    GETITEM,
    SET_IMAG,
    SET_REAL,
    SETITEM,
    Tracer,
)
from anabranch.compiler.tracing.unsupported import function_name
from anabranch.compiler.transforms import steering

PAGE = (Path(__file__).parents[2] / "anabranch" / "docs" / "numpy.md").read_text(
    "utf-8"
)
for _module in (
    "scipy.fft",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.ndimage",
    "scipy.signal",
    "scipy.sparse",
    "scipy.spatial.distance",
    "scipy.special",
    "scipy.stats",
):
    import_module(_module)  # its functions are found once it is loaded
OURS = (GETITEM, SETITEM, SET_REAL, SET_IMAG)
FUNCTIONS = [
    function
    for function in lowered_functions()
    if not isinstance(function, str)
    and function not in OURS
    and function not in REFUSED
]
BY_NAME = [f for f in FUNCTIONS if not isinstance(f, (tuple, np.ufunc))]


def listed(prefix):
    lists = PAGE.partition("## What differs")[0]
    return set(re.findall(rf"`({prefix}\.[\w.]+)`", lists))


def positional(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind in kinds and p.name != "out"]


def test_our_own_functions_are_in_the_docs():
    forms = ("callback", "checkpoint", "checkpointed", "cond", "switch")
    rules = ("custom_jvp", "custom_vjp", *steering.__all__)
    solvers = ("fixed_point", "linear_solve", "minimize", "odeint", "root", "solve_ivp")
    ours = (*functions.__all__, *loop.__all__, *forms, *rules, *solvers)
    drawn = {f"anabranch.random.{name}" for name in anabranch.random.__all__}
    assert listed("anabranch") == {f"anabranch.{name}" for name in ours} | drawn


def test_methods_are_in_the_docs():
    names = {name for name in dir(np.ndarray) if not name.startswith("_")}
    works = set()
    unsupported: list[str] = []
    for name in names & set(dir(Tracer)) - set(unsupported):
        works.add(f"x.{name}")
    assert listed("x") == works


@pytest.mark.parametrize("function", BY_NAME, ids=function_name)
def test_positional_arguments_are_in_numpys_order(function):
    try:
        theirs = positional(function)
    except ValueError:
        pytest.skip("a C function that does not tell its arguments")
    ours = positional(lowering_of(function))[1:]
    shared = min(len(theirs), len(ours))
    assert ours[:shared] == theirs[:shared]


def test_names_of_functions():
    assert function_name(np.linalg.svd) == "np.linalg.svd"
    assert function_name(np.add) == "np.add"
    assert function_name((np.add, "reduce")) == "np.add.reduce"
    assert function_name(np.frompyfunc(abs, 1, 1)) == "abs (vectorized)"
