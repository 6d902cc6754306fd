"""`numpy.einsum`, written with products, sums and transposes.

The operands are taken from left to right, two at a time. An axis of size 1 that has to
broadcast is dropped from its operand, which means the same; so the axes of one label
have one size throughout.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ir.errors import ShapeError
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from .ufuncs import reject

_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*\Z", re.ASCII)
_IN_ORDER = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Term = tuple[str, Any]
"""An operand with one label for each of its axes."""


@lowers(np.einsum)
def _einsum(trace: Trace, *operands: Any, **rest: Any) -> Any:
    rest.pop("optimize", None)
    reject(rest)
    text, values = _as_text(operands)
    arrays = [
        value if is_traced(value) else np.asarray(trace.array(value))
        for value in values
    ]
    inputs, output = _subscripts(text, arrays)
    dtype = np.result_type(*(array.dtype for array in arrays))
    if dtype.kind == "b":
        return np.not_equal(_evaluate(arrays, inputs, output, np.dtype(np.int64)), 0)
    return _evaluate(arrays, inputs, output, dtype)


def _as_text(operands: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The subscripts as a string: they may be lists of numbers after each operand."""
    if isinstance(operands[0], str):
        return operands[0], operands[1:]
    lists = ["".join(map(_letter, labels)) for labels in operands[1::2]]
    text = ",".join(lists)
    if len(operands) % 2:
        text += "->" + "".join(map(_letter, operands[-1]))
    return text, operands[0 : len(lists) * 2 : 2]


def _letter(label: Any) -> str:
    return "..." if label is Ellipsis else _IN_ORDER[label]


def _subscripts(text: str, arrays: list[Any]) -> tuple[list[str], str]:
    """The labels of each operand and of the output; an ellipsis gets labels too."""
    text = text.replace(" ", "")
    left, arrow, output = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ShapeError(f"einsum: {text!r} needs {len(terms)} operands")
    if not all(_TERM.match(term) for term in (*terms, output)):
        raise ShapeError(
            f"einsum: {text!r} is not made of letters, '...', ',' and '->'"
        )
    counts = [
        array.ndim - len(term.replace("...", ""))
        for term, array in zip(terms, arrays, strict=True)
    ]
    for term, count, array in zip(terms, counts, arrays, strict=True):
        if count < 0 or (count > 0 and "..." not in term):
            raise ShapeError(f"einsum: {term!r} does not fit the shape {array.shape}")
    free = "".join(label for label in _IN_ORDER if label not in text)
    dots = free[: max(counts, default=0)]
    inputs = [
        term.replace("...", dots[len(dots) - count :])
        for term, count in zip(terms, counts, strict=True)
    ]
    seen = Counter("".join(inputs))
    if not arrow:
        once = (label for label in sorted(seen) if seen[label] == 1)
        return inputs, dots + "".join(label for label in once if label not in dots)
    if dots and "..." not in output:
        raise ShapeError(f"einsum: the output of {text!r} lacks the '...'")
    output = output.replace("...", dots)
    if len(set(output)) != len(output) or not set(output) <= set(seen):
        raise ShapeError(
            f"einsum: the output of {text!r} does not follow from its inputs"
        )
    return inputs, output


def _evaluate(
    arrays: list[Any], inputs: list[str], output: str, dtype: np.dtype[Any]
) -> Any:
    terms = [
        _diagonals(labels, array.astype(dtype) if array.dtype != dtype else array)
        for labels, array in zip(inputs, arrays, strict=True)
    ]
    first, *others = _without_stretched(terms)
    for position, other in enumerate(others, 1):
        later = set(output).union(*(labels for labels, _ in others[position:]))
        first = _contract(first, other, later)
    labels, result = _sum_out(first, set(output))
    return np.transpose(result, [labels.index(label) for label in output])


def _diagonals(labels: str, array: Any) -> Term:
    """A label that an operand has twice means its diagonal."""
    while len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        first = labels.index(twice)
        second = labels.index(twice, first + 1)
        if array.shape[first] != array.shape[second]:
            raise ShapeError(f"einsum: {twice!r} has two sizes in {array.shape}")
        array = np.diagonal(array, 0, first, second)
        rest = [label for i, label in enumerate(labels) if i not in (first, second)]
        labels = "".join(rest) + twice
    return labels, array


def _without_stretched(terms: list[Term]) -> list[Term]:
    """The terms without their axes of size 1 that are longer in other terms."""
    sizes: dict[str, int] = {}
    for labels, array in terms:
        for label, size in zip(labels, array.shape, strict=True):
            known = sizes.get(label, 1)
            if 1 not in (known, size) and known != size:
                shapes = " and ".join(str(operand.shape) for _, operand in terms)
                raise ShapeError(
                    f"einsum: {label!r} has the sizes {known} and {size} in {shapes}"
                )
            sizes[label] = size if known == 1 else known
    kept: list[Term] = []
    for labels, array in terms:
        gone = tuple(i for i, c in enumerate(labels) if array.shape[i] != sizes[c])
        left = "".join(label for i, label in enumerate(labels) if i not in gone)
        kept.append((left, np.squeeze(array, gone) if gone else array))
    return kept


def _sum_out(term: Term, needed: set[str]) -> Term:
    """The term summed over the labels that nothing needs."""
    labels, array = term
    gone = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not gone:
        return term
    kept = "".join(label for label in labels if label in needed)
    return kept, np.sum(array, axis=gone, dtype=array.dtype)


def _contract(first: Term, second: Term, later: set[str]) -> Term:
    """Multiply two terms and sum over what nothing needs later.

    With something to sum and to keep it is a stack of matrix products, else a product
    element by element.
    """
    first = _sum_out(first, set(second[0]) | later)
    second = _sum_out(second, set(first[0]) | later)
    shared = [label for label in first[0] if label in second[0]]
    batch = [label for label in shared if label in later]
    inner = [label for label in shared if label not in later]
    rows = [label for label in first[0] if label not in shared]
    columns = [label for label in second[0] if label not in shared]
    if inner and (rows or columns or not batch):
        left = _grouped(first, batch, rows, inner)
        right = _grouped(second, batch, inner, columns)
        sizes = _sizes(first, second)
        made = "".join((*batch, *rows, *columns))
        product = np.reshape(np.matmul(left, right), [sizes[label] for label in made])
        return made, product
    made = "".join((*batch, *inner, *rows, *columns))
    spread = [_spread(term, made) for term in (first, second)]
    return _sum_out((made, np.multiply(*spread)), later)


def _sizes(*terms: Term) -> dict[str, int]:
    return {
        label: size
        for labels, array in terms
        for label, size in zip(labels, array.shape, strict=True)
    }


def _grouped(term: Term, *groups: list[str]) -> Any:
    """The axes in order, those of the last two groups merged into one each."""
    labels, array = term
    batch, left, right = groups
    moved = np.transpose(array, [labels.index(c) for c in (*batch, *left, *right)])
    size = _sizes(term)
    shape = [size[c] for c in batch]
    shape += [math.prod(size[c] for c in group) for group in (left, right)]
    return np.reshape(moved, shape)


def _spread(term: Term, wanted: str) -> Any:
    """The axes in the order of ``wanted``, of size 1 where the term has none."""
    labels, array = term
    order = [labels.index(label) for label in wanted if label in labels]
    size = _sizes(term)
    return np.reshape(np.transpose(array, order), [size.get(c, 1) for c in wanted])
