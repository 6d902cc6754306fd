"""The fast path: the same results as on the slow path, and nothing lost on the way."""

import gc
import sys
import threading
import tracemalloc
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anabranch
from anabranch import ArgumentError, jit, value_and_grad
from anabranch.backends.llvm.plan.arena import ALIGNMENT, LARGE
from anabranch.backends.llvm.run.fastcall.caller import supported
from anabranch.compiler.tree import flatten, unflatten
from tests.backends.calls import Layer, X, fast_calls, is_fast, same
from tests.oracles.work import HANGS

CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "array": (lambda x: x * 2, (X,), {}),
    "scalars": (lambda x: (x.sum(), x.max() > 3), (X,), {}),
    "numbers": (lambda x, y, n: x * y + n, (X, 2.5, 3), {}),
    "numpy scalars": (lambda x, y: x * y, (np.float32(3), np.float64(2.5)), {}),
    "list": (lambda p: [p[0], [p[1] * 2]], ([X, X[0]],), {}),
    "dict": (lambda p: {"b": p["a"], "a": p["z"]}, ({"z": X, "a": X + 1},), {}),
    "keywords": (lambda x, *, k: x - k, (X,), {"k": X + 1}),
    "namedtuple": (lambda p: Layer(p.b, p.w), (Layer(X, X[0]),), {}),
    "None": (lambda p: (p[0], None), ((X, None),), {}),
    "deep": (lambda p: p["a"][0].w @ X.T, ({"a": [Layer(X, ()), {}]},), {}),
    "integers": (lambda x: (x << 2, x > 1), (np.arange(4, dtype=np.int8),), {}),
    "empty": (lambda x: (x * 2, x.sum()), (np.zeros((0, 3)),), {}),
    "constant": (lambda: (1.0, np.ones(2) + 1), (), {}),
    "input": (lambda x: (x, x), (X,), {}),
}


def _checked(made: Any) -> Any:
    """A view of a large result."""
    large, (wide, small) = made["a"], made["b"]
    assert not large.ctypes.data % ALIGNMENT
    assert not wide.ctypes.data % ALIGNMENT
    assert small.flags.owndata
    assert large.flags.c_contiguous
    assert large.flags.writeable
    return large[1:]


def test_large_results_begin_where_stores_are_fast() -> None:
    """On either path; views of them hold their memory, and it goes with them."""
    x = np.zeros((2, LARGE // 16))
    f = jit(lambda x: {"a": x + 1, "b": [x.astype(complex), x[0, :4] + 1]})
    f(x)
    tracemalloc.start()
    views = [_checked(f(x)) for _ in range(20)]
    assert all(np.all(view == 1) for view in views)
    held = tracemalloc.get_traced_memory()[0]
    assert held >= 20 * LARGE
    del views
    assert tracemalloc.get_traced_memory()[0] < held - 19 * LARGE
    tracemalloc.stop()


@pytest.mark.parametrize("name", CALLS)
def test_results_are_the_same(name: str) -> None:
    function, args, kwargs = CALLS[name]
    compiled = jit(function)
    first = compiled(*args, **kwargs)
    compiled(*args, **kwargs)
    count = fast_calls(compiled)
    third = compiled(*args, **kwargs)
    assert count() == 1
    same(first, third)


@pytest.mark.parametrize(
    "other",
    [
        X.T.copy().T,
        X.astype(np.float32),
        X[:, :2].copy(),
        X.astype(">f8"),
        X[None],
        3.0,
    ],
    ids=lambda value: type(value).__name__,
)
def test_calls_of_another_kind_or_layout_go_the_long_way(other: Any) -> None:
    compiled = jit(lambda x: x * 2)
    for _ in range(3):
        compiled(X)
    count = fast_calls(compiled)
    np.testing.assert_array_equal(compiled(other), np.asarray(other) * 2)
    assert count() == 0


def test_each_kind_has_its_recipe() -> None:
    compiled = jit(lambda x: x + 1)
    inputs = [np.ones(n, dtype) for n in (1, 2, 3) for dtype in (np.float32, int)]
    for _ in range(2):
        for x in inputs:
            compiled(x)
    count = fast_calls(compiled)
    for x in inputs:
        same(compiled(x), x + 1)
    assert count() == len(inputs)


def test_what_has_no_recipe_still_works() -> None:
    compiled = jit(lambda p: OrderedDict(a=p["a"] * 2))
    results = [compiled(OrderedDict(a=X)) for _ in range(3)]
    assert all(isinstance(result, OrderedDict) for result in results)
    np.testing.assert_array_equal(results[-1]["a"], X * 2)


def test_static_arguments() -> None:
    compiled = jit(lambda x, n, f: f(x * n), static_argnames=("n", "f"))
    for _ in range(3):
        for n in (2, 3):
            np.testing.assert_array_equal(compiled(X, n=n, f=np.sin), np.sin(X * n))
    np.testing.assert_array_equal(compiled(X, n=4, f=np.sin), np.sin(X * 4))


@pytest.mark.parametrize(
    "wrap", [lambda t: [t], lambda t: (t,), lambda t: {"a": t}, lambda t: Layer(t, X)]
)
def test_trees_as_deep_as_the_first_call_takes(wrap: Callable[[Any], Any]) -> None:
    tree: Any = X
    for _ in range(900):
        tree = wrap(tree)
    compiled = jit(lambda t: t)
    compiled(tree)
    compiled(tree)
    assert is_fast(compiled, tree)
    leaves = flatten(compiled(tree))[0]
    assert len(leaves) == len(flatten(tree)[0])
    same(leaves[0], X)


def test_python_bools() -> None:
    compiled = jit(lambda x, flag: np.where(flag, x, -x))
    for _ in range(3):
        compiled(X, True)
    assert is_fast(compiled, X, False)
    same(compiled(X, False), -X)
    same(compiled(X, True), X)


def test_many_positional_arguments() -> None:
    compiled = jit(lambda *xs: sum(xs), static_argnums=2)
    for count in (40, 3):
        for _ in range(3):
            same(compiled(*[X] * 2, 5.0, *[X] * count), X * (count + 2) + 5)


def test_integers_that_do_not_fit_are_refused_as_ever() -> None:
    compiled = jit(lambda x, n: x + n)
    for _ in range(3):
        compiled(X, 1)
    with pytest.raises((ArgumentError, OverflowError)):
        compiled(X, 2**70)
    np.testing.assert_array_equal(compiled(X, 2), X + 2)


def test_a_failed_check_raises_and_the_next_call_is_right() -> None:
    compiled = jit(lambda x, i: x[i])
    x, i = np.arange(3.0), np.array([0, 2])
    for _ in range(3):
        compiled(x, i)
    for _ in range(3):
        with pytest.raises(IndexError):
            compiled(x, np.array([0, 3]))
    np.testing.assert_array_equal(compiled(x, i), [0, 2])


def test_disable_jit_is_heard() -> None:
    compiled = jit(lambda x: x + 1)
    for _ in range(3):
        compiled(X)
    count = fast_calls(compiled)
    with anabranch.disable_jit():
        compiled(X)
    assert count() == 0


def test_a_function_with_a_recipe_can_be_traced() -> None:
    compiled = jit(lambda x: x * x)
    for _ in range(3):
        compiled(X)
    _, gradient = value_and_grad(lambda x: compiled(x).sum())(X)
    np.testing.assert_array_equal(gradient, 2 * X)


def test_results_are_new_each_time() -> None:
    compiled = jit(lambda x: (x, x + 1))
    results = [compiled(X) for _ in range(4)]
    arrays = [X, *(leaf for result in results for leaf in result)]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[:i])
        assert one.flags.owndata or one is X


def test_no_references_are_lost_or_leaked() -> None:
    big = np.ones((200, 200))
    key = "weight " + str(len(big))
    functions = [jit(lambda p, n: {key: p[key] * n, "n": (n, [None])})]
    functions.append(jit(lambda p, n: (p[key][0, 0] + n).sum()))
    tree = {key: big}

    def counts() -> list[int]:
        objects = (big, key, tree, None, np.dtype(float), np.ndarray, NotImplemented)
        return [sys.getrefcount(item) for item in objects]

    for function in functions:
        for _ in range(3):
            function(tree, 2.0)
        before = counts()
        for _ in range(1000):
            function(tree, 2.0)
        after = counts()
        assert all(abs(b - a) < 50 for a, b in zip(before, after, strict=True))


def test_threads_may_call_at_once() -> None:
    compiled = jit(lambda x, y: (np.sin(x) @ y, x.sum()))
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=(90, 80)), rng.normal(size=(80, 70))) for _ in range(8)]
    expected = [compiled(*pair) for pair in inputs]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            found = compiled(*inputs[number])
            for a, b in zip(found, expected[number], strict=True):
                if not np.array_equal(a, b):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_short_way_keeps_what_it_points_to() -> None:
    compiled = jit(lambda x: x * 2)
    for _ in range(3):
        compiled(X)
    short = compiled._fast_path
    executable = weakref.ref(compiled._newest().runner("llvm"))
    del compiled
    gc.collect()
    assert executable() is not None
    np.testing.assert_array_equal(short(((X,), {})), X * 2)


def test_every_kind_finds_its_short_way_in_whatever_thread() -> None:
    """Many threads may make a call the second of its kind, and one is told so."""
    compiled = jit(lambda x: x + 1)
    inputs = [np.ones(n) for n in range(1, 9)]
    gate = threading.Barrier(8)

    def work() -> None:
        for x in inputs:
            gate.wait(HANGS)
            compiled(x)
            compiled(x)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS)
    count = fast_calls(compiled)
    for x in inputs:
        same(compiled(x), x + 1)
    assert count() == len(inputs)


SHAPES = [(), (1,), (3,), (0, 2), (2, 3)]
DTYPES = [np.float32, np.float64, np.int64, np.int8, np.bool_]
LEAVES = st.one_of(
    st.builds(np.ones, st.sampled_from(SHAPES), st.sampled_from(DTYPES)),
    st.builds(lambda kind: kind(1), st.sampled_from([float, int, bool, *DTYPES])),
)
TREES = st.recursive(
    LEAVES | st.none(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["a", "b", "c", 1]), inner, max_size=3),
        st.builds(Layer, inner, inner),
    ),
    max_leaves=6,
)
LAYOUTS: list[Callable[[Any], Any]] = [
    lambda x: x,
    np.asfortranarray,
    lambda x: x.astype(x.dtype.newbyteorder(">")),
    lambda x: np.broadcast_to(x[..., :1], x.shape) if x.ndim else x,
    lambda x: x[::-1] if x.ndim else x,
]


def other_values(tree: Any, rng: np.random.Generator) -> Any:
    """A tree of the same kind, its arrays in some layout."""
    leaves, structure = flatten(tree)
    made: list[Any] = []
    for leaf in leaves:
        values = rng.integers(0, 9, np.shape(leaf))
        layout = LAYOUTS[rng.integers(len(LAYOUTS))]
        array = isinstance(leaf, np.ndarray)
        made.append(
            layout(values.astype(leaf.dtype)) if array else type(leaf)(values[()])
        )
    return unflatten(structure, made)


def shuffled(tree: Any, seed: int) -> Any:
    """The leaves of a tree or something computed from each, in another structure."""
    leaves, structure = flatten(tree)
    pick = np.random.default_rng(seed).integers(0, 4, len(leaves) + 1)
    ways: list[Callable[[Any], Any]] = [
        lambda x: x,
        lambda x: x * 3,
        lambda x: np.sum(x),
        lambda x: np.ravel(x) + 1,
    ]
    made = [ways[way](leaf) for way, leaf in zip(pick, leaves, strict=False)]
    if pick[-1] == 0:
        return unflatten(structure, made)
    return [{"z": made[::-1], "a": (None, *made[:1])}, Layer(made, ())]


@given(args=st.lists(TREES, max_size=3), named=TREES, seed=st.integers(0, 999))
@settings(max_examples=25)
def test_calls_with_any_trees(args: list[Any], named: Any, seed: int) -> None:
    """Whichever way a call goes, and whatever ``out`` shares with the arguments."""
    rng = np.random.default_rng(seed)

    def function(*args: Any, k: Any) -> Any:
        return shuffled((args, k), seed)

    compiled, reference = jit(function), jit(function, backend="reference")
    for _ in range(4):
        values, k = other_values((args, named), rng)
        expected = reference(*values, k=k)
        same(compiled(*values, k=k), expected)
    for _ in range(4):
        values, k = other_values((args, named), rng)
        expected, structure = flatten(reference(*values, k=k))
        inputs = [leaf for leaf in flatten((values, k))[0] if np.ndim(leaf)]
        out = [np.empty(np.shape(leaf), leaf.dtype) for leaf in expected]
        for number, leaf in enumerate(expected):
            kind = leaf.dtype.str, np.shape(leaf)
            for one in inputs:
                free = one.flags.writeable and not any(one is other for other in out)
                if free and (one.dtype.str, one.shape) == kind and rng.random() < 0.5:
                    out[number] = one
        tree = unflatten(structure, out)
        names = {"out": tree, "k": k} if rng.random() < 0.5 else {"k": k, "out": tree}
        assert compiled(*values, **names) is tree
        for one, leaf in zip(out, expected, strict=True):
            np.testing.assert_array_equal(one, leaf)


def test_the_layout_is_known() -> None:
    assert supported()
