"""Fourier transforms, which Numba lacks: the inner loops of NumPy's own."""

from __future__ import annotations

from ...ir.graph import Node
from ..ufuncs import fft_ufunc
from .access import Access
from .printer import Printer, prints
from .ufunc import call_ufunc

__all__: list[str] = []


def _transform(p: Printer, node: Node, x: Access, size: int) -> list[Access]:
    """All rows at once; each is multiplied by a factor, here 1."""
    [type_] = p.types(node)
    ufunc = fft_ufunc(node.op, size)
    factor = type_.part.with_shape(())
    operands = [(p.array(node.operands[0], x, type_), type_), ("1.0", factor)]
    return call_ufunc(p, node, f"fft_loops.{ufunc.__name__}", ufunc, operands)


@prints("fft", "ifft", "rfft")
def _fft(p: Printer, node: Node, x: Access) -> list[Access]:
    [type_] = p.types(node)
    return _transform(p, node, x, type_.shape[-1])


@prints("irfft")
def _irfft(p: Printer, node: Node, x: Access, *, size: int) -> list[Access]:
    return _transform(p, node, x, size)
