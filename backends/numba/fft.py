"""Fourier transforms, which Numba lacks: NumPy is called in object mode."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access, whole
from .printer import Printer, prints
from .special import numba_type

__all__: list[str] = []


def _call(p: Printer, node: Node, x: Access, text: str) -> Access:
    """``with objmode(y="complex128[::1]"): y = np.fft.fft(x)``"""
    name = p.name(node)
    [type_] = p.types(node)
    operand = p.array(node.operands[0], x, type_)
    with p.lines.indented(f'with objmode({name}="{numba_type(node.type)}"):'):
        p.lines.add(f"{name} = {text.format(operand)}")
    return whole(name, node.type.shape)


@prints("fft", "rfft")
def _forward(p: Printer, node: Node, x: Access) -> Access:
    return _call(p, node, x, f"np.fft.{node.op}({{}})")


@prints("ifft")
def _ifft(p: Printer, node: Node, x: Access) -> Access:
    return _call(p, node, x, 'np.fft.ifft({}, norm="forward")')


@prints("irfft")
def _irfft(p: Printer, node: Node, x: Access, *, size: int) -> Access:
    return _call(p, node, x, f'np.fft.irfft({{}}, {size}, norm="forward")')
