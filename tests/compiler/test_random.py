"""Numbers from keys: the published bits, one result everywhere, the right laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import random
from anabranch.compiler.random import _block

KEY = random.key(7)
P = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
# Of the authors' own test vectors: the key, the counter, the block.
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]
BITS: list[Callable[[Any], Any]] = [
    lambda k: random.bits(k, 7),
    lambda k: random.bits(k, (3, 3), np.uint64),
    lambda k: random.uniform(k, 5),
    lambda k: random.uniform(k, (2, 3), -1.0, 2.0, np.float32),
    lambda k: random.uniform(k, 0),
    lambda k: random.split(k, 3),
    lambda k: random.fold_in(k, -4),
    lambda k: random.integers(k, 8, 3, 9),
    lambda k: random.permutation(k, 10),
    lambda k: random.permutation(k, np.eye(4)),
    lambda k: random.choice(k, 5, 4),
    lambda k: random.choice(k, 5, 4, p=P),
    lambda k: random.choice(k, P, (2, 2), False),
    lambda k: random.bernoulli(k, 0.3, 6),
    lambda k: random.bernoulli(k, P),
]
ROUNDED: list[Callable[[Any], Any]] = [
    lambda k: random.normal(k, (3, 5)),
    lambda k: random.normal(k, 4, 1.0, 2.0),
    lambda k: random.normal(k),
    lambda k: random.exponential(k, 3),
    lambda k: random.gumbel(k, 3),
    lambda k: random.choice(k, 5, 4, False, p=P),
]


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN)
def test_bits_are_the_published_ones(
    key: tuple[int, int], counter: tuple[int, int], words: tuple[int, int]
) -> None:
    low, high = (np.array([word], np.uint32) for word in counter)
    made = _block(np.array(key, np.uint32), low, high)
    assert tuple(int(word[0]) for word in made) == words


@pytest.mark.parametrize("number", range(len(BITS)))
def test_bits_are_the_same_everywhere(same, number: int) -> None:
    same(BITS[number], KEY)


@pytest.mark.parametrize("number", range(len(ROUNDED)))
def test_numbers_are_the_same_to_rounding(same, number: int) -> None:
    same(ROUNDED[number], KEY, rtol=1e-14)


def test_keys_of_seeds(same) -> None:
    for seed in (0, -5, 2**40 + 3):
        same(random.key, seed)
    same(lambda k, i: random.fold_in(k, i), KEY, 12)
    assert random.key(2**40).tolist() == [256, 0]


def test_each_turn_of_a_loop_draws_other_numbers(same) -> None:
    def walk(k):
        x = np.zeros(20)
        for i in range(1, 20):
            x[i] = x[i - 1] + random.uniform(random.fold_in(k, i))
        return x

    made = same(walk, KEY, rtol=1e-14)
    assert len(set(np.diff(made))) == 19


def test_laws() -> None:
    z, u = random.normal(KEY, 100_001), random.uniform(KEY, 100_001)
    np.testing.assert_allclose([z.mean(), z.std(), (z**4).mean()], [0, 1, 3], atol=0.05)
    np.testing.assert_allclose([u.mean(), 12 * u.var()], [0.5, 1], atol=0.01)
    assert u.min() >= 0
    assert u.max() < 1
    e = random.exponential(KEY, 100_001, 2.0)
    np.testing.assert_allclose([e.mean(), e.std()], [2, 2], atol=0.05)
    drawn = np.bincount(random.choice(KEY, 5, 100_000, p=P)) / 100_000
    np.testing.assert_allclose(drawn, P, atol=0.01)
    even = np.bincount(random.integers(KEY, 60_000, 6)) / 10_000
    np.testing.assert_allclose(even, np.ones(6), atol=0.05)
    assert sorted(random.permutation(KEY, 99)) == list(range(99))
    first = [random.choice(k, 5, 5, False, p=P)[0] for k in random.split(KEY, 2000)]
    np.testing.assert_allclose(np.bincount(first) / 2000, P, atol=0.04)


def test_new_keys_and_numbers_have_no_words_in_common() -> None:
    keys, drawn = random.split(KEY, 500), random.bits(KEY, 1000)
    folded = np.stack([random.fold_in(KEY, i) for i in range(100)])
    whole = np.concatenate([keys.ravel(), folded.ravel(), drawn])
    assert len(set(whole.tolist())) == whole.size


def test_gradients_go_through_loc_and_scale() -> None:
    def loss(loc, scale):
        return np.mean(random.normal(KEY, 50, loc, scale) ** 3)

    anabranch.check_grads(loss, (0.3, 1.3), order=2)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(anabranch.ArgumentError, match=r"key is uint32\[2\]"):
        random.normal(np.zeros(2), 3)
    with pytest.raises(anabranch.ArgumentError, match="float32 or float64"):
        random.uniform(KEY, 3, dtype=np.int64)
    with pytest.raises(anabranch.ArgumentError, match="there are none"):
        random.integers(KEY, 3, 5, 5)
    with pytest.raises(anabranch.ArgumentError, match="cannot be drawn once"):
        random.choice(KEY, 3, 4, replace=False)
    with pytest.raises(anabranch.ArgumentError, match="negative size"):
        random.bits(KEY, (-1,))
    with pytest.raises(anabranch.ArgumentError, match="for 3 entries"):
        random.choice(KEY, 3, 4, p=P)
    rng = np.random.default_rng(0)
    with pytest.raises(anabranch.TraceError, match=r"anabranch\.random\.normal"):
        anabranch.jit(lambda x: x + rng.normal(size=3))(np.ones(3))
