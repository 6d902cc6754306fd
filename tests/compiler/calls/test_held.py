"""Gradients that are asked for again are known again, and see what has changed."""

from __future__ import annotations

import collections
import dataclasses
import functools
import gc
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.compiler.calls import held
from anabranch.compiler.calls.function import Compiled

X = np.array([1.0, 2.0])
SCALE = 1.0


def cube(w: Any, scale: Any = 1.0, *, shift: float = 0.0) -> Any:
    return np.sum(scale * w**3) + shift


def traces(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many traces there were since."""
    count = 0
    trace = Compiled._trace

    def counted(self: Compiled, *args: Any) -> Any:
        nonlocal count
        count += 1
        return trace(self, *args)

    monkeypatch.setattr(Compiled, "_trace", counted)
    return lambda: count


def test_the_same_function_is_known() -> None:
    assert ab.grad(cube) is ab.grad(cube)
    assert ab.value_and_grad(cube) is ab.value_and_grad(cube)
    assert ab.fwd_and_bwd(cube)[0] is ab.fwd_and_bwd(cube)[0]


@pytest.mark.parametrize(
    "options",
    [
        {"argnums": 1},
        {"argnums": (0,)},
        {"argnums": "w"},
        {"has_aux": True},
        {"holomorphic": True},
        {"backend": "reference"},
        {"static_argnames": "scale"},
    ],
)
def test_other_options_are_another(options: dict[str, Any]) -> None:
    assert ab.grad(cube) is not ab.grad(cube, **options)
    assert ab.grad(cube, **options) is ab.grad(cube, **options)


def test_an_option_that_is_none_is_refused_as_ever() -> None:
    ab.grad(cube, 1)
    wrong: Any = 1.0
    with pytest.raises(ab.ArgumentError, match="argnums"):
        ab.grad(cube, wrong)


def test_an_axis_that_is_refused_is_not_the_one_asked_for_next() -> None:
    wrong: Any = 1.0
    for axes in (wrong, 1):
        mapped = ab.vmap(cube, (axes, None))
    np.testing.assert_array_equal(mapped(np.eye(3)[:, :2], 1.0), [1.0, 1.0])


def test_options_in_a_list_are_not_held() -> None:
    gradient = ab.grad(cube, argnums=[0, 1])
    assert gradient is not ab.grad(cube, argnums=[0, 1])
    np.testing.assert_array_equal(gradient(X, 2.0)[0], 6 * X**2)


def test_gradients_of_gradients_are_known() -> None:
    def twice(x: float) -> Any:
        return ab.grad(ab.grad(lambda x: x**3))(x)

    assert twice(2.0) == 12.0
    assert ab.grad(ab.grad(cube)) is ab.grad(ab.grad(cube))


def test_fresh_lambdas_do_not_trace_again(monkeypatch: pytest.MonkeyPatch) -> None:
    count = traces(monkeypatch)
    a = np.array([3.0, 4.0])
    for _ in range(4):
        found = ab.grad(lambda w: np.sum(a * w * w))(X)
        np.testing.assert_array_equal(found, 2 * a * X)
    assert count() == 1


def test_pull_backs_do_not_trace_again(monkeypatch: pytest.MonkeyPatch) -> None:
    count = traces(monkeypatch)
    for _ in range(3):
        value, pull = ab.vjp(cube, X)
        assert value == 9.0
        np.testing.assert_array_equal(pull(1.0)[0], 3 * X**2)
    assert count() == 1


def test_a_cell_that_is_bound_anew_is_seen() -> None:
    scale = 1.0

    def gradient() -> Any:
        return ab.grad(lambda w: np.sum(scale * w))(X)[0]

    assert gradient() == 1.0
    scale = 2.0
    assert gradient() == 2.0


def test_a_content_that_changes_is_seen() -> None:
    scale, table = np.ones(2), {"a": 1.0}

    def gradient() -> Any:
        return ab.grad(lambda w: np.sum(scale * w) * table["a"])(X)

    np.testing.assert_array_equal(gradient(), [1.0, 1.0])
    scale[0] = 5.0
    np.testing.assert_array_equal(gradient(), [5.0, 1.0])
    table["a"] = 2.0
    np.testing.assert_array_equal(gradient(), [10.0, 2.0])


def test_a_global_that_is_bound_anew_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def gradient() -> Any:
        return ab.grad(lambda w: np.sum(SCALE * w))(X)[0]

    assert gradient() == 1.0
    monkeypatch.setitem(globals(), "SCALE", 7.0)
    assert gradient() == 7.0


def test_lambdas_of_other_calls_begin_with_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = traces(monkeypatch)
    a, b = np.array([3.0, 4.0]), np.array([5.0, 6.0])

    def gradient(a: Any) -> Any:
        return ab.grad(lambda w: np.sum(a * w * w))(X)

    for _ in range(3):
        np.testing.assert_array_equal(gradient(a), 2 * a * X)
    assert count() == 1
    np.testing.assert_array_equal(gradient(b), 2 * b * X)
    np.testing.assert_array_equal(gradient(a), 2 * a * X)
    assert count() == 2


def test_solvers_of_lambdas_begin_with_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = traces(monkeypatch)
    a = np.array([4.0, 9.0])

    def root(a: Any) -> Any:
        return ab.root(lambda x: x * x - a, np.ones(2)).x

    for _ in range(3):
        np.testing.assert_allclose(root(a), [2.0, 3.0])
    known = count()
    np.testing.assert_allclose(root(a / 4), [1.0, 1.5])
    np.testing.assert_allclose(root(a), [2.0, 3.0])
    assert known > 0
    assert count() == 2 * known


def test_what_is_begun_sees_its_own_cells() -> None:
    def both(scale: float) -> tuple[float, float]:
        gradient = ab.grad(lambda w: np.sum(scale * w))
        first = gradient(X)[0]
        scale += 1.0
        return first, gradient(X)[0]

    for _ in range(3):
        assert both(2.0) == (2.0, 3.0)


def test_equal_numbers_of_other_types_are_others() -> None:
    def gradient(n: Any, x: Any) -> Any:
        return ab.grad(lambda w: np.sum(w * n))(x)

    x = np.ones(2, np.float32)
    assert gradient(2, x).dtype == np.float32
    assert gradient(np.float64(2.0), x).dtype == np.float32
    assert gradient(True, X)[0] == 1.0
    assert gradient(1, X)[0] == 1.0
    assert np.signbit(gradient(-0.0, X)[0])
    assert not np.signbit(gradient(0.0, X)[0])


def test_defaults_tell_functions_apart() -> None:
    made = [ab.grad(lambda w, k=k: np.sum(k * w))(X)[0] for k in (1.0, 2.0, 1.0)]
    assert made == [1.0, 2.0, 1.0]
    made = [ab.grad(lambda w, *, k=k: np.sum(k * w))(X)[0] for k in (1.0, 2.0)]
    assert made == [1.0, 2.0]


def test_methods_are_told_apart_by_their_object() -> None:
    class Model:
        def __init__(self, scale: float) -> None:
            self.scale = scale

        def loss(self, w: Any) -> Any:
            return np.sum(self.scale * w)

    one, two = Model(1.0), Model(2.0)
    assert ab.grad(one.loss) is ab.grad(one.loss)
    assert (ab.grad(one.loss)(X)[0], ab.grad(two.loss)(X)[0]) == (1.0, 2.0)
    one.scale = 5.0
    assert ab.grad(one.loss)(X)[0] == 5.0


def test_partial_functions_are_told_apart_by_what_they_hold() -> None:
    def scaled(a: Any, w: Any, *, by: float) -> Any:
        return np.sum(by * a * w)

    def gradient(a: Any, by: float) -> Any:
        return ab.grad(functools.partial(scaled, a, by=by))

    a = np.array([3.0, 4.0])
    assert gradient(a, 2.0) is gradient(a, 2.0)
    np.testing.assert_array_equal(gradient(a, 2.0)(X), 2 * a)
    np.testing.assert_array_equal(gradient(a, 3.0)(X), 3 * a)
    np.testing.assert_array_equal(gradient(a + 1, 3.0)(X), 3 * (a + 1))


def test_wrapped_functions_are_told_apart() -> None:
    def scaled(function: Any, by: float) -> Any:
        @functools.wraps(function)
        def wrapped(w: Any) -> Any:
            return by * function(w)

        return wrapped

    assert ab.grad(scaled(cube, 2.0))(X)[0] == 6.0
    assert ab.grad(scaled(cube, 3.0))(X)[0] == 9.0


def test_code_that_is_replaced_is_seen() -> None:
    def loss(w: Any) -> Any:
        return np.sum(w)

    assert ab.grad(loss)(X)[0] == 1.0
    loss.__code__ = (lambda w: np.sum(2 * w)).__code__
    assert ab.grad(loss)(X)[0] == 2.0


def test_inside_of_a_trace_nothing_is_held() -> None:
    seen: list[weakref.ref[Any]] = []

    @ab.jit
    def outer(x: Any) -> Any:
        def inner(w: Any) -> Any:
            return np.sum(w * x)

        seen.append(weakref.ref(inner))
        return ab.grad(inner)(x)

    for x in (X, np.ones(3)):
        np.testing.assert_array_equal(outer(x), x)
    gc.collect()
    assert [ref() for ref in seen] == [None] * len(seen)


def test_what_is_only_called_inside_of_a_trace_is_not_compiled() -> None:
    square = ab.jit(lambda x: x * x)
    outer = ab.jit(lambda x: square(x) + square(x + 1) + square(x + 2))
    np.testing.assert_allclose(outer(X), X**2 + (X + 1) ** 2 + (X + 2) ** 2)
    assert square.kept_bytes() == 0
    assert not square._callers


def test_a_variable_that_is_not_bound_yet() -> None:
    gradient = ab.grad(lambda w: np.sum(w * later))
    later = 3.0
    assert gradient(X)[0] == 3.0


def test_the_table_is_bounded_and_can_be_emptied() -> None:
    refs: list[weakref.ref[Any]] = []

    def ask(n: int) -> None:
        names: dict[str, Any] = {}
        exec(f"def f(w):\n    return w * {n}.0", names)
        refs.append(weakref.ref(names["f"]))
        ab.grad(names["f"])

    for n in range(300):
        ask(n)
    gc.collect()
    alive = sum(ref() is not None for ref in refs)
    assert 0 < alive <= 256
    ab.clear_caches()
    gc.collect()
    assert all(ref() is None for ref in refs)


def test_threads_share_them() -> None:
    wrong: list[Any] = []

    def work(n: int) -> None:
        for _ in range(50):
            found = ab.grad(lambda w: np.sum(n * w))(X)[0]
            if found != n:
                wrong.append((n, found))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_identity_that_is_used_again_is_no_match() -> None:
    """An object that is gone may have left its identity to another."""

    def gradient(items: list[float]) -> Any:
        return ab.grad(lambda w: np.sum(items[0] * w))(X)[0]

    for n in range(50):
        assert gradient([float(n)]) == n


def test_what_is_held_is_documented_to_go() -> None:
    first = ab.grad(cube)
    ab.clear_caches()
    assert ab.grad(cube) is not first
    assert held.held(cube, [], lambda: first) is first  # type: ignore[arg-type]


# What no watch tells of is not held.


@dataclasses.dataclass(slots=True)
class Slotted:
    scale: float


class Computed:
    def __init__(self) -> None:
        self.__dict__["_held"] = {"scale": 1.0}

    def __getattr__(self, name: str) -> Any:
        return self._held[name]

    def __setattr__(self, name: str, value: float) -> None:
        self._held[name] = value


def test_what_can_change_unseen_is_not_held() -> None:
    slotted, computed, queue = Slotted(1.0), Computed(), collections.deque([1.0])
    large, attributes = np.ones(1000), types.SimpleNamespace(scale=1.0)

    def by_attribute(w: Any) -> Any:
        return by_attribute.scale * np.sum(w)  # type: ignore[attr-defined]

    def by_name(w: Any) -> Any:
        return getattr(attributes, "sca" + "le") * np.sum(w)

    for scale in (1.0, 2.0, 3.0):
        slotted.scale = computed.scale = queue[0] = large[7] = scale
        by_attribute.scale = attributes.scale = scale  # type: ignore[attr-defined]
        for function in (
            lambda w: slotted.scale * np.sum(w),
            lambda w: computed.scale * np.sum(w),
            lambda w: queue[0] * np.sum(w),
            lambda w: large[7] * np.sum(w),
            by_attribute,
            by_name,
        ):
            assert ab.grad(function)(X)[0] == scale


def test_functions_of_installed_packages_are_not_held(tmp_path: Path) -> None:
    file = tmp_path / "site-packages" / "package.py"
    file.parent.mkdir()
    file.write_text(
        "import numpy as np\n"
        "def losses(scales):\n"
        "    for scale in scales:\n"
        "        yield lambda w: scale * np.sum(w)\n"
    )
    names: dict[str, Any] = {"__name__": "package"}
    exec(compile(file.read_text(), str(file), "exec"), names)
    found = [ab.grad(loss)(X)[0] for loss in names["losses"]([1.0, 2.0])]
    assert found == [1.0, 2.0]


def test_defaults_that_are_replaced_change_the_key() -> None:
    def made(scale: float) -> Any:
        def loss(w: Any, scale: float = scale) -> Any:
            return scale * np.sum(w)

        return loss

    first = made(1.0)
    ab.grad(first)(X)
    first.__defaults__ = (5.0,)
    assert ab.grad(made(1.0))(np.ones(3))[0] == 1.0


def test_few_closures_are_kept_alive() -> None:
    class Data:
        """What a function may hold, however large it is."""

    alive: list[weakref.ref[Data]] = []

    def fit() -> None:
        data = Data()
        alive.append(weakref.ref(data))
        ab.grad(lambda w: np.sum(w) * len(repr(data)))

    for _ in range(40):
        fit()
    gc.collect()
    assert sum(ref() is not None for ref in alive) <= 18
