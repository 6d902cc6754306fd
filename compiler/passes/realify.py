"""Complex numbers as pairs of real ones, for backends that compute with those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output, Value
from ...ir.literals import Attrs
from ...ir.ops.complex import OF_COMPLEX
from ...ir.ops.parts import loop_attrs, split_operands
from .complex_rules import BY_PARTS, OPAQUE, RULES, Pair

__all__ = ["realify"]

_KEPT = frozenset({"input", "real", "imag", "complex", "of_complex", *OPAQUE})


def realify(graph: Graph) -> Graph:
    """Compute with the real and the imaginary parts of complex numbers.

    before:
        graph f(%z: c128[3], %w: c128[3]) {
          %a = mul(%z, %w) : c128[3]
          %b = neg(%a)     : c128[3]
          return %b
        }
    after:
        graph f(%z: c128[3], %w: c128[3]) {
          %real.0 = real(%z)                : f64[3]
          %imag.0 = imag(%z)                : f64[3]
          %real.1 = real(%w)                : f64[3]
          %imag.1 = imag(%w)                : f64[3]
          %mul.0  = mul(%real.0, %real.1)   : f64[3]
          %mul.1  = mul(%imag.0, %imag.1)   : f64[3]
          %sub.0  = sub(%mul.0, %mul.1)     : f64[3]
          %mul.2  = mul(%real.0, %imag.1)   : f64[3]
          %mul.3  = mul(%imag.0, %real.1)   : f64[3]
          %add.0  = add(%mul.2, %mul.3)     : f64[3]
          %neg.0  = neg(%sub.0)             : f64[3]
          %neg.1  = neg(%add.0)             : f64[3]
          %b      = complex(%neg.0, %neg.1) : c128[3]
          return %b
        }

    Afterwards complex values are inputs, results, and what functions make that take
    them whole. Loops and branches carry pairs. Keeps results up to rounding.
    """
    if all(_is_kept(graph, node) for node in graph):
        return graph
    return _Realified(graph, split=False).graph


def _is_kept(graph: Graph, node: Node) -> bool:
    """Whether a node stays as it is: no value is complex, or the op takes them."""
    values = (*node.values, *graph.operands(node))
    if not any(value.type.is_complex for value in values):
        return True
    return node.op in _KEPT


class _Rewritten(NamedTuple):
    """What a value has become: one node, or a pair for a complex one."""

    whole: Node | None = None
    pair: Pair | None = None


class _Realified:
    """A graph that is made anew; ``split`` says that its interface is of pairs."""

    def __init__(self, graph: Graph, *, split: bool) -> None:
        self.b = b = Builder(graph.name, reserved=graph.nodes)
        self._old = graph
        self._made: dict[str, _Rewritten] = {}
        for node in graph:
            b.section, b.source = node.section, node.source
            if node.op == "input":
                self._input(node, split)
            elif node.regions:
                self._with_regions(node)
            else:
                self._node(node)
        outputs = self._outputs(split)
        nodes = sorted(b.nodes, key=lambda node: node.op != "input")
        self.graph = graph.with_nodes(nodes, outputs)

    def _outputs(self, split: bool) -> list[Output]:
        found: list[Output] = []
        for value, label in self._old.outputs:
            if split and self._old[value].type.is_complex:
                re, im = self._pair(value)
                found += [Output(re.name), Output(im.name)]
            else:
                found.append(Output(self._whole(value).name, label))
        return found

    def _input(self, node: Node, split: bool) -> None:
        if not (split and node.type.is_complex):
            self._made[node.name] = _Rewritten(self.b.append(node))
            return
        pair = Pair(
            *(
                self.b.append(node._replace(name=name, type=node.type.part))
                for name in self._part_names(node.name)
            )
        )
        self._made[node.name] = _Rewritten(pair=pair)

    def _part_names(self, name: str) -> list[str]:
        return [self.b.unique(f"{name}.{part}") for part in ("re", "im")]

    def _whole(self, name: str) -> Node:
        """A value as one node, of the name that it had if that is made now."""
        made = self._made[name]
        if made.whole is not None:
            return made.whole
        assert made.pair is not None, "a value is whole or a pair"
        old = self._old[name]
        node = Node(
            name,
            "complex",
            (made.pair.re.name, made.pair.im.name),
            old.type,
            section=self.b.section,
            source=self.b.source,
        )
        whole = self.b.append(node)
        self._made[name] = made._replace(whole=whole)
        return whole

    def _pair(self, name: str) -> Pair:
        made = self._made[name]
        if made.pair is not None:
            return made.pair
        assert made.whole is not None, "a value is whole or a pair"
        pair = Pair(self.b.real(made.whole), self.b.imag(made.whole))
        self._made[name] = made._replace(pair=pair)
        return pair

    def _node(self, node: Node) -> None:
        operands = self._old.operands(node)
        is_complex = [x.type.is_complex for x in operands]
        if not (any(is_complex) or any(x.type.is_complex for x in node.values)):
            wholes = tuple(self._whole(x.name).name for x in operands)
            self._keep(node.reading(wholes))
        elif node.op in _KEPT and node.op not in RULES:
            self._keep(node.reading(tuple(self._whole(x.name).name for x in operands)))
        elif node.op in RULES:
            pairs = [
                self._pair(x.name) if x.type.is_complex else self._whole(x.name)
                for x in operands
            ]
            self._put(node, RULES[node.op](self.b, node, *pairs, **node.attrs))
        elif node.op in BY_PARTS:
            self._put(node, self._by_parts(node, operands))
        else:
            function = {"function": node.op}
            wholes = [self._whole(x.name).name for x in operands]
            made = node._replace(
                op=OF_COMPLEX.name, operands=tuple(wholes), attrs=Attrs(function)
            )
            self._keep(made)

    def _by_parts(self, node: Node, operands: Sequence[Node]) -> Pair:
        """The op on the real parts, and on the imaginary ones."""
        sides: list[Node] = []
        for side in (0, 1):
            of_side = [
                self._pair(x.name)[side] if x.type.is_complex else self._whole(x.name)
                for x in operands
            ]
            op = getattr(self.b, node.op)
            sides.append(op(*of_side, **node.attrs))
        return Pair(*sides)

    def _keep(self, node: Node) -> None:
        self.b.append(node)
        for value in node.values:
            self._made[value.name] = _Rewritten(self.b[value.name])

    def _put(self, node: Node, made: Pair | Node) -> None:
        is_pair = isinstance(made, Pair)
        self._made[node.name] = _Rewritten(pair=made) if is_pair else _Rewritten(made)

    def _with_regions(self, node: Node) -> None:
        """A loop or a branch, whose regions take and return pairs."""
        operands = [self._both(name) for name in node.operands]
        attrs = node.attrs
        if node.op == "loop":
            parts = split_operands(attrs, operands)
            counts = {
                "carried": sum(map(len, parts.carried)),
                "stacked": sum(map(len, parts.stacked)),
            }
            attrs = Attrs(loop_attrs({**attrs, **counts}))
        elif "after" in attrs:
            taken = len(node.regions[0].inputs)
            attrs = Attrs({"after": sum(map(len, operands[taken:]))})
        regions = tuple(self._region(region) for region in node.regions)
        several: list[Value] = []
        for value in node.values:
            if value.type.is_complex:
                names = self._part_names(value.name)
                several += [Value(name, value.type.part) for name in names]
            else:
                several.append(Value(value.name, value.type))
        made = node._replace(
            name=several[0].name,
            type=several[0].type,
            operands=tuple(x.name for both in operands for x in both),
            several=tuple(several) if len(several) > 1 else (),
            attrs=attrs,
            regions=regions,
        )
        self.b.append(made)
        names = iter(several)
        for value in node.values:
            first = self.b[next(names).name]
            if value.type.is_complex:
                pair = Pair(first, self.b[next(names).name])
                self._made[value.name] = _Rewritten(pair=pair)
            else:
                self._made[value.name] = _Rewritten(first)

    def _both(self, name: str) -> Sequence[Node]:
        """The one node of a real value, the two of a complex one."""
        if self._old[name].type.is_complex:
            return self._pair(name)
        return (self._whole(name),)

    @staticmethod
    def _region(region: Graph) -> Graph:
        interface = [*region.inputs, *(region[name] for name in region.results)]
        if any(node.type.is_complex for node in interface):
            return _Realified(region, split=True).graph
        return realify(region)
