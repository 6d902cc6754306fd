"""A graph as the statements of one Numba function.

A unit (`fused.units`) is printed at once: a fused kernel as a loop nest (`kernels`),
any other node by the printer of its op, registered with `prints` in the file of its
family. What a printer returns says how the value is read (`access`); arrays are made
where somebody needs one.

Invariants:
- No array is written once the statements of its unit are over, and inputs never are. So
  an access stays good until the end of its block.
- Every array that is made here is C-contiguous.
- A region of a node is a graph with a `Printer` of its own on the same lines, in the
  block below an ``if``; it takes accesses of the operands and returns those of its
  results. What it makes nothing outside of it names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from ...ir.graph import Graph, Node
from ...ir.types import TensorType
from ..fused import needed, units
from .access import Access, whole
from .kernels import is_fused, print_kernel
from .lines import Lines
from .scalars import dtype_text, literal

__all__ = ["Printer", "prints", "shape_text"]

OpPrinter: TypeAlias = "Callable[..., Access | list[Access]]"
P = TypeVar("P", bound=OpPrinter)
PRINTERS: dict[str, OpPrinter] = {}


def prints(*ops: str) -> Callable[[P], P]:
    """Register how ops are printed.

    The printer takes the `Printer`, the node and how its operands are read, and the
    attributes by name. It writes statements to ``p.lines`` and returns how the value is
    read, a list where there are several.
    """

    def add(printer: P) -> P:
        PRINTERS.update(dict.fromkeys(ops, printer))
        return printer

    return add


def shape_text(sizes: Sequence[int]) -> str:
    """A shape as an argument: a number where there is one axis."""
    return str(sizes[0]) if len(sizes) == 1 else str(tuple(sizes))


class Printer:
    """Prints one block: the statements of a graph, or of a region of one.

    ``accesses`` has how each value that was printed so far is read.
    """

    def __init__(self, lines: Lines, graph: Graph) -> None:
        self.lines = lines
        self.graph = graph
        self.needed = needed(graph)
        self._names = {
            name: lines.names.new(name) for node in graph for name in node.names
        }
        self.accesses: dict[str, Access] = {}
        self._arrays: dict[tuple[Access, TensorType], str] = {}
        self._memory: dict[str, str] = {}  # the array that another one is a view of

    def block(self, inputs: Sequence[Access]) -> list[Access]:
        """Print all nodes; how the results are read."""
        for node, access in zip(self.graph.inputs, inputs, strict=True):
            self.accesses[node.name] = access
        for unit in units(self.graph):
            self.lines.about(unit)
            first = unit[0]
            if is_fused(first):
                print_kernel(self, unit)
            elif first.op in PRINTERS:
                operands = [self.accesses[name] for name in first.operands]
                made = PRINTERS[first.op](self, first, *operands, **first.attrs)
                reads = made if isinstance(made, list) else [made]
                self.accesses.update(zip(first.names, reads, strict=True))
            else:
                raise AssertionError(f"the numba backend prints no {first.op}")
        self.lines.about(())
        return [self.accesses[name] for name in self.graph.results]

    def name(self, node: Node) -> str:
        """The identifier of the value of a node."""
        return self._names[node.name]

    def types(self, node: Node) -> list[TensorType]:
        """The types of the operands."""
        return [self.graph[name].type for name in node.operands]

    def new(self, name: str, type_: TensorType, fill: str | None = None) -> Access:
        """A new array of that name; all elements are ``fill``, or not set yet.

        For a value of rank 0 it is a variable.
        """
        if not type_.rank:
            if fill is not None:
                self.lines.add(f"{name} = {fill}")
            return Access(name)
        shape = shape_text(type_.shape)
        dtype = "" if type_.dtype == "f64" else f", {dtype_text(type_.dtype)}"
        if fill is None:
            made = f"np.empty({shape}{dtype})"
        elif fill in ("0.0", literal(0, type_.dtype)):
            made = f"np.zeros({shape}{dtype})"
        else:
            made = f"np.full({shape}, {fill}, {dtype_text(type_.dtype)})"
        self.lines.add(f"{name} = {made}")
        return whole(name, type_.shape)

    def store(self, target: Access, point: Sequence[str], value: str) -> None:
        """Set one element."""
        self.lines.add(f"{target.at(point)} = {value}")

    def copy(self, name: str, source: Access, type_: TensorType) -> Access:
        """A new array with the elements of ``source``."""
        if not type_.rank:
            return self.new(name, type_, source.at(()))
        if source.is_whole(type_.shape):
            self.lines.add(f"{name} = {source.array}.copy()")
            return whole(name, type_.shape)
        if not source.terms:
            return self.new(name, type_, source.array)
        made = self.new(name, type_)
        with self.lines.loops(type_.shape) as point:
            self.store(made, point, source.at(point))
        return made

    def array(self, name: str, source: Access, type_: TensorType) -> str:
        """An expression of a C-contiguous array with these elements, only to be read.

        ``name`` is like what a new one is called. Sizes of 1 are a reshape away; other
        views are copied, once in each block.
        """
        if source.is_whole(type_.shape):
            return source.array
        if source.is_reshaped(type_.shape):
            return f"{source.array}.reshape({shape_text(type_.shape)})"
        key = source, type_
        if key not in self._arrays:
            made = self.copy(self.lines.names.new(name), source, type_)
            self._arrays[key] = made.array
        return self._arrays[key]

    def memory(self, array: str) -> str:
        """The array whose memory this one has."""
        return self._memory.get(array, array)

    def reshaped(self, node: Node, source: Access) -> Access:
        """The operand of a node as an array of the node's shape: a view or a copy."""
        [type_] = self.types(node)
        name = self.name(node)
        array = self.array(name, source, type_)
        if source.is_whole(type_.shape) or source.is_reshaped(type_.shape):
            self._memory[name] = self.memory(source.array)
        self.lines.add(f"{name} = {array}.reshape({shape_text(node.type.shape)})")
        return whole(name, node.type.shape)

    def wanted(self, node: Node) -> bool:
        """Whether a value is read outside of its kernel."""
        return node.name in self.needed
