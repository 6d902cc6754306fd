"""Arguments and results are pytrees, and inputs have the names of their paths."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pytest

import anabranch

X = np.array([1.0, 2.0])


class Point(NamedTuple):
    x: Any
    y: Any


class Layer(NamedTuple):
    w: Any
    b: Any


@dataclass
class Model:
    w: Any
    layers: list[Any] = field(default_factory=list[Any])


@dataclass(frozen=True)
class Frozen:
    w: Any
    b: Any = None


@dataclass(slots=True)
class Slotted:
    w: Any


@dataclass(frozen=True)
class Checked:
    """Its constructor computes; the pytree goes around it."""

    w: Any
    doubled: Any = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "doubled", self.w * 2)


TREES = [
    X,
    2.5,
    {"a": X, "b": 1.0},
    {"b": X, "a": {"c": X, "d": [X, X]}},
    [X, 2.0, [X]],
    (X, (X,), ((), X)),
    Point(X, 2.0),
    Layer(X, None),
    None,
    (),
    [],
    {},
    (None, X, None),
    {"a": None, "b": (), "c": X},
    Model(X, [X, Layer(X, 3.0)]),
    Frozen(X),
    Frozen({"deep": Frozen(X, 2.0)}, [Frozen(X)]),
    Slotted(X),
    Checked(X),
    OrderedDict([("z", X), ("a", 2.0)]),
    {1: X, 2: 3.0},
    {("a", 1): X},
]


def doubled(tree):
    """The same tree with everything doubled, by hand."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return type(tree)((key, doubled(value)) for key, value in tree.items())
    if isinstance(tree, (list, tuple)):
        items = [doubled(value) for value in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if not is_dataclass(tree):
        return tree * 2
    made = object.__new__(type(tree))
    for part in fields(tree):
        object.__setattr__(made, part.name, doubled(getattr(tree, part.name)))
    return made


def assert_equal_trees(made, expected):
    if isinstance(expected, (np.ndarray, float, int)):
        np.testing.assert_array_equal(made, expected)
        return
    assert type(made) is type(expected)
    if isinstance(expected, dict):
        assert made.keys() == expected.keys()
        for key in expected:
            assert_equal_trees(made[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(made) == len(expected)
        for one, other in zip(made, expected, strict=True):
            assert_equal_trees(one, other)
    elif expected is not None:
        for part in fields(expected):
            assert_equal_trees(getattr(made, part.name), getattr(expected, part.name))


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_structure_comes_back(backend, tree):
    assert_equal_trees(anabranch.jit(doubled, backend=backend)(tree), doubled(tree))


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_as_one_of_several_arguments(backend, tree):
    compiled = anabranch.jit(lambda x, p, *, k: (doubled(p), x, k), backend=backend)
    made = compiled(X, tree, k=tree)
    assert_equal_trees(made, (doubled(tree), X, tree))


def test_same_value_twice(backend):
    """Two arrays come back, not one."""
    first, second = anabranch.jit(lambda x: (x, x), backend=backend)(X)
    assert first is not second
    assert_equal_trees((first, second), (X, X))


def test_argument_unused_or_without_leaves(backend):
    assert anabranch.jit(lambda x, p: 3.0, backend=backend)(X, ()) == 3.0
    assert anabranch.jit(lambda: 3.0, backend=backend)() == 3.0
    assert anabranch.jit(lambda: (), backend=backend)() == ()
    assert anabranch.jit(lambda x: None, backend=backend)(X) is None


def test_constants_in_the_result(backend):
    def function(x):
        return {"x": x, "n": 3, "f": 0.5, "b": True}

    made = anabranch.jit(function, backend=backend)(X)
    assert (made["n"], made["f"], made["b"]) == (3, 0.5, True)


def test_default_dict(backend):
    counts = defaultdict(float, a=1.0)
    made = anabranch.jit(lambda d: {"a": d["a"] + 1}, backend=backend)(counts)
    assert made == {"a": 2.0}


def test_order_of_keys_is_kept(backend):
    """A function may depend on it, so each order is a signature of its own."""

    def ranked(d):
        return sum(rank * value for rank, value in enumerate(d.values()))

    compiled = anabranch.jit(ranked, backend=backend)
    for d in ({"a": 1.0, "b": 10.0}, {"b": 10.0, "a": 1.0}):
        assert compiled(d) == ranked(d)


def test_another_structure_is_another_kind(backend):
    compiled = anabranch.jit(lambda p: len(p), backend=backend)
    assert compiled([X, X]) == 2
    assert compiled((X, X, X)) == 3
    assert compiled({"a": X}) == 1
    assert compiled.compile_count == 3


def test_same_fields_of_another_class(backend):
    compiled = anabranch.jit(lambda p: type(p).__name__ == "Layer", backend=backend)
    assert compiled(Layer(X, X))
    assert not compiled(Point(X, X))


def test_local_dataclass(backend):
    """Classes made again and again are classes of their own."""
    for factor in (2.0, 3.0):

        @dataclass
        class Local:
            w: Any

        compiled = anabranch.jit(lambda p, f=factor: Local(p.w * f), backend=backend)
        made = compiled(Local(X))
        assert type(made) is Local
        np.testing.assert_array_equal(made.w, X * factor)


def test_dataclass_with_what_is_no_array(backend):
    with pytest.raises(anabranch.ArgumentError, match=r"argument p\.b is a object"):
        anabranch.jit(lambda p: p.w, backend=backend)(Frozen(X, object()))


def names(function, *args, **kwargs):
    return [node.name for node in anabranch.make_ir(function)(*args, **kwargs).inputs]


def test_names_of_inputs():
    def function(x, W, *rest, scale, **more):
        return x

    assert names(function, X, X, scale=X) == ["x", "W", "scale"]
    assert names(function, X, X, X, X, scale=X)[2:] == ["rest_0", "rest_1", "scale"]
    assert names(function, X, X, extra=X, scale=X) == ["x", "W", "extra", "scale"]


def test_names_of_paths():
    blocks = [{"attn": {"w": X}}, {"attn": {"w": X}}]
    assert names(lambda blocks: 0, blocks) == ["blocks.0.attn.w", "blocks.1.attn.w"]
    assert names(lambda p: 0, {"W0": X, "b0": X}) == ["p.W0", "p.b0"]
    assert names(lambda p: 0, Model(X, [Layer(X, X)])) == [
        *("p.w", "p.layers.0.w", "p.layers.0.b")
    ]
    assert names(lambda p: 0, (X, None, (X,))) == ["p.0", "p.2.0"]


KEYS = ["a b", "a.b", "%", "", "bar", "bar1", "0", "é", "a\nb", "'", "x" * 300, 3]


@pytest.mark.parametrize("key", KEYS)
def test_names_of_odd_keys(key):
    """Every graph prints and parses, whatever the keys are; no name is taken twice."""
    graph = anabranch.make_ir(lambda p: p[key] * 2)({key: X, "a_b": X})
    assert len({node.name for node in graph.inputs}) == 2
    assert anabranch.parse(graph.as_text()) == graph


def test_names_of_results():
    graph = anabranch.make_ir(lambda x: {"loss": x.sum(), "aux": (x, [x])})(X)
    assert [output.label for output in graph.outputs] == ["loss", "aux.0", "aux.1.0"]


def test_names_of_assigned_values():
    def function(x):
        hidden = np.tanh(x)
        out = hidden * 2
        return out

    text = anabranch.make_ir(function)(X).as_text()
    assert "%hidden = tanh(%x)" in " ".join(text.split())
    assert "%out = mul(%hidden," in " ".join(text.split())


class Elsewhere:
    """No pytree, and without a hash."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self):
        self.factor = 3.0


@dataclass
class Prepared:
    """An instance that holds more than its fields."""

    w: Any

    def __post_init__(self):
        self.count = len(self.w)
        self.name = "prepared"
        self.tags = ["a", "b"]
        self.scale = self.w * 0.5
        self.parts = {"first": Layer(self.w[0], None)}
        self.elsewhere = Elsewhere()

    @cached_property
    def squared(self):
        return self.w * self.w


def weighed(m):
    assert m.name == "prepared"
    assert m.tags == ["a", "b"]
    total = m.squared.sum() + m.parts["first"].w
    for _ in range(m.count):
        total = total + (m.w * m.scale).sum() * m.elsewhere.factor
    return total


class TestWhatPostInitSet:
    """``__post_init__`` is not run again, and what it set is there."""

    @pytest.mark.parametrize("cached", [False, True], ids=["", "cached"])
    def test_the_function_sees_it(self, backend, cached):
        model = Prepared(X)
        expected = weighed(Prepared(X))
        if cached:
            assert model.squared is not None
        compiled = anabranch.jit(weighed, backend=backend)
        assert [compiled(model) for _ in range(4)] == [expected] * 4
        assert compiled.compile_count == 1

    def test_a_cached_property_is_computed_of_what_is_traced(self, backend):
        model = Prepared(X)
        assert model.squared is not None
        made = anabranch.grad(lambda m: m.squared.sum(), backend=backend)(model)
        np.testing.assert_array_equal(made.w, 2 * X)

    def test_arrays_are_leaves_of_their_own(self, backend):
        gradient = anabranch.grad(lambda m: (m.w * m.scale).sum(), backend=backend)
        model = Prepared(X)
        for _ in range(2):
            made = gradient(model)
            np.testing.assert_array_equal(made.w, model.scale)
            np.testing.assert_array_equal(made.scale, model.w)
            assert (made.name, made.count) == ("prepared", 2)
            model.scale = model.scale + 1  # the same kind, other values
        assert gradient.compile_count == 1
        assert names(lambda m: 0, model) == ["m.w", "m.scale", "m.parts.first.w"]

    def test_all_else_is_static(self, backend):
        compiled = anabranch.jit(lambda m: m.w * m.count, backend=backend)
        model: Any = Prepared(X)
        for count in (2, 3, 3.0, 2):
            model.count = count
            np.testing.assert_array_equal(compiled(model), X * count)
        assert compiled.compile_count == 3

    def test_results_bring_it_too(self, backend):
        compiled = anabranch.jit(Prepared, backend=backend)
        for _ in range(3):
            made = compiled(X * 2)
            np.testing.assert_array_equal(made.scale, X)
            np.testing.assert_array_equal(made.parts["first"].w, 2.0)
            assert (made.name, made.count, made.tags) == ("prepared", 2, ["a", "b"])

    def test_what_leads_back_is_no_leaf(self, backend):
        @dataclass
        class Child:
            w: Any

        @dataclass
        class Parent:
            children: Any

            def __post_init__(self):
                for child in self.children:
                    child.parent = self

        parent = Parent([Child(X) for _ in range(20)])
        compiled = anabranch.jit(
            lambda p: sum(c.w for c in p.children), backend=backend
        )
        np.testing.assert_array_equal(compiled(parent), 20 * X)
        np.testing.assert_array_equal(compiled(parent), 20 * X)
        assert compiled.compile_count == 1
