"""QR, symmetric eigenvalues and singular values, by Numba's own of `numpy.linalg`."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access
from .lapack import operand, part
from .printer import Printer, prints

__all__: list[str] = []


def _new(p: Printer, value: Node, *, identity: bool = False) -> Access:
    """A new array for a value; ``identity`` for an orthogonal factor of nothing."""
    made = p.new(p.name(value), value.type, "0.0" if identity else None)
    if identity:
        *lead, n, m = value.type.shape
        with p.lines.loops((*lead, min(n, m))) as point:
            p.store(made, [*point, point[-1]], "1.0")
    return made


def _store(p: Printer, made: Access, point: list[str], value: str) -> None:
    p.lines.add(f"{part(made.array, point)}[...] = {value}")


@prints("qr")
def _qr(p: Printer, node: Node, a: Access, *, complete: bool) -> list[Access]:
    """Numba has the reduced ones; with columns of zeros these are the complete ones."""
    q, r = node.values
    *lead, rows, columns = p.types(node)[0].shape
    if 0 in (*lead, rows, columns):
        return [_new(p, q, identity=True), p.new(p.name(r), r.type, "0.0")]
    array = operand(p, node, 0, a)
    left, right = _new(p, q), _new(p, r)
    with p.lines.loops(lead) as point:
        one = part(array, point)
        if complete and rows > columns:
            wide = p.lines.names.new("wide")
            p.lines.add(f"{wide} = np.zeros(({rows}, {rows}), {array}.dtype)")
            p.lines.add(f"{wide}[:, :{columns}] = {one}")
            one = wide
        made = p.lines.names.new("factors")
        p.lines.add(f"{made} = np.linalg.qr({one})")
        _store(p, left, point, f"{made}[0]")
        _store(p, right, point, f"{made}[1][:, :{columns}]")
    return [left, right]


@prints("eigh")
def _eigh(p: Printer, node: Node, a: Access) -> list[Access]:
    w, v = node.values
    values, vectors = _new(p, w), _new(p, v)
    if 0 in v.type.shape:
        return [values, vectors]
    array = operand(p, node, 0, a)
    with p.lines.loops(v.type.shape[:-2]) as point:
        made = p.lines.names.new("eigen")
        p.lines.add(f"{made} = np.linalg.eigh({part(array, point)})")
        _store(p, values, point, f"{made}[0]")
        _store(p, vectors, point, f"{made}[1]")
    return [values, vectors]


@prints("svd")
def _svd(p: Printer, node: Node, a: Access, *, complete: bool) -> list[Access]:
    shape = p.types(node)[0].shape
    if 0 in shape:
        u, s, vt = node.values
        return [
            _new(p, u, identity=True),
            _new(p, s),
            _new(p, vt, identity=True),
        ]
    array = operand(p, node, 0, a)
    values = [_new(p, value) for value in node.values]
    with p.lines.loops(shape[:-2]) as point:
        made = p.lines.names.new("factors")
        flag = int(complete)
        p.lines.add(f"{made} = np.linalg.svd({part(array, point)}, {flag})")
        for number, value in enumerate(values):
            _store(p, value, point, f"{made}[{number}]")
    return values


@prints("schur", "eig")
def _by_lapack(p: Printer, node: Node, a: Access) -> list[Access]:
    """Matrix by matrix: Numba has no Schur form, and refuses complex eigenvalues."""
    values = [_new(p, value) for value in node.values]
    shape = p.types(node)[0].shape
    if 0 in shape:
        return values
    array = operand(p, node, 0, a)
    with p.lines.loops(shape[:-2]) as point:
        made = [p.lines.names.new(name) for name in ("first", "vectors")]
        p.lines.add(f"{', '.join(made)} = {node.op}_of({part(array, point)})")
        for name, value in zip(made, values, strict=True):
            _store(p, value, point, name)
    return values
