"""Arrays that a function makes, what it calls, and the objects that it keeps."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy import zeros as nought

import anabranch
from tests.compiler.frontend.conftest import check_as_python

CASES: list[tuple[Callable[..., Any], list[tuple[Any, ...]]]] = []
UP = np.array([0.5, 1.5, -2.0, 3.0])
DOWN = np.array([-1.0, 0.25, 4.0, -0.5])
VECTORS = [(UP,), (DOWN,)]
SQUARE = np.sin(np.arange(16.0) ** 2).reshape(4, 4)
OTHER = np.cos(np.arange(16.0)).reshape(4, 4)
SQUARES = [(SQUARE,), (OTHER,)]
TABLE = np.array([3, 0, 2, 1])
SCALES = np.array([1.0, 2.0, 4.0, 8.0])


def case(*inputs: tuple[Any, ...]) -> Callable[[Any], Any]:
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, list(inputs) or VECTORS))
        return function

    return add


@case()
def constructors(x):
    a, b, c = nought(4), np.ones(4), np.empty(4)
    d, e = np.full(4, 2.5), np.full(4, x[0])
    f = np.arange(4.0) + np.linspace(0, 1, 4) + np.eye(4)[1]
    for i in range(4):
        a[i], b[i], c[i] = x[i] ** 2, b[i] + x[i], i
        d[i] *= x[i]
    e[1] = 0
    f[2] = x[3]
    return a, b, c, d, e, f


@case()
def constructors_like_others(x):
    a, b, c = np.zeros_like(x), np.ones_like(x), np.full_like(x, x[1])
    count = np.zeros_like(x, dtype=int)
    for i in range(4):
        a[i] = x[i]
        b[-i - 1] -= x[i]
        count[i % 2] += 1
    c[0] = 1
    listed = np.full_like([1, 2], x[1], dtype=float)
    return a, b, c, count, listed, np.empty_like(x, shape=(2,)).shape


@case()
def known_counts(x):
    n = np.zeros(3, int)
    for _ in range(7):
        if n[0] > 3:
            break
        n[0] += 1
        n[n[0] % 3] += 1
    return x[n[1]], n, [x[k] for k in np.argsort(np.array([2, 0, 1]))], int(n.max())


@case()
def known_arithmetic(x):
    w = (np.arange(4.0) * 2 + 1) / 3
    w += 1
    w[w > 2] = 0.0
    m = np.outer(w, w).T.reshape(2, 8)
    m[0, 1] = x[0]
    m[1] *= x[1]
    return w, m, m.sum(axis=1)


@case()
def lists_as_arrays(x):
    a = np.array([x[0], 2.0, x[1]])
    b = np.array([[x[0], 1], [2, x[3]]])
    c = np.asarray([x, x * 2])
    a[1] = x[2]
    return a, b, c, np.stack([x, b.ravel()]), np.array([1, 2]), np.mean([x[0], x[1]])


@case()
def lists_in_functions(x):
    pair = [x[0], x[1] * 2]
    return np.sum(pair), np.max([x[2], 1.0]), np.exp([x[0], 0.5]), np.linalg.norm(pair)


@case()
def tricks_of_indexing(x):
    return np.r_[x, 1.0, x[0]], np.c_[x, np.ones(4)], np.r_[0:3], np.mgrid[0:2, 0:2]


@case()
def appended(x):
    states, h = [], np.zeros(4)
    for t in range(4):
        h = np.tanh(x[t] + 0.5 * h)
        states.append(h)
    return np.stack(states), states[2], np.array(states)[:, 1]


@case()
def copies_of_what_is_outside(x):
    s = SCALES.copy()
    s[0] = x[0]
    t = np.sqrt(SCALES)
    t[1:3] += x[1:3]
    return s, t, SCALES * x


@case()
def tables_of_what_is_outside(x):
    s = 0.0
    for i in range(4):
        s = s * 0.9 + x[TABLE[i]] * SCALES[TABLE[i]]
    return s, SCALES[np.argmax(x)]


@case()
def python_functions(x):
    return (
        sum(x),
        sum(v * v for v in x),
        max(x[0], x[1], 0.75),
        min(list(x)),
        max(x),
        abs(x[2]),
        float(x[0]) * 2,
        len(x),
        round(x[1], 1),
        sorted([3, 1, 2])[0],
        dict(zip("ab", x[:2], strict=True)),
    )


@case()
def math_functions(x):
    s = 0.0
    for v in x:
        s += math.sin(v) + math.exp(-v * v) + math.atan2(v, 2.0) + math.fabs(v)
        s += math.hypot(v, 1.0) + math.floor(v) + math.pow(2.0, v) + math.sqrt(4.0)
    return s, math.log(x[0] ** 2, 2), math.prod([2.0, x[1]]), math.isfinite(x[0])


@case()
def what_is_it(x):
    v = x[0]
    found = [
        isinstance(x, np.ndarray),
        isinstance(v, np.ndarray),
        isinstance(v, float),
        isinstance(v, (int, str)),
        isinstance(nought(2), type(x)),
        type(x) is np.ndarray,
        type(v) is np.float64,
        np.isscalar(v),
        np.isscalar(x),
        hasattr(v, "__len__"),
        hasattr(x, "__len__"),
        hasattr(x, "nothing"),
        callable(x),
    ]
    return sum(2**i for i, yes in enumerate(found) if yes), v


@case((2.5, 3), (-1.5, 3))
def python_numbers(a, n):
    return (
        isinstance(a, float),
        isinstance(n, int),
        type(n) is int,
        np.isscalar(a),
        float(n) + int(n) + bool(a),
        a * n,
    )


@case()
def out_arguments(x):
    y, z = np.empty(4), np.zeros((2, 4))
    np.multiply(x, 2.0, out=y)
    np.add(y, 1.0, y)
    np.sum(np.stack([x, y]), axis=0, out=z[1])
    return y, z


@case()
def stores_under_masks(x):
    y = x.copy()
    y[y < 0] = 0.0
    y[np.array([True, False, True, False])] += 1
    y[[0, 3]] = x[1:3]
    return y


@case()
def partial_functions(x):
    three = functools.partial(np.full, 3)
    less = functools.partial(lambda a, b, c: a - b * c if a > b else a, c=2.0)
    return three(x[0]), less(x[1], 1.0), functools.reduce(lambda a, b: a * 0.5 + b, x)


@case()
def functions_of_functions(x):
    bend = lambda v: v * 2 if v > 0 else v  # noqa: E731
    chosen = list(filter(lambda k: k % 2 == 0, range(4)))
    return list(map(bend, x)), chosen, min([2.0, -3.0, 1.0], key=abs)


def doubled(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return inner


@doubled
def positive_part(x, *, floor=0.0):
    s = 0.0
    for v in x:
        if v > floor:
            s += v
    return s


@case()
def decorated(x):
    return positive_part(x) + positive_part(x, floor=1.0)


@case(*SQUARES)
def defaults_and_keywords(a, *rest, scale=2.0, f=np.sin, **more):
    s = np.zeros(4)
    for i in range(4):
        s[i] = f(a[i]).sum() * scale + len(rest) + len(more)
    return s


class Cell:
    """A recurrent cell with a private weight."""

    def __init__(self, w):
        self.__w = w
        self.h, self.count = np.zeros(4), 0

    def step(self, x):
        self.h = np.tanh(self.__w @ self.h + x)
        self.count += 1
        if x[0] > 0:
            self.h = self.h * 0.5
        return self.h

    def __call__(self, xs):
        for x in xs:
            y = self.step(x)
        return y  # pyright: ignore[reportPossiblyUnboundVariable]

    @property
    def scaled(self):
        return self.h * 10

    @scaled.setter
    def scaled(self, value):
        self.h = value / 10 if self.count else value

    @staticmethod
    def bend(v):
        return v if v > 0 else -v

    @classmethod
    def unit(cls):
        return cls(np.eye(4))


class Loud(Cell):
    def __init__(self, w):
        super().__init__(w)
        self.heard: list[Any] = []

    def step(self, x):
        y = super().step(x)
        self.heard.append(y[0])
        return y * 2


@case(*SQUARES)
def objects(w):
    cell, loud = Cell(w), Loud(w)
    y = cell(w)
    loud(w[:2])
    cell.scaled = y
    return y, cell.h, cell.count, loud.h, loud.heard, Cell.bend(w[0, 0]), Cell.unit().h


@case()
def attributes_in_branches(x):
    cell = Cell.unit()
    if x[0] > 0:
        cell.h = x
    else:
        cell.h[1] = x[1]
    store = {"a": x, "n": 1.0}
    if x[1] > 1:
        store["a"] = x * 2
        store["n"] += x[2]
    return cell.h, store


@case()
def buffers_in_objects(x):
    class Buffer:
        def __init__(self):
            self.total = np.zeros(4)

        def run(self, v):
            for i in range(4):
                self.total[i] += v[i]
                self.total += v[0]
            return self.total

    return Buffer().run(x)


@dataclasses.dataclass
class Layer:
    """Weights, and what they are scaled with."""

    w: Any
    scale: float = 1.0

    def __post_init__(self):
        self.size = len(self.w)

    def apply(self, x):
        y = np.zeros(self.size)
        for i in range(self.size):
            y[i] = self.w[i] * x[i] if x[i] > 0 else self.scale
        return y


class Pair(NamedTuple):
    """Two things."""

    first: Any
    second: Any


@case()
def data_classes(x):
    layer = dataclasses.replace(Layer(x * 2), scale=3.0)
    pair = Pair(layer.apply(x), x[0])
    if x[1] > 1:
        pair = pair._replace(second=x[1])
    return pair


@case(*SQUARES)
def parameters_in_dicts(w):
    p = {"w": w, "b": np.zeros(4)}
    for _ in range(3):
        p["b"] = p["b"] - 0.1 * (p["w"] @ p["b"] + 1)
        p = {name: value * 0.9 for name, value in p.items()}
    return p["b"], p["w"]


@case()
def closures(x):
    total = 0.0
    calls = []

    def add(v):
        nonlocal total
        if v > 0:
            total = total + v
        calls.append(1)

    for i in range(4):
        add(x[i])
        f = lambda v: v * x[i]  # noqa: B023, E731
        total += f(2.0)
    return total, len(calls)


@case()
def a_helper_that_writes(x):
    b = np.zeros(4)

    def add(array, k, v):
        array[k] += v
        array[0] -= v

    for k in range(1, 4):
        add(b, k, x[k])
    return b


@case()
def unpacking(x):
    first, *rest = x
    (a, b), c = (x[0], x[1]), x[2]
    y = np.zeros(3)
    y[0], y[1:] = a, (b, c)
    return first + rest[-1], np.sum(rest), y


@case()
def fused_names(x):
    y = x.copy()
    z = y
    for i in range(3):
        y += i
    z -= 1
    s = 2
    s **= 3
    return y, z, s * x


@case(*SQUARES)
def edit_distance_of_floats(w):
    d = np.full((5, 5), np.inf)
    d[0, 0] = 0
    for i in range(1, 5):
        for j in range(1, 5):
            cost = abs(w[i - 1, 0] - w[j - 1, 1])
            d[i, j] = cost + min(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1])
    return d[-1, -1]


@case(*SQUARES)
def filter_of_kalman(w):
    m, p = np.zeros(2), np.eye(2)
    f, h = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    for t in range(4):
        m, p = f @ m, f @ p @ f.T + 0.1 * np.eye(2)
        k = p @ h.T / (h @ p @ h.T + 1.0)
        m = m + (k * (w[t, 0] - h @ m)).ravel()
        p = p - k @ h @ p
    return m, p


@case(*SQUARES)
def centres_of_clusters(w):
    c = w[:2].copy()
    for _ in range(3):
        nearest = ((w[:, None, :] - c[None]) ** 2).sum(-1).argmin(1)
        for k in range(2):
            m = (nearest == k).astype(float)
            c[k] = (w * m[:, None]).sum(0) / np.maximum(m.sum(), 1)
    return c


@case(*SQUARES)
def factor_of_cholesky(w):
    a = w @ w.T + 4 * np.eye(4)
    for i in range(4):
        for j in range(i):
            a[i, j] -= np.dot(a[i, :j], a[j, :j])
            a[i, j] /= a[j, j]
        a[i, i] -= np.dot(a[i, :i], a[i, :i])
        a[i, i] = np.sqrt(a[i, i])
    return np.tril(a)


@case(*SQUARES)
def smoothing_in_two_buffers(a):
    a, b = a.copy(), np.zeros_like(a)
    for _ in range(3):
        b[1:-1, 1:-1] = a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2]
        a, b = b, a
    return a


@case(*SQUARES)
def written_arguments(a):
    for i in range(4):
        a[i, i] = 0.0
        if a[i, 0] > 0:
            a[i] *= 2
    a += 1


@case((UP, {"m": SQUARE}), (DOWN, {"m": OTHER}))
def written_in_a_tree(x, p):
    x[1:3] = p["m"][0, :2]
    p["m"][2] -= x
    return x.sum()


@pytest.mark.parametrize(
    ("function", "inputs"), CASES, ids=[function.__name__ for function, _ in CASES]
)
def test_values(as_python, function, inputs):
    as_python(function, *inputs)


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(
    ("function", "inputs"), CASES, ids=[function.__name__ for function, _ in CASES]
)
def test_values_with_loops_as_nodes(backend, function, inputs):
    check_as_python(function, inputs, backend)


OF_VECTORS = [
    constructors,
    constructors_like_others,
    known_arithmetic,
    lists_as_arrays,
    lists_in_functions,
    appended,
    copies_of_what_is_outside,
    tables_of_what_is_outside,
    out_arguments,
    attributes_in_branches,
    buffers_in_objects,
    a_helper_that_writes,
    data_classes,
]
OF_SQUARES = [
    objects,
    edit_distance_of_floats,
    filter_of_kalman,
    factor_of_cholesky,
    smoothing_in_two_buffers,
]


@pytest.mark.parametrize("function", OF_VECTORS)
@pytest.mark.parametrize("x", [UP + 0.03, DOWN + 0.04])
def test_gradients_of_vectors(function, x):
    anabranch.check_grads(function, (x,), backend="reference")


@pytest.mark.parametrize("function", OF_SQUARES)
@pytest.mark.parametrize("x", [SQUARE + 0.03, OTHER + 0.04])
def test_gradients_of_squares(function, x):
    anabranch.check_grads(function, (x,), backend="reference")
