"""What a loop carries from turn to turn, as far as a trial of its body shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from ...ir.errors import SourceLine
from ..tracing.ragged import Ragged
from ..tracing.running import is_traced
from ..tree import flatten
from .endings import Ending, is_alike, joined, type_of
from .growing import MAX_ITEMS, Growing, appended
from .loop_state import Carried, Changes, Fills, LeafType, NoLoop, State
from .state import UNBOUND, Content, Slot, is_lost
from .trial import Pass

__all__ = ["widened"]


def widened(
    state: State, slots: Iterable[Slot], done: Pass, line: SourceLine | None
) -> State:
    """The state with what changed in a pass, and with types that hold it."""
    carried, growing = dict(state.carried), dict(state.growing)
    for slot in slots:
        if isinstance(slot, Content) and slot.key not in carried:
            _grow(growing, carried, slot, done, line)
            continue
        one, end = carried.get(slot.key), done.endings[slot.key]
        if one is None:
            start = slot.get()
            if is_alike(end.value, start):
                continue
            if is_lost(end.value) and (start is UNBOUND or is_lost(start)):
                continue
            one = _begun(slot, start, end)
        carried[slot.key] = _joined(one, end)
    written = {memory: owner for memory, (owner, _, _) in done.before.items()}
    return State(carried, written, growing)


def _grow(
    growing: dict[Any, Growing],
    carried: dict[Any, Carried],
    slot: Content,
    done: Pass,
    line: SourceLine | None,
) -> None:
    """A container that changed: a list that gets items, or values that change."""
    known = growing.get(slot.key)
    if known is not None and slot.key not in done.items:  # not in this pass
        del growing[slot.key]
        for place in known.recent:
            carried.pop(place.key, None)
    elif slot.key not in done.contents:
        return
    elif known is None:
        before = slot.get()
        after = done.contents[slot.key]
        items = appended(before, after) if isinstance(before, list) else None
        if items is None:
            if _same_items(before, after):
                return
            if (end := done.endings.get(slot.key)) is None:
                raise NoLoop(f"{slot.name} changes in its body")
            if len(after) != len(before):
                raise Fills(f"{slot.name} has another length after a turn")
            carried[slot.key] = _joined(_begun(slot, before, end), end)
            return
        if not items:
            return
        if len(items) > MAX_ITEMS:
            raise NoLoop(f"a list gets {len(items)} items in each turn")
        growing[slot.key] = found = Growing(slot, before, len(items), line)
        carried.update({one.slot.key: one for one in found.starts()})
    else:
        _carry_recent(known, carried, done)


def _carry_recent(known: Growing, carried: dict[Any, Carried], done: Pass) -> None:
    """What the turn before appended is carried, if it is of one kind."""
    for place, end in zip(known.recent, done.items[known.slot.key], strict=True):
        one = carried.pop(place.key, None)
        if one is not None:
            try:
                carried[place.key] = _joined(one, end)
            except NoLoop:  # then what was there before may not be read
                continue


def _same_items(one: Any, other: Any) -> bool:
    """Whether two dicts or sets hold the same objects."""
    if isinstance(one, dict):
        items = cast("dict[Any, Any]", one)
        return list(items) == list(other) and all(
            value is other[key] for key, value in items.items()
        )
    return isinstance(one, set) and one == other


def _begun(slot: Slot, start: Any, end: Ending) -> Carried:
    """A place that changes, with the types that it begins with."""
    if start is UNBOUND or _may_be_unbound(start):  # what it holds is of the last turn
        return Carried.of(slot, UNBOUND, end.tree, end.leaves)
    leaves, tree = flatten(start)
    return Carried.of(slot, start, tree, leaves)


def _may_be_unbound(value: Any) -> bool:
    return any(is_traced(leaf) and leaf.bound for leaf in flatten(value)[0])


def _joined(one: Carried, end: Ending) -> Carried:
    """A place with types that hold what the body makes of it as well."""
    name = one.slot.name
    unsure = any(bound is not True for bound in end.bound)
    if isinstance(end.value, Ragged):
        raise Changes(f"{name} has a size that follows from a traced value")
    if end.value is UNBOUND or end.tree != one.tree:
        raise Changes(f"{name} changes its structure in its body")
    types: list[LeafType | None] = []
    for known, fixed, leaf in zip(one.types, one.fixed, end.leaves, strict=True):
        made = type_of(leaf)
        if known is None or made is None:
            if not is_alike(leaf, fixed):
                raise Changes(f"{name} has another value that is no array")
            types.append(None)
            continue
        (type_, weak), (new, new_weak) = known, made
        if type_.shape != new.shape:
            raise Changes(f"{name} changes its shape from {type_} to {new} in its body")
        dtype = joined(type_, weak, new, new_weak)
        if dtype != type_.dtype and not weak:
            raise Changes(f"{name} changes its dtype from {type_} to {new} in its body")
        types.append((type_.with_dtype(dtype), weak and new_weak))
    return one._replace(types=tuple(types), unsure=one.unsure or unsure)
