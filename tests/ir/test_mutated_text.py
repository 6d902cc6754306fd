"""Damaged texts: read as another graph or refused cleanly, never anything else."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import parse
from anabranch.ir.errors import ParseError, VerifyError
from tests.branching import branching
from tests.looping import looping
from tests.strategies import random_sample

TOKEN = re.compile(r'%[\w.]+|[\w.]+|"[^"]*"|\s+|.')
SPARE = [
    *"nan inf -inf -1 0 7 1e400 99999999999999999999 True None () (1,) (-1,)".split(),
    *"%nope %x0 %return input const check iota backward return graph add_n".split(),
    *"cond then else loop body }".split(),
    *"windows fold conv pad slice take scatter_add recurrence B bool i8 f16".split(),
    *'{ } ( ) , = : @k1 @k # " \\ [ ] - . é'.split(),
    *['""', '"i64"', '"f32"', "\0", "\u2028", "9" * 1000, '(("return", 0),)'],
]


def kind(token: str) -> str:
    """What a token looks like: tokens are mostly replaced by their like."""
    if token[:1] in ("%", '"'):
        return token[0]
    if re.fullmatch(r"-?[\d.eE+-]+|-?inf|nan|True|None|\(.*\)", token):
        return "literal"
    return "word" if re.match(r"\w", token) else "mark"


@cache
def texts() -> list[str]:
    found: list[str] = []
    for seed in range(30):
        sample = random_sample(seed, mixed=True)
        found.append(sample.graph.as_text())
        made = adjoint(sample.graph, wrt=sample.floats, seeded=True)
        found.append(made.as_text())
    regions = [branching(seed, mixed=True).graph for seed in range(5)]
    for graph in (*regions, *(looping(seed).graph for seed in range(3))):
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        found.append(graph.as_text())
        found.append(adjoint(graph, wrt=wrt, seeded=True).as_text())
    return found


def damaged(rng: np.random.Generator) -> str:
    """A text with one to three tokens dropped, replaced, doubled or exchanged."""
    tokens = TOKEN.findall(texts()[int(rng.integers(len(texts())))])
    for _ in range(int(rng.integers(1, 4))):
        k = int(rng.integers(len(tokens)))
        while rng.random() < 0.8 and kind(tokens[k]) == "mark":
            k = int(rng.integers(len(tokens)))
        source = tokens if rng.random() < 0.5 else SPARE
        like = [token for token in source if kind(token) == kind(tokens[k])]
        choice = rng.random()
        if choice < 0.7 and like:
            tokens[k] = like[int(rng.integers(len(like)))]
        elif choice < 0.8:
            tokens[k] = SPARE[int(rng.integers(len(SPARE)))]
        elif choice < 0.9:
            tokens[k] += tokens[int(rng.integers(len(tokens)))]
        else:
            tokens[k] = ""
    return "".join(tokens)


@pytest.mark.parametrize(
    "count",
    [400, pytest.param(20_000, marks=pytest.mark.fuzz)],
)
def test_a_damaged_text_is_a_graph_or_a_clean_error(count: int) -> None:
    rng = np.random.default_rng(count)
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        text = damaged(rng)
        try:
            graph = parse(text)
        except (ParseError, VerifyError) as error:
            outcomes[type(error).__name__] += 1
            continue
        outcomes["graph"] += 1
        assert parse(graph.as_text()) == graph, text
    assert min(outcomes[name] for name in ("ParseError", "VerifyError", "graph")) > 5
