"""Arrays that would have two names in Python, and two values here.

A loop carries values, and Python's names may share arrays. Sharing shows only where one
is written. So inputs for what is carried are not written in the body, and what leaves
the loop under two names, or as a part of an array around it, is not written afterwards:
those memories may be one. A name that is bound anew before it is read may hold a view
of an array that the body writes, and then that view afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..tracing.forms import form_of
from ..tracing.running import is_traced
from ..tracing.tracer import Tracer
from ..tracing.views import Memory
from ..tree import flatten
from .endings import type_of
from .loop_state import Carried, Loop, NoLoop, State
from .state import UNBOUND
from .trial import Pass

__all__ = ["Sharing", "shared"]


class Sharing(NamedTuple):
    """What leaves a loop in another way than as a value of its own.

    Leaves are known by their ids. ``kept`` has the arrays that some are afterwards:
    themselves or views of what the loop did not make. Of the others ``part_of`` has the
    memories around the loop that each may share.
    """

    kept: dict[int, Any]
    part_of: dict[int, list[Memory]]


def shared(loop: Loop, state: State, done: Pass) -> Sharing:
    """How arrays are shared; `NoLoop` where that cannot be said by values."""
    work = _Work(loop, state, done)
    for key, one in state.carried.items():
        work.check_start(key, one)
    used = {
        id(leaf)  # by one of the places that hold it
        for key in state.carried
        for number, leaf in enumerate(done.ending(key).leaves)
        if not work.is_dead(key, number)
    }
    for key, one in state.carried.items():
        for number, leaf in enumerate(done.ending(key).leaves):
            if one.unsure and not work.is_dead(key, number):
                raise NoLoop(f"{one.slot.name} may have no value after a turn")
            if one.types[number] is not None:
                work.leave(one.slot.name, leaf, id(leaf) not in used)
    for ends in done.items.values():
        for end in ends:
            if any(bound is not True for bound in end.bound):
                raise NoLoop("an item of a list may have no value")
            for leaf in end.leaves:
                work.leave("an item of a list", leaf, False, appended=True)
    return Sharing(work.kept, work.part_of)


class _Work:
    def __init__(self, loop: Loop, state: State, done: Pass) -> None:
        self.loop, self.state, self.done = loop, state, done
        self.kept: dict[int, Any] = {}
        self.part_of: dict[int, list[Memory]] = {}
        self.written = {top(memory) for memory in done.after}
        self.read = done.names_read()
        self.given = {
            tracer.memory
            for key in state.carried
            for tracer in done.given[key]
            if tracer is not None
        }

    def is_dead(self, key: Any, number: int) -> bool:
        """Whether what a place holds at the beginning of a turn is not used."""
        tracer = self.done.given[key][number]
        return self.state.carried[key].start is UNBOUND or (
            tracer is not None and tracer.unchecked_node.name not in self.read
        )

    def check_start(self, key: Any, one: Carried) -> None:
        """Refuse a place whose array the body writes, and that is bound anew."""
        given = self.done.given[key]
        if any(tracer is not None and tracer.memory.version for tracer in given):
            raise NoLoop(f"{one.slot.name} is written, and then another array")
        for number, leaf in enumerate(_starts(one)):
            if self.is_dead(key, number):
                continue
            if is_traced(leaf) and top(leaf.memory) in self.written:
                raise NoLoop(f"{one.slot.name} is written, and then another array")

    def leave(self, name: str, leaf: Any, dead: bool, appended: bool = False) -> None:
        """Decide what an array is that a place holds at the end of a turn."""
        type_ = type_of(leaf)
        if type_ is None or (not type_[0].shape and not appended):
            return
        if not isinstance(leaf, Tracer):
            if isinstance(leaf, np.ndarray) or appended:
                self._keep(name, leaf, dead or appended)
            return
        body = self.done.trace
        if leaf.owner is not body:
            if not leaf.path.all_moves:
                self._keep(name, leaf, dead or appended)
                return
            last = self._of_last_turn(leaf) if dead else None
            if last is not None:
                self.kept[id(leaf)] = last
                return
            self.part_of[id(leaf)] = [leaf.memory]
            if top(leaf.memory) in self.written and leaf.shape and not dead:
                raise NoLoop(f"{name} is a part of an array that is written")
            return
        if leaf.known is not None or not leaf.shape:
            return
        origin, other = top(leaf.memory), self.done.alike.get(id(leaf))
        if other is not None:
            members = list(other.members)
            if not self.given.isdisjoint(map(top, members)):
                members += self._all_starts()
            if other.outside or (
                not dead and any(top(memory) in self.written for memory in members)
            ):
                raise NoLoop(f"{name} is an array that may have another name")
            self.part_of[id(leaf)] = members
            return
        if origin in self.written:
            self.part_of[id(leaf)] = [origin]
            if not dead:
                raise NoLoop(f"{name} may be a part of an array that is written")
            return
        if origin in self.given:
            self.part_of[id(leaf)] = list(self._all_starts())
        elif origin.node.op == "input":
            raise NoLoop(f"{name} is an array that has another name")

    def _keep(self, name: str, leaf: Any, allowed: bool) -> None:
        """Have an array of the function around the loop be itself afterwards."""
        unsure = is_traced(leaf) and leaf.bound is not None
        if not allowed or unsure or self.loop.may_have_none:
            raise NoLoop(f"{name} is an array of the function around it")
        self.kept[id(leaf)] = leaf

    def _of_last_turn(self, leaf: Tracer) -> Tracer | None:
        """The view that a row at the counter is after the last turn."""
        trips, counter = self.loop.trips, self.done.counter.unchecked_node
        if not self.loop.counts or trips is None or not leaf.shape or leaf.bound:
            return None
        if leaf.path.through is not None:
            return None
        start = list(leaf.path.extent.start)
        for axis, trace, node in leaf.path.moves:
            form = form_of(trace, node)
            if any(root.node is not counter for root, _ in form.terms.values()):
                return None
            times = sum(times for _, times in form.terms.values())
            start[axis] += form.constant + times * (trips - 1)
        extent = leaf.path.extent._replace(start=tuple(start))
        path = leaf.path._replace(extent=extent, moves=())
        return Tracer.unread(leaf.owner, leaf.type, leaf.memory, path)

    def _all_starts(self) -> Iterator[Memory]:
        """The memories that places held before the loop, which change places."""
        for one in self.state.carried.values():
            for leaf in _starts(one):
                if is_traced(leaf) and leaf.shape:
                    yield leaf.memory


def _starts(one: Carried) -> list[Any]:
    return [] if one.start is UNBOUND else flatten(one.start)[0]


def top(memory: Memory) -> Memory:
    """The memory that one is a part of, if it is one."""
    while memory.origin is not None:
        memory = memory.origin[0]
    return memory
