"""Groups of columns that one product tells apart: colourings of sparse matrices.

Columns of one colour share no row, so their sum shows each of their elements. Of a
symmetric matrix an element may be read off its transpose instead, and so many more
columns can share a colour: those of a *star colouring* (Coleman and Moré, 1984).

Finding the fewest colours is hard. Both functions are greedy, with one number for the
colours that each row has met, bit by bit: they take a visit for each element.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .unions import Numbers

__all__ = ["colour_columns", "colour_symmetric", "most_in_a_row", "transposed"]

FEW = 50_000  # pairs of columns that share a row: networkx takes less than a second
STRATEGIES = ("smallest_last", "DSATUR")


def transposed(ends: Numbers, columns: Numbers, width: int) -> tuple[Numbers, Numbers]:
    """The rows of the transpose of a matrix with ``width`` columns."""
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    order = np.argsort(columns, kind="stable")
    counts = np.bincount(columns, minlength=width)
    return np.concatenate([[0], np.cumsum(counts)]), rows[order]


def most_in_a_row(ends: Numbers) -> int:
    """The fewest colours that there could be."""
    return int(np.diff(ends).max(initial=0))


def colour_columns(ends: Numbers, columns: Numbers, width: int) -> Numbers:
    """A colour for each column, such that those of one colour share no row.

    Columns are taken in order, which is best where they form a band. Where that takes
    more colours than a row has elements, networkx tries other orders, if the pairs of
    columns that share a row are few enough to be its edges.
    """
    ends, columns = _distinct_rows(ends, columns)
    found = _greedy(ends, columns, width)
    least = most_in_a_row(ends)
    counts = np.diff(ends)
    if found.max(initial=-1) + 1 <= least or (counts * (counts - 1)).sum() > 2 * FEW:
        return found
    for made in _by_networkx(ends, columns, width):
        if made.max() < found.max():
            found = made
    return found


def _distinct_rows(ends: Numbers, columns: Numbers) -> tuple[Numbers, Numbers]:
    """The matrix without those rows that equal the row before."""
    counts = np.diff(ends)
    alike = counts[1:] == counts[:-1]
    rows = np.flatnonzero(alike) + 1
    owner = np.repeat(np.arange(rows.size), counts[rows])
    first = np.cumsum(counts[rows]) - counts[rows]
    within = np.arange(owner.size) - first[owner]
    here, before = ends[rows][owner] + within, ends[rows - 1][owner] + within
    unlike = np.zeros(rows.size, bool)
    unlike[owner[columns[here] != columns[before]]] = True
    kept = np.ones(len(counts), bool)
    kept[rows[~unlike]] = False
    chosen = np.repeat(kept, counts)
    return np.concatenate([[0], np.cumsum(counts[kept])]), columns[chosen]


def _greedy(ends: Numbers, columns: Numbers, width: int) -> Numbers:
    starts, rows = transposed(ends, columns, width)
    met = [0] * (len(ends) - 1)
    begin, where = starts.tolist(), rows.tolist()
    found = np.zeros(width, np.int64)
    for column in range(width):
        mine = where[begin[column] : begin[column + 1]]
        taken = 0
        for row in mine:
            taken |= met[row]
        bit = ~taken & (taken + 1)
        for row in mine:
            met[row] |= bit
        found[column] = bit.bit_length() - 1
    return found


def _by_networkx(ends: Numbers, columns: Numbers, width: int) -> Iterable[Numbers]:
    """Colourings of the graph whose edges are columns that share a row."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(range(width))
    held, first = columns.tolist(), ends.tolist()
    for begin, end in pairwise(first):
        row = held[begin:end]
        graph.add_edges_from((a, b) for k, a in enumerate(row) for b in row[:k])
    for strategy in STRATEGIES:
        colours: Any = nx.greedy_color(graph, strategy)
        yield np.array([colours[column] for column in range(width)], np.int64)


def colour_symmetric(ends: Numbers, columns: Numbers) -> Numbers:
    """A colour for each column of a symmetric matrix: a star colouring.

    Neighbours differ, and of two columns of one colour with a common neighbour that one
    has a lower colour. So no path over four columns has two colours, and each element
    is alone in its row or in its column among those of its colour. Of the orders of the
    matrix and of falling degree the better one is taken.
    """
    natural = np.arange(len(ends) - 1)
    falling = np.argsort(-np.diff(ends), kind="stable")
    tried = [_star(ends, columns, order.tolist()) for order in (natural, falling)]
    return min(tried, key=lambda found: found.max(initial=-1))


def _star(ends: Numbers, columns: Numbers, order: Sequence[int]) -> Numbers:
    count = len(ends) - 1
    first, held = ends.tolist(), columns.tolist()
    bits = [0] * count  # of the colour of each column, 0 while it has none
    met = [0] * count  # the colours of the neighbours of each
    for here in order:
        mine = held[first[here] : first[here + 1]]
        taken = 0
        for other in mine:
            bit = bits[other]
            taken |= bit | met[other] & (bit - 1 if bit else -1)
        bit = ~taken & (taken + 1)
        bits[here] = bit
        for other in mine:
            if other != here:
                met[other] |= bit
    return np.array([bit.bit_length() - 1 for bit in bits], np.int64)
