"""The signatures of one function that are kept: a bounded table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

__all__ = ["FEW", "MAX_SIGNATURES", "Signatures"]

MAX_SIGNATURES = 256  # six layers, with their gradient, take half a megabyte each
MAX_BYTES = 2**30  # of scratch memory, where there are more than `FEW`
FEW = 8


class Kept(Protocol):
    """What a table keeps."""

    def was_used(self) -> bool:
        """Whether it was needed since it was last asked."""
        ...

    def scratch_bytes(self) -> int:
        """The scratch memory that it keeps for its next call."""
        ...


T = TypeVar("T", bound=Kept)


class Signatures(Generic[T]):
    """At most ``most`` entries by key (256); ``drop`` is told of those that go.

    They keep ``MAX_BYTES`` of scratch memory at most when one is added, however large
    the arrays of a function are, but a few stay in any case.

    The entry to go is found by Corbató's clock, which takes a mark for a call instead
    of a list in the order of use: entries come up in turn, and one that was used since
    it last came up gets another turn. A call of the fast path can leave a mark.

    There is no lock, which a fork might leave held and a finalizer wait for: each step
    is one of a dict or a deque. A key may be up for its turn twice, or after its entry
    has gone; an entry never without its key.
    """

    def __init__(self, drop: Callable[[T], object], most: int | None = None) -> None:
        self.made = 0
        self._most = most
        self._drop = drop
        self._entries: dict[Hashable, T] = {}
        self._turns: deque[Hashable] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> T | None:
        """The entry of a key, if it is kept."""
        return self._entries.get(key)

    def items(self) -> list[tuple[Hashable, T]]:
        """The entries with their keys, oldest first."""
        return list(self._entries.copy().items())

    def values(self) -> list[T]:
        """The entries, oldest first."""
        return [entry for _, entry in self.items()]

    def keep(self, key: Hashable, entry: T) -> T:
        """Keep an entry, unless another thread was first: then it is that one's."""
        kept = self._entries.setdefault(key, entry)
        if kept is entry:
            self.made += 1
            while self._too_much() and self._take_turn():
                pass
            self._turns.append(key)
        return kept

    def forget(self, is_stale: Callable[[T], bool]) -> None:
        """Forget the entries that are stale."""
        for key, entry in self.items():
            if is_stale(entry) and self._entries.pop(key, None) is not None:
                self._drop(entry)

    def clear(self) -> None:
        """Forget all entries."""
        self._turns.clear()  # first, or an entry of another thread's might stay behind
        with suppress(KeyError):  # there are no more
            while True:
                self._drop(self._entries.popitem()[1])

    def _too_much(self) -> bool:
        entries = self.values()
        most = self._most or MAX_SIGNATURES
        if FEW < len(entries) <= most:
            return sum(entry.scratch_bytes() for entry in entries) > MAX_BYTES
        return len(entries) > most

    def _take_turn(self) -> bool:
        """Let the next entry go, or come up again if it was used; False without one."""
        try:
            key = self._turns.popleft()
        except IndexError:  # other threads have them in hand, and see to the limit
            return False
        entry = self._entries.get(key)
        if entry is not None and entry.was_used():
            self._turns.append(key)
        elif entry is not None and self._entries.pop(key, None) is not None:
            self._drop(entry)
        return True
