"""Calls that few elements need, inside of loops that vectorise.

A call in its body keeps a loop scalar. So it stands in a function of which LLVM knows
variants for whole vectors (``vector-function-abi-variant``): the vectoriser takes one
of these, it is inlined after that, and then a loop has one test for all lanes, and the
call lane by lane only where some lane is beyond the limit.
"""

from __future__ import annotations

from .instructions import REGISTERS, Emitter, Value

__all__ = ["call_beyond"]

WIDTHS = {"f32": (4, 8, 16), "f64": (2, 4, 8)}

SCALAR = """
define internal {kind} @{name}({kind} %x) noinline nounwind willreturn memory(none) {{
entry:
  %size = call {kind} @llvm.fabs.{dtype}({kind} %x)
  %far = fcmp ogt {kind} %size, {limit}
  br i1 %far, label %call, label %end
call:
  %value = call {kind} @{symbol}({kind} %x)
  br label %end
end:
  %result = phi {kind} [ %x, %entry ], [ %value, %call ]
  ret {kind} %result
}}

define internal void @{name}.each(ptr %lanes, i64 %count) noinline nounwind {{
entry:
  br label %lane
lane:
  %i = phi i64 [ 0, %entry ], [ %next, %lane ]
  %place = getelementptr {kind}, ptr %lanes, i64 %i
  %x = load {kind}, ptr %place
  %value = call {kind} @{name}({kind} %x)
  store {kind} %value, ptr %place
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %count
  br i1 %done, label %end, label %lane
end:
  ret void
}}"""

VECTOR = """
define internal {vector} @{name}.{count}({vector} %x) alwaysinline nounwind {{
entry:
  %lanes = alloca {vector}
  %size = call {vector} @llvm.fabs.v{count}{dtype}({vector} %x)
  %far = fcmp ogt {vector} %size, splat ({kind} {limit})
  %any = call i1 @llvm.vector.reduce.or.v{count}i1(<{count} x i1> %far)
  br i1 %any, label %call, label %end
call:
  store {vector} %x, ptr %lanes
  call void @{name}.each(ptr %lanes, i64 {count})
  %values = load {vector}, ptr %lanes
  br label %end
end:
  %result = phi {vector} [ %x, %entry ], [ %values, %call ]
  ret {vector} %result
}}"""


def call_beyond(emitter: Emitter, symbol: str, x: Value, limit: Value) -> Value:
    """``symbol(x)`` of libm where ``abs(x)`` is above the limit, elsewhere ``x``."""
    kind = REGISTERS[x.dtype]
    name = f"{symbol}.beyond"
    variants = [(f"{name}.{count}", count) for count in WIDTHS[x.dtype]]
    if variants[0][0] not in emitter.linkage.kept:
        _define(emitter, name, symbol, x.dtype, limit)
        emitter.linkage.kept += [variant for variant, _ in variants]
    mapping = ",".join(f"_ZGV_LLVM_N{n}v_{name}({variant})" for variant, n in variants)
    attribute = f'"vector-function-abi-variant"="{mapping}"'
    return emitter.emit(x.dtype, f"call {kind} @{name}({kind} {x.text}) {attribute}")


def _define(emitter: Emitter, name: str, symbol: str, dtype: str, limit: Value) -> None:
    linkage, kind = emitter.linkage, REGISTERS[dtype]
    words = {"name": name, "dtype": dtype, "kind": kind, "limit": limit.text}
    linkage.declare(symbol, kind, [kind])
    linkage.declare(f"llvm.fabs.{dtype}", kind, [kind])
    linkage.bodies.append(SCALAR.format(**words, symbol=symbol))
    for count in WIDTHS[dtype]:
        vector = f"<{count} x {kind}>"
        linkage.declare(f"llvm.fabs.v{count}{dtype}", vector, [vector])
        linkage.declare(f"llvm.vector.reduce.or.v{count}i1", "i1", [f"<{count} x i1>"])
        linkage.bodies.append(VECTOR.format(**words, vector=vector, count=count))
