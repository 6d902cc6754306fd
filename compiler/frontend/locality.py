"""Whether a container is known only to the branch that made it.

Python does not say where a list was made, but how often it is referred to. What the
books of the branches refer to, and what is inside of that, is counted; a list with a
further reference is one that somebody else sees.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["Locality", "are_local"]

_HOLDERS = (list, tuple, deque, dict, set)


class Locality:
    """What ``known`` refers to, and what nothing else does.

    Each item of ``known`` and of ``named`` is referred to by one other place of the
    books, which names the second without holding what is in them. ``copies`` are
    containers that the books made, and nobody else has.
    """

    def __init__(
        self, known: Sequence[Any], copies: Sequence[Any], named: Sequence[Any]
    ) -> None:
        self._objects: dict[int, Any] = {}
        self._times = Counter(id(value) for value in (*known, *named))
        self._holders: dict[int, list[int]] = defaultdict(list)
        self._copies = {id(copy) for copy in copies}
        self._walk(known)
        self._walk(copies)
        self._books = known, named  # which refer to it once more

    def _walk(self, values: Iterable[Any]) -> None:
        new = [v for v in values if isinstance(v, _HOLDERS)]
        while new:
            value = new.pop()
            if id(value) in self._objects:
                continue
            self._objects[id(value)] = value
            for part in value.values() if isinstance(value, dict) else value:
                if isinstance(part, _HOLDERS):
                    self._holders[id(part)].append(id(value))
                    new.append(part)

    def holds(self, key: int, within: frozenset[int] = frozenset()) -> bool:
        """Whether only the books lead to the container of this ``id``."""
        if key in self._copies or key in within:
            return True
        holders = self._holders[key]
        counted = _ALONE + 2 * self._times[key] + len(holders)
        if sys.getrefcount(self._objects[key]) > counted:
            return False
        return all(self.holds(holder, within | {key}) for holder in holders)


def are_local(books: Callable[[], Locality], keys: Sequence[int]) -> bool:
    """Whether only the books lead to the containers of these ids.

    Before that is denied, cycles are collected: an error that was caught may be one,
    with frames that have variables.
    """
    if all(map(books().holds, keys)):
        return True
    gc.collect()
    return all(map(books().holds, keys))


_ONE = {0: object()}
_ALONE = sys.getrefcount(_ONE[0])
