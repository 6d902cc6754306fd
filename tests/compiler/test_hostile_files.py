"""Saved functions from strangers: loaded or refused, and never anything else."""

from __future__ import annotations

import os
import re
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import anabranch
from anabranch import AnabranchError, ArgumentError, ParseError, VerifyError
from anabranch.compiler.calls.signatures import MAX_SIGNATURES

CENTRE = np.array([0.5, -0.5])
FLAGS = np.array([True, False])
X = np.linspace(0.0, 1.0, 6).reshape(3, 2)


class Pair(NamedTuple):
    left: Any
    right: Any


def net(params: Any, x: Any, n: Any = 1) -> Any:
    y = np.where(FLAGS, np.tanh(x @ params.left), x) - CENTRE
    return {"y": y * n, "rest": [params.right, None]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with a static argument, a number, two arrays, and a backward pass."""
    path = tmp_path_factory.mktemp("saved") / "f"
    forward, _ = anabranch.fwd_and_bwd(net, "x")
    forward.save(path, Pair(np.eye(2), 2.0), X)
    return path.read_bytes()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Any]:
    """``load(data)``: what is made of a file with these bytes."""
    path = tmp_path / "f"
    with path.open("wb", buffering=0) as file:

        def load(data: bytes) -> anabranch.Compiled:
            file.seek(0)
            file.write(data)
            if path.stat().st_size != len(data):  # which takes long, to some disks
                file.truncate()
            return anabranch.load(path, types=[Pair])

        yield load


HEAD = re.compile(rb"anabranch saved 1\nsha256 [0-9a-f]{64}\n(text ([0-9]+)\n)")


def parts(data: bytes) -> tuple[bytes, bytes]:
    """The text of a file, and what comes behind it."""
    match = HEAD.match(data)
    assert match is not None
    end = match.end() + int(match[2])
    return data[match.end() : end], data[end:]


def sealed(text: str | bytes, rest: bytes = b"", length: int | None = None) -> bytes:
    """A file whose checksum is right, whatever is in it."""
    text = text.encode() if isinstance(text, str) else text
    body = b"text %d\n%s" % (len(text) if length is None else length, text + rest)
    digest = sha256(body).hexdigest().encode()
    return b"anabranch saved 1\nsha256 " + digest + b"\n" + body


def test_the_tools_of_these_tests(whole: bytes, load: Any) -> None:
    assert sealed(*parts(whole)) == whole
    (result, residuals), expected = (
        load(whole)(Pair(np.eye(2), 2.0), X),
        net(Pair(np.eye(2), 2.0), X),
    )
    np.testing.assert_allclose(result["y"], expected["y"])
    np.testing.assert_allclose(
        residuals.backward(residuals, result),
        anabranch.vjp(lambda x: net(Pair(np.eye(2), 2.0), x), X)[1](result)[0],
    )


def test_a_file_cut_off_anywhere(whole: bytes, load: Any) -> None:
    for length in range(len(whole)):
        with pytest.raises(ParseError):
            load(whole[:length])


@pytest.mark.parametrize("more", [b"\0", b"\n", b"array f64[2]\n", bytes(64)])
def test_a_file_with_something_behind_it(whole: bytes, more: bytes, load: Any) -> None:
    with pytest.raises(ParseError, match="which its arrays do not need"):
        load(whole + more)


def test_any_bit_changed(whole: bytes, load: Any) -> None:
    for data in flipped(whole):
        with pytest.raises(ParseError):
            load(data)


def flipped(data: bytes) -> Iterator[bytes]:
    """The data with one bit changed, of each byte another one."""
    for place in range(len(data)):
        changed = bytes([data[place] ^ 1 << place % 7])
        yield data[:place] + changed + data[place + 1 :]


def test_any_bit_of_the_text_changed_by_who_can_count(whole: bytes, load: Any) -> None:
    text, rest = parts(whole)
    outcomes = Counter(outcome(load, sealed(data, rest)) for data in flipped(text))
    assert {"loaded", "ParseError", "VerifyError"} <= outcomes.keys()


def outcome(load: Any, data: bytes) -> str:
    """What comes of a file; only errors of ours are caught."""
    try:
        load(data)
    except AnabranchError as error:
        return type(error).__name__
    return "loaded"


TOKEN = re.compile(r'"[^"\n]*"|[%\w.]+|\s+|.')
SPARE = [
    *'"array" "number" "static" "dict" "list" "tuple" "residuals" "namedtuple"'.split(),
    *"0 1 -1 2 99999999999999999999 1.5 nan True None () (0,) ((),) ( ) { }".split(),
    *'"" "x" "params" "VAR_POSITIONAL" "VAR_KEYWORD" "KEYWORD_ONLY" "a\\nb"'.split(),
    *'("list",1) ("dict","x") ("static",(1,)) ("residuals",0,2) "llvm"'.split(),
    *"f64[2] bool[] f32[3,2] function call backward graph anabranch , = %x".split(),
    *("\0", "\n", "array\n", "\ncall ", "é"),
]


@pytest.mark.parametrize("count", [400, pytest.param(20_000, marks=pytest.mark.fuzz)])
def test_texts_with_other_words_in_them(count: int, whole: bytes, load: Any) -> None:
    rng = np.random.default_rng(count)
    text, rest = parts(whole)
    tokens = TOKEN.findall(text.decode())
    graphs = [place for place, token in enumerate(tokens) if token == "graph"]
    heads = [p for p in range(len(tokens)) if not any(g < p < g + 150 for g in graphs)]
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        changed = list(tokens)
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.choice(heads if rng.random() < 0.8 else len(tokens)))
            source = SPARE if rng.random() < 0.6 else tokens
            changed[place] = source[int(rng.integers(len(source)))]
        outcomes[outcome(load, sealed("".join(changed), rest))] += 1
    assert {"loaded", "ParseError", "VerifyError"} <= outcomes.keys()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a function that Anabranch saved"),
        (b"PK\x03\x04" + bytes(60), "not a function that Anabranch saved"),
        (b"anabranch 1\ngraph f() {\nreturn\n}\n", "not a function that Anabranch"),
        (b"anabranch saved 0\n", "not a function that Anabranch saved"),
        (b"anabranch saved 2\nanything\n", "version 2 .* newer than 1.*\n.*upgrade"),
        (b"anabranch saved 999999999\n", "version 999999999 .* is newer"),
        (b"anabranch saved 9999999999\n", "not a function that Anabranch saved"),
        (b"anabranch saved 1\nsha256 12\n", "damaged: its first lines"),
    ],
)
def test_other_files(data: bytes, message: str, load: Any) -> None:
    with pytest.raises(ParseError, match=message):
        load(data)


@pytest.mark.parametrize(
    "data",
    [
        sealed("", length=10**18),
        sealed("", length=2**63 - 1),
        sealed("array f64[1000000000,1000000]\n"),
        sealed("array f64[1152921504606846975]\n"),
        sealed("array f64[1]\n" * 1000, bytes(64 * 998)),
        sealed("array f64[2305843009213693952,0]\n" * 9),
        sealed("array f64[9223372036854775808]\n"),
        sealed("array f64[1152921504606846975,8]\n"),
        sealed("array f64[-1]\n"),
        sealed("array f64[4]" * 100),
        sealed(b"\xff\xfe"),
    ],
)
def test_sizes_are_checked_before_anything_is_allocated(data: bytes, load: Any) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ParseError):
            load(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


FUNCTION = (
    'function {name="f", backend="reference", static=(), '
    'parameters=(("x", "POSITIONAL_OR_KEYWORD", False),)}\n'
)
CALL = 'call {arguments=(("dict", "x"), "array"), result=("array",), captured=()}\n'
GRAPH = "graph f(%x: f64[2]) {\n  %y = exp(%x) : f64[2]\n  return %y\n}\n"


def test_a_file_written_by_hand(load: Any) -> None:
    function = load(sealed(FUNCTION + CALL + GRAPH))
    np.testing.assert_array_equal(function(np.zeros(2)), [1.0, 1.0])


def arguments(items: str) -> str:
    return FUNCTION + CALL.replace('("dict", "x"), "array"', items) + GRAPH


def result(items: str) -> str:
    return FUNCTION + CALL.replace('result=("array",)', f"result={items}") + GRAPH


def captured(places: str) -> str:
    return FUNCTION + CALL.replace("captured=()", f"captured={places}") + GRAPH


DEEP = 100_000
REFUSED = {
    "no function": ("", "begin with a function"),
    "a call alone": (CALL + GRAPH, "begin with a function"),
    "two functions": (FUNCTION + FUNCTION + CALL + GRAPH, "two functions"),
    "text before it": ("x\n" + FUNCTION + CALL + GRAPH, "begin with a function"),
    "no call": (FUNCTION, "no call"),
    "no graph": (FUNCTION + CALL, "expected 'graph name"),
    "two graphs": (FUNCTION + CALL + GRAPH + GRAPH, "expected one '}'"),
    "a newer graph": (FUNCTION + CALL + "anabranch 7\n" + GRAPH, "version 7 of the"),
    "two equal calls": (FUNCTION + (CALL + GRAPH) * 2, "two calls have one signature"),
    "too many calls": (
        FUNCTION + (CALL + GRAPH) * 300,
        f"more than the {MAX_SIGNATURES}",
    ),
    "a field twice": (FUNCTION.replace("static=()", 'name="g"'), "new attribute name"),
    "another field": (FUNCTION.replace("static", "code"), "function has the fields"),
    "a name of escapes": (FUNCTION.replace('"f"', '"\\u001b[31m"'), "not the name"),
    "a long name": (FUNCTION.replace('"f"', f'"{"f" * 999}"'), "not the name"),
    "name is no text": (FUNCTION.replace('"f"', "3"), "name of a function is no str"),
    "no backend": (
        FUNCTION.replace("reference", "../../x") + CALL + GRAPH,
        "no backend is called",
    ),
    "static of a float": (FUNCTION.replace("static=()", "static=(0.5,)"), "positions"),
    "a parameter twice": (
        FUNCTION.replace("((", '(("x", "POSITIONAL_OR_KEYWORD", False), ('),
        "duplicate parameter name",
    ),
    "no such kind": (FUNCTION.replace("POSITIONAL_OR", "POST"), "no parameters"),
    "no such name": (FUNCTION.replace('"x"', '"x y"'), "not a valid parameter name"),
    "no parameters": (FUNCTION.replace('(("x", ', "((1, "), "no parameters"),
    "too few inputs": (
        arguments('("dict", "x"), ("list", 2), "array", "array"'),
        "few",
    ),
    "too many inputs": (arguments('("dict",)'), "captured arrays are not of"),
    "other arguments": (arguments('("dict", "y"), "array"'), "missing a required"),
    "no arguments": (arguments('"array"'), "not of the function"),
    "a number of two": (arguments('("dict", "x"), "number"'), "no number of Python's"),
    "a key twice": (arguments('("dict", "x", "x"), "array", "array"'), "not an item"),
    "too few items": (arguments('("dict", "x")'), "the tree ends inside"),
    "two trees": (arguments('("dict", "x"), "array", "array"'), "2 trees where one"),
    "no tree": (arguments(""), "0 trees where one"),
    "a negative count": (arguments('("list", -1), "array"'), "not an item"),
    "a huge count": (arguments('("list", 99999999999999999999)'), "the tree ends"),
    "a count of a bool": (arguments('("tuple", True), "array"'), "not an item"),
    "an unknown item": (arguments('("eval", "1"), "array"'), "not an item"),
    "a strange leaf": (arguments('("dict", "x"), "weights"'), "not an item"),
    "a deep tree": (arguments('("list", 1), ' * DEEP + '"array"'), "deeper than"),
    "a deep result": (
        result('(("tuple", 1), ' + '("tuple", 1), ' * DEEP + '"array")'),
        "deeper",
    ),
    "a deep literal": (result("(" * DEEP), "nested deeper"),
    "a deep static value": (
        arguments(f'("dict", "x"), ("static", {"(" * DEEP}1'),
        "nested deeper",
    ),
    "a class": (arguments('("dataclass", "os:system", "x"), "array"'), "os:system"),
    "another form": (
        arguments(f'("dataclass", "{__name__}:Pair", "left"), "array"'),
        "was a dataclass when",
    ),
    "other fields": (
        arguments(f'("namedtuple", "{__name__}:Pair", "__class__"), "array"'),
        "had the fields",
    ),
    "too few outputs": (result('(("list", 2), "array", "array")'), "1 outputs"),
    "too many outputs": (result("(None,)"), "1 outputs"),
    "a number as output": (result('("number",)'), "1 outputs"),
    "residuals of nothing": (result('(("residuals", 0, 1), "array")'), "not an item"),
    "a result that is no tuple": (result("3"), "result of a call is no tuple"),
    "no such array": (captured("(0,)"), "there is no array 0"),
    "a negative array": (captured("(-1,)"), "there is no array -1"),
    "an array of a bool": (captured("(True,)"), "there is no array True"),
    "a graph that is wrong": (FUNCTION + CALL + GRAPH.replace("exp", "eval"), "eval"),
    "a backward pass without seeds": (
        FUNCTION
        + 'backward {outputs=(("list", 2), "array", "array"), result=("array",)}\n'
        + GRAPH,
        "cotangents are not the last inputs",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_text_that_is_refused(text: str, message: str, load: Any) -> None:
    with pytest.raises((ParseError, ArgumentError, VerifyError)) as error:
        load(sealed(text))
    assert message in str(error.value)
    assert len(str(error.value)) < 2000


def test_nothing_is_imported(load: Any) -> None:
    for module in "antigravity", "this":
        assert module not in sys.modules
        text = arguments(f'("dataclass", "{module}:x", "x"), "array"')
        with pytest.raises(ArgumentError, match="give its class"):
            load(sealed(text))
        assert module not in sys.modules


@pytest.mark.parametrize("type_", ["f64[2]", "f64[3]", "f32[2]", "f64[1,2]", "i64[2]"])
def test_arrays_of_other_types_than_the_inputs(type_: str, load: Any) -> None:
    head = FUNCTION.replace('(("x", "POSITIONAL_OR_KEYWORD", False),)', "()")
    call = CALL.replace('("dict", "x"), "array"', '("dict",)')
    text = f"array {type_}\n{head}{call}{GRAPH}".replace("captured=()", "captured=(0,)")
    padding = bytes(-len(sealed(text)) % 64)
    data = sealed(text, padding + bytes(anabranch.spec(type_).nbytes))
    if type_ == "f64[2]":
        np.testing.assert_array_equal(load(data)(), [1.0, 1.0])
        return
    with pytest.raises(ParseError, match="captured arrays are not of"):
        load(data)


def test_booleans_are_zeros_and_ones(load: Any, whole: bytes) -> None:
    text, rest = parts(whole)
    assert text.startswith(b"array bool[2]\narray f64[2]\n")
    place = rest.index(b"\x01\x00")
    changed = rest[:place] + b"\x02" + rest[place + 1 :]
    with pytest.raises(ParseError, match=r"an array of bool\[2\] has other values"):
        load(sealed(text, changed))


@pytest.mark.parametrize("name", ["reference", "llvm"])
def test_residuals_of_other_types_are_refused_at_the_call(load: Any, name: str) -> None:
    """Else the backward pass would read behind their ends."""
    backward = (
        'backward {outputs=("array",), result=("array",)}\n'
        "graph b(%r: f64[9000], %g: f64[2]) {\n  return %g\n}\n"
    )
    both = '(("tuple", 2), "array", ("residuals", 0, 1), "array")'
    call = result(both).removeprefix(FUNCTION).replace("return %y", "return %y, %x")
    text = (FUNCTION + backward + call).replace("reference", name)
    forward = load(sealed(text))
    for _ in range(3):  # by the slow path, and then by the fast one if there is any
        y, residuals = forward(np.zeros(2))
        with pytest.raises(ArgumentError, match=r"%r is f64\[9000\], not f64\[2\]"):
            residuals.backward(residuals, y)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ParseError, match="not a regular file"):
        anabranch.load(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices")
def test_a_device_is_not_read() -> None:
    with pytest.raises(ParseError, match="not a regular file"):
        anabranch.load("/dev/zero")


def test_what_cannot_be_opened_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises((IsADirectoryError, PermissionError)):
        anabranch.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        anabranch.load(tmp_path / "absent")


MANY = 10_000
LARGE = {
    "leaves": arguments(f'("dict", "x"), ("list", {MANY}), ' + '"array", ' * MANY),
    "containers": arguments('("dict", "x"), ' + '("list", 0), ' * MANY),
    "keys": arguments('("dict", ' + ", ".join(map(str, range(MANY))) + ")"),
    "arrays": "array f64[0]\n" * MANY,
    "calls": FUNCTION + CALL * MANY,
    "parameters": FUNCTION.replace("((", "((" + '"x", "VAR_KEYWORD", 1), (' * MANY),
    "lines": FUNCTION + "\n" * MANY * 9,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_memory_grows_with_the_file_by_a_small_factor(text: str, load: Any) -> None:
    data = sealed(text)
    tracemalloc.start()
    try:
        with pytest.raises(AnabranchError):
            load(data)
        assert tracemalloc.get_traced_memory()[1] < 60 * len(data) + 1_000_000
    finally:
        tracemalloc.stop()
