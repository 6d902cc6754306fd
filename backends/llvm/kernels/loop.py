"""The step of a `loop`, which runs the steps of its body again and again.

Its words are the header `LoopWords`, then a record for each value of which an iteration
takes another row, a record for each carried value, and `ProgramWords`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .source import read

__all__ = ["CarriedWords", "LoopWords", "MovingWords", "ProgramWords", "loop_source"]

_LOOP = """
@written_out
def kernel(buffers, words):
    # header; moving values; carried values; RUN, and rows and steps of body and end
    trips = {trips}
    if {limit_buffer} >= 0:
        given = i64_pointer(buffers[{limit_buffer}] + {limit_offset}, 0)
        wanted = given[0]
        wanted = 0 if wanted < 0 else wanted
        trips = wanted if trips < 0 or wanted < trips else trips
    counter = i64_pointer(buffers[{counter_buffer}] + {counter_offset}, 1)
    moving, carried = {moving}, {carried}
    begin = {header} + {moving_words} * moving
    for i in range(carried):
        w = begin + {carried_words} * i
        buffers[{now}] = buffers[{begin_buffer}] + {begin_offset}
        if {first_buffer} >= 0:
            buffers[{then}] = buffers[{first_buffer}] + {first_offset}
    p = begin + {carried_words} * carried
    go = trips != 0
    if {test} != 0:
        flag = bool_pointer(buffers[words[begin]], 2)
        go = go and flag[0]
    status = 0
    done = 0
    while go:
        t = trips - 1 - done if {reverse} != 0 else done
        counter[0] = t
        for i in range(moving):
            w = {header} + {moving_words} * i
            buffers[{pointer}] = buffers[{buffer}] + {offset} + t * {stride}
        at = address(buffers)
        status = invoke({run}, {body_rows}, {body_steps}, at, 0, 0) >> 32
        done += 1
        for i in range(carried):
            w = begin + {carried_words} * i
            before = buffers[{now}]
            buffers[{now}] = buffers[{then}]
            if {first_buffer} >= 0:
                other = buffers[{second_buffer}] + {second_offset}
                buffers[{then}] = other if done == 1 else before
        go = status == 0 and done != trips
        if {test} != 0:
            again = bool_pointer(buffers[words[begin]], 3)
            go = go and again[0]
    if status != 0:
        return status
    at = address(buffers)
    return invoke({run}, {end_rows}, {end_steps}, at, 0, 0) >> 32
"""


class LoopWords(NamedTuple):
    """The header: a number of -1 is not known, a buffer of -1 is none.

    ``moving`` and ``carried`` say how many there are. The first carried value is the
    test, where there is one.
    """

    trips: int
    limit_buffer: int
    limit_offset: int
    counter_buffer: int
    counter_offset: int
    test: int
    reverse: int
    moving: int
    carried: int


class MovingWords(NamedTuple):
    """A value of which each iteration takes a row, ``stride`` bytes from the last.

    ``pointer`` is the place in the table of buffers that the row's address goes to.
    """

    pointer: int
    buffer: int
    offset: int
    stride: int


class CarriedWords(NamedTuple):
    """A carried value: its pointer in the table of buffers, and that of the next one.

    Buffer and offset of where it begins, and where the first and the second iteration
    make it; -1 where ``then`` is that of a moving value, in whose row it is made.
    """

    now: int
    then: int
    begin_buffer: int
    begin_offset: int
    first_buffer: int
    first_offset: int
    second_buffer: int
    second_offset: int


class ProgramWords(NamedTuple):
    """The programs that ``run`` walks: those of the body, and of the end.

    They are addresses, which are known when a plan is made callable.
    """

    run: int
    body_rows: int
    body_steps: int
    end_rows: int
    end_steps: int


def loop_source() -> str:
    """The source of the kernel."""
    header = len(LoopWords._fields)
    return _LOOP.lstrip().format(
        header=header,
        moving_words=len(MovingWords._fields),
        carried_words=len(CarriedWords._fields),
        **read(LoopWords),
        **_read_at("w", MovingWords),
        **_read_at("w", CarriedWords),
        **_read_at("p", ProgramWords),
    )


def _read_at(place: str, numbers: type[Any]) -> dict[str, str]:
    """What reads a record whose first word is at a place."""
    return {name: f"words[{place} + {i}]" for i, name in enumerate(numbers._fields)}
