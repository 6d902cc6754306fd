"""The text of a function while it is written: lines, indentation, names, loops."""

from __future__ import annotations

import keyword
import re
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ...ir.graph import Node
from .functions import HELPERS

if TYPE_CHECKING:
    from .ufunc import InnerLoop

__all__ = ["Lines", "Names"]

MAX_LOOPS = 16  # Python nests 20 blocks; beyond, one loop walks all places
_COUNTERS = "ijkmnpqr"
_RESERVED = {"abs", "range", "np", "math", "njit", "print", *keyword.softkwlist}


class Names:
    """The names of one function: identifiers, no two of them alike."""

    def __init__(self) -> None:
        self._taken = {*_RESERVED, *HELPERS}
        self._counters: list[str] = []

    def new(self, hint: str) -> str:
        """An identifier like ``hint`` that nothing has."""
        stem = re.sub(r"\W+", "_", hint, flags=re.ASCII).strip("_") or "value"
        stem = f"v{stem}" if stem[0].isdigit() else stem
        name, number = stem, 0
        while name in self._taken or keyword.iskeyword(name):
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name

    def counter(self, depth: int) -> str:
        """The name of the counter of the loop inside of ``depth`` others."""
        while depth >= len(self._counters):
            free = (name for name in _COUNTERS if name not in self._taken)
            hint = next(free, f"i{len(self._counters)}")
            self._counters.append(self.new(hint))
        return self._counters[depth]


class Lines:
    """Lines of code, each with the node that it belongs to.

    Where the user's line changes, it stands above in a comment. ``inner_loops`` are
    the loops of ufuncs that they call, ``units`` where those of the function begin.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.texts: list[str] = []
        self.nodes: list[Node | None] = []
        self.inner_loops: dict[str, InnerLoop] = {}
        self.units: list[int] = []
        self._indent = 1
        self._counting = 0
        self._about: Sequence[Node] = ()
        self._said: Sequence[str] = ()

    def about(self, nodes: Sequence[Node]) -> None:
        """What the lines that follow compute."""
        self._about = nodes
        if self._indent == 1:
            self.units.append(len(self.texts))

    def add(self, text: str) -> None:
        """One more line."""
        said = _sources(self._about)
        if said and said != self._said:
            self._put(said)
            self._said = said
        self._put([text])

    def _put(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.texts.append("    " * self._indent + text)
            self.nodes.append(self._about[-1] if self._about else None)

    @contextmanager
    def indented(self, head: str) -> Generator[None, None, None]:
        """A block below ``head``."""
        self.add(head)
        self._indent += 1
        yield
        self._indent -= 1

    @contextmanager
    def loops(self, sizes: Sequence[int]) -> Generator[list[str], None, None]:
        """Loops over these sizes; the place along each axis. One place needs none."""
        point = ["0"] * len(sizes)
        walked = [axis for axis, size in enumerate(sizes) if size != 1]
        depth = self._counting
        with ExitStack() as stack:
            if len(walked) > MAX_LOOPS:
                self._counting += 1
                place = self.names.counter(depth)
                shape = tuple(sizes[axis] for axis in walked)
                stack.enter_context(self.indented(f"for {place} in np.ndindex{shape}:"))
                for number, axis in enumerate(walked):
                    point[axis] = f"{place}[{number}]"
            else:
                for axis in walked:
                    point[axis] = self.names.counter(self._counting)
                    self._counting += 1
                    head = f"for {point[axis]} in range({sizes[axis]}):"
                    stack.enter_context(self.indented(head))
            yield point
        self._counting = depth


def _sources(nodes: Sequence[Node]) -> list[str]:
    """The user's lines of some nodes, as comments."""
    found: dict[str, None] = {}
    for node in nodes:
        if node.source is not None:
            line = " ".join(node.source.brief.split())
            line = line.encode("utf-8", "backslashreplace").decode("utf-8")
            found[f"# backward of {line}" if node.section else f"# {line}"] = None
    return list(found)
