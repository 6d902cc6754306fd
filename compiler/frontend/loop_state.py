"""A loop that is tried as a node, and what changes from turn to turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...ir.types import TensorType
from ..peel import Ends
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..tracing.views import Memory
from ..transforms.checkpointed import Segments
from .endings import type_of
from .state import UNBOUND, Box, Slot

if TYPE_CHECKING:
    from .growing import Growing

__all__ = ["Carried", "Changes", "Fills", "LeafType", "Loop", "NoLoop", "Peel", "State"]

LeafType = tuple[TensorType, bool]


class NoLoop(Exception):
    """Why a loop is not one node; at its ``ends`` turns may be unlike the others."""

    ends: Ends | None = None


class Changes(NoLoop):
    """A place has values of another kind after a turn; perhaps only after the first."""


class Fills(Changes):
    """A container has another length after a turn; perhaps until it is full."""


class Peel(Exception):
    """So many turns at the ends of a loop are better run by themselves."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last


class Loop(NamedTuple):
    """A loop that is tried: its body, and how often that runs.

    ``trips`` is the number of turns, or with a ``limit`` the most that there may be;
    None where nobody knows. ``test`` says after each turn whether there is another, and
    ``go`` whether there is a first. Of one that ``is_peeled``, turns at its ends run by
    themselves. One over ``segments`` is a node however small it is.
    """

    body: Callable[[Tracer], None]
    trips: int | None
    limit: Tracer | None = None
    test: Callable[[], Any] | None = None
    go: Any = True
    is_peeled: bool = False
    segments: Segments | None = None

    @property
    def counts(self) -> bool:
        """Whether the number of turns is ``trips``."""
        return self.trips is not None and self.limit is None and self.test is None

    @property
    def may_have_none(self) -> bool:
        """Whether there may be no turn at all."""
        return self.limit is not None or self.go is not True


class Carried(NamedTuple):
    """A place that is carried: what it began with, its structure, types of its leaves.

    A leaf without a type is no array, and is one of ``fixed`` in every turn. A place
    that is ``unsure`` may have no value at the end of a turn, and none of the turn
    before is read.
    """

    slot: Slot
    start: Any
    tree: Any
    types: tuple[LeafType | None, ...]
    fixed: tuple[Any, ...]
    unsure: bool = False

    @property
    def appears(self) -> bool:
        """Whether the first turn makes an entry or an attribute, that others find."""
        return self.start is UNBOUND and not isinstance(self.slot, Box)

    @classmethod
    def of(cls, slot: Slot, start: Any, tree: Any, leaves: Sequence[Any]) -> Carried:
        """A place whose types are those of the leaves."""
        types = tuple(map(type_of, leaves))
        pairs = zip(leaves, types, strict=True)
        fixed = tuple([leaf if type_ is None else None for leaf, type_ in pairs])
        return cls(slot, start, tree, types, fixed)


class State(NamedTuple):
    """What changes from turn to turn, as far as it is known.

    ``carried`` places by their keys, ``written`` memories with the traces that made
    them, and lists that grow.
    """

    carried: dict[Any, Carried]
    written: dict[Memory, Trace]
    growing: dict[Any, Growing]
