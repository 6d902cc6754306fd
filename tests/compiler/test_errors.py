"""What tracing cannot follow is an error of ours: the user's line and a way out."""

from __future__ import annotations

import math
import re
import sys
import warnings

import numpy as np
import pytest
from scipy.special import mathieu_a, mathieu_b

import anabranch
from anabranch import ArgumentError, ConcretizationError, TraceError, UnsupportedError

X = np.array([1.0, -2.0, 3.0])
HERE = re.escape(__file__)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    MATRIX = np.matrix([[1.0, 2.0]])


def branches(x):
    return x if x.sum() > 0 else -x


def loops(x):
    while x[0] < 10:
        x = x * 2
    return x


def asserts(x):
    assert x[0] > 0
    return x


def smaller(x):
    return min(x[0], x[1])


def members(x):
    return x[0] in [x[1], 2.0]


def chained(x):
    return 0 < x[0] < 2


def negated(x):
    return not x[0]


def counts(x):
    return list(range(x.astype(int)[0]))


def formatted(x):
    return f"{x[0]:.2f}"


CONCRETE = {
    branches: r"np\.where",
    loops: r"np\.where",
    asserts: r"np\.where",
    smaller: r"np\.where",
    members: r"np\.where",
    chained: r"&",
    negated: "static",
    counts: "static",
    formatted: "after the call",
    lambda x: bool(x[0]): "static",
    lambda x: int(x[0]): "astype",
    lambda x: float(x[0]): r"np\.sin",
    lambda x: complex(x[0]): "complex",
    lambda x: math.sin(x[0]): r"np\.sin",
    lambda x: np.asarray(x): r"np\.stack",
    lambda x: np.array(x): r"np\.stack",
    lambda x: np.array([x[0], x[1]]): r"np\.stack",
    lambda x: np.asarray([x, x]): r"np\.stack",
    lambda x: np.sum([x[0], 1.0]): r"np\.",
    lambda x: np.zeros(x.astype(int)[0]): "static",
    lambda x: [1, 2, 3][x.astype(int)[0]]: "static",
    lambda x: X[x.astype(int)]: "argument",
    lambda x: np.float64(x[0]): r"np\.stack",
    lambda x: math.floor(x[0]): r"np\.sin",
}


@pytest.mark.parametrize(("function", "hint"), CONCRETE.items())
def test_value_of_a_traced_array(backend, function, hint):
    """Nothing is ever decided by the values of the first call."""
    compiled = anabranch.jit(function, backend=backend, rewrite=False)
    with pytest.raises(ConcretizationError, match=hint) as raised:
        compiled(X)
    assert re.search(rf"{HERE}:\d+: ", str(raised.value))
    assert raised.value.source is not None
    line = raised.value.source.line
    first = function.__code__.co_firstlineno
    assert first <= line <= first + 3
    assert isinstance(raised.value, TypeError)


def test_next_call_works(backend):
    """Also of the same function, for arguments that it can take."""

    def function(x, flag):
        return x * 2 if flag else x

    compiled = anabranch.jit(function, backend=backend, static_argnames="flag")
    with pytest.raises(ConcretizationError):
        anabranch.jit(function, backend=backend, rewrite=False)(X, np.float64(1))
    np.testing.assert_array_equal(compiled(X, True), X * 2)
    np.testing.assert_array_equal(compiled(X, False), X)


A, B = "scipy.special.mathieu_a", "scipy.special.mathieu_b"


def test_all_unsupported_calls_are_listed_at_once(backend):
    def function(x):
        y = mathieu_a(x, 1)
        z = np.frexp(np.outer(y, y))[0]
        return mathieu_b(z, 1.0)[0] + np.exp(x)[0]

    with pytest.raises(UnsupportedError) as raised:
        anabranch.jit(function, backend=backend)(X)
    text = str(raised.value)
    first = function.__code__.co_firstlineno
    for name, line in (
        ("scipy.special.mathieu_a", 1),
        ("np.frexp", 2),
        ("scipy.special.mathieu_b", 3),
    ):
        assert re.search(rf"{re.escape(name)} +{HERE}:{first + line}: ", text)
    assert text.count(__file__) == 3
    assert "`anabranch docs functions`" in text


def test_each_line_of_unsupported_calls_is_shown_once(backend):
    def function(x):
        y = x
        for _ in range(3):
            y = mathieu_a(x, 1) + mathieu_b(x, 1) + mathieu_a(y, 1)
        return np.frexp(mathieu_a(y, 1))

    with pytest.raises(UnsupportedError) as raised:
        anabranch.jit(function, backend=backend)(X)
    first = function.__code__.co_firstlineno
    lines = [line.strip() for line in str(raised.value).splitlines()]
    assert lines[1].startswith(f"{A}, {B}   {__file__}:{first + 3}: y = ")
    assert lines[2].startswith(f"{A}, np.frexp   {__file__}:{first + 4}: return")
    assert lines[3].startswith("hint: ")
    assert len(lines) == 4


def test_an_unsupported_argument_has_its_line(backend):
    with pytest.raises(UnsupportedError) as raised:
        anabranch.jit(lambda x: np.polyfit(X, x, 1, full=True), backend=backend)(X)
    assert str(raised.value).count(__file__) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.gcd(x.astype(int), 2),
        lambda x: np.frexp(x),
        lambda x: mathieu_a(x, 1),
        lambda x: mathieu_b(x, 1.0),
    ],
)
def test_unsupported_function(backend, function):
    with pytest.raises(UnsupportedError, match=HERE):
        anabranch.jit(function, backend=backend)(X)


def test_unsupported_functions_have_no_effect(backend, tmp_path):
    """They are tried on ones, but not if they write."""
    path, z = tmp_path / "x.npy", np.zeros(3)
    with pytest.raises(UnsupportedError, match=r"np\.save "):
        anabranch.jit(lambda x: np.save(path, x), backend=backend)(X)
    assert not path.exists()
    with pytest.raises(TraceError, match=r"np\.copyto .* a real array"):
        anabranch.jit(lambda x: np.copyto(z, x), backend=backend)(X)
    assert not z.any()


@pytest.mark.parametrize(
    "name",
    ["tobytes", "resize", "strides", "flags", "data", "setfield"],
)
def test_attribute_that_traced_arrays_lack(backend, name):
    with pytest.raises(TraceError, match=rf"\.{name}[\s\S]*{HERE}"):
        anabranch.jit(lambda x: getattr(x, name), backend=backend)(X)


def test_attribute_that_no_array_has(backend):
    with pytest.raises(AttributeError, match="wight"):
        anabranch.jit(lambda x: x.wight, backend=backend)(X)
    anabranch.jit(lambda x: x * (2 if hasattr(x, "wight") else 1), backend=backend)(X)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.mean(x, out=np.zeros(())),
        lambda x: np.add(x, 1, where=[True, False, True]),
        lambda x: np.concatenate([x, x], out=np.zeros(6)),
        lambda x: np.einsum("i->", x, dtype=np.float32),
        lambda x: np.matmul(x, x, dtype=np.float32),
        lambda x: np.clip(x, 0, 1, dtype=np.float32),
        lambda x: np.cumsum(x, out=np.zeros(3)),
        lambda x: np.cumsum(x, 0, None, np.zeros(3)),
        lambda x: np.trace(np.outer(x, x), dtype=np.float32),
    ],
)
def test_unsupported_argument(backend, function):
    with pytest.raises(TraceError, match=HERE):
        anabranch.jit(function, backend=backend, rewrite=False)(X)


def test_shapes_are_both_in_the_message(backend):
    compiled = anabranch.jit(lambda x, y: x + y, backend=backend)
    with pytest.raises(
        anabranch.ShapeError, match=rf"f64\[3\][\s\S]*f64\[4\][\s\S]*{HERE}"
    ):
        compiled(X, np.ones(4))
    assert compiled(X, X).tolist() == [2.0, -4.0, 6.0]


@pytest.mark.parametrize(
    "argument",
    [
        MATRIX,
        np.ma.masked_array([1.0, 2.0], [True, False]),
        np.rec.array([(1.0, 2)], dtype=[("a", "f8"), ("b", "i4")]),
        np.ones(2, np.longdouble),
        np.array([1, "a"], object),
        np.array(["a", "b"]),
        np.array([b"a"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.array([1], "m8[s]"),
        np.zeros(2, [("a", "f8")]),
        object(),
        {1, 2},
        np.random.default_rng(0),
        [1, [2, object()]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_argument_of_the_wrong_kind(backend, argument):
    """Refused by name, before anything is compiled, and again the next time."""

    def function(p):
        return p

    compiled = anabranch.jit(function, backend=backend)
    for _ in range(2):
        with pytest.raises(ArgumentError, match=r"argument p\b") as raised:
            compiled(argument)
        assert isinstance(raised.value, TypeError)
        assert raised.value.hint
    assert compiled.compile_count == 0
    assert compiled(2.0) == 2.0


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**70])
def test_integer_beyond_int64(backend, value):
    """NumPy would take uint64 or an object."""
    with pytest.raises((OverflowError, ArgumentError)):
        anabranch.jit(lambda n: n + 1, backend=backend)(value)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.clongdouble, object, str, "M8[s]", np.longdouble, "V8"]
)
def test_dtype_without_place_in_the_ir(backend, dtype):
    with pytest.raises(anabranch.DTypeError, match=rf"not supported[\s\S]*{HERE}"):
        anabranch.jit(lambda x: x.astype(dtype), backend=backend)(X)


@pytest.mark.parametrize(
    "captured",
    [
        MATRIX,
        np.ma.masked_array([1.0], [True]),
        np.ones(3, np.float16),
    ],
    ids=lambda value: type(value).__name__,
)
def test_captured_of_the_wrong_kind(backend, captured):
    with pytest.raises(TypeError) as raised:
        anabranch.jit(lambda x: x * captured, backend=backend)(X)
    assert isinstance(raised.value, anabranch.AnabranchError)
    assert re.search(HERE, str(raised.value))


@pytest.mark.parametrize("result", ["text", object(), {1, 2}, MATRIX])
def test_result_of_the_wrong_kind(backend, result):
    with pytest.raises(TypeError, match="returned a") as raised:
        anabranch.jit(lambda x: (x, result), backend=backend)(X)
    assert isinstance(raised.value, anabranch.AnabranchError)


def test_errors_of_the_function_itself_pass_through(backend):
    class Own(Exception):
        pass

    def function(x):
        raise Own("mine")

    compiled = anabranch.jit(function, backend=backend)
    with pytest.raises(Own, match=r"^mine$"):
        compiled(X)
    with pytest.raises(ZeroDivisionError):
        anabranch.jit(lambda x: x * (1 // 0), backend=backend)(X)


def test_numpys_own_errors_get_the_line(backend):
    with pytest.raises(np.exceptions.AxisError) as raised:
        anabranch.jit(lambda x: np.sum(x, axis=3), backend=backend)(X)
    assert any(re.search(HERE, note) for note in raised.value.__notes__)


def test_traced_value_kept_from_an_earlier_call(backend):
    kept = []

    def first(x):
        kept.append(x * 2)
        return x

    anabranch.jit(first, backend=backend)(X)
    with pytest.raises(TraceError, match="outside of its call"):
        anabranch.jit(lambda y: y + kept[0], backend=backend)(X)
    with pytest.raises(TraceError, match="outside of its call"):
        np.exp(kept[0])
    with pytest.raises(TraceError, match="outside of its call"):
        anabranch.jit(lambda y: kept[0], backend=backend)(X)


def test_deep_recursion_is_an_ordinary_error(backend):
    def endless(x):
        return endless(x + 1)

    limit = sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        anabranch.jit(endless, backend=backend)(X)
    assert sys.getrecursionlimit() == limit
    assert anabranch.jit(lambda x: x + 1, backend=backend)(X)[0] == 2.0


def test_wrong_number_of_arguments(backend):
    compiled = anabranch.jit(lambda x, y: x + y, backend=backend)
    with pytest.raises(TypeError, match=r"missing|argument"):
        compiled(X)
    with pytest.raises(TypeError, match="z"):
        compiled(X, X, z=X)
    assert compiled(X, X)[0] == 2.0


@pytest.mark.parametrize("function", [None, 3, "f", np.ones(2)])
def test_not_a_function(function):
    with pytest.raises(ArgumentError, match="not a function"):
        anabranch.jit(function)


def test_backend_that_does_not_exist():
    with pytest.raises(ArgumentError, match="llvm, numba, reference"):
        anabranch.jit(lambda x: x, backend="cuda")
