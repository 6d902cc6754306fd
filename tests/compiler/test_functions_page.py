"""docs/functions.md is what the registry says, and what that says is so."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from anabranch.compiler.lower.page.calls import CALLS
from anabranch.compiler.lower.page.differences import DIFFERENCES
from anabranch.compiler.lower.page.facts import facts_of, public_functions
from anabranch.compiler.lower.page.page import functions_page
from anabranch.compiler.lower.refused import REFUSED
from anabranch.compiler.tracing.unsupported import function_name

PAGE = Path(__file__).parents[2] / "anabranch" / "docs" / "functions.md"
FUNCTIONS = dict(public_functions())


def listed(page: str) -> set[str]:
    """The names on a page; ``.at`` belongs to the function in front of it."""
    names: set[str] = set()
    for line in page.splitlines():
        owner = ""
        for name in re.findall(r"`([\w.]+)`", line.split(" | ")[0]):
            full = owner + name if name.startswith(".") else name
            owner = full.rpartition(".")[0]
            if full.startswith(("np.", "scipy.")):
                names.add(full)
    return names


def exists(name: str) -> bool:
    """Whether the NumPy or the SciPy that is installed has a function."""
    import scipy

    root, *parts = name.split(".")
    try:
        reduce(getattr, parts, np if root == "np" else scipy)
    except AttributeError:
        return False
    return True


def test_page_is_made_of_the_registry():
    """With other versions of NumPy or SciPy the functions that they have are on it."""
    made, kept = functions_page(), PAGE.read_text("utf-8")
    assert listed(made) <= listed(kept), "python -m anabranch.compiler.lower makes it"
    assert not [name for name in listed(kept) - listed(made) if exists(name)]
    if listed(made) == listed(kept):
        assert made == kept, "python -m anabranch.compiler.lower > docs/functions.md"


def test_page_has_every_function():
    refused = {function_name(function) for function in REFUSED}
    refused = {name.replace("np.lib.scimath", "np.emath") for name in refused}
    names = {name.removesuffix(".__call__") for name in FUNCTIONS}
    assert names | refused <= listed(PAGE.read_text("utf-8"))


@pytest.mark.parametrize("table", [CALLS, DIFFERENCES], ids=["calls", "differences"])
def test_tables_are_of_functions_that_are_there(table):
    assert not [name for name in set(table) - set(FUNCTIONS) if exists(name)]


ALL = "f32 f64 c64 c128 i64 bool"
REAL = "f32 f64 i64 bool"


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "np.sum": (ALL, "yes", "zero"),
        "np.multiply": (ALL, "yes", "yes"),
        "np.tanh": ("f32 f64 c64 c128 i64", "yes", "yes"),
        "np.floor": (REAL, "zero", "zero"),
        "np.argsort": (ALL, "none", "none"),
        "np.argmax": (REAL, "none", "none"),
        "np.less": (ALL, "none", "none"),
        "np.bitwise_and": ("i64 bool", "none", "none"),
        "np.linalg.solve": (ALL, "yes", "yes"),
        "scipy.linalg.solve": (ALL, "yes", "yes"),
        "np.add.at": ("f32 f64 c64 c128 i64", "yes", "zero"),
        "scipy.special.jv": (REAL, "yes, not by the order", "yes"),
        "scipy.special.hyp1f1": (
            REAL,
            "yes, not by the first, second parameter",
            "yes",
        ),
        "scipy.stats.t.cdf": (REAL, "yes, not by the degrees of freedom", "yes"),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_facts(name, expected):
    assert facts_of(name, FUNCTIONS[name])[:3] == expected
