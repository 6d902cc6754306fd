"""Functions of libm: on vectors lane by lane, in a loop that stands in the module once.

What few elements need stands behind a test of all lanes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .instructions import Emitter
from .values import REGISTERS, Value

__all__ = ["LIBM", "beyond", "call"]

# By NumPy's names; those for float32 end in f.
LIBM = {
    **{name: name for name in ("tan", "sinh", "cosh")},
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh")},
    **{"arctanh": "atanh", "arctan2": "atan2"},
}

EACH = """
define internal void @{name}({pointers}, i64 %count) noinline nounwind {{
entry:
  br label %lane
lane:
  %i = phi i64 [ 0, %entry ], [ %next, %lane ]
  {loads}
  %value = call {kind} @{symbol}({values})
  store {kind} %value, ptr %place0
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %count
  br i1 %done, label %end, label %lane
end:
  ret void
}}"""

LOAD = """%place{n} = getelementptr {kind}, ptr %x{n}, i64 %i
  %v{n} = load {kind}, ptr %place{n}"""


def call(emitter: Emitter, name: str, operands: Sequence[Value]) -> Value:
    """Call libm's ``name`` on operands of one dtype."""
    dtype, element = operands[0].dtype, operands[0].element
    symbol = name + ("f" if element == "f32" else "")
    if operands[0].lanes == 1:
        return emitter.call(symbol, dtype, operands)
    kind = REGISTERS[dtype]
    rooms = [emitter.room(kind) for _ in operands]
    for room, operand in zip(rooms, operands, strict=True):
        emitter.lines.append(f"store {kind} {operand.text}, ptr {room}")
    listed = ", ".join(f"ptr {room}" for room in rooms)
    loop = _loop(emitter, symbol, element, len(operands))
    emitter.lines.append(f"call void @{loop}({listed}, i64 {operands[0].lanes})")
    return emitter.emit(dtype, f"load {kind}, ptr {rooms[0]}")


def beyond(
    emitter: Emitter, x: Value, limit: Value, compute: Callable[[], Value]
) -> Value:
    """What ``compute`` emits, run if ``abs(x)`` is above the limit in any lane.

    Else the result is x.
    """
    size = f"llvm.fabs.{f'v{x.lanes}' if x.lanes > 1 else ''}{x.element}"
    far = emitter.compare("Gt", emitter.call(size, x.dtype, [x]), limit)
    before, then, end = emitter.label, emitter.fresh("far"), emitter.fresh("end")
    anywhere = emitter.any(far)
    emitter.jump(f"br i1 {anywhere.text}, label %{then}, label %{end}")
    emitter.start(then)
    value = compute()
    last = emitter.label
    emitter.jump(f"br label %{end}")
    emitter.start(end)
    return emitter.either(value, last, x, before)


def _loop(emitter: Emitter, symbol: str, dtype: str, arity: int) -> str:
    """The function that computes lane by lane, results over the first operands."""
    name, kind, numbers = f"{symbol}.each", REGISTERS[dtype], range(arity)
    emitter.linkage.declare(symbol, kind, [kind] * arity)
    body = EACH.format(
        name=name,
        symbol=symbol,
        kind=kind,
        pointers=", ".join(f"ptr %x{n}" for n in numbers),
        loads="\n  ".join(LOAD.format(n=n, kind=kind) for n in numbers),
        values=", ".join(f"{kind} %v{n}" for n in numbers),
    )
    if body not in emitter.linkage.bodies:
        emitter.linkage.bodies.append(body)
    return name
