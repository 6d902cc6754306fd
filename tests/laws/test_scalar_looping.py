"""Scalar loops: one kernel does what the interpreter does, bit for bit but for sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.emit import loop as driver
from anabranch.backends.llvm.emit import scalar_passes
from anabranch.backends.llvm.run.executable import LLVMExecutable, prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse
from tests.scalar_looping import ScalarLooping, scalar_looping

SEEDS = range(120)
Monkey = pytest.MonkeyPatch


def is_one_kernel(run: LLVMExecutable) -> bool:
    return not any(step.branches for step in run.plan.steps)


def assert_same(found: list[Any], expected: list[Any], sums: bool, seed: int) -> None:
    """Equal bits; floats to rounding where some of them are sums in any order."""
    for one, other in zip(found, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        is_float = one.dtype.kind == "f"
        if sums and is_float:
            np.testing.assert_allclose(one, other, rtol=1e-4, err_msg=f"seed {seed}")
        else:
            same = np.array_equal(one, other, equal_nan=is_float)
            assert same, f"seed {seed}: {one}, not {other}"


def check(made: ScalarLooping, seed: int) -> LLVMExecutable:
    graph = optimise(made.graph, "llvm")
    run = prepare(graph)
    kept = [x.copy() for x in made.point]
    with np.errstate(all="ignore"):
        expected = interpret(made.graph, made.point)
    sums = any("reassociated_add" in source for source in run.sources)
    for _ in range(2):
        assert_same(run(made.point), expected, sums, seed)
    for x, before in zip(made.point, kept, strict=True):
        assert x.tobytes() == before.tobytes()
    return run


def test_random_loops_do_what_the_interpreter_does() -> None:
    whole = sum(is_one_kernel(check(scalar_looping(seed), seed)) for seed in SEEDS)
    assert whole > 0.9 * len(SEEDS)


def test_short_loops_in_lanes_do_the_same(monkeypatch: Monkey) -> None:
    """As if lanes were worth it for any number of iterations."""
    monkeypatch.setattr(scalar_passes, "FEW", 0)
    texts = ""
    for seed in SEEDS[::2]:
        texts += "".join(check(scalar_looping(seed), seed).sources)
    loops = [text for text in texts.split("def kernel") if " in range(" in text]
    assert any(" in lanes(" in text for text in loops)


def test_the_driver_loop_does_the_same(monkeypatch: Monkey) -> None:
    monkeypatch.setattr(driver, "scalar_loop", lambda *_: None)
    for seed in SEEDS[::4]:
        run = check(scalar_looping(seed), seed)
        assert not is_one_kernel(run)


def kinds(graph: Graph) -> set[str]:
    found = {node.op for node in graph}
    for node in graph:
        found |= {key for key in node.attrs if node.attrs[key] is True}
        if node.op == "loop":
            found.add(f"{node.attrs['trips']} trips")
        for region in node.regions:
            found |= {f"{kind} inside" for kind in kinds(region)}
    return found


def test_all_kinds_of_bodies_are_judged() -> None:
    found: set[str] = set()
    for seed in SEEDS:
        found |= kinds(scalar_looping(seed).graph)
    wanted = {"limit", "test", "reverse", "0 trips", "1 trips"}
    inner = ("loop", "cond", "slice_at", "update_at", "add_at", "cast", "select")
    assert wanted | {f"{op} inside" for op in inner} <= found
    assert {"loop inside inside", "update_at inside inside"} <= found


def sweep(u: Any) -> Any:
    """Each element the mean of what is around it, one after the other."""
    n = u.shape[0]

    def step(i: Any, u: Any) -> Any:
        u = u.copy()
        u[i + 1] = (u[i] + u[i + 2]) / 2
        return u

    return anabranch.fori_loop(0, n - 2, step, u)


def test_a_new_size_compiles_nothing() -> None:
    compiled = anabranch.jit(sweep)
    kernels: list[list[str]] = []
    for size in (20, 31):
        compiled(np.arange(float(size)) ** 2)
        run = compiled._newest().runner("llvm")
        assert isinstance(run, LLVMExecutable)
        assert is_one_kernel(run)
        kernels.append(run.sources)
    assert kernels[0] == kernels[1]


def test_what_is_stored_is_carried_to_the_next_iteration() -> None:
    compiled = anabranch.jit(sweep)
    x = np.random.default_rng(0).normal(size=9)
    expected = x.copy()
    for i in range(7):
        expected[i + 1] = (expected[i] + expected[i + 2]) / 2
    np.testing.assert_array_equal(compiled(x), expected)
    run = compiled._newest().runner("llvm")
    assert isinstance(run, LLVMExecutable)
    (loop,) = [source for source in run.sources if "range" in source]
    body = loop.partition(" in range(")[2]
    assert body.count(" = m0[") == 1  # one load where the program has two


def test_no_iteration_reads_nothing_outside() -> None:
    """What is loaded in front of a loop is loaded only if there is an iteration."""
    graph = parse(
        "graph f(%n: i64[], %far: i64[], %x: f64[8]) {\n"
        "  %y = loop(%n, %far, %x) {trips=9, carried=1, limit=True} : f64[8]:\n"
        "    body(%t: i64[], %far: i64[], %u: f64[8]) {\n"
        "      %i = add(%far, %t) : i64[]\n"
        "      %a = slice_at(%u, %i) "
        "{axes=(0,), start=(-1,), step=(1,), shape=(1,)} : f64[1]\n"
        "      %v = update_at(%u, %a, %i) {axes=(0,), start=(0,), step=(1,)} : f64[8]\n"
        "      return %v\n"
        "    }\n"
        "  return %y\n"
        "}"
    )
    run = prepare(optimise(graph, "llvm"))
    x = np.arange(8.0)
    nowhere = np.asarray(2**50)
    (found,) = run([np.asarray(0), nowhere, x])
    np.testing.assert_array_equal(found, x)
    (found,) = run([np.asarray(3), np.asarray(2), x])
    np.testing.assert_array_equal(found, [0, 1, 1, 1, 1, 5, 6, 7])


def test_a_check_in_a_kernel_names_the_users_line() -> None:
    def walk(x: Any, start: Any) -> Any:
        return anabranch.fori_loop(0, 5, lambda i, total: total + x[start + 2 * i], 0.0)

    compiled = anabranch.jit(walk)
    x = np.arange(10.0)
    assert compiled(x, 1) == 25.0
    run = compiled._newest().runner("llvm")
    assert isinstance(run, LLVMExecutable)
    assert is_one_kernel(run)
    assert "return v" in "".join(run.sources)
    with pytest.raises(IndexError, match="out of bounds") as caught:
        compiled(x, 2)
    assert "test_scalar_looping.py" in str(caught.value)
    assert "x[start + 2 * i]" in str(caught.value)


def test_integers_wrap_where_positions_are_proved() -> None:
    """A congruential generator: what wraps has no bounds."""

    def walk(seed: Any) -> Any:
        def step(_: Any, s: Any) -> Any:
            return (s * 6364136223846793005 + 1442695040888963407) % 1000003

        return anabranch.fori_loop(0, 50, step, seed)

    s = np.int64(12345)
    with np.errstate(over="ignore"):
        for _ in range(50):
            s = (s * np.int64(6364136223846793005) + np.int64(1442695040888963407)) % (
                np.int64(1000003)
            )
    assert anabranch.jit(walk)(np.int64(12345)) == s


@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize("start", [0, 2])
def test_stores_at_known_places_are_part_of_the_kernel(size: int, start: int) -> None:
    """Into what a loop stacked, of which the value before the store is read as well."""

    def function(x: Any) -> Any:
        def step(i: Any, total: Any) -> Any:
            rows = anabranch.map(lambda y: y * (i + total), x)
            kept = rows.copy()
            rows[start] -= 3.0
            return np.tanh(total + kept @ rows / 50)

        return anabranch.fori_loop(0, 20, step, x[0])

    compiled = anabranch.jit(function)
    x = np.random.default_rng(size).normal(size=size)
    expected = x[0]
    for i in range(20):
        rows = x * (i + expected)
        kept = rows.copy()
        rows[start] -= 3.0
        expected = np.tanh(expected + kept @ rows / 50)
    np.testing.assert_allclose(compiled(x), expected, rtol=1e-12)


def test_a_loop_begins_with_an_element_of_what_is_written() -> None:
    """The element is a number then, and no place that the loop writes over."""

    def function(x: Any) -> Any:
        def step(i: Any, u: Any) -> Any:
            u = u.copy()
            u[i] = np.sin(u[i])
            top = anabranch.fori_loop(
                0, 20, lambda k, best: np.maximum(best, u[k]), u[0]
            )
            u[19 - i] += top
            return u

        return anabranch.fori_loop(0, 20, step, x)

    compiled = anabranch.jit(function)
    x = np.random.default_rng(0).normal(size=20)
    expected = x.copy()
    for i in range(20):
        expected[i] = np.sin(expected[i])
        expected[19 - i] += expected.max()
    np.testing.assert_allclose(compiled(x), expected, rtol=1e-12)
    run = compiled._newest().runner("llvm")
    assert isinstance(run, LLVMExecutable)
    assert is_one_kernel(run)


def test_a_store_into_many_elements_needs_no_kernel_of_its_own() -> None:
    graph = parse(
        "graph f(%x: f64[40], %s: f64[]) {\n"
        "  %y = loop(%x, %s) {trips=9, carried=1} : f64[]:\n"
        "    body(%t: i64[], %x: f64[40], %c: f64[]) {\n"
        "      %r = loop(%c, %x) {trips=40, stacked=1} : f64[40]:\n"
        "        body(%k: i64[], %c: f64[], %e: f64[]) {\n"
        "          %m = mul(%c, %e) : f64[]\n"
        "          %w = sin(%m) : f64[]\n"
        "          return %w\n"
        "        }\n"
        "      %a = reshape(%c) {shape=(1,)} : f64[1]\n"
        "      %v = update(%r, %a) {start=(1,), step=(1,)} : f64[40]\n"
        "      %z = loop(%c, %v, %r) {trips=40, carried=1, stacked=2} : f64[]:\n"
        "        body(%k: i64[], %d: f64[], %p: f64[], %q: f64[]) {\n"
        "          %m = mul(%p, %q) : f64[]\n"
        "          %n = add(%d, %m) : f64[]\n"
        "          return %n\n"
        "        }\n"
        "      %h = tanh(%z) : f64[]\n"
        "      return %h\n"
        "    }\n"
        "  return %y\n"
        "}"
    )
    run = prepare(optimise(graph, "llvm"))
    values = [np.linspace(-1, 1, 40), np.asarray(0.3)]
    assert is_one_kernel(run)
    (found,), (expected,) = run(values), interpret(graph, values)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("size", [2, 4, 5])
def test_small_products_are_part_of_the_kernel(size: int) -> None:
    """64 multiplications are; more are a product of its own."""

    def function(a: Any, x: Any) -> Any:
        return anabranch.fori_loop(0, 20, lambda _, x: np.tanh(a @ x + a @ x @ a), x)

    rng = np.random.default_rng(size)
    a, x = (rng.normal(size=(size, size)) / size for _ in range(2))
    graph = anabranch.make_ir(function)(a, x)
    run = prepare(optimise(graph, "llvm"))
    assert is_one_kernel(run) == (size <= 4)
    np.testing.assert_allclose(run([a, x])[0], interpret(graph, [a, x])[0], rtol=1e-12)
    ours = anabranch.grad(lambda a: np.sum(function(a, x)))(a)
    theirs = anabranch.grad(lambda a: np.sum(function(a, x)), backend="reference")(a)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("place", ["t", "p"], ids=["forwards", "backwards"])
@pytest.mark.parametrize("n", [9, 17, 40])
@pytest.mark.parametrize(
    ("starts", "loops"),
    [((0, 2, 1), 3), ((0, 64, 128), 1), ((0, 0, 63), 2), ((1, 65, 0), 2)],
)
def test_sums_at_places_that_overlap_are_made_in_lanes(
    starts: tuple[int, ...], loops: int, n: int, place: str
) -> None:
    """One loop for places that do not, since lanes wait for what was just stored."""
    size = n + max(starts)
    adds = "\n".join(
        f"%r{k + 1} = add_at(%r{k}, %{'xzy'[k]}, %{place}) "
        f"{{axes=(0,), start=({start},), step=(1,)}} : f64[{size}]"
        for k, start in enumerate(starts)
    )
    graph = parse(f"""
        graph f(%r: f64[{size}], %z: f64[1], %xs: f64[{n}], %ys: f64[{n}]) {{
          %s = loop(%z, %r, %xs, %ys) {{trips={n}, carried=1, stacked=2}} : f64[{size}]:
            body(%t: i64[], %z: f64[1], %r0: f64[{size}], %u: f64[], %v: f64[]) {{
              %x = reshape(%u) {{shape=(1,)}} : f64[1]
              %y = reshape(%v) {{shape=(1,)}} : f64[1]
              %m = const() {{value={n - 1}}} : i64[]
              %p = sub(%m, %t) : i64[]
              {adds}
              return %r3
            }}
          return %s
        }}""")
    rng = np.random.default_rng(n)
    point = [rng.normal(size=x.type.shape) for x in graph.inputs]
    run = prepare(optimise(graph, "llvm"))
    (source,) = (text for text in run.sources if "m1[" in text)
    assert source.count(" in lanes(") == loops
    expected = interpret(graph, point)
    np.testing.assert_allclose(run(point)[0], expected[0], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [8, 17, 40])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i64"])
def test_every_other_element_is_accessed_in_lanes(n: int, dtype: str) -> None:
    """What is read, stored and added to lies two apart; between them nothing moves."""
    one, other, store, add = (
        f"{{axes=(0,), start=({first},), step=(1,){shape}}}"
        for shape in (", shape=(1,)", "")
        for first in (1, 0)
    )
    full, item = f"{dtype}[{2 * n}]", f"{dtype}[1]"
    graph = parse(f"""
        graph f(%x: {full}, %y: {full}, %z: {full}) {{
          %p, %q = loop(%x, %y, %z) {{trips={n}, carried=2}} : {full}, {full}:
            body(%t: i64[], %x: {full}, %u: {full}, %v: {full}) {{
              %c = const() {{value=2}} : i64[]
              %i = mul(%c, %t)       : i64[]
              %a = slice_at(%x, %i) {one} : {item}
              %b = slice_at(%x, %i) {other} : {item}
              %s = mul(%a, %b)       : {item}
              %k = update_at(%u, %s, %i) {store} : {full}
              %l = add_at(%v, %a, %i) {add} : {full}
              %m = add_at(%l, %s, %i) {store} : {full}
              return %k, %m
            }}
          return %p, %q
        }}""")
    rng = np.random.default_rng(n)
    point = [rng.integers(-9, 9, 2 * n).astype(x.type.numpy) for x in graph.inputs]
    run = prepare(optimise(graph, "llvm"))
    assert " * 2]" in "".join(run.sources)
    for found, expected in zip(run(point), interpret(graph, point), strict=True):
        np.testing.assert_array_equal(found, expected)


def meeting(n: int, store: str, reverse: bool = False) -> Graph:
    """A loop over an array in which each iteration accesses one place besides its own.

    That is element k, and its own is element t + 2.
    """
    at = "{axes=(0,), start=(2,), step=(1,)"
    back = ", reverse=True" if reverse else ""
    full = f"f64[{n + 4}]"
    return parse(f"""
        graph f(%k: i64[], %d: {full}, %xs: f64[{n}]) {{
          %r = loop(%k, %d, %xs) {{trips={n}, carried=1, stacked=1{back}}} : {full}:
            body(%t: i64[], %k: i64[], %u: {full}, %y: f64[]) {{
              %x = reshape(%y) {{shape=(1,)}} : f64[1]
              %a = slice_at(%u, %k) \
{{axes=(0,), start=(0,), step=(1,), shape=(1,)}} : f64[1]
              %b = slice_at(%u, %t) {at}, shape=(1,)}} : f64[1]
              %c = add(%a, %x)                       : f64[1]
              %m = minimum(%b, %c)                   : f64[1]
              %e = neg(%b)                           : f64[1]
              %v = update_at(%u, {"%m" if store == "own" else "%e"}, %t) {at}}} : {full}
              %w = add_at(%v, %x, %k) {{axes=(0,), start=(0,), step=(1,)}} : {full}
              return {"%v" if store == "own" else "%w"}
            }}
          return %r
        }}""")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("store", ["own", "both"])
@pytest.mark.parametrize("n", [15, 16, 37])
def test_a_loop_is_cut_where_a_place_that_stays_is_met(
    n: int, store: str, reverse: bool
) -> None:
    """Before the first one, at each, and behind the last."""
    graph = meeting(n, store, reverse)
    run = prepare(optimise(graph, "llvm"))
    (source,) = (text for text in run.sources if "range" in text)
    assert source.count(" in lanes(") == (2 if n >= 16 else 0)
    rng = np.random.default_rng(n)
    d, xs = rng.normal(size=n + 4), rng.normal(size=n)
    for k in range(n + 4):
        (found,) = run([np.asarray(k), d, xs])
        (expected,) = interpret(graph, [np.asarray(k), d, xs])
        if store == "own":
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("rows", [(0, 1), (1, 1)])
def test_rows_are_written_in_lanes_though_they_may_be_one(
    rows: tuple[int, int],
) -> None:
    """Lanes of one column are in one lane, whichever row they are in."""
    at = "{axes=(0, 1), start=(0, 0), step=(1, 1)"
    graph = parse(f"""
        graph f(%i: i64[], %k: i64[], %d: f64[2,19]) {{
          %r = loop(%i, %k, %d) {{trips=19, carried=1}} : f64[2,19]:
            body(%t: i64[], %i: i64[], %k: i64[], %u: f64[2,19]) {{
              %a = slice_at(%u, %i, %t) {at}, shape=(1, 1)}} : f64[1,1]
              %b = exp(%a)                            : f64[1,1]
              %v = update_at(%u, %b, %k, %t) {at}}}   : f64[2,19]
              %c = slice_at(%v, %i, %t) {at}, shape=(1, 1)}} : f64[1,1]
              %e = add(%c, %a)                        : f64[1,1]
              %w = update_at(%v, %e, %i, %t) {at}}}   : f64[2,19]
              return %w
            }}
          return %r
        }}""")
    run = prepare(optimise(graph, "llvm"))
    assert any(" in lanes(" in text and "m0[" in text for text in run.sources)
    d = np.random.default_rng(0).normal(size=(2, 19))
    point = [*map(np.asarray, rows), d]
    np.testing.assert_allclose(run(point)[0], interpret(graph, point)[0], rtol=1e-14)


def sum_of(ops: tuple[str, ...], n: int, result: str) -> Graph:
    """A loop that adds numbers of rows to a total, or takes them away, in turn."""
    steps = "\n".join(
        f"%s{k + 1} = {op}(%s{k}, %{'xy'[k % 2]}) : f64[]" for k, op in enumerate(ops)
    )
    return parse(f"""
        graph f(%s: f64[], %xs: f64[{n}], %ys: f64[{n}]) {{
          %total, %rows = loop(%s, %xs, %ys) {{trips={n}, stacked=2, carried=1}} \
: f64[], f64[{n}]:
            body(%t: i64[], %s0: f64[], %x: f64[], %y: f64[]) {{
              {steps}
              return %s{len(ops)}, %{result}
            }}
          return %total, %rows
        }}""")


@pytest.mark.parametrize("n", [8, 17, 40])
@pytest.mark.parametrize(
    "ops", [("add", "add"), ("sub", "sub"), ("sub", "add", "add"), ("add", "sub")]
)
def test_sums_of_several_terms_are_made_in_lanes(ops: tuple[str, ...], n: int) -> None:
    rng = np.random.default_rng(n)
    for result, in_lanes in (("x", True), ("s1", False)):
        graph = sum_of(ops, n, result)
        run = prepare(optimise(graph, "llvm"))
        (source,) = (text for text in run.sources if "range" in text or "lanes" in text)
        assert ("lanes" in source) == in_lanes, "what lies between is read or not"
        point = [rng.normal(size=x.type.shape) for x in graph.inputs]
        for found, expected in zip(run(point), interpret(graph, point), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def in_one_kernel(graph: Graph) -> str:
    """The source of the loop of a graph, which does what the interpreter does."""
    rng = np.random.default_rng(0)
    point = [rng.normal(size=x.type.shape) for x in graph.inputs]
    run = prepare(optimise(graph, "llvm"))
    assert is_one_kernel(run)
    for found, expected in zip(run(point), interpret(graph, point), strict=True):
        np.testing.assert_array_equal(found, expected)
    (source,) = (text for text in run.sources if "range" in text)
    return source


@pytest.mark.parametrize("n", [17, 40])
def test_what_a_loop_inside_reads_and_writes_is_copied_for_it(n: int) -> None:
    """An array, a row of it, and a sum: all as they were before the loop inside."""
    graph = parse(f"""
        graph f(%x: f64[{n}], %y: f64[{n}]) {{
          %a = loop(%y, %x) {{trips=3, carried=1}} : f64[{n}]:
            body(%t: i64[], %y: f64[{n}], %u: f64[{n}]) {{
              %z = add(%u, %y) : f64[{n}]
              %b = loop(%u, %z, %u, %u) {{trips={n}, carried=1, stacked=1}} : f64[{n}]:
                body(%s: i64[], %old: f64[{n}], %z: f64[{n}], %v: f64[{n}], \
%r: f64[]) {{
                  %m = const() {{value={n - 1}}} : i64[]
                  %i = sub(%m, %s) : i64[]
                  %o = slice_at(%old, %s) {{axes=(0,), start=(0,), step=(1,), \
shape=(1,)}} : f64[1]
                  %p = slice_at(%z, %i) {{axes=(0,), start=(0,), step=(1,), \
shape=(1,)}} : f64[1]
                  %q = reshape(%r) {{shape=(1,)}} : f64[1]
                  %d = add(%o, %p) : f64[1]
                  %e = add(%d, %q) : f64[1]
                  %w = update_at(%v, %e, %i) {{axes=(0,), start=(0,), step=(1,)}} \
: f64[{n}]
                  return %w
                }}
              return %b
            }}
          return %a
        }}""")
    in_one_kernel(graph)


@pytest.mark.parametrize("n", [5, 40])
def test_a_carried_array_may_be_written_as_a_whole(n: int) -> None:
    """By a sum of what the iteration stored, and of another one."""
    graph = parse(f"""
        graph f(%x: f64[{n}], %y: f64[{n}], %one: f64[1]) {{
          %a, %b, %c = loop(%one, %x, %y) {{trips=4, carried=2}} \
: f64[{n}], f64[{n}], f64[4,{n}]:
            body(%t: i64[], %one: f64[1], %u: f64[{n}], %v: f64[{n}]) {{
              %w = update_at(%u, %one, %t) {{axes=(0,), start=(0,), step=(1,)}} \
: f64[{n}]
              %z = add(%w, %v) : f64[{n}]
              return %z, %v, %w
            }}
          return %a, %b, %c
        }}""")
    in_one_kernel(graph)


@pytest.mark.parametrize("limit", [None, 0, 3])
def test_a_row_that_is_stored_into_is_made_in_its_place(limit: int | None) -> None:
    """Zeros, an element, and what a loop inside adds, in no other memory."""
    n = 30
    given, flag = ("", "") if limit is None else ("%n, ", "limit=True, ")
    graph = parse(f"""
        graph f(%xs: f64[6,{n}], %n: i64[]) {{
          %a = loop({given}%xs) {{trips=6, {flag}stacked=1}} : f64[6,{n}]:
            body(%t: i64[], %x: f64[{n}]) {{
              %c = const() {{value=0.0}} : f64[]
              %z = broadcast_to(%c) {{shape=({n},)}} : f64[{n}]
              %one = const() {{value=1.0}} : f64[]
              %o = reshape(%one) {{shape=(1,)}} : f64[1]
              %y = add_at(%z, %o, %t) {{axes=(0,), start=(2,), step=(1,)}} : f64[{n}]
              %b = loop(%t, %y, %x) {{trips={n}, limit=True, carried=1, stacked=1}} \
: f64[{n}]:
                body(%s: i64[], %u: f64[{n}], %v: f64[]) {{
                  %p = reshape(%v) {{shape=(1,)}} : f64[1]
                  %w = add_at(%u, %p, %s) {{axes=(0,), start=(0,), step=(1,)}} \
: f64[{n}]
                  return %w
                }}
              return %b
            }}
          return %a
        }}""")
    run = prepare(optimise(graph, "llvm"))
    assert is_one_kernel(run)
    assert run.plan.arena_bytes == 0
    point = [np.random.default_rng(0).normal(size=(6, n)), np.array(limit or 0)]
    np.testing.assert_array_equal(run(point)[0], interpret(graph, point)[0])
