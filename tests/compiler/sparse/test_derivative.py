"""Sparse Jacobians and Hessians equal the dense ones, at the cost of their colours."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import anabranch
from anabranch import (
    ArgumentError,
    GradientError,
    Sparsity,
    TraceError,
    grad,
    sparse_hessian,
    sparse_jacobian,
    sparsity,
    spec,
)
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.sparse import derivative, products, structure, unions
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Output

POINT = np.random.default_rng(0).uniform(0.5, 1.5, 12)


def dense(function: Any, *args: Any) -> Any:
    """The Jacobian by the first argument, row by row by the reference interpreter."""
    program = anabranch.Compiled(function).program(*args)
    graph = program.graph
    made = adjoint(graph, wrt=[graph.inputs[0].name], seeded=True)
    shape = graph[graph.results[0]].type.shape
    units = np.eye(graph[graph.results[0]].type.size)
    given = [*map(np.asarray, args), *program.captured]
    rows = [interpret(made, [*given, unit.reshape(shape)])[-1] for unit in units]
    return np.stack(rows).reshape(len(units), -1)


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def stencil(x):
    r = np.zeros(len(x))
    for i in range(1, len(x) - 1):
        r[i] = x[i + 1] * x[i] - x[i - 1]
    return r


def stepper(x):
    for _ in range(3):
        x = x + 0.1 * (x[np.array([11, *range(11)])] - 2 * x) * x
    return x


def implicit(x):
    a = np.diag(np.full(12, 2.0)) + np.diag(np.full(11, -1.0), 1)
    return np.tanh(a @ x) * x


def gathered(x):
    return x[np.array([0, 3, 3])] * x[np.array([5, 5, 7])]


def masked(x):
    return np.where(np.arange(12) % 3 == 0, x**2, x[::-1])


def branches(x):
    return x * x[1] if x[0] > 1.0 else x[::-1] ** 2


def until(x):
    y = x
    while np.max(np.abs(y * y - x)) > 1e-12:
        y = 0.5 * (y + x / y)
    return y


def wide(x):
    return np.array([np.sum(x**2), np.prod(x)])


JACOBIANS = {
    stencil: 3,
    stepper: 4,
    implicit: 2,
    gathered: 2,
    masked: 1,
    branches: 3,
    until: 1,
    wide: 2,
    grad(rosenbrock): 3,
}


@pytest.mark.parametrize("function", JACOBIANS, ids=lambda f: f.__name__)
def test_a_jacobian_equals_the_dense_one(function: Any, backend: str):
    made = sparse_jacobian(function, backend=backend)
    found = made(POINT)
    assert found.format == "csr"
    wanted = dense(function, POINT)
    np.testing.assert_allclose(found.toarray(), wanted, rtol=1e-12, atol=1e-14)
    assert made.sparsity(POINT).colouring.products == JACOBIANS[function]


def convolved(x):
    return np.convolve(x, np.array([1.0, -2.0, 3.0])) ** 2


def solved(x):
    stack = x.reshape(3, 2, 2) + 3 * np.eye(2)
    return np.linalg.inv(stack) * np.linalg.det(stack)[:, None, None] ** 2


def transformed(x):
    return np.fft.rfft(x.reshape(3, 4)).real[:, :1]


EXACT = (stencil, stepper, implicit, gathered, masked, convolved, solved, transformed)


@pytest.mark.parametrize("function", EXACT)
def test_a_structure_that_is_known_is_exact(function: Any):
    found = sparsity(function)(POINT).toarray()
    np.testing.assert_array_equal(found, dense(function, POINT) != 0)


def test_a_quantile_depends_on_its_row():
    found = sparsity(lambda x: np.median(x, axis=1))(np.ones((3, 4)))
    np.testing.assert_array_equal(found.toarray(), np.kron(np.eye(3), np.ones(4)) != 0)


def test_a_pooling_depends_on_its_windows():
    found = sparsity(lambda x: anabranch.max_pool(x.reshape(1, 1, 12), 3))(POINT)
    np.testing.assert_array_equal(found.toarray(), np.kron(np.eye(4), np.ones(3)))


def test_a_hessian_equals_the_dense_one_and_its_transpose(backend: str):
    found = sparse_hessian(rosenbrock, backend=backend)(POINT).toarray()
    wanted = dense(grad(rosenbrock), POINT)
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-11)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(
        found != 0, np.abs(np.subtract.outer(*[range(12)] * 2)) <= 1
    )


def test_an_arrow_takes_two_products():
    def arrow(x):
        return np.sum(x[1:] ** 2 * x[0])

    made = sparse_hessian(arrow)
    assert made.sparsity(POINT).colouring.products == 2
    wanted = dense(grad(arrow), POINT)
    np.testing.assert_allclose(made(POINT).toarray(), wanted, rtol=1e-14)


def test_trees_are_vectors_leaf_after_leaf():
    def both(params, scale):
        return {"a": params["w"] * scale, "b": np.sum(params["v"]) * params["w"][0]}

    params = {"v": np.array([[1.0, 2.0]]), "w": np.array([3.0, 4.0])}
    found = sparse_jacobian(both)(params, 2.0).toarray()
    np.testing.assert_array_equal(found, [[0, 0, 2, 0], [0, 0, 0, 2], [3, 3, 3, 0]])
    found = sparse_jacobian(both, argnums=(1, 0))(params, 2.0).toarray()
    np.testing.assert_array_equal(found[:, 0], [3, 4, 0])
    named = sparse_jacobian(both, argnums="scale")(params, scale=2.0)
    np.testing.assert_array_equal(named.toarray(), found[:, :1])
    one = sparse_jacobian(both, argnum=1)(params, 2.0)
    np.testing.assert_array_equal(one.toarray(), found[:, :1])


def test_a_hessian_by_several_arguments_has_all_blocks():
    found = sparse_hessian(lambda x, y: np.sum(x * y**2), argnums=(0, 1))
    made = found(np.array([1.0, 2.0]), np.array([3.0, 4.0])).toarray()
    wanted = [[0, 0, 6, 0], [0, 0, 0, 8], [6, 0, 2, 0], [0, 8, 0, 4]]
    np.testing.assert_array_equal(made, wanted)


def test_a_rule_of_the_users_has_a_structure_of_its_own():
    """What the function does says nothing of what its rule does."""

    @anabranch.custom_vjp
    def odd(x):
        return x * 1.0

    @anabranch.custom_jvp
    def odder(x):
        return x * 1.0

    odd.defvjp(lambda x: (odd(x), None), lambda _, g: (g[::-1] + g,))
    odder.defjvp(lambda primals, dots: (odder(*primals), dots[0][::-1] + dots[0]))
    wanted = np.eye(12) + np.eye(12)[::-1]
    for function in (odd, odder):
        made = sparse_jacobian(lambda x, f=function: f(x))
        np.testing.assert_array_equal(made(POINT).toarray(), wanted)
        assert made.sparsity(POINT).nnz == 24
        twice = sparse_hessian(lambda x, f=function: np.sum(f(x * x)))
        assert twice.sparsity(POINT).nnz == 12


def test_what_is_computed_again_has_the_same_structure():
    kept = sparsity(grad(lambda x: np.sum(np.sin(x[1:] * x[:-1]))))(POINT)
    again = anabranch.checkpoint(lambda x: np.sin(x[1:] * x[:-1]))
    assert sparsity(grad(lambda x: np.sum(again(x))))(POINT) == kept


def test_formats_and_dtypes():
    point = POINT.astype(np.float32)
    made = sparse_jacobian(gathered, format="coo")(point)
    assert (made.format, made.dtype) == ("coo", np.float32)
    assert isinstance(made, sp.sparray)
    with pytest.raises(ArgumentError, match="no sparse array has the format 'cscr'"):
        sparse_jacobian(stencil, format="cscr")


def test_nothing_that_varies_is_an_empty_matrix():
    made = sparse_jacobian(lambda x: np.floor(x))(POINT)
    assert (made.shape, made.nnz, made.dtype) == ((12, 12), 0, np.float64)
    assert sparse_jacobian(lambda x: x[:0])(POINT).shape == (0, 12)
    assert sparse_hessian(np.sum)(POINT).nnz == 0
    nothing = sparse_jacobian(lambda x: ())(POINT)
    assert (nothing.shape, nothing.dtype) == ((0, 12), np.float64)


def test_indices_that_change_are_looked_at_again():
    places = np.array([0, 1])

    def picked(x, which):
        return x[places] * x[which]

    made = sparse_jacobian(picked)
    for which in (np.array([2, 2]), np.array([3, 0]), np.array([2, 2])):
        places[1] = 5 - places[1]
        found = made(POINT, which).toarray()
        wanted = np.zeros((2, 12))
        for row in range(2):
            wanted[row, places[row]] += POINT[which[row]]
            wanted[row, which[row]] += POINT[places[row]]
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_zeros_of_a_known_matrix_that_change_are_looked_at_again():
    matrix = np.eye(12)
    made = sparse_jacobian(lambda x: matrix @ x)
    assert made(POINT).nnz == 12
    matrix[0, 5] = 7.0
    assert made(POINT)[0, 5] == 7.0
    matrix[0, 5] = 8.0  # not another pattern
    before = made.sparsity(POINT)
    assert made.sparsity(POINT) is before
    assert made(POINT)[0, 5] == 8.0


def test_the_zeros_of_an_argument_do_not_count():
    found = sparsity(lambda x, a: a @ x)(POINT, np.eye(12))
    assert found.nnz == 144


def test_what_has_the_value_of_one_and_the_derivative_of_another():
    """A softmax is made of shares, which passes for values take for their values."""
    found = sparse_jacobian(lambda x: anabranch.softmax(x.reshape(4, 3)))
    wanted = np.kron(np.eye(4), np.ones((3, 3)))
    np.testing.assert_array_equal(found.sparsity(POINT).toarray(), wanted)


def test_the_derivative_of_one_operand_counts_and_not_its_value():
    b = Builder("f")
    x, y = (b.input(name, spec("f64[2]")) for name in "xy")
    made = b.build([Output(b.straight_through(x, y).name)])
    zeros = np.zeros(2)
    found = [sparse_jacobian(made, name)(zeros, zeros).nnz for name in ("x", "y")]
    assert found == [0, 2]


def test_types_stand_for_arrays():
    found = sparsity(lambda x, i: x[i])(spec("f64[12]"), np.array([3, 4]))
    assert found.nnz == 2
    unknown = sparsity(lambda x, i: x[i])(spec("f64[12]"), spec("i64[2]"))
    assert unknown.nnz == 24  # it may be anywhere


def test_a_pattern_is_used_as_it_is():
    pattern = sparsity(stencil)(POINT)
    assert sparse_jacobian(stencil, pattern=pattern).sparsity(POINT) is pattern
    wanted = sparse_jacobian(stencil)(POINT).toarray()
    given = sparse_jacobian(stencil, pattern=sp.csc_array(wanted))(POINT)
    np.testing.assert_array_equal(given.toarray(), wanted)
    hessian = sparsity(sparse_hessian(rosenbrock))(POINT)
    assert hessian.symmetric
    assert sparsity(sparse_hessian(rosenbrock, pattern=hessian))(POINT) is hessian
    with pytest.raises(
        ArgumentError, match=r"the pattern is of shape \(3, 3\).*shape \(12, 12\)"
    ):
        sparse_jacobian(stencil, pattern=np.eye(3))(POINT)


def test_a_pattern_that_lacks_an_element_is_refused():
    """By rows and by columns, and of a Hessian; at the first call, or at each."""
    full = sparsity(stencil)(POINT).toarray()
    full[5, 6] = False
    message = r"lacks an element of row 5, among columns 6\n"
    with pytest.raises(ArgumentError, match=message):
        sparse_jacobian(stencil, pattern=full)(POINT)
    arrow = np.zeros((3, 12), bool)
    arrow[:2] = True
    with pytest.raises(ArgumentError, match=r"column 0, among rows 2\n"):
        sparse_jacobian(lambda x: x.sum() * np.ones(3), pattern=arrow)(POINT)
    diagonal = np.eye(12, dtype=bool)
    with pytest.raises(ArgumentError, match=r"of row \d+, among columns "):
        sparse_hessian(rosenbrock, pattern=diagonal)(POINT)
    with pytest.raises(ArgumentError, match=r"of row 1, among columns 0, 1, 2\n"):
        sparse_jacobian(stencil, pattern=np.zeros((12, 12)))(POINT)


def unlikely(x, far):
    """What is read off it is dense, as the place is computed of floats."""
    place = np.int64(np.where(far > 0, 11 - np.arange(12), np.arange(12)))
    return x[place] ** 2


def test_a_pattern_may_be_narrower_than_what_is_read(monkeypatch: Any):
    with pytest.raises(ArgumentError, match=r"row 0, among columns 1, 2, 3, \.\.\."):
        sparse_jacobian(unlikely, pattern=np.eye(12))(POINT, 1.0)
    narrow = sparse_jacobian(unlikely, pattern=np.eye(12))
    np.testing.assert_allclose(narrow(POINT, -1.0).toarray(), np.diag(2 * POINT))
    assert narrow(POINT, 1.0).nnz == 12  # which is wrong, and is not seen
    monkeypatch.setenv("ANABRANCH_DEBUG", "1")
    with pytest.raises(ArgumentError, match="lacks an element of row 0"):
        narrow(POINT, 1.0)
    monkeypatch.setattr(unions, "MAX_PAIRS", 50)
    with pytest.raises(ArgumentError, match=r"lacks an element of row 0\n"):
        sparse_jacobian(unlikely, pattern=np.eye(12), chunk=1)(POINT, 1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_zero_at_the_first_point_alone_is_seen(dtype: Any):
    """The products of neighbours are zero at zeros, and those of a hinge are not."""

    def f(x):
        return x + x * x[::-1]

    def far(x):
        return x + np.maximum(x[::-1] - 100, 0)

    with pytest.raises(ArgumentError, match="lacks an element of row 0, among columns"):
        sparse_jacobian(f, pattern=np.eye(12))(np.zeros(12, dtype))
    made = sparse_jacobian(far, pattern=np.eye(12))(np.zeros(12, dtype))
    np.testing.assert_array_equal(made.toarray(), np.eye(12))


def test_a_point_beside_may_be_none_for_the_function():
    def f(x):
        return x[::-1][np.int64(np.ceil(x - 0.5)) + np.arange(11, -1, -1)]

    at = np.full(12, 0.5)
    made = sparse_jacobian(f, pattern=np.eye(12))(at)
    np.testing.assert_array_equal(made.toarray(), np.eye(12))


@pytest.mark.parametrize("chunk", [1, 2, 3, 99])
def test_colours_in_chunks(chunk: int, backend: str):
    """Products are taken so many at a time; elements and their order stay."""

    def f(x):
        return {"a": np.cumsum(x)[:5], "b": x[3:] * x[:-3]}

    for make, function in ((sparse_jacobian, f), (sparse_hessian, rosenbrock)):
        whole, parts = (
            make(function, chunk=n, format="coo", backend=backend)(POINT)
            for n in (None, chunk)
        )
        np.testing.assert_array_equal(parts.toarray(), whole.toarray())
    by_rows = sparse_jacobian(lambda x: np.cumsum(x)[7:] ** 2, chunk=chunk)
    assert by_rows.sparsity(POINT).colouring.by_rows
    np.testing.assert_allclose(
        by_rows(POINT).toarray(), dense(lambda x: np.cumsum(x)[7:] ** 2, POINT)
    )


def test_chunks_are_one_loop_of_few_products():
    pattern = sparsity(np.cumsum)(POINT)
    chunks = products.chunks_of(pattern.places, 12, 12, 5)
    graph = anabranch.make_ir(np.cumsum)(POINT)
    ends: Any = ([graph.inputs[0].name], graph.results)
    how: Any = {"count": 12, "nonzeros": pattern.nnz, "dtype": "f64", "by_rows": False}
    made = products.products(graph, *ends, **how, chunks=chunks)
    (loop,) = [node for node in made if node.op == "loop"]
    assert loop.attrs["trips"] == 3
    shapes = [node.type.shape for node in loop.regions[0] if node.op == "cumsum"]
    assert shapes == [(4, 12)]
    with pytest.raises(ArgumentError, match="sparse_jacobian: chunk=0 is no whole"):
        sparse_jacobian(np.cumsum, chunk=0)


def test_a_result_may_be_changed_without_harm():
    made = sparse_jacobian(stencil)
    first = made(POINT)
    first.data[0] = 0
    first.eliminate_zeros()
    assert made(POINT).nnz == first.nnz + 1


def test_what_has_no_sparse_derivative_says_so():
    with pytest.raises(GradientError, match="it is i64"):
        sparse_jacobian(lambda x: np.argsort(x))(POINT)
    with pytest.raises(
        GradientError, match=r"no sparse derivative with %\w+\.0: it is c128"
    ):
        sparse_jacobian(lambda x: x * 1j)(POINT)
    with pytest.raises(GradientError, match="it is i64"):
        sparse_jacobian(lambda x, n: x * n, argnums=1)(POINT, 3)
    with pytest.raises(GradientError, match="is static"):
        sparse_jacobian(lambda x, n: x * n, 1, static_argnums=1)(POINT, 3)
    with pytest.raises(TraceError, match="a sparse derivative is an array of SciPy"):
        grad(lambda x: np.sum(sparse_jacobian(stencil)(x)))(POINT)


def test_a_dense_jacobian_is_refused_before_memory_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unions, "MAX_PAIRS", 1_000)
    with pytest.raises(GradientError, match="the Jacobian of lambda is not"):
        sparse_jacobian(lambda x: x * np.sum(x))(np.ones(100))


def test_one_product_for_each_colour_and_one_trace(monkeypatch: pytest.MonkeyPatch):
    """Work is counted: the products are one graph, made once."""
    made: list[Any] = []
    plain = derivative.products
    monkeypatch.setattr(
        derivative, "products", lambda *a, **k: made.append(k) or plain(*a, **k)
    )
    scale = np.array([2.0])
    for _ in range(3):
        jacobian = sparse_jacobian(lambda x: x[1:] * x[:-1] * scale)
        jacobian(POINT)
        jacobian(POINT + 1)
    assert [k["count"] for k in made] == [2]


def test_plans_go_with_the_graph():
    before = len(derivative._plans)
    made = sparse_jacobian(lambda x: np.sin(x) * x)
    made(POINT)
    assert len(derivative._plans) == before + 1
    anabranch.clear_caches()
    del made
    gc.collect()
    assert len(derivative._plans) <= before


@pytest.mark.parametrize("visits", [0, 10**6])
def test_long_loops_are_any_number_of_turns(visits: int, monkeypatch: Any):
    monkeypatch.setattr(structure, "MAX_VISITS", visits)

    def decay(x):
        y = np.zeros(12)
        for _ in range(30):
            y = y + x * np.cos(y)
        return y

    assert sparsity(decay)(POINT).nnz == 12  # as good as turn by turn


def by_turns(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def test_turns_that_do_not_need_each_other_are_not_followed(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(structure, "MAX_VISITS", 0)
    found = sparsity(sparse_hessian(by_turns))(spec("f64[100]"))
    assert found == sparsity(sparse_hessian(rosenbrock))(spec("f64[100]"))
    monkeypatch.setattr(structure, "MAX_VISITS", 98)  # a store in each of 98 turns
    assert sparsity(stencil)(spec("f64[100]")).nnz == 3 * 98
    monkeypatch.setattr(structure, "MAX_VISITS", 97)
    derivative._plans.clear()
    assert sparsity(stencil)(spec("f64[100]")).nnz > 3 * 98


def test_patterns_of_a_hundred_thousand_are_found_by_whole_arrays(
    monkeypatch: pytest.MonkeyPatch,
):
    """What is counted is steps, and a hundred times as many elements take no more."""
    counts: list[int] = []
    plain = unions.Unions._rows

    def counted(self: Any, rows: Any) -> Any:
        counts[-1] += 1
        return plain(self, rows)

    monkeypatch.setattr(unions.Unions, "_rows", counted)
    for size in (1_000, 100_000):
        counts.append(0)
        found = sparsity(sparse_hessian(rosenbrock))(spec(f"f64[{size}]"))
        assert found.nnz == 3 * size - 2
        assert found.colouring.products == 3
    assert counts[0] == counts[1]


def test_a_pattern_is_an_object_of_its_own():
    assert isinstance(sparsity(stencil)(POINT), Sparsity)
    assert "3 colours" in repr(sparsity(stencil)(POINT))
