"""Keys, keywords and static values that are equal and other objects at every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch import jit
from anabranch.backends.llvm.run.fastcall.tables import STATE
from tests.backends.calls import X, caller_of, is_fast, same

STATIC: dict[str, list[Callable[[], Any]]] = {
    "float": [lambda: float("1.5"), lambda: float("2.5"), lambda: -0.0, lambda: 0.0],
    "int": [lambda: int("1000"), lambda: int("1001"), lambda: -(2**63), lambda: True],
    "str": [lambda: "".join(["a", "b"]), lambda: "".join(["b", "a"])],
    "tuple": [lambda: (int("1000"), float("2")), lambda: (int("1000"), float("3"))],
    "type": [lambda: np.float32, lambda: np.float64, lambda: None],
    "function": [lambda: np.sin, lambda: len],
    "nan": [lambda: float("nan"), lambda: float("inf")],
}


@pytest.mark.parametrize("name", STATIC)
@pytest.mark.parametrize("how", ["position", "keyword", "number as keyword"])
def test_static_values_made_anew(name: str, how: str) -> None:
    """Equal is enough, and no two values are taken for one another."""
    which: dict[str, Any] = {"static_argnums": 1}
    if how == "keyword":
        which = {"static_argnames": "value"}
    compiled = jit(lambda x, value: (x + len(repr(value)), x.sum()), **which)

    def call(make: Callable[[], Any]) -> Any:
        by_name = how != "position"
        return ((X,), {"value": make()}) if by_name else ((X, make()), {})

    for make in STATIC[name]:
        args, kwargs = call(make)
        for _ in range(2):
            compiled(*args, **kwargs)
    for make in STATIC[name]:
        args, kwargs = call(make)
        assert is_fast(compiled, *args, **kwargs)
        same(compiled(*args, **kwargs)[0], X + len(repr(make())))
    assert compiled.compile_count == len(STATIC[name])
    assert not is_fast(compiled, *([X, "other"] if how == "position" else [X]))


def test_a_static_argument_from_the_end() -> None:
    compiled = jit(lambda x, *rest: x * len(rest) * rest[-1], static_argnums=-1)
    for scale in (2.0, 3.0):
        for _ in range(3):
            same(compiled(X, X, scale), X * 2 * scale)
        assert is_fast(compiled, X, X, scale)
        assert is_fast(compiled, X, X, float(str(scale)))
    assert not is_fast(compiled, X, 2.0, X)


def fresh(text: str) -> str:
    """An equal string that is another object."""
    return "".join(list(text))


KEYS: list[Callable[[], Any]] = [
    lambda: fresh("weights"),
    lambda: fresh("wéights"),
    lambda: int("123456789"),
    lambda: float("1.5"),
    lambda: (fresh("layer"), int("1000")),
    lambda: (fresh("a"), (float("2"), None)),
]


@pytest.mark.parametrize("key", KEYS)
def test_keys_made_anew_at_every_call(key: Callable[[], Any]) -> None:
    compiled = jit(lambda p: {k: v * 2 for k, v in p.items()})
    for _ in range(3):
        compiled({key(): X})
    tree = {key(): X}
    assert is_fast(compiled, tree)
    same(compiled(tree), {key(): X * 2})
    assert not is_fast(compiled, {"other": X})
    assert not is_fast(compiled, {key(): X, "other": X})


def test_keywords_made_anew_at_every_call() -> None:
    compiled = jit(lambda **p: p["one"] - p["two"], static_argnames=fresh("three"))
    for _ in range(3):
        compiled(**{fresh("one"): X, fresh("two"): X + 1, fresh("three"): 1.0})
    assert is_fast(compiled, **{fresh("one"): X, fresh("two"): X, fresh("three"): 1.0})
    assert not is_fast(compiled, **{fresh("two"): X, fresh("one"): X, "three": 1.0})
    assert not is_fast(compiled, one=X, two=X, three=2.0)


class Text(str):
    """Its comparison is not ours to call."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")


def test_keys_of_a_class_of_the_users() -> None:
    compiled = jit(lambda p: p["a"] * 2)
    for _ in range(3):
        compiled({"a": X})
    assert not is_fast(compiled, {Text("a"): X})


def test_other_forms_of_a_kind_find_their_way_too() -> None:
    """An array of rank 0 and a scalar are one kind, and two recipes."""
    compiled = jit(lambda x: x * 2)
    for _ in range(3):
        compiled(np.array(3.0))
    for _ in range(8):
        compiled(np.float64(3))
    assert is_fast(compiled, np.array(3.0))
    assert is_fast(compiled, np.float64(3))
    assert compiled.compile_count == 1


def test_recipes_of_a_kind_are_few() -> None:
    """Calls that can never go the fast path do not pile recipes up."""
    compiled = jit(lambda x: x * 2)
    for _ in range(2):
        compiled(X)
    for _ in range(200):
        compiled(np.asfortranarray(X))
    assert len(caller_of(compiled)._recipes) == 1


def test_a_look_up_does_not_grow_with_the_recipes() -> None:
    """However many there are, hashes meet by chance only."""
    compiled = jit(lambda x, n: x, static_argnames="n")
    for number in range(128):
        for _ in range(2):
            compiled(X[:0], n=number)
    caller = caller_of(compiled)
    index = caller._kept[0]
    table = index._words[STATE.index("TABLE") :].reshape(-1, 2)
    filled = [bool(address) for address in table[:, 1]] * 2
    longest = max(len(run) for run in "".join(" x"[f] for f in filled).split())
    assert len(caller._recipes) == 128
    assert len({recipe.hash for recipe in caller._recipes}) == 128
    assert longest < 32
    assert all(is_fast(compiled, X[:0], n=number) for number in range(128))
