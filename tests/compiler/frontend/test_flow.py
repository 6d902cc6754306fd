"""Control flow of plain Python on traced values: each case takes several ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.frontend.conftest import check_as_python

CASES: list[tuple[Callable[..., Any], list[tuple[Any, ...]]]] = []
UP = np.array([0.5, 1.5, -2.0, 3.0])
DOWN = np.array([-1.0, 0.25, 4.0, -0.5])
FLAT = np.array([0.1, 0.2, 0.3, 0.4])
VECTORS = [(UP,), (DOWN,), (FLAT,)]
SQUARE = np.arange(9.0).reshape(3, 3) - 3.5
OTHER = np.cos(np.arange(9.0)).reshape(3, 3)


def case(*inputs: tuple[Any, ...]) -> Callable[[Any], Any]:
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, list(inputs) or VECTORS))
        return function

    return add


@case()
def branch_with_stores(x):
    out = np.zeros(4)
    if x[0] > 0:
        out[0] = x[1]
        out[2:] = 7
    else:
        out[3] = x[2] * 2
    return out


@case()
def branch_alone(x):
    total = x.sum()
    if total > 1:
        total = total * 10
    return total


@case()
def both_return(x):
    if x[0] > 0:
        return x * 2
    return x - 1


@case()
def return_from_nested_branches(x):
    if x[0] > 0:
        if x[1] > 1:
            return x[2]
        y = x[3]
    else:
        y = x[0] * 3
    return y + 1


@case()
def chain_of_branches(x):
    grades = []
    for v in x:
        if v < -0.9:
            g = 1.0
        elif v < 0:
            g = v * v
        elif v < 1:
            t = v + 1
            g = t * 2
        else:
            g = 5
        grades.append(g)
    return np.array(grades)


@case()
def skip_and_stop(x):
    total = 0.0
    for v in x:
        if v < 0:
            continue
        total += v
        if total > 1.9:
            break
        total += 0.01
    return total


@case()
def first_above(x):
    for i, v in enumerate(x):
        if v > 1.2:
            return v * 100 + i
    return -1.0


@case()
def stop_without_else(x):
    at = -1.0
    for v in x:
        if v > 2:
            at = v
            break
    else:
        at = 50.0
    return at


@case()
def stop_in_two_loops(x):
    n = 0.0
    for a in x:
        for b in x:
            if a + b > 4:
                break
            n += b
        if n > 3:
            break
        n += 0.5
    return n


@case()
def variable_of_a_loop_that_stopped(x):
    for v in x:
        if v > 1:
            break
    return v  # pyright: ignore[reportPossiblyUnboundVariable]


@case()
def chained_comparison(x):
    inside = 0
    for v in x:
        if -0.6 < v <= 0.5 != 0.2:
            inside += 1
    return inside


@case()
def logic(x):
    a = x[0] > 0 and x[1] > 1
    b = x[0] > 3 or x[2] > 3 or x[3] > 2
    c = not a
    if (a or c) and not b:
        return x[0]
    return x[1]


@case()
def logic_of_numbers(x):
    return (x[0] > 0 and x[1]) + (x[2] and x[3])


@case()
def the_right_side_only_where_the_left_says_so(x):
    total = 0.0
    for i in range(6):
        if i < 4 and x[i] > 0.2:
            total += x[i]
    return total


@case()
def conditional_expression(x):
    y = x if x[0] > 0 else -x
    return y + (1 if x[1] > 1 else 2.5)


@case()
def conditional_expression_in_a_list(x):
    return np.array([v if v > 0.3 else v * v for v in x])


@case()
def comprehension_with_a_known_condition(x):
    return [x[i] * j for i in range(4) for j in range(3) if i > j], {
        k: x[k] for k in (2, 1)
    }


@case()
def walrus(x):
    total = 0.0
    for i in range(4):
        if (v := x[i] * 2) > 0.5:
            total += v
    return total, v  # pyright: ignore[reportPossiblyUnboundVariable]


@case()
def lambda_with_a_branch(x):
    bend = lambda v: v if v > 0 else 0.1 * v  # noqa: E731
    return bend(x[0]) + bend(x[2])


@case()
def helper_with_a_branch(x):
    def clip(v, low=0.0):
        if v < low:
            return low
        return v

    return clip(x[0]) + clip(x[2], low=-1.0) + clip(v=x[3])


@case()
def swap_in_a_branch(x):
    a, b = x[0], x[1]
    if a > b:
        a, b = b, a
    return a, b


@case()
def bubble(x):
    a = x.copy()
    for end in range(3, 0, -1):
        for i in range(end):
            if a[i] > a[i + 1]:
                a[i], a[i + 1] = a[i + 1], a[i]
    return a


@case()
def largest(x):
    best, where = x[0], 0
    for i in range(1, 4):
        if x[i] > best:
            best, where = x[i], i
    return best, where


@case()
def dtype_by_branch(x):
    k = 1 if x[0] > 0 else 2.5
    return k * x


@case()
def counted_while(x):
    n, total = 5, x[0]
    while n:
        n -= 1
        if n == 3:
            continue
        total = total * 0.5 + n
        if n < 2:
            break
    else:
        total = -total
    return total, n


@case((UP,), (DOWN,), (DOWN * 4,))
def traced_while(x):
    s, n = abs(x.sum()), 0
    while s > 1:
        s = s / 2
        n += 1
    return s, n


@case((UP,), (DOWN,))
def traced_break_in_while(x):
    s = x[0]
    while True:
        s += 1
        if s > 3:
            break
    return s


@case()
def powers_of_two(x):
    n, base, made = 10, x, np.ones(4)
    while n > 0:
        if n & 1:
            made = made * base
        base, n = base * base, n >> 1
    return made


@case()
def count_downwards(x):
    s = 0.0
    for i in range(3, -1, -2):
        s = s / 2 + x[i]
    for i in reversed(range(4)):
        s = s / 2 + x[i]
    return s, i  # pyright: ignore[reportPossiblyUnboundVariable]


@case()
def no_turns(x):
    s = x[0]
    for i in range(0):
        s = s + x[i]
    for _ in ():
        s = None
    return s


@case()
def triangle(x):
    s = 0.0
    for i in range(4):
        for j in range(i):
            s += x[i] * x[j] if x[j] > 0 else 1.0
        s -= x[i:].sum()
    return s


@case()
def branch_in_a_with(x):
    s = 0.0
    with np.errstate(all="ignore"):
        for v in x:
            try:
                if v > 1:
                    s += v
            finally:
                s += 1
    return s


@case()
def return_out_of_a_try(x):
    try:
        if x.ndim == 1:
            return x[0] if x[0] > 0 else x[1]
    except ValueError:
        return x[2]
    else:
        return x[3]
    return x[1] * 2


@case()
def handler_that_goes_on(x):
    table = {"a": 1.0}
    s = 0.0
    for name in ("a", "b", "a"):
        try:
            s += table[name] * x[0]
        except KeyError as error:
            s += len(error.args)
            continue
        s += x[1]
    return s


@case()
def generator(x):
    def pairs(n):
        for i in range(n):
            if i == 2:
                continue
            yield i, x[i]

    s = 0.0
    for i, v in pairs(4):
        if v > 0:
            s += i * v
    return s


@case((1.25,), (-2.0,))
def recursion(a):
    def power(v, n):
        return 1.0 if n == 0 else v * power(v, n - 1)

    return power(a, 4)


@case()
def match_on_known(x):
    s = 0.0
    for kind in ("a", ("b", 2), 3):
        match kind:
            case "a":
                s += x[0]
            case ("b", n) if n > 1:
                s += n * x[1]
            case int() as other:
                s -= other if x[2] > 0 else x[3]
            case _:
                s += 100
    return s


@case()
def branch_on_the_whole(x):
    if np.all(x > 0) or np.any(x > 3.5):
        return np.sum(x)
    return np.prod(x)


@case()
def numbers_are_tests(x):
    n = 0
    if x[0]:
        n += 1
    if not x[1] - 1.5:
        n += 10
    return n


@case()
def membership(x):
    s = 0.0
    if x[0] in (0.5, 9.0):
        s += 1
    if x[3] not in [x[0], -0.5]:
        s += 2
    if 0.25 in x:
        s += 4
    return s


@case()
def any_and_all(x):
    a = 1.0 if any(v > 3 for v in x) else 2.0
    return a + (10.0 if all(v > 0 for v in x) else 20.0)


@case()
def read_but_not_used(x):
    if x[0] > 0:
        unused = 1.0
        y = unused
    else:
        y = x[1]
    return y


@case()
def bound_by_a_later_turn(x):
    for v in x:
        if v > 0:
            t = v * 2
            u = t
        else:
            u = -v
        last = u
    return last  # pyright: ignore[reportPossiblyUnboundVariable]


@case()
def result_of_many_kinds(x):
    if x[0] > 0:
        return {"a": x, "b": (x[0], 2)}
    return {"a": x * 2, "b": (x[1], 3)}


@case()
def lists_of_lists_made_in_a_branch(x):
    if x[0] > 0:
        rows = []
        for k in range(2):
            row = []
            row.append(x[k] * 2)
            rows.append(row)
    else:
        rows = [[x[k] - j for k in range(1)] for j in range(2)]
    return rows


@case()
def containers_made_and_changed_in_a_branch(x):
    if x[0] > 0:
        a = {"b": [x * 2, x]}
        a["b"][0] = a["b"][1] * 3
        a["c"] = a["b"][0] + 1
    else:
        a = {"b": [x, x], "c": x}
    return a


@case()
def lists_with_two_names_on_both_ways(x):
    old = [x[3]]
    if x[0] > 0:
        row = [x[1]]
        a, b, c = [row, row], {"row": row}, (1, old)
    else:
        row = [x[2]]
        a, b, c = [row, row], {"row": row}, (2, old)
    b["row"].append(x[0])
    row[0] = row[0] * 2
    c[1][0] = x[2]
    return a, b, c, old


@case()
def lists_that_change_places(x):
    a, b = [x[0]], [x[1]]
    for k in range(3):
        if a[0] > b[0]:
            a, b = b, a
        a[0] = a[0] + k
    return a, b


@case()
def a_list_that_nobody_else_knows_by_then(x):
    best = [x[0], x[1]]
    for k in range(3):
        if x[k] < best[1]:
            best = [x[k], x[k] * 2]
        best[0] = best[0] * 0.9
    return best


@case()
def a_pair_that_is_carried(x):
    pair = x * 0.5, 0.0
    for _ in range(4):
        h, n = pair
        pair = np.sin(h), n + h[0]
    return pair


@case()
def items_with_their_numbers(x):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, x[::-1], strict=True)):
        s = 0.5 * s + i * a - b
    return s


@case()
def the_first_turn_is_another(x):
    before = None
    s = 0.0
    for v in x:
        if before is not None:
            s += (v - before) ** 2
        before = v
    return s


@case()
def numbers_that_become_arrays(x):
    total, scale, h = 0, 1, 0
    for v in x:
        total = total + v
        scale = scale * 2
        h = h * 0.5 + x
    return total, scale, h


@case()
def a_flag_that_flips(x):
    up, s = True, 0.0
    for i in range(4):
        s = s + x[i] if up else s * x[i]
        up = not up
    return s, up


@case()
def slices_by_the_counter(x):
    s, means = 0.0, np.zeros(3)
    for i in range(3):
        s += np.sum(x[: i + 1] ** 2) + len(x[i:])
        means[i] = np.mean(x[i : i + 2])
    return s, means


@case()
def a_layer_by_the_counter(x):
    layers = [0.5 * x, x * x, x - 1.0]
    h = x
    for i in range(3):
        h = np.tanh(layers[i] * h)
    for layer in layers:
        h = h + layer
    return h


@case()
def one_helper_with_two_loops(x):
    def energy(x, k):
        e = 0.0
        for v in x:
            e += k * v * v
        return e

    return energy(x, 1.0) + energy(2 * x, -0.5)


@pytest.mark.parametrize(
    ("function", "inputs"), CASES, ids=[function.__name__ for function, _ in CASES]
)
def test_flow(as_python, function, inputs):
    as_python(function, *inputs)


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(
    ("function", "inputs"), CASES, ids=[function.__name__ for function, _ in CASES]
)
def test_flow_with_loops_as_nodes(backend, function, inputs):
    check_as_python(function, inputs, backend)


SMOOTH = [
    branch_with_stores,
    branch_alone,
    both_return,
    return_from_nested_branches,
    chain_of_branches,
    skip_and_stop,
    first_above,
    stop_in_two_loops,
    logic_of_numbers,
    conditional_expression,
    helper_with_a_branch,
    bubble,
    largest,
    counted_while,
    powers_of_two,
    triangle,
    generator,
    match_on_known,
    bound_by_a_later_turn,
    a_pair_that_is_carried,
    the_first_turn_is_another,
    a_flag_that_flips,
    slices_by_the_counter,
]


@pytest.mark.parametrize("function", SMOOTH)
@pytest.mark.parametrize("x", [UP + 0.03, DOWN + 0.04])
def test_gradients(function, x):
    anabranch.check_grads(function, (x,), backend="reference")


@pytest.mark.parametrize("function", [chain_of_branches, bubble, triangle])
def test_second_derivatives(function):
    anabranch.check_grads(function, (UP + 0.03,), order=2, backend="reference")
