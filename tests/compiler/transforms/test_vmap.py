"""`vmap` and `vectorize`: axes, chunks, what is composed with them, and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import anabranch
from anabranch import (
    ArgumentError,
    BoundsError,
    ShapeError,
    grad,
    vectorize,
    vmap,
)

RNG = np.random.default_rng(0)
W = {"w": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}
XS = RNG.normal(size=(5, 3))


def loss(w: Any, x: Any) -> Any:
    return np.sum(np.tanh(x @ w["w"] + w["b"]) ** 2)


def refused(call: Any, error: type[Exception] = ArgumentError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


# Axes.


def test_examples_along_any_axis(backend: str) -> None:
    xs = RNG.normal(size=(2, 4, 3))
    for axis in (0, 1, 2, -1, -3):
        f = vmap(np.sum, in_axes=axis, backend=backend)
        expected = [np.sum(x) for x in np.moveaxis(xs, axis, 0)]
        np.testing.assert_allclose(f(xs), expected, rtol=1e-14)


def test_results_have_the_axis_where_out_axes_says() -> None:
    def f(x: Any) -> Any:
        return {"a": np.outer(x, x), "b": (x, 2.0)}

    made = vmap(f, out_axes={"a": 2, "b": (-1, 0)})(XS)
    np.testing.assert_array_equal(made["a"], np.einsum("ni,nj->ijn", XS, XS))
    np.testing.assert_array_equal(made["b"][0], XS.T)
    np.testing.assert_array_equal(made["b"][1], np.full(5, 2.0))
    shared = vmap(lambda x, y: (x, y), in_axes=(0, None), out_axes=(0, None))
    assert shared(XS, 3.0)[1] == 3.0


class Pair(NamedTuple):
    a: Any
    b: Any


def test_axes_in_dicts_and_lists() -> None:
    """Axes of the arguments in a list, and a dict or a list of axes for a result."""
    product = XS * XS[0]
    made = vmap(lambda x, y: {"a": x * y, "b": [x, y]}, [0, None], {"a": 1, "b": 0})
    found = made(XS, XS[0])
    np.testing.assert_array_equal(found["a"], product.T)
    np.testing.assert_array_equal(found["b"], [XS, np.broadcast_to(XS[0], XS.shape)])
    pair = vmap(lambda p: [p["x"]["y"] * p["z"]] * 2, ({"x": 1, "z": None},), [1, 0])
    first, second = pair({"x": {"y": XS.T}, "z": XS[0]})
    np.testing.assert_array_equal(first, product.T)
    np.testing.assert_array_equal(second, product)
    total = grad(lambda x: np.sum(made(x, XS[0])["a"]))(XS)
    np.testing.assert_array_equal(total, np.broadcast_to(XS[0], XS.shape))


@dataclass
class Layer:
    w: Any
    b: Any


def test_axes_of_parts_of_arguments() -> None:
    """An axis holds for all below it; None shares it."""
    stack = {"w": np.stack([W["w"], -W["w"]], 2), "b": W["b"]}
    made = vmap(loss, in_axes=({"b": None, "w": 2}, None))(stack, XS[0])
    expected = [loss({**W, "w": w}, XS[0]) for w in (W["w"], -W["w"])]
    np.testing.assert_allclose(made, expected, rtol=1e-14)

    pairs = Pair(XS, [XS, XS[0]])
    total = vmap(lambda p: p.a + p.b[0] * p.b[1], in_axes=(Pair(0, [0, None]),))
    np.testing.assert_allclose(total(pairs), XS + XS * XS[0])
    layer = Layer(XS, XS[0])
    both = vmap(lambda p: p.w @ p.b, in_axes=(Layer(0, None),))
    np.testing.assert_allclose(both(layer), XS @ XS[0])


def test_nothing_in_a_tree_has_no_axis() -> None:
    def f(p: Any) -> Any:
        assert p["b"] is None
        return {"a": 2 * p["a"], "b": None}

    for axis in (None, 0, 7):
        made = vmap(f, ({"a": 1, "b": axis},), {"a": -1, "b": axis})
        found = made({"a": XS, "b": None})
        assert found["b"] is None
        np.testing.assert_array_equal(found["a"], 2 * XS)


def test_results_count_their_axes_from_the_end() -> None:
    for axis in (-1, -2, -3):
        made = vmap(lambda x: np.outer(x, x), out_axes=axis)(XS)
        expected = np.moveaxis(np.stack([np.outer(x, x) for x in XS]), 0, axis)
        np.testing.assert_array_equal(made, expected)


def test_a_size_stands_in_for_what_is_mapped() -> None:
    made = vmap(lambda x: (x, 2.0), None, (0, None), axis_size=2)(XS[0])
    np.testing.assert_array_equal(made[0], XS[[0, 0]])
    assert made[1] == 2.0
    np.testing.assert_array_equal(vmap(lambda: 1.0, axis_size=3)(), np.ones(3))
    np.testing.assert_array_equal(vmap(np.negative, axis_size=5)(XS), -XS)


def test_arguments_by_name_are_mapped_along_the_first_axis() -> None:
    f = vmap(lambda x, *, scale: x * scale, in_axes=1)
    np.testing.assert_allclose(f(XS, scale=np.arange(3.0)), (XS * np.arange(3.0)).T)


def test_static_arguments_and_texts_are_shared() -> None:
    def f(x: Any, how: str, n: int) -> Any:
        return np.sum(x) ** n if how == "sum" else np.prod(x) ** n

    made = vmap(f, static_argnames="n")
    np.testing.assert_allclose(made(XS, "sum", 2), np.sum(XS, 1) ** 2)
    np.testing.assert_allclose(made(XS, "prod", 3), np.prod(XS, 1) ** 3)


@pytest.mark.parametrize("which", [{"static_argnames": "n"}, {"static_argnums": 1}])
def test_static_arguments_of_a_compiled_function_are_shared(which: Any) -> None:
    f = anabranch.jit(lambda x, n: np.sum(x[:n]), **which)
    for call in (vmap(f), vmap(f, (0, None))):
        np.testing.assert_allclose(call(XS, 2), XS[:, :2].sum(1))


def test_a_value_that_is_asked_for_is_shared() -> None:
    f = vmap(lambda x, n: np.sum(x[:n]), in_axes=(0, None))
    np.testing.assert_allclose(f(XS, 2), XS[:, :2].sum(1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: vmap(lambda x, y: x + y)(XS, XS[:2]),
            "x has 5 along axis 0 and y has 2 along axis 0",
        ),
        (lambda: vmap(loss, in_axes=(None, None))(W, XS), "no argument is mapped"),
        (lambda: vmap(np.sum, in_axes=2)(XS), "is f64[5,3], which has no axis 2"),
        (lambda: vmap(np.sum)(3.0), "is f64[], which has no axis 0"),
        (
            lambda: vmap(loss, in_axes=({"w": 0}, 0))(W, XS),
            "in_axes of w: {'w': *} does not begin like {'w': *, 'b': *}",
        ),
        (
            lambda: vmap(loss, in_axes=(0,))(W, XS),
            "in_axes has 1 entries, and the call 2 arguments by",
        ),
        (
            lambda: vmap(lambda x: (x, x), out_axes=(0, 0, 0))(XS),
            "out_axes of the result: (*, *, *) does not begin like (*, *)",
        ),
        (
            lambda: vmap(lambda x: x, out_axes=None)(XS),
            "out_axes is None for a result that differs",
        ),
        (lambda: vmap(np.sum, out_axes=1)(XS), "says 1, and the result has 1 axes"),
        (lambda: vmap(np.sum, axis_size=4)(XS), "vmap: axis_size is 4, and "),
        (lambda: vmap(np.sum, in_axes=1.0)(XS), "in_axes: 1.0 is no axis"),
        (
            lambda: vmap(np.sum, out_axes="b")(XS),
            "out_axes of the result: 'b' is no axis",
        ),
        (
            lambda: vmap(loss, in_axes={"w": 0})(W, XS),
            "in_axes is a dict, not a number or a tuple",
        ),
        (
            lambda: vmap(loss, in_axes=[{"w": 0, "x": 0}, 0])(W, XS),
            "in_axes of w: {'w': *, 'x': *} does not begin like {'w': *, 'b': *}",
        ),
        (
            lambda: vmap(lambda p: p[0], in_axes=((0, None),))([XS, XS]),
            "in_axes of p: (*, *) does not begin like [*, *]",
        ),
        (
            lambda: vmap(lambda x: {"a": x}, out_axes={"b": 0})(XS),
            "out_axes of the result: {'b': *} does not begin like {'a': *}",
        ),
        (
            lambda: vmap(np.sum, chunk=0),
            "vmap: chunk=0 is no whole number of at least 1",
        ),
        (lambda: vmap(np.sum, axis_size=-1), "vmap: axis_size=-1 is no whole number"),
        (lambda: vmap(np.sum, axis_size=3)(XS), "axis_size is 3, and a has 5 along"),
        (lambda: vmap(lambda: 1.0)(), "no argument is mapped"),
        (lambda: vmap(lambda x: x, "0")(XS), "in_axes: '0' is no axis"),
        (
            lambda: vmap(lambda p, x: x, ({"a": 0.5}, 0))({"a": XS}, XS),
            "in_axes of p: 0.5 is no axis",
        ),
        (
            lambda: vmap(lambda p: p[0], ((0, None),))([XS, XS]),
            "in_axes of p: (*, *) does not begin like [*, *]",
        ),
        (
            lambda: vmap(lambda p: p["a"], ({"a": 0, "b": 0},))({"a": XS}),
            "in_axes of p: {'a': *, 'b': *} does not begin like {'a': *}",
        ),
        (
            lambda: vmap(lambda x: np.outer(x, x), out_axes=-4)(XS),
            "out_axes says -4, and the result has 3 axes",
        ),
        (
            lambda: vmap(lambda x, *, k: x * k)(XS, k=3.0),
            "k is f64[], which has no axis 0",
        ),
    ],
)
def test_errors_say_which_argument(call: Any, message: str) -> None:
    assert message in refused(call)


def test_stores_into_arguments_are_refused() -> None:
    def f(x: Any) -> Any:
        x[0] = 1.0
        return x

    for call in (
        lambda: vmap(f)(XS.copy()),
        lambda: anabranch.vectorize(f, signature="(n)->(n)")(XS.copy()),
    ):
        said = refused(call, anabranch.TraceError)
        assert "writing into x would change the caller's array" in said
        assert f"{__file__}:" in said

    def g(x: Any) -> Any:
        y = np.zeros(3)
        y[1:] = x[1:]
        return y

    expected = XS.copy()
    expected[:, 0] = 0
    np.testing.assert_array_equal(vmap(g)(XS), expected)


# Chunks.


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 9])
def test_chunks_give_what_the_whole_gives(chunk: int) -> None:
    def f(w: Any, x: Any) -> Any:
        return loss(w, x), w["b"]

    made = vmap(f, (None, 0), (0, None), chunk=chunk)
    values, b = made(W, XS)
    np.testing.assert_allclose(values, [loss(W, x) for x in XS], rtol=1e-14)
    np.testing.assert_array_equal(b, W["b"])
    total = grad(lambda w: np.sum(made(w, XS)[0]))(W)
    plain = grad(lambda w: np.sum(np.tanh(XS @ w["w"] + w["b"]) ** 2))(W)
    np.testing.assert_allclose(total["w"], plain["w"], rtol=1e-12)


def test_chunks_are_one_loop() -> None:
    graph = anabranch.make_ir(vmap(np.tanh, chunk=2))(XS)
    (loop,) = [node for node in graph if node.op == "loop"]
    assert loop.attrs["trips"] == 2
    assert [node.type.shape for node in graph if node.op == "tanh"] == [(1, 3)]


# What it composes with.


def test_the_gradient_of_each_example(backend: str) -> None:
    made = vmap(grad(loss), in_axes=(None, 0), backend=backend)(W, XS)
    for k, x in enumerate(XS):
        one = grad(loss)(W, x)
        np.testing.assert_allclose(made["w"][k], one["w"], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(made["b"][k], one["b"], rtol=1e-12, atol=1e-15)
    total = grad(lambda w: np.sum(vmap(loss, (None, 0))(w, XS)))(W)
    np.testing.assert_allclose(total["w"], made["w"].sum(0), rtol=1e-12)


def test_maps_of_maps_gradients_and_closures() -> None:
    pairs = vmap(vmap(lambda x, y: x @ y, (None, 0)), (0, None))
    np.testing.assert_allclose(pairs(XS, XS), XS @ XS.T, rtol=1e-14)

    @anabranch.jit
    def outer(xs: Any) -> Any:
        return np.sum(vmap(lambda x: np.sin(x) * xs[0])(xs))

    expected = grad(lambda xs: np.sum(np.sin(xs) * xs[0]))(XS)
    np.testing.assert_allclose(grad(outer)(XS), expected, rtol=1e-13)
    second = vmap(grad(lambda x: grad(lambda y: np.sum(y**3))(x)[0]))(XS)
    np.testing.assert_allclose(second[:, 0], 6 * XS[:, 0], rtol=1e-13)


def test_it_is_held_and_sees_what_changes() -> None:
    scale = np.array(2.0)

    def f(x: Any) -> Any:
        return x * scale

    assert vmap(np.tanh) is not vmap(np.sinh)
    assert vmap(f) is vmap(f)
    assert vmap(f) is not vmap(f, 1)
    np.testing.assert_array_equal(vmap(f)(XS), 2 * XS)
    scale[...] = 3.0
    np.testing.assert_array_equal(vmap(f)(XS), 3 * XS)


def test_each_example_takes_its_branch_and_its_iterations(backend: str) -> None:
    def root(a: Any, v: Any, i: Any) -> Any:
        if a < 0:
            return v[i]
        x = a
        while np.abs(x * x - a) > 1e-12:
            x = x - (x * x - a) / (2 * x)
        return x

    a, v = np.array([2.0, -1.0, 1e6]), np.arange(3.0)
    f = vmap(root, (0, None, 0), backend=backend)
    np.testing.assert_allclose(f(a, v, np.array([99, 2, 7])), [2**0.5, 2, 1e3])
    with pytest.raises(BoundsError, match="out of bounds"):
        f(a, v, np.array([0, 3, 0]))
    slopes = vmap(grad(root), (0, None, 0), backend=backend)
    found = slopes(a, v, np.array([99, 2, 7]))
    np.testing.assert_allclose(found, [0.5 / 2**0.5, 0, 5e-4], rtol=1e-9)


def _row(x: Any, i: Any) -> Any:
    return np.sum(x[i])


def _taken(x: Any, i: Any) -> Any:
    return np.sum(np.take(x, i, 0))


def _rows(x: Any, i: Any) -> Any:
    return np.sum(x[np.stack([i, 0 * i])])


@pytest.mark.parametrize("at", [_row, _taken, _rows])
def test_what_is_empty_fails_for_who_asks_for_it(at: Any, backend: str) -> None:
    def f(wants: Any, x: Any, i: Any) -> Any:
        return at(x, i) if wants else 1.0

    nobody, one = np.zeros(2, bool), np.array([False, True])
    shared, own, i = np.zeros((0, 3)), np.zeros((2, 0, 3)), np.array([0, -1])
    for x, axes in ((shared, (0, None, 0)), (own, (0, 0, 0))):
        made = vmap(f, axes, backend=backend)
        np.testing.assert_array_equal(made(nobody, x, i), [1, 1])
        with pytest.raises(BoundsError, match="out of bounds for an axis of size 0"):
            made(one, x, i)
    alone = vmap(f, (0, None, None), backend=backend)
    np.testing.assert_array_equal(alone(nobody, shared, 0), [1, 1])
    with pytest.raises(BoundsError, match="out of bounds for an axis of size 0"):
        anabranch.jit(at, backend=backend)(shared, 0)


def test_gathers_stores_and_sorting() -> None:
    i = RNG.integers(0, 3, (5, 2))

    def f(x: Any, i: Any, k: Any) -> Any:
        y = np.zeros(3)
        y[k] = x[i[0]]
        y[i[1]] += np.sort(x)[k]
        return y, np.argsort(x), np.cumsum(x[i])

    k = np.array([0, 2, 1, 1, 0])
    made = vmap(f)(XS, i, k)
    for n in range(5):
        for one, other in zip(made, f(XS[n], i[n], k[n]), strict=True):
            np.testing.assert_allclose(one[n], other, rtol=1e-14)


def test_linear_algebra_with_a_shared_matrix_and_with_many() -> None:
    a = RNG.normal(size=(4, 3, 3)) + 4 * np.eye(3)
    b = RNG.normal(size=(4, 3))
    many = vmap(np.linalg.solve)(a, b)
    shared = vmap(np.linalg.solve, (None, 0))(a[0], b)
    np.testing.assert_allclose(
        many, [np.linalg.solve(*x) for x in zip(a, b, strict=True)]
    )
    np.testing.assert_allclose(shared, np.linalg.solve(a[0], b.T).T)
    graph = anabranch.make_ir(vmap(np.linalg.solve, (None, 0)))(a[0], b)
    assert [x.type.shape for x in graph if x.op == "solve_lu"] == [(3, 4)]
    logdets = vmap(grad(lambda m: np.linalg.slogdet(m)[1]))(a)
    inverses = np.swapaxes(np.linalg.inv(a), 1, 2)
    np.testing.assert_allclose(logdets, inverses, rtol=1e-10)


@pytest.mark.parametrize("which", [(0, None), (None, 0), (0, 0)])
def test_convolutions(which: Any) -> None:
    x, w = RNG.normal(size=(3, 2, 2, 5, 4)), RNG.normal(size=(3, 4, 2, 2, 3))
    given = [v if axis == 0 else v[0] for v, axis in zip((x, w), which, strict=True)]

    def f(x: Any, w: Any) -> Any:
        return np.sum(anabranch.conv(x, w) ** 3)

    made = vmap(grad(f, (0, 1)), which)(*given)
    for k in range(3):
        one = [v[k] if axis == 0 else v for v, axis in zip(given, which, strict=True)]
        for found, expected in zip(made, grad(f, (0, 1))(*one), strict=True):
            np.testing.assert_allclose(found[k], expected, rtol=1e-10)


def test_random_numbers_of_a_key_for_each_example() -> None:
    keys = anabranch.random.split(anabranch.random.key(7), 4)

    def draw(key: Any) -> Any:
        first, second = anabranch.random.split(key)
        return (
            anabranch.random.normal(first, (3,)),
            anabranch.random.permutation(second, 5),
        )

    normals, orders = vmap(draw)(keys)
    for k, key in enumerate(keys):
        one, order = anabranch.jit(draw)(key)
        np.testing.assert_array_equal(normals[k], one)
        np.testing.assert_array_equal(orders[k], order)


def test_rules_of_the_users_own() -> None:
    """A shared argument gets the sum of what the rule says for each example."""

    @anabranch.custom_vjp
    def f(a: Any, x: Any) -> Any:
        return a * np.sum(x**2)

    f.defvjp(
        lambda a, x: (f(a, x), (a, x)),
        lambda kept, g: (g * 10.0, g * kept[1]),
    )
    made = vmap(grad(f, (0, 1)), (None, 0))(2.0, XS)
    np.testing.assert_array_equal(made[0], np.full(5, 10.0))
    np.testing.assert_array_equal(made[1], XS)
    total = grad(lambda a: np.sum(vmap(f, (None, 0))(a, XS)))(2.0)
    assert total == 50.0


def test_rules_give_each_example_its_cotangent_of_a_shared_value() -> None:
    f = anabranch.custom_vjp(lambda x, shared: 2.0 * shared)
    f.defvjp(lambda x, shared: (f(x, shared), None), lambda _, g: (g, None))
    weights = np.arange(5.0)
    made = grad(lambda x: vmap(f, (0, None))(x, 3.0) @ weights)(np.ones(5))
    np.testing.assert_array_equal(made, weights)


def test_callbacks_run_for_one_example_after_the_other(backend: str) -> None:
    seen: list[Any] = []

    def table(x: Any) -> Any:
        seen.append(x.copy())
        return x * 2

    def f(x: Any) -> Any:
        if x[0] > 0:
            return anabranch.callback(table, "f64[2]", x, vjp=lambda g, x: (2 * g,))
        return x

    xs = np.array([[1.0, 2.0], [-1.0, 3.0], [4.0, 5.0]])
    made = vmap(f, backend=backend)(xs)
    np.testing.assert_array_equal(made, [[2, 4], [-1, 3], [8, 10]])
    np.testing.assert_array_equal(seen, xs[[0, 2]])
    slopes = vmap(grad(lambda x: np.sum(f(x))), backend=backend)(xs)
    np.testing.assert_array_equal(slopes, [[2, 2], [1, 1], [2, 2]])


def test_what_is_computed_again_is_mapped(backend: str) -> None:
    """In a branch that others did not choose, too."""

    def f(x: Any, i: Any) -> Any:
        if x[0] > 0:
            return anabranch.checkpoint(lambda x: np.sum(np.sin(x)) * x[i])(x)
        return np.sum(x)

    x, i = XS[:3].copy(), np.array([1, 99, 2])
    x[:, 0] = [1.0, -1.0, 2.0]
    made = vmap(anabranch.value_and_grad(f), backend=backend)(x, i)
    for k in range(3):
        value, bar = anabranch.value_and_grad(f)(x[k], i[k])
        np.testing.assert_allclose(made[0][k], value, rtol=1e-14)
        np.testing.assert_allclose(made[1][k], bar, rtol=1e-13)


# vectorize


def test_axes_in_front_broadcast() -> None:
    times = vectorize(lambda a, x: a @ x, signature="(n,m),(m)->(n)")
    a, x = RNG.normal(size=(2, 1, 3, 4)), RNG.normal(size=(5, 4))
    wide = np.broadcast_to(a, (2, 5, 3, 4))
    np.testing.assert_allclose(times(a, x), np.einsum("abnm,bm->abn", wide, x))
    for left, right in ((a[0, 0], x[0]), (a[:1], x[:1]), (a[:0], x[:1]), (a[0], x[0])):
        expected = np.matmul(left, right[..., None])[..., 0]
        np.testing.assert_allclose(times(left, right), expected)


def test_numbers_without_a_signature(backend: str) -> None:
    larger = vectorize(lambda x, y: x if x > y else 2 * y, backend=backend)
    x, y = np.arange(3.0)[:, None], np.arange(2.0)
    np.testing.assert_array_equal(larger(x, y), np.where(x > y, x, 2 * y))
    assert larger(3.0, 1.0) == 3.0


def test_several_results_and_excluded_arguments() -> None:
    def f(x: Any, k: Any, scale: Any) -> Any:
        return np.sum(x) * scale, x * k

    made = vectorize(f, signature="(n),()->(),(n)", excluded={"scale"})
    total, rows = made(XS, 2.0, scale=3.0)
    np.testing.assert_allclose(total, 3 * XS.sum(1))
    np.testing.assert_allclose(rows, 2 * XS)
    chosen = vectorize(lambda names, x: x * len(names), excluded={0})
    np.testing.assert_array_equal(chosen(("a", "b"), np.arange(3.0)), [0, 2, 4])
    slopes = grad(lambda x: np.sum(made(x, 2.0, scale=3.0)[0]))(XS)
    np.testing.assert_array_equal(slopes, np.full((5, 3), 3.0))


@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (
            lambda f: f(np.ones((3, 4)), np.ones(3)),
            "m is 4, but argument x, (m), has 3",
            ShapeError,
        ),
        (lambda f: f(XS), "the signature has 2 arguments, the call has 1", None),
        (lambda f: f(1.0, 2.0), "argument a has 0 axes, not (n,m)", ShapeError),
        (lambda f: f(XS, k=XS), "the argument k is given by name", None),
        (
            lambda f: f(np.ones((2, 3, 4)), np.ones((5, 4))),
            "the axes (2,) and (5,) do not broadcast",
            ShapeError,
        ),
        (lambda f: vectorize(f, signature="(n->m"), "not a signature", None),
        (
            lambda f: vectorize(lambda x: (x, x), signature="()->()")(XS),
            "the signature has 1 results, the function 2",
            None,
        ),
        (
            lambda f: vectorize(lambda x: x, signature="(n)->()")(XS),
            "result 0 has 1 axes, not ()",
            ShapeError,
        ),
    ],
)
def test_errors_of_vectorize(call: Any, message: str, error: Any) -> None:
    f = vectorize(lambda a, x: a @ x, signature="(n,m),(m)->(n)")
    assert message in refused(lambda: call(f), error or ArgumentError)
