"""The fast path without memory: an error comes out, and nothing else happens."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

SCRIPT = """
import _testcapi, gc, sys
import numpy as np
import anabranch
from typing import NamedTuple

class Pair(NamedTuple):
    a: object
    b: object

def function(x, n):
    pair = Pair(x * n, [x + n, (x.sum(), None)])
    return {{"p": pair, "q": (x.max() > n, {{}}, x - n)}}

x, n = np.arange(2.0 * {width}).reshape(2, {width}), 2.0
out = {{"p": Pair(np.empty(x.shape), [np.empty(x.shape), (np.empty(()), None)]),
       "q": (np.empty((), bool), {{}}, np.empty(x.shape))}}
names = {{"out": out}} if {with_out} else {{}}
rows = np.array([0, 1])

def checked(x, n, rows):  # it may fail, so that ``out`` is filled from new arrays
    return function(x[rows], n)

compiled = anabranch.jit(checked)
pair = ((x, n, rows), names)
for _ in range(4):
    compiled(*pair[0], **names)
short = compiled._fast_path

def attempt(k):
    result = None
    _testcapi.set_nomemory(k, k + 1)
    try:
        result = short(pair)
    except MemoryError:
        result = MemoryError
    finally:
        _testcapi.remove_mem_hooks()
    return result

def right(result):
    assert result is not NotImplemented
    expected = checked(*pair[0])
    np.testing.assert_array_equal(result["p"].a, expected["p"].a)
    np.testing.assert_array_equal(result["p"].b[0], expected["p"].b[0])
    np.testing.assert_array_equal(result["q"][2], expected["q"][2])
    assert result["p"].b[1][0] == expected["p"].b[1][0]
    assert result["q"][0] == expected["q"][0]

failed = 0
for k in range(60):
    result = attempt(k)
    if result is MemoryError:
        failed += 1
    else:
        right(result)
    right(short(pair))
print(failed)

def held():
    gc.collect()
    things = (None, NotImplemented, np.dtype(float), np.dtype(bool), np.ndarray, Pair)
    return [sys.getrefcount(thing) for thing in (*things, np.dtype("u1"), x, out)]

del result
attempt(1)
before, blocks = held(), sys.getallocatedblocks()
for _ in range(50):
    for k in range(40):
        attempt(k)
assert all(abs(a - b) < 50 for a, b in zip(held(), before)), (before, held())
assert sys.getallocatedblocks() - blocks < 500, sys.getallocatedblocks() - blocks
"""


@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None, reason="CPython without _testcapi"
)
@pytest.mark.parametrize(
    ("with_out", "width"),
    [(False, 3), (False, 1024), (True, 3)],
    ids=["new arrays", "large ones", "out"],
)
def test_each_allocation_may_fail(with_out: bool, width: int) -> None:
    """One after the other: MemoryError, no crash, no leak, and the next call works."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(with_out=with_out, width=width)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3
